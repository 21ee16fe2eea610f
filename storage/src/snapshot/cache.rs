//! What was read from the tables, shared by all snapshots.
//!
//! The cache always describes the tables as of the last commit. That takes care in one place: a value that was read before
//! a commit must not be put in after it. So every value comes with the [`Generation`] in which it was read, and is put in
//! only if that is still the present one, which is looked at under the same lock under which a commit replaces the values
//! it changes.

use crate::{AccountRecord, encoding::HashedAccount, trie::source::NodeBytes};
use alloy_primitives::{Address, B256, U256, map::DefaultHashBuilder};
use alloy_trie::Nibbles;
use hashbrown::hash_table::{Entry, HashTable};
use parking_lot::Mutex;
use revm::state::Bytecode;
use std::{
    fmt,
    hash::{BuildHasher, Hash},
    sync::atomic::{AtomicU64, Ordering},
};

/// How much is kept. The least recently used goes first, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Number of accounts.
    pub accounts: usize,
    /// Number of storage slots.
    pub slots: usize,
    /// Bytes of trie nodes.
    pub node_bytes: usize,
    /// Bytes of code.
    pub code_bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { accounts: 200_000, slots: 1_000_000, node_bytes: 256 << 20, code_bytes: 128 << 20 }
    }
}

/// A period between two commits. Odd while a commit is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Generation {
    pub(crate) const fn is_settled(self) -> bool {
        self.0.is_multiple_of(2)
    }

    /// A number that is different for each generation and never zero.
    pub(crate) const fn mark(self) -> u64 {
        self.0 + 1
    }
}

/// The node of the account trie (`None`) or of a storage trie, and its path.
type NodeKey = (Option<B256>, Nibbles);

/// Values by key, as of the last commit.
#[derive(Debug)]
pub(crate) struct Cache {
    generation: AtomicU64,
    /// Nothing that a commit can change is kept: for readers that learn of no commits.
    immutable_only: bool,
    accounts: Map<Address, Option<AccountRecord>>,
    slots: Map<(Address, U256), U256>,
    hashed_accounts: Map<B256, Option<HashedAccount>>,
    nodes: Map<NodeKey, Option<NodeBytes>>,
    codes: Map<B256, Bytecode>,
}

macro_rules! cached {
    ($($get:ident, $insert:ident, $replace:ident, $map:ident: $key:ty => $value:ty, $weight:expr;)+) => {$(
        pub(crate) fn $get(&self, key: &$key) -> Option<$value> {
            self.$map.get(key)
        }

        pub(crate) fn $insert(&self, read_in: Generation, key: $key, value: $value) {
            if !self.immutable_only {
                let weight: fn(&$value) -> usize = $weight;
                let weight = weight(&value);
                self.$map.insert(key, value, weight, || self.generation() == read_in && read_in.is_settled());
            }
        }

        /// For a commit: puts in the new value of a key that is kept, and nothing otherwise.
        pub(crate) fn $replace(&self, key: &$key, value: $value) {
            let weight: fn(&$value) -> usize = $weight;
            let weight = weight(&value);
            self.$map.replace(key, value, weight);
        }
    )+};
}

impl Cache {
    pub(crate) fn new(limits: CacheLimits, immutable_only: bool) -> Self {
        Self {
            generation: AtomicU64::new(0),
            immutable_only,
            accounts: Map::new(limits.accounts),
            slots: Map::new(limits.slots),
            hashed_accounts: Map::new(limits.accounts),
            nodes: Map::new(limits.node_bytes),
            codes: Map::new(limits.code_bytes),
        }
    }

    pub(crate) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::SeqCst))
    }

    /// From here on nothing is put in. What is in stays as of the last commit.
    pub(crate) fn begin_commit(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// From here on what is in may be as of the new commit.
    pub(crate) fn begin_update(&self) {
        self.generation.fetch_add(2, Ordering::SeqCst);
    }

    /// What is in is as of the last commit, be it a new one or, if that failed, the one before.
    pub(crate) fn end_commit(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    cached! {
        account, insert_account, replace_account, accounts: Address => Option<AccountRecord>, |_| 1;
        slot, insert_slot, replace_slot, slots: (Address, U256) => U256, |_| 1;
        hashed_account, insert_hashed_account, replace_hashed_account, hashed_accounts: B256 => Option<HashedAccount>, |_| 1;
        node, insert_node, replace_node, nodes: NodeKey => Option<NodeBytes>, |node| 100 + node.as_ref().map_or(0, |node| node.len());
    }

    pub(crate) fn code(&self, hash: &B256) -> Option<Bytecode> {
        self.codes.get(hash)
    }

    pub(crate) fn insert_code(&self, hash: B256, code: Bytecode) {
        let weight = 100 + code.len();
        self.codes.insert(hash, code, weight, || true);
    }

    /// Forgets all that a commit can change.
    pub(crate) fn clear(&self) {
        self.accounts.clear();
        self.slots.clear();
        self.hashed_accounts.clear();
        self.nodes.clear();
    }
}

const SHARDS: usize = 64;

/// A map that forgets what was not asked for lately.
struct Map<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: DefaultHashBuilder,
    /// Largest weight of half a shard.
    limit: usize,
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("limit", &(2 * SHARDS * self.limit)).finish_non_exhaustive()
    }
}

/// Two halves: entries come into the young one; when that is full, the old one is forgotten and the young one becomes the
/// old one. An entry that is asked for moves to the young half.
#[derive(Debug)]
struct Shard<K, V> {
    young: HashTable<Kept<K, V>>,
    old: HashTable<Kept<K, V>>,
    /// Of the young half.
    weight: usize,
}

/// An entry, with its hash so that it is computed once for each request.
#[derive(Debug)]
struct Kept<K, V> {
    hash: u64,
    key: K,
    value: V,
    weight: usize,
}

impl<K: Hash + Eq, V: Clone> Map<K, V> {
    fn new(limit: usize) -> Self {
        let shard = || Mutex::new(Shard { young: HashTable::new(), old: HashTable::new(), weight: 0 });
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { shards, hasher: DefaultHashBuilder::default(), limit: limit.div_ceil(2 * SHARDS) }
    }

    fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<K, V>> {
        // The low bits and the highest seven choose the place within a table.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }

    fn get(&self, key: &K) -> Option<V> {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        if let Some(kept) = shard.young.find(hash, |kept| kept.key == *key) {
            return Some(kept.value.clone());
        }
        let kept = shard.old.find_entry(hash, |kept| kept.key == *key).ok()?.remove().0;
        let value = kept.value.clone();
        shard.put(kept, self.limit);
        Some(value)
    }

    /// Puts a value in if `allowed`, which is asked while nobody else can touch the key.
    fn insert(&self, key: K, value: V, weight: usize, allowed: impl FnOnce() -> bool) {
        let hash = self.hash(&key);
        let mut shard = self.shard(hash).lock();
        if allowed() {
            if let Ok(entry) = shard.old.find_entry(hash, |kept| kept.key == key) {
                entry.remove();
            }
            shard.put(Kept { hash, key, value, weight }, self.limit);
        }
    }

    fn replace(&self, key: &K, value: V, weight: usize) {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        let shard = &mut *shard;
        if let Some(kept) = shard.young.find_mut(hash, |kept| kept.key == *key) {
            shard.weight = shard.weight - kept.weight + weight;
            (kept.value, kept.weight) = (value, weight);
        } else if let Some(kept) = shard.old.find_mut(hash, |kept| kept.key == *key) {
            (kept.value, kept.weight) = (value, weight);
        }
    }

    fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.young.clear();
            shard.old.clear();
            shard.weight = 0;
        }
    }
}

impl<K: Eq, V> Shard<K, V> {
    fn put(&mut self, new: Kept<K, V>, limit: usize) {
        if self.weight + new.weight > limit {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += new.weight;
        match self.young.entry(new.hash, |kept| kept.key == new.key, |kept| kept.hash) {
            Entry::Occupied(mut before) => {
                self.weight -= before.get().weight;
                *before.get_mut() = new;
            }
            Entry::Vacant(place) => {
                place.insert(new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> Cache {
        Cache::new(CacheLimits { accounts: 256, ..Default::default() }, false)
    }

    fn record(nonce: u64) -> Option<AccountRecord> {
        Some(AccountRecord { nonce, balance: U256::ZERO, code_hash: B256::ZERO })
    }

    #[test]
    fn a_value_read_before_a_commit_is_not_kept_after_it() {
        let cache = cache();
        let read_in = cache.generation();
        cache.insert_account(read_in, Address::ZERO, record(1));
        assert_eq!(cache.account(&Address::ZERO), Some(record(1)));
        cache.begin_commit();
        cache.insert_account(read_in, Address::repeat_byte(1), record(1));
        cache.begin_update();
        cache.insert_account(cache.generation(), Address::repeat_byte(1), record(1));
        cache.replace_account(&Address::ZERO, record(2));
        cache.replace_account(&Address::repeat_byte(2), record(2));
        cache.end_commit();
        cache.insert_account(read_in, Address::repeat_byte(1), record(1));
        assert_eq!(cache.account(&Address::ZERO), Some(record(2)));
        assert_eq!(cache.account(&Address::repeat_byte(1)), None);
        assert_eq!(cache.account(&Address::repeat_byte(2)), None, "a commit brings in nothing that nobody asked for");
    }

    #[test]
    fn it_stays_within_its_limit_and_keeps_what_is_used() {
        let cache = cache();
        let used = Address::ZERO;
        cache.insert_account(cache.generation(), used, record(7));
        for number in 1u64..10_000 {
            assert!(cache.account(&used).is_some(), "forgotten after {number} others");
            let address = Address::left_padding_from(&number.to_be_bytes());
            cache.insert_account(cache.generation(), address, record(number));
        }
        let length = |shard: &Shard<_, _>| shard.young.len() + shard.old.len();
        let kept: usize = cache.accounts.shards.iter().map(|shard| length(&shard.lock())).sum();
        assert!((64..=256 + 2 * SHARDS).contains(&kept), "{kept} accounts");
    }

    #[test]
    fn readers_that_learn_of_no_commits_keep_code_only() {
        let cache = Cache::new(CacheLimits::default(), true);
        cache.insert_account(cache.generation(), Address::ZERO, record(1));
        cache.insert_code(B256::ZERO, Bytecode::default());
        assert!(cache.account(&Address::ZERO).is_none() && cache.code(&B256::ZERO).is_some());
    }
}
