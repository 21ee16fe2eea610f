//! `web3_`: the client, and Keccak.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
