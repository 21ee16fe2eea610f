//! The state change of a block, from the engine's words into the store's.

use braid_runtime::{AccountState, StateDiff};
use braid_storage::{AccountChange, AccountRecord, BlockChange, SlotChange};

/// What a diff writes.
pub fn block_change(diff: StateDiff) -> BlockChange {
    let (accounts, slots) = (account_changes(&diff).collect(), slot_changes(&diff).collect());
    BlockChange { accounts, slots, contracts: diff.contracts }
}

/// What a diff does to the accounts that it lists.
pub(crate) fn account_changes(diff: &StateDiff) -> impl Iterator<Item = AccountChange> {
    diff.accounts.iter().map(|account| AccountChange {
        address: account.address,
        present: account.present.map(record),
        storage_wiped: account.storage_wiped,
    })
}

/// What a diff does to slots.
pub(crate) fn slot_changes(diff: &StateDiff) -> impl Iterator<Item = SlotChange> {
    diff.slots.iter().map(|slot| SlotChange { address: slot.address, slot: slot.slot, present: slot.present })
}

const fn record(state: AccountState) -> AccountRecord {
    AccountRecord { nonce: state.nonce, balance: state.balance, code_hash: state.code_hash }
}
