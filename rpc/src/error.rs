//! What goes back to a client when a call fails.
//!
//! Codes and texts are those of geth, because client libraries look at both: -32602 for parameters, 3 with the returned data for a revert,
//! -32000 for what the node refuses, -38xxx for `eth_simulateV1` and the Engine API.

use alloy_primitives::{Bytes, hex};
use braid_chain::ChainError;
use braid_storage::StorageError;
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::value::RawValue;
use std::fmt::Display;

/// A JSON-RPC error: code, message and perhaps data.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} (code {code})")]
pub struct RpcError {
    /// Code, as JSON-RPC 2.0 and the Ethereum specifications give them.
    pub code: i32,
    /// Text for people, and for the libraries that match it.
    pub message: String,
    /// Whatever belongs to the error: the returned bytes of a revert as a hex string, for example.
    pub data: Option<Box<RawValue>>,
}

/// Parameters that cannot be understood.
pub(crate) const INVALID_PARAMS: i32 = -32602;
/// The method does not exist, or is not offered here.
pub(crate) const METHOD_NOT_FOUND: i32 = -32601;
/// The node failed.
pub(crate) const INTERNAL: i32 = -32603;
/// The node refuses or cannot do it (the code that geth gives to most errors).
pub(crate) const SERVER: i32 = -32000;
/// What was asked for is not there any more (EIP-1474).
pub(crate) const RESOURCE_NOT_FOUND: i32 = -32001;
/// A limit was met (EIP-1474).
pub(crate) const LIMIT_EXCEEDED: i32 = -32005;
/// A call was reverted.
pub(crate) const REVERTED: i32 = 3;
/// History that was pruned (EIP-4444).
pub(crate) const PRUNED: i32 = 4444;

impl RpcError {
    pub(crate) fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Parameters that cannot be understood.
    pub(crate) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// The node refuses or cannot do it.
    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self::new(SERVER, message)
    }

    /// The node failed; that is a defect or a broken disk.
    pub(crate) fn internal(error: impl Display) -> Self {
        Self::new(INTERNAL, error.to_string())
    }

    /// A call was reverted with these bytes; a reason is decoded if there is one.
    pub(crate) fn reverted(output: &Bytes) -> Self {
        let message = match revert_reason(output) {
            Some(reason) => format!("execution reverted: {reason}"),
            None => "execution reverted".to_owned(),
        };
        Self::new(REVERTED, message).with_data(&hex::encode_prefixed(output))
    }

    /// The same with data.
    pub(crate) fn with_data(mut self, data: &impl serde::Serialize) -> Self {
        self.data = serde_json::value::to_raw_value(data).ok();
        self
    }
}

/// The text in `Error(string)`, or the name of a `Panic(uint256)`.
fn revert_reason(output: &[u8]) -> Option<String> {
    use alloy_sol_types::{Panic, Revert, SolError};
    if let Ok(revert) = Revert::abi_decode(output) {
        return Some(revert.reason);
    }
    let panic = Panic::abi_decode(output).ok()?;
    Some(match u64::try_from(panic.code).ok()? {
        0x00 => "generic panic".to_owned(),
        0x01 => "assert(false)".to_owned(),
        0x11 => "arithmetic underflow or overflow".to_owned(),
        0x12 => "division or modulo by zero".to_owned(),
        0x21 => "enum overflow".to_owned(),
        0x22 => "invalid encoded storage byte array accessed".to_owned(),
        0x31 => "out-of-bounds array access; popping on an empty array".to_owned(),
        0x32 => "out-of-bounds access of an array or bytesN".to_owned(),
        0x41 => "out of memory".to_owned(),
        0x51 => "uninitialized function".to_owned(),
        code => format!("unknown panic code: {code:#x}"),
    })
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        Self::owned(error.code, error.message, error.data)
    }
}

impl From<StorageError> for RpcError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::HistoryPruned { .. } => Self::new(PRUNED, error.to_string()),
            _ => Self::internal(error),
        }
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Storage(storage) if matches!(*storage, StorageError::HistoryPruned { .. }) => {
                Self::new(PRUNED, storage.to_string())
            }
            ChainError::UnknownBlock(_) => Self::server("header not found"),
            error => Self::internal(error),
        }
    }
}
