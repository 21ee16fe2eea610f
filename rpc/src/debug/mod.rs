//! `debug_`: tracers in the format of geth, raw encodings, witnesses.

use crate::MethodSet;

/// Registers the methods.
pub(crate) const fn register(_methods: &mut MethodSet) {}
