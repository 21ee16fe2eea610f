//! A producer over a small chain in memory.

use super::*;
use crate::{
    ChainOptions, DevGenesis, GenesisFile,
    pool::{Origin, PoolOptions},
    senders::impersonated_signature,
};
use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_primitives::{TxKind, U256, bytes};
use braid_storage::Database;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

const RICH: Address = Address::repeat_byte(0xaa);
const OTHER: Address = Address::repeat_byte(0xbb);
/// How long a block of the thread is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

struct Node {
    chain: Arc<Chain>,
    pool: Arc<TransactionPool>,
    producer: Arc<Producer>,
}

fn node(mode: MiningMode) -> Node {
    let dev = DevGenesis { accounts: vec![RICH], timestamp: 1, ..DevGenesis::default() };
    let file = GenesisFile::new(&dev.genesis()).unwrap();
    let database = Database::in_memory(&file.genesis, Default::default()).unwrap();
    let chain = Chain::new(database, file.spec.with_contract_senders(), ChainOptions::default()).unwrap();
    let chain = Arc::new(chain);
    let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
    let options = ProducerOptions { mode, ..ProducerOptions::default() };
    let producer = Producer::start(Arc::clone(&chain), Arc::clone(&pool), options).unwrap();
    Node { chain, pool, producer }
}

impl Node {
    /// Sends a wei.
    fn send(&self, from: Address, nonce: u64) -> B256 {
        let transaction = TxEip1559 {
            chain_id: self.chain.spec().chain_id(),
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(OTHER),
            value: U256::from(1),
            ..TxEip1559::default()
        };
        let signed = transaction.into_signed(impersonated_signature(from));
        self.pool.add(Recovered::new_unchecked(signed.into(), from), Origin::Local).unwrap()
    }

    fn balance(&self, address: Address) -> U256 {
        let state = self.chain.state(&self.chain.head().hash).unwrap();
        state.account(address).unwrap().map_or(U256::ZERO, |account| account.balance)
    }

    fn height(&self) -> u64 {
        self.chain.head().number
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is_so(self) {
            assert!(begin.elapsed() < PATIENCE, "{what}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn instant_mining_makes_a_block_for_what_is_sent_and_none_for_nothing() {
    let node = node(MiningMode::Instant);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(node.height(), 0);
    let hash = node.send(RICH, 0);
    node.wait_for("the transaction is mined", |node| node.chain.find_transaction(&hash).unwrap().is_some());
    assert_eq!(node.balance(OTHER), U256::from(1));
    // A gap is not mined, and what fills it brings both.
    node.send(RICH, 2);
    thread::sleep(Duration::from_millis(50));
    assert_eq!(node.height(), 1);
    node.send(RICH, 1);
    node.wait_for("both are mined", |node| node.balance(OTHER) == U256::from(3));
}

#[test]
fn intervals_make_empty_blocks_and_manual_mining_only_what_is_asked_for() {
    let node = node(MiningMode::Interval(Duration::from_millis(20)));
    node.wait_for("there are blocks", |node| node.height() >= 3);
    node.producer.set_mode(MiningMode::Manual);
    thread::sleep(Duration::from_millis(60));
    let before = node.height();
    node.send(RICH, 0);
    thread::sleep(Duration::from_millis(60));
    assert_eq!(node.height(), before);
    let mined = node.producer.mine(2, Some(100)).unwrap().unwrap();
    assert_eq!((mined.number, mined.transactions), (before + 2, 0));
    let timestamp = |number| node.chain.block_by_number(number).unwrap().unwrap().header().timestamp;
    assert_eq!(timestamp(before + 2) - timestamp(before + 1), 100);
    assert_eq!(node.balance(OTHER), U256::from(1));
}

#[test]
fn the_state_of_the_head_is_made_once_and_again_after_an_edit() {
    let node = node(MiningMode::Manual);
    node.send(RICH, 0);
    node.producer.mine(3, None).unwrap();
    let state = || match node.chain.state(&node.chain.head().hash).unwrap() {
        crate::StateView::Recent(snapshot) => snapshot,
        past @ crate::StateView::Past(_) => panic!("{past:?} is the state of the head"),
    };
    let before = state();
    assert!(Arc::ptr_eq(&before, &state()));
    // The blocks are in memory, and their layers lie above whatever is edited: an old snapshot would hide the edit.
    for balance in [7, 8, 1] {
        node.producer.edit(&[StateEdit::Balance(OTHER, U256::from(balance))]).unwrap();
        assert_eq!(node.balance(OTHER), U256::from(balance));
    }
    assert!(!Arc::ptr_eq(&before, &state()));
    node.send(RICH, 1);
    node.producer.mine(1, None).unwrap();
    assert_eq!(node.balance(OTHER), U256::from(2));
}

#[test]
fn a_snapshot_brings_everything_back() {
    let node = node(MiningMode::Manual);
    node.producer.edit(&[StateEdit::Balance(OTHER, U256::from(5))]).unwrap();
    let id = node.producer.snapshot();
    let slot = U256::from(9);
    node.producer
        .edit(&[
            StateEdit::Balance(OTHER, U256::from(7)),
            StateEdit::Nonce(OTHER, 3),
            StateEdit::Code(OTHER, bytes!("6001")),
            StateEdit::Slot(OTHER, slot, U256::from(1)),
        ])
        .unwrap();
    assert_eq!(node.balance(OTHER), U256::from(7));
    node.send(RICH, 0);
    node.producer.mine(1, None).unwrap();
    node.producer.edit(&[StateEdit::Balance(OTHER, U256::from(100))]).unwrap();
    node.producer.mine(3, None).unwrap();
    assert_eq!((node.height(), node.balance(OTHER)), (4, U256::from(100)));

    assert!(node.producer.revert(id).unwrap());
    assert_eq!((node.height(), node.balance(OTHER)), (0, U256::from(5)));
    let state = node.chain.state(&node.chain.head().hash).unwrap();
    let account = state.account(OTHER).unwrap().unwrap();
    assert_eq!((account.nonce, state.slot(OTHER, slot).unwrap()), (0, U256::ZERO));
    assert!(state.code(account.code_hash).unwrap().is_empty());
    assert_eq!(node.pool.status().pending, 0, "what was mined does not come back");
    assert!(!node.producer.revert(id).unwrap(), "it is gone");

    // The chain goes on from there.
    node.send(RICH, 0);
    node.producer.mine(1, None).unwrap();
    assert_eq!(node.balance(OTHER), U256::from(6));
    node.producer.reset().unwrap();
    assert_eq!((node.height(), node.balance(OTHER)), (0, U256::ZERO));
}

#[test]
fn an_account_with_code_can_be_impersonated() {
    let node = node(MiningMode::Manual);
    let balance = U256::from(10).pow(U256::from(18));
    node.producer.edit(&[StateEdit::Code(OTHER, bytes!("00")), StateEdit::Balance(OTHER, balance)]).unwrap();
    let hash = node.send(OTHER, 0);
    node.producer.mine(1, None).unwrap();
    let place = node.chain.find_transaction(&hash).unwrap().unwrap();
    assert_eq!(node.chain.block_senders(&place.block).unwrap(), [OTHER]);
}

#[test]
fn what_is_said_of_the_next_block_holds_for_one() {
    let node = node(MiningMode::Manual);
    node.producer.set_next_base_fee(12_345);
    node.producer.set_next_prev_randao(B256::repeat_byte(7));
    node.producer.set_gas_limit(50_000_000);
    node.producer.set_coinbase(OTHER);
    assert!(node.producer.set_next_timestamp(5_000_000_000).unwrap());
    node.producer.mine(2, None).unwrap();
    let header = |number| node.chain.block_by_number(number).unwrap().unwrap().header().clone();
    let (first, second) = (header(1), header(2));
    assert_eq!(
        (first.base_fee_per_gas, first.mix_hash, first.timestamp, first.gas_limit, first.beneficiary),
        (Some(12_345), B256::repeat_byte(7), 5_000_000_000, 50_000_000, OTHER)
    );
    assert!(second.base_fee_per_gas < Some(12_345) && second.mix_hash != first.mix_hash);
    assert!(second.timestamp.abs_diff(5_000_000_001) < 60, "time goes on from there");
    assert_eq!((second.gas_limit, second.beneficiary), (50_000_000, OTHER));
    assert!(!node.producer.set_next_timestamp(1).unwrap(), "it is over");
}

#[test]
fn a_block_that_was_looked_at_is_the_next_one_if_nothing_changed() {
    let node = node(MiningMode::Manual);
    let shared = &node.producer.shared;
    let kept = || {
        let head = node.chain.head_block().unwrap();
        let (attributes, overrides) = node.producer.next_attributes(&head);
        let built = shared.pending.take(&node.chain, &node.pool, &head, &attributes, &overrides);
        built.map(|built| built.block.layer.block().hash)
    };
    let look = || {
        let next = |head: &ChainBlock| node.producer.next_attributes(head);
        let pending = shared.pending.get(&node.chain, &node.pool, &next).unwrap().unwrap();
        let state = pending.state(&node.chain).unwrap();
        assert_eq!(state.block().hash, pending.block().hash());
        pending.block().hash()
    };
    assert!(node.producer.set_next_timestamp(5_000_000_000).unwrap());
    node.send(RICH, 0);
    let pending = look();
    assert_eq!((kept(), kept()), (Some(pending), None), "it is taken once");
    assert!(node.chain.block(&pending).unwrap().is_none(), "it is no block of the chain");

    assert_eq!(look(), pending);
    node.send(RICH, 1);
    assert_eq!(kept(), None, "the pool has changed");
    look();
    node.producer.set_coinbase(OTHER);
    assert_eq!(kept(), None, "another one gets the tips");
    look();
    node.producer.edit(&[StateEdit::Balance(OTHER, U256::from(5))]).unwrap();
    assert_eq!(kept(), None, "the state has changed");

    let pending = look();
    let mined = node.producer.mine(1, None).unwrap().unwrap();
    assert_eq!((mined.hash, mined.transactions), (pending, 2));
    assert_eq!(node.balance(OTHER), U256::from(5 + 2 + 2 * 21_000));
    assert_eq!(node.pool.status().pending, 0);
    assert_eq!(node.producer.mine(1, None).unwrap().unwrap().number, 2);
}

#[test]
fn whenever_a_block_s_worth_waits_the_next_block_is_full() {
    const FULL: u64 = 10;
    // Each full block raises the base fee by an eighth; sixteen of them leave it below what is offered.
    const HALF: u64 = 80;
    let node = node(MiningMode::Manual);
    node.producer.set_gas_limit(FULL * 21_000);
    for nonce in 0..HALF {
        node.send(RICH, nonce);
    }
    let sent = Arc::new(AtomicU64::new(HALF));
    // What had been sent before each block was the head, and what is in that block.
    let blocks = Arc::new(Mutex::new(vec![(HALF, 0)]));
    node.chain.watch_head({
        let (sent, blocks) = (Arc::clone(&sent), Arc::clone(&blocks));
        move |moved| {
            let block = moved.added.first().map_or(0, |block| block.body.transactions.len() as u64);
            blocks.lock().push((sent.load(Ordering::SeqCst), block));
        }
    });
    node.producer.set_mode(MiningMode::Instant);
    for nonce in HALF..2 * HALF {
        node.send(RICH, nonce);
        sent.fetch_add(1, Ordering::SeqCst);
    }
    let mined = || blocks.lock().iter().map(|(_, mined)| mined).sum::<u64>();
    node.wait_for("all is mined", |_| mined() == 2 * HALF);
    let blocks = blocks.lock();
    let (mut mined, mut full) = (0, 0);
    for pair in blocks.windows(2) {
        let ((sent, below), (_, taken)) = (pair[0], pair[1]);
        mined += below;
        if sent - mined >= FULL {
            assert_eq!(taken, FULL, "{} waited", sent - mined);
            full += 1;
        }
    }
    assert!(full >= HALF / FULL, "{full} of {blocks:?}");
}
