//! `eth_feeHistory`.

use crate::{Backend, RpcError, eth::json::Quantity};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::B256;
use braid_chain::ChainBlock;
use quick_cache::sync::Cache;
use serde::Serialize;
use std::sync::Arc;

/// Most blocks in one answer, and most percentiles (geth's limits).
const MAX_BLOCKS: u64 = 1024;
const MAX_PERCENTILES: usize = 100;
/// Blocks whose tips are kept.
const CACHED_BLOCKS: usize = 2048;

/// What was paid in recent blocks, by their hashes.
#[derive(Debug)]
pub(crate) struct FeeHistoryCache(Cache<B256, Arc<[PaidTip]>>);

impl Default for FeeHistoryCache {
    fn default() -> Self {
        Self(Cache::new(CACHED_BLOCKS))
    }
}

/// Tip of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PaidTip {
    /// Wei per gas.
    tip: u128,
    /// Gas used up to this transaction in the order of the tips.
    gas_below: u64,
}

/// Answer of `eth_feeHistory`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeeHistory {
    oldest_block: Quantity,
    /// Of each transaction that would be at a percentile of the gas, its tip.
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<Vec<Vec<Quantity>>>,
    /// One more than there are blocks.
    base_fee_per_gas: Vec<Quantity>,
    gas_used_ratio: Vec<f64>,
    base_fee_per_blob_gas: Vec<Quantity>,
    blob_gas_used_ratio: Vec<f64>,
}

impl Backend {
    /// Base fees, use of gas and tips of `count` blocks up to `newest`.
    ///
    /// # Errors
    /// As geth: `request beyond head block`, `invalid reward percentile`.
    pub(crate) fn fee_history(
        &self,
        count: u64,
        newest: BlockNumberOrTag,
        percentiles: Option<&[f64]>,
    ) -> Result<FeeHistory, RpcError> {
        check_percentiles(percentiles.unwrap_or_default())?;
        let head = self.chain().head().number;
        let newest = match newest {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Pending => head + 1,
            tag => self.required_block(Some(BlockId::Number(tag)))?.number(),
        };
        // The block that is not made yet can be asked for by its tag alone, but nobody minds if it is by its number.
        if newest > head + 1 {
            return Err(RpcError::server(format!("request beyond head block: requested {newest}, head {head}")));
        }
        let count = count.min(MAX_BLOCKS).min(newest + 1);
        let first = newest + 1 - count;
        let mut history = FeeHistory {
            oldest_block: if count == 0 { Quantity(0) } else { first.into() },
            reward: percentiles.filter(|_| count > 0).map(|_| Vec::new()),
            base_fee_per_gas: Vec::new(),
            gas_used_ratio: Vec::new(),
            base_fee_per_blob_gas: Vec::new(),
            blob_gas_used_ratio: Vec::new(),
        };
        for number in first..first + count {
            self.add_block(&mut history, number, head, percentiles)?;
        }
        if count > 0 {
            self.add_next(&mut history, newest, head)?;
        }
        Ok(history)
    }

    /// A block with its fees.
    fn add_block(
        &self,
        history: &mut FeeHistory,
        number: u64,
        head: u64,
        percentiles: Option<&[f64]>,
    ) -> Result<(), RpcError> {
        let missing = || RpcError::server("header not found");
        let is_pending = number > head;
        let header = match self.chain().canonical_header(number)? {
            Some(header) => header,
            None if is_pending => self.pending_header()?,
            None => return Err(missing()),
        };
        history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(Quantity(self.blob_gas_price(&header).unwrap_or_default()));
        let max_blob_gas =
            self.chain().spec().blob_params(header.timestamp).map(|params| params.max_blob_gas_per_block());
        history.blob_gas_used_ratio.push(ratio(header.blob_gas_used.unwrap_or_default(), max_blob_gas.unwrap_or(1)));
        if let (Some(percentiles), Some(rewards)) = (percentiles, &mut history.reward) {
            let tips = if is_pending || header.gas_used == 0 {
                Arc::from([])
            } else {
                let block = self.chain().block_by_number(number)?.ok_or_else(missing)?;
                self.tips(&block)?
            };
            rewards.push(at_percentiles(&tips, header.gas_used, percentiles));
        }
        Ok(())
    }

    /// The fees of the block after the newest one.
    fn add_next(&self, history: &mut FeeHistory, newest: u64, head: u64) -> Result<(), RpcError> {
        let (base_fee, blob_price) = match self.chain().canonical_header(newest + 1)? {
            Some(next) => (next.base_fee_per_gas, self.blob_gas_price(&next)),
            None if newest == head => {
                let next = self.pending_header()?;
                (next.base_fee_per_gas, self.blob_gas_price(&next))
            }
            // After the block that is not made yet; as if that one stays empty.
            None => {
                let pending = self.pending_header()?;
                let base_fee = pending.next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum());
                (base_fee, self.blob_gas_price(&pending))
            }
        };
        history.base_fee_per_gas.push(base_fee.unwrap_or_default().into());
        history.base_fee_per_blob_gas.push(Quantity(blob_price.unwrap_or_default()));
        Ok(())
    }

    /// What the transactions of a block paid, in ascending order.
    fn tips(&self, block: &ChainBlock) -> Result<Arc<[PaidTip]>, RpcError> {
        if let Some(tips) = self.fee_histories().0.get(&block.hash()) {
            return Ok(tips);
        }
        let receipts = self.chain().block_receipts(block)?;
        let base_fee = block.header().base_fee_per_gas.unwrap_or_default();
        let mut below = 0;
        let paid = block.transactions().iter().zip(receipts.iter()).map(|(transaction, receipt)| {
            let gas = receipt.cumulative_gas_used.saturating_sub(below);
            below = receipt.cumulative_gas_used;
            (transaction.effective_tip_per_gas(base_fee).unwrap_or_default(), gas)
        });
        let tips = in_order(paid.collect());
        self.fee_histories().0.insert(block.hash(), Arc::clone(&tips));
        Ok(tips)
    }
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    let invalid = |text: String| Err(RpcError::server(format!("invalid reward percentile: {text}")));
    if percentiles.len() > MAX_PERCENTILES {
        return invalid(format!("over the query limit {MAX_PERCENTILES}"));
    }
    for (index, percentile) in percentiles.iter().enumerate() {
        if !(0.0..=100.0).contains(percentile) {
            return invalid(percentile.to_string());
        }
        if let Some(before) =
            index.checked_sub(1).map(|before| percentiles[before]).filter(|before| before >= percentile)
        {
            return invalid(format!("#{}:{before} >= #{index}:{percentile}", index - 1));
        }
    }
    Ok(())
}

fn ratio(used: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { used as f64 / limit as f64 }
}

/// Tips with the gas of their transactions, sorted.
fn in_order(mut paid: Vec<(u128, u64)>) -> Arc<[PaidTip]> {
    paid.sort_unstable();
    let mut gas_below = 0;
    let tips = paid.into_iter().map(|(tip, gas)| {
        gas_below += gas;
        PaidTip { tip, gas_below }
    });
    tips.collect()
}

/// The tips that were paid for the gas at some percentiles of all gas used.
fn at_percentiles(tips: &[PaidTip], gas_used: u64, percentiles: &[f64]) -> Vec<Quantity> {
    let at = |percentile: &f64| {
        let threshold = (gas_used as f64 * percentile / 100.0) as u64;
        let index = tips.partition_point(|paid| paid.gas_below < threshold);
        Quantity(tips.get(index).or(tips.last()).map_or(0, |paid| paid.tip))
    };
    percentiles.iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tips_are_weighed_by_gas() {
        let tips = in_order(vec![(30, 10), (10, 60), (20, 30)]);
        let at =
            |percentiles: &[f64]| at_percentiles(&tips, 100, percentiles).iter().map(|tip| tip.0).collect::<Vec<_>>();
        assert_eq!(at(&[0.0, 50.0, 60.0, 60.9, 61.0, 90.0, 91.0, 100.0]), [10, 10, 10, 10, 20, 20, 30, 30]);
        assert_eq!(at(&[]), [] as [u128; 0]);
    }

    #[test]
    fn an_empty_block_pays_nothing() {
        assert_eq!(at_percentiles(&[], 0, &[5.0, 95.0]), [Quantity(0), Quantity(0)]);
    }

    #[test]
    fn percentiles_rise_from_0_to_100() {
        assert!(check_percentiles(&[]).is_ok() && check_percentiles(&[0.0, 25.5, 100.0]).is_ok());
        for bad in [&[-1.0][..], &[100.1], &[f64::NAN], &[50.0, 50.0], &[50.0, 25.0], &[0.0; 101]] {
            let error = check_percentiles(bad).unwrap_err();
            assert!(error.message.starts_with("invalid reward percentile"), "{error}");
        }
    }

    #[test]
    fn no_limit_is_no_use() {
        assert_eq!(ratio(0, 0), 0.0);
        assert_eq!(ratio(25, 100), 0.25);
    }
}
