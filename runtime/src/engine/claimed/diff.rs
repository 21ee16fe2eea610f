//! The merged state change of a block, read out of a list that was found right.
//!
//! Only blocks that destroy accounts of the parent state need this: see [`super::check`] for all others.

use crate::{
    AccountDiff, SlotDiff, StateDiff,
    state::{AccountEntry, BlockState, Claims, SHARDS},
};
use alloy_primitives::U256;
use revm::primitives::KECCAK_EMPTY;

/// What the whole block changes: the last values of the list, against the parent state that the block's entries hold.
pub(crate) fn state_diff(state: &BlockState, claims: &Claims<'_>) -> StateDiff {
    let mut diff = StateDiff {
        accounts: Vec::with_capacity(claims.changed_accounts()),
        slots: Vec::with_capacity(claims.changed_slots()),
        contracts: Vec::new(),
    };
    (0..SHARDS).for_each(|shard| state.for_each_account_in(shard, |entry| add_account(&mut diff, claims, entry)));
    state.for_each_slot(|entry| {
        let owner = entry.account.marks().position();
        let Some(present) = claims.slot_after_all(owner, entry.marks().position()) else { return };
        let original = if was_wiped(&entry.account) { U256::ZERO } else { entry.base };
        if original != present {
            diff.slots.push(SlotDiff { address: entry.account.address, slot: entry.slot, original, present });
        }
    });
    diff
}

fn was_wiped(entry: &AccountEntry) -> bool {
    entry.wiped_at() != 0 && entry.base.is_some()
}

fn add_account(diff: &mut StateDiff, claims: &Claims<'_>, entry: &AccountEntry) {
    let listed = entry.marks().position();
    if !claims.changes_account(listed) && entry.wiped_at() == 0 {
        return;
    }
    let mut claimed = claims.account_after_all(listed, entry);
    if entry.wiped_at() != 0 {
        // The list does not tell what has nothing from what does not exist.
        claimed.state = claimed.state.filter(|state| !state.is_empty());
    }
    let storage_wiped = was_wiped(entry);
    if claimed.state == entry.base && !storage_wiped {
        return;
    }
    diff.accounts.push(AccountDiff {
        address: entry.address,
        original: entry.base,
        present: claimed.state,
        storage_wiped,
    });
    let hash = claimed.state.map_or(KECCAK_EMPTY, |state| state.code_hash);
    if let Some(code) = claimed.new_code
        && hash != KECCAK_EMPTY
        && hash != entry.base.map_or(KECCAK_EMPTY, |base| base.code_hash)
        && !diff.contracts.iter().any(|(known, _)| *known == hash)
    {
        diff.contracts.push((hash, code));
    }
}
