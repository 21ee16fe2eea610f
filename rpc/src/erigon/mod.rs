//! `erigon_`: headers as Erigon gives them.

use crate::MethodSet;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.alias("erigon_getHeaderByNumber", "eth_getHeaderByNumber");
    methods.alias("erigon_getHeaderByHash", "eth_getHeaderByHash");
}
