//! Proofs of accounts and slots, and witnesses of blocks.

use super::{
    root::state_after_with_siblings,
    tries::{AccountTrie, StateTries, StorageTrie},
};
use crate::{
    AccountRecord, BlockChange, StorageError,
    trie::{proof::walk, update::Siblings},
};
use alloy_primitives::{
    Address, B256, Bytes, U256, keccak256,
    map::{B256Map, B256Set, HashMap},
};
use alloy_trie::EMPTY_ROOT_HASH;
use rayon::prelude::*;

/// An account with the nodes that prove it, or its absence, against a state root; the shape of `eth_getProof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountProof {
    /// Address of the account.
    pub address: Address,
    /// The account; `None` if the proof is one of absence.
    pub account: Option<AccountRecord>,
    /// Root of its storage trie.
    pub storage_root: B256,
    /// RLP of the nodes of the account trie, from the root on.
    pub nodes: Vec<Bytes>,
    /// Proofs of the slots that were asked for, in that order.
    pub slots: Vec<SlotProof>,
}

/// A slot with the nodes that prove its value, zero included, against a storage root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotProof {
    /// Slot number.
    pub slot: U256,
    /// Its value.
    pub value: U256,
    /// RLP of the nodes of the storage trie, from the root on; none if the account has no storage.
    pub nodes: Vec<Bytes>,
}

/// The trie nodes with which a block can be executed and its state root computed without the rest of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateWitness {
    /// RLP of the nodes of all tries, each once, sorted by hash.
    pub nodes: Vec<Bytes>,
}

pub(crate) fn prove(tries: &dyn StateTries, address: Address, slots: &[U256]) -> Result<AccountProof, StorageError> {
    let account = keccak256(address);
    let path = walk(&AccountTrie(tries), account)?;
    let storage_root = path.value.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
    let trie = StorageTrie { tries, account, root: storage_root };
    let slots = slots
        .iter()
        .map(|slot| {
            let path = walk(&trie, keccak256(slot.to_be_bytes::<32>()))?;
            Ok(SlotProof { slot: *slot, value: path.value.unwrap_or_default(), nodes: path.nodes })
        })
        .collect::<Result<_, StorageError>>()?;
    let account = path.value.map(|account| account.record);
    Ok(AccountProof { address, account, storage_root, nodes: path.nodes, slots })
}

/// Witness for reading these accounts and slots and for applying a change.
pub(crate) fn witness(
    tries: &dyn StateTries,
    read: &[(Address, Vec<U256>)],
    change: &BlockChange,
) -> Result<StateWitness, StorageError> {
    let siblings = Siblings::default();
    state_after_with_siblings(tries, change, &siblings)?;
    let mut touched: HashMap<Address, Vec<U256>> = HashMap::default();
    for (address, slots) in read {
        touched.entry(*address).or_default().extend(slots);
    }
    for account in &change.accounts {
        touched.entry(account.address).or_default();
    }
    for slot in &change.slots {
        touched.entry(slot.address).or_default().push(slot.slot);
    }
    let touched: Vec<_> = touched.into_iter().collect();
    let proofs = touched
        .par_iter()
        .map(|(address, slots)| {
            let unique: std::collections::BTreeSet<_> = slots.iter().copied().collect();
            prove(tries, *address, &unique.into_iter().collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let mut nodes: B256Map<Bytes> = HashMap::default();
    let mut seen = B256Set::default();
    let mut add = |node: Bytes| {
        let hash = keccak256(&node);
        if seen.insert(hash) {
            nodes.insert(hash, node);
        }
    };
    siblings.into_inner().into_iter().for_each(&mut add);
    for proof in proofs {
        proof.nodes.into_iter().for_each(&mut add);
        proof.slots.into_iter().flat_map(|slot| slot.nodes).for_each(&mut add);
    }
    let mut nodes: Vec<_> = nodes.into_iter().collect();
    nodes.sort_unstable_by_key(|(hash, _)| *hash);
    Ok(StateWitness { nodes: nodes.into_iter().map(|(_, node)| node).collect() })
}
