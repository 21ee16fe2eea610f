//! Why a call failed, in the words of geth: client libraries match them.

use crate::RpcError;
use alloy_primitives::Address;
use braid_storage::StorageError;
use revm::{
    context::TxEnv,
    context_interface::result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, OutOfGasError},
};

/// Why a call gave no result.
#[derive(Debug)]
pub(crate) enum CallFailure {
    /// The state was taken away by the writing of blocks: with a new view of it the call can run.
    Outdated(StorageError),
    /// It took longer than it may. With more time it can run.
    TimeIsOver(String),
    /// What the client is told.
    Rpc(RpcError),
}

impl From<RpcError> for CallFailure {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<StorageError> for CallFailure {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::SnapshotOutdated { .. } => Self::Outdated(error),
            error => Self::Rpc(error.into()),
        }
    }
}

impl From<CallFailure> for RpcError {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Outdated(error) => error.into(),
            CallFailure::TimeIsOver(message) => Self::server(message),
            CallFailure::Rpc(error) => error,
        }
    }
}

/// Why a transaction was not executed.
#[derive(Debug)]
pub(crate) enum NotExecuted {
    /// The transaction cannot be in a block.
    Invalid(InvalidTransaction),
    /// Something else.
    Failed(CallFailure),
}

impl From<EVMError<StorageError>> for NotExecuted {
    fn from(error: EVMError<StorageError>) -> Self {
        match error {
            EVMError::Transaction(invalid) => Self::Invalid(invalid),
            EVMError::Database(error) => Self::Failed(error.into()),
            EVMError::Custom(message) => Self::Failed(CallFailure::TimeIsOver(message)),
            error => Self::Failed(RpcError::internal(error).into()),
        }
    }
}

impl NotExecuted {
    /// As `eth_call` tells it.
    pub(crate) fn into_failure(self, transaction: &Attempt) -> CallFailure {
        match self {
            Self::Failed(failure) => failure,
            Self::Invalid(invalid) => {
                let message = transaction.describe(&invalid);
                RpcError::server(format!("err: {message} (supplied gas {})", transaction.gas_limit)).into()
            }
        }
    }
}

/// What an error says about the transaction that was tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    sender: Address,
    gas_limit: u64,
    cap: u128,
    tip: u128,
    blob_cap: u128,
    base_fee: u64,
    init_code: usize,
}

impl Attempt {
    /// A transaction in a block with this base fee, in wei.
    pub(crate) fn new(transaction: &TxEnv, base_fee: u64) -> Self {
        Self {
            sender: transaction.caller,
            gas_limit: transaction.gas_limit,
            cap: transaction.gas_price,
            tip: transaction.gas_priority_fee.unwrap_or_default(),
            blob_cap: transaction.max_fee_per_blob_gas,
            base_fee,
            init_code: transaction.data.len(),
        }
    }

    /// Why it is invalid.
    pub(crate) fn describe(&self, invalid: &InvalidTransaction) -> String {
        let Self { sender, cap, tip, base_fee, .. } = self;
        match invalid {
            InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
                format!("insufficient funds for gas * price + value: address {sender} have {balance} want {fee}")
            }
            InvalidTransaction::OverflowPaymentInTransaction => {
                format!(
                    "insufficient funds for gas * price + value: address {sender} required balance exceeds 256 bits"
                )
            }
            InvalidTransaction::GasPriceLessThanBasefee => format!(
                "max fee per gas less than block base fee: address {sender}, maxFeePerGas: {cap}, baseFee: {base_fee}"
            ),
            InvalidTransaction::PriorityFeeGreaterThanMaxFee => format!(
                "max priority fee per gas higher than max fee per gas: address {sender}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
            ),
            InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
                format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
            }
            InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
                format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
            }
            InvalidTransaction::NonceTooLow { tx, state } => {
                format!("nonce too low: address {sender}, tx: {tx} state: {state}")
            }
            InvalidTransaction::NonceTooHigh { tx, state } => {
                format!("nonce too high: address {sender}, tx: {tx} state: {state}")
            }
            InvalidTransaction::NonceOverflowInTransaction => {
                format!("nonce has max value: address {sender}, nonce: {}", u64::MAX)
            }
            InvalidTransaction::RejectCallerWithCode => format!("sender not an eoa: address {sender}"),
            InvalidTransaction::CreateInitCodeSizeLimit => {
                format!("max initcode size exceeded: code size {}", self.init_code)
            }
            InvalidTransaction::CallerGasLimitMoreThanBlock => "gas limit reached".to_owned(),
            InvalidTransaction::TxGasLimitGreaterThanCap { gas_limit, cap } => {
                format!("transaction gas limit too high (cap: {cap}, tx: {gas_limit})")
            }
            InvalidTransaction::BlobGasPriceGreaterThanMax { block_blob_gas_price, .. } => format!(
                "max fee per blob gas less than block blob gas fee: address {sender} blobGasFeeCap: {}, blobBaseFee: {block_blob_gas_price}",
                self.blob_cap
            ),
            InvalidTransaction::EmptyBlobs => "blob transaction missing blob hashes".to_owned(),
            InvalidTransaction::TooManyBlobs { have, max } => {
                format!("too many blobs in transaction (have {have}, permitted {max})")
            }
            InvalidTransaction::EmptyAuthorizationList => "EIP-7702 transaction with empty auth list".to_owned(),
            other => other.to_string(),
        }
    }
}

/// The returned bytes of a call that succeeded.
///
/// # Errors
/// Code 3 with the bytes for a revert; -32000 for everything else.
pub(crate) fn output(result: ExecutionResult) -> Result<alloy_primitives::Bytes, RpcError> {
    match result {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::server(describe_halt(&reason))),
    }
}

/// What stopped the EVM.
pub(crate) fn describe_halt(reason: &HaltReason) -> String {
    let text = match reason {
        HaltReason::OutOfGas(OutOfGasError::InvalidOperand) => "gas uint64 overflow",
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached 1024 (1023)",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => "write protection",
        HaltReason::OutOfFunds | HaltReason::OverflowPayment => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        HaltReason::PrecompileErrorWithContext(message) => return message.clone(),
        HaltReason::PrecompileError => "precompile failed",
    };
    text.to_owned()
}
