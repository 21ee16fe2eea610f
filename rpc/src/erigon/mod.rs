//! `erigon_`: headers as Erigon gives them.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
