//! A connection that stays open (WebSocket, IPC): what waits to be sent, and its subscriptions.

use super::options::Limits;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Messages are counted in units of so many bytes, one at least, so that their number is bounded as well.
const UNIT: usize = 256;

/// A message that waits to be sent; its place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) text: String,
    pub(super) place: OwnedSemaphorePermit,
}

/// One end of a connection. What is sent goes into a bounded queue: answers wait for a place in it, a notification that finds none closes the
/// connection, because whoever does not read would otherwise fill the memory or miss events without being told.
pub(crate) struct Connection {
    queue: mpsc::UnboundedSender<Outgoing>,
    places: Arc<Semaphore>,
    units: u32,
    subscriptions: Mutex<HashMap<String, CancellationToken>>,
    max_subscriptions: usize,
    finished: CancellationToken,
    closed: CancellationToken,
    last_sign: Mutex<Instant>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("subscriptions", &self.subscriptions.lock().len()).finish_non_exhaustive()
    }
}

/// A connection has all the subscriptions that it may have.
#[derive(Debug)]
pub(crate) struct TooManySubscriptions;

impl Connection {
    /// A connection, and what the writer of its transport sends.
    pub(super) fn new(limits: &Limits) -> (Arc<Self>, mpsc::UnboundedReceiver<Outgoing>) {
        let units = u32::try_from(limits.max_queued_bytes / UNIT).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        let (queue, outgoing) = mpsc::unbounded_channel();
        let connection = Self {
            queue,
            places: Arc::new(Semaphore::new(units as usize)),
            units,
            subscriptions: Mutex::default(),
            max_subscriptions: limits.max_subscriptions_per_connection,
            finished: CancellationToken::new(),
            closed: CancellationToken::new(),
            last_sign: Mutex::new(Instant::now()),
        };
        (Arc::new(connection), outgoing)
    }

    /// Sends an answer, as soon as there is a place for it.
    pub(super) async fn answer(&self, text: String) {
        let places = Arc::clone(&self.places).acquire_many_owned(self.units_of(&text));
        if let Ok(place) = places.await {
            // Nobody reads any more when the connection is closed.
            let _ = self.queue.send(Outgoing { text, place });
        }
    }

    /// Sends a notification. If there is no place for it the connection is closed.
    pub(crate) fn notify(&self, text: String) {
        match Arc::clone(&self.places).try_acquire_many_owned(self.units_of(&text)) {
            Ok(place) => {
                let _ = self.queue.send(Outgoing { text, place });
            }
            Err(_) if self.closed.is_cancelled() => {}
            Err(_) => {
                tracing::debug!("a subscriber does not read what it asked for: disconnected");
                self.closed.cancel();
            }
        }
    }

    /// A message longer than the whole queue takes all of it.
    fn units_of(&self, text: &str) -> u32 {
        u32::try_from(text.len() / UNIT + 1).unwrap_or(u32::MAX).min(self.units)
    }

    /// Adds a subscription. The token ends when it is taken back or the connection is closed.
    pub(crate) fn subscribe(&self, id: &str) -> Result<CancellationToken, TooManySubscriptions> {
        let mut subscriptions = self.subscriptions.lock();
        if subscriptions.len() >= self.max_subscriptions {
            return Err(TooManySubscriptions);
        }
        let token = self.closed.child_token();
        subscriptions.insert(id.to_owned(), token.clone());
        Ok(token)
    }

    /// Ends a subscription; false if there is none of this name.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let token = self.subscriptions.lock().remove(id);
        token.is_some_and(|token| {
            token.cancel();
            true
        })
    }

    /// Nothing more will be answered: once what is queued has been sent, the writer ends. It gets so much time for that.
    pub(super) async fn finish(&self, writer: JoinHandle<()>, time: Duration) {
        self.finished.cancel();
        match tokio::time::timeout(time, writer).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) => tracing::error!("the writer of a connection failed: {error}"),
        }
        self.closed.cancel();
    }

    /// The next message to send; `None` when there will be none.
    pub(super) async fn next(&self, outgoing: &mut mpsc::UnboundedReceiver<Outgoing>) -> Option<Outgoing> {
        tokio::select! {
            biased;
            message = outgoing.recv() => message,
            () = self.finished.cancelled() => None,
        }
    }

    /// Closes the connection at once.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    /// Ends when the connection does: whoever reads or writes stops at once.
    pub(super) const fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// The client is there.
    pub(super) fn alive(&self) {
        *self.last_sign.lock() = Instant::now();
    }

    pub(super) fn last_sign(&self) -> Instant {
        *self.last_sign.lock()
    }
}

/// Who calls: in the extensions of calls that come by a [`Connection`].
#[derive(Clone, Debug)]
pub(crate) struct CallScope {
    connection: Arc<Connection>,
    answered: Arc<Mutex<Vec<oneshot::Sender<()>>>>,
}

impl CallScope {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        Self { connection, answered: Arc::default() }
    }

    /// The connection.
    pub(crate) const fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Resolves as soon as the answer to the call is on its way: notifications of a subscription must not overtake its name.
    pub(crate) fn answered(&self) -> oneshot::Receiver<()> {
        let (tell, wait) = oneshot::channel();
        self.answered.lock().push(tell);
        wait
    }

    pub(super) fn tell_answered(&self) {
        for tell in self.answered.lock().drain(..) {
            // Whoever waited may have given up.
            let _ = tell.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(max_queued_bytes: usize) -> (Arc<Connection>, mpsc::UnboundedReceiver<Outgoing>) {
        let limits = Limits { max_queued_bytes, max_subscriptions_per_connection: 1, ..Limits::default() };
        Connection::new(&limits)
    }

    #[tokio::test]
    async fn a_notification_without_a_place_closes_the_connection() {
        let (connection, mut outgoing) = connection(4 * UNIT);
        for _ in 0..4 {
            connection.notify("a".to_owned());
        }
        assert!(!connection.closed().is_cancelled());
        drop(outgoing.recv().await);
        connection.notify("b".to_owned());
        assert!(!connection.closed().is_cancelled(), "what was sent made a place");
        connection.notify("c".to_owned());
        assert!(connection.closed().is_cancelled());
    }

    #[tokio::test]
    async fn an_answer_waits_for_a_place_and_a_long_one_takes_all() {
        let (connection, mut outgoing) = connection(4 * UNIT);
        connection.notify("a".to_owned());
        let mut answer = Box::pin(connection.answer("x".repeat(100 * UNIT)));
        assert!(futures::poll!(&mut answer).is_pending());
        drop(outgoing.recv().await);
        answer.await;
        assert_eq!(outgoing.recv().await.unwrap().text.len(), 100 * UNIT);
    }

    #[test]
    fn subscriptions_are_bounded_and_end_with_the_connection() {
        let (connection, _outgoing) = connection(UNIT);
        let token = connection.subscribe("0x1").unwrap();
        assert!(connection.subscribe("0x2").is_err());
        assert!(connection.unsubscribe("0x1") && !connection.unsubscribe("0x1"));
        assert!(token.is_cancelled());
        let token = connection.subscribe("0x2").unwrap();
        connection.closed().cancel();
        assert!(token.is_cancelled());
    }
}
