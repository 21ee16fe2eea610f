//! IPC: JSON messages one after another on a socket file. Answers end with a line break, as geth's do.

use super::{
    connection::{Connection, Outgoing},
    conversation::{Incoming, converse},
    dispatcher::Dispatcher,
    framing::JsonFraming,
    options::Limits,
    running::{RunningServer, ServerError, Tasks},
};
use crate::MethodSet;
use futures::{StreamExt, future::ready};
use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt, BufWriter},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
};
use tokio_util::{codec::FramedRead, sync::CancellationToken};

/// Serves methods on a socket file that only the user of the process can open. A file that is left from before is removed.
///
/// # Errors
/// Another process listens there, or the file cannot be made.
pub async fn serve_ipc(methods: MethodSet, path: &Path, limits: &Limits) -> Result<RunningServer, ServerError> {
    let failed = |source| ServerError::Socket { path: path.to_owned(), source };
    remove_stale(path).await?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let tasks = Tasks::default();
    let dispatcher = Dispatcher::new(&methods, limits, "ipc");
    tasks.tracker.spawn(accept(listener, dispatcher, tasks.clone()));
    Ok(RunningServer::on_socket(tasks, path.to_owned(), limits.shutdown_timeout))
}

/// Removes a socket at which nobody listens.
async fn remove_stale(path: &Path) -> Result<(), ServerError> {
    let failed = |source| ServerError::Socket { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(data) if !data.file_type().is_socket() => {
            return Err(failed(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file that is no socket")));
        }
        Ok(_) => {}
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(ServerError::SocketInUse { path: path.to_owned() });
    }
    fs::remove_file(path).map_err(failed)
}

async fn accept(listener: UnixListener, dispatcher: Arc<Dispatcher>, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(dispatcher.limits().max_connections));
    loop {
        let accepted = tokio::select! {
            () = tasks.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("connections cannot be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Too many: closed at once.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (dispatcher, stop) = (Arc::clone(&dispatcher), tasks.stop.clone());
        tasks.tracker.spawn(async move {
            let _counted = dispatcher.metrics().connection();
            run(stream, Arc::clone(&dispatcher), stop).await;
            drop(place);
        });
    }
}

async fn run(stream: UnixStream, dispatcher: Arc<Dispatcher>, stop: CancellationToken) {
    let limits = dispatcher.limits();
    let (read, write_half) = stream.into_split();
    let (connection, outgoing) = Connection::new(limits);
    let writer = tokio::spawn(write(write_half, outgoing, Arc::clone(&connection)));
    let frames = FramedRead::new(read, JsonFraming::new(limits.max_request_bytes));
    // An error of the socket ends the conversation.
    let incoming =
        frames.take_while(|frame| ready(frame.is_ok())).filter_map(|frame: io::Result<Incoming>| ready(frame.ok()));
    converse(Arc::clone(&dispatcher), Arc::clone(&connection), incoming, stop).await;
    connection.finish(writer, limits.shutdown_timeout).await;
}

async fn write(
    stream: impl AsyncWrite + Unpin,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    connection: Arc<Connection>,
) {
    let mut stream = BufWriter::new(stream);
    let writing = async {
        while let Some(message) = connection.next(&mut outgoing).await {
            write_line(&mut stream, &message).await?;
            if outgoing.is_empty() {
                stream.flush().await?;
            }
        }
        stream.shutdown().await
    };
    tokio::select! {
        () = connection.closed().cancelled() => {}
        // Most ends are the client's doing.
        _ended = writing => {}
    }
    connection.closed().cancel();
}

async fn write_line(stream: &mut (impl AsyncWrite + Unpin), message: &Outgoing) -> io::Result<()> {
    stream.write_all(message.text.as_bytes()).await?;
    stream.write_all(b"\n").await
}
