//! The same tests for every backend.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Runs a check against an empty store of each kind.
fn with_each_store(check: impl Fn(&dyn Store)) {
    check(&MemoryStore::new());
    let folder = tempfile::tempdir().unwrap();
    check(&MdbxStore::open(folder.path(), small()).unwrap());
}

fn small() -> MdbxOptions {
    MdbxOptions { size_limit: 1 << 30, growth_step: 1 << 20, ..Default::default() }
}

fn contents(transaction: &dyn ReadTransaction, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = Vec::new();
    for_each_with_prefix(transaction, table, &[], |key, value| entries.push((key.to_vec(), value.to_vec()))).unwrap();
    entries
}

fn put(store: &dyn Store, table: Table, entries: &[(&[u8], &[u8])]) {
    let mut transaction = store.begin_write().unwrap();
    for (key, value) in entries {
        transaction.put(table, key, value).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn what_is_committed_is_read_back_in_order() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"b", b"2"), (b"a", b"1"), (b"c", b""), (b"b", b"3")]);
        let read = store.begin_read().unwrap();
        assert_eq!(read.get(Table::Accounts, b"b").unwrap().as_deref(), Some(&b"3"[..]));
        assert_eq!(read.get(Table::Accounts, b"c").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(read.get(Table::Accounts, b"d").unwrap(), None);
        assert_eq!(read.get(Table::Storage, b"a").unwrap(), None, "tables are separate");
        let keys: Vec<_> = contents(&*read, Table::Accounts).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"a", b"b", b"c"]);
        assert_eq!(read.table_size(Table::Accounts).unwrap().entries, 3);
    });
}

#[test]
fn a_write_sees_itself_and_is_seen_only_after_its_commit() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"a", b"1")]);
        let before = store.begin_read().unwrap();
        let mut write = store.begin_write().unwrap();
        write.put(Table::Accounts, b"a", b"2").unwrap();
        assert_eq!(write.get(Table::Accounts, b"a").unwrap().as_deref(), Some(&b"2"[..]));
        let during = store.begin_read().unwrap();
        write.commit().unwrap();
        let after = store.begin_read().unwrap();
        assert_eq!(before.get(Table::Accounts, b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(during.get(Table::Accounts, b"a").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(after.get(Table::Accounts, b"a").unwrap().as_deref(), Some(&b"2"[..]));
    });
}

#[test]
fn a_dropped_write_leaves_nothing() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"a", b"1")]);
        let mut write = store.begin_write().unwrap();
        write.put(Table::Accounts, b"b", b"2").unwrap();
        assert!(write.delete(Table::Accounts, b"a").unwrap());
        write.clear(Table::Accounts).unwrap();
        drop(write);
        let read = store.begin_read().unwrap();
        assert_eq!(contents(&*read, Table::Accounts), [(b"a".to_vec(), b"1".to_vec())]);
    });
}

#[test]
fn deletes_and_clears() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"a", b"1"), (b"b", b"2")]);
        let mut write = store.begin_write().unwrap();
        assert!(write.delete(Table::Accounts, b"a").unwrap());
        assert!(!write.delete(Table::Accounts, b"a").unwrap());
        write.commit().unwrap();
        assert_eq!(contents(&*store.begin_read().unwrap(), Table::Accounts).len(), 1);
        let mut write = store.begin_write().unwrap();
        write.clear(Table::Accounts).unwrap();
        write.commit().unwrap();
        assert!(contents(&*store.begin_read().unwrap(), Table::Accounts).is_empty());
    });
}

#[test]
fn cursors_move_both_ways() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"a", b"1"), (b"c", b"3"), (b"e", b"5")]);
        let read = store.begin_read().unwrap();
        let mut cursor = read.cursor(Table::Accounts).unwrap();
        let key = |entry: Option<Entry<'_>>| entry.map(|(key, _)| key[0]);
        assert_eq!(key(cursor.seek(b"b").unwrap()), Some(b'c'));
        assert_eq!(key(cursor.previous().unwrap()), Some(b'a'));
        assert_eq!(key(cursor.next().unwrap()), Some(b'c'));
        assert_eq!(key(cursor.next().unwrap()), Some(b'e'));
        assert_eq!(key(cursor.next().unwrap()), None);
        assert_eq!(key(cursor.last().unwrap()), Some(b'e'));
        assert_eq!(key(cursor.first().unwrap()), Some(b'a'));
        assert_eq!(key(cursor.seek(b"c").unwrap()), Some(b'c'));
        assert_eq!(key(cursor.seek(b"f").unwrap()), None);
        assert_eq!(key(read.cursor(Table::Storage).unwrap().first().unwrap()), None);
    });
}

#[test]
fn entries_that_do_not_fit_are_refused() {
    with_each_store(|store| {
        let mut write = store.begin_write().unwrap();
        let long = vec![7; MAX_KEY + 1];
        for key in [&[][..], &long] {
            assert!(matches!(write.put(Table::Accounts, key, b""), Err(StoreError::EntrySize { .. })));
            assert!(matches!(write.get(Table::Accounts, key), Err(StoreError::EntrySize { .. })));
            assert!(matches!(write.delete(Table::Accounts, key), Err(StoreError::EntrySize { .. })));
        }
        write.put(Table::Accounts, &long[1..], &vec![9; 1 << 20]).unwrap();
        write.commit().unwrap();
        let read = store.begin_read().unwrap();
        assert_eq!(read.get(Table::Accounts, &long[1..]).unwrap().unwrap().len(), 1 << 20);
    });
}

#[test]
fn a_reader_can_be_used_by_another_thread() {
    with_each_store(|store| {
        put(store, Table::Accounts, &[(b"a", b"1")]);
        let read = store.begin_read().unwrap();
        let found = std::thread::scope(|scope| {
            scope.spawn(move || read.get(Table::Accounts, b"a").unwrap().map(Cow::into_owned)).join().unwrap()
        });
        assert_eq!(found.as_deref(), Some(&b"1"[..]));
    });
}

#[test]
fn a_memory_store_and_its_duplicate_go_their_own_ways() {
    let store = MemoryStore::new();
    put(&store, Table::Accounts, &[(b"a", b"1")]);
    let other = store.duplicate();
    put(&other, Table::Accounts, &[(b"a", b"2")]);
    let value =
        |store: &MemoryStore| store.begin_read().unwrap().get(Table::Accounts, b"a").unwrap().map(Cow::into_owned);
    assert_eq!((value(&store), value(&other)), (Some(b"1".to_vec()), Some(b"2".to_vec())));
}

#[test]
fn a_folder_has_one_writer_and_any_number_of_readers() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(MdbxStore::open_read_only(folder.path(), small()), Err(StoreError::Missing(_))));
    let store = MdbxStore::open(folder.path(), small()).unwrap();
    put(&store, Table::Accounts, &[(b"a", b"1")]);
    match MdbxStore::open(folder.path(), small()) {
        Err(StoreError::InUse { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("a second writer got {other:?}"),
    }
    drop(store);
    let reader = MdbxStore::open_read_only(folder.path(), small()).unwrap();
    assert!(!reader.is_writable());
    assert!(matches!(reader.begin_write(), Err(StoreError::ReadOnly)));
    assert_eq!(contents(&*reader.begin_read().unwrap(), Table::Accounts).len(), 1);
    drop(reader);
    drop(MdbxStore::open(folder.path(), small()).unwrap());
}

#[test]
fn compaction_gives_space_back_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = MdbxStore::open(folder.path(), small()).unwrap();
    put(&store, Table::Bodies, &[(b"a", &vec![1; 8 << 20])]);
    put(&store, Table::Bodies, &[(b"a", b"1"), (b"b", b"2")]);
    assert!(matches!(MdbxStore::compact(folder.path(), small()), Err(StoreError::InUse { .. })));
    drop(store);
    let (before, after) = MdbxStore::compact(folder.path(), small()).unwrap();
    assert!(before > 8 << 20 && after < 2 << 20, "{before} bytes became {after}");
    let store = MdbxStore::open(folder.path(), small()).unwrap();
    assert_eq!(contents(&*store.begin_read().unwrap(), Table::Bodies).len(), 2);
}

#[test]
fn a_full_map_is_an_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = MdbxOptions { size_limit: 4 << 20, growth_step: 1 << 20, ..Default::default() };
    let store = MdbxStore::open(folder.path(), options).unwrap();
    put(&store, Table::Accounts, &[(b"a", b"1")]);
    let mut write = store.begin_write().unwrap();
    let error = (0u64..10_000)
        .find_map(|number| write.put(Table::Bodies, &number.to_be_bytes(), &[1; 2000]).err())
        .expect("20 MB do not fit in 4 MiB");
    assert!(matches!(error, StoreError::SizeLimit { limit } if limit == 4 << 20), "{error}");
    drop(write);
    assert_eq!(contents(&*store.begin_read().unwrap(), Table::Accounts).len(), 1);
    put(&store, Table::Accounts, &[(b"b", b"2")]);
}

#[derive(Clone, Debug)]
enum Operation {
    Put(u8, u8),
    Delete(u8),
    Commit,
    Abort,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0u8..32, any::<u8>()).prop_map(|(key, value)| Operation::Put(key, value)),
        3 => (0u8..32).prop_map(Operation::Delete),
        1 => Just(Operation::Commit),
        1 => Just(Operation::Abort),
    ]
}

/// Applies the operations to a store and to a plain map, and compares them at every end of a transaction.
fn same_as_a_map(store: &dyn Store, operations: &[Operation]) {
    let mut committed = BTreeMap::new();
    let mut working = committed.clone();
    let mut write = store.begin_write().unwrap();
    for operation in operations {
        match operation {
            Operation::Put(key, value) => {
                write.put(Table::Storage, &[*key], &[*value]).unwrap();
                working.insert(vec![*key], vec![*value]);
            }
            Operation::Delete(key) => {
                let expected = working.remove(&vec![*key]).is_some();
                assert_eq!(write.delete(Table::Storage, &[*key]).unwrap(), expected);
            }
            Operation::Commit => {
                write.commit().unwrap();
                committed = working.clone();
                write = store.begin_write().unwrap();
            }
            Operation::Abort => {
                drop(write);
                working = committed.clone();
                write = store.begin_write().unwrap();
            }
        }
        let expected: Vec<_> = working.clone().into_iter().collect();
        assert_eq!(contents(&*write, Table::Storage), expected);
    }
    let expected: Vec<_> = committed.into_iter().collect();
    assert_eq!(contents(&*store.begin_read().unwrap(), Table::Storage), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_store_behaves_like_a_map(operations in prop::collection::vec(operation(), 1..60)) {
        with_each_store(|store| same_as_a_map(store, &operations));
    }
}

/// A value of no bytes has its place at the end of its page, which is the beginning of another one.
#[test]
fn values_of_no_bytes_are_read_wherever_they_stand() {
    with_each_store(|store| {
        // Pages in the middle of large values become free, and keep what was in them.
        let large: Vec<_> = (0u32..400).map(|number| (number.to_be_bytes(), vec![0xee; 30_000])).collect();
        let entries: Vec<_> = large.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        put(store, Table::Receipts, &entries);
        for (key, _) in &large {
            let mut transaction = store.begin_write().unwrap();
            transaction.delete(Table::Receipts, key).unwrap();
            transaction.put(Table::AccountChanges, key, &[]).unwrap();
            transaction.commit().unwrap();
        }
        let mut transaction = store.begin_write().unwrap();
        for number in 400u32..4000 {
            transaction.put(Table::AccountChanges, &number.to_be_bytes(), &[]).unwrap();
        }
        transaction.commit().unwrap();
        let transaction = store.begin_write().unwrap();
        let mut cursor = transaction.cursor(Table::AccountChanges).unwrap();
        let mut entry = cursor.first().unwrap();
        for number in 0u32..4000 {
            let (key, value) = entry.expect("the entry is there");
            assert_eq!((&*key, &*value), (&number.to_be_bytes()[..], &[][..]));
            assert_eq!(transaction.get(Table::AccountChanges, &key).unwrap().as_deref(), Some(&[][..]));
            entry = cursor.next().unwrap();
        }
        assert!(entry.is_none());
    });
}
