//! The log of a node, on stderr.

use super::options::{LogFormat, OutputOptions};
use eyre::eyre;
use std::io;
use tracing_subscriber::EnvFilter;

/// Begins to log.
pub(crate) fn start(options: &OutputOptions) -> eyre::Result<()> {
    let filter = if options.silent { "error" } else { &options.log_filter };
    let filter = EnvFilter::try_new(filter).map_err(|error| eyre!("--log-filter {filter:?}: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let result = match options.log_format {
        LogFormat::Text => {
            log.with_ansi(crate::terminal::has_colours(&io::stderr())).with_target(false).compact().try_init()
        }
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| eyre!("cannot begin to log: {error}"))
}
