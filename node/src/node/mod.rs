//! `braid node`: a chain with servers around it.
//!
//! [`options`] is what can be asked for, [`config`] reads it from a file too; [`folder`] opens or makes the chain; [`run`] puts everything together and waits
//! for the end; [`banner`], [`logging`] and [`metrics`] say what is going on.

mod banner;
mod config;
mod folder;
mod logging;
mod metrics;
mod options;
mod run;
mod secret;

pub(crate) use config::arguments as config_arguments;
pub(crate) use options::NodeOptions;
pub(crate) use run::run;
