//! What simulated blocks changed of the stored state, for its root.

use crate::simulate::overrides::CallState;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::AddressSet};
use braid_storage::{AccountChange, AccountRecord, BlockChange, SlotChange, Snapshot, StorageError};
use revm::{
    DatabaseRef,
    database::{AccountState, DbAccount},
};

/// The root of a state above a snapshot of what it stands on. Accounts in `wiped` were destroyed on the way; `clears_empty` says that empty
/// accounts vanish (EIP-161).
pub(super) fn state_root(
    base: &Snapshot,
    state: &CallState,
    wiped: &AddressSet,
    clears_empty: bool,
) -> Result<B256, StorageError> {
    let mut change = BlockChange::default();
    for (address, account) in &state.cache.accounts {
        if account.account_state != AccountState::None {
            add_account(&mut change, state, *address, account, wiped.contains(address), clears_empty)?;
        }
    }
    Ok(base.state_after(&change)?.state_root())
}

fn add_account(
    change: &mut BlockChange,
    state: &CallState,
    address: Address,
    account: &DbAccount,
    was_destroyed: bool,
    clears_empty: bool,
) -> Result<(), StorageError> {
    let info = &account.info;
    let is_gone = account.account_state == AccountState::NotExisting || (clears_empty && info.is_empty());
    let before = state.db.basic_ref(address)?;
    if is_gone {
        if before.is_some() {
            change.accounts.push(AccountChange { address, present: None, storage_wiped: true });
        }
        return Ok(());
    }
    let code_hash = if info.code_hash.is_zero() { KECCAK256_EMPTY } else { info.code_hash };
    let record = AccountRecord { nonce: info.nonce, balance: info.balance, code_hash };
    let is_wiped = before.is_some() && (was_destroyed || account.account_state == AccountState::StorageCleared);
    change.accounts.push(AccountChange { address, present: Some(record), storage_wiped: is_wiped });
    for (slot, value) in &account.storage {
        let stored = if is_wiped || before.is_none() { U256::ZERO } else { state.db.storage_ref(address, *slot)? };
        if stored != *value {
            change.slots.push(SlotChange { address, slot: *slot, present: *value });
        }
    }
    Ok(())
}
