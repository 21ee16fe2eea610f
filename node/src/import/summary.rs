//! What came of an import.

use super::progress::Counts;
use crate::signals::Signal;
use braid_chain::Timings;
use braid_storage::Head;
use serde_json::{Value, json};
use std::time::Duration;

/// What came of an import.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) counts: Counts,
    /// Blocks of the files that were there already.
    pub(super) skipped: u64,
    /// From the first block to the last one on disk.
    pub(super) elapsed: Duration,
    /// Parts of the time. Recovering senders goes on beside the others.
    pub(super) timings: Timings,
    /// The last block, on disk.
    pub(super) head: Head,
    pub(super) stopped: Option<Signal>,
}

impl Summary {
    fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64().max(1e-9)
    }

    fn parts(&self) -> [(&'static str, Duration); 5] {
        let Timings { recover, validate, execute, root, commit } = self.timings;
        [("recover", recover), ("validate", validate), ("execute", execute), ("root", root), ("commit", commit)]
    }

    pub(super) fn json(&self) -> Value {
        let seconds = self.seconds();
        let parts: serde_json::Map<String, Value> =
            self.parts().into_iter().map(|(name, time)| (name.to_owned(), json!(time.as_secs_f64()))).collect();
        json!({
            "blocks": self.counts.blocks,
            "skipped": self.skipped,
            "transactions": self.counts.transactions,
            "gas": self.counts.gas,
            "seconds": seconds,
            "mgasPerSecond": self.counts.gas as f64 / seconds / 1e6,
            "blocksPerSecond": self.counts.blocks as f64 / seconds,
            "split": parts,
            "head": crate::db::head_json(&self.head),
            "stoppedBy": self.stopped.map(Signal::name),
        })
    }

    pub(super) fn text(&self) -> String {
        let seconds = self.seconds();
        let Counts { blocks, transactions, gas, .. } = self.counts;
        let parts: Vec<String> =
            self.parts().iter().map(|(name, time)| format!("{name} {:.2} s", time.as_secs_f64())).collect();
        format!(
            "imported   {blocks} blocks, {transactions} transactions, {gas} gas in {seconds:.2} s: {:.1} Mgas/s, {:.1} blocks/s\n\
             split      {}\nhead       block {} ({})\nstate root {}",
            gas as f64 / seconds / 1e6,
            blocks as f64 / seconds,
            parts.join(", "),
            self.head.number,
            self.head.hash,
            self.head.state_root,
        )
    }
}
