//! The state change of a block, from the engine's words into the store's.

use braid_runtime::{AccountState, StateDiff};
use braid_storage::{AccountChange, AccountRecord, BlockChange, SlotChange};

/// What a diff writes.
pub(crate) fn block_change(diff: StateDiff) -> BlockChange {
    let accounts = diff.accounts.into_iter().map(|account| AccountChange {
        address: account.address,
        present: account.present.map(record),
        storage_wiped: account.storage_wiped,
    });
    let slots =
        diff.slots.into_iter().map(|slot| SlotChange { address: slot.address, slot: slot.slot, present: slot.present });
    BlockChange { accounts: accounts.collect(), slots: slots.collect(), contracts: diff.contracts }
}

const fn record(state: AccountState) -> AccountRecord {
    AccountRecord { nonce: state.nonce, balance: state.balance, code_hash: state.code_hash }
}
