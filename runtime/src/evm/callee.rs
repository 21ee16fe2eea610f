//! What paths ask the journal, beside what the interpreter asks it.

use super::{journal::Journal, local::Observed};
use crate::state::SnapshotError;
use alloy_primitives::{Address, B256, U256};
use revm::{
    context::journaled_state::JournalLoadError,
    state::{AccountStatus, Bytecode},
};

/// An account that is called, or whose code is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Callee {
    /// Position in the journal's view.
    pub(crate) position: u32,
    pub(crate) is_cold: bool,
    /// Empty as EIP-161 has it.
    pub(crate) is_empty: bool,
    pub(crate) code_hash: B256,
}

impl Journal<'_> {
    /// Loads an account as the interpreter does for calls and EXTCODESIZE, but does not fetch its code: the hash tells which it is.
    pub(crate) fn load_callee(&mut self, address: Address) -> Result<Callee, JournalLoadError<SnapshotError>> {
        let load = self.load(address, false)?;
        let is_empty = self.is_empty(load.data);
        let record = &self.view.accounts[load.data as usize];
        record.observe(Observed::CODE | Observed::EMPTY);
        let code_hash = record.account.info.code_hash;
        Ok(Callee { position: load.data, is_cold: load.is_cold, is_empty, code_hash })
    }

    /// Position of an account that the running transaction has loaded.
    pub(crate) fn account_in_use(&mut self, address: Address) -> Option<u32> {
        self.view.used_account(address)
    }

    /// The code of an account that the running transaction has loaded, with its hash, if the code is at hand.
    pub(crate) fn code_in_use(&mut self, address: Address) -> Option<(B256, Bytecode)> {
        let position = self.view.used_account(address)?;
        let info = &self.view.accounts[position as usize].account.info;
        Some((info.code_hash, info.code.clone()?))
    }

    /// The code of an account that was called.
    pub(crate) fn code_of(&mut self, callee: &Callee) -> Result<Bytecode, SnapshotError> {
        self.load_code(callee.position)?;
        let code = self.view.accounts[callee.position as usize].account.info.code.clone();
        Ok(code.unwrap_or_else(|| unreachable!("`load_code` leaves code behind")))
    }

    /// Hash of the code of an account that the running transaction has loaded.
    pub(crate) fn code_hash_in_use(&mut self, address: Address) -> Option<B256> {
        let position = self.view.used_account(address)?;
        Some(self.view.accounts[position as usize].account.info.code_hash)
    }

    /// Whether an account that the running transaction has loaded is empty (EIP-161).
    pub(crate) fn is_empty_in_use(&mut self, address: Address) -> bool {
        self.view.used_account(address).is_none_or(|position| self.is_empty(position))
    }

    /// Whether an access would be charged as the first one. Accesses nothing.
    pub(crate) fn is_cold_account(&mut self, address: Address) -> bool {
        let is_new = self
            .view
            .used_account(address)
            .is_none_or(|position| self.view.accounts[position as usize].account.status.contains(AccountStatus::Cold));
        is_new && !self.is_warm_account(&address)
    }

    /// Likewise for a slot of an account that the running transaction has loaded.
    pub(crate) fn is_cold_slot(&mut self, address: Address, slot: U256) -> bool {
        let Some(account) = self.view.used_account(address) else { return true };
        let is_new = match self.view.find_slot(account, slot) {
            Some((position, false)) => self.view.slots[position as usize].slot.is_cold,
            Some((_, true)) | None => true,
        };
        is_new && !self.is_warm_slot(&address, &slot)
    }
}
