//! Where the transactions of a block come from.

use alloy_consensus::{Header, transaction::Recovered};
use braid_runtime::Transaction;
use std::fmt::Debug;

/// Transactions that may go into a block.
pub trait TransactionSource: Debug + Send + Sync {
    /// Transactions for a block on `parent` with this base fee in wei, the best first and those of each sender in the order of their
    /// nonces; at most `gas_limit` gas is of use. Some of them may turn out not to be executable: these are left out.
    fn best(&self, parent: &Header, base_fee: u64, gas_limit: u64) -> Vec<Recovered<Transaction>>;
}

/// Blocks stay empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTransactions;

impl TransactionSource for NoTransactions {
    fn best(&self, _parent: &Header, _base_fee: u64, _gas_limit: u64) -> Vec<Recovered<Transaction>> {
        Vec::new()
    }
}
