//! Braid storage.
