//! The contract between a chain's precompile and the provider.

use super::{access::AccessError, access::StateAccess, declaration::DeclaredAccesses};
use revm::primitives::{Address, Bytes, U256};
use std::{borrow::Cow, fmt};

/// A precompile of the chain's own.
///
/// All methods must be pure functions of their arguments (and, for `run`, of the state behind `state`): every node and
/// every re-execution must get the same answer.
pub trait ChainPrecompile: fmt::Debug + Send + Sync {
    /// Gas for the call before any state access. It is charged before [`declared_accesses`](Self::declared_accesses)
    /// is asked for, so it must pay for declaring and for computing on an input of this length, and it must itself
    /// take little time.
    fn required_gas(&self, input: &[u8]) -> u64;

    /// What a call with `input` by `caller` may touch. It may be more than what the call does touch, never less: an
    /// access outside halts the call with all its gas. It must not depend on state.
    fn declared_accesses(&self, input: &[u8], caller: Address) -> DeclaredAccesses;

    /// Runs the call and returns its output.
    ///
    /// # Errors
    /// [`ChainPrecompileError::Revert`] undoes the call's changes and returns unspent gas and data to the caller; any
    /// other error undoes them and takes all gas.
    fn run(&self, call: &ChainCall<'_>, state: &mut dyn StateAccess) -> Result<Bytes, ChainPrecompileError>;
}

/// One call of a chain precompile.
#[derive(Clone, Copy, Debug)]
pub struct ChainCall<'a> {
    /// The call data.
    pub input: &'a [u8],
    /// The precompile's own address.
    pub address: Address,
    /// The account that calls: a contract, or the sender of the transaction.
    pub caller: Address,
    /// Wei sent with the call. They are on the precompile's balance already, and go back if the call fails.
    pub value: U256,
    /// Whether state may not change (EIP-214).
    pub is_static: bool,
    /// Gas given to the call, before [`ChainPrecompile::required_gas`].
    pub gas_limit: u64,
}

/// Why a chain precompile's call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainPrecompileError {
    /// The call reverts with this data; unspent gas goes back.
    #[error("reverted")]
    Revert(Bytes),
    /// The call halts with all gas, for this reason.
    #[error("{0}")]
    Halt(Cow<'static, str>),
    /// A state access was refused; the call halts with all gas.
    #[error(transparent)]
    Access(#[from] AccessError),
}
