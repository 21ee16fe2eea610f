//! Precompiled contracts: the Ethereum sets of every fork, a shared cache of their results, and the seam through
//! which a chain adds precompiles of its own.
//!
//! Read the crate from [`BraidPrecompiles`], the provider that an EVM is built with. A call goes one of three ways:
//!
//! 1. the address belongs to the fork's Ethereum set ([`PrecompileSet`]): `revm-precompile` runs it, and for the
//!    costly ones [`PrecompileCache`] answers instead when it has seen the very same input under the same rules;
//! 2. the address belongs to the chain's own set ([`ChainPrecompiles`]): the precompile runs over a journal adapter
//!    that lets through only the state accesses which it declared for this input;
//! 3. neither: the call is an ordinary contract call and the provider says so.
//!
//! For the first way every result (output, gas, halt reason, error context) equals what revm's own `EthPrecompiles`
//! gives; the cache changes time and nothing else.

mod cache;
mod chain;
mod provider;
mod set;

pub mod example;

pub use cache::{PrecompileCache, PrecompileCacheConfig, PrecompileCacheStats};
pub use chain::{
    AccessError, AccessMode, ChainCall, ChainPrecompile, ChainPrecompileError, ChainPrecompiles, ChainPrecompilesError,
    DeclaredAccess, DeclaredAccesses, StateAccess, StateKey,
};
pub use provider::BraidPrecompiles;
pub use set::{ForkRules, PrecompileSet};
