//! Precompiles that a chain adds to Ethereum's, with access to state.
//!
//! Such a precompile first **declares** which state it will touch for an input and a caller ([`DeclaredAccesses`]), so
//! that a scheduler can order the transaction before running it, and then runs over [`StateAccess`], which lets through
//! only what was declared. How a call goes ([`run`]):
//!
//! * the call is direct: `DELEGATECALL` and `CALLCODE` would let a contract act with its own caller's name or pretend
//!   to a value that was never sent, so they halt;
//! * the precompile's own gas ([`ChainPrecompile::required_gas`]) is charged before anything else is computed;
//! * an access that was not declared, a write within a static call, or storage written to an account that EIP-161
//!   would delete, **halts the call with all its gas**, even if the precompile goes on and reports success;
//! * accesses go through the journal: they are warmed, recorded, reverted with the frame, and priced as the opcode that
//!   does the same under the active fork (EIP-2929 cold and warm, EIP-2200 and EIP-3529 refunds, EIP-8037 state gas);
//! * a database error leaves as the database's own error, not as a failed call.
//!
//! Results of these precompiles are never cached.

mod access;
mod declaration;
mod journal_access;
mod precompile;
mod registry;
mod run;

pub use access::{AccessError, StateAccess};
pub use declaration::{AccessMode, DeclaredAccess, DeclaredAccesses, StateKey};
pub use precompile::{ChainCall, ChainPrecompile, ChainPrecompileError};
pub use registry::{ChainPrecompiles, ChainPrecompilesError};

pub(crate) use run::run;
