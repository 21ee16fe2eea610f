//! Fees: what the next block demands, what to offer, and what was paid.

mod history;
mod oracle;

pub(crate) use history::FeeHistoryCache;
pub(crate) use oracle::{GasPriceOracle, Suggestion};

use super::json::Quantity;
use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_consensus::Header;
use alloy_eips::BlockNumberOrTag;

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "eth_gasPrice() -> Quantity",
        "A price per gas with which a transaction gets into a block soon, in wei.",
        |backend, ()| Ok(Quantity(backend.suggested_fees()?.gas_price())),
    );
    methods.quick(
        "eth_maxPriorityFeePerGas() -> Quantity",
        "A tip per gas with which a transaction gets into a block soon, in wei.",
        |backend, ()| Ok(Quantity(backend.suggested_fees()?.tip)),
    );
    methods.quick("eth_baseFee() -> Quantity?", "Base fee per gas of the next block, in wei.", |backend, ()| {
        Ok(backend.pending_header()?.base_fee_per_gas.map(Quantity::from))
    });
    methods.quick(
        "eth_blobBaseFee() -> Quantity?",
        "Base fee per blob gas of the next block, in wei.",
        |backend, ()| Ok(backend.blob_gas_price(&backend.pending_header()?).map(Quantity)),
    );
    methods.slow(
        "eth_feeHistory(count: Quantity, newest: BlockTag, percentiles?: Number[]) -> FeeHistory",
        "Base fees, use of gas and tips of a range of blocks.",
        |backend, (count, newest, percentiles): (Number, BlockNumberOrTag, Option<Vec<f64>>)| {
            backend.fee_history(count.saturating_u64(), newest, percentiles.as_deref())
        },
    );
}

impl Backend {
    /// Base fee per blob gas in the block of a header, in wei; `None` before Cancun.
    pub(crate) fn blob_gas_price(&self, header: &Header) -> Option<u128> {
        let params = self.chain().spec().blob_params(header.timestamp)?;
        Some(params.calc_blob_fee(header.excess_blob_gas?))
    }

    /// What to offer for the next block.
    pub(crate) fn suggested_fees(&self) -> Result<Suggestion, RpcError> {
        self.gas_prices().suggest(self)
    }
}
