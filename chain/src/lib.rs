//! Blocks from outside, and what is checked about them.
//!
//! * [`bundle`]: one block with all that is needed to execute it again, and the file format for it.
//! * [`files`]: chains in files, to import and to export.
//! * [`genesis`]: the first block of a chain, from a genesis file.
//! * [`layouts`]: bundles out of the folders, JSON files and archives in which others keep blocks.
//! * [`senders`]: who signed the transactions of a block.
//! * [`validation`]: does the outcome of executing a block agree with its header?

pub mod bundle;
pub mod files;
pub mod genesis;
pub mod layouts;
#[cfg(test)]
mod samples;
pub mod senders;
pub mod validation;

pub use bundle::{
    Bundle, BundleError, ChainReference, PlainAccount, PlainState, PreState, Snapshot, SnapshotError, Witness,
};
pub use files::{BlockFile, FileError, PlacedBlock};
pub use genesis::{GenesisError, GenesisFile};
pub use layouts::{LayoutError, NamedBundle, open};
pub use validation::{Mismatch, Validation, validate};
