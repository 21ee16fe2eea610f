//! A supplied block access list (EIP-7928) as a state to read from: what it claims that each transaction finds.
//!
//! Nothing is copied out of the list. [`Claims::find`] gives an account's position in it, [`Claims::place`] how far into the account's
//! changes a block access index is. From there [`Claims::account_before`] has the values before that index, and the `_at` functions what the
//! list claims *at* the index, which is what the transaction there has to do. Slots likewise. Whether the claims are true is not
//! asked here.

use super::{account::AccountEntry, buckets::Buckets};
use crate::AccountState;
use alloy_eip7928::{AccountChanges, BlockAccessIndex, StorageChange};
use alloy_primitives::{Address, B256, U256, keccak256};
use revm::{primitives::KECCAK_EMPTY, state::Bytecode};
use std::sync::OnceLock;

/// What a list names in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) accounts: usize,
    pub(crate) slots: usize,
    pub(crate) changes: usize,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.accounts += other.accounts;
        self.slots += other.slots;
        self.changes += other.changes;
    }
}

/// Position of an account in a list, or that it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed(u32);

impl Listed {
    /// The list does not name the key.
    pub(crate) const NOT: Self = Self(u32::MAX);
    /// The list names the slot as one that is only read.
    const READ: Self = Self(u32::MAX - 1);

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// How far into an account's changes an index is: the number of changes before it. A place found before is a good hint where to look for
/// the next one, since indices mostly ascend.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    balance: u32,
    nonce: u32,
    code: u32,
}

type Code = (B256, Bytecode);

fn leading_bits(address: &Address) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *address.0;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

const fn leading_bits_of_slot(slot: &U256) -> u64 {
    slot.as_limbs()[3]
}

/// What is worth having beside an account's entry in the list.
#[derive(Debug)]
struct Detail {
    /// Its code changes, analysed when they are first asked for.
    codes: Vec<OnceLock<Code>>,
    changes: Option<Buckets>,
    reads: Option<Buckets>,
}

/// Slots of an account from which on they get an index.
const MANY_SLOTS: usize = 32;

impl Detail {
    fn of(account: &AccountChanges) -> Option<Self> {
        let AccountChanges { code_changes, storage_changes, storage_reads, .. } = account;
        let (has_changes, has_reads) = (storage_changes.len() > MANY_SLOTS, storage_reads.len() > MANY_SLOTS);
        (!code_changes.is_empty() || has_changes || has_reads).then(|| Self {
            codes: code_changes.iter().map(|_| OnceLock::new()).collect(),
            changes: has_changes
                .then(|| Buckets::new(storage_changes.iter().map(|changes| leading_bits_of_slot(&changes.slot)))),
            reads: has_reads.then(|| Buckets::new(storage_reads.iter().map(leading_bits_of_slot))),
        })
    }
}

/// A supplied list with an index over it.
#[derive(Debug)]
pub(crate) struct Claims<'b> {
    list: &'b [AccountChanges],
    totals: Totals,
    changed_accounts: usize,
    changed_slots: usize,
    accounts: Buckets,
    /// Of the accounts that have any, by position.
    details: Vec<(u32, Detail)>,
}

/// An account as the list has it before an index.
#[derive(Debug)]
pub(crate) struct ClaimedAccount {
    pub(crate) state: Option<AccountState>,
    /// Code that the list says was set in this block.
    pub(crate) new_code: Option<Bytecode>,
}

impl<'b> Claims<'b> {
    /// `None` when the list is not in order, or speaks of indices beyond the block's last, `last`.
    pub(crate) fn new(list: &'b [AccountChanges], last: u32) -> Option<Self> {
        let is_in_order = list.windows(2).all(|pair| pair[0].address < pair[1].address);
        if !is_in_order {
            return None;
        }
        let mut claims = Self {
            list,
            totals: Totals { accounts: list.len(), ..Totals::default() },
            changed_accounts: 0,
            changed_slots: 0,
            accounts: Buckets::new(list.iter().map(|account| leading_bits(&account.address))),
            details: Vec::new(),
        };
        for (position, account) in list.iter().enumerate() {
            count_in_order(account, last, &mut claims.totals)?;
            claims.changed_accounts += usize::from(claims.changes_account(Listed(position as u32)));
            claims.changed_slots += account.storage_changes.len();
            claims.details.extend(Detail::of(account).map(|detail| (position as u32, detail)));
        }
        Some(claims)
    }

    pub(crate) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Number of accounts with a change of balance, nonce or code.
    pub(crate) const fn changed_accounts(&self) -> usize {
        self.changed_accounts
    }

    /// Number of slots with a change.
    pub(crate) const fn changed_slots(&self) -> usize {
        self.changed_slots
    }

    /// Where the list has the account.
    pub(crate) fn find(&self, address: &Address) -> Listed {
        let range = self.accounts.of(leading_bits(address));
        match self.list[range.clone()].binary_search_by(|account| account.address.cmp(address)) {
            Ok(offset) => Listed((range.start + offset) as u32),
            Err(_) => Listed::NOT,
        }
    }

    /// The account's entry in the list, if it has one.
    pub(crate) fn get(&self, account: Listed) -> Option<&'b AccountChanges> {
        self.list.get(account.0 as usize)
    }

    /// Where the list has the slot of an account.
    pub(crate) fn find_slot(&self, account: Listed, slot: &U256) -> Listed {
        let Some(AccountChanges { storage_changes, storage_reads, .. }) = self.get(account) else { return Listed::NOT };
        let detail = self.detail(account);
        let key = leading_bits_of_slot(slot);
        let changes = detail.and_then(|detail| detail.changes.as_ref());
        let range = changes.map_or(0..storage_changes.len(), |buckets| buckets.of(key));
        if let Ok(offset) = storage_changes[range.clone()].binary_search_by(|changes| changes.slot.cmp(slot)) {
            return Listed((range.start + offset) as u32);
        }
        let reads = detail.and_then(|detail| detail.reads.as_ref());
        let range = reads.map_or(0..storage_reads.len(), |buckets| buckets.of(key));
        if storage_reads[range].binary_search(slot).is_ok() { Listed::READ } else { Listed::NOT }
    }

    fn detail(&self, account: Listed) -> Option<&Detail> {
        let found = self.details.binary_search_by_key(&account.0, |(position, _)| *position).ok()?;
        Some(&self.details[found].1)
    }

    /// Where `index` is in the account's changes. `hint` is any place in the same account.
    pub(crate) fn place(&self, account: Listed, hint: Place, index: u32) -> Place {
        let Some(changes) = self.get(account) else { return hint };
        Place {
            balance: seek(&changes.balance_changes, hint.balance, index, |change| change.block_access_index),
            nonce: seek(&changes.nonce_changes, hint.nonce, index, |change| change.block_access_index),
            code: seek(&changes.code_changes, hint.code, index, |change| change.block_access_index),
        }
    }

    /// Where `index` is in the slot's changes, likewise.
    pub(crate) fn place_slot(&self, account: Listed, slot: Listed, hint: u32, index: u32) -> u32 {
        self.slot(account, slot).map_or(hint, |changes| seek(changes, hint, index, |change| change.block_access_index))
    }

    fn slot(&self, account: Listed, slot: Listed) -> Option<&'b [StorageChange]> {
        Some(&self.get(account)?.storage_changes.get(slot.0 as usize)?.changes)
    }

    /// Whether the list has any change of the account's balance, nonce or code.
    pub(crate) fn changes_account(&self, account: Listed) -> bool {
        self.get(account).is_some_and(|account| {
            !account.balance_changes.is_empty() || !account.nonce_changes.is_empty() || !account.code_changes.is_empty()
        })
    }

    /// The account before the index of `place`. An account that has nothing then does not exist, unless it never had anything else.
    pub(crate) fn account_before(&self, account: Listed, entry: &AccountEntry, place: Place) -> ClaimedAccount {
        let Some(changes) = self.get(account) else { return ClaimedAccount { state: entry.base, new_code: None } };
        let base = entry.base.unwrap_or(AccountState::NEW);
        let code = place.code.checked_sub(1).and_then(|change| self.code(account, change as usize));
        let state = AccountState {
            balance: before(&changes.balance_changes, place.balance).map_or(base.balance, |change| change.post_balance),
            nonce: before(&changes.nonce_changes, place.nonce).map_or(base.nonce, |change| change.new_nonce),
            code_hash: code.map_or(base.code_hash, |code| code.0),
        };
        let state = if state == base { entry.base } else { (!state.is_empty()).then_some(state) };
        ClaimedAccount { state, new_code: code.map(|code| code.1.clone()) }
    }

    /// The account after the whole block.
    pub(crate) fn account_after_all(&self, account: Listed, entry: &AccountEntry) -> ClaimedAccount {
        self.account_before(account, entry, self.place(account, Place::default(), u32::MAX))
    }

    /// The account's balance before the index of `place`, in wei.
    pub(crate) fn balance_before(&self, account: Listed, entry: &AccountEntry, place: Place) -> U256 {
        self.get(account)
            .and_then(|changes| before(&changes.balance_changes, place.balance))
            .map_or_else(|| entry.base.map_or(U256::ZERO, |base| base.balance), |change| change.post_balance)
    }

    /// The balance (wei) that the list claims for the account after `index`, whose place is given, if it is to change there.
    pub(crate) fn balance_at(&self, account: Listed, place: Place, index: u32) -> Option<U256> {
        let change = self.get(account)?.balance_changes.get(place.balance as usize)?;
        (change.block_access_index.0 == u64::from(index)).then_some(change.post_balance)
    }

    /// Likewise the nonce.
    pub(crate) fn nonce_at(&self, account: Listed, place: Place, index: u32) -> Option<u64> {
        let change = self.get(account)?.nonce_changes.get(place.nonce as usize)?;
        (change.block_access_index.0 == u64::from(index)).then_some(change.new_nonce)
    }

    /// Likewise the hash of the code.
    pub(crate) fn code_at(&self, account: Listed, place: Place, index: u32) -> Option<B256> {
        let change = self.get(account)?.code_changes.get(place.code as usize)?;
        let is_at = change.block_access_index.0 == u64::from(index);
        is_at.then(|| self.code(account, place.code as usize)).flatten().map(|code| code.0)
    }

    /// The slot's value before the index of `place`, if the list has it changed before.
    pub(crate) fn slot_before(&self, account: Listed, slot: Listed, place: u32) -> Option<U256> {
        before(self.slot(account, slot)?, place).map(|change| change.new_value)
    }

    /// The slot's value after `index`, whose place is given, if it is to change there, and whether that is the last change.
    pub(crate) fn slot_at(&self, account: Listed, slot: Listed, place: u32, index: u32) -> Option<(U256, bool)> {
        let changes = self.slot(account, slot)?;
        let change = changes.get(place as usize)?;
        let is_last = place as usize + 1 == changes.len();
        (change.block_access_index.0 == u64::from(index)).then_some((change.new_value, is_last))
    }

    /// The slot's value after the whole block, if it changes.
    pub(crate) fn slot_after_all(&self, account: Listed, slot: Listed) -> Option<U256> {
        Some(self.slot(account, slot)?.last()?.new_value)
    }

    /// Whether the list changes the account's balance, nonce or code after `index` once more.
    pub(crate) fn changes_after(&self, account: Listed, index: u32) -> bool {
        let Some(changes) = self.get(account) else { return false };
        let index = u64::from(index);
        changes.balance_changes.last().is_some_and(|change| change.block_access_index.0 > index)
            || changes.nonce_changes.last().is_some_and(|change| change.block_access_index.0 > index)
            || changes.code_changes.last().is_some_and(|change| change.block_access_index.0 > index)
    }

    /// The code that the account has after the block, if the list sets it.
    pub(crate) fn last_code(&self, account: Listed) -> Option<&Bytecode> {
        let last = self.get(account)?.code_changes.len().checked_sub(1)?;
        self.code(account, last).map(|code| &code.1)
    }

    fn code(&self, account: Listed, change: usize) -> Option<&Code> {
        let bytes = &self.get(account)?.code_changes.get(change)?.new_code;
        Some(self.detail(account)?.codes.get(change)?.get_or_init(|| {
            let code = Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes.clone()));
            (if bytes.is_empty() { KECCAK_EMPTY } else { keccak256(bytes) }, code)
        }))
    }
}

fn before<T>(changes: &[T], place: u32) -> Option<&T> {
    changes.get((place as usize).checked_sub(1)?)
}

/// Number of changes before `index`, looked for from `hint` on.
fn seek<T>(changes: &[T], hint: u32, index: u32, of: impl Fn(&T) -> BlockAccessIndex) -> u32 {
    let is_before = |change: &T| of(change).0 < u64::from(index);
    let mut low = (hint as usize).min(changes.len());
    if low > 0 && !is_before(&changes[low - 1]) {
        low = 0;
    }
    let (mut high, mut step) = (low, 1);
    while high < changes.len() && is_before(&changes[high]) {
        low = high + 1;
        high = low + step;
        step *= 2;
    }
    let high = high.min(changes.len());
    (low + changes[low..high].partition_point(is_before)) as u32
}

/// Adds up what the list says about an account; `None` when something in it is out of order.
fn count_in_order(account: &AccountChanges, last: u32, totals: &mut Totals) -> Option<()> {
    let ascends = |indices: &mut dyn Iterator<Item = BlockAccessIndex>| -> Option<usize> {
        let mut count = 0;
        let mut least = 0;
        for index in indices {
            if index.0 < least || index.0 > u64::from(last) {
                return None;
            }
            least = index.0 + 1;
            count += 1;
        }
        Some(count)
    };
    let slots_ascend = account.storage_changes.windows(2).all(|pair| pair[0].slot < pair[1].slot)
        && account.storage_reads.windows(2).all(|pair| pair[0] < pair[1]);
    if !slots_ascend {
        return None;
    }
    totals.slots += account.storage_changes.len() + account.storage_reads.len();
    totals.changes += ascends(&mut account.balance_changes.iter().map(|change| change.block_access_index))?
        + ascends(&mut account.nonce_changes.iter().map(|change| change.block_access_index))?
        + ascends(&mut account.code_changes.iter().map(|change| change.block_access_index))?;
    for slot in &account.storage_changes {
        // A slot that is named as changed must be changed somewhere.
        let count = ascends(&mut slot.changes.iter().map(|change| change.block_access_index))?;
        totals.changes += (count > 0).then_some(count)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_eip7928::{BalanceChange, SlotChanges};

    fn account(number: u64, balances: &[u64]) -> AccountChanges {
        let mut account = AccountChanges::new(Address::from_word(keccak256(number.to_be_bytes())));
        let change = |index: &u64| BalanceChange::new(BlockAccessIndex(*index), U256::from(index * 10));
        account.balance_changes = balances.iter().map(change).collect();
        account
    }

    fn list(mut accounts: Vec<AccountChanges>) -> Vec<AccountChanges> {
        accounts.sort_unstable_by_key(|account| account.address);
        accounts
    }

    #[test]
    fn every_account_and_slot_is_found_and_no_other() {
        let mut accounts: Vec<_> = (0..300).map(|number| account(number, &[])).collect();
        let slots =
            (0..100).map(|number: u64| U256::from_be_bytes(keccak256(number.to_be_bytes()).0) >> (number % 256));
        let mut slots: Vec<U256> = slots.collect();
        slots.sort_unstable();
        slots.dedup();
        let change = |slot: &U256| SlotChanges::new(*slot, vec![StorageChange::new(BlockAccessIndex(1), U256::ONE)]);
        accounts[7].storage_changes = slots.iter().step_by(2).map(change).collect();
        accounts[7].storage_reads = slots.iter().skip(1).step_by(2).copied().collect();
        let owner = accounts[7].address;
        let list = list(accounts);
        let claims = Claims::new(&list, 1).unwrap();
        for (position, account) in list.iter().enumerate() {
            assert_eq!(claims.find(&account.address), Listed(position as u32));
        }
        assert_eq!(claims.find(&Address::ZERO), Listed::NOT);
        assert_eq!(claims.find(&Address::repeat_byte(0xff)), Listed::NOT);
        let owner = claims.find(&owner);
        for (position, slot) in slots.iter().enumerate() {
            let expected = if position % 2 == 0 { Listed(position as u32 / 2) } else { Listed::READ };
            assert_eq!(claims.find_slot(owner, slot), expected);
        }
        assert_eq!(claims.find_slot(owner, &U256::MAX), Listed::NOT);
        assert_eq!(claims.totals(), Totals { accounts: 300, slots: slots.len(), changes: slots.len().div_ceil(2) });
    }

    #[test]
    fn a_place_is_the_same_whatever_the_hint() {
        let indices: Vec<u64> = (0..40).map(|number| number * number / 7 + number).collect();
        let list = vec![account(1, &indices)];
        let last = *indices.last().unwrap() as u32;
        let claims = Claims::new(&list, last).unwrap();
        let entry = AccountEntry::new(list[0].address, None, None);
        for hint in 0..=last + 1 {
            let hint = claims.place(Listed(0), Place::default(), hint);
            for index in 0..=last + 1 {
                let place = claims.place(Listed(0), hint, index);
                let before =
                    indices.iter().rev().find(|other| **other < u64::from(index)).map_or(0, |index| index * 10);
                assert_eq!(claims.balance_before(Listed(0), &entry, place), U256::from(before));
                let at = indices.contains(&u64::from(index)).then(|| U256::from(index) * U256::from(10));
                assert_eq!(claims.balance_at(Listed(0), place, index), at);
            }
        }
    }

    #[test]
    fn lists_out_of_order_or_beyond_the_block_are_refused() {
        let good = list((0..3).map(|number| account(number, &[1, 4])).collect());
        assert!(Claims::new(&good, 4).is_some());
        assert!(Claims::new(&good, 3).is_none());
        let mut swapped = good.clone();
        swapped.swap(0, 1);
        assert!(Claims::new(&swapped, 4).is_none());
        let mut descending = good.clone();
        descending[1].balance_changes.reverse();
        assert!(Claims::new(&descending, 4).is_none());
        let mut unchanged = good;
        unchanged[2].storage_changes.push(SlotChanges::new(U256::ZERO, Vec::new()));
        assert!(Claims::new(&unchanged, 4).is_none(), "a slot named as changed must change");
    }
}
