//! A state root that is begun while the block still executes.
//!
//! What takes time before a root can be computed is finding the nodes on the paths to what changed. So whoever learns that
//! a key is going to change says so with [`StateRootTask::touch`], from any thread; the paths are read into the cache then.
//! [`StateRootTask::finish`] is given the whole change and computes the root from it alone: what was touched makes it
//! faster, never different.

use super::Snapshot;
use crate::{
    BlockChange, StorageError,
    state::{
        tries::{AccountTrie, StateTries, StorageTrie},
        update::StateUpdate,
    },
    trie::proof::visit,
};
use alloy_primitives::{
    Address, B256, U256, keccak256,
    map::{AddressMap, HashMap, HashSet},
};
use alloy_trie::EMPTY_ROOT_HASH;
use parking_lot::Mutex;
use rayon::prelude::*;

/// A state root in the making.
#[derive(Debug)]
pub struct StateRootTask {
    snapshot: Snapshot,
    touched: Mutex<Touched>,
}

#[derive(Debug, Default)]
struct Touched {
    /// Hashed address and storage root of each account.
    accounts: AddressMap<(B256, B256)>,
    slots: HashSet<(Address, U256)>,
}

impl StateRootTask {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, touched: Mutex::default() }
    }

    /// Reads what the root will need if these accounts and slots change. Touching something again costs next to nothing.
    pub fn touch(
        &self,
        accounts: impl IntoIterator<Item = Address>,
        slots: impl IntoIterator<Item = (Address, U256)>,
    ) -> Result<(), StorageError> {
        let (new_accounts, new_slots) = {
            let mut touched = self.touched.lock();
            let slots: Vec<_> = slots.into_iter().filter(|slot| touched.slots.insert(*slot)).collect();
            let owners = slots.iter().map(|(address, _)| *address);
            let accounts: HashSet<_> =
                accounts.into_iter().chain(owners).filter(|address| !touched.accounts.contains_key(address)).collect();
            (accounts.into_iter().collect::<Vec<_>>(), slots)
        };
        let read = new_accounts
            .into_par_iter()
            .map(|address| {
                let key = keccak256(address);
                let account = self.snapshot.hashed_account(key)?;
                visit(&AccountTrie(&self.snapshot), key)?;
                Ok((address, (key, account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))))
            })
            .collect::<Result<Vec<_>, StorageError>>()?;
        let roots: HashMap<_, _> = {
            let mut touched = self.touched.lock();
            touched.accounts.extend(read);
            new_slots.iter().filter_map(|(address, _)| Some((*address, *touched.accounts.get(address)?))).collect()
        };
        new_slots.into_par_iter().try_for_each(|(address, slot)| match roots.get(&address) {
            // Another thread is still reading the account; then the slot is read when the root is computed.
            None => Ok(()),
            Some((account, root)) => {
                let trie = StorageTrie { tries: &self.snapshot, account: *account, root: *root };
                visit(&trie, keccak256(slot.to_be_bytes::<32>()))
            }
        })
    }

    /// The state after the whole change.
    pub fn finish(self, change: &BlockChange) -> Result<StateUpdate, StorageError> {
        self.snapshot.state_after(change)
    }
}
