//! Random transactions, replacements, removals, blocks and reorganisations against what must be true.

use super::world::{Key, RICH, RICH_KEYS, World, fees};
use crate::{
    pool::{Origin, PoolOptions, PoolTransaction},
    senders::impersonated_signature,
};
use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

#[derive(Clone, Debug)]
enum Step {
    Add {
        key: u64,
        ahead: u64,
        fee: u128,
        tip: u128,
        large: bool,
    },
    Remove(usize),
    Mine {
        transactions: u64,
    },
    /// Takes so many blocks back and puts an empty one there.
    Reorganise(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let add = (0..RICH_KEYS, 0..4u64, 1..9u128, 0..9u128, proptest::bool::weighted(0.1));
    let add = add.prop_map(|(key, ahead, fee, tip, large)| Step::Add { key, ahead, fee, tip: tip.min(fee), large });
    let step = prop_oneof![
        20 => add,
        1 => (0..100usize).prop_map(Step::Remove),
        2 => (0..12u64).prop_map(|transactions| Step::Mine { transactions }),
        1 => (1..3usize).prop_map(Step::Reorganise),
    ];
    proptest::collection::vec(step, 1..80)
}

/// The pool and what it should have, if nothing had to make room.
struct Model {
    world: World,
    /// By sender and nonce.
    accepted: BTreeMap<(Address, u64), B256>,
    blocks: Vec<B256>,
    salt: u64,
}

impl Model {
    fn new(options: PoolOptions) -> Self {
        let world = World::new("Prague", options);
        let blocks = vec![world.chain.head().hash];
        Self { world, accepted: BTreeMap::new(), blocks, salt: 0 }
    }

    fn account_nonce(&self, address: Address) -> u64 {
        let state = self.world.chain.state(&self.world.chain.head().hash).unwrap();
        state.account(address).unwrap().map_or(0, |account| account.nonce)
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Add { key, ahead, fee, tip, large } => {
                let sender = Key::new(key).address;
                let nonce = self.account_nonce(sender) + ahead;
                self.salt += 1;
                let value = if large { RICH / 3 } else { self.salt };
                let transaction = TxEip1559 { nonce, value: U256::from(value), ..fees(fee, tip) };
                let transaction = transaction.into_signed(impersonated_signature(sender)).into();
                let added = self.world.pool.add(Recovered::new_unchecked(transaction, sender), Origin::External);
                if let Ok(hash) = added {
                    self.accepted.insert((sender, nonce), hash);
                }
            }
            Step::Remove(index) => {
                if let Some((place, hash)) = self.accepted.iter().nth(index).map(|(place, hash)| (*place, *hash))
                    && self.world.pool.remove(&hash).is_some()
                {
                    self.accepted.remove(&place);
                }
            }
            Step::Mine { transactions } => self.mine(transactions),
            Step::Reorganise(depth) => self.reorganise(depth),
        }
        self.world.check();
    }

    fn mine(&mut self, transactions: u64) {
        let header = self.world.chain.head_header().1;
        let base_fee = crate::consensus::next_base_fee(&header, self.world.chain.spec()).unwrap();
        let best = self.world.pool.best_transactions(&header, base_fee, transactions * 21_000);
        self.check_order(&best, base_fee, transactions);
        let candidates: Vec<_> = best.iter().map(|transaction| transaction.recovered().clone()).collect();
        let count = candidates.len();
        let built = self.world.build_of(self.world.chain.head().hash, self.blocks.len() as u8, candidates);
        assert_eq!(built.block.body.transactions.len(), count, "whatever is offered can be executed");
        let hash = built.block.layer.block().hash;
        self.world.chain.set_head(hash).unwrap();
        self.blocks.push(hash);
        for transaction in best {
            self.accepted.remove(&(transaction.sender(), transaction.nonce()));
        }
    }

    /// Each one offers as much as any that could have been taken in its place, and nothing was left out.
    fn check_order(&self, best: &[Arc<PoolTransaction>], base_fee: u64, room: u64) {
        let content = self.world.pool.content().pending;
        let mut rest: Vec<Vec<_>> =
            content.into_values().map(|by_nonce| by_nonce.into_values().rev().collect()).collect();
        let mut taken = best.iter();
        for _ in 0..room {
            let offers = rest.iter().filter_map(|sender| sender.last()?.effective_tip(base_fee));
            let Some(most) = offers.max() else { break };
            let next = taken.next().expect("there is room, and somebody who pays");
            assert_eq!(next.effective_tip(base_fee), Some(most), "{next:?} is not the best");
            let sender = rest.iter_mut().find(|sender| sender.last().is_some_and(|head| head.hash() == next.hash()));
            sender.expect("it is the first one of its sender").pop();
        }
        assert_eq!(taken.next().map(|next| next.hash()), None, "there is no room for it, or it does not pay");
    }

    fn reorganise(&mut self, depth: usize) {
        let depth = depth.min(self.blocks.len() - 1);
        let removed: Vec<B256> = self.blocks.split_off(self.blocks.len() - depth);
        let returning: Vec<_> = removed
            .iter()
            .flat_map(|hash| self.world.chain.block(hash).unwrap().unwrap().transactions().to_vec())
            .collect();
        let parent = *self.blocks.last().unwrap();
        let built = self.world.build_of(parent, 100 + self.salt as u8 % 100, Vec::new());
        let hash = built.block.layer.block().hash;
        self.world.chain.set_head(hash).unwrap();
        self.blocks.push(hash);
        for transaction in returning {
            use alloy_consensus::Transaction as _;
            let sender = crate::senders::impersonated_sender(transaction.signature()).unwrap();
            // It is there again, unless another one has its nonce.
            let place = (sender, transaction.nonce());
            if self.world.pool.get(transaction.tx_hash()).is_some() || !self.accepted.contains_key(&place) {
                self.accepted.insert(place, *transaction.tx_hash());
            }
        }
    }

    fn hashes(&self) -> HashSet<B256> {
        self.world.pool.book.lock().all().map(|transaction| transaction.hash()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_where_there_is_room(steps in steps()) {
        let mut model = Model::new(PoolOptions::default());
        for step in &steps {
            model.step(step);
            let accepted: HashSet<B256> = model.accepted.values().copied().collect();
            prop_assert_eq!(model.hashes(), accepted, "after {:?}", step);
        }
    }

    #[test]
    fn limits_hold(steps in steps()) {
        let options = PoolOptions { pending: 12, queued: 6, sender_pending: 4, sender_queued: 3, ..PoolOptions::default() };
        let mut model = Model::new(options);
        for step in &steps {
            model.step(step);
            let status = model.world.pool.status();
            prop_assert!(status.pending <= 12 && status.queued <= 6, "{:?} after {:?}", status, step);
            let hashes = model.hashes();
            model.accepted.retain(|_, hash| hashes.contains(hash));
            prop_assert_eq!(model.accepted.len(), hashes.len());
        }
    }
}
