//! What to offer for a transaction.
//!
//! The tip comes from recent blocks that were nearly full: only there somebody could be left out. Of these the lower tips are looked at, since they sufficed.
//! Transactions whose tip is all they pay (`maxFeePerGas` = `maxPriorityFeePerGas`, and legacy ones) do not count: wallets make them out of
//! the very price that is suggested here, base fee included, and the suggestion would rise on its own. Without such blocks it is 1 gwei.
//!
//! The price is the tip above a base fee that two full blocks have raised, so that a transaction signed a moment ago still gets in.

use crate::{Backend, RpcError};
use alloy_consensus::{Header, Transaction as _};
use alloy_primitives::B256;
use braid_runtime::Transaction;
use parking_lot::Mutex;

const GWEI: u128 = 1_000_000_000;
/// Tip without competition, in wei.
const DEFAULT_TIP: u128 = GWEI;
/// The highest tip that is ever suggested, in wei (that of geth).
const HIGHEST_TIP: u128 = 500 * GWEI;
/// Blocks that are looked at.
const BLOCKS: usize = 20;
/// Tips that count of each block: the lowest.
const TIPS_OF_BLOCK: usize = 3;
/// Which of the tips is suggested, in percent.
const PERCENTILE: usize = 60;

/// What to offer for the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Suggestion {
    /// Base fee of the next block, in wei; `None` before London.
    pub(crate) base_fee: Option<u64>,
    /// Tip, in wei.
    pub(crate) tip: u128,
}

impl Suggestion {
    /// A price for transactions that state only one, in wei: the tip above the highest base fee of the next two blocks.
    pub(crate) fn gas_price(&self) -> u128 {
        let base_fee = u128::from(self.base_fee.unwrap_or_default());
        let risen = |fee: u128| fee + fee.div_ceil(8);
        risen(risen(base_fee)) + self.tip
    }

    /// The highest price that a transaction with a separate tip should allow, in wei: twice the base fee, as client libraries have it.
    pub(crate) fn max_fee(&self, tip: u128) -> u128 {
        2 * u128::from(self.base_fee.unwrap_or_default()) + tip
    }
}

/// Remembers what it suggested at a head.
#[derive(Debug, Default)]
pub(crate) struct GasPriceOracle {
    last: Mutex<Option<(B256, u128)>>,
}

impl GasPriceOracle {
    pub(super) fn suggest(&self, backend: &Backend) -> Result<Suggestion, RpcError> {
        let base_fee = backend.pending_header()?.base_fee_per_gas;
        let head = backend.chain().head().hash;
        if let Some((_, tip)) = self.last.lock().filter(|(hash, _)| *hash == head) {
            return Ok(Suggestion { base_fee, tip });
        }
        let tip = suggested_tip(backend)?;
        *self.last.lock() = Some((head, tip));
        Ok(Suggestion { base_fee, tip })
    }
}

fn suggested_tip(backend: &Backend) -> Result<u128, RpcError> {
    let chain = backend.chain();
    let head = chain.head().number;
    let mut tips = Vec::new();
    for number in (0..=head).rev().take(BLOCKS) {
        let Some(header) = chain.canonical_header(number)? else { break };
        if is_nearly_full(&header)
            && let Some(block) = chain.block_by_number(number)?
        {
            tips.extend(lowest_tips(block.header(), block.transactions()));
        }
    }
    Ok(percentile(tips))
}

/// Somebody may have been left out.
fn is_nearly_full(header: &Header) -> bool {
    header.gas_used >= header.gas_limit / 10 * 9
}

fn lowest_tips(header: &Header, transactions: &[Transaction]) -> Vec<u128> {
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    let has_own_tip = |transaction: &Transaction| {
        header.base_fee_per_gas.is_none()
            || transaction.max_priority_fee_per_gas().is_some_and(|tip| tip < transaction.max_fee_per_gas())
    };
    let tips = transactions.iter().filter(|transaction| has_own_tip(transaction));
    let mut tips: Vec<u128> = tips.filter_map(|transaction| transaction.effective_tip_per_gas(base_fee)).collect();
    tips.sort_unstable();
    tips.truncate(TIPS_OF_BLOCK);
    tips
}

fn percentile(mut tips: Vec<u128>) -> u128 {
    tips.sort_unstable();
    let index = tips.len().saturating_sub(1) * PERCENTILE / 100;
    tips.get(index).map_or(DEFAULT_TIP, |tip| (*tip).clamp(DEFAULT_TIP, HIGHEST_TIP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction, TxEip1559, TxLegacy};
    use alloy_primitives::Signature;

    fn header(gas_used: u64) -> Header {
        Header { base_fee_per_gas: Some(10), gas_limit: 1000, gas_used, ..Header::default() }
    }

    fn dynamic(max_fee_per_gas: u128, max_priority_fee_per_gas: u128) -> Transaction {
        let transaction = TxEip1559 { max_fee_per_gas, max_priority_fee_per_gas, ..TxEip1559::default() };
        transaction.into_signed(Signature::test_signature()).into()
    }

    #[test]
    fn a_tip_that_is_the_whole_price_does_not_count() {
        let legacy = TxLegacy { gas_price: 70, ..TxLegacy::default() }.into_signed(Signature::test_signature()).into();
        let transactions = [dynamic(50, 50), legacy, dynamic(50, 7), dynamic(12, 7), dynamic(100, 9), dynamic(90, 80)];
        assert_eq!(lowest_tips(&header(1000), &transactions), [2, 7, 9]);
    }

    #[test]
    fn before_london_every_price_counts() {
        let legacy = TxLegacy { gas_price: 70, ..TxLegacy::default() }.into_signed(Signature::test_signature()).into();
        assert_eq!(lowest_tips(&Header::default(), &[legacy]), [70]);
    }

    #[test]
    fn the_suggestion_stays_within_bounds() {
        assert_eq!(percentile(vec![]), GWEI);
        assert_eq!(percentile(vec![1, 2, 3]), GWEI);
        assert_eq!(percentile(vec![u128::MAX]), HIGHEST_TIP);
        assert_eq!(percentile((1..=11).rev().map(|tip| tip * GWEI).collect()), 7 * GWEI);
    }

    #[test]
    fn only_full_blocks_tell_of_competition() {
        assert!(is_nearly_full(&header(900)) && !is_nearly_full(&header(899)) && !is_nearly_full(&header(0)));
    }

    #[test]
    fn the_price_outlasts_two_full_blocks() {
        let suggestion = Suggestion { base_fee: Some(800), tip: 5 };
        // 800 · 9/8 · 9/8, rounded up.
        assert_eq!(suggestion.gas_price(), 1013 + 5);
        assert_eq!(suggestion.max_fee(3), 1603);
        assert_eq!(Suggestion { base_fee: None, tip: 5 }.gas_price(), 5);
        assert_eq!(Suggestion { base_fee: Some(u64::MAX), tip: HIGHEST_TIP }.gas_price() >> 64, 1, "no overflow");
    }
}
