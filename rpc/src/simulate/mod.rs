//! `eth_call`, `eth_estimateGas`, `eth_createAccessList`, `eth_simulateV1`, …: transactions that are executed and not kept.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
