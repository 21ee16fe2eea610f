//! `engine_`: the Engine API, by which a consensus client drives the node.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
