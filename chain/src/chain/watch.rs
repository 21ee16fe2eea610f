//! Who wants to know when the head moves.

use super::{Chain, Reorganisation};
use parking_lot::RwLock;
use std::fmt;

type Watcher = Box<dyn Fn(&Reorganisation) + Send + Sync>;

/// Everybody who asked.
#[derive(Default)]
pub(super) struct Watchers(RwLock<Vec<Watcher>>);

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watchers").field(&self.0.read().len()).finish()
    }
}

impl Watchers {
    pub(super) fn tell(&self, reorganisation: &Reorganisation) {
        self.0.read().iter().for_each(|watcher| watcher(reorganisation));
    }
}

impl Chain {
    /// Calls `watcher` each time the head has moved, in the order in which it moves and before anything else can be done with the chain but to
    /// read it. It should not take long, and must not insert blocks or move the head.
    pub fn watch_head(&self, watcher: impl Fn(&Reorganisation) + Send + Sync + 'static) {
        self.watchers.0.write().push(Box::new(watcher));
    }
}
