//! Receipts without blooms, for alloy-evm's block executor.

use crate::{Receipt, Transaction};
use alloy_consensus::TxType;
use alloy_evm::{
    Evm,
    eth::receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
};

/// Builds [`Receipt`]s. A bloom costs more than many a transaction and can be computed later, so receipts have none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipts;

impl ReceiptBuilder for Receipts {
    type Transaction = Transaction;
    type Receipt = Receipt;

    fn build_receipt<E: Evm>(&self, context: ReceiptBuilderCtx<'_, TxType, E>) -> Receipt {
        Receipt {
            tx_type: context.tx_type,
            success: context.result.is_success(),
            cumulative_gas_used: context.cumulative_gas_used,
            logs: context.result.into_logs(),
        }
    }
}
