//! Random lives of a database: append in any portions, read above and below the head, unwind, prune, close and open.

use super::model::{Model, assert_same, assert_snapshot, simple, small, with_each_database};
use crate::{
    Database, DatabaseOptions, Durability, HistoryLimit, StorageError,
    state::tests::{Actions, actions},
};
use proptest::prelude::*;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[derive(Clone, Debug)]
enum Step {
    /// Executes blocks above the head, one on the other, and appends them in one transaction.
    Append(Vec<Actions>),
    /// Goes back by so many blocks.
    Unwind(u64),
    Reopen,
    /// Keeps the history of so many blocks.
    Prune(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(actions(), 1..4).prop_map(Step::Append),
        1 => (1u64..4).prop_map(Step::Unwind),
        1 => Just(Step::Reopen),
        1 => (0u64..5).prop_map(Step::Prune),
    ]
}

fn live(mut database: Database, reopen: &dyn Fn(Database) -> Database, steps: &[Step]) {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Append(blocks) => {
                let first = model.head() + 1;
                let mut snapshot = database.snapshot().unwrap();
                for actions in blocks {
                    let layer = model.execute(&snapshot, actions, 0);
                    snapshot = snapshot.with_layer(layer).unwrap();
                    assert_snapshot(&snapshot, model.states.last().unwrap());
                }
                let head = database.append(model.from(first)).unwrap();
                assert_eq!(head, snapshot.block());
                // The layers are in the tables now, and the snapshot over them reads the same.
                assert_snapshot(&snapshot, model.states.last().unwrap());
            }
            Step::Unwind(distance) => {
                let target = model.head().saturating_sub(*distance).max(database.history_from().unwrap());
                let above = database.snapshot().unwrap();
                let moved = target < model.head();
                database.unwind(target).unwrap();
                model.truncate(target);
                assert_eq!(above.account(alloy_primitives::Address::ZERO).is_err(), moved);
            }
            Step::Reopen => database = reopen(database),
            Step::Prune(distance) => {
                let earliest = model.head().saturating_sub(*distance);
                let from = database.prune(earliest).unwrap();
                assert!(from >= earliest);
            }
        }
        assert_same(&database, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn a_database_lives_like_its_model(steps in prop::collection::vec(step(), 1..7)) {
        with_each_database(DatabaseOptions::default(), |database, reopen| live(database, reopen, &steps));
    }

    #[test]
    fn history_can_be_limited(blocks in prop::collection::vec(actions(), 1..8), limit in 0u64..4, together in 1usize..4) {
        let options = DatabaseOptions { history: HistoryLimit::Blocks(limit), ..Default::default() };
        with_each_database(options, |database, _| {
            let mut model = Model::new();
            for blocks in blocks.chunks(together) {
                let first = model.head() + 1;
                let mut snapshot = database.snapshot().unwrap();
                for actions in blocks {
                    snapshot = snapshot.with_layer(model.execute(&snapshot, actions, 0)).unwrap();
                }
                database.append(model.from(first)).unwrap();
                assert_eq!(database.history_from().unwrap(), model.head().saturating_sub(limit));
                assert_same(&database, &model);
            }
        });
    }
}

#[test]
fn only_blocks_that_follow_are_appended() {
    with_each_database(DatabaseOptions::default(), |database, _| {
        let mut model = Model::new();
        model.execute_on(&database, &simple(1, 1));
        let good = model.blocks[0].clone();
        let mut wrong_root = good.clone();
        wrong_root.header.state_root = Default::default();
        let mut wrong_parent = good.clone();
        wrong_parent.header.parent_hash = Default::default();
        for wrong in [vec![wrong_root], vec![wrong_parent], vec![good.clone(), good.clone()]] {
            let error = database.append(&wrong).unwrap_err();
            assert!(matches!(error, StorageError::NotChild { .. } | StorageError::StateRoot { .. }), "{error}");
            assert_eq!(database.head().unwrap().number, 0);
        }
        database.append(std::slice::from_ref(&good)).unwrap();
        assert!(matches!(database.append(&[good]), Err(StorageError::NotChild { .. })), "a second time");
        assert_same(&database, &model);
    });
}

#[test]
fn snapshots_of_side_branches_end_when_the_other_branch_is_written() {
    with_each_database(DatabaseOptions::default(), |database, _| {
        let base = database.snapshot().unwrap();
        let (mut left, mut right) = (Model::new(), Model::new());
        let on_left = base.with_layer(left.execute(&base, &simple(1, 1), 1)).unwrap();
        let on_right = base.with_layer(right.execute(&base, &simple(1, 2), 2)).unwrap();
        assert_snapshot(&on_left, &left.states[1]);
        assert_snapshot(&on_right, &right.states[1]);
        database.append(left.from(1)).unwrap();
        assert_snapshot(&on_left, &left.states[1]);
        for outdated in [&on_right, &base] {
            let error = outdated.account(alloy_primitives::Address::repeat_byte(2)).unwrap_err();
            assert!(matches!(error, StorageError::SnapshotOutdated { head: 1, .. }), "{error}");
        }
        assert!(matches!(
            database.snapshot_above(vec![Arc::clone(&right.blocks[0].layer)]),
            Err(StorageError::LayerGap { .. })
        ));
        let above = database.snapshot_above(vec![Arc::clone(&left.blocks[0].layer)]).unwrap();
        assert_eq!(above.block().number, 1, "a layer that is written already is skipped");
        database.unwind(0).unwrap();
        assert_snapshot(&base, &left.states[0]);
        database.append(right.from(1)).unwrap();
        assert_same(&database, &right);
    });
}

#[test]
fn the_durable_head_follows_as_the_setting_says() {
    for durability in [Durability::EveryBlock, Durability::Interval(Duration::from_secs(3600)), Durability::None] {
        let folder = tempfile::tempdir().unwrap();
        let options = small(DatabaseOptions { durability, ..Default::default() });
        let database = Database::create(folder.path(), &super::model::genesis(), options).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        database.watch_durable_head(move |head| sink.lock().unwrap().push(head.number));
        let mut model = Model::new();
        for nonce in 1..4 {
            model.execute_on(&database, &simple(1, nonce));
            database.append(model.from(nonce)).unwrap();
            let durable = if durability == Durability::EveryBlock { nonce } else { 0 };
            assert_eq!(database.durable_head().number, durable, "{durability:?}");
        }
        database.flush().unwrap();
        assert_eq!(database.durable_head().number, 3);
        let expected: &[u64] = if durability == Durability::EveryBlock { &[1, 2, 3] } else { &[3] };
        assert_eq!(*seen.lock().unwrap(), expected, "{durability:?}");
        drop(database);
        let database = Database::open(folder.path(), None, options).unwrap();
        assert_eq!(database.durable_head().number, 3);
        assert_same(&database, &model);
    }
}

#[test]
fn what_was_appended_becomes_durable_after_the_interval_without_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let durability = Durability::Interval(Duration::from_millis(50));
    let options = small(DatabaseOptions { durability, ..Default::default() });
    let database = Database::create(folder.path(), &super::model::genesis(), options).unwrap();
    let mut model = Model::new();
    model.execute_on(&database, &simple(1, 1));
    let (told, heads) = std::sync::mpsc::channel();
    database.watch_durable_head(move |head| told.send(head.number).unwrap());
    database.append(model.from(1)).unwrap();
    assert_eq!(heads.recv_timeout(Duration::from_secs(20)), Ok(1));
    assert_eq!(database.durable_head().number, 1);
}

#[test]
fn sizes_are_told_and_compaction_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let options = small(DatabaseOptions::default());
    let database = Database::create(folder.path(), &super::model::genesis(), options).unwrap();
    let mut model = Model::new();
    for nonce in 1..30 {
        model.execute_on(&database, &simple(nonce as u8 % 11, nonce));
        database.append(model.from(nonce)).unwrap();
    }
    let stats = database.stats().unwrap();
    assert_eq!((stats.head.number, stats.history_from), (29, 0));
    let entries = |table| stats.tables.iter().find(|(name, _)| *name == table).unwrap().1.entries;
    assert_eq!(entries(crate::store::Table::Headers), 30);
    assert_eq!(entries(crate::store::Table::Accounts), 11);
    assert_eq!(entries(crate::store::Table::AccountChanges), 29);
    assert!(stats.size.used > 0 && stats.size.file >= stats.size.used);
    drop(database);
    let (before, after) = Database::compact(folder.path(), options).unwrap();
    assert!(after <= before, "{before} bytes became {after}");
    assert_same(&Database::open(folder.path(), None, options).unwrap(), &model);
}

#[test]
fn snapshots_that_live_long_do_not_make_the_file_grow() {
    let folder = tempfile::tempdir().unwrap();
    let history = HistoryLimit::Blocks(4);
    let options = small(DatabaseOptions { history, durability: Durability::None, ..Default::default() });
    let database = Database::create(folder.path(), &super::model::genesis(), options).unwrap();
    let mut model = Model::new();
    let mut kept = Vec::new();
    let mut used = Vec::new();
    for nonce in 1..=300 {
        kept.push(database.snapshot().unwrap());
        kept[nonce as usize - 1].account(alloy_primitives::Address::repeat_byte(1)).unwrap();
        model.execute_on(&database, &simple((nonce % 11) as u8, nonce));
        database.append(model.from(nonce)).unwrap();
        if nonce % 20 == 0 {
            // Pages that were freed since the last flush are not used again before the next one.
            database.flush().unwrap();
        }
        used.push(database.stats().unwrap().size.used);
    }
    // Headers, bodies and receipts of 200 blocks are about 200 KiB; every block holding on to its pages would be 10 MB.
    let grown = used[299] - used[99];
    assert!(grown < 1 << 20, "the file grew by {grown} bytes");
}
