//! Blocks of our own: what they are to be, where their transactions come from, and how they are made.
//!
//! [`PayloadAttributes`] say what block is wanted, a [`TransactionSource`] what may go into it. `order` chooses among candidates that pay the same; `build` executes
//! them and fills in the header; `store` keeps what was built until it is fetched.

mod attributes;
mod build;
mod gas_use;
mod order;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use attributes::{HeaderOverrides, PayloadAttributes, PayloadId};
pub use build::BuiltPayload;
pub use order::{Arrangement, OrderOptions};
pub use source::{NoTransactions, TransactionSource};

pub(crate) use build::{Builder, Template};
pub(crate) use gas_use::GasUse;
pub(crate) use order::Waits;
pub(crate) use store::PayloadStore;
