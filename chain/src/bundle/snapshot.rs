//! The state before a block, in memory, as the engine reads it.
//!
//! What is known under a plain address or slot lies in maps and costs one lookup. Of a witness there is more: leaves
//! whose key nobody spelled out, and proofs of absence. Those are found by the hash of the key, after the maps.

use super::{Bundle, BundleError, PlainState, PreState, SnapshotError, Witness, error::Inconsistency};
use crate::execution::{account_changes, slot_changes};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, Bytes, U256, keccak256,
    map::{AddressMap, B256Map, HashMap, U256Map},
};
use braid_runtime::StateDiff;
use braid_storage::{AccountRecord, WitnessState};
use revm::{
    DatabaseRef,
    primitives::KECCAK_EMPTY,
    state::{AccountInfo, Bytecode},
};
use std::collections::BTreeMap;

/// A read-only state, shared between threads by reference.
///
/// * Code is analysed once; accounts carry it.
/// * Of a plain pre-state, an account that is not listed does not exist, and a slot that is not listed is zero.
/// * Of a witness, whatever it proves neither present nor absent is an error upon the read.
#[derive(Debug)]
pub struct Snapshot {
    accounts: AddressMap<SnapshotAccount>,
    codes: B256Map<Bytecode>,
    block_hashes: HashMap<u64, B256>,
    source: Source,
}

/// An account of a snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotAccount {
    /// The account with its code, if the code is known; `None` when it is known not to exist.
    pub info: Option<AccountInfo>,
    storage: U256Map<U256>,
    /// Storage root; only meaningful with a witness.
    storage_root: B256,
}

#[derive(Debug)]
enum Source {
    Partial,
    Complete,
    Witness(Box<WitnessIndex>),
}

/// The leaves of a witness by their hashed keys.
#[derive(Debug)]
struct WitnessIndex {
    state: WitnessState,
    accounts: B256Map<SnapshotAccount>,
    /// Known slots by hashed key, under the root of their storage trie.
    slots: B256Map<B256Map<U256>>,
}

impl SnapshotAccount {
    /// Slots that are known by number, with their values; zeros may be among them.
    pub fn storage(&self) -> impl ExactSizeIterator<Item = (U256, U256)> + '_ {
        self.storage.iter().map(|(slot, value)| (*slot, *value))
    }
}

impl Snapshot {
    pub(super) fn new(bundle: &Bundle) -> Result<Self, BundleError> {
        let header = &bundle.block.header;
        let mut snapshot = match &bundle.pre_state {
            PreState::Plain(state) => Self::of_plain_state(state)?,
            PreState::Witness(witness) => {
                let mut snapshot = Self::of_witness(witness)?;
                snapshot.block_hashes = ancestor_hashes(header, witness)?;
                snapshot
            }
        };
        snapshot.block_hashes.extend(bundle.block_hashes.iter().map(|(number, hash)| (*number, *hash)));
        if let Some(parent) = header.number.checked_sub(1) {
            snapshot.block_hashes.insert(parent, header.parent_hash);
        }
        Ok(snapshot)
    }

    /// Accounts that are known by address, in no particular order. A witness may prove more accounts than these, namely
    /// those whose address nobody spelled out.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (Address, &SnapshotAccount)> + '_ {
        self.accounts.iter().map(|(address, account)| (*address, account))
    }

    /// The account under this address, if it is known by address.
    pub fn account(&self, address: Address) -> Option<&SnapshotAccount> {
        self.accounts.get(&address)
    }

    /// Code by hash.
    pub const fn codes(&self) -> &B256Map<Bytecode> {
        &self.codes
    }

    /// Block hashes by number.
    pub const fn block_hashes(&self) -> &HashMap<u64, B256> {
        &self.block_hashes
    }

    /// The state root after the block; `None` when too little of the state is known to compute one.
    pub fn state_root_after(&self, diff: &StateDiff) -> Result<Option<B256>, SnapshotError> {
        match &self.source {
            Source::Partial => Ok(None),
            Source::Complete => Ok(Some(self.rebuilt_root_after(diff))),
            Source::Witness(witness) => witness
                .state
                .root_after(account_changes(diff), slot_changes(diff))
                .map(Some)
                .map_err(|error| SnapshotError::StateRoot(Box::new(error))),
        }
    }

    fn rebuilt_root_after(&self, diff: &StateDiff) -> B256 {
        let mut accounts: BTreeMap<Address, (AccountRecord, BTreeMap<U256, U256>)> = BTreeMap::new();
        for (address, account) in &self.accounts {
            if let Some(info) = &account.info {
                let record = AccountRecord { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash };
                accounts.insert(*address, (record, account.storage().collect()));
            }
        }
        for account in &diff.accounts {
            let Some(present) = account.present else {
                accounts.remove(&account.address);
                continue;
            };
            let record = AccountRecord { nonce: present.nonce, balance: present.balance, code_hash: present.code_hash };
            let entry = accounts.entry(account.address).or_insert_with(|| (record, BTreeMap::new()));
            entry.0 = record;
            if account.storage_wiped {
                entry.1.clear();
            }
        }
        for slot in &diff.slots {
            if let Some((_, storage)) = accounts.get_mut(&slot.address) {
                storage.insert(slot.slot, slot.present);
            }
        }
        braid_storage::state_root(accounts.into_iter().map(|(address, (record, storage))| (address, record, storage)))
    }

    fn of_plain_state(state: &PlainState) -> Result<Self, Inconsistency> {
        let codes = analysed(&state.codes);
        let mut accounts = AddressMap::with_capacity_and_hasher(state.accounts.len(), Default::default());
        for (address, account) in &state.accounts {
            let info = account_info(account.nonce, account.balance, account.code_hash, &codes);
            if info.code.is_none() {
                return Err(Inconsistency::MissingCode { address: *address, code_hash: account.code_hash });
            }
            let storage = account.storage.iter().map(|(slot, value)| (*slot, *value)).collect();
            accounts.insert(*address, SnapshotAccount { info: Some(info), storage, storage_root: B256::ZERO });
        }
        let source = if state.complete { Source::Complete } else { Source::Partial };
        Ok(Self { accounts, codes, block_hashes: HashMap::default(), source })
    }

    fn of_witness(witness: &Witness) -> Result<Self, BundleError> {
        let codes = analysed(&witness.codes);
        let state = WitnessState::new(witness.state_root, witness.state.iter().cloned());

        let mut by_hash = B256Map::default();
        let mut tries = Vec::new();
        state.visit_accounts(|key, account| {
            let info = account_info(account.nonce, account.balance, account.code_hash, &codes);
            let storage_root = account.storage_root;
            tries.push((key, storage_root));
            by_hash.insert(key, SnapshotAccount { info: Some(info), storage: U256Map::default(), storage_root });
        })?;
        let mut slots = B256Map::<B256Map<U256>>::default();
        // Many tries may share most of their nodes, so all their leaves together may be far more than there are nodes. What
        // goes beyond this is not put into the map; reading it follows the trie.
        let mut room = 1024 + 16 * witness.state.len();
        for (key, storage_root) in tries {
            if room > 0 && !slots.contains_key(&storage_root) {
                let mut known = B256Map::default();
                state.visit_slots(key, storage_root, |slot, value| {
                    known.insert(slot, value);
                })?;
                room = room.saturating_sub(known.len());
                slots.insert(storage_root, known);
            }
        }
        let mut snapshot = Self {
            accounts: AddressMap::default(),
            codes,
            block_hashes: HashMap::default(),
            source: Source::Witness(Box::new(WitnessIndex { state, accounts: by_hash, slots })),
        };
        snapshot.spell_out(&witness.keys);
        Ok(snapshot)
    }

    /// Puts whatever the witness proves about these keys under their plain names. Slots belong to the address before them;
    /// a slot of which the witness proves nothing there is left out, as the list may be in another order.
    fn spell_out(&mut self, keys: &[Bytes]) {
        let mut spelled: AddressMap<SnapshotAccount> = AddressMap::default();
        let mut current = None;
        for key in keys {
            if let Ok(address) = Address::try_from(&key[..]) {
                current = None;
                if let Ok(account) = self.unlisted_account(address) {
                    current = Some(address);
                    spelled.entry(address).or_insert(account);
                }
            } else if let (Ok(slot), Some(address)) = (B256::try_from(&key[..]), current) {
                let slot = U256::from_be_bytes(slot.0);
                if let Some(account) = spelled.get_mut(&address)
                    && account.info.is_some()
                    && let Ok(value) = self.unlisted_slot(address, account.storage_root, slot)
                {
                    account.storage.insert(slot, value);
                }
            }
        }
        self.accounts = spelled;
    }

    fn unlisted_account(&self, address: Address) -> Result<SnapshotAccount, SnapshotError> {
        let absent = || SnapshotAccount { info: None, storage: U256Map::default(), storage_root: B256::ZERO };
        let Source::Witness(witness) = &self.source else { return Ok(absent()) };
        if let Some(account) = witness.accounts.get(&keccak256(address)) {
            return Ok(account.clone());
        }
        let proved = witness.state.account(address);
        let proved = proved.map_err(|source| SnapshotError::MissingAccount { address, source: Box::new(source) })?;
        assert!(proved.is_none(), "account {address} is in the witness, yet not among its leaves");
        Ok(absent())
    }

    fn unlisted_slot(&self, address: Address, storage_root: B256, slot: U256) -> Result<U256, SnapshotError> {
        let Source::Witness(witness) = &self.source else { return Ok(U256::ZERO) };
        let hashed = keccak256(B256::from(slot));
        if let Some(value) = witness.slots.get(&storage_root).and_then(|slots| slots.get(&hashed)) {
            return Ok(*value);
        }
        witness.state.slot(address, storage_root, slot).map_err(|source| SnapshotError::MissingSlot {
            address,
            slot: slot.into(),
            source: Box::new(source),
        })
    }
}

impl DatabaseRef for Snapshot {
    type Error = SnapshotError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Self::Error> {
        match self.accounts.get(&address) {
            Some(account) => Ok(account.info.clone()),
            None => self.unlisted_account(address).map(|account| account.info),
        }
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Self::Error> {
        if code_hash == KECCAK_EMPTY || code_hash.is_zero() {
            return Ok(Bytecode::default());
        }
        self.codes.get(&code_hash).cloned().ok_or(SnapshotError::MissingCode(code_hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Self::Error> {
        match self.accounts.get(&address) {
            Some(account) => match account.storage.get(&slot) {
                Some(value) => Ok(*value),
                None if account.info.is_none() => Ok(U256::ZERO),
                None => self.unlisted_slot(address, account.storage_root, slot),
            },
            None => {
                let account = self.unlisted_account(address)?;
                if account.info.is_none() {
                    return Ok(U256::ZERO);
                }
                self.unlisted_slot(address, account.storage_root, slot)
            }
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Self::Error> {
        self.block_hashes.get(&number).copied().ok_or(SnapshotError::MissingBlockHash(number))
    }
}

/// Hashes of the ancestors of a block by number, from the headers in its witness. They must follow one another, up to the
/// parent, and the parent must have the state root that the witness starts from.
pub(super) fn ancestor_hashes(header: &Header, witness: &Witness) -> Result<HashMap<u64, B256>, Inconsistency> {
    let mut hashes = HashMap::default();
    let mut ancestors: Vec<&Header> = witness.headers.iter().collect();
    ancestors.sort_unstable_by_key(|ancestor| std::cmp::Reverse(ancestor.number));
    let mut child = header;
    for ancestor in ancestors {
        let hash = child.parent_hash;
        let number = child.number.checked_sub(1);
        if number != Some(ancestor.number) || ancestor.hash_slow() != hash {
            return Err(Inconsistency::MissingAncestor { number: child.number.saturating_sub(1), hash });
        }
        if std::ptr::eq(child, header) && ancestor.state_root != witness.state_root {
            return Err(Inconsistency::StateRoot { witness: witness.state_root, parent: ancestor.state_root });
        }
        hashes.insert(ancestor.number, hash);
        if let Some(before) = ancestor.number.checked_sub(1) {
            hashes.insert(before, ancestor.parent_hash);
        }
        child = ancestor;
    }
    Ok(hashes)
}

fn analysed(codes: &[Bytes]) -> B256Map<Bytecode> {
    codes
        .iter()
        .map(|code| {
            // Code that begins like a delegation but is none was deployed before EIP-3541 and runs as it is.
            let bytecode =
                Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()));
            (keccak256(code), bytecode)
        })
        .collect()
}

fn account_info(nonce: u64, balance: U256, code_hash: B256, codes: &B256Map<Bytecode>) -> AccountInfo {
    let code = if code_hash == KECCAK_EMPTY { Some(Bytecode::default()) } else { codes.get(&code_hash).cloned() };
    AccountInfo { balance, nonce, code_hash, account_id: None, code }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{self, CODE, CONTRACT, OWNER};
    use braid_runtime::{AccountDiff, AccountState, SlotDiff};

    const NOBODY: Address = Address::repeat_byte(0xee);

    #[test]
    fn what_a_plain_state_does_not_list_is_empty() {
        let snapshot = samples::plain().snapshot().unwrap();
        assert_eq!(snapshot.basic_ref(NOBODY), Ok(None));
        assert_eq!(snapshot.storage_ref(NOBODY, U256::ZERO), Ok(U256::ZERO));
        assert_eq!(snapshot.storage_ref(CONTRACT, U256::from(2)), Ok(U256::ZERO));
        assert_eq!(snapshot.storage_ref(CONTRACT, U256::from(1)), Ok(U256::from(5)));
        assert_eq!(snapshot.basic_ref(OWNER).unwrap().unwrap().nonce, 4);
        assert_eq!(snapshot.accounts().len(), 2);
    }

    #[test]
    fn accounts_carry_their_code() {
        for bundle in [samples::plain(), samples::witness()] {
            let snapshot = bundle.snapshot().unwrap();
            let info = snapshot.basic_ref(CONTRACT).unwrap().unwrap();
            assert_eq!(info.code.unwrap().original_bytes(), CODE);
            assert_eq!(snapshot.code_by_hash_ref(info.code_hash).unwrap().original_bytes(), CODE);
            let unknown = B256::repeat_byte(1);
            assert_eq!(snapshot.code_by_hash_ref(unknown), Err(SnapshotError::MissingCode(unknown)));
        }
    }

    #[test]
    fn the_parent_is_always_among_the_block_hashes() {
        let bundle = samples::with_everything();
        let snapshot = bundle.snapshot().unwrap();
        assert_eq!(snapshot.block_hash_ref(41), Ok(bundle.block.header.parent_hash));
        assert_eq!(snapshot.block_hash_ref(40), Ok(B256::repeat_byte(40)));
        assert_eq!(snapshot.block_hash_ref(39), Err(SnapshotError::MissingBlockHash(39)));

        let bundle = samples::witness();
        let snapshot = bundle.snapshot().unwrap();
        let PreState::Witness(witness) = &bundle.pre_state else { panic!("witness") };
        assert_eq!(snapshot.block_hash_ref(98), Ok(witness.headers[1].hash_slow()));
        assert_eq!(snapshot.block_hash_ref(97), Ok(witness.headers[1].parent_hash));
    }

    #[test]
    fn a_witness_answers_with_and_without_the_names_of_its_keys() {
        for named in [true, false] {
            let mut bundle = samples::witness();
            if !named && let PreState::Witness(witness) = &mut bundle.pre_state {
                witness.keys.clear();
            }
            let snapshot = bundle.snapshot().unwrap();
            assert_eq!(snapshot.account(CONTRACT).is_some(), named);
            assert_eq!(snapshot.basic_ref(CONTRACT).unwrap().unwrap().balance, U256::from(77));
            assert_eq!(snapshot.storage_ref(CONTRACT, U256::from(1)), Ok(U256::from(5)));
            assert_eq!(snapshot.storage_ref(CONTRACT, U256::ZERO), Ok(U256::ZERO), "proved absent");
            assert_eq!(snapshot.basic_ref(NOBODY), Ok(None), "proved absent");
            assert_eq!(snapshot.storage_ref(NOBODY, U256::ZERO), Ok(U256::ZERO));
        }
    }

    #[test]
    fn what_a_witness_lacks_is_an_error_upon_the_read() {
        let mut bundle = samples::witness();
        let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("witness") };
        let storage = witness.state.remove(0);
        let snapshot = bundle.snapshot().unwrap();
        let error = snapshot.storage_ref(CONTRACT, U256::from(1)).unwrap_err();
        assert!(matches!(error, SnapshotError::MissingSlot { address: CONTRACT, .. }), "{error}");

        let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("witness") };
        witness.state = vec![storage];
        let snapshot = bundle.snapshot().unwrap();
        let error = snapshot.basic_ref(CONTRACT).unwrap_err();
        assert!(matches!(error, SnapshotError::MissingAccount { address: CONTRACT, .. }), "{error}");

        let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("witness") };
        witness.codes.clear();
        assert!(bundle.snapshot().is_ok(), "an account may be read without its code");
    }

    fn diff() -> StateDiff {
        let state = |nonce| AccountState { balance: U256::from(77), nonce, code_hash: keccak256(CODE) };
        let slot = |slot, original, present| SlotDiff {
            address: CONTRACT,
            slot: U256::from(slot),
            original: U256::from(original),
            present: U256::from(present),
        };
        StateDiff {
            accounts: vec![
                AccountDiff {
                    address: CONTRACT,
                    original: Some(state(1)),
                    present: Some(state(2)),
                    storage_wiped: true,
                },
                AccountDiff { address: NOBODY, original: None, present: Some(state(9)), storage_wiped: false },
            ],
            slots: vec![slot(4, 0, 6), slot(1, 5, 0)],
            contracts: Vec::new(),
        }
    }

    #[test]
    fn a_complete_state_and_a_witness_of_it_give_the_same_root() {
        let contract = crate::PlainAccount {
            balance: U256::from(77),
            nonce: 1,
            code_hash: keccak256(CODE),
            storage: BTreeMap::from([(U256::from(1), U256::from(5))]),
        };
        let state = PlainState { accounts: BTreeMap::from([(CONTRACT, contract)]), codes: vec![CODE], complete: true };
        let mut bundle = samples::witness();
        let witness = bundle.snapshot().unwrap();
        bundle.pre_state = PreState::Plain(state);
        let plain = bundle.snapshot().unwrap();
        for diff in [StateDiff::default(), diff()] {
            let root = witness.state_root_after(&diff).unwrap();
            assert!(root.is_some());
            assert_eq!(plain.state_root_after(&diff).unwrap(), root);
        }
        assert_eq!(plain.state_root_after(&StateDiff::default()), Ok(Some(bundle.block.header.state_root)));
        assert_eq!(samples::plain().snapshot().unwrap().state_root_after(&diff()), Ok(None), "not all of it is known");
    }
}
