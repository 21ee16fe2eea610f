//! A supplied block access list (EIP-7928) as a state to read from: what it claims that each transaction finds.
//!
//! Nothing is copied out of the list. [`Claims::find`] gives an account's position in it, [`Claims::account_before`] and
//! [`Claims::slot_before`] the values before a block access index, and the `_at` functions what the list claims *at* an index, which
//! is what the transaction there has to do. All are binary searches over the list's own vectors; most of those have one or two
//! elements. Whether the claims are true is not asked here.

use super::account::AccountEntry;
use crate::AccountState;
use alloy_eip7928::{AccountChanges, BlockAccessIndex};
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

type Code = (B256, Bytecode);

/// A supplied list with an index over it.
#[derive(Debug)]
pub(crate) struct Claims<'b> {
    list: &'b [AccountChanges],
    totals: Totals,
    changed_accounts: usize,
    changed_slots: usize,
    /// For each value of the leading bits of an address, the first account whose address has no smaller ones.
    starts: Vec<u32>,
    shift: u32,
    /// The accounts that get code, in order, with their code: analysed when it is first asked for.
    codes: Vec<(u32, Vec<OnceLock<Code>>)>,
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
        let bits = (usize::BITS - list.len().leading_zeros()).clamp(1, 24);
        let shift = u64::BITS - bits;
        let mut claims = Self {
            list,
            totals: Totals { accounts: list.len(), ..Totals::default() },
            changed_accounts: 0,
            changed_slots: 0,
            starts: Vec::with_capacity((1 << bits) + 1),
            shift,
            codes: Vec::new(),
        };
        let mut previous: Option<&Address> = None;
        for (position, account) in list.iter().enumerate() {
            if previous.is_some_and(|previous| *previous >= account.address) {
                return None;
            }
            previous = Some(&account.address);
            let bucket = claims.bucket(&account.address);
            while claims.starts.len() <= bucket {
                claims.starts.push(position as u32);
            }
            count_in_order(account, last, &mut claims.totals)?;
            claims.changed_accounts += usize::from(claims.changes_account(Listed(position as u32)));
            claims.changed_slots += account.storage_changes.len();
            if !account.code_changes.is_empty() {
                let codes = account.code_changes.iter().map(|_| OnceLock::new()).collect();
                claims.codes.push((position as u32, codes));
            }
        }
        claims.starts.resize((1 << bits) + 1, list.len() as u32);
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

    fn bucket(&self, address: &Address) -> usize {
        let [a, b, c, d, e, f, g, h, ..] = *address.0;
        (u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> self.shift) as usize
    }

    /// Where the list has the account.
    pub(crate) fn find(&self, address: &Address) -> Listed {
        let bucket = self.bucket(address);
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        match self.list[start..end].binary_search_by(|account| account.address.cmp(address)) {
            Ok(offset) => Listed((start + offset) as u32),
            Err(_) => Listed::NOT,
        }
    }

    /// The account's entry in the list, if it has one.
    pub(crate) fn get(&self, account: Listed) -> Option<&'b AccountChanges> {
        self.list.get(account.0 as usize)
    }

    /// Where the list has the slot of an account.
    pub(crate) fn find_slot(&self, account: Listed, slot: &U256) -> Listed {
        let Some(account) = self.get(account) else { return Listed::NOT };
        if let Ok(position) = account.storage_changes.binary_search_by(|changes| changes.slot.cmp(slot)) {
            return Listed(position as u32);
        }
        if account.storage_reads.binary_search(slot).is_ok() { Listed::READ } else { Listed::NOT }
    }

    /// Whether the list has any change of the account's balance, nonce or code.
    pub(crate) fn changes_account(&self, account: Listed) -> bool {
        self.get(account).is_some_and(|account| {
            !account.balance_changes.is_empty()
                || !account.nonce_changes.is_empty()
                || !account.code_changes.is_empty()
        })
    }

    /// The account before `index`. An account that has nothing then does not exist, unless it never had anything else.
    pub(crate) fn account_before(&self, account: Listed, entry: &AccountEntry, index: u32) -> ClaimedAccount {
        let Some(changes) = self.get(account) else { return ClaimedAccount { state: entry.base, new_code: None } };
        let base = entry.base.unwrap_or(AccountState { balance: U256::ZERO, nonce: 0, code_hash: KECCAK_EMPTY });
        let balance = before(&changes.balance_changes, index, |change| change.block_access_index);
        let nonce = before(&changes.nonce_changes, index, |change| change.block_access_index);
        let code = before_position(&changes.code_changes, index, |change| change.block_access_index)
            .and_then(|change| self.code(account, change));
        let state = AccountState {
            balance: balance.map_or(base.balance, |change| change.post_balance),
            nonce: nonce.map_or(base.nonce, |change| change.new_nonce),
            code_hash: code.map_or(base.code_hash, |code| code.0),
        };
        let state = if state == base { entry.base } else { (!state.is_empty()).then_some(state) };
        ClaimedAccount { state, new_code: code.map(|code| code.1.clone()) }
    }

    /// The slot before `index`, if the list has it changed before.
    pub(crate) fn slot_before(&self, account: Listed, slot: Listed, index: u32) -> Option<U256> {
        let slot = self.get(account)?.storage_changes.get(slot.0 as usize)?;
        before(&slot.changes, index, |change| change.block_access_index).map(|change| change.new_value)
    }

    /// The account's balance before `index`, in wei.
    pub(crate) fn balance_before(&self, account: Listed, entry: &AccountEntry, index: u32) -> U256 {
        let base = entry.base.map_or(U256::ZERO, |base| base.balance);
        let Some(changes) = self.get(account) else { return base };
        before(&changes.balance_changes, index, |change| change.block_access_index)
            .map_or(base, |change| change.post_balance)
    }

    /// The balance (wei) that the list claims for the account after `index`, if it is to change there.
    pub(crate) fn balance_at(&self, account: Listed, index: u32) -> Option<U256> {
        let changes = &self.get(account)?.balance_changes;
        at(changes, index, |change| change.block_access_index).map(|position| changes[position].post_balance)
    }

    /// Likewise the nonce.
    pub(crate) fn nonce_at(&self, account: Listed, index: u32) -> Option<u64> {
        let changes = &self.get(account)?.nonce_changes;
        at(changes, index, |change| change.block_access_index).map(|position| changes[position].new_nonce)
    }

    /// Likewise the hash of the code.
    pub(crate) fn code_at(&self, account: Listed, index: u32) -> Option<B256> {
        let change = at(&self.get(account)?.code_changes, index, |change| change.block_access_index)?;
        self.code(account, change).map(|code| code.0)
    }

    /// Likewise the value of a slot, and whether that is its last one in the block.
    pub(crate) fn slot_at(&self, account: Listed, slot: Listed, index: u32) -> Option<(U256, bool)> {
        let changes = &self.get(account)?.storage_changes.get(slot.0 as usize)?.changes;
        let position = at(changes, index, |change| change.block_access_index)?;
        Some((changes[position].new_value, position + 1 == changes.len()))
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
        let found = self.codes.binary_search_by_key(&account.0, |(position, _)| *position).ok()?;
        let bytes = &self.get(account)?.code_changes.get(change)?.new_code;
        Some(self.codes[found].1.get(change)?.get_or_init(|| {
            let code = Bytecode::new_raw_checked(bytes.clone()).unwrap_or_else(|_| Bytecode::new_legacy(bytes.clone()));
            (if bytes.is_empty() { KECCAK_EMPTY } else { keccak256(bytes) }, code)
        }))
    }
}

fn before<T>(changes: &[T], index: u32, of: impl Fn(&T) -> BlockAccessIndex) -> Option<&T> {
    before_position(changes, index, of).map(|position| &changes[position])
}

fn before_position<T>(changes: &[T], index: u32, of: impl Fn(&T) -> BlockAccessIndex) -> Option<usize> {
    changes.partition_point(|change| of(change).0 < u64::from(index)).checked_sub(1)
}

fn at<T>(changes: &[T], index: u32, of: impl Fn(&T) -> BlockAccessIndex) -> Option<usize> {
    changes.binary_search_by_key(&u64::from(index), |change| of(change).0).ok()
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
