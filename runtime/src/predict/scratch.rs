//! The buffers of a prediction, and its keys, each at most once.

use super::{FollowedCall, PredictedAccess, PredictedKey, evaluate::Mark, family::Fingerprints, store::Function};
use alloy_primitives::{Address, B256, U256, map::DefaultHashBuilder};
use std::hash::BuildHasher;

/// Buffers of a prediction, kept from one to the next.
#[derive(Default)]
pub(super) struct Scratch {
    pub(super) marks: Vec<Mark>,
    pub(super) values: Vec<U256>,
    /// Inputs of inner calls, and which of their bytes are known.
    pub(super) arena: Vec<u8>,
    pub(super) mask: Vec<u8>,
    /// What inner calls of the open calls return: index of the call, word, value.
    pub(super) returned: Vec<(u16, u8, U256)>,
    /// Positions in the list of keys, plus one, by hash.
    table: Vec<u32>,
    used: Vec<u32>,
    pub(super) fingerprints: Fingerprints,
    /// The calls that were followed, if they are to be kept.
    pub(super) followed: Option<Vec<FollowedCall>>,
    /// Functions without template that were come across, if they are to be kept: account, code hash, function.
    pub(super) unknown: Option<Vec<(Address, B256, Function)>>,
    hasher: DefaultHashBuilder,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scratch").finish_non_exhaustive()
    }
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.arena.clear();
        self.mask.clear();
        self.returned.clear();
        self.followed.iter_mut().for_each(Vec::clear);
        self.unknown.iter_mut().for_each(Vec::clear);
        for position in self.used.drain(..) {
            self.table[position as usize] = 0;
        }
    }
}

impl Scratch {
    /// Adds a key to a list, or strengthens it when it is there. False when the list is full.
    pub(super) fn insert(&mut self, keys: &mut Vec<PredictedAccess>, access: PredictedAccess, limit: usize) -> bool {
        let size = (limit * 2).next_power_of_two();
        if self.table.len() < size {
            self.rebuild(keys, size);
        }
        let mut position = self.position(&access.key);
        loop {
            let index = self.table[position];
            if index == 0 {
                break;
            }
            if let Some(seen) = keys.get_mut(index as usize - 1)
                && merge(&mut seen.key, &access.key)
            {
                seen.likelihood = seen.likelihood.max(access.likelihood);
                return true;
            }
            position = (position + 1) & (self.table.len() - 1);
        }
        if keys.len() >= limit {
            return false;
        }
        keys.push(access);
        self.table[position] = keys.len() as u32;
        self.used.push(position as u32);
        true
    }

    fn position(&self, key: &PredictedKey) -> usize {
        let hash = match key {
            PredictedKey::Slot { address, slot, .. } => self.hasher.hash_one((address, slot)),
            PredictedKey::Account { address, .. } => self.hasher.hash_one(address),
        };
        hash as usize & (self.table.len() - 1)
    }

    fn rebuild(&mut self, keys: &[PredictedAccess], size: usize) {
        self.table = vec![0; size];
        self.used.clear();
        for (index, access) in keys.iter().enumerate() {
            let mut position = self.position(&access.key);
            while self.table[position] != 0 {
                position = (position + 1) & (size - 1);
            }
            self.table[position] = index as u32 + 1;
            self.used.push(position as u32);
        }
    }
}

/// Adds `other` to `key` if they concern the same part of the state.
fn merge(key: &mut PredictedKey, other: &PredictedKey) -> bool {
    match (key, other) {
        (
            PredictedKey::Slot { address, slot, write },
            PredictedKey::Slot { address: other_address, slot: other_slot, write: other_write },
        ) if slot == other_slot && address == other_address => {
            *write |= other_write;
            true
        }
        (
            PredictedKey::Account { address, fields, write },
            PredictedKey::Account { address: other_address, fields: other_fields, write: other_write },
        ) if address == other_address => {
            *fields = fields.union(*other_fields);
            *write |= other_write;
            true
        }
        _ => false,
    }
}
