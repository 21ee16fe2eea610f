//! `braid import`: blocks from files into a chain.
//!
//! [`pipeline`] reads, decodes and recovers senders on a thread of its own; here the blocks are executed and, by the chain,
//! written on another thread. However it ends, what was imported is written and made durable before the end.

mod one_core;
mod options;
mod pipeline;
mod progress;
mod summary;

pub(crate) use options::{HistoryOption, ImportOptions};

use crate::{FAILURE, SUCCESS, datadir::DataDir, signals::Signals, terminal};
use braid_chain::{Chain, ChainError, ChainOptions, Timings};
use braid_runtime::{EngineConfig, Mode, engine::Learning};
use braid_storage::{DatabaseOptions, Durability};
use eyre::{WrapErr, eyre};
use options::ImportMode;
use pipeline::{Item, Reading, Ready};
use progress::{Counts, Teller};
use std::{
    num::NonZero,
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};
use summary::Summary;

/// Batches that are ready before they are needed.
const QUEUE: usize = 2;

pub(crate) fn run(options: &ImportOptions) -> eyre::Result<u8> {
    if options.mode == ImportMode::Serial {
        // Before any thread is started.
        one_core::stay_on_one_core()?;
    }
    let folder = DataDir::new(&options.datadir);
    let chain = open(&folder, options)?;
    let signals = Signals::listen()?;
    let reading = Reading::new(&options.files);
    let mut import = Import {
        folder: &folder,
        chain: &chain,
        is_flushed_each: options.durability.0 == Durability::EveryBlock,
        counts: Counts::default(),
        skipped: 0,
        timings: Timings::default(),
        teller: Teller::new(&reading, !options.no_progress),
        signals: &signals,
    };
    let begin = Instant::now();
    let outcome = thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let reader = thread::Builder::new()
            .name("braid-reader".to_owned())
            .spawn_scoped(scope, || {
                let sender = sender;
                pipeline::read(&options.files, &chain, &reading, &sender);
            })
            .wrap_err("cannot start a thread")?;
        let outcome = import.take(receiver);
        if reader.join().is_err() {
            return Err(eyre!("reading the files failed: this is a defect of braid"));
        }
        outcome
    });
    let flushing = Instant::now();
    let flushed = chain.flush();
    import.timings.commit += flushing.elapsed();
    let Import { counts, skipped, timings, teller, .. } = import;
    teller.end();

    let stays = what_stays(&folder, &chain);
    if let Err(error) = outcome {
        // The first error is the cause; that writing fails as well is no news.
        terminal::error(&format!("{}; {stays}", terminal::describe(&error)));
        return Ok(FAILURE);
    }
    let head = match flushed {
        Ok(head) => head,
        Err(error) => {
            let error = explain(&folder, error);
            terminal::error(&format!("{}; {stays}", terminal::describe(&error)));
            return Ok(FAILURE);
        }
    };
    let stopped = signals.came();
    let summary = Summary { counts, skipped, elapsed: begin.elapsed(), timings, head, stopped };
    if options.json {
        println!("{:#}", summary.json());
    } else {
        println!("{}", summary.text());
    }
    match stopped {
        Some(signal) => {
            eprintln!("ended by {}: {stays}; run the same command again to go on", signal.name());
            Ok(signal.exit_code())
        }
        None => Ok(SUCCESS),
    }
}

/// Up to where the chain goes on disk.
fn what_stays(folder: &DataDir, chain: &Chain) -> String {
    let database = chain.database();
    // Where writing fails, what was written before may still become durable.
    let head = database.flush().or_else(|_| database.head()).unwrap_or_default();
    let durable = database.durable_head();
    let place =
        format!("the chain in {} ends at block {} ({}), on disk", folder.path().display(), head.number, head.hash);
    match durable == head {
        true => place,
        false => format!("{place}, of which a loss of power would leave those up to {}", durable.number),
    }
}

/// The chain of a folder, which is made if there is none and a genesis file is named.
fn open(folder: &DataDir, options: &ImportOptions) -> eyre::Result<Chain> {
    let database_options =
        DatabaseOptions { durability: options.durability.0, history: options.history.0, ..DatabaseOptions::default() };
    let (genesis, database) = match &options.genesis {
        Some(file) => {
            let (genesis, database, _) = folder.initialise(file, database_options)?;
            (genesis, database)
        }
        None => folder.open(database_options)?,
    };
    let threads = options.threads.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    let mode = match options.mode {
        ImportMode::Parallel => Mode::Parallel,
        ImportMode::Serial => Mode::Serial,
    };
    let options = ChainOptions {
        // Learning takes as long as executing does, and here the next block is waiting.
        execution: EngineConfig { threads, mode, learning: Learning::Off, ..EngineConfig::default() },
        // Files hold chains: branches that leave them are rare, and found on disk then.
        blocks_in_memory: 0,
        blocks_per_commit: usize::from(options.blocks_per_commit),
        ..ChainOptions::default()
    };
    Chain::new(database, genesis.spec, options).map_err(|error| explain(folder, error))
}

/// Says what can be done about an error that is not about a block.
fn explain(folder: &DataDir, error: ChainError) -> eyre::Report {
    match error {
        ChainError::Storage(error) => folder.explain(&error, None),
        error => eyre!(error),
    }
}

struct Import<'a> {
    folder: &'a DataDir,
    chain: &'a Chain,
    /// Whether each block is on disk before the next one is executed.
    is_flushed_each: bool,
    counts: Counts,
    skipped: u64,
    timings: Timings,
    teller: Teller<'a>,
    signals: &'a Signals,
}

impl Import<'_> {
    /// Executes what comes, until the end or a signal.
    fn take(&mut self, queue: Receiver<Item>) -> eyre::Result<()> {
        while self.signals.came().is_none() {
            match queue.recv_timeout(Duration::from_millis(100)) {
                Ok(Item::Blocks { blocks, recover }) => {
                    self.timings.recover += recover;
                    for ready in blocks {
                        if self.signals.came().is_some() {
                            return Ok(());
                        }
                        self.block(ready)?;
                    }
                }
                Ok(Item::Skipped(blocks)) => {
                    self.skipped += blocks;
                    self.teller.say(&format!("skipped {blocks} blocks that are there already"));
                }
                Ok(Item::Failed(failure)) => return Err(eyre!(failure)),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
        Ok(())
    }

    fn block(&mut self, Ready { block, place }: Ready) -> eyre::Result<()> {
        let (number, hash) = (block.header().number, block.hash());
        let (gas, transactions) = (block.header().gas_used, block.transactions().len());
        let inserted = match self.chain.import_recovered(block) {
            Ok(inserted) => inserted,
            Err(error @ ChainError::UnknownParent { .. }) => {
                let head = self.chain.head();
                let advice = match number > head.number + 1 {
                    true => format!("import blocks {} to {} first", head.number + 1, number - 1),
                    false => "it is of another chain".to_owned(),
                };
                return Err(eyre!("{place}: {error}: {advice}"));
            }
            Err(error) if error.is_invalid() => return Err(eyre!("{place}: block {number} ({hash}): {error}")),
            // It is not the block that is wrong.
            Err(error) => {
                return Err(explain(self.folder, error)).wrap_err_with(|| format!("at block {number} of {place}"));
            }
        };
        if let Some(divergence) = &inserted.divergence {
            self.teller.say(&format!(
                "warning: block {number}: the parallel execution had to be corrected, please report it: {divergence}"
            ));
        }
        self.timings += inserted.timings;
        if self.is_flushed_each {
            let begin = Instant::now();
            self.chain
                .flush()
                .map_err(|error| explain(self.folder, error))
                .wrap_err_with(|| format!("block {number} ({hash}) cannot be written"))?;
            self.timings.commit += begin.elapsed();
        }
        self.counts.blocks += 1;
        self.counts.transactions += transactions as u64;
        self.counts.gas += gas;
        self.counts.number = number;
        self.teller.tell(&self.counts);
        Ok(())
    }
}
