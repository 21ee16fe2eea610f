//! Processes: one is killed at random moments, one reads what another writes.

use super::{
    chain::{self, assert_sound, options},
    child::Process,
};
use braid_storage::{Database, Durability, StorageError, store::StoreError};
use std::time::{Duration, Instant};

/// How often a writer is killed, unless `BRAID_TEST_KILLS` says otherwise.
const KILLS: u64 = 20;

fn kills() -> u64 {
    std::env::var("BRAID_TEST_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"))
}

#[test]
fn a_killed_writer_leaves_its_last_durable_head_complete() {
    kill_again_and_again(Durability::EveryBlock, kills());
}

#[test]
fn a_killed_process_loses_nothing_even_if_it_never_synced() {
    kill_again_and_again(Durability::None, kills() / 4);
}

fn kill_again_and_again(durability: Durability, kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut total = 0;
    for kill in 0..kills {
        let mut writer = Process::start_with("child::writer", folder.path(), durability);
        let first = writer.next_head().expect("the writer works");
        // Moments from within the first commits to well into the run, never at the same distance from a commit.
        std::thread::sleep(Duration::from_micros(kill * kill % 400 * 641 + kill * 97));
        let told = writer.kill().unwrap_or(first);
        let database = Database::open(folder.path(), Some(chain::genesis().identity()), options()).unwrap();
        let head = assert_sound(&database);
        // Beyond what it told there may be one more portion, forward by up to three blocks or back by two.
        assert!((told.saturating_sub(2)..=told + 3).contains(&head), "told {told}, found {head}");
        total += head;
        // Shorter chains keep the checks short.
        if head > 300 {
            database.unwind(head - 250).unwrap();
        }
        chain::extend(&database, 2).unwrap();
    }
    assert!(total > 0);
}

#[test]
fn a_reader_sees_whole_blocks_while_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Process::start("child::writer", folder.path());
    writer.next_head().expect("the writer works");

    match Database::open(folder.path(), None, options()) {
        Err(StorageError::Store(StoreError::InUse { holder, .. })) => assert_eq!(holder, Some(writer.id())),
        other => panic!("a second writer got {other:?}"),
    }

    let reader = Database::open_read_only(folder.path(), None, options()).unwrap();
    let (mut read, mut heads) = (0, std::collections::BTreeSet::new());
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(600) {
        let snapshot = reader.snapshot().unwrap();
        let number = snapshot.block().number;
        for index in 0..chain::ACCOUNTS {
            match snapshot.account(chain::address(index)) {
                Ok(account) => {
                    assert_eq!(
                        account.map(|account| account.nonce),
                        chain::last_change(number, index),
                        "block {number}"
                    );
                    read += 1;
                }
                Err(StorageError::SnapshotOutdated { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        heads.insert(number);
    }
    assert!(read > 100 && heads.len() > 3, "{read} reads at {} heads", heads.len());
    let told = writer.kill();
    drop(reader);
    let database = Database::open(folder.path(), None, options()).unwrap();
    assert!(assert_sound(&database) > 0, "{told:?}");
}
