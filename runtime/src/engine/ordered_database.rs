//! The committed state as a revm database: what a block does before its first and after its last transaction runs on it.

use super::{apply::settle, exact::ListCheck};
use crate::{
    AccountState,
    access_list::AccessListBuilder,
    state::{AccountEntry, BlockState, Snapshot, SnapshotError},
};
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit,
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::{Account, AccountInfo, Bytecode},
};
use std::fmt;

/// Reads and commits at one block access index, when no worker runs.
pub(crate) struct OrderedDatabase<'a> {
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) state: &'a BlockState,
    pub(crate) index: u32,
    pub(crate) spec: SpecId,
    pub(crate) list: Option<&'a mut AccessListBuilder>,
    pub(crate) check: Option<&'a mut ListCheck>,
    /// A read that failed inside a commit, which cannot report it.
    pub(crate) failure: &'a mut Option<SnapshotError>,
}

impl fmt::Debug for OrderedDatabase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderedDatabase").field("index", &self.index).finish_non_exhaustive()
    }
}

/// An account as revm wants it. Code is fetched when somebody asks for it: the parent state may not be able to tell that of an account that
/// is only paid.
pub(super) fn account_info(state: AccountState, new_code: Option<&Bytecode>, entry: &AccountEntry) -> AccountInfo {
    let AccountState { balance, nonce, code_hash } = state;
    let code = match new_code {
        Some(code) => Some(code.clone()),
        None if code_hash == KECCAK_EMPTY => Some(Bytecode::default()),
        None => entry.base_code().cloned(),
    };
    AccountInfo { balance, nonce, code_hash, code, account_id: None }
}

impl Database for OrderedDatabase<'_> {
    type Error = SnapshotError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        let entry = self.state.account(self.snapshot, address)?;
        let committed = entry.committed();
        let Some(state) = committed.state else { return Ok(None) };
        Ok(Some(account_info(state, committed.new_code.as_ref(), &entry)))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.snapshot.code(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        let account = self.state.account(self.snapshot, address)?;
        // A supplied list has already written what this very step will leave; each step writes a slot in one commit only.
        let index = if self.check.is_some() { self.index } else { u32::MAX };
        Ok(self.state.slot(self.snapshot, account, slot)?.read(index).0)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, SnapshotError> {
        self.snapshot.block_hash(number)
    }
}

impl OrderedDatabase<'_> {
    fn commit_account(&mut self, address: Address, account: &Account) -> Result<(), SnapshotError> {
        let entry = self.state.account(self.snapshot, address)?;
        for (slot, value) in &account.storage {
            let slot = self.state.slot(self.snapshot, entry, *slot)?;
            let is_written = value.is_changed() && account.is_touched() && !account.is_selfdestructed();
            let is_new = is_written && slot.write(self.index, value.present_value).1;
            if let Some(check) = &mut self.check {
                check.system_slot(&slot, is_written, !is_new);
            }
        }
        let mut committed = entry.committed();
        let after = if !account.is_touched() {
            committed.state
        } else if account.is_selfdestructed() {
            None
        } else {
            settle(AccountState::from(&account.info), self.spec)
        };
        if let Some(check) = &mut self.check {
            check.account(&entry, self.index, committed.state, after);
        }
        if after == committed.state {
            return Ok(());
        }
        let code_hash = |state: Option<AccountState>| state.map_or(KECCAK_EMPTY, |state| state.code_hash);
        if code_hash(after) != code_hash(committed.state) {
            committed.new_code = account.info.code.clone().filter(|_| code_hash(after) != KECCAK_EMPTY);
        }
        if after.is_none() {
            entry.wipe_storage(self.index);
        }
        committed.state = after;
        entry.publish(&mut committed);
        Ok(())
    }
}

impl DatabaseCommit for OrderedDatabase<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, mut account) in changes {
            if let Err(error) = self.commit_account(address, &account) {
                self.failure.get_or_insert(error);
            }
            if let Some(list) = &mut self.list {
                let stays = !self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
                    && account.is_empty()
                    && !account.is_selfdestructed()
                    && !account.is_created();
                if stays {
                    account.unmark_touch();
                }
                list.record(u64::from(self.index), address, &account);
            }
        }
    }
}
