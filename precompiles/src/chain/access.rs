//! The view of the state that a running chain precompile has.

use super::declaration::{AccessMode, StateKey};
use revm::primitives::{Address, B256, Bytes, U256};

/// Why an access was refused.
///
/// Every variant but [`InsufficientBalance`](Self::InsufficientBalance) and [`BalanceOverflow`](Self::BalanceOverflow)
/// dooms the call: all later accesses fail in the same way and the call halts whatever the precompile returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The declaration for this call does not cover the access.
    #[error("undeclared {mode} of the {key}")]
    Undeclared {
        /// The field.
        key: StateKey,
        /// What was to be done with it.
        mode: AccessMode,
    },
    /// A change of state or a log within a static call (EIP-214).
    #[error("state change in a static call")]
    StaticCall,
    /// A storage write to an account with neither nonce nor code. EIP-161 deletes such an account, with its storage,
    /// once its balance is zero; a chain gives the accounts of its precompiles a nonce of one at genesis or activation.
    #[error("storage of {0} would be lost: the account has neither nonce nor code")]
    EphemeralAccount(Address),
    /// Less gas is left than the access costs.
    #[error("out of gas")]
    OutOfGas,
    /// The database failed. The error itself reaches the caller of the EVM.
    #[error("the database failed")]
    Database,
    /// The paying account has less than the amount. The call may go on.
    #[error("insufficient balance")]
    InsufficientBalance,
    /// The receiving account's balance would exceed 256 bits. The call may go on.
    #[error("balance overflow")]
    BalanceOverflow,
}

impl AccessError {
    /// Whether the call may go on after this error.
    pub const fn is_recoverable(&self) -> bool {
        matches!(self, Self::InsufficientBalance | Self::BalanceOverflow)
    }
}

/// State and gas as a chain precompile sees them. Every method but [`gas_remaining`](Self::gas_remaining) charges gas;
/// the prices are those of the opcode named, under the active fork.
pub trait StateAccess {
    /// Gas left to the call.
    fn gas_remaining(&self) -> u64;

    /// Charges `gas` for computation.
    ///
    /// # Errors
    /// [`AccessError::OutOfGas`].
    fn charge(&mut self, gas: u64) -> Result<(), AccessError>;

    /// The balance of `address` in wei, at the price of `BALANCE`. Needs a declared read.
    ///
    /// # Errors
    /// See [`AccessError`].
    fn balance(&mut self, address: Address) -> Result<U256, AccessError>;

    /// The value of a storage slot, at the price of `SLOAD`, and of a cold account if it is one. Needs a declared read.
    ///
    /// # Errors
    /// See [`AccessError`].
    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, AccessError>;

    /// Changes a storage slot, at the price of `SSTORE`, and of a cold account if it is one, with the same refunds and
    /// the same refusal when no more gas is left than the stipend (EIP-2200). Needs a declared write.
    ///
    /// # Errors
    /// See [`AccessError`].
    fn set_storage(&mut self, address: Address, slot: U256, value: U256) -> Result<(), AccessError>;

    /// Moves `amount` wei, at the price of two account accesses and, unless the amount is zero, of a `CALL`'s value
    /// transfer and new account. Needs a declared write of the payer's balance and a declared credit of the receiver's.
    ///
    /// # Errors
    /// See [`AccessError`]; nothing has moved then.
    fn transfer(&mut self, from: Address, to: Address, amount: U256) -> Result<(), AccessError>;

    /// Emits a log from the precompile's address, at the price of `LOG0`–`LOG4`. `topics` has at most four entries;
    /// further ones are not emitted.
    ///
    /// # Errors
    /// [`AccessError::StaticCall`], [`AccessError::OutOfGas`].
    fn log(&mut self, topics: &[B256], data: Bytes) -> Result<(), AccessError>;
}
