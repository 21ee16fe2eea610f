//! Importing a whole chain: decoding, senders, execution, roots, commits; on one core, with serial execution, and in parallel.

use crate::defi_chain::{DefiChain, DefiChainError};
use alloy_rlp::Decodable;
use braid_chain::{Chain, ChainError, ChainOptions, Timings};
use braid_runtime::{Block, EngineConfig, Mode, RecoveredBlock};
use braid_storage::Database;
use std::{
    sync::mpsc::sync_channel,
    time::{Duration, Instant},
};

/// How a chain is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Everything on one core, blocks executed serially.
    OneCore,
    /// Senders recovered ahead and blocks written behind on all cores, blocks executed serially.
    Pipelined,
    /// The same, and blocks executed in parallel.
    Parallel,
}

impl ImportMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OneCore, Self::Pipelined, Self::Parallel];

    /// Name for tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneCore => "one core, serial",
            Self::Pipelined => "pipelined, serial execution",
            Self::Parallel => "parallel",
        }
    }
}

/// What an import took.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportFigures {
    /// From the first byte to the last durable block.
    pub wall: Duration,
    /// Processor time of all threads.
    pub cpu: Duration,
    /// The parts, as the chain measured them.
    pub timings: Timings,
    /// Writing what was left at the end.
    pub flush: Duration,
}

/// Blocks decoded and recovered ahead of execution.
const AHEAD: usize = 16;

/// The encoded blocks of a chain.
pub fn encode(chain: &DefiChain) -> Vec<Vec<u8>> {
    chain.blocks.iter().map(alloy_rlp::encode).collect()
}

/// Imports encoded blocks into a database that holds nothing but the genesis.
pub fn import(
    chain: &DefiChain,
    encoded: &[Vec<u8>],
    database: Database,
    mode: ImportMode,
    threads: usize,
    blocks_per_commit: usize,
) -> Result<ImportFigures, DefiChainError> {
    let execution = match mode {
        ImportMode::Parallel => EngineConfig { threads, ..EngineConfig::default() },
        _ => EngineConfig { mode: Mode::Serial, ..EngineConfig::default() },
    };
    let options = ChainOptions { execution, blocks_in_memory: 0, blocks_per_commit, ..ChainOptions::default() };
    let target = Chain::new(database, chain.spec.clone(), options)?;
    let cores = if mode == ImportMode::OneCore { 1 } else { threads };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("threads can be started");
    let cpu = process_time();
    let begin = Instant::now();
    let mut timings = Timings::default();
    let recover = |bytes: &Vec<u8>| -> Result<(RecoveredBlock, Duration), ChainError> {
        let begin = Instant::now();
        let block = Block::decode(&mut bytes.as_slice()).expect("the blocks are our own");
        let senders = target.senders().recover(&block, target.spec())?;
        Ok((RecoveredBlock::new_unchecked(block, senders), begin.elapsed()))
    };
    let mut take = |(block, recover): (RecoveredBlock, Duration)| -> Result<(), ChainError> {
        let inserted = target.import_recovered(block)?;
        assert!(inserted.is_head && inserted.divergence.is_none(), "{inserted:?}");
        timings += inserted.timings;
        timings.recover += recover;
        Ok(())
    };
    if mode == ImportMode::OneCore {
        pool.install(|| encoded.iter().try_for_each(|bytes| take(recover(bytes)?)))?;
    } else {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || {
                for bytes in encoded {
                    if sender.send(recover(bytes)).is_err() {
                        return;
                    }
                }
            });
            receiver.into_iter().try_for_each(|recovered| take(recovered?))
        })?;
    }
    let last = Instant::now();
    let head = target.flush()?;
    let flush = last.elapsed();
    assert_eq!(head.number as usize, encoded.len());
    Ok(ImportFigures { wall: begin.elapsed(), cpu: process_time() - cpu, timings, flush })
}

pub(crate) fn process_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes a time of this type.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Lets the process run on one core only, or on all of those that it had.
#[derive(Debug)]
pub struct Cores {
    all: libc::cpu_set_t,
}

impl Cores {
    /// The cores that the process may use now.
    pub fn available() -> Self {
        // SAFETY: a set of no cores is a valid value, and the call fills it in.
        let all = unsafe {
            let mut all: libc::cpu_set_t = std::mem::zeroed();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut all);
            all
        };
        Self { all }
    }

    /// Restricts this thread, and those that it starts, to the first core.
    pub fn use_one(&self) {
        // SAFETY: both sets are valid for the whole call.
        unsafe {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            let first = (0..libc::CPU_SETSIZE as usize).find(|core| libc::CPU_ISSET(*core, &self.all));
            libc::CPU_SET(first.unwrap_or_default(), &mut one);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &one);
        }
    }

    /// Gives this thread all cores again.
    pub fn use_all(&self) {
        // SAFETY: the set was filled in by the kernel.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &self.all) };
    }
}
