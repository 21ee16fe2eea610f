//! The database against a model of it, over both stores, and what it refuses.

mod concurrent;
mod identity;
mod lifetime;
mod model;
mod verify;
