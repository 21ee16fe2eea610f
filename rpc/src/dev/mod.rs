//! `anvil_`, `hardhat_`, `evm_`: what development tools do to a chain.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
