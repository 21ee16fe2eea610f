//! A bundle: one self-contained block.
//!
//! [`model`] is the bundle as data and [`check`] what must hold inside it; [`codec`] turns it into bytes and back, and
//! [`file`] wraps those into the compressed, checksummed `.braid` file. [`snapshot`] is the state before the block, as
//! the engine reads it.
//!
//! Files may come from anybody: decoding never panics, gives a typed error for whatever is wrong, and allocates no
//! more than a fixed multiple of [`MAX_PAYLOAD_BYTES`].

mod chain_reference;
mod check;
mod codec;
mod error;
mod file;
mod model;
mod snapshot;

pub use chain_reference::ChainReference;
pub use error::{BundleError, Inconsistency, SnapshotError};
pub use file::{EXTENSION, FORMAT_VERSION, MAX_PAYLOAD_BYTES};
pub use model::{Bundle, PlainAccount, PlainState, PreState, Witness};
pub use snapshot::{Snapshot, SnapshotAccount};
