//! A chain of random blocks, in maps, and a database that is compared with it.

use crate::{
    Database, DatabaseOptions, ExecutedBlock, Genesis, Layer, Snapshot, VerifyOptions,
    block::{Body, Receipt, Transaction},
    state::tests::{Action, Actions, PlainState, apply, root_of},
    store::{MdbxOptions, MdbxStore},
};
use alloy_consensus::{
    Header, SignableTransaction, TxLegacy, TxReceipt,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use revm::state::Bytecode;
use std::sync::Arc;

/// The code of all contracts of the random blocks.
pub(super) fn code() -> Bytecode {
    Bytecode::new_legacy(Bytes::from_static(&[0x60, 0x01]))
}

pub(super) fn small(options: DatabaseOptions) -> DatabaseOptions {
    DatabaseOptions { mdbx: MdbxOptions { size_limit: 1 << 30, growth_step: 1 << 20, ..options.mdbx }, ..options }
}

pub(super) fn genesis() -> Genesis {
    genesis_of(&Actions::new(), 1)
}

pub(super) fn genesis_of(actions: &Actions, chain_id: u64) -> Genesis {
    let mut state = PlainState::new();
    let mut change = apply(&mut state, actions);
    change.contracts.push((keccak256([0x60, 0x01]), code()));
    let header = Header {
        state_root: root_of(&state),
        extra_data: chain_id.to_be_bytes().into(),
        difficulty: U256::from(1 << 20),
        ..Default::default()
    };
    Genesis { chain_id, header, body: Body::default(), state: change }
}

/// A chain with the state after every block.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) headers: Vec<Header>,
    pub(super) states: Vec<PlainState>,
    pub(super) blocks: Vec<ExecutedBlock>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self { headers: vec![genesis().header], states: vec![PlainState::new()], blocks: Vec::new() }
    }

    pub(super) fn head(&self) -> u64 {
        self.headers.len() as u64 - 1
    }

    pub(super) fn hash(&self, number: u64) -> B256 {
        self.headers[number as usize].hash_slow()
    }

    /// Executes a block on the snapshot of its parent, and checks the root on the way. `branch` makes it different from
    /// other blocks with the same actions.
    pub(super) fn execute(&mut self, parent: &Snapshot, actions: &Actions, branch: u64) -> Arc<Layer> {
        let number = self.head() + 1;
        assert_eq!(parent.block().hash, self.hash(number - 1));
        let mut state = self.states.last().unwrap().clone();
        let mut change = apply(&mut state, actions);
        if change.accounts.iter().any(|account| account.present.is_some_and(|record| record.code_hash != KECCAK_EMPTY))
        {
            change.contracts.push((keccak256([0x60, 0x01]), code()));
        }
        let task = parent.state_root_task();
        task.touch(actions.keys().copied(), change.slots.iter().map(|slot| (slot.address, slot.slot))).unwrap();
        let update = task.finish(&change).unwrap();
        assert_eq!(update.state_root(), root_of(&state), "block {number}");
        let signed = TxLegacy { nonce: number, gas_price: branch.into(), ..Default::default() };
        let body = Body {
            transactions: vec![Transaction::from(signed.into_signed(Signature::test_signature()))],
            ..Default::default()
        };
        let receipt = Receipt { success: true, cumulative_gas_used: 21_000 + number, ..Default::default() };
        let header = Header {
            number,
            receipts_root: calculate_receipt_root(&[receipt.clone().into_with_bloom()]),
            parent_hash: self.hash(number - 1),
            state_root: update.state_root(),
            transactions_root: calculate_transaction_root(&body.transactions),
            extra_data: branch.to_be_bytes().into(),
            difficulty: U256::from(3 * number + branch),
            ..Default::default()
        };
        let hash = header.hash_slow();
        let layer = Arc::new(Layer::new(number, hash, header.parent_hash, change, update));
        self.headers.push(header.clone());
        self.states.push(state);
        self.blocks.push(ExecutedBlock { header, body, receipts: vec![receipt], layer: Arc::clone(&layer) });
        layer
    }

    /// Executes a block on the head of the database, which must be that of the model.
    pub(super) fn execute_on(&mut self, database: &Database, actions: &Actions) {
        let snapshot = database.snapshot().unwrap();
        self.execute(&snapshot, actions, 0);
    }

    /// The blocks from `first` on.
    pub(super) fn from(&self, first: u64) -> &[ExecutedBlock] {
        &self.blocks[first as usize - 1..]
    }

    pub(super) fn truncate(&mut self, head: u64) {
        self.headers.truncate(head as usize + 1);
        self.states.truncate(head as usize + 1);
        self.blocks.truncate(head as usize);
    }
}

/// Every address and slot that the random blocks may touch.
pub(super) fn places() -> impl Iterator<Item = (Address, U256)> {
    (0u8..12).flat_map(|address| (0u64..12).map(move |slot| (Address::repeat_byte(address), U256::from(slot))))
}

pub(super) fn assert_snapshot(snapshot: &Snapshot, state: &PlainState) {
    for (address, slot) in places() {
        let expected = state.get(&address);
        assert_eq!(snapshot.account(address).unwrap(), expected.map(|(record, _)| *record), "{address}");
        let value = expected.and_then(|(_, slots)| slots.get(&slot).copied()).unwrap_or_default();
        assert_eq!(snapshot.slot(address, slot).unwrap(), value, "{address} {slot}");
        if let Some((record, _)) = expected {
            let code = snapshot.code(record.code_hash).unwrap();
            assert_eq!(code.is_empty(), record.code_hash == KECCAK_EMPTY);
        }
    }
}

/// Compares all that can be asked of a database with the model.
pub(super) fn assert_same(database: &Database, model: &Model) {
    let head = model.head();
    assert_eq!(database.head().unwrap().number, head);
    let total: U256 = model.headers.iter().map(|header| header.difficulty).sum();
    assert_eq!(database.total_difficulty().unwrap(), total);
    let snapshot = database.snapshot().unwrap();
    assert_snapshot(&snapshot, model.states.last().unwrap());
    for number in 0..=head {
        assert_eq!(database.header(number).unwrap().as_ref(), Some(&model.headers[number as usize]));
        assert_eq!(database.block_hash(number).unwrap(), Some(model.hash(number)));
        assert_eq!(snapshot.block_hash(number).unwrap(), model.hash(number));
        assert_eq!(database.block_number(model.hash(number)).unwrap(), Some(number));
        if number > 0 {
            let block = &model.blocks[number as usize - 1];
            assert_eq!(database.body(number).unwrap().as_ref(), Some(&block.body));
            assert_eq!(database.receipts(number).unwrap().as_ref(), Some(&block.receipts));
            let found = database.find_transaction(*block.body.transactions[0].tx_hash()).unwrap();
            assert_eq!(found, Some((number, 0)));
        }
        if number >= database.history_from().unwrap() {
            assert_past(database, number, &model.states[number as usize]);
            assert_rewound(database, number, model);
        } else {
            assert!(matches!(database.state_at(number), Err(crate::StorageError::HistoryPruned { .. })));
        }
    }
    assert!(matches!(database.state_at(head + 1), Err(crate::StorageError::BeyondHead { .. })));
    assert_eq!(database.header(head + 1).unwrap(), None);
    let options = VerifyOptions { threads: 3, receipts_from: Some(0) };
    let report = database.verify_with(options, |_| {}).unwrap();
    assert_eq!(database.verify(|_| {}).unwrap(), report);
    assert_eq!(report.blocks, head + 1);
    assert_eq!(report.accounts, model.states.last().unwrap().len() as u64);
}

fn assert_past(database: &Database, number: u64, state: &PlainState) {
    let past = database.state_at(number).unwrap();
    for (address, slot) in places() {
        let expected = state.get(&address);
        assert_eq!(past.account(address).unwrap(), expected.map(|(record, _)| *record), "{address} at {number}");
        let value = expected.and_then(|(_, slots)| slots.get(&slot).copied()).unwrap_or_default();
        assert_eq!(past.slot(address, slot).unwrap(), value, "{address} {slot} at {number}");
    }
    let address = Address::repeat_byte(3);
    let proof = past.proof(address, &[U256::from(2)]).unwrap();
    assert_eq!(proof.account, state.get(&address).map(|(record, _)| *record));
}

/// The state after a past block as branches see it that leave the chain there, and the blocks above it as such a branch.
fn assert_rewound(database: &Database, number: u64, model: &Model) {
    if number == model.head() {
        return;
    }
    let rewound = database.snapshot_above(vec![database.rewind(number).unwrap()]).unwrap();
    assert_eq!(rewound.block().hash, model.hash(number));
    assert_snapshot(&rewound, &model.states[number as usize]);
    for below in 0..=number {
        assert_eq!(rewound.block_hash(below).unwrap(), model.hash(below));
    }
    let mut above = rewound;
    for block in database.blocks_above(number).unwrap() {
        above = above.with_layer(Arc::clone(&block.layer)).unwrap();
        let index = block.header.number as usize;
        assert_eq!(block.header, model.headers[index]);
        assert_eq!((&block.body, &block.receipts), (&model.blocks[index - 1].body, &model.blocks[index - 1].receipts));
        assert_snapshot(&above, &model.states[index]);
        assert_eq!(above.block_hash(block.header.number).unwrap(), model.hash(block.header.number));
    }
    assert_eq!(above.block().hash, model.hash(model.head()));
}

/// Runs a check over a database in memory and one in a folder. The check is given a way to open it again.
pub(super) fn with_each_database(options: DatabaseOptions, check: impl Fn(Database, &dyn Fn(Database) -> Database)) {
    let options = small(options);
    check(Database::in_memory(&genesis(), options).unwrap(), &|database| database);
    let folder = tempfile::tempdir().unwrap();
    check(Database::create(folder.path(), &genesis(), options).unwrap(), &|database| {
        drop(database);
        assert!(MdbxStore::exists(folder.path()));
        Database::open(folder.path(), Some(genesis().identity()), options).unwrap()
    });
}

/// A block that gives an account a nonce and sets one slot.
pub(super) fn simple(address: u8, nonce: u64) -> Actions {
    let record = crate::AccountRecord { nonce, balance: U256::from(nonce) * U256::from(7), code_hash: KECCAK_EMPTY };
    let slots = [(U256::from(nonce % 12), U256::from(nonce + 1))].into();
    Actions::from([(Address::repeat_byte(address), (Action::Set(record), slots))])
}
