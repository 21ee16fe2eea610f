//! `debug_executionWitness`.

use crate::MethodSet;

pub(super) const fn register(_methods: &mut MethodSet) {}
