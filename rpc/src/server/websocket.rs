//! WebSocket connections, on the port of HTTP.

use super::{
    connection::{Connection, Outgoing},
    conversation::{Incoming, converse},
    dispatcher::error_answer,
    http::{HttpServer, text},
    message::INVALID_REQUEST,
};
use bytes::Bytes;
use futures::{Stream, stream};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use soketto::{
    connection::Error,
    data::ByteSlice125,
    handshake::http::{Server as Handshake, is_upgrade_request},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

type Socket = futures::io::BufReader<futures::io::BufWriter<Compat<TokioIo<Upgraded>>>>;
type Sender = soketto::Sender<Socket>;
type Receiver = soketto::Receiver<Socket>;

/// How long the client may take to read one message. Longer than any network needs for the longest answer, but not for ever.
const SEND_TIMEOUT: Duration = Duration::from_secs(300);
/// After how many pings without a sign of life a connection is closed.
const MISSED_PINGS: u32 = 3;

/// Whether a request wants a WebSocket.
pub(super) fn is_upgrade<B>(request: &Request<B>) -> bool {
    is_upgrade_request(request)
}

/// Answers the request and runs the connection beside it.
pub(super) fn open(server: &Arc<HttpServer>, request: Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
    let mut handshake = Handshake::new();
    let response = match handshake.receive_request(&request) {
        Ok(response) => response,
        Err(error) => return text(StatusCode::BAD_REQUEST, format!("no WebSocket: {error}\n")),
    };
    let tracker = server.tasks.tracker.clone();
    let server = Arc::clone(server);
    tracker.spawn(async move {
        // The connection is handed over after the response was sent.
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => run(server, handshake, upgraded).await,
            Err(error) => tracing::debug!("a WebSocket could not be opened: {error}"),
        }
    });
    response.map(|()| Full::default())
}

async fn run(server: Arc<HttpServer>, handshake: Handshake, upgraded: Upgraded) {
    let limits = &server.options.limits;
    let socket = futures::io::BufReader::new(futures::io::BufWriter::new(TokioIo::new(upgraded).compat()));
    let mut builder = handshake.into_builder(socket);
    builder.set_max_message_size(limits.max_request_bytes);
    builder.set_max_frame_size(limits.max_request_bytes);
    let (sender, receiver) = builder.finish();
    let _counted = server.dispatcher.metrics().connection();
    let (connection, outgoing) = Connection::new(limits);

    let writer = tokio::spawn(write(sender, outgoing, Arc::clone(&connection), limits.ping_interval));
    let incoming = messages(receiver, Arc::clone(&connection));
    let stop = server.tasks.stop.clone();
    converse(Arc::clone(&server.dispatcher), Arc::clone(&connection), incoming, stop).await;
    connection.finish(writer, limits.shutdown_timeout).await;
}

/// What the client sends.
fn messages(receiver: Receiver, connection: Arc<Connection>) -> impl Stream<Item = Incoming> {
    stream::unfold(Some((receiver, connection)), |state| async move {
        let (mut receiver, connection) = state?;
        loop {
            let mut message = Vec::new();
            match receiver.receive(&mut message).await {
                Ok(soketto::Incoming::Data(_)) => {
                    return Some((Incoming::Message(message), Some((receiver, connection))));
                }
                Ok(soketto::Incoming::Pong(_)) => connection.alive(),
                Ok(soketto::Incoming::Closed(_)) | Err(Error::Closed) => return None,
                Err(Error::MessageTooLarge { .. } | Error::Codec(soketto::base::Error::PayloadTooLarge { .. })) => {
                    return Some((Incoming::Refused(error_answer(INVALID_REQUEST, "message too large")), None));
                }
                Err(error) => {
                    tracing::trace!("a WebSocket ended: {error}");
                    return None;
                }
            }
        }
    })
}

/// Sends what is queued, and pings.
async fn write(
    mut sender: Sender,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    connection: Arc<Connection>,
    ping_interval: Duration,
) {
    let writing = async {
        let mut pings = time::interval_at(time::Instant::now() + ping_interval, ping_interval);
        pings.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                message = connection.next(&mut outgoing) => match message {
                    Some(message) => send(&mut sender, message, &mut outgoing).await?,
                    None => return sender.close().await,
                },
                _ = pings.tick() => {
                    if connection.last_sign().elapsed() > ping_interval * MISSED_PINGS {
                        tracing::debug!("a WebSocket gave no sign of life: closed");
                        return Ok(());
                    }
                    ping(&mut sender).await?;
                }
            }
        }
    };
    tokio::select! {
        () = connection.closed().cancelled() => {}
        // Most ends are the client's doing.
        _ended = writing => {}
    }
    connection.closed().cancel();
}

/// Sends a message and those that wait behind it, in one go.
async fn send(
    sender: &mut Sender,
    first: Outgoing,
    outgoing: &mut mpsc::UnboundedReceiver<Outgoing>,
) -> Result<(), Error> {
    let mut next = Some(first);
    while let Some(message) = next {
        // Its place is free when it has been written, not before.
        let Outgoing { text, place } = message;
        let sent = sender.send_text_owned(text);
        time::timeout(SEND_TIMEOUT, sent).await.map_err(|_| Error::Closed)??;
        drop(place);
        next = outgoing.try_recv().ok();
    }
    time::timeout(SEND_TIMEOUT, sender.flush()).await.map_err(|_| Error::Closed)?
}

async fn ping(sender: &mut Sender) -> Result<(), Error> {
    let empty: &[u8] = &[];
    let Ok(data) = ByteSlice125::try_from(empty) else { return Ok(()) };
    sender.send_ping(data).await?;
    sender.flush().await
}
