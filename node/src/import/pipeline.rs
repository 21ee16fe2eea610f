//! Reading, decoding and recovering senders, ahead of execution.
//!
//! One thread reads batches of blocks, skips what is there already, and recovers the senders of a whole batch on all
//! threads of the process; whoever executes takes them from a short queue. Order is kept, and an error stands where its
//! block would.

use braid_chain::{
    Chain, ChainError, FileError,
    files::{BlockFile, PlacedBlock, Progress},
};
use braid_runtime::{RecoveredBlock, block::RecoverError};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

/// Transactions of one batch, unless a single block has more.
const TRANSACTIONS: usize = 4096;
/// Blocks of one batch.
const BLOCKS: usize = 256;

/// What the reader gives to whoever executes.
pub(super) enum Item {
    /// Blocks whose senders are known, and how long that took.
    Blocks { blocks: Vec<Ready>, recover: Duration },
    /// Blocks of the file that are there already.
    Skipped(u64),
    /// The end of everything: what is wrong.
    Failed(Failure),
}

/// A block whose senders are known.
pub(super) struct Ready {
    pub(super) block: RecoveredBlock,
    pub(super) place: Place,
}

/// Where a block stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    pub(super) offset: Option<u64>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.offset {
            Some(offset) => write!(f, ", byte {offset}"),
            None => Ok(()),
        }
    }
}

/// Why no more blocks come.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{place}: block {number} ({hash}): {source}")]
    Senders { place: Place, number: u64, hash: alloy_primitives::B256, source: RecoverError },
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Which file is read, and how far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes of the files that are done.
    done: u64,
    current: Option<Progress>,
    /// Bytes of all files; `None` where some file does not say.
    total: Option<u64>,
}

impl Reading {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        let lengths = files.iter().map(|file| {
            let metadata = std::fs::metadata(file).ok()?;
            metadata.is_file().then_some(metadata.len())
        });
        Self { state: Mutex::new(State { total: lengths.sum(), ..State::default() }) }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done + state.current.as_ref().map_or(0, Progress::position)
    }

    /// Bytes to be read.
    pub(super) fn total(&self) -> Option<u64> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    fn begin(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let done = state.current.take().map_or(0, |progress| progress.length().unwrap_or_default());
        state.done += done;
        state.current = Some(progress);
    }
}

/// Reads the files one after the other until the end, an error, or until nobody takes what is read.
pub(super) fn read(files: &[PathBuf], chain: &Chain, reading: &Reading, queue: &SyncSender<Item>) {
    let mut reader = Reader { chain, queue, batch: Vec::new(), transactions: 0, skipped: 0 };
    for file in files {
        match reader.file(file, reading) {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => {
                // What came before it is still good.
                if reader.send_batch().unwrap_or(false) {
                    let _ = queue.send(Item::Failed(failure));
                }
                return;
            }
        }
    }
    if let Err(failure) = reader.send_batch() {
        let _ = queue.send(Item::Failed(failure));
    }
}

struct Reader<'a> {
    chain: &'a Chain,
    queue: &'a SyncSender<Item>,
    batch: Vec<(PlacedBlock, PathBuf)>,
    transactions: usize,
    skipped: u64,
}

impl Reader<'_> {
    /// Whether to go on.
    fn file(&mut self, path: &Path, reading: &Reading) -> Result<bool, Failure> {
        let file = BlockFile::open(path)?;
        reading.begin(file.progress());
        for block in file {
            let block = block?;
            if self.is_there(&block)? {
                self.skipped += 1;
                continue;
            }
            self.transactions += block.block.body.transactions.len();
            self.batch.push((block, path.to_path_buf()));
            if (self.transactions >= TRANSACTIONS || self.batch.len() >= BLOCKS) && !self.send_batch()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_there(&self, block: &PlacedBlock) -> Result<bool, Failure> {
        let header = &block.block.header;
        // Only what is stored: what is in memory came from here, and comes no second time.
        let stored = self.chain.database().block_hash(header.number).map_err(ChainError::from)?;
        Ok(stored.is_some_and(|stored| stored == header.hash_slow()))
    }

    /// Recovers the senders of what was gathered and passes it on. Tells whether somebody takes it; an error stands behind the
    /// blocks before it.
    fn send_batch(&mut self) -> Result<bool, Failure> {
        if self.skipped > 0 && self.queue.send(Item::Skipped(std::mem::take(&mut self.skipped))).is_err() {
            return Ok(false);
        }
        if self.batch.is_empty() {
            return Ok(true);
        }
        self.transactions = 0;
        let begin = Instant::now();
        let spec = self.chain.spec();
        let recovered: Vec<Result<Ready, Failure>> = std::mem::take(&mut self.batch)
            .into_par_iter()
            .map(|(PlacedBlock { block, offset }, file)| {
                let (number, hash) = (block.header.number, block.header.hash_slow());
                let place = Place { file, offset };
                match RecoveredBlock::recover(block, spec) {
                    Ok(block) => Ok(Ready { block, place }),
                    Err(source) => Err(Failure::Senders { place, number, hash, source }),
                }
            })
            .collect();
        let recover = begin.elapsed();
        let mut blocks = Vec::with_capacity(recovered.len());
        let mut failure = None;
        for result in recovered {
            match result {
                Ok(ready) => blocks.push(ready),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        let is_taken = self.queue.send(Item::Blocks { blocks, recover }).is_ok();
        match failure {
            Some(failure) if is_taken => Err(failure),
            _ => Ok(is_taken),
        }
    }
}
