//! Blocks and states for whoever only looks: the RPC server, the transaction pool.
//!
//! It does not matter to them whether a block is in memory or stored: [`ChainBlock`] and [`StateView`] are either.

use super::{Chain, ChainError};
use crate::{payload::BuiltPayload, senders::impersonated_sender};
use alloy_consensus::{Header, transaction::SignerRecoverable};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, U256};
use braid_runtime::Transaction;
use braid_storage::{
    AccountProof, AccountRecord, Body, ExecutedBlock, Head, PastState, Receipt, Snapshot, StorageError,
};
use quick_cache::Weighter;
use revm::{
    database_interface::DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::sync::{Arc, OnceLock};

/// A block with its hash.
#[derive(Debug)]
pub struct ChainBlock {
    hash: B256,
    source: Source,
    senders: OnceLock<Vec<Address>>,
}

#[derive(Debug)]
enum Source {
    Memory(Arc<ExecutedBlock>),
    Stored(Box<(Header, Body)>),
}

impl ChainBlock {
    pub(super) const fn in_memory(hash: B256, block: Arc<ExecutedBlock>) -> Self {
        Self { hash, source: Source::Memory(block), senders: OnceLock::new() }
    }

    /// A block of our own, whose senders are known.
    pub(crate) fn built(built: BuiltPayload) -> Self {
        let hash = built.block.layer.block().hash;
        Self { hash, source: Source::Memory(built.block), senders: built.senders.into() }
    }

    pub(super) fn stored(hash: B256, header: Header, body: Body) -> Self {
        Self { hash, source: Source::Stored(Box::new((header, body))), senders: OnceLock::new() }
    }

    /// Hash of the header.
    pub const fn hash(&self) -> B256 {
        self.hash
    }

    /// Block number.
    pub fn number(&self) -> u64 {
        self.header().number
    }

    /// The header.
    pub fn header(&self) -> &Header {
        match &self.source {
            Source::Memory(block) => &block.header,
            Source::Stored(stored) => &stored.0,
        }
    }

    /// Transactions, ommers and withdrawals.
    pub fn body(&self) -> &Body {
        match &self.source {
            Source::Memory(block) => &block.body,
            Source::Stored(stored) => &stored.1,
        }
    }

    /// The transactions, in order.
    pub fn transactions(&self) -> &[Transaction] {
        &self.body().transactions
    }
}

/// What a block costs in memory, about.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByTransactions;

impl Weighter<B256, Arc<ChainBlock>> for ByTransactions {
    fn weight(&self, _hash: &B256, block: &Arc<ChainBlock>) -> u64 {
        block.transactions().len() as u64 + 16
    }
}

/// Receipts of a block, in the order of the transactions.
#[derive(Clone, Debug)]
pub enum BlockReceipts {
    /// Of a block in memory.
    Memory(Arc<ExecutedBlock>),
    /// Of a stored block.
    Stored(Arc<[Receipt]>),
}

impl std::ops::Deref for BlockReceipts {
    type Target = [Receipt];

    fn deref(&self) -> &[Receipt] {
        match self {
            Self::Memory(block) => &block.receipts,
            Self::Stored(receipts) => receipts,
        }
    }
}

/// Where a transaction is in the canonical branch.
#[derive(Clone, Debug)]
pub struct TransactionPlace {
    /// The block that has it.
    pub block: Arc<ChainBlock>,
    /// Its index there.
    pub index: usize,
}

/// The state after a block, in memory or from the history.
#[derive(Clone, Debug)]
pub enum StateView {
    /// After a block in memory, or the last written one.
    Recent(Arc<Snapshot>),
    /// After an older block.
    Past(PastState),
}

impl StateView {
    /// The block after which this is the state.
    pub fn block(&self) -> Head {
        match self {
            Self::Recent(snapshot) => snapshot.block(),
            Self::Past(state) => state.block(),
        }
    }

    /// The account with an address.
    pub fn account(&self, address: Address) -> Result<Option<AccountRecord>, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.account(address),
            Self::Past(state) => state.account(address),
        }
    }

    /// Value of a storage slot; zero if it was never written.
    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.slot(address, slot),
            Self::Past(state) => state.slot(address, slot),
        }
    }

    /// Code by its hash.
    pub fn code(&self, hash: B256) -> Result<Bytecode, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.code(hash),
            Self::Past(state) => state.code(hash),
        }
    }

    /// Proof of an account and of some of its slots (EIP-1186).
    pub fn proof(&self, address: Address, slots: &[U256]) -> Result<AccountProof, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.proof(address, slots),
            Self::Past(state) => state.proof(address, slots),
        }
    }
}

impl StateView {
    /// The state as a snapshot, which can tell roots of what comes after it. For an older block that takes back all that changed since:
    /// [`PastState::rewound`].
    pub fn snapshot(&self) -> Result<Snapshot, StorageError> {
        match self {
            Self::Recent(snapshot) => Ok(Snapshot::clone(snapshot)),
            Self::Past(state) => state.rewound(),
        }
    }
}

impl DatabaseRef for StateView {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.basic_ref(address),
            Self::Past(state) => state.basic_ref(address),
        }
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        self.code(code_hash)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        self.slot(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        match self {
            Self::Recent(snapshot) => snapshot.block_hash_ref(number),
            Self::Past(state) => state.block_hash_ref(number),
        }
    }
}

impl Chain {
    /// A block in memory or a stored canonical one, by its hash.
    pub fn block(&self, hash: &B256) -> Result<Option<Arc<ChainBlock>>, ChainError> {
        if let Some(block) = self.viewed.get(hash) {
            return Ok(Some(block));
        }
        let in_memory = self.tree.read().get(hash).map(|block| Arc::clone(&block.block));
        let block = match in_memory {
            Some(block) => ChainBlock::in_memory(*hash, block),
            None => {
                let Some(number) = self.database.block_number(*hash)? else { return Ok(None) };
                let Some((header, body)) = self.database.header(number)?.zip(self.database.body(number)?) else {
                    return Ok(None);
                };
                ChainBlock::stored(*hash, header, body)
            }
        };
        let block = Arc::new(block);
        self.viewed.insert(*hash, Arc::clone(&block));
        Ok(Some(block))
    }

    /// The canonical block with a number.
    pub fn block_by_number(&self, number: u64) -> Result<Option<Arc<ChainBlock>>, ChainError> {
        match self.canonical_hash(number)? {
            Some(hash) => self.block(&hash),
            None => Ok(None),
        }
    }

    /// The last canonical block.
    pub fn head_block(&self) -> Result<Arc<ChainBlock>, ChainError> {
        let hash = self.head().hash;
        self.block(&hash)?.ok_or(ChainError::UnknownBlock(hash))
    }

    /// Receipts of a block.
    pub fn block_receipts(&self, block: &ChainBlock) -> Result<BlockReceipts, ChainError> {
        if let Source::Memory(block) = &block.source {
            return Ok(BlockReceipts::Memory(Arc::clone(block)));
        }
        let receipts = self.receipts(&block.hash)?.ok_or(ChainError::UnknownBlock(block.hash))?;
        Ok(BlockReceipts::Stored(receipts.into()))
    }

    /// Who sent the transactions of a block, in their order; recovered at the first call.
    pub fn block_senders<'a>(&self, block: &'a ChainBlock) -> Result<&'a [Address], ChainError> {
        if let Some(senders) = block.senders.get() {
            return Ok(senders);
        }
        let number = block.number();
        let is_low_s = self.spec.is_homestead_active_at_block(number);
        let senders = block.transactions().iter().map(|transaction| {
            if let Some(sender) = self.senders.get(transaction.tx_hash()) {
                return Ok(sender);
            }
            if let Some(sender) = impersonated_sender(transaction.signature()) {
                return Ok(sender);
            }
            let sender = if is_low_s { transaction.recover_signer() } else { transaction.recover_signer_unchecked() };
            sender.map_err(|_| ChainError::StoredSignature { number, transaction: *transaction.tx_hash() })
        });
        let senders = senders.collect::<Result<_, ChainError>>()?;
        Ok(block.senders.get_or_init(|| senders))
    }

    /// Where a transaction is in the canonical branch.
    pub fn find_transaction(&self, hash: &B256) -> Result<Option<TransactionPlace>, ChainError> {
        let recent = self.recent.lock().get(hash);
        let place = match recent {
            Some(place) => Some(place),
            None => match self.database.find_transaction(*hash)? {
                Some((number, index)) => self.canonical_hash(number)?.map(|block| (block, index)),
                None => None,
            },
        };
        let Some((block, index)) = place else { return Ok(None) };
        let index = index as usize;
        let block =
            self.block(&block)?.filter(|block| block.transactions().get(index).is_some_and(|tx| tx.tx_hash() == hash));
        Ok(block.map(|block| TransactionPlace { block, index }))
    }

    /// The state after a block in memory or a stored canonical one.
    pub fn state(&self, hash: &B256) -> Result<StateView, ChainError> {
        let (is_recent, is_head, base) = {
            let tree = self.tree.read();
            let (is_head, base) = (tree.head().hash == *hash, tree.base());
            if is_head && let Some(snapshot) = self.latest.get(hash, base) {
                return Ok(StateView::Recent(snapshot));
            }
            (tree.branch(hash).is_some_and(|branch| branch.root == base || !branch.blocks.is_empty()), is_head, base)
        };
        if is_recent {
            let snapshot = Arc::new(self.snapshot(*hash)?);
            if is_head {
                self.latest.keep(base, &snapshot);
            }
            return Ok(StateView::Recent(snapshot));
        }
        let number = self.database.block_number(*hash)?.ok_or(ChainError::UnknownBlock(*hash))?;
        Ok(StateView::Past(self.database.state_at(number)?))
    }
}
