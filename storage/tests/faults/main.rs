//! What a database survives: processes killed at any moment, damaged files, full disks, folders that cannot be written,
//! and more processes than one.

mod chain;
mod child;
mod damage;
mod kill;
mod mounts;
