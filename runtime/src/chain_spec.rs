//! Fork schedule of a chain.
