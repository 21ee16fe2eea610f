//! What two executions of a block must agree on, as two hashes.
//!
//! Sides keep their state change in forms of their own, so each is first brought to one canonical form: sorted, only what
//! really changed, no trace of accounts that came and went inside the block. Nothing here is ever timed.

use crate::side::{Execution, MergedDiff};
use alloy_primitives::{Address, B256, Keccak256, U256};
use alloy_rlp::Encodable;
use braid_runtime::{AccountDiff, AccountState, Receipt, SlotDiff, StateDiff};
use revm::{database::BundleState, primitives::KECCAK_EMPTY, state::AccountInfo};
use std::collections::BTreeSet;

/// Hashes of everything that must be equal on all sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Over all receipts: type, status, cumulative gas, logs.
    pub receipts: B256,
    /// Over the canonical state change.
    pub diff: B256,
}

impl Digest {
    /// Digest of receipts and a merged state change.
    pub fn new(receipts: &[Receipt], diff: &MergedDiff) -> Self {
        let diff = match diff {
            MergedDiff::Bundle(bundle) => hash_diff(plain(bundle)),
            MergedDiff::Plain(diff) => hash_diff(diff.clone()),
        };
        Self { receipts: hash_receipts(receipts), diff }
    }
}

/// The first thing in which an execution differs from what is expected, in words; `None` when they are equal.
pub fn first_difference(expected: &Execution, got: &Execution) -> Option<String> {
    let receipts = expected.receipts.iter().zip(&got.receipts).enumerate();
    if let Some((index, (want, have))) = receipts.into_iter().find(|(_, (want, have))| want != have) {
        return Some(format!("receipt {index} is {have:?}, expected {want:?}"));
    }
    if expected.receipts.len() != got.receipts.len() {
        return Some(format!("{} receipts, expected {}", got.receipts.len(), expected.receipts.len()));
    }
    let [want, have] = [&expected.diff, &got.diff].map(|diff| match diff {
        MergedDiff::Bundle(bundle) => canonical(plain(bundle)),
        MergedDiff::Plain(diff) => canonical(diff.clone()),
    });
    first_unequal("account", &want.accounts, &have.accounts)
        .or_else(|| first_unequal("slot", &want.slots, &have.slots))
        .or_else(|| first_unequal("contract", &want.contracts, &have.contracts))
}

fn first_unequal<T: PartialEq + std::fmt::Debug>(what: &str, want: &[T], have: &[T]) -> Option<String> {
    let position = (0..want.len().max(have.len())).find(|position| want.get(*position) != have.get(*position))?;
    Some(format!("{what} {position} is {:?}, expected {:?}", have.get(position), want.get(position)))
}

fn hash_receipts(receipts: &[Receipt]) -> B256 {
    let mut hasher = Keccak256::new();
    let mut buffer = Vec::new();
    for receipt in receipts {
        buffer.clear();
        buffer.push(receipt.tx_type as u8);
        buffer.push(u8::from(receipt.success));
        buffer.extend_from_slice(&receipt.cumulative_gas_used.to_be_bytes());
        buffer.extend_from_slice(&(receipt.logs.len() as u64).to_be_bytes());
        for log in &receipt.logs {
            log.encode(&mut buffer);
        }
        hasher.update(&buffer);
    }
    hasher.finalize()
}

/// revm's bundle as a plain difference.
pub fn plain(bundle: &BundleState) -> StateDiff {
    let state_of =
        |info: &AccountInfo| AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash };
    let mut diff = StateDiff::default();
    for (address, account) in &bundle.state {
        diff.accounts.push(AccountDiff {
            address: *address,
            original: account.original_info.as_ref().map(state_of),
            present: account.info.as_ref().map(state_of),
            storage_wiped: account.status.was_destroyed(),
        });
        diff.slots.extend(account.storage.iter().map(|(slot, value)| SlotDiff {
            address: *address,
            slot: *slot,
            original: value.previous_or_original_value,
            present: value.present_value,
        }));
    }
    diff.contracts.extend(bundle.contracts.iter().map(|(hash, code)| (*hash, code.clone())));
    diff
}

/// Brings a difference to the one form in which equal changes are equal:
///
/// * an account that neither existed before nor exists afterwards has not changed, nor has its storage;
/// * an account that is gone has lost its storage, whatever the flag says;
/// * slots of a wiped account are compared with zero, whatever they held before;
/// * only code that a listed account newly points to counts.
fn canonical(mut diff: StateDiff) -> StateDiff {
    diff.accounts.retain_mut(|account| {
        account.storage_wiped = account.original.is_some() && (account.storage_wiped || account.present.is_none());
        account.original != account.present || account.storage_wiped
    });
    let wiped: BTreeSet<Address> =
        diff.accounts.iter().filter(|account| account.storage_wiped).map(|account| account.address).collect();
    diff.slots.retain_mut(|slot| {
        if wiped.contains(&slot.address) {
            slot.original = U256::ZERO;
        }
        slot.original != slot.present
    });
    let new_code: BTreeSet<B256> = diff
        .accounts
        .iter()
        .filter_map(|account| {
            let hash = account.present?.code_hash;
            (hash != KECCAK_EMPTY && account.original.is_none_or(|original| original.code_hash != hash)).then_some(hash)
        })
        .collect();
    diff.contracts.retain(|(hash, _)| new_code.contains(hash));
    diff.sort();
    diff.contracts.dedup_by_key(|(hash, _)| *hash);
    diff
}

fn hash_diff(diff: StateDiff) -> B256 {
    let diff = canonical(diff);
    let mut hasher = Keccak256::new();
    let state = |hasher: &mut Keccak256, state: Option<AccountState>| match state {
        None => hasher.update([0]),
        Some(state) => {
            hasher.update([1]);
            hasher.update(state.balance.to_be_bytes::<32>());
            hasher.update(state.nonce.to_be_bytes());
            hasher.update(state.code_hash);
        }
    };
    for account in &diff.accounts {
        hasher.update(account.address);
        state(&mut hasher, account.original);
        state(&mut hasher, account.present);
        hasher.update([u8::from(account.storage_wiped)]);
    }
    hasher.update(b"slots");
    for slot in &diff.slots {
        hasher.update(slot.address);
        hasher.update(slot.slot.to_be_bytes::<32>());
        hasher.update(slot.original.to_be_bytes::<32>());
        hasher.update(slot.present.to_be_bytes::<32>());
    }
    hasher.update(b"contracts");
    for (hash, code) in &diff.contracts {
        hasher.update(hash);
        hasher.update(code.original_byte_slice());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(original: Option<u64>, present: Option<u64>, storage_wiped: bool) -> AccountDiff {
        let state = |balance: u64| AccountState { balance: U256::from(balance), nonce: 0, code_hash: KECCAK_EMPTY };
        AccountDiff {
            address: Address::with_last_byte(9),
            original: original.map(state),
            present: present.map(state),
            storage_wiped,
        }
    }

    #[test]
    fn accounts_that_came_and_went_leave_no_trace() {
        let came_and_went = StateDiff { accounts: vec![account(None, None, true)], ..StateDiff::default() };
        assert_eq!(hash_diff(came_and_went), hash_diff(StateDiff::default()));
    }

    #[test]
    fn a_changed_balance_changes_the_hash() {
        let diff =
            |present| StateDiff { accounts: vec![account(Some(1), Some(present), false)], ..StateDiff::default() };
        assert_ne!(hash_diff(diff(2)), hash_diff(diff(3)));
        assert_eq!(hash_diff(diff(1)), hash_diff(StateDiff::default()));
    }
}
