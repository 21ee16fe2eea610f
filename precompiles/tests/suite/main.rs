//! Tests of the crate from the outside, one module per promise:
//!
//! * `equality`: with the cache or without, every precompile of every fork gives the same result for every gas limit;
//! * `cache`: bounds, counters, no aliasing among forks, many threads;
//! * `evm`: inside an EVM the provider equals revm's own;
//! * `chain`: what a chain's precompile may and may not do to state.

mod cache;
mod chain;
mod equality;
mod evm;
mod inputs;
