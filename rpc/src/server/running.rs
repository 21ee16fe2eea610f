//! A server that runs, and how it is stopped.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The socket file cannot be made.
    #[error("cannot listen at {path}")]
    Socket {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another process listens there.
    #[error("another process listens at {path}")]
    SocketInUse {
        /// The file.
        path: PathBuf,
    },
    /// An origin for CORS is no origin.
    #[error("{origin:?} is not an origin such as https://app.example")]
    Origin {
        /// What was given.
        origin: String,
    },
}

/// The tasks of a server, and the signal that ends them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    pub(super) stop: CancellationToken,
    pub(super) tracker: TaskTracker,
}

/// A server that accepts connections until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningServer {
    tasks: Tasks,
    local_address: Option<SocketAddr>,
    socket: Option<PathBuf>,
    shutdown_timeout: Duration,
}

impl RunningServer {
    pub(super) const fn on_port(tasks: Tasks, address: SocketAddr, shutdown_timeout: Duration) -> Self {
        Self { tasks, local_address: Some(address), socket: None, shutdown_timeout }
    }

    pub(super) const fn on_socket(tasks: Tasks, path: PathBuf, shutdown_timeout: Duration) -> Self {
        Self { tasks, local_address: None, socket: Some(path), shutdown_timeout }
    }

    /// Where it listens; for a socket file, an address without meaning (`0.0.0.0:0`).
    pub fn local_address(&self) -> SocketAddr {
        self.local_address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Stops: no new connections; calls that run may end within the shutdown timeout, then everything is closed.
    pub async fn stop(self) {
        self.tasks.stop.cancel();
        self.tasks.tracker.close();
        if tokio::time::timeout(self.shutdown_timeout, self.tasks.tracker.wait()).await.is_err() {
            tracing::warn!("{} connections did not end in time", self.tasks.tracker.len());
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.tasks.stop.cancel();
        if let Some(path) = &self.socket {
            // It may be gone already; whoever starts next removes what is left.
            let _ = std::fs::remove_file(path);
        }
    }
}
