//! Transactions that are sent.
//!
//! * `raw`: signed by the client.
//! * `fill`: what is missing in a request. `account`: signed by the node, for its own accounts and those that are impersonated.

mod account;
mod conditional;
mod fill;
mod mined;
mod raw;

use crate::{MethodSet, RpcError};
use braid_chain::pool::PoolError;

pub(super) fn register(methods: &mut MethodSet) {
    raw::register(methods);
    account::register(methods);
}

impl From<PoolError> for RpcError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::State(error) => error.into(),
            error => Self::server(error.to_string()),
        }
    }
}
