//! Braid chain.
