//! The rules of consensus that need no execution.
//!
//! [`validate_header`] compares a header with that of its parent, for every fork; [`validate_body`] compares a body with its
//! header; [`validate_ommers`] looks at the ommers of proof of work among the last generations. `difficulty` computes what a
//! block of proof of work must have. [`Ethash`] verifies seals
//! of proof of work, for those who want that. [`validate_transaction`]
//! looks at a transaction by itself. What execution determines (gas used, receipts, roots) is compared elsewhere.

mod body;
mod difficulty;
mod error;
mod ethash;
mod header;
mod next_block;
mod ommers;
mod transaction;

pub use body::{MAX_BLOCK_SIZE, validate_body};
pub use difficulty::next_difficulty;
pub use error::{ConsensusError, OmmerError};
pub use ethash::{Ethash, SealError};
pub use header::validate_header;
pub(crate) use next_block::{gas_limits, parent_gas_limit};
pub use next_block::{next_base_fee, next_excess_blob_gas};
pub use ommers::{Generation, validate_ommers};
pub use transaction::{CheckedTransaction, InitialGas, TransactionError, TransactionRules, validate_transaction};
