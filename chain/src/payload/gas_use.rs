//! How much of their gas limits transactions use: what blocks are filled by.
//!
//! Limits are generous, so a block that is filled by them stays half empty. What a call to a function of a contract used lately says more about the next
//! one. These are guesses: whether a transaction fits is decided when it is its turn, by what those before it really used.

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, Selector, map::HashMap};
use braid_runtime::{Receipt, Transaction};

/// Functions that are remembered.
const CAPACITY: usize = 8192;
/// By so much an estimate sinks with each call that used less, in 256ths of the difference: it stays near the most that was used lately.
const SINK: u64 = 16;
/// The mean of what calls used is that of so many, about.
const REMEMBERED: u64 = 64;
/// More candidates than so many times the gas limit are never of use.
const MOST_SCALE: u64 = 16;

/// Gas of a plain transfer: no transaction uses less, so where that is the limit there is nothing to learn.
const LEAST_GAS: u64 = 21_000;

/// What is called: an account and a function, if there is one.
type Called = (Option<Address>, Option<Selector>);

fn called(transaction: &Transaction) -> Called {
    (transaction.to(), transaction.function_selector().copied())
}

/// What calls of a function used, in gas.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// About the most of late.
    most: u64,
    mean: u64,
    /// Calls that the mean is of.
    calls: u64,
}

impl Used {
    fn first(used: u64) -> Self {
        Self { most: used, mean: used, calls: 0 }
    }

    fn add(&mut self, used: u64) {
        self.most = used.max(self.most - self.most.saturating_sub(used) * SINK / 256);
        self.calls = (self.calls + 1).min(REMEMBERED);
        self.mean = (u128::from(self.mean) * u128::from(self.calls - 1) + u128::from(used))
            .div_euclid(self.calls.into())
            .try_into()
            .unwrap_or(u64::MAX);
    }
}

/// Gas that calls used lately.
#[derive(Debug, Default)]
pub(crate) struct GasUse {
    used: HashMap<Called, Used>,
    /// Limits and use of the transactions in the last block that had any, in gas.
    last: Option<(u64, u64)>,
}

impl GasUse {
    /// Gas that a transaction will use, as far as can be told; its limit if nothing is known.
    pub(crate) fn estimate(&self, transaction: &Transaction) -> u64 {
        let limit = transaction.gas_limit();
        if limit <= LEAST_GAS {
            return limit;
        }
        self.used.get(&called(transaction)).map_or(limit, |used| limit.min(used.most))
    }

    /// Gas that such transactions use on average, if any is known.
    pub(crate) fn mean(&self, transaction: &Transaction) -> Option<u64> {
        let limit = transaction.gas_limit();
        if limit <= LEAST_GAS {
            return Some(limit);
        }
        self.used.get(&called(transaction)).map(|used| limit.min(used.mean))
    }

    /// How many times the gas limit of a block is worth looking at, in limits of transactions.
    pub(crate) fn scale(&self) -> u64 {
        // A little more than what was needed last time: estimates differ.
        self.last.map_or(1, |(limits, used)| (limits + limits / 4).div_ceil(used.max(1))).clamp(1, MOST_SCALE)
    }

    /// Learns from a block.
    pub(crate) fn learn(&mut self, transactions: &[Transaction], receipts: &[Receipt]) {
        let (mut before, mut limits) = (0, 0_u64);
        for (transaction, receipt) in transactions.iter().zip(receipts) {
            let used = receipt.cumulative_gas_used - before;
            before = receipt.cumulative_gas_used;
            limits = limits.saturating_add(transaction.gas_limit());
            if transaction.gas_limit() <= LEAST_GAS {
                continue;
            }
            if self.used.len() >= CAPACITY {
                self.used.clear();
            }
            self.used.entry(called(transaction)).or_insert_with(|| Used::first(used)).add(used);
        }
        if before > 0 {
            self.last = Some((limits, before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction, TxEip1559};
    use alloy_primitives::{Bytes, Signature, TxKind};

    fn call(to: u8, gas_limit: u64) -> Transaction {
        let to = TxKind::Call(Address::repeat_byte(to));
        let input = Bytes::from_static(&[1, 2, 3, 4]);
        TxEip1559 { gas_limit, to, input, ..TxEip1559::default() }.into_signed(Signature::test_signature()).into()
    }

    fn receipts(used: &[u64]) -> Vec<Receipt> {
        let mut sum = 0;
        used.iter()
            .map(|used| {
                sum += used;
                Receipt { cumulative_gas_used: sum, ..Receipt::default() }
            })
            .collect()
    }

    #[test]
    fn estimates_follow_what_was_used() {
        let mut gas = GasUse::default();
        assert_eq!((gas.estimate(&call(1, 100_000)), gas.scale()), (100_000, 1));
        gas.learn(&[call(1, 100_000), call(2, 100_000)], &receipts(&[40_000, 90_000]));
        assert_eq!(gas.estimate(&call(1, 100_000)), 40_000);
        assert_eq!(gas.estimate(&call(1, 30_000)), 30_000, "never above the limit");
        assert_eq!(gas.estimate(&call(2, 100_000)), 90_000);
        assert_eq!(gas.estimate(&call(3, 100_000)), 100_000);
        assert_eq!(gas.scale(), 2);
        // The most that was used lately counts, and is forgotten slowly.
        gas.learn(&[call(1, 100_000)], &receipts(&[24_000]));
        assert_eq!(gas.estimate(&call(1, 100_000)), 39_000);
        assert_eq!(gas.mean(&call(1, 100_000)), Some(32_000));
        assert_eq!((gas.mean(&call(1, 30_000)), gas.mean(&call(3, 100_000))), (Some(30_000), None));
        gas.learn(&[call(1, 100_000)], &receipts(&[50_000]));
        assert_eq!(gas.estimate(&call(1, 100_000)), 50_000);
    }
}
