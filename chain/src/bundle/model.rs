//! The bundle as plain data.

use super::{BundleError, ChainReference};
use crate::senders::{SenderError, recover_senders};
use alloy_consensus::Header;
use alloy_eip7928::BlockAccessList;
use alloy_primitives::{Address, B256, Bytes, U256};
use braid_runtime::{Block, Receipt, RecoveredBlock};
use std::collections::BTreeMap;

/// One block with everything that executing it needs, and what is known of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The chain the block belongs to.
    pub chain: ChainReference,
    /// The block. Its header is the expected result: gas used, roots, bloom.
    pub block: Block,
    /// The headers of the block's ommers are not known: the body has none, although the header names some. Their rewards
    /// cannot be paid then, so the balances of the miners after the block are not those of the chain; nothing else is
    /// affected.
    pub ommers_missing: bool,
    /// Senders in the order of the transactions, when whoever made the bundle recovered them.
    pub senders: Option<Vec<Address>>,
    /// The state before the block.
    pub pre_state: PreState,
    /// Hashes of earlier blocks, by number, for `BLOCKHASH`. The parent's is in the header, and those of the ancestors in a
    /// witness are known anyway; they need not be repeated here.
    pub block_hashes: BTreeMap<u64, B256>,
    /// The receipts, when known. The header's root proves them from Byzantium on.
    pub receipts: Option<Vec<Receipt>>,
    /// The EIP-7928 access list that came with the block, when there is one.
    pub access_list: Option<BlockAccessList>,
}

/// The state before the block.
#[derive(Clone, Debug, PartialEq)]
pub enum PreState {
    /// Accounts as plain values, without proof.
    Plain(PlainState),
    /// Trie nodes that prove what they say.
    Witness(Witness),
}

/// Accounts as plain values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainState {
    /// Accounts by address. An account that is not here is empty, a slot that is not here is zero.
    pub accounts: BTreeMap<Address, PlainAccount>,
    /// Code that the accounts refer to by its hash, each once.
    pub codes: Vec<Bytes>,
    /// Whether these are all accounts and slots of the whole state: then the state root can be checked.
    pub complete: bool,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainAccount {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Keccak-256 of the code, `KECCAK_EMPTY` without code.
    pub code_hash: B256,
    /// Storage values by slot.
    pub storage: BTreeMap<U256, U256>,
}

/// A partial state trie with its root, in the shape of `debug_executionWitness`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witness {
    /// State root before the block.
    pub state_root: B256,
    /// RLP of trie nodes, of the account trie and of storage tries, in any order.
    pub state: Vec<Bytes>,
    /// Code.
    pub codes: Vec<Bytes>,
    /// Preimages of hashed keys: addresses (20 bytes), each followed by slots (32 bytes) of it. They only make reading
    /// quicker: whatever they leave out is found by its hash.
    pub keys: Vec<Bytes>,
    /// Headers of ancestors, any number of generations without a gap. If there is one, the parent is among them and its state
    /// root is `state_root`.
    pub headers: Vec<Header>,
}

impl Bundle {
    /// Number of the block.
    pub const fn number(&self) -> u64 {
        self.block.header.number
    }

    /// The block with its senders: those of the bundle, or else recovered from the signatures.
    pub fn recovered_block(&self) -> Result<RecoveredBlock, SenderError> {
        let senders = match &self.senders {
            Some(senders) if senders.len() == self.block.body.transactions.len() => senders.clone(),
            _ => recover_senders(&self.block, &self.chain)?,
        };
        Ok(RecoveredBlock::new_unchecked(self.block.clone(), senders))
    }

    /// Checks what must hold inside a bundle, whoever made it: see [`BundleError::Inconsistent`].
    pub fn check(&self) -> Result<(), BundleError> {
        super::check::check(self).map_err(BundleError::from)
    }

    /// The state before the block, ready to be read. A witness is proved on the way: its root, its ancestors, its codes.
    pub fn snapshot(&self) -> Result<super::Snapshot, BundleError> {
        super::Snapshot::new(self)
    }
}
