//! `braid export`: the blocks of a chain into a file.

use crate::{SUCCESS, datadir::DataDir, terminal};
use alloy_primitives::{B256, U256};
use braid_chain::files::{Era1Error, Era1Writer, MAX_RECORDS};
use braid_runtime::Block;
use braid_storage::{Database, StorageError, store::Table};
use clap::{Args, ValueEnum};
use eyre::{WrapErr, bail, eyre};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

const EXAMPLES: &str = "\
Examples:
  braid export chain.rlp --datadir chain/                        every block above genesis
  braid export part.rlp --datadir chain/ --from 100 --to 199
  braid export part.era1 --datadir chain/ --to 8191 --format era1

Works while another process imports.";

/// Write the blocks of a chain into a file that `braid import` and other clients read.
///
/// The file is written under another name and renamed when it is complete. Era1 archives hold up to 8192 blocks from before the merge, with
/// their receipts; receipts from before Byzantium cannot be exported.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportOptions {
    /// File to write.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Folder of the chain.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,

    /// First block [default: the one above genesis].
    #[arg(long, value_name = "N")]
    from: Option<u64>,

    /// Last block [default: the head].
    #[arg(long, value_name = "N")]
    to: Option<u64>,

    /// How the blocks are written.
    #[arg(long, value_enum, default_value_t = Format::Rlp)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Blocks as RLP, one after the other.
    Rlp,
    /// An era1 archive.
    Era1,
}

pub(crate) fn run(options: &ExportOptions) -> eyre::Result<u8> {
    let folder = DataDir::new(&options.datadir);
    let (genesis, database) = folder.open_read_only()?;
    let head = database.head()?;
    let lowest = genesis.genesis.header.number;
    let from = options.from.unwrap_or(lowest + 1);
    let to = options.to.unwrap_or(head.number);
    if to > head.number {
        bail!("block {to} is not there: the chain ends at block {}", head.number);
    }
    if from < lowest {
        bail!("block {from} is not there: the chain begins at block {lowest}");
    }
    if from > to {
        match (options.from, options.to) {
            (None, None) => bail!("there are no blocks above genesis"),
            _ => bail!("block {from} comes after block {to}"),
        }
    }
    let blocks = Blocks { database: &database, lowest, from, to };
    let (bytes, hash) = write_whole(&options.file, |file| match options.format {
        Format::Rlp => blocks.write_rlp(file),
        Format::Era1 => blocks.write_era1(file),
    })?;
    println!("{} blocks, {from} to {to} ({hash}), {bytes} bytes in {}", to - from + 1, options.file.display());
    Ok(SUCCESS)
}

/// Writes a file completely or not at all.
fn write_whole<T>(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> eyre::Result<T>) -> eyre::Result<(u64, T)> {
    let name = path.file_name().ok_or_else(|| eyre!("{} is not the name of a file", path.display()))?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    let partial = path.with_file_name(partial);
    let attempt = || {
        let file = File::create(&partial)?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let value = write(&mut writer)?;
        let file = writer.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        let length = file.metadata()?.len();
        fs::rename(&partial, path)?;
        Ok((length, value))
    };
    attempt()
        .inspect_err(|_: &eyre::Report| drop(fs::remove_file(&partial)))
        .wrap_err_with(|| format!("cannot write {}", path.display()))
}

/// Stored canonical blocks.
struct Blocks<'a> {
    database: &'a Database,
    /// Number of the first block of the chain.
    lowest: u64,
    from: u64,
    to: u64,
}

impl Blocks<'_> {
    fn write_rlp(&self, file: &mut impl Write) -> eyre::Result<B256> {
        self.each(|block| Ok(file.write_all(&alloy_rlp::encode(block))?))
    }

    fn write_era1(&self, file: &mut impl Write) -> eyre::Result<B256> {
        if self.to - self.from >= MAX_RECORDS as u64 {
            return Err(Era1Error::TooManyBlocks).wrap_err("choose fewer with --from and --to");
        }
        let mut total_difficulty = U256::ZERO;
        for number in self.lowest..self.from {
            total_difficulty = total_difficulty.saturating_add(self.header(number)?.difficulty);
        }
        let mut writer = Era1Writer::new(file)?;
        let last = self.each(|block| {
            total_difficulty = total_difficulty.saturating_add(block.header.difficulty);
            let number = block.header.number;
            let receipts = self.database.receipts(number)?;
            let receipts = receipts.ok_or(StorageError::MissingBlock { table: Table::Receipts, number })?;
            Ok(writer.push(block, &receipts, total_difficulty)?)
        })?;
        writer.finish()?;
        Ok(last)
    }

    fn header(&self, number: u64) -> Result<alloy_consensus::Header, StorageError> {
        self.database.header(number)?.ok_or(StorageError::MissingBlock { table: Table::Headers, number })
    }

    /// Gives each block; the hash of the last is the result.
    fn each(&self, mut write: impl FnMut(&Block) -> eyre::Result<()>) -> eyre::Result<B256> {
        let bar = terminal::progress(Some(self.to - self.from + 1), "blocks");
        let mut parent = None;
        for number in self.from..=self.to {
            let header = self.header(number)?;
            if parent.is_some_and(|parent| parent != header.parent_hash) {
                bail!("the chain changed at block {number} while it was read: run the command again");
            }
            let hash = header.hash_slow();
            let body = self.database.body(number)?;
            let body = body.ok_or(StorageError::MissingBlock { table: Table::Bodies, number })?;
            write(&Block::new(header, body))?;
            parent = Some(hash);
            bar.inc(1);
        }
        bar.finish_and_clear();
        parent.ok_or_else(|| eyre!("no blocks"))
    }
}
