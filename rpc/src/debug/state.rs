//! What the state looks like inside a block, and what changed.

use super::block_by_hash;
use crate::{
    MethodSet,
    replay::{intermediate_roots, replayed},
};
use alloy_primitives::B256;
use serde_json::Value;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_intermediateRoots(hash: Hash, options?: Object) -> Hash[]",
        "State root after each transaction of a block.",
        |backend, (hash, _): (B256, Option<Value>)| {
            let block = block_by_hash(backend, hash)?;
            replayed(|| intermediate_roots(backend.chain(), &block))
        },
    );
}
