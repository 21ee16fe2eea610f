//! Blocks, transactions, receipts and logs as geth writes them in JSON.
//!
//! Everything borrows from the block it shows and is written straight into the answer, so that a large block costs no second copy of itself.

mod block;
mod log;
mod quantity;
mod receipt;
mod transaction;

pub(crate) use block::{BlockJson, HeaderJson};
pub(crate) use log::{BlockContext, LogJson};
pub(crate) use quantity::Quantity;
pub(crate) use receipt::{Outcome, ReceiptJson};
pub(crate) use transaction::{Mined, TransactionJson};
