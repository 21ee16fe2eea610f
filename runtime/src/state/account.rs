//! One account while the block executes: its state in the parent block, and its state after the last committed transaction.
//!
//! Only the ordered commit writes `committed`; workers read it through [`AccountEntry::load`]. `version` counts the commits, so that a
//! worker that saw version `v` knows with one atomic load that nothing has changed since.

use super::{arena::EntryRef, marks::Marks};
use crate::AccountState;
use alloy_primitives::{Address, B256, U256};
use parking_lot::{Mutex, MutexGuard};
use revm::state::Bytecode;
use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// Pointer to an account's entry.
pub(crate) type AccountRef = EntryRef<AccountEntry>;

/// An account's state after the last committed transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Committed {
    /// Balance, nonce and code hash; `None` when the account does not exist.
    pub(crate) state: Option<AccountState>,
    /// The code, when a transaction of this block set it.
    pub(crate) new_code: Option<Bytecode>,
    /// Some commit changed the account in this block (it may have changed back since).
    pub(crate) changed: bool,
}

/// What a supplied block access list says about an account, as (block access index, value after it).
#[derive(Clone, Debug, Default)]
pub(crate) struct SeededAccount {
    pub(crate) balances: Vec<(u32, U256)>,
    pub(crate) nonces: Vec<(u32, u64)>,
    pub(crate) codes: Vec<(u32, B256, Bytecode)>,
}

/// Entry of one account.
pub(crate) struct AccountEntry {
    pub(crate) address: Address,
    /// State in the parent block.
    pub(crate) base: Option<AccountState>,
    base_code: OnceLock<Bytecode>,
    version: AtomicU32,
    /// Block access index of the last commit that wiped the storage, zero for none (index zero, the system calls, wipes nothing).
    wiped_at: AtomicU32,
    committed: Mutex<Committed>,
    seed: OnceLock<Box<SeededAccount>>,
    marks: Marks,
}

/// A read of an account for one transaction.
#[derive(Debug)]
pub(crate) struct LoadedAccount {
    pub(crate) state: Option<AccountState>,
    pub(crate) new_code: Option<Bytecode>,
    pub(crate) version: u32,
}

impl AccountEntry {
    // Inlined, as is `Arena::push`, so that it is written where it stays.
    #[inline(always)]
    pub(crate) fn new(address: Address, base: Option<AccountState>, code: Option<Bytecode>) -> Self {
        let base_code = OnceLock::new();
        if let Some(code) = code {
            let _ = base_code.set(code);
        }
        Self {
            address,
            base,
            base_code,
            version: AtomicU32::new(0),
            wiped_at: AtomicU32::new(0),
            committed: Mutex::new(Committed { state: base, new_code: None, changed: false }),
            seed: OnceLock::new(),
            marks: Marks::default(),
        }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Number of commits that changed the account so far.
    #[inline]
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Ordering::Acquire)
    }

    /// Block access index of the last storage wipe, zero for none.
    #[inline]
    pub(crate) fn wiped_at(&self) -> u32 {
        self.wiped_at.load(Ordering::Acquire)
    }

    /// Code of the parent state, when it was fetched already.
    pub(crate) fn base_code(&self) -> Option<&Bytecode> {
        self.base_code.get()
    }

    /// Remembers the code of the parent state.
    pub(crate) fn set_base_code(&self, code: Bytecode) -> &Bytecode {
        self.base_code.get_or_init(|| code)
    }

    /// The account as the transaction with block access index `index` should see it: committed state, or what the supplied list says. At
    /// its turn nothing but committed state counts: a list cannot say whether an account without anything exists.
    pub(crate) fn load(&self, index: u32, at_its_turn: bool) -> LoadedAccount {
        if let Some(seed) = self.seed.get().filter(|_| !at_its_turn) {
            return self.load_seeded(seed, index);
        }
        let version = self.version();
        if version == 0 {
            return LoadedAccount { state: self.base, new_code: None, version };
        }
        let committed = self.committed.lock();
        LoadedAccount { state: committed.state, new_code: committed.new_code.clone(), version: self.version() }
    }

    fn load_seeded(&self, seed: &SeededAccount, index: u32) -> LoadedAccount {
        fn before<T>(changes: &[T], index: u32, of: impl Fn(&T) -> u32) -> Option<&T> {
            changes[..changes.partition_point(|change| of(change) < index)].last()
        }
        let base = self.base.unwrap_or(AccountState::NEW);
        let code = before(&seed.codes, index, |change| change.0);
        let state = AccountState {
            balance: before(&seed.balances, index, |change| change.0).map_or(base.balance, |change| change.1),
            nonce: before(&seed.nonces, index, |change| change.0).map_or(base.nonce, |change| change.1),
            code_hash: code.map_or(base.code_hash, |change| change.1),
        };
        let unchanged = state == base;
        LoadedAccount {
            state: if unchanged { self.base } else { (!state.is_empty()).then_some(state) },
            new_code: code.map(|change| change.2.clone()),
            // Never equal to a commit's version: what a list claims is always checked by value.
            version: u32::MAX,
        }
    }

    /// Installs what a supplied access list says. Call before any worker loads the account.
    pub(crate) fn set_seed(&self, seed: SeededAccount) {
        let first = self.seed.set(Box::new(seed)).is_ok();
        assert!(first, "account {} stands twice in the access list", self.address);
    }

    /// What a supplied access list says, if one was installed.
    pub(crate) fn seed(&self) -> Option<&SeededAccount> {
        self.seed.get().map(|seed| &**seed)
    }

    /// The committed state. Only the ordered commit holds this for writing; call [`AccountEntry::publish`] after a change.
    pub(crate) fn committed(&self) -> MutexGuard<'_, Committed> {
        self.committed.lock()
    }

    /// Makes a change under `committed` visible to version checks. Call while the guard is held.
    pub(crate) fn publish(&self, committed: &mut Committed) {
        committed.changed = true;
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Records that all storage was wiped by the transaction with block access index `index`.
    pub(crate) fn wipe_storage(&self, index: u32) {
        self.wiped_at.store(index, Ordering::Release);
    }
}
