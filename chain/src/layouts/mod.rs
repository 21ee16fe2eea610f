//! Bundles out of the forms in which others keep blocks.
//!
//! [`open`] looks at a path, decides what it is, and gives the bundles in it one by one. One layout, one file:
//!
//! | what | module |
//! |---|---|
//! | a folder per block with `block.json` and `pre_state.json`, `codes.json` and `block_hashes.json` above | [`block_folder`] |
//! | `{"block": RLP, "witness": {state, codes, keys, headers}}` | [`execution_witness`] |
//! | `{"blocks": […], "witness": {state, codes, ancestors}, "chainConfig": …}` | [`prover_input`] |
//! | any of these in a `.tar.zst` | [`archive`] |
//! | `.braid` | [`crate::bundle`] |
//!
//! Every bundle that comes out has been checked: its body and its senders belong to its header, and where the source
//! states the block's hash, the header has it.

mod archive;
mod block_folder;
mod error;
mod execution_witness;
mod json;
mod prover_input;
mod rpc_block;
mod source;

pub use error::{LayoutError, LayoutErrorKind};
pub use source::{NamedBundle, NamedBundles, open};
