//! What is known of a transaction before it runs, and the state a prediction may look at.

use alloy_primitives::{Address, B256, Bytes, U256};

/// Block fields on which slots may depend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockContext {
    /// Block number.
    pub number: u64,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// Recipient of the fees.
    pub beneficiary: Address,
    /// Base fee in wei per gas.
    pub base_fee: u64,
}

/// A transaction as the predictor sees it.
#[derive(Clone, Copy, Debug)]
pub struct TransactionShape<'a> {
    /// Sender.
    pub sender: Address,
    /// Recipient; `None` for a creation.
    pub to: Option<Address>,
    /// Hash of the code at `to` itself (a proxy's, a delegation designator's), `KECCAK_EMPTY` without code.
    pub code_hash: B256,
    /// Call data, or init code.
    pub input: &'a [u8],
    /// Value in wei.
    pub value: U256,
    /// Gas limit.
    pub gas_limit: u64,
    /// The block it will run in.
    pub block: BlockContext,
}

/// State that a prediction may look at: the parent's, or any later one. Every answer may be "not known", which costs
/// precision only; a stale answer too.
pub trait StateView {
    /// Value of a storage slot.
    fn storage(&self, address: Address, slot: U256) -> Option<U256>;

    /// Hash of the code of an account. Without an answer the predictor uses what it learned about the account.
    fn code_hash(&self, address: Address) -> Option<B256> {
        let _ = address;
        None
    }

    /// Code of an account. Asked for where an account was never seen, or has immutables that matter.
    fn code(&self, address: Address) -> Option<Bytes> {
        let _ = address;
        None
    }
}

/// No state at hand.
impl StateView for () {
    fn storage(&self, _: Address, _: U256) -> Option<U256> {
        None
    }
}
