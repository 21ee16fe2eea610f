//! What happens on a connection that stays open: messages come in, answers go out.
//!
//! Messages are begun in the order in which they come; those whose methods answer at once are answered before the next one is looked at, so
//! transactions sent one after another keep their order. Calls that wait run beside each other, so many at most; then nothing more is read.

use super::{
    connection::{CallScope, Connection},
    dispatcher::Dispatcher,
};
use futures::{Stream, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What comes in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A message.
    Message(Vec<u8>),
    /// A message that cannot be read, after which nothing can be: this is the answer.
    Refused(String),
}

/// Answers messages until no more come, the connection is closed, or the server stops; calls that run then may still end.
pub(super) async fn converse(
    dispatcher: Arc<Dispatcher>,
    connection: Arc<Connection>,
    incoming: impl Stream<Item = Incoming>,
    stop: CancellationToken,
) {
    let mut incoming = std::pin::pin!(incoming);
    let mut running: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        let may_read = running.len() < dispatcher.limits().max_calls_per_connection;
        let message = tokio::select! {
            biased;
            () = connection.closed().cancelled() => return,
            () = stop.cancelled() => break,
            Some(()) = running.next(), if !running.is_empty() => continue,
            message = incoming.next(), if may_read => message,
        };
        match message {
            Some(Incoming::Message(message)) => {
                connection.alive();
                let mut call = Box::pin(answer(Arc::clone(&dispatcher), Arc::clone(&connection), message));
                if futures::poll!(&mut call).is_pending() {
                    running.push(call);
                }
            }
            Some(Incoming::Refused(answer)) => {
                connection.answer(answer).await;
                break;
            }
            None => break,
        }
    }
    tokio::select! {
        () = connection.closed().cancelled() => {}
        () = running.collect::<()>() => {}
    }
}

async fn answer(dispatcher: Arc<Dispatcher>, connection: Arc<Connection>, message: Vec<u8>) {
    let scope = CallScope::new(Arc::clone(&connection));
    let answer = dispatcher.answer(&message, Some(&scope)).await;
    if !answer.is_empty() {
        connection.answer(answer).await;
    }
    scope.tell_answered();
}
