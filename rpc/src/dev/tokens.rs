//! `anvil_dealERC20` and its like.

use crate::MethodSet;

pub(super) const fn register(_methods: &mut MethodSet) {}
