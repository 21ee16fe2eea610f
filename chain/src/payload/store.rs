//! What was built and not fetched yet.

use super::{BuiltPayload, PayloadId};
use std::{collections::VecDeque, sync::Arc};

/// Built blocks that are kept.
const CAPACITY: usize = 16;

/// The last built blocks.
#[derive(Debug, Default)]
pub(crate) struct PayloadStore {
    payloads: VecDeque<(PayloadId, Arc<BuiltPayload>)>,
}

impl PayloadStore {
    pub(crate) fn get(&self, id: PayloadId) -> Option<Arc<BuiltPayload>> {
        self.payloads.iter().rev().find(|(known, _)| *known == id).map(|(_, payload)| Arc::clone(payload))
    }

    pub(crate) fn insert(&mut self, id: PayloadId, payload: Arc<BuiltPayload>) {
        self.payloads.retain(|(known, _)| *known != id);
        self.payloads.push_back((id, payload));
        if self.payloads.len() > CAPACITY {
            self.payloads.pop_front();
        }
    }
}
