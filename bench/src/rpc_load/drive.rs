//! Sends a load and watches the chain until all of it is mined or nothing moves any more.
//!
//! Senders and watcher take turns on one thread. Each connection sends its next batch when the last one is answered. The watcher asks for the
//! head every 20 ms and counts the transactions of new blocks by `eth_getBlockTransactionCountByNumber`, which costs a node next to nothing.

use super::{
    Connection, Latencies, LoadError, Memory, Rpc, Server, count_answers,
    load::Batch,
    rpc::{self},
};
use futures::future::{Either, select, try_join_all};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    pin::pin,
    time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// How a load is sent.
#[derive(Clone, Debug)]
pub struct DriveOptions {
    /// Requests that make a node mine which does not until then; they are sent when all of the load is accepted. Mining is timed from here.
    pub release: Vec<Batch>,
    /// Senders wait while more accepted transactions than this are not mined.
    pub most_unmined: u64,
    /// Nothing accepted and nothing mined for so long is a stall.
    pub patience: Duration,
    /// Mined transactions between two looks at the node's memory.
    pub sample_every: u64,
    /// Nothing more is sent after so long; all of the load is when not given.
    pub send_for: Option<Duration>,
    /// How often the head is asked for.
    pub look_every: Duration,
}

impl Default for DriveOptions {
    fn default() -> Self {
        Self {
            release: Vec::new(),
            most_unmined: u64::MAX,
            patience: Duration::from_secs(20),
            sample_every: u64::MAX,
            send_for: None,
            look_every: Duration::from_millis(20),
        }
    }
}

/// A block that the load is in.
#[derive(Clone, Copy, Debug)]
pub struct MinedBlock {
    /// Number.
    pub number: u64,
    /// Transactions.
    pub transactions: u64,
    /// When it was seen, from the start of the load.
    pub seen: Duration,
    /// Transactions that waited when it was begun, at least: what the node had confirmed before the block below it was the head, and is in no block below.
    pub waited: u64,
}

/// What happened to a load.
#[derive(Debug, Default)]
pub struct LoadRun {
    /// Transactions of the load; those that were sent, where sending ends after a time.
    pub planned: u64,
    /// Transactions that the node took.
    pub accepted: u64,
    /// Transactions that it refused.
    pub refused: u64,
    /// What it said to the first one.
    pub first_refusal: Option<String>,
    /// Until the last batch was answered; until the stall, when there was one before.
    pub accepted_in: Duration,
    /// Transactions in blocks.
    pub mined: u64,
    /// Until the last block with transactions was seen, from the first request or from when mining was released.
    pub mined_in: Duration,
    /// Nothing moved any more before all was mined.
    pub stalled: bool,
    /// Processor time of the node, until the end.
    pub server_cpu: Duration,
    /// Processor time of the node, until the last batch was answered.
    pub server_cpu_accepted: Duration,
    /// Processor time of this process.
    pub client_cpu: Duration,
    /// Memory of the node before and after.
    pub memory: [Memory; 2],
    /// Latency of batches.
    pub latencies: Latencies,
    /// Blocks with transactions.
    pub blocks: Vec<MinedBlock>,
    /// Memory of the node after so many mined transactions.
    pub samples: Vec<(u64, Memory)>,
}

impl LoadRun {
    /// Transactions accepted per second.
    pub fn accepted_rate(&self) -> f64 {
        self.accepted as f64 / self.accepted_in.as_secs_f64().max(1e-9)
    }

    /// Transactions mined per second.
    pub fn mined_rate(&self) -> f64 {
        self.mined as f64 / self.mined_in.as_secs_f64().max(1e-9)
    }

    /// Transactions per second in the blocks after the first one with any, as long as more were sent; `None` without two such blocks. The
    /// first block holds what came in a part of its second, the last ones what was left.
    pub fn steady_rate(&self) -> Option<f64> {
        let sending = self.blocks.iter().take_while(|block| block.seen <= self.accepted_in).count();
        let (first, rest) = self.blocks.get(..sending)?.split_first()?;
        let seconds = rest.last()?.seen.saturating_sub(first.seen).as_secs_f64();
        let transactions: u64 = rest.iter().map(|block| block.transactions).sum();
        (seconds > 0.0).then(|| transactions as f64 / seconds)
    }

    /// Processor time of the node per mined transaction, in microseconds.
    pub fn server_micros(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.mined.max(1) as f64
    }

    /// Processor time of this process per mined transaction, in microseconds.
    pub fn client_micros(&self) -> f64 {
        self.client_cpu.as_secs_f64() * 1e6 / self.mined.max(1) as f64
    }
}

/// What senders and watcher tell each other.
struct Shared<'a> {
    server: &'a Server,
    begin: Instant,
    accepted: Cell<u64>,
    refused: Cell<u64>,
    first_refusal: RefCell<Option<String>>,
    mined: Cell<u64>,
    /// When the last batch was answered, and the processor time of the node then.
    all_answered: Cell<Option<(Duration, Duration)>>,
    /// Everything was sent, what releases mining too.
    all_sent: Cell<bool>,
    latencies: RefCell<Latencies>,
    bar: ProgressBar,
}

/// Sends the batches of every connection and watches the chain until the end.
pub async fn drive(server: &Server, load: &[Vec<Batch>], options: DriveOptions) -> Result<LoadRun, LoadError> {
    let planned: usize = load.iter().flatten().map(|batch| batch.transactions).sum();
    let mut connections = Vec::with_capacity(load.len());
    for _ in load {
        connections.push(Connection::open(server.port).await?);
    }
    let mut rpc = server.rpc().await?;
    let head = rpc.number("eth_blockNumber", json!([])).await?;
    let memory_before = server.memory()?;
    let (server_before, client_before) = (server.cpu_time()?, client_cpu()?);
    let shared = Shared {
        server,
        begin: Instant::now(),
        accepted: Cell::new(0),
        refused: Cell::new(0),
        first_refusal: RefCell::new(None),
        mined: Cell::new(0),
        all_answered: Cell::new(None),
        all_sent: Cell::new(false),
        latencies: RefCell::default(),
        bar: progress(planned as u64, server.kind.name()),
    };
    let senders = async {
        let sends = connections.iter_mut().zip(load);
        try_join_all(sends.map(|(connection, batches)| send(connection, batches, &shared, &options))).await?;
        shared.all_answered.set(Some((shared.begin.elapsed(), server.cpu_time()?)));
        for request in &options.release {
            let answers = count_answers(connections[0].exchange(&request.request).await?);
            if answers.results == 0 {
                let reply = "no result".to_owned();
                return Err(LoadError::Reply { method: "what releases mining".to_owned(), reply });
            }
            shared.accepted.set(shared.accepted.get() + request.transactions as u64);
        }
        shared.all_sent.set(true);
        Result::<(), LoadError>::Ok(())
    };
    let watcher = watch(&mut rpc, head, &shared, &options);
    let watched = match select(pin!(senders), pin!(watcher)).await {
        Either::Left((sent, watcher)) => {
            sent?;
            watcher.await?
        }
        // The watcher alone ends first only when nothing moves.
        Either::Right((watched, _)) => watched?,
    };
    shared.bar.finish_and_clear();
    let server_after = server.cpu_time()?;
    let end = watched.last_move;
    let (accepted_in, server_accepted) = shared.all_answered.get().unwrap_or((end, server_after));
    let released_at = if options.release.is_empty() { Duration::ZERO } else { accepted_in };
    let released: usize = options.release.iter().map(|request| request.transactions).sum();
    let sent = shared.accepted.get() + shared.refused.get();
    Ok(LoadRun {
        planned: if options.send_for.is_some() { sent } else { (planned + released) as u64 },
        accepted: shared.accepted.get(),
        refused: shared.refused.get(),
        first_refusal: shared.first_refusal.take(),
        accepted_in,
        mined: shared.mined.get(),
        mined_in: watched.blocks.last().map_or(Duration::ZERO, |block| block.seen.saturating_sub(released_at)),
        stalled: watched.stalled,
        server_cpu: server_after.saturating_sub(server_before),
        server_cpu_accepted: server_accepted.saturating_sub(server_before),
        client_cpu: client_cpu()?.saturating_sub(client_before),
        memory: [memory_before, server.memory()?],
        latencies: shared.latencies.take(),
        blocks: watched.blocks,
        samples: watched.samples,
    })
}

async fn send(
    connection: &mut Connection,
    batches: &[Batch],
    shared: &Shared<'_>,
    options: &DriveOptions,
) -> Result<(), LoadError> {
    let is_over = || options.send_for.is_some_and(|time| shared.begin.elapsed() >= time);
    for batch in batches {
        while shared.accepted.get().saturating_sub(shared.mined.get()) > options.most_unmined && !is_over() {
            sleep(Duration::from_millis(2)).await;
        }
        if is_over() {
            break;
        }
        let sent = Instant::now();
        let reply = connection.exchange(&batch.request).await?;
        shared.latencies.borrow_mut().add(sent.elapsed());
        let answers = count_answers(reply);
        let refused = batch.transactions - answers.results.min(batch.transactions);
        shared.accepted.set(shared.accepted.get() + answers.results as u64);
        if refused > 0 {
            shared.refused.set(shared.refused.get() + refused as u64);
            shared.first_refusal.borrow_mut().get_or_insert_with(|| refusal(reply));
        }
    }
    Ok(())
}

/// The first error message of a reply.
fn refusal(reply: &[u8]) -> String {
    let value: Value = serde_json::from_slice(reply).unwrap_or_default();
    let replies = value.as_array().cloned().unwrap_or_else(|| vec![value]);
    let message = replies.iter().find_map(|reply| reply["error"]["message"].as_str().map(str::to_owned));
    message.unwrap_or_else(|| String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned())
}

#[derive(Debug)]
struct Watched {
    blocks: Vec<MinedBlock>,
    samples: Vec<(u64, Memory)>,
    stalled: bool,
    last_move: Duration,
}

async fn watch(
    rpc: &mut Rpc,
    mut head: u64,
    shared: &Shared<'_>,
    options: &DriveOptions,
) -> Result<Watched, LoadError> {
    let mut watched = Watched { blocks: Vec::new(), samples: Vec::new(), stalled: false, last_move: Duration::ZERO };
    let mut accepted = 0;
    let mut heads = Heads::default();
    loop {
        sleep(options.look_every).await;
        heads.asked(shared.accepted.get());
        let look = timeout(options.patience, new_blocks(rpc, head));
        let Ok(counts) = look.await else {
            watched.stalled = true;
            return Ok(watched);
        };
        let counts = counts?;
        let now = shared.begin.elapsed();
        for transactions in counts {
            head += 1;
            let waited = heads.next().saturating_sub(shared.mined.get());
            if transactions > 0 {
                watched.blocks.push(MinedBlock { number: head, transactions, seen: now, waited });
                shared.mined.set(shared.mined.get() + transactions);
                watched.last_move = now;
            }
        }
        if shared.accepted.get() != accepted {
            accepted = shared.accepted.get();
            watched.last_move = now;
        }
        let mined = shared.mined.get();
        shared.bar.set_position(mined);
        shared.bar.set_message(format!("mined, {accepted} accepted"));
        let next = watched.samples.last().map_or(0, |(mined, _)| mined.saturating_add(options.sample_every));
        if options.sample_every < u64::MAX && mined >= next {
            watched.samples.push((mined, shared.server.memory()?));
        }
        if shared.all_sent.get() && mined >= accepted {
            return Ok(watched);
        }
        if now.saturating_sub(watched.last_move) > options.patience {
            watched.stalled = true;
            return Ok(watched);
        }
    }
}

/// What was accepted before a head was there. A block is begun when the one below it is the head, so all that waited then.
#[derive(Debug, Default)]
struct Heads {
    /// Accepted when the head was asked for the last time, and the time before.
    asked: [u64; 2],
    /// Accepted before the last block that was seen was the head.
    before_last: u64,
}

impl Heads {
    fn asked(&mut self, accepted: u64) {
        self.asked = [accepted, self.asked[0]];
    }

    /// One more block was seen: transactions that were accepted before it was begun.
    fn next(&mut self) -> u64 {
        // It was not there when the head was asked for the time before.
        std::mem::replace(&mut self.before_last, self.asked[1])
    }
}

/// Transactions in each block above `head`.
async fn new_blocks(rpc: &mut Rpc, head: u64) -> Result<Vec<u64>, LoadError> {
    const METHOD: &str = "eth_getBlockTransactionCountByNumber";
    let now = rpc.number("eth_blockNumber", json!([])).await?;
    let numbers: Vec<Value> = (head + 1..=now).map(|number| json!([format!("{number:#x}")])).collect();
    let counts = rpc.call_each(METHOD, &numbers).await?;
    counts.iter().map(|count| rpc::number(METHOD, count)).collect()
}

fn client_cpu() -> std::io::Result<Duration> {
    super::cpu_time(std::process::id())
}

/// A bar on stderr, when that is a terminal.
fn progress(total: u64, name: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{prefix:6} {bar:28} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(name);
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seconds: u64, transactions: u64) -> MinedBlock {
        MinedBlock { number: seconds, transactions, seen: Duration::from_secs(seconds), waited: 0 }
    }

    #[test]
    fn only_blocks_of_the_time_in_which_all_was_sent_count() {
        let blocks = vec![block(1, 10), block(2, 100), block(3, 102), block(5, 198), block(6, 7)];
        let run = LoadRun { blocks, accepted_in: Duration::from_millis(5500), ..LoadRun::default() };
        assert_eq!(run.steady_rate(), Some(100.0));
        let run = LoadRun { blocks: vec![block(1, 10)], accepted_in: Duration::from_secs(2), ..LoadRun::default() };
        assert_eq!(run.steady_rate(), None);
        assert_eq!(LoadRun::default().steady_rate(), None);
    }

    #[test]
    fn what_waited_for_a_block_was_there_before_the_one_below_it() {
        let mut heads = Heads::default();
        heads.asked(100);
        assert_eq!(heads.next(), 0, "the first block may have been begun with the first transaction");
        heads.asked(200);
        heads.asked(300);
        // Block 2 was seen now, so it was not there at 200; block 1 was not there when nothing had been accepted.
        assert_eq!(heads.next(), 0);
        heads.asked(400);
        // Blocks 3 and 4 were seen at once: before block 2 was the head 200 were there, before block 3 300.
        assert_eq!((heads.next(), heads.next()), (200, 300));
    }
}
