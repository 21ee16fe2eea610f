//! Tables in an MDBX file.
//!
//! Every call into the engine passes through this file, so this is where its traps are kept shut: sizes are checked
//! before the call because the engine would end the process, write transactions stay on the thread that began them, and
//! table handles are opened once, in a transaction that is committed, and a value of no bytes is not looked at because its
//! place may lie in another page. One trap stays open: pages have no checksums, and some damage makes the engine end the
//! process by a signal.

use super::{
    Cursor, Entry, ReadTransaction, Store, StoreError, StoreSize, Table, TableSize, WriteTransaction, check_entry,
    disk,
    lock::{self, WriterLock},
};
use signet_libmdbx::{
    Database, DatabaseFlags, Environment, EnvironmentFlags, Geometry, MdbxError, Mode, ReadResult, SyncMode,
    TableObject, TransactionKind, WriteFlags, ffi,
    tx::aliases::{RoTxUnsync, RwTxUnsync},
};
use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

/// When a commit is forced onto the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// With every commit.
    #[default]
    EveryCommit,
    /// When [`Store::sync`] is called. A crash of the operating system falls back to the commit that was last synced, a
    /// crash of the process alone loses nothing.
    OnRequest,
}

/// How an MDBX store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MdbxOptions {
    /// When commits reach the disk.
    pub sync: SyncPolicy,
    /// Largest size of the file in bytes; address space is reserved for it.
    pub size_limit: usize,
    /// Bytes by which the file grows.
    pub growth_step: usize,
    /// Number of read transactions that may be open at once, over all processes.
    pub max_readers: u64,
    /// Bytes of changed pages that a write transaction keeps on the heap; more are written to the file before the commit. Everything is written in the
    /// order of its keys, so hardly a page is wanted again after that.
    pub dirty_bytes: usize,
}

impl Default for MdbxOptions {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::EveryCommit,
            size_limit: 4 << 40,
            growth_step: 64 << 20,
            max_readers: 1024,
            dirty_bytes: 256 << 20,
        }
    }
}

/// A store in a folder.
#[derive(Debug)]
pub struct MdbxStore {
    environment: Environment,
    tables: Arc<[Database]>,
    limit: usize,
    path: PathBuf,
    /// `None` when opened read-only.
    writer: Option<WriterLock>,
}

/// What a failed write amounts to for the operating system (`EIO`).
const INPUT_OUTPUT: MdbxError = MdbxError::Other(5);
/// Name of the data file in the folder of a store.
const DATA_FILE: &str = "mdbx.dat";
/// Bytes of the smallest file that the engine itself writes: three pages of the smallest size of this crate's files.
const HEADER_LENGTH: u64 = 3 * 4096;
/// Bytes of a page, at least.
const PAGE: usize = 4096;
/// Fewer dirty pages are not taken by the engine.
const MIN_DIRTY_PAGES: usize = 1024;
/// How often a file that was not closed in order is tried to be opened for reading.
const RECOVERIES: usize = 20;
/// How long another process may take to make such a file readable, each time.
const RECOVERY_TIME: Duration = Duration::from_millis(50);
/// Name of the new data file while it is written.
const COPY_FILE: &str = "mdbx.dat.compacting";

impl MdbxStore {
    /// Opens the store of a folder for reading and writing, and makes it if there is none.
    pub fn open(path: &Path, options: MdbxOptions) -> Result<Self, StoreError> {
        lock::make_folder(path)?;
        let writer = WriterLock::take(path)?;
        let sync_mode = match options.sync {
            SyncPolicy::EveryCommit => SyncMode::Durable,
            SyncPolicy::OnRequest => SyncMode::SafeNoSync,
        };
        let environment = open_environment(path, options, Mode::ReadWrite { sync_mode }, false)?;
        let failed = |source| open_error(path, options.size_limit, source);
        let transaction = environment.begin_rw_unsync().map_err(failed)?;
        let tables = Table::ALL
            .iter()
            .map(|table| transaction.create_db(Some(table.name()), DatabaseFlags::empty()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self { environment, tables, limit: options.size_limit, path: path.to_path_buf(), writer: Some(writer) })
    }

    /// Whether there is a store in a folder.
    pub fn exists(path: &Path) -> bool {
        path.join(DATA_FILE).is_file()
    }

    /// Replaces the file of a folder with a copy without free pages. Gives its length in bytes before and after.
    ///
    /// Nobody else may have the store open, not even for reading. A crash leaves the old file or the new one.
    pub fn compact(path: &Path, options: MdbxOptions) -> Result<(u64, u64), StoreError> {
        if !Self::exists(path) {
            return Err(StoreError::Missing(path.to_path_buf()));
        }
        let _writer = WriterLock::take(path)?;
        let (data, copy) = (path.join(DATA_FILE), path.join(COPY_FILE));
        let length = |file: &Path| fs::metadata(file).map_or(0, |metadata| metadata.len());
        let failed = |source| StoreError::Folder { path: copy.clone(), source };
        if copy.exists() {
            fs::remove_file(&copy).map_err(failed)?;
        }
        let before = length(&data);
        let mode = Mode::ReadWrite { sync_mode: SyncMode::Durable };
        let environment = open_environment(path, options, mode, true)?;
        let copied = copy_compacted(&environment, &copy, options.size_limit);
        drop(environment);
        if let Err(error) = copied {
            // What was written so far is of no use; that it may stay behind is no reason to hide the error.
            let _ = fs::remove_file(&copy);
            return Err(error);
        }
        fs::File::open(&copy).and_then(|file| file.sync_all()).map_err(failed)?;
        fs::rename(&copy, &data).map_err(failed)?;
        fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok((before, length(&data)))
    }

    /// Opens the store of a folder for reading, beside a writer in this or another process or without one.
    pub fn open_read_only(path: &Path, options: MdbxOptions) -> Result<Self, StoreError> {
        if !Self::exists(path) {
            return Err(StoreError::Missing(path.to_path_buf()));
        }
        let environment = open_for_reading(path, options)?;
        // Another process may be making it at this moment.
        let failed = |source| match source {
            MdbxError::NotFound | MdbxError::NoData => StoreError::Missing(path.to_path_buf()),
            source => open_error(path, options.size_limit, source),
        };
        let transaction = environment.begin_ro_unsync().map_err(failed)?;
        let tables = Table::ALL
            .iter()
            .map(|table| transaction.open_db(Some(table.name())))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        // Table handles outlive the transaction that opened them only if it is committed.
        transaction.commit().map_err(failed)?;
        Ok(Self { environment, tables, limit: options.size_limit, path: path.to_path_buf(), writer: None })
    }

    /// Folder of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the store can be written.
    pub fn is_writable(&self) -> bool {
        self.writer.is_some()
    }
}

/// Writes a copy without free pages to a new file.
fn copy_compacted(environment: &Environment, target: &Path, limit: usize) -> Result<(), StoreError> {
    use std::{ffi::CString, os::unix::ffi::OsStrExt};
    let name = CString::new(target.as_os_str().as_bytes()).map_err(|_| StoreError::Folder {
        path: target.to_path_buf(),
        source: std::io::ErrorKind::InvalidInput.into(),
    })?;
    let code = environment.with_raw_env_ptr(|environment| {
        // SAFETY: the environment is open as long as it is borrowed, and `name` is a string that ends with a zero byte.
        unsafe { ffi::mdbx_env_copy(environment, name.as_ptr(), ffi::MDBX_CP_COMPACT) }
    });
    match code {
        ffi::MDBX_SUCCESS => Ok(()),
        code => Err(StoreError::engine("copy the database", limit, MdbxError::from_err_code(code))),
    }
}

fn open_error(path: &Path, limit: usize, source: MdbxError) -> StoreError {
    match StoreError::engine("open it", limit, source) {
        error @ (StoreError::DiskFull(_) | StoreError::SizeLimit { .. }) => error,
        _ => StoreError::Open { path: path.to_path_buf(), source },
    }
}

fn open_environment(path: &Path, options: MdbxOptions, mode: Mode, exclusive: bool) -> Result<Environment, StoreError> {
    // The engine takes a file without a whole header for a new one, and would write over it.
    let length = fs::metadata(path.join(DATA_FILE)).map_or(0, |metadata| metadata.len());
    if (1..HEADER_LENGTH).contains(&length) {
        return Err(StoreError::Open { path: path.to_path_buf(), source: MdbxError::Invalid });
    }
    let mut builder = Environment::builder();
    builder.set_flags(EnvironmentFlags { mode, exclusive, no_rdahead: true, coalesce: true, ..Default::default() });
    builder.set_max_dbs(Table::ALL.len() + 1);
    builder.set_max_readers(options.max_readers);
    if matches!(mode, Mode::ReadWrite { .. }) {
        builder.set_txn_dp_limit((options.dirty_bytes / PAGE).max(MIN_DIRTY_PAGES) as u64);
        builder.set_geometry(Geometry {
            size: Some(0..options.size_limit),
            growth_step: Some(options.growth_step as isize),
            shrink_threshold: Some(4 * options.growth_step as isize),
            page_size: None,
        });
    }
    builder.open(path).map_err(|source| open_error(path, options.size_limit, source))
}

/// Opens a file for reading. Where the last process that wrote it ended without a last sync, it has to be opened for writing
/// once; that changes nothing about what is in it.
fn open_for_reading(path: &Path, options: MdbxOptions) -> Result<Environment, StoreError> {
    for _ in 0..RECOVERIES {
        match open_environment(path, options, Mode::ReadOnly, false) {
            Err(StoreError::Open { source: MdbxError::WannaRecovery, .. }) => {}
            // A file of no bytes: another process may be making it at this moment.
            Err(StoreError::Open { source: MdbxError::NoData, .. }) => {
                return Err(StoreError::Missing(path.to_path_buf()));
            }
            result => return result,
        }
        match WriterLock::take(path) {
            Ok(_writer) => {
                let mode = Mode::ReadWrite { sync_mode: SyncMode::Durable };
                let environment = open_environment(path, options, mode, false)?;
                environment.sync(true).map_err(|source| open_error(path, options.size_limit, source))?;
            }
            // Then that process does it.
            Err(StoreError::InUse { .. }) => thread::sleep(RECOVERY_TIME),
            Err(error) => return Err(error),
        }
    }
    open_environment(path, options, Mode::ReadOnly, false)
}

impl Store for MdbxStore {
    fn begin_read(&self) -> Result<Box<dyn ReadTransaction + Send>, StoreError> {
        let transaction = self
            .environment
            .begin_ro_unsync()
            .map_err(|source| StoreError::engine("begin a read transaction", self.limit, source))?;
        Ok(Box::new(MdbxRead { transaction, tables: self.tables.clone(), limit: self.limit }))
    }

    fn begin_write(&self) -> Result<Box<dyn WriteTransaction + '_>, StoreError> {
        if self.writer.is_none() {
            return Err(StoreError::ReadOnly);
        }
        let transaction = self
            .environment
            .begin_rw_unsync()
            .map_err(|source| StoreError::engine("begin a write transaction", self.limit, source))?;
        Ok(Box::new(MdbxWrite { transaction, tables: &self.tables, limit: self.limit, path: &self.path }))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.environment
            .sync(true)
            .map(drop)
            .map_err(|source| StoreError::engine("flush to the disk", self.limit, source))
    }

    fn size(&self) -> Result<StoreSize, StoreError> {
        let failed = |source| StoreError::engine("read its size", self.limit, source);
        let page = u64::from(self.environment.stat().map_err(failed)?.page_size());
        let info = self.environment.info().map_err(failed)?;
        let free = self
            .environment
            .freelist()
            .map_err(|source| StoreError::read("read its list of free pages", self.limit, source))?;
        let file = fs::metadata(self.path.join(DATA_FILE)).map_or(0, |metadata| metadata.len());
        Ok(StoreSize { file, used: (info.last_pgno() as u64 + 1) * page, free: free as u64 * page })
    }
}

impl Drop for MdbxStore {
    fn drop(&mut self) {
        if self.writer.is_some() {
            // Nothing can be done about a failure here; the last steady commit stays.
            let _ = self.environment.sync(true);
        }
    }
}

#[derive(Debug)]
struct MdbxRead {
    transaction: RoTxUnsync,
    tables: Arc<[Database]>,
    limit: usize,
}

#[derive(Debug)]
struct MdbxWrite<'a> {
    transaction: RwTxUnsync,
    tables: &'a [Database],
    limit: usize,
    path: &'a Path,
}

macro_rules! read_transaction {
    ($type:ty) => {
        impl ReadTransaction for $type {
            fn get(&self, table: Table, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
                check_entry(table, key, &[])?;
                let value: Option<Value<'_>> = self
                    .transaction
                    .get(self.tables[table.index()].dbi(), key)
                    .map_err(|source| StoreError::read("read a value", self.limit, source))?;
                Ok(value.map(|Value(value)| value))
            }

            fn cursor(&self, table: Table) -> Result<Box<dyn Cursor<'_> + '_>, StoreError> {
                let cursor = self
                    .transaction
                    .cursor(self.tables[table.index()])
                    .map_err(|source| StoreError::engine("open a cursor", self.limit, source))?;
                Ok(Box::new(MdbxCursor { cursor, table, limit: self.limit }))
            }

            fn table_size(&self, table: Table) -> Result<TableSize, StoreError> {
                let stat = self
                    .transaction
                    .db_stat(&self.tables[table.index()])
                    .map_err(|source| StoreError::engine("read the size of a table", self.limit, source))?;
                let pages = stat.branch_pages() + stat.leaf_pages() + stat.overflow_pages();
                Ok(TableSize { entries: stat.entries() as u64, bytes: pages as u64 * u64::from(stat.page_size()) })
            }
        }
    };
}

read_transaction!(MdbxRead);
read_transaction!(MdbxWrite<'_>);

impl WriteTransaction for MdbxWrite<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        check_entry(table, key, value)?;
        self.transaction
            .put(self.tables[table.index()], key, value, WriteFlags::UPSERT)
            .map_err(|source| StoreError::engine("write a value", self.limit, source))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        check_entry(table, key, &[])?;
        self.transaction
            .del(self.tables[table.index()], key, None)
            .map_err(|source| StoreError::engine("remove a value", self.limit, source))
    }

    fn clear(&mut self, table: Table) -> Result<(), StoreError> {
        self.transaction
            .clear_db(self.tables[table.index()])
            .map_err(|source| StoreError::engine("clear a table", self.limit, source))
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let Self { transaction, limit, path, .. } = *self;
        transaction.commit().map_err(|source| match StoreError::engine("commit", limit, source) {
            // The engine gives this for a write that was cut short.
            StoreError::Engine { .. } if source == INPUT_OUTPUT && disk::is_full(path) => {
                StoreError::DiskFull("commit")
            }
            error => error,
        })
    }
}

struct MdbxCursor<'tx, K: TransactionKind> {
    cursor: signet_libmdbx::Cursor<'tx, K>,
    table: Table,
    limit: usize,
}

/// A key or a value as it stands in a page.
struct Value<'tx>(Cow<'tx, [u8]>);

impl<'tx> TableObject<'tx> for Value<'tx> {
    fn decode_borrow(data: Cow<'tx, [u8]>) -> ReadResult<Self> {
        Ok(Self(data))
    }

    unsafe fn decode_val<K: TransactionKind>(
        transaction: *const ffi::MDBX_txn,
        value: ffi::MDBX_val,
    ) -> ReadResult<Self> {
        // No bytes at the end of a page seem to lie in the next page, about which the engine would be asked in vain.
        if value.iov_len == 0 {
            return Ok(Self(Cow::Borrowed(&[])));
        }
        // SAFETY: what the caller has to ensure is the same.
        unsafe { Cow::decode_val::<K>(transaction, value) }.map(Self)
    }
}

impl<'tx, K: TransactionKind> MdbxCursor<'tx, K> {
    fn entry(
        &mut self,
        step: impl FnOnce(&mut signet_libmdbx::Cursor<'tx, K>) -> ReadResult<Option<(Value<'tx>, Value<'tx>)>>,
    ) -> Result<Option<Entry<'tx>>, StoreError> {
        let entry = step(&mut self.cursor).map_err(|source| StoreError::read("move a cursor", self.limit, source))?;
        Ok(entry.map(|(Value(key), Value(value))| (key, value)))
    }
}

impl<'tx, K: TransactionKind> Cursor<'tx> for MdbxCursor<'tx, K> {
    fn first(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        self.entry(|cursor| cursor.first())
    }

    fn last(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        self.entry(|cursor| cursor.last())
    }

    fn seek(&mut self, key: &[u8]) -> Result<Option<Entry<'tx>>, StoreError> {
        check_entry(self.table, key, &[])?;
        self.entry(|cursor| cursor.set_range(key))
    }

    fn next(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        self.entry(|cursor| cursor.next())
    }

    fn previous(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        self.entry(|cursor| cursor.prev())
    }
}
