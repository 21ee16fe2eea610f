//! One account of the journal, as revm's handler changes it.

use super::{change::Change, journal::Journal, local::Observed};
use alloy_primitives::{Address, B256, U256};
use revm::{
    context::journaled_state::{JournalLoadErasedError, StateLoad, account::JournaledAccountTr},
    context_interface::{ErasedError, context::SStoreResult},
    primitives::{KECCAK_EMPTY, StorageKey, StorageValue},
    state::{Account, Bytecode, EvmStorageSlot},
};
use std::fmt;

/// An account in use by the running transaction. Reading a field through it counts as relying on that field exactly.
pub(crate) struct RecordAccount<'a, 'b> {
    journal: &'a mut Journal<'b>,
    position: u32,
}

impl fmt::Debug for RecordAccount<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordAccount").field("position", &self.position).finish_non_exhaustive()
    }
}

impl<'a, 'b> RecordAccount<'a, 'b> {
    pub(super) fn new(journal: &'a mut Journal<'b>, position: u32) -> Self {
        Self { journal, position }
    }

    fn record(&self) -> &super::local::LocalAccount {
        &self.journal.view.accounts[self.position as usize]
    }

    fn record_mut(&mut self) -> &mut super::local::LocalAccount {
        &mut self.journal.view.accounts[self.position as usize]
    }

    fn replace_balance(&mut self, balance: U256) {
        let account = self.position;
        let old = std::mem::replace(&mut self.record_mut().account.info.balance, balance);
        if old != balance {
            self.journal.changes.push(Change::BalanceChanged { account, old });
        }
    }
}

impl JournaledAccountTr for RecordAccount<'_, '_> {
    fn account(&self) -> &Account {
        self.record().observe(Observed::ALL);
        &self.record().account
    }

    fn sload(
        &mut self,
        key: StorageKey,
        skip_cold_load: bool,
    ) -> Result<StateLoad<&mut EvmStorageSlot>, JournalLoadErasedError> {
        let load =
            self.journal.load_slot(self.position, key, skip_cold_load).map_err(|error| error.map(ErasedError::new))?;
        Ok(StateLoad::new(&mut self.journal.view.slots[load.data as usize].slot, load.is_cold))
    }

    fn sstore(
        &mut self,
        key: StorageKey,
        new: StorageValue,
        skip_cold_load: bool,
    ) -> Result<StateLoad<SStoreResult>, JournalLoadErasedError> {
        self.journal.store_slot(self.position, key, new, skip_cold_load).map_err(|error| error.map(ErasedError::new))
    }

    fn load_code(&mut self) -> Result<&Bytecode, JournalLoadErasedError> {
        self.journal
            .load_code(self.position)
            .map_err(|error| JournalLoadErasedError::DBError(ErasedError::new(error)))?;
        match &self.record().account.info.code {
            Some(code) => Ok(code),
            None => unreachable!("`load_code` leaves code behind"),
        }
    }

    fn balance(&self) -> &U256 {
        self.record().observe(Observed::BALANCE);
        &self.record().account.info.balance
    }

    fn nonce(&self) -> u64 {
        self.record().observe(Observed::NONCE);
        self.record().account.info.nonce
    }

    fn code_hash(&self) -> &B256 {
        self.record().observe(Observed::CODE);
        &self.record().account.info.code_hash
    }

    fn code(&self) -> Option<&Bytecode> {
        self.record().observe(Observed::CODE);
        self.record().account.info.code.as_ref()
    }

    fn touch(&mut self) {
        self.journal.touch(self.position);
    }

    fn unsafe_mark_cold(&mut self) {
        self.record_mut().account.mark_cold();
    }

    fn set_balance(&mut self, balance: U256) {
        // An absolute value forgets what it was derived from, so the old balance counts as read.
        self.record().observe(Observed::BALANCE);
        self.touch();
        self.replace_balance(balance);
    }

    fn incr_balance(&mut self, amount: U256) -> bool {
        self.touch();
        let Some(balance) = self.record().account.info.balance.checked_add(amount) else {
            self.record().observe(Observed::BALANCE);
            return false;
        };
        self.replace_balance(balance);
        true
    }

    fn decr_balance(&mut self, amount: U256) -> bool {
        self.touch();
        let Some(balance) = self.record().account.info.balance.checked_sub(amount) else {
            self.record().observe(Observed::BALANCE);
            return false;
        };
        self.record_mut().require(amount);
        self.replace_balance(balance);
        true
    }

    fn bump_nonce(&mut self) -> bool {
        self.touch();
        let old = self.record().account.info.nonce;
        let Some(nonce) = old.checked_add(1) else {
            self.record().observe(Observed::NONCE);
            return false;
        };
        self.record_mut().account.info.nonce = nonce;
        let account = self.position;
        self.journal.changes.push(Change::NonceChanged { account, old });
        true
    }

    fn set_nonce(&mut self, nonce: u64) {
        self.touch();
        self.record().observe(Observed::NONCE);
        let old = std::mem::replace(&mut self.record_mut().account.info.nonce, nonce);
        let account = self.position;
        self.journal.changes.push(Change::NonceChanged { account, old });
    }

    fn unsafe_set_nonce(&mut self, nonce: u64) {
        self.record().observe(Observed::NONCE);
        self.record_mut().account.info.nonce = nonce;
    }

    fn set_code(&mut self, code_hash: B256, code: Bytecode) {
        self.touch();
        self.journal.set_code_at(self.position, code, code_hash);
    }

    fn set_code_and_hash_slow(&mut self, code: Bytecode) {
        let hash = code.hash_slow();
        self.set_code(hash, code);
    }

    fn delegate(&mut self, address: Address) {
        let (code, hash) = if address.is_zero() {
            (Bytecode::default(), KECCAK_EMPTY)
        } else {
            let code = Bytecode::new_eip7702(address);
            let hash = code.hash_slow();
            (code, hash)
        };
        self.touch();
        self.set_code(hash, code);
        self.bump_nonce();
    }
}
