//! Local transactions in a file, so that they survive a restart.
//!
//! The file is a row of transactions in their network form (EIP-2718 in RLP, the layout of geth's `transactions.rlp`). New ones are appended; when much of
//! what stands there has left the pool, the file is written anew beside the old one and takes its place. A process that was killed may leave a last transaction
//! that is cut: it is dropped.

use super::{Origin, PoolTransaction, PooledTransaction, TransactionPool};
use crate::senders::impersonated_sender;
use alloy_consensus::transaction::Recovered;
use alloy_eips::{Decodable2718, Encodable2718};
use alloy_rlp::Header;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A journal is written anew when it has grown by so many bytes, or by its own length if that is more.
const GROWTH: u64 = 4 << 20;

/// A journal that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("journal of transactions {}: {source}", path.display())]
pub struct JournalError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub source: io::Error,
}

/// What a journal had at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalContent {
    /// Transactions that are in the pool again.
    pub loaded: usize,
    /// Transactions that the pool refused: most of them are in blocks by now.
    pub refused: usize,
    /// Places that are no transactions, a cut one at the end included.
    pub damaged: usize,
}

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: BufWriter<File>,
    /// Bytes when it was last written anew, and since then.
    base: u64,
    grown: u64,
}

impl Journal {
    /// Writes a journal of these transactions in place of the one that is there.
    fn create(path: &Path, transactions: &[Arc<PoolTransaction>]) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut file = BufWriter::new(File::create(&new)?);
        let base = append(&mut file, transactions.iter())?;
        file.get_ref().sync_data()?;
        fs::rename(&new, path)?;
        Ok(Self { path: path.to_owned(), file, base, grown: 0 })
    }
}

/// Writes transactions and gives their length in bytes.
fn append<'a>(
    file: &mut BufWriter<File>,
    transactions: impl Iterator<Item = &'a Arc<PoolTransaction>>,
) -> io::Result<u64> {
    let mut bytes = 0;
    let mut encoded = Vec::new();
    for transaction in transactions {
        encoded.clear();
        transaction.pooled().network_encode(&mut encoded);
        file.write_all(&encoded)?;
        bytes += encoded.len() as u64;
    }
    file.flush()?;
    Ok(bytes)
}

/// The transactions of a file, and how many places are none.
fn parse(mut bytes: &[u8]) -> (Vec<PooledTransaction>, usize) {
    let (mut transactions, mut damaged) = (Vec::new(), 0);
    while !bytes.is_empty() {
        let mut rest = bytes;
        let Ok(header) = Header::decode(&mut rest) else {
            return (transactions, damaged + 1);
        };
        let length = bytes.len() - rest.len() + header.payload_length;
        let Some((mut item, rest)) = bytes.split_at_checked(length) else {
            return (transactions, damaged + 1);
        };
        bytes = rest;
        match PooledTransaction::network_decode(&mut item) {
            Ok(transaction) if item.is_empty() => transactions.push(transaction),
            _ => damaged += 1,
        }
    }
    (transactions, damaged)
}

impl TransactionPool {
    /// Takes the transactions of a journal, which need not be there yet, and writes the local ones to it from now on.
    ///
    /// # Errors
    /// The file cannot be read or written. What is damaged in it is no error.
    pub fn open_journal(&self, path: &Path) -> Result<JournalContent, JournalError> {
        let fail = |source| JournalError { path: path.to_owned(), source };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fail(error)),
        };
        let (transactions, damaged) = parse(&bytes);
        drop(bytes);
        let mut content = JournalContent { damaged, ..JournalContent::default() };
        for transaction in transactions {
            let recovered = match impersonated_sender(transaction.signature()) {
                Some(sender) => Ok(Recovered::new_unchecked(transaction, sender)),
                None => self.recover(transaction),
            };
            match recovered.and_then(|transaction| self.add(transaction, Origin::Local)) {
                Ok(_) => content.loaded += 1,
                Err(_) => content.refused += 1,
            }
        }
        let mut journal = self.journal.lock();
        *journal = Some(Journal::create(path, &self.local()).map_err(fail)?);
        Ok(content)
    }

    /// Writes the journal anew with the local transactions that are in the pool, and to the disk. Does nothing without a journal.
    ///
    /// # Errors
    /// The file cannot be written; the old one is still there.
    pub fn rotate_journal(&self) -> Result<(), JournalError> {
        let mut journal = self.journal.lock();
        let Some(path) = journal.as_ref().map(|journal| journal.path.clone()) else { return Ok(()) };
        let new = Journal::create(&path, &self.local()).map_err(|source| JournalError { path, source })?;
        *journal = Some(new);
        Ok(())
    }

    /// Adds local transactions to the journal. If that fails no more is written: the pool works without.
    pub(super) fn write_journal<'a>(&self, transactions: impl Iterator<Item = &'a Arc<PoolTransaction>>) {
        let mut guard = self.journal.lock();
        let Some(journal) = guard.as_mut() else { return };
        let local = transactions.filter(|transaction| transaction.origin() == Origin::Local);
        let mut result = append(&mut journal.file, local).map(|bytes| journal.grown += bytes);
        if result.is_ok() && journal.grown > GROWTH.max(journal.base) {
            result = Journal::create(&journal.path, &self.local()).map(|new| *journal = new);
        }
        if let Err(error) = result {
            tracing::warn!(path = %journal.path.display(), %error, "the journal of transactions is not written any more");
            *guard = None;
        }
    }

    /// Local transactions in the order in which they came.
    fn local(&self) -> Vec<Arc<PoolTransaction>> {
        let book = self.book.lock();
        let mut local: Vec<_> =
            book.all().filter(|transaction| transaction.origin() == Origin::Local).map(Arc::clone).collect();
        drop(book);
        local.sort_unstable_by_key(|transaction| transaction.number);
        local
    }
}
