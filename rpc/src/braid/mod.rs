//! `braid_`: why a block was, or was not, executed faster.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
