//! What is refused when a database is opened.

use super::model::{Model, assert_same, genesis, genesis_of, simple, small};
use crate::{
    ChainIdentity, Database, DatabaseOptions, SCHEMA_VERSION, StorageError,
    encoding::key::metadata,
    state::tests::Actions,
    store::{MdbxStore, Store, StoreError, Table},
};
use alloy_primitives::B256;

#[test]
fn another_chain_or_genesis_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    drop(Database::create(folder.path(), &genesis(), options).unwrap());
    drop(Database::create(folder.path(), &genesis(), options).unwrap());
    let identity = genesis().identity();
    assert_eq!(Database::open(folder.path(), Some(identity), options).unwrap().identity(), identity);

    let other = genesis_of(&Actions::new(), 5);
    let error = Database::create(folder.path(), &other, options).unwrap_err();
    assert!(matches!(error, StorageError::WrongChain { stored: 1, expected: 5 }), "{error}");
    let error = Database::open(folder.path(), Some(ChainIdentity { genesis_hash: B256::ZERO, ..identity }), options)
        .unwrap_err();
    assert!(matches!(error, StorageError::WrongGenesis { .. }), "{error}");
    assert!(error.to_string().contains(&identity.genesis_hash.to_string()), "{error}");
}

#[test]
fn another_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    drop(Database::create(folder.path(), &genesis(), options).unwrap());
    let set_schema = |version: u32| {
        let store = MdbxStore::open(folder.path(), options.mdbx).unwrap();
        let mut transaction = store.begin_write().unwrap();
        transaction.put(Table::Metadata, metadata::SCHEMA, &version.to_be_bytes()).unwrap();
        transaction.commit().unwrap();
    };
    set_schema(SCHEMA_VERSION + 1);
    for error in [
        Database::open(folder.path(), None, options).unwrap_err(),
        Database::open_read_only(folder.path(), None, options).unwrap_err(),
        Database::create(folder.path(), &genesis(), options).unwrap_err(),
    ] {
        assert!(matches!(error, StorageError::WrongSchema { .. }), "{error}");
        assert!(error.to_string().contains("newer version"), "{error}");
    }
    set_schema(SCHEMA_VERSION);
    assert_same(&Database::open(folder.path(), None, options).unwrap(), &Model::new());
}

#[test]
fn a_genesis_whose_state_has_another_root_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    let mut wrong = genesis();
    wrong.header.state_root = B256::ZERO;
    let error = Database::create(folder.path(), &wrong, options).unwrap_err();
    assert!(matches!(error, StorageError::StateRoot { number: 0, .. }), "{error}");
    let error = Database::open(folder.path(), None, options).unwrap_err();
    assert!(matches!(error, StorageError::NotInitialised), "{error}");
    drop(Database::create(folder.path(), &genesis(), options).unwrap());
}

#[test]
fn a_folder_without_a_database_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    for result in [
        Database::open(folder.path(), None, options),
        Database::open_read_only(&folder.path().join("nowhere"), None, options),
    ] {
        assert!(matches!(result, Err(StorageError::Store(StoreError::Missing(_)))), "{result:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made on the way");
}

#[test]
fn there_is_one_writer_while_readers_see_what_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    let database = Database::create(folder.path(), &genesis(), options).unwrap();
    let error = Database::open(folder.path(), None, options).unwrap_err();
    assert!(matches!(error, StorageError::Store(StoreError::InUse { .. })), "{error}");
    let mut model = Model::new();
    model.execute_on(&database, &simple(1, 1));
    database.append(model.from(1)).unwrap();
    drop(database);
    // Within one process the engine maps a file once, so a reader beside a writer is tested with two processes elsewhere.
    let reader = Database::open_read_only(folder.path(), None, options).unwrap();
    assert_same(&reader, &model);
    let blocks = [model.blocks[0].clone()];
    assert!(reader.append(&blocks).is_err());
    assert!(matches!(reader.unwind(0), Err(StorageError::Store(StoreError::ReadOnly))));
}
