//! Blocks that ran on stock revm, with what each transaction touched.

use crate::{chain::Chain, defi_chain::DefiChain, side::SideError, snapshot::Snapshot, workload::Case};
use alloy_consensus::Transaction as _;
use alloy_evm::{Evm as _, FromRecoveredTx, block::SystemCaller, eth::EthEvm};
use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use braid_runtime::{
    Block, RecoveredBlock,
    predict::{AccessRecorder, BlockContext, KeccakPreimages, ObservedAccesses, StateView, TransactionShape},
};
use revm::{
    Context, DatabaseCommit, DatabaseRef, MainBuilder, MainContext, context::TxEnv,
    context_interface::result::ResultAndState, database::CacheDB, handler::EthPrecompiles, primitives::KECCAK_EMPTY,
    state::EvmState,
};
use std::sync::Arc;

/// A slot that a transaction loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TouchedSlot {
    /// Owner.
    pub address: Address,
    /// Number.
    pub slot: U256,
    /// Whether the transaction left another value than it found.
    pub changed: bool,
}

/// A transaction that ran.
#[derive(Clone, Debug)]
pub struct RanTransaction {
    /// Sender.
    pub sender: Address,
    /// Recipient; `None` for a creation.
    pub to: Option<Address>,
    /// Hash of the code of the recipient before the block.
    pub code_hash: B256,
    /// Call data or init code.
    pub input: Bytes,
    /// Value in wei.
    pub value: U256,
    /// Gas limit.
    pub gas_limit: u64,
    /// Whether it is of EIP-7702.
    pub sets_code: bool,
    /// Every slot that revm's journal held when it ended.
    pub touched: Vec<TouchedSlot>,
    /// What the recorder noted, call by call.
    pub observed: ObservedAccesses,
    /// The hashes it computed.
    pub preimages: KeccakPreimages,
}

/// A block that ran.
#[derive(Clone, Debug)]
pub struct RanBlock {
    /// What it is called in tables.
    pub name: String,
    /// State before it.
    pub parent: Arc<Snapshot>,
    /// What its transactions know of it.
    pub context: BlockContext,
    /// Its transactions.
    pub transactions: Vec<RanTransaction>,
    /// For each slot that was changed, the first transaction that did, and whether another did too.
    writers: HashMap<(Address, U256), (usize, bool)>,
}

impl RanBlock {
    /// A transaction as a predictor sees it.
    pub fn shape<'a>(&self, ran: &'a RanTransaction) -> TransactionShape<'a> {
        TransactionShape {
            sender: ran.sender,
            to: ran.to,
            code_hash: ran.code_hash,
            input: &ran.input,
            value: ran.value,
            gas_limit: ran.gas_limit,
            block: self.context,
        }
    }

    /// Whether a transaction other than `position` changes the slot.
    pub fn is_shared(&self, position: usize, address: Address, slot: U256) -> bool {
        self.writers.get(&(address, slot)).is_some_and(|(first, many)| *many || *first != position)
    }

    fn note_writers(&mut self) {
        for (position, ran) in self.transactions.iter().enumerate() {
            for touched in ran.touched.iter().filter(|touched| touched.changed) {
                self.writers
                    .entry((touched.address, touched.slot))
                    .and_modify(|writers| writers.1 = true)
                    .or_insert((position, false));
            }
        }
    }
}

impl StateView for Snapshot {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        self.storage_ref(address, slot).ok()
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        self.basic_ref(address).ok()?.map(|info| info.code_hash)
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let hash = self.basic_ref(address).ok()??.code_hash;
        (hash != KECCAK_EMPTY).then(|| self.code_by_hash_ref(hash).ok().map(|code| code.original_bytes()))?
    }
}

/// Executes a block on its parent state.
pub fn run_block(case: &Case) -> Result<RanBlock, SideError> {
    run(&case.name, &case.snapshot, &case.block, &case.chain, |_| ())
}

/// Executes the blocks of a chain, each on the state that the one before left behind.
pub fn run_chain(chain: &DefiChain) -> Result<Vec<RanBlock>, SideError> {
    let mut state = Arc::new(Snapshot::from_change(&chain.genesis.state));
    let rules = Chain::prague();
    let mut blocks = Vec::with_capacity(chain.blocks.len());
    for block in &chain.blocks {
        let recovered = recover(block, chain)?;
        let mut after = Snapshot::clone(&state);
        blocks.push(run(&block.header.number.to_string(), &state, &recovered, &rules, |change| after.apply(change))?);
        state = Arc::new(after);
    }
    Ok(blocks)
}

fn recover(block: &Block, chain: &DefiChain) -> Result<RecoveredBlock, SideError> {
    RecoveredBlock::recover(block.clone(), &chain.spec)
        .map_err(|source| SideError::Transaction { index: 0, source: source.into() })
}

fn run(
    name: &str,
    parent: &Arc<Snapshot>,
    block: &RecoveredBlock,
    chain: &Chain,
    mut changes: impl FnMut(&EvmState),
) -> Result<RanBlock, SideError> {
    let header = block.header();
    let environment = chain.evm_env(header);
    let mut evm: EthEvm<_, AccessRecorder, EthPrecompiles> = EthEvm::new(
        Context::mainnet()
            .with_block(environment.block_env)
            .with_cfg(environment.cfg_env)
            .with_db(CacheDB::new(Arc::clone(parent)))
            .build_mainnet_with_inspector(AccessRecorder::default()),
        true,
    );
    SystemCaller::new(chain).apply_pre_execution_changes(header, &mut evm)?;
    let context = BlockContext {
        number: header.number,
        timestamp: header.timestamp,
        beneficiary: header.beneficiary,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
    };
    let mut transactions = Vec::with_capacity(block.transactions().len());
    for (index, (transaction, sender)) in block.transactions().iter().zip(block.senders()).enumerate() {
        evm.inspector_mut().clear();
        let ResultAndState { result, state } = evm
            .transact_raw(TxEnv::from_recovered_tx(transaction, *sender))
            .map_err(|source| SideError::Transaction { index, source: source.into() })?;
        changes(&state);
        let recorder = evm.inspector_mut();
        let mut observed = recorder.observed.clone();
        observed.gas_used = result.gas().tx_gas_used();
        observed.success = result.is_success();
        let to = transaction.to();
        let code_hash = to.and_then(|to| parent.code_hash(to)).unwrap_or(KECCAK_EMPTY);
        transactions.push(RanTransaction {
            sender: *sender,
            to,
            code_hash,
            input: transaction.input().clone(),
            value: transaction.value(),
            gas_limit: transaction.gas_limit(),
            sets_code: transaction.is_eip7702(),
            touched: touched(&state),
            observed,
            preimages: recorder.preimages.clone(),
        });
        evm.db_mut().commit(state);
    }
    let mut ran = RanBlock {
        name: name.to_owned(),
        parent: Arc::clone(parent),
        context,
        transactions,
        writers: HashMap::default(),
    };
    ran.note_writers();
    Ok(ran)
}

fn touched(state: &EvmState) -> Vec<TouchedSlot> {
    let mut slots: Vec<TouchedSlot> = state
        .iter()
        .flat_map(|(address, account)| {
            let is_destroyed = account.is_selfdestructed();
            account.storage.iter().map(move |(slot, value)| TouchedSlot {
                address: *address,
                slot: *slot,
                changed: value.is_changed() || is_destroyed,
            })
        })
        .collect();
    slots.sort_unstable_by_key(|touched| (touched.address, touched.slot));
    slots
}
