//! Traces of what is not in a block.

use crate::MethodSet;

pub(super) const fn register(_methods: &mut MethodSet) {}
