//! The journal under revm's interpreter: warm and cold, touched and created, checkpoints and reverts, over a [`LocalView`].
//!
//! It follows revm's `JournalInner` rule by rule (the oracle tests compare them), and differs in three points. Records live in the worker's view
//! and survive from transaction to transaction, so nothing is built anew or thrown away. Each read notes *which field* was relied on, and balance checks note
//! only how much they needed. And the beneficiary's fee is kept apart as a blind addition, so that paying fees makes no two transactions depend on
//! each other.
//!
//! Amsterdam's rules (EIP-7708, EIP-8246) are not here: such blocks run on stock revm.

use super::{
    WorkerMemory,
    change::{Change, DestroyedStatus},
    lesson::Lesson,
    local::{LocalView, Observed},
    record_account::RecordAccount,
};
use crate::{
    paths::LocalPaths,
    predict::{AccountFields, KeccakCache},
    state::{BlockState, Claims, Snapshot, SnapshotDatabase, SnapshotError},
};
use alloy_primitives::{Address, B256, Log, U256};
use revm::{
    context::{
        JournalTr,
        journaled_state::{
            AccountInfoLoad, AccountLoad, JournalCheckpoint, JournalLoadError, StateLoad, TransferError,
            account::JournaledAccountTr,
        },
    },
    context_interface::context::{SStoreResult, SelfDestructResult},
    primitives::{
        AddressMap, AddressSet, HashSet, KECCAK_EMPTY, StorageKey, StorageValue,
        hardfork::SpecId::{self, CANCUN, PRAGUE, SPURIOUS_DRAGON},
    },
    state::{Account, Bytecode, TransientStorage},
};
use std::fmt;

type Load<T> = Result<StateLoad<T>, JournalLoadError<SnapshotError>>;

/// The addresses that are warm without having been accessed: precompiles, the beneficiary (EIP-3651) and the access list (EIP-2930).
#[derive(Debug, Default)]
struct Warm {
    precompiles: AddressSet,
    /// Every precompile of Ethereum has a short address; a chain's own may not.
    has_long_precompile: bool,
    beneficiary: Option<Address>,
    access_list: AddressMap<HashSet<StorageKey>>,
}

/// Whether only the last two bytes can be non-zero.
fn is_short(address: &Address) -> bool {
    address.0[..18] == [0; 18]
}

impl Warm {
    fn has_account(&self, address: &Address) -> bool {
        Some(*address) == self.beneficiary
            || (!self.access_list.is_empty() && self.access_list.contains_key(address))
            || ((self.has_long_precompile || is_short(address)) && self.precompiles.contains(address))
    }

    fn has_slot(&self, address: &Address, slot: &StorageKey) -> bool {
        !self.access_list.is_empty() && self.access_list.get(address).is_some_and(|slots| slots.contains(slot))
    }
}

/// The journal of one worker.
pub(crate) struct Journal<'b> {
    database: SnapshotDatabase<'b>,
    state: &'b BlockState,
    /// A supplied list: if there is one, everything is read as it says, and nothing that was committed.
    pub(crate) claims: Option<&'b Claims<'b>>,
    pub(crate) view: LocalView,
    pub(crate) changes: Vec<Change>,
    transient: TransientStorage,
    logs: Vec<Log>,
    depth: usize,
    spec: SpecId,
    warm: Warm,
    /// Fee of the running transaction for the beneficiary, in wei: a blind addition that the commit makes.
    pub(crate) fee: U256,
    keccak: KeccakCache,
    /// The recording of the running transaction, if it is recorded.
    pub(crate) lesson: Option<Box<Lesson>>,
    pub(crate) paths: LocalPaths,
    /// The view as a value, which [`JournalTr`] asks for and nobody uses.
    no_state: (),
}

impl fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("depth", &self.depth)
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}

impl<'b> Journal<'b> {
    /// A journal over the block's state, with the records and the memory of `view`.
    pub(crate) fn over(snapshot: &'b dyn Snapshot, state: &'b BlockState, memory: WorkerMemory, spec: SpecId) -> Self {
        assert!(!spec.is_enabled_in(SpecId::AMSTERDAM), "blocks of {spec:?} run on stock revm");
        Self {
            database: SnapshotDatabase(snapshot),
            state,
            claims: None,
            view: memory.view,
            keccak: memory.keccak,
            paths: memory.paths,
            lesson: None,
            changes: Vec::with_capacity(64),
            transient: TransientStorage::default(),
            logs: Vec::new(),
            depth: 0,
            spec,
            warm: Warm::default(),
            fee: U256::ZERO,
            no_state: (),
        }
    }

    /// Gives the worker's memory back, ready for another block.
    pub(crate) fn into_memory(mut self) -> WorkerMemory {
        self.view.clear();
        self.paths.end_block();
        WorkerMemory { view: self.view, keccak: self.keccak, paths: self.paths }
    }

    /// Keccak-256 of `input`, from the worker's cache if it is short.
    pub(crate) fn hash(&mut self, input: &[u8]) -> B256 {
        let hash = self.keccak.hash(input);
        if let Some(lesson) = &mut self.lesson {
            lesson.preimages.record(input, hash);
        }
        hash
    }

    /// The code hash of an account as EXTCODEHASH gives it: zero for an account that does not exist or is empty (EIP-1052).
    pub(crate) fn code_hash_of(&mut self, address: Address, skip_cold_load: bool) -> Load<B256> {
        let load = self.load(address, skip_cold_load)?;
        let record = &self.view.accounts[load.data as usize];
        record.observe(Observed::CODE | Observed::EMPTY);
        let hash = if record.account.info.is_empty() { B256::ZERO } else { record.account.info.code_hash };
        if let Some(lesson) = &mut self.lesson {
            lesson.observed.touch_account(address, AccountFields::CODE);
        }
        Ok(StateLoad::new(hash, load.is_cold))
    }

    /// Starts a transaction with block access index `index`, ahead of its turn or at it.
    pub(crate) fn begin(&mut self, index: u32, at_its_turn: bool) {
        self.view.begin(index, at_its_turn);
        self.fee = U256::ZERO;
    }

    /// Loads the sender of the running transaction with its code.
    pub(super) fn load_sender(&mut self, address: Address) -> Result<u32, SnapshotError> {
        Ok(self.load_with_code(address, false).map_err(JournalLoadError::unwrap_db_error)?.data)
    }

    /// Takes the sender's nonce for granted: earlier transactions of the same sender may not be committed yet. The commit
    /// compares the nonce with the committed one.
    pub(super) fn assume_nonce(&mut self, sender: u32, nonce: u64) {
        let record = &mut self.view.accounts[sender as usize];
        record.observe(Observed::NONCE);
        // An account that does not exist has no nonce to be mistaken about.
        if let Some(before) = record.before.as_mut().filter(|before| before.nonce != nonce) {
            before.nonce = nonce;
            record.account.info.nonce = nonce;
            // No commit has this version, so the commit compares values.
            record.version = u32::MAX;
        }
    }

    /// Takes the gas fee (wei) from a sender whose balance is at least `required` wei, and counts up the nonce of a call.
    pub(super) fn charge_sender(&mut self, sender: u32, required: U256, fee: U256, is_call: bool) {
        self.touch(sender);
        let record = &mut self.view.accounts[sender as usize];
        record.observe(Observed::NONCE);
        record.require(required);
        let old = record.account.info.balance;
        record.account.info.balance = old.saturating_sub(fee);
        self.changes.push(Change::BalanceChanged { account: sender, old });
        if is_call {
            let record = &mut self.view.accounts[sender as usize];
            let old = record.account.info.nonce;
            record.account.info.nonce = old.saturating_add(1);
            self.changes.push(Change::NonceChanged { account: sender, old });
        }
    }

    fn reset_transaction(&mut self) {
        self.changes.clear();
        if !self.transient.is_empty() {
            self.transient.clear();
        }
        self.logs.clear();
        self.depth = 0;
        self.warm.beneficiary = None;
        if !self.warm.access_list.is_empty() {
            self.warm.access_list.clear();
        }
    }

    /// Loads an account and marks it warm.
    #[inline]
    pub(super) fn load(&mut self, address: Address, skip_cold_load: bool) -> Load<u32> {
        // An account that has to stay cold must not be listed as accessed, so look before loading.
        if let Some(position) = self.view.used_account(address) {
            let record = &mut self.view.accounts[position as usize];
            if !record.account.status.contains(revm::state::AccountStatus::Cold) {
                return Ok(StateLoad::new(position, false));
            }
            let is_cold = !self.warm.has_account(&address);
            if is_cold && skip_cold_load {
                return Err(JournalLoadError::ColdLoadSkipped);
            }
            record.account.status -= revm::state::AccountStatus::Cold;
            self.changes.push(Change::AccountWarmed { account: position });
            return Ok(StateLoad::new(position, is_cold));
        }
        let is_cold = !self.warm.has_account(&address);
        if is_cold && skip_cold_load {
            return Err(JournalLoadError::ColdLoadSkipped);
        }
        let (position, _) = self.view.use_account(self.state, self.database.0, self.claims, address)?;
        if is_cold {
            self.changes.push(Change::AccountWarmed { account: position });
        }
        Ok(StateLoad::new(position, is_cold))
    }

    #[inline]
    fn load_with_code(&mut self, address: Address, skip_cold_load: bool) -> Load<u32> {
        let load = self.load(address, skip_cold_load)?;
        self.load_code(load.data)?;
        Ok(load)
    }

    pub(super) fn load_code(&mut self, position: u32) -> Result<(), SnapshotError> {
        self.view.accounts[position as usize].observe(Observed::CODE);
        self.view.load_code(self.database.0, position)
    }

    #[inline]
    pub(super) fn touch(&mut self, position: u32) {
        let record = &mut self.view.accounts[position as usize];
        if !record.account.is_touched() {
            record.account.mark_touch();
            self.changes.push(Change::AccountTouched { account: position });
        }
    }

    pub(super) fn is_warm_account(&self, address: &Address) -> bool {
        self.warm.has_account(address)
    }

    pub(super) fn is_warm_slot(&self, address: &Address, slot: &StorageKey) -> bool {
        self.warm.has_slot(address, slot)
    }

    pub(super) fn is_empty(&self, position: u32) -> bool {
        self.view.accounts[position as usize].account.state_clear_aware_is_empty(self.spec)
    }

    /// Position of an account that the rules guarantee to be loaded.
    fn loaded(&mut self, address: Address) -> u32 {
        match self.view.used_account(address) {
            Some(position) => position,
            None => panic!("account {address} must have been loaded before it is changed"),
        }
    }

    #[inline]
    pub(crate) fn load_slot(&mut self, account: u32, slot: U256, skip_cold_load: bool) -> Load<u32> {
        let found = self.view.find_slot(account, slot);
        let address = self.view.accounts[account as usize].entry.address;
        let known = match found {
            Some((position, false)) => {
                let record = &mut self.view.slots[position as usize].slot;
                if !record.is_cold {
                    return Ok(StateLoad::new(position, false));
                }
                let is_cold = !self.warm.has_slot(&address, &slot);
                if is_cold && skip_cold_load {
                    return Err(JournalLoadError::ColdLoadSkipped);
                }
                record.is_cold = false;
                if is_cold {
                    self.changes.push(Change::SlotWarmed { slot: position });
                }
                return Ok(StateLoad::new(position, is_cold));
            }
            Some((position, true)) => Some(position),
            None => None,
        };
        let is_cold = !self.warm.has_slot(&address, &slot);
        if is_cold && skip_cold_load {
            return Err(JournalLoadError::ColdLoadSkipped);
        }
        let position = self.view.use_slot(self.state, self.database.0, self.claims, account, slot, known)?;
        if is_cold {
            self.changes.push(Change::SlotWarmed { slot: position });
        }
        Ok(StateLoad::new(position, is_cold))
    }

    pub(crate) fn store_slot(
        &mut self,
        account: u32,
        slot: U256,
        value: U256,
        skip_cold_load: bool,
    ) -> Load<SStoreResult> {
        self.touch(account);
        let load = self.load_slot(account, slot, skip_cold_load)?;
        let record = &mut self.view.slots[load.data as usize].slot;
        let result = SStoreResult {
            original_value: record.original_value,
            present_value: record.present_value,
            new_value: value,
        };
        if record.present_value != value {
            let old = std::mem::replace(&mut record.present_value, value);
            self.changes.push(Change::SlotChanged { slot: load.data, old });
        }
        Ok(StateLoad::new(result, load.is_cold))
    }

    pub(crate) fn move_value(&mut self, from: u32, to: u32, amount: U256) -> Option<TransferError> {
        if from == to {
            let record = &mut self.view.accounts[from as usize];
            if amount > record.account.info.balance {
                record.observe(Observed::BALANCE);
                return Some(TransferError::OutOfFunds);
            }
            record.require(amount);
            return None;
        }
        if amount.is_zero() {
            self.touch(to);
            return None;
        }
        self.touch(from);
        let record = &mut self.view.accounts[from as usize];
        let Some(rest) = record.account.info.balance.checked_sub(amount) else {
            record.observe(Observed::BALANCE);
            return Some(TransferError::OutOfFunds);
        };
        record.require(amount);
        record.account.info.balance = rest;
        self.touch(to);
        let record = &mut self.view.accounts[to as usize];
        let Some(sum) = record.account.info.balance.checked_add(amount) else {
            record.observe(Observed::BALANCE);
            return Some(TransferError::OverflowPayment);
        };
        record.account.info.balance = sum;
        self.changes.push(Change::BalanceTransferred { from, to, amount });
        None
    }
}

impl<'b> JournalTr for Journal<'b> {
    type Database = SnapshotDatabase<'b>;
    type State = ();
    type JournaledAccount<'a>
        = RecordAccount<'a, 'b>
    where
        Self: 'a;

    fn new(_database: Self::Database) -> Self {
        unreachable!("a worker's journal is made by `Journal::over`, with the block's state")
    }

    fn db_and_state(&self) -> (&Self::Database, &()) {
        (&self.database, &self.no_state)
    }

    fn db_and_state_mut(&mut self) -> (&mut Self::Database, &mut ()) {
        (&mut self.database, &mut self.no_state)
    }

    #[inline]
    fn sload_skip_cold_load(&mut self, address: Address, key: StorageKey, skip_cold_load: bool) -> Load<StorageValue> {
        let account = self.view.used_account(address).ok_or(JournalLoadError::ColdLoadSkipped)?;
        let load = self.load_slot(account, key, skip_cold_load)?;
        let value = self.view.slots[load.data as usize].slot.present_value;
        if let Some(lesson) = &mut self.lesson {
            lesson.observed.read_slot(address, key, value);
        }
        Ok(StateLoad::new(value, load.is_cold))
    }

    #[inline]
    fn sstore_skip_cold_load(
        &mut self,
        address: Address,
        key: StorageKey,
        value: StorageValue,
        skip_cold_load: bool,
    ) -> Load<SStoreResult> {
        let account = self.view.used_account(address).ok_or(JournalLoadError::ColdLoadSkipped)?;
        let load = self.store_slot(account, key, value, skip_cold_load)?;
        if let Some(lesson) = &mut self.lesson {
            lesson.observed.write_slot(address, key, load.original_value, value);
        }
        Ok(load)
    }

    fn tload(&mut self, address: Address, key: StorageKey) -> StorageValue {
        self.transient.get_value(address, key)
    }

    fn tstore(&mut self, address: Address, key: StorageKey, value: StorageValue) {
        let old = if value.is_zero() {
            self.transient.remove_value(address, key)
        } else {
            let old = self.transient.insert_value(address, key, value).unwrap_or_default();
            (old != value).then_some(old)
        };
        if let Some(old) = old {
            self.changes.push(Change::TransientChanged { address, key, old });
        }
    }

    fn log(&mut self, log: Log) {
        self.logs.push(log);
    }

    fn take_logs(&mut self) -> Vec<Log> {
        std::mem::take(&mut self.logs)
    }

    fn logs(&self) -> &[Log] {
        &self.logs
    }

    fn selfdestruct(&mut self, address: Address, target: Address, skip_cold_load: bool) -> Load<SelfDestructResult> {
        let load = self.load(target, skip_cold_load)?;
        let to = load.data;
        self.view.accounts[to as usize].observe(Observed::EMPTY);
        let target_is_empty = self.is_empty(to);
        let from = self.loaded(address);
        self.view.accounts[from as usize].observe(Observed::BALANCE);
        let balance = self.view.accounts[from as usize].account.info.balance;
        if from != to {
            self.touch(to);
            self.view.accounts[to as usize].account.info.balance += balance;
        }
        let record = &mut self.view.accounts[from as usize].account;
        let balance = record.info.balance;
        let status = if !record.is_selfdestructed() {
            DestroyedStatus::Globally
        } else if !record.is_selfdestructed_locally() {
            DestroyedStatus::Locally
        } else {
            DestroyedStatus::Repeated
        };
        // EIP-6780: since Cancun an account is destroyed only in the transaction that created it.
        if record.is_created_locally() || !self.spec.is_enabled_in(CANCUN) {
            record.mark_selfdestructed_locally();
            record.info.balance = U256::ZERO;
            self.changes.push(Change::AccountDestroyed { account: from, target: to, had_balance: balance, status });
        } else if from != to {
            record.info.balance = U256::ZERO;
            self.changes.push(Change::BalanceTransferred { from, to, amount: balance });
        }
        Ok(StateLoad::new(
            SelfDestructResult {
                had_value: !balance.is_zero(),
                target_exists: !target_is_empty,
                previously_destroyed: status == DestroyedStatus::Repeated,
            },
            load.is_cold,
        ))
    }

    fn warm_access_list(&mut self, access_list: AddressMap<HashSet<StorageKey>>) {
        self.warm.access_list = access_list;
    }

    fn warm_coinbase_account(&mut self, address: Address) {
        self.warm.beneficiary = Some(address);
    }

    fn warm_precompiles(&mut self, precompiles: &AddressSet) {
        self.warm.has_long_precompile = !precompiles.iter().all(is_short);
        self.warm.precompiles.clone_from(precompiles);
    }

    fn precompile_addresses(&self) -> &AddressSet {
        &self.warm.precompiles
    }

    fn set_spec_id(&mut self, spec: SpecId) {
        self.spec = spec;
    }

    fn set_eip7708_config(&mut self, _disabled: bool, _delayed_clear_disabled: bool) {}

    fn touch_account(&mut self, address: Address) {
        if let Some(position) = self.view.used_account(address) {
            self.touch(position);
        }
    }

    fn transfer(&mut self, from: Address, to: Address, amount: U256) -> Result<Option<TransferError>, SnapshotError> {
        let from = self.load(from, false).map_err(JournalLoadError::unwrap_db_error)?.data;
        let to = self.load(to, false).map_err(JournalLoadError::unwrap_db_error)?.data;
        Ok(self.move_value(from, to, amount))
    }

    fn transfer_loaded(&mut self, from: Address, to: Address, amount: U256) -> Option<TransferError> {
        let (from, to) = (self.loaded(from), self.loaded(to));
        self.move_value(from, to, amount)
    }

    fn caller_accounting_journal_entry(&mut self, address: Address, old_balance: U256, bump_nonce: bool) {
        let account = self.loaded(address);
        self.changes.push(Change::BalanceChanged { account, old: old_balance });
        self.changes.push(Change::AccountTouched { account });
        if bump_nonce {
            let old = self.view.accounts[account as usize].account.info.nonce.saturating_sub(1);
            self.changes.push(Change::NonceChanged { account, old });
        }
    }

    fn balance_incr(&mut self, address: Address, amount: U256) -> Result<(), SnapshotError> {
        self.load_account_mut(address)?.data.incr_balance(amount);
        Ok(())
    }

    fn nonce_bump_journal_entry(&mut self, address: Address) {
        let account = self.loaded(address);
        let old = self.view.accounts[account as usize].account.info.nonce.saturating_sub(1);
        self.changes.push(Change::NonceChanged { account, old });
    }

    fn load_account(&mut self, address: Address) -> Result<StateLoad<&Account>, SnapshotError> {
        let load = self.load(address, false).map_err(JournalLoadError::unwrap_db_error)?;
        Ok(StateLoad::new(&self.view.accounts[load.data as usize].account, load.is_cold))
    }

    fn load_account_with_code(&mut self, address: Address) -> Result<StateLoad<&Account>, SnapshotError> {
        let load = self.load_with_code(address, false).map_err(JournalLoadError::unwrap_db_error)?;
        Ok(StateLoad::new(&self.view.accounts[load.data as usize].account, load.is_cold))
    }

    fn load_account_delegated(&mut self, address: Address) -> Result<StateLoad<AccountLoad>, SnapshotError> {
        let load = if self.spec.is_enabled_in(PRAGUE) {
            self.load_with_code(address, false)
        } else {
            self.load(address, false)
        }
        .map_err(JournalLoadError::unwrap_db_error)?;
        self.view.accounts[load.data as usize].observe(Observed::EMPTY);
        let mut result = AccountLoad { is_delegate_account_cold: None, is_empty: self.is_empty(load.data) };
        let code = self.view.accounts[load.data as usize].account.info.code.as_ref();
        if let Some(delegate) = code.and_then(Bytecode::eip7702_address) {
            let delegate = self.load_with_code(delegate, false).map_err(JournalLoadError::unwrap_db_error)?;
            result.is_delegate_account_cold = Some(delegate.is_cold);
        }
        Ok(StateLoad::new(result, load.is_cold))
    }

    fn load_account_mut_skip_cold_load(
        &mut self,
        address: Address,
        skip_cold_load: bool,
    ) -> Load<Self::JournaledAccount<'_>> {
        let load = self.load(address, skip_cold_load)?;
        Ok(StateLoad::new(RecordAccount::new(self, load.data), load.is_cold))
    }

    fn load_account_mut_optional_code(
        &mut self,
        address: Address,
        load_code: bool,
    ) -> Result<StateLoad<Self::JournaledAccount<'_>>, SnapshotError> {
        let load = if load_code { self.load_with_code(address, false) } else { self.load(address, false) }
            .map_err(JournalLoadError::unwrap_db_error)?;
        Ok(StateLoad::new(RecordAccount::new(self, load.data), load.is_cold))
    }

    fn set_code_with_hash(&mut self, address: Address, code: Bytecode, hash: B256) {
        let account = self.loaded(address);
        self.touch(account);
        self.set_code_at(account, code, hash);
    }

    fn checkpoint(&mut self) -> JournalCheckpoint {
        self.depth += 1;
        JournalCheckpoint { log_i: self.logs.len(), journal_i: self.changes.len(), selfdestructed_i: 0 }
    }

    fn checkpoint_commit(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn checkpoint_revert(&mut self, checkpoint: JournalCheckpoint) {
        self.depth = self.depth.saturating_sub(1);
        self.logs.truncate(checkpoint.log_i);
        let spurious_dragon = self.spec.is_enabled_in(SPURIOUS_DRAGON);
        while self.changes.len() > checkpoint.journal_i {
            let Some(change) = self.changes.pop() else { break };
            change.revert(&mut self.view, &mut self.transient, spurious_dragon);
        }
    }

    fn create_account_checkpoint(
        &mut self,
        caller: Address,
        address: Address,
        balance: U256,
        spec: SpecId,
    ) -> Result<JournalCheckpoint, TransferError> {
        let checkpoint = self.checkpoint();
        let target = self.loaded(address);
        let record = &mut self.view.accounts[target as usize];
        record.observe(Observed::CODE | Observed::NONCE);
        if record.account.info.code_hash != KECCAK_EMPTY || record.account.info.nonce != 0 {
            self.checkpoint_revert(checkpoint);
            return Err(TransferError::CreateCollision);
        }
        let globally = record.account.mark_created_locally();
        record.account.info.code = None;
        if spec.is_enabled_in(SPURIOUS_DRAGON) {
            record.account.info.nonce = 1;
        }
        self.changes.push(Change::AccountCreated { account: target, globally });
        self.touch(target);
        if balance.is_zero() {
            return Ok(checkpoint);
        }
        let record = &mut self.view.accounts[target as usize];
        let Some(sum) = record.account.info.balance.checked_add(balance) else {
            record.observe(Observed::BALANCE);
            self.checkpoint_revert(checkpoint);
            return Err(TransferError::OverflowPayment);
        };
        record.account.info.balance = sum;
        let from = self.loaded(caller);
        let record = &mut self.view.accounts[from as usize];
        record.require(balance);
        record.account.info.balance -= balance;
        self.changes.push(Change::BalanceTransferred { from, to: target, amount: balance });
        Ok(checkpoint)
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn commit_tx(&mut self) {
        self.reset_transaction();
    }

    fn discard_tx(&mut self) {
        self.reset_transaction();
    }

    fn finalize(&mut self) {
        self.reset_transaction();
    }

    #[inline]
    fn load_account_info_skip_cold_load(
        &mut self,
        address: Address,
        load_code: bool,
        skip_cold_load: bool,
    ) -> Result<AccountInfoLoad<'_>, JournalLoadError<SnapshotError>> {
        let load =
            if load_code { self.load_with_code(address, skip_cold_load)? } else { self.load(address, skip_cold_load)? };
        let is_empty = self.is_empty(load.data);
        if let Some(lesson) = &mut self.lesson {
            lesson
                .observed
                .touch_account(address, if load_code { AccountFields::CODE } else { AccountFields::BALANCE });
        }
        let record = &self.view.accounts[load.data as usize];
        // Without code the caller is after the balance (BALANCE, SELFBALANCE).
        record.observe(if load_code { Observed::EMPTY } else { Observed::BALANCE });
        Ok(AccountInfoLoad::new(&record.account.info, load.is_cold, is_empty))
    }
}

impl Journal<'_> {
    pub(super) fn set_code_at(&mut self, account: u32, code: Bytecode, hash: B256) {
        let record = &mut self.view.accounts[account as usize];
        let old_hash = std::mem::replace(&mut record.account.info.code_hash, hash);
        let old_code = record.account.info.code.replace(code);
        record.code_set = true;
        self.changes.push(Change::CodeChanged { account, old_hash, old_code });
    }
}
