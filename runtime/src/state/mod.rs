//! The state of one block while it executes, shared by all workers.
//!
//! Read it bottom up: [`snapshot`] is the parent state behind a trait object, [`arena`] gives entries stable addresses,
//! [`account`] and [`slot`] are the entries (parent value, committed value, versions by block access index), [`table`] finds the entry of a
//! key, [`batch`] those of many accounts at once, and [`claims`] is a supplied access list to read from. Keys are always full keys; hashes only
//! pick shards and buckets.

mod account;
mod arena;
mod batch;
mod buckets;
mod claims;
mod hash;
mod marks;
mod slot;
mod snapshot;
mod table;

pub(crate) use account::{AccountEntry, AccountRef, LoadedAccount, SeededAccount};
pub(crate) use batch::AccountBatch;
pub(crate) use claims::{Claims, Listed, Place, Totals};
pub(crate) use hash::KeyHasher;
pub(crate) use slot::{SlotEntry, SlotRef};
pub use snapshot::SnapshotError;
pub(crate) use snapshot::{Snapshot, SnapshotDatabase};
pub(crate) use table::{BlockState, SHARDS};
