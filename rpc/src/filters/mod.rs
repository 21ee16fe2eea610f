//! Filters and subscriptions: what is new since the last look, or as it happens.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
