//! From key to entry: sharded hash maps over arenas.
//!
//! A worker comes here once for each key that is new to it; after that it keeps the pointer. The parent state is read outside of any
//! lock, so a slow store blocks nobody else.

use super::{
    account::{AccountEntry, AccountRef},
    arena::{Arena, EntryRef},
    hash::KeyHasher,
    slot::{SlotEntry, SlotRef},
    snapshot::{Snapshot, SnapshotError},
};
use crate::AccountState;
use alloy_primitives::{Address, U256};
use hashbrown::HashTable;
use parking_lot::Mutex;
use revm::{
    primitives::KECCAK_EMPTY,
    state::{AccountInfo, Bytecode},
};

/// Parts of the state that can be worked on side by side.
pub(crate) const SHARDS: usize = 32;

/// Some of the entries. Shards are apart in memory, since threads work on different ones at the same time.
#[repr(align(128))]
pub(super) struct Shard<T> {
    index: HashTable<(u64, EntryRef<T>)>,
    entries: Arena<T>,
}

impl Shard<AccountEntry> {
    pub(super) fn find(&self, hash: u64, address: &Address) -> Option<AccountRef> {
        self.index.find(hash, |(_, entry)| entry.address == *address).map(|(_, entry)| *entry)
    }

    /// The entry of an account that the parent state describes as `info`; one that somebody made in the meantime counts.
    pub(super) fn insert(&mut self, hash: u64, address: Address, info: Option<AccountInfo>) -> AccountRef {
        if let Some(entry) = self.find(hash, &address) {
            return entry;
        }
        let (base, code) = match info {
            Some(info) => {
                (Some(AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }), info.code)
            }
            None => (None, Some(Bytecode::default())),
        };
        let entry = self.entries.push(AccountEntry::new(address, base, code));
        self.index.insert_unique(hash, (hash, entry), |(hash, _)| *hash);
        entry
    }
}

impl<T> Shard<T> {
    fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
    }
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self { index: HashTable::new(), entries: Arena::default() }
    }
}

/// All accounts and slots that the block has met so far.
pub(crate) struct BlockState {
    hasher: KeyHasher,
    accounts: Vec<Mutex<Shard<AccountEntry>>>,
    slots: Vec<Mutex<Shard<SlotEntry>>>,
}

impl Default for BlockState {
    fn default() -> Self {
        Self {
            hasher: KeyHasher::default(),
            accounts: (0..SHARDS).map(|_| Mutex::default()).collect(),
            slots: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl<T> std::fmt::Debug for Shard<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("entries", &self.index.len()).finish()
    }
}

/// Which shard a key with this hash belongs to.
pub(super) const fn shard_number(hash: u64) -> usize {
    // The table's buckets use the low bits and its tags the top seven: take the shard from in between.
    (hash >> 40) as usize % SHARDS
}

impl BlockState {
    /// The entry of an account, read from the parent state if it is new.
    pub(crate) fn account(&self, snapshot: &dyn Snapshot, address: Address) -> Result<AccountRef, SnapshotError> {
        let hash = self.hasher.address(&address);
        let shard = self.account_shard(shard_number(hash));
        let known = shard.lock().find(hash, &address);
        match known {
            Some(entry) => Ok(entry),
            None => {
                let info = snapshot.account(address)?;
                Ok(shard.lock().insert(hash, address, info))
            }
        }
    }

    /// The entry of an account, if the block has met it.
    pub(crate) fn known_account(&self, address: &Address) -> Option<AccountRef> {
        let hash = self.hasher.address(address);
        self.account_shard(shard_number(hash)).lock().find(hash, address)
    }

    /// The entry of a slot, if the block has met it.
    pub(crate) fn known_slot(&self, account: AccountRef, slot: &U256) -> Option<SlotRef> {
        let hash = self.hasher.slot(account.number(), slot);
        let shard = self.slots[shard_number(hash)].lock();
        shard.index.find(hash, |(_, entry)| entry.slot == *slot && entry.account.is(account)).map(|(_, entry)| *entry)
    }

    /// Hash of an address, the same for the whole life of this state.
    pub(crate) fn hash(&self, address: &Address) -> u64 {
        self.hasher.address(address)
    }

    pub(super) fn account_shard(&self, shard: usize) -> &Mutex<Shard<AccountEntry>> {
        &self.accounts[shard]
    }

    /// The entry of a slot, read from the parent state if it is new.
    pub(crate) fn slot(
        &self,
        snapshot: &dyn Snapshot,
        account: AccountRef,
        slot: U256,
    ) -> Result<SlotRef, SnapshotError> {
        let hash = self.hasher.slot(account.number(), &slot);
        let shard = &self.slots[shard_number(hash)];
        let is_it = |(_, entry): &(u64, SlotRef)| entry.slot == slot && entry.account.is(account);
        if let Some((_, entry)) = shard.lock().index.find(hash, is_it) {
            return Ok(*entry);
        }
        // An account that has neither nonce nor code never ran any, so it has no storage. revm's `State` holds the same, and does not ask.
        let may_have_storage = account.base.is_some_and(|base| base.nonce != 0 || base.code_hash != KECCAK_EMPTY);
        let base = if may_have_storage { snapshot.storage(account.address, slot)? } else { U256::ZERO };
        let mut shard = shard.lock();
        if let Some((_, entry)) = shard.index.find(hash, is_it) {
            return Ok(*entry);
        }
        let entry = shard.entries.push(SlotEntry::new(account, slot, base));
        shard.index.insert_unique(hash, (hash, entry), |(hash, _)| *hash);
        Ok(entry)
    }

    /// Number of accounts and of slots met so far, by shard.
    pub(crate) fn counts(&self) -> ([usize; SHARDS], [usize; SHARDS]) {
        let count = |shard: usize| self.accounts[shard].lock().index.len();
        let slot_count = |shard: usize| self.slots[shard].lock().index.len();
        (std::array::from_fn(count), std::array::from_fn(slot_count))
    }

    /// Calls `visit` for every account entry of shard `shard`, which is below [`SHARDS`].
    pub(crate) fn for_each_account_in(&self, shard: usize, visit: impl FnMut(&AccountEntry)) {
        self.accounts[shard].lock().entries.iter().for_each(visit);
    }

    /// Calls `visit` for every slot entry of shard `shard`, which is below [`SHARDS`].
    pub(crate) fn for_each_slot_in(&self, shard: usize, visit: impl FnMut(&SlotEntry)) {
        self.slots[shard].lock().entries.iter().for_each(visit);
    }

    /// Calls `visit` for every slot entry, shard by shard.
    pub(crate) fn for_each_slot(&self, mut visit: impl FnMut(&SlotEntry)) {
        for shard in &self.slots {
            shard.lock().entries.iter().for_each(&mut visit);
        }
    }

    /// All of it in parts that can be cleared side by side.
    pub(crate) fn parts(&mut self) -> impl Iterator<Item = StatePart<'_>> + Send {
        self.accounts
            .iter_mut()
            .zip(&mut self.slots)
            .map(|(accounts, slots)| StatePart { accounts: accounts.get_mut(), slots: slots.get_mut() })
    }
}

/// Some accounts and slots of a block's state.
pub(crate) struct StatePart<'s> {
    accounts: &'s mut Shard<AccountEntry>,
    slots: &'s mut Shard<SlotEntry>,
}

impl StatePart<'_> {
    /// Forgets the block and keeps the memory. No pointer to an entry may be used afterwards.
    pub(crate) fn clear(self) {
        self.slots.clear();
        self.accounts.clear();
    }
}
