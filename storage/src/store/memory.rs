//! Tables in memory.
//!
//! Each table is a persistent map: a reader keeps the version it began with at the cost of a pointer, and a writer copies
//! only the paths it changes. So snapshots of a whole store are free, which is what a development node wants.

use super::{
    Cursor, Entry, ReadTransaction, Store, StoreError, StoreSize, Table, TableSize, WriteTransaction, check_entry,
};
use parking_lot::{Mutex, MutexGuard, RwLock};
use rpds::RedBlackTreeMapSync;
use std::{borrow::Cow, ops::Bound, sync::Arc};

type Map = RedBlackTreeMapSync<Vec<u8>, Vec<u8>>;

/// A store that lives as long as the process.
#[derive(Debug)]
pub struct MemoryStore {
    current: RwLock<Tables>,
    writer: Mutex<()>,
}

/// All tables at one moment.
#[derive(Clone, Debug)]
struct Tables(Arc<[Map]>);

impl Default for MemoryStore {
    fn default() -> Self {
        let tables = Table::ALL.iter().map(|_| Map::new_sync()).collect();
        Self { current: RwLock::new(Tables(tables)), writer: Mutex::new(()) }
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A second store with the same content; from here on they go their own ways.
    pub fn duplicate(&self) -> Self {
        Self { current: RwLock::new(self.current.read().clone()), writer: Mutex::new(()) }
    }
}

impl Store for MemoryStore {
    fn begin_read(&self) -> Result<Box<dyn ReadTransaction + Send>, StoreError> {
        Ok(Box::new(self.current.read().clone()))
    }

    fn begin_write(&self) -> Result<Box<dyn WriteTransaction + '_>, StoreError> {
        let writer = self.writer.lock();
        let tables = self.current.read().clone();
        Ok(Box::new(MemoryWrite { store: self, tables, _writer: writer }))
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn size(&self) -> Result<StoreSize, StoreError> {
        let tables = self.current.read().clone();
        let used = Table::ALL.iter().map(|table| tables.size(*table).bytes).sum();
        Ok(StoreSize { file: used, used, free: 0 })
    }
}

impl Tables {
    fn map(&self, table: Table) -> &Map {
        &self.0[table.index()]
    }

    fn map_mut(&mut self, table: Table) -> &mut Map {
        &mut Arc::make_mut(&mut self.0)[table.index()]
    }

    fn size(&self, table: Table) -> TableSize {
        let map = self.map(table);
        let bytes = map.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        TableSize { entries: map.size() as u64, bytes: bytes as u64 }
    }
}

impl ReadTransaction for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        check_entry(table, key, &[])?;
        Ok(self.map(table).get(key).map(|value| Cow::Borrowed(value.as_slice())))
    }

    fn cursor(&self, table: Table) -> Result<Box<dyn Cursor<'_> + '_>, StoreError> {
        Ok(Box::new(MemoryCursor { map: self.map(table), at: None }))
    }

    fn table_size(&self, table: Table) -> Result<TableSize, StoreError> {
        Ok(self.size(table))
    }
}

#[derive(Debug)]
struct MemoryWrite<'a> {
    store: &'a MemoryStore,
    tables: Tables,
    _writer: MutexGuard<'a, ()>,
}

impl ReadTransaction for MemoryWrite<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError> {
        self.tables.get(table, key)
    }

    fn cursor(&self, table: Table) -> Result<Box<dyn Cursor<'_> + '_>, StoreError> {
        self.tables.cursor(table)
    }

    fn table_size(&self, table: Table) -> Result<TableSize, StoreError> {
        self.tables.table_size(table)
    }
}

impl WriteTransaction for MemoryWrite<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        check_entry(table, key, value)?;
        self.tables.map_mut(table).insert_mut(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        check_entry(table, key, &[])?;
        Ok(self.tables.map_mut(table).remove_mut(key))
    }

    fn clear(&mut self, table: Table) -> Result<(), StoreError> {
        *self.tables.map_mut(table) = Map::new_sync();
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        *self.store.current.write() = self.tables;
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryCursor<'tx> {
    map: &'tx Map,
    at: Option<&'tx [u8]>,
}

impl<'tx> MemoryCursor<'tx> {
    fn stand_at(&mut self, entry: Option<(&'tx Vec<u8>, &'tx Vec<u8>)>) -> Option<Entry<'tx>> {
        self.at = entry.map(|(key, _)| key.as_slice());
        entry.map(|(key, value)| (Cow::Borrowed(key.as_slice()), Cow::Borrowed(value.as_slice())))
    }
}

impl<'tx> Cursor<'tx> for MemoryCursor<'tx> {
    fn first(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        let entry = self.map.first();
        Ok(self.stand_at(entry))
    }

    fn last(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        let entry = self.map.last();
        Ok(self.stand_at(entry))
    }

    fn seek(&mut self, key: &[u8]) -> Result<Option<Entry<'tx>>, StoreError> {
        let entry = self.map.range::<[u8], _>((Bound::Included(key), Bound::Unbounded)).next();
        Ok(self.stand_at(entry))
    }

    fn next(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        let Some(at) = self.at else { return Ok(None) };
        let entry = self.map.range::<[u8], _>((Bound::Excluded(at), Bound::Unbounded)).next();
        Ok(self.stand_at(entry))
    }

    fn previous(&mut self) -> Result<Option<Entry<'tx>>, StoreError> {
        let Some(at) = self.at else { return Ok(None) };
        let entry = self.map.range::<[u8], _>((Bound::Unbounded, Bound::Excluded(at))).next_back();
        Ok(self.stand_at(entry))
    }
}
