//! The state after the head, made once for all who ask for it: with many blocks in memory a snapshot is a walk over all of them.

use alloy_primitives::B256;
use braid_storage::{Head, Snapshot};
use parking_lot::RwLock;
use std::sync::Arc;

/// The snapshot that was last made for a head.
#[derive(Debug, Default)]
pub(super) struct LatestState(RwLock<Option<(Head, Arc<Snapshot>)>>);

impl LatestState {
    /// The snapshot after a block, if it was made on the same base and can still be read. The base is another one after the state was amended, since it has its root.
    pub(super) fn get(&self, block: &B256, base: Head) -> Option<Arc<Snapshot>> {
        let latest = self.0.read();
        let (made_on, snapshot) = latest.as_ref()?;
        (*made_on == base && snapshot.block().hash == *block && snapshot.is_current()).then(|| Arc::clone(snapshot))
    }

    /// Keeps a snapshot for others.
    pub(super) fn keep(&self, base: Head, snapshot: &Arc<Snapshot>) {
        *self.0.write() = Some((base, Arc::clone(snapshot)));
    }
}
