//! A worker's own view of the state: the records its EVM runs on.
//!
//! Accounts and slots are loaded once from [`BlockState`] and then found again by one probe of a private table. Each record remembers which
//! transaction used it last, so the first use within a transaction is recognised by comparing two integers; that moment also brings the record up
//! to date and lists it as accessed. Nothing here is shared, and nothing allocates once the tables have grown.

use crate::{
    AccountState,
    state::{
        AccountEntry, AccountRef, BlockState, Claims, KeyHasher, Listed, LoadedAccount, Place, SlotRef, Snapshot,
        SnapshotError,
    },
};
use alloy_primitives::{Address, U256};
use hashbrown::HashTable;
use revm::{
    primitives::KECCAK_EMPTY,
    state::{Account, AccountInfo, AccountStatus, Bytecode, EvmStorageSlot, TransactionId},
};
use std::cell::Cell;

/// Which fields of an account a transaction relied on, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed(pub(crate) u8);

impl Observed {
    /// The exact balance.
    pub(crate) const BALANCE: u8 = 1;
    /// The exact nonce.
    pub(crate) const NONCE: u8 = 2;
    /// The code, or its hash.
    pub(crate) const CODE: u8 = 4;
    /// Whether the account is empty (EIP-161), or before that whether it exists.
    pub(crate) const EMPTY: u8 = 8;
    /// Every field.
    pub(crate) const ALL: u8 = 15;

    pub(crate) fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// An account as this worker knows it.
pub(crate) struct LocalAccount {
    pub(crate) entry: AccountRef,
    /// revm's record for the transaction that runs. Its storage map stays empty: slots live in [`LocalView::slots`].
    pub(crate) account: Account,
    /// State before the running transaction, as loaded.
    pub(crate) before: Option<AccountState>,
    /// Version of the entry when `before` was loaded.
    pub(crate) version: u32,
    /// Serial number of the transaction that used the record last.
    serial: u32,
    /// What the running transaction relied on.
    pub(crate) observed: Cell<u8>,
    /// The balance could have been lower by this much, and every check that passed would still have passed (wei).
    pub(crate) slack: U256,
    /// The running transaction set the code.
    pub(crate) code_set: bool,
    /// Where a supplied list has the account.
    pub(crate) listed: Listed,
    /// That list changes the account somewhere, and so far before the running transaction.
    is_claimed: bool,
    pub(crate) place: Place,
    /// This worker has told that the block accesses the account.
    pub(crate) is_counted: bool,
}

impl LocalAccount {
    #[inline]
    pub(crate) fn observe(&self, bits: u8) {
        self.observed.set(self.observed.get() | bits);
    }

    /// Notes that the balance was found to be at least `required`.
    #[inline]
    pub(crate) fn require(&mut self, required: U256) {
        let spare = self.account.info.balance.saturating_sub(required);
        if spare < self.slack {
            self.slack = spare;
        }
    }
}

/// A storage slot as this worker knows it.
pub(crate) struct LocalSlot {
    pub(crate) entry: SlotRef,
    pub(crate) slot: EvmStorageSlot,
    /// Stamp of the entry when the value was read; `None` when the slot belongs to an account created by the running transaction, which reads as zero
    /// whatever the state says.
    pub(crate) stamp: Option<u32>,
    serial: u32,
    pub(crate) account: u32,
    /// Where a supplied list has the slot.
    pub(crate) listed: Listed,
    /// How far in the list's changes of the slot the running transaction is.
    pub(crate) place: u32,
    /// This worker has told that the block accesses the slot.
    pub(crate) is_counted: bool,
}

/// The worker's records, and what the running transaction accessed.
pub(crate) struct LocalView {
    hasher: KeyHasher,
    account_index: HashTable<u32>,
    slot_index: HashTable<u32>,
    pub(crate) accounts: Vec<LocalAccount>,
    pub(crate) slots: Vec<LocalSlot>,
    /// Accounts used by the running transaction, in order of first use.
    pub(crate) used_accounts: Vec<u32>,
    /// Slots used by the running transaction, in order of first use.
    pub(crate) used_slots: Vec<u32>,
    /// Serial number of the running transaction, unique within the worker's block.
    serial: u32,
    /// Block access index of the running transaction.
    pub(crate) index: u32,
    /// All transactions before the running one are committed: what is committed counts, whatever a supplied list says.
    at_its_turn: bool,
    last_account: (Address, u32),
    /// The slot found last: a store mostly follows a load of the same slot.
    last_slot: (u32, U256, u32),
}

const NOT_FOUND: u32 = u32::MAX;

impl Default for LocalView {
    fn default() -> Self {
        Self {
            hasher: KeyHasher::default(),
            account_index: HashTable::new(),
            slot_index: HashTable::new(),
            accounts: Vec::new(),
            slots: Vec::new(),
            used_accounts: Vec::new(),
            used_slots: Vec::new(),
            serial: 0,
            index: 0,
            at_its_turn: false,
            last_account: (Address::ZERO, NOT_FOUND),
            last_slot: (NOT_FOUND, U256::ZERO, NOT_FOUND),
        }
    }
}

impl LocalView {
    /// Starts a transaction with block access index `index`.
    pub(crate) fn begin(&mut self, index: u32, at_its_turn: bool) {
        self.at_its_turn = at_its_turn;
        self.serial += 1;
        self.index = index;
        self.used_accounts.clear();
        self.used_slots.clear();
    }

    /// Forgets the block and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.account_index.clear();
        self.slot_index.clear();
        self.accounts.clear();
        self.slots.clear();
        self.used_accounts.clear();
        self.used_slots.clear();
        self.serial = 0;
        self.last_account = (Address::ZERO, NOT_FOUND);
        self.last_slot = (NOT_FOUND, U256::ZERO, NOT_FOUND);
    }

    /// The account's record, if the running transaction has used it already.
    #[inline]
    pub(crate) fn used_account(&mut self, address: Address) -> Option<u32> {
        let position = self.find_account(address)?;
        (self.accounts[position as usize].serial == self.serial).then_some(position)
    }

    #[inline]
    fn find_account(&mut self, address: Address) -> Option<u32> {
        if self.last_account.0 == address && self.last_account.1 != NOT_FOUND {
            return Some(self.last_account.1);
        }
        let hash = self.hasher.address(&address);
        let accounts = &self.accounts;
        let position =
            *self.account_index.find(hash, |position| accounts[*position as usize].entry.address == address)?;
        self.last_account = (address, position);
        Some(position)
    }

    /// Brings the account's record up to date at its first use in the running transaction. The flag tells whether this was the first use.
    #[inline]
    pub(crate) fn use_account(
        &mut self,
        state: &BlockState,
        snapshot: &dyn Snapshot,
        claims: Option<&Claims<'_>>,
        address: Address,
    ) -> Result<(u32, bool), SnapshotError> {
        let position = match self.find_account(address) {
            Some(position) => position,
            None => self.insert_account(state, snapshot, claims, address)?,
        };
        if self.accounts[position as usize].serial == self.serial {
            return Ok((position, false));
        }
        self.refresh_account(claims, position);
        Ok((position, true))
    }

    #[cold]
    fn insert_account(
        &mut self,
        state: &BlockState,
        snapshot: &dyn Snapshot,
        claims: Option<&Claims<'_>>,
        address: Address,
    ) -> Result<u32, SnapshotError> {
        let entry = state.account(snapshot, address)?;
        let position = self.accounts.len() as u32;
        let listed = claims.map_or(Listed::NOT, |claims| claims.find(&address));
        let place = claims.map_or_else(Place::default, |claims| claims.place(listed, Place::default(), self.index));
        let loaded = self.load(claims, &entry, listed, place);
        let mut account = Account::default();
        account.info = AccountInfo { code: loaded.new_code, ..info_of(loaded.state) };
        self.accounts.push(LocalAccount {
            entry,
            account,
            before: loaded.state,
            version: loaded.version,
            serial: 0,
            observed: Cell::new(0),
            slack: U256::MAX,
            code_set: false,
            listed,
            place,
            is_claimed: claims.is_some_and(|claims| claims.changes_account(listed)),
            is_counted: false,
        });
        let hash = self.hasher.address(&address);
        let (accounts, hasher) = (&self.accounts, &self.hasher);
        self.account_index
            .insert_unique(hash, position, |position| hasher.address(&accounts[*position as usize].entry.address));
        self.last_account = (address, position);
        Ok(position)
    }

    /// The account before the running transaction: by the list if there are claims, else as far as it is committed.
    fn load(&self, claims: Option<&Claims<'_>>, entry: &AccountEntry, listed: Listed, place: Place) -> LoadedAccount {
        match claims {
            None => entry.load(self.index, self.at_its_turn),
            Some(claims) => {
                let claimed = claims.account_before(listed, entry, place);
                LoadedAccount { state: claimed.state, new_code: claimed.new_code, version: 0 }
            }
        }
    }

    fn refresh_account(&mut self, claims: Option<&Claims<'_>>, position: u32) {
        let record = &mut self.accounts[position as usize];
        let is_stale = match claims {
            None => record.version != record.entry.version() || record.entry.seed().is_some(),
            Some(claims) if record.is_claimed => {
                record.place = claims.place(record.listed, record.place, self.index);
                true
            }
            Some(_) => false,
        };
        let record = &self.accounts[position as usize];
        let loaded =
            (is_stale || record.code_set).then(|| self.load(claims, &record.entry, record.listed, record.place));
        let record = &mut self.accounts[position as usize];
        record.serial = self.serial;
        if let Some(loaded) = loaded {
            let kept_code = !record.code_set
                && loaded.state.map_or(KECCAK_EMPTY, |state| state.code_hash)
                    == record.before.map_or(KECCAK_EMPTY, |state| state.code_hash);
            if !kept_code {
                record.account.info.code = loaded.new_code;
            }
            record.before = loaded.state;
            record.version = loaded.version;
        }
        let info = info_of(record.before);
        record.account.info.balance = info.balance;
        record.account.info.nonce = info.nonce;
        record.account.info.code_hash = info.code_hash;
        record.account.status =
            if record.before.is_none() { AccountStatus::LoadedAsNotExisting } else { AccountStatus::empty() };
        record.observed.set(0);
        record.slack = U256::MAX;
        record.code_set = false;
        self.used_accounts.push(position);
    }

    /// The code of an account, fetched if need be.
    pub(crate) fn load_code(&mut self, snapshot: &dyn Snapshot, position: u32) -> Result<(), SnapshotError> {
        let record = &mut self.accounts[position as usize];
        if record.account.info.code.is_some() {
            return Ok(());
        }
        let hash = record.account.info.code_hash;
        let code = if hash == KECCAK_EMPTY {
            Bytecode::default()
        } else {
            let from_parent = record.entry.base.is_some_and(|base| base.code_hash == hash);
            match record.entry.base_code().filter(|_| from_parent) {
                Some(code) => code.clone(),
                None if from_parent => record.entry.set_base_code(snapshot.code(hash)?).clone(),
                None => snapshot.code(hash)?,
            }
        };
        record.account.info.code = Some(code);
        Ok(())
    }

    /// The slot's record and whether this is its first use in the running transaction. The account must be in use.
    #[inline]
    pub(crate) fn find_slot(&mut self, account: u32, slot: U256) -> Option<(u32, bool)> {
        if self.last_slot.0 == account && self.last_slot.1 == slot {
            let position = self.last_slot.2;
            return Some((position, self.slots[position as usize].serial != self.serial));
        }
        let hash = self.hasher.slot(u64::from(account), &slot);
        let slots = &self.slots;
        let position = *self.slot_index.find(hash, |position| {
            let record = &slots[*position as usize];
            record.account == account && record.entry.slot == slot
        })?;
        self.last_slot = (account, slot, position);
        Some((position, self.slots[position as usize].serial != self.serial))
    }

    /// Reads the slot for the first time in the running transaction.
    pub(crate) fn use_slot(
        &mut self,
        state: &BlockState,
        snapshot: &dyn Snapshot,
        claims: Option<&Claims<'_>>,
        account: u32,
        slot: U256,
        known: Option<u32>,
    ) -> Result<u32, SnapshotError> {
        let position = match known {
            Some(position) => position,
            None => {
                let entry = state.slot(snapshot, self.accounts[account as usize].entry, slot)?;
                let position = self.slots.len() as u32;
                let listed = self.accounts[account as usize].listed;
                let listed = claims.map_or(Listed::NOT, |claims| claims.find_slot(listed, &slot));
                let (stamp, serial, is_counted) = (None, 0, false);
                let unread = EvmStorageSlot::default();
                self.slots.push(LocalSlot {
                    entry,
                    slot: unread,
                    stamp,
                    serial,
                    account,
                    listed,
                    place: 0,
                    is_counted,
                });
                let hash = self.hasher.slot(u64::from(account), &slot);
                let (slots, hasher) = (&self.slots, &self.hasher);
                self.slot_index.insert_unique(hash, position, |position| {
                    let record = &slots[*position as usize];
                    hasher.slot(u64::from(record.account), &record.entry.slot)
                });
                position
            }
        };
        let owner = &self.accounts[account as usize];
        let record = &mut self.slots[position as usize];
        if let Some(claims) = claims {
            record.place = claims.place_slot(owner.listed, record.listed, record.place, self.index);
        }
        let (value, stamp) = if owner.account.is_created() {
            (U256::ZERO, None)
        } else if let Some(claims) = claims {
            (claims.slot_before(owner.listed, record.listed, record.place).unwrap_or(record.entry.base), Some(0))
        } else {
            let (value, stamp) = record.entry.read(self.index);
            (value, Some(stamp))
        };
        record.serial = self.serial;
        record.stamp = stamp;
        record.slot = EvmStorageSlot::new(value, TransactionId::ZERO);
        self.used_slots.push(position);
        self.last_slot = (account, slot, position);
        Ok(position)
    }
}

fn info_of(state: Option<AccountState>) -> AccountInfo {
    let state = state.unwrap_or(AccountState::NEW);
    AccountInfo { balance: state.balance, nonce: state.nonce, code_hash: state.code_hash, code: None, account_id: None }
}
