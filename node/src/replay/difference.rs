//! The first field in which two outcomes of one block differ.

use alloy_primitives::{B256, keccak256};
use braid_runtime::{AccountState, BlockOutcome, Receipt, StateDiff};
use std::fmt::{Debug, Display};

/// Sorts what has no order of its own, so that equal outcomes are equal.
pub(super) fn normalize(mut outcome: BlockOutcome) -> BlockOutcome {
    outcome.diff.sort();
    outcome
}

/// Names the first difference; `None` when the outcomes are equal. Both must be normalized. Access lists are compared when both have one.
pub(super) fn first_difference(expected: &BlockOutcome, got: &BlockOutcome) -> Option<String> {
    receipts(&expected.receipts, &got.receipts)
        .or_else(|| unequal("gas used", &expected.gas_used, &got.gas_used))
        .or_else(|| unequal("blob gas used", &expected.blob_gas_used, &got.blob_gas_used))
        .or_else(|| unequal_debug("requests", &expected.requests, &got.requests))
        .or_else(|| state(&expected.diff, &got.diff))
        .or_else(|| match (&expected.access_list, &got.access_list) {
            (Some(expected), Some(got)) => access_list(expected, got),
            _ => None,
        })
        .or_else(|| match (&expected.bundle, &got.bundle) {
            (Some(expected), Some(got)) => {
                let same =
                    braid_runtime::bundle_state::normalize(expected) == braid_runtime::bundle_state::normalize(got);
                (!same).then(|| "bundle state with reverts".to_owned())
            }
            _ => None,
        })
}

fn unequal<T: PartialEq + Display>(field: impl Display, expected: &T, got: &T) -> Option<String> {
    (expected != got).then(|| format!("{field}: expected {expected}, got {got}"))
}

fn unequal_debug<T: PartialEq + Debug>(field: impl Display, expected: &T, got: &T) -> Option<String> {
    (expected != got).then(|| format!("{field}: expected {expected:?}, got {got:?}"))
}

fn receipts(expected: &[Receipt], got: &[Receipt]) -> Option<String> {
    let each = expected.iter().zip(got).enumerate().find_map(|(index, (expected, got))| receipt(index, expected, got));
    each.or_else(|| unequal("number of receipts", &expected.len(), &got.len()))
}

fn receipt(index: usize, expected: &Receipt, got: &Receipt) -> Option<String> {
    let of = format!("transaction {index}");
    unequal(format_args!("{of}: success"), &expected.success, &got.success)
        .or_else(|| {
            unequal(format_args!("{of}: cumulative gas used"), &expected.cumulative_gas_used, &got.cumulative_gas_used)
        })
        .or_else(|| unequal_debug(format_args!("{of}: type"), &expected.tx_type, &got.tx_type))
        .or_else(|| {
            let mut logs = expected.logs.iter().zip(&got.logs).enumerate();
            logs.find_map(|(log, (expected, got))| {
                let of = format!("{of}, log {log}");
                unequal(format_args!("{of}: address"), &expected.address, &got.address)
                    .or_else(|| unequal_debug(format_args!("{of}: topics"), &expected.topics(), &got.topics()))
                    .or_else(|| unequal(format_args!("{of}: data"), &expected.data.data, &got.data.data))
            })
        })
        .or_else(|| unequal(format_args!("{of}: number of logs"), &expected.logs.len(), &got.logs.len()))
}

fn state(expected: &StateDiff, got: &StateDiff) -> Option<String> {
    let mut accounts = merge(&expected.accounts, &got.accounts, |account| account.address);
    let account = accounts.find_map(|(address, expected, got)| {
        let field = format!("state: account {address}");
        let (Some(expected), Some(got)) = (expected, got) else {
            return Some(format!("{field}: {}", only(expected.is_some())));
        };
        account_state(format_args!("{field}, before the block"), &expected.original, &got.original)
            .or_else(|| account_state(format_args!("{field}"), &expected.present, &got.present))
            .or_else(|| unequal(format_args!("{field}: storage wiped"), &expected.storage_wiped, &got.storage_wiped))
    });
    let slot = || {
        merge(&expected.slots, &got.slots, |slot| (slot.address, slot.slot)).find_map(|(key, expected, got)| {
            let field = format!("state: account {}, slot {:#x}", key.0, key.1);
            let (Some(expected), Some(got)) = (expected, got) else {
                return Some(format!("{field}: {}", only(expected.is_some())));
            };
            unequal(format_args!("{field}, before the block"), &expected.original, &got.original)
                .or_else(|| unequal(field, &expected.present, &got.present))
        })
    };
    let code = || {
        merge(&expected.contracts, &got.contracts, |(hash, _)| *hash).find_map(|(hash, expected, got)| {
            let content = |code: &(B256, revm::state::Bytecode)| keccak256(code.1.original_byte_slice());
            match (expected, got) {
                (Some(expected), Some(got)) => {
                    unequal(format_args!("state: code {hash}"), &content(expected), &content(got))
                }
                _ => Some(format!("state: code {hash}: {}", only(expected.is_some()))),
            }
        })
    };
    account.or_else(slot).or_else(code)
}

fn only(expected: bool) -> &'static str {
    if expected { "expected to change, did not" } else { "changed, expected not to" }
}

fn account_state(field: impl Display, expected: &Option<AccountState>, got: &Option<AccountState>) -> Option<String> {
    match (expected, got) {
        (Some(expected), Some(got)) => unequal(format_args!("{field}: balance"), &expected.balance, &got.balance)
            .or_else(|| unequal(format_args!("{field}: nonce"), &expected.nonce, &got.nonce))
            .or_else(|| unequal(format_args!("{field}: code hash"), &expected.code_hash, &got.code_hash)),
        (None, None) => None,
        (Some(_), None) => Some(format!("{field}: expected to exist, does not")),
        (None, Some(_)) => Some(format!("{field}: expected not to exist, does")),
    }
}

fn access_list(expected: &[alloy_eip7928::AccountChanges], got: &[alloy_eip7928::AccountChanges]) -> Option<String> {
    merge(expected, got, |account| account.address).find_map(|(address, expected, got)| {
        let field = format!("access list: account {address}");
        let (Some(expected), Some(got)) = (expected, got) else {
            let what = if expected.is_some() { "expected, not listed" } else { "listed, not expected" };
            return Some(format!("{field}: {what}"));
        };
        unequal_debug(format_args!("{field}, storage changes"), &expected.storage_changes, &got.storage_changes)
            .or_else(|| {
                unequal_debug(format_args!("{field}, storage reads"), &expected.storage_reads, &got.storage_reads)
            })
            .or_else(|| {
                unequal_debug(format_args!("{field}, balance changes"), &expected.balance_changes, &got.balance_changes)
            })
            .or_else(|| {
                unequal_debug(format_args!("{field}, nonce changes"), &expected.nonce_changes, &got.nonce_changes)
            })
            .or_else(|| unequal_debug(format_args!("{field}, code changes"), &expected.code_changes, &got.code_changes))
    })
}

/// Pairs the entries of two sorted lists by key.
fn merge<'a, T, K: Ord + Copy>(
    left: &'a [T],
    right: &'a [T],
    key: impl Fn(&T) -> K,
) -> impl Iterator<Item = (K, Option<&'a T>, Option<&'a T>)> {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    std::iter::from_fn(move || {
        let (of_left, of_right) = (left.peek().map(|entry| key(entry)), right.peek().map(|entry| key(entry)));
        let next = match (of_left, of_right) {
            (Some(left), Some(right)) => left.min(right),
            (key, None) | (None, key) => key?,
        };
        Some((next, left.next_if(|entry| key(entry) == next), right.next_if(|entry| key(entry) == next)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, Log, U256};
    use braid_runtime::{AccountDiff, SlotDiff};

    fn outcome() -> BlockOutcome {
        let log = Log::new_unchecked(Address::repeat_byte(3), vec![B256::ZERO], Default::default());
        let receipt = |logs| Receipt { success: true, cumulative_gas_used: 9, logs, ..Default::default() };
        let state = AccountState { balance: U256::from(5), nonce: 1, code_hash: B256::ZERO };
        let account = |byte| AccountDiff {
            address: Address::repeat_byte(byte),
            original: None,
            present: Some(state),
            storage_wiped: false,
        };
        let slot = |slot: u64| SlotDiff {
            address: Address::repeat_byte(2),
            slot: U256::from(slot),
            original: U256::ZERO,
            present: U256::from(4),
        };
        let diff =
            StateDiff { accounts: vec![account(2), account(1)], slots: vec![slot(8), slot(7)], contracts: vec![] };
        normalize(BlockOutcome {
            receipts: vec![receipt(vec![]), receipt(vec![log])],
            gas_used: 9,
            diff,
            ..Default::default()
        })
    }

    #[test]
    fn equal_outcomes_do_not_differ() {
        assert_eq!(first_difference(&outcome(), &outcome()), None);
    }

    #[test]
    fn the_first_differing_field_is_named() {
        let differs = |change: &dyn Fn(&mut BlockOutcome), expected: &str| {
            let mut got = outcome();
            change(&mut got);
            let named = first_difference(&outcome(), &got).unwrap_or_default();
            assert!(named.starts_with(expected), "{named:?} does not start with {expected:?}");
        };
        differs(&|got| got.receipts[0].success = false, "transaction 0: success: expected true, got false");
        differs(
            &|got| got.receipts[1].cumulative_gas_used = 1,
            "transaction 1: cumulative gas used: expected 9, got 1",
        );
        differs(&|got| got.receipts[1].logs.clear(), "transaction 1: number of logs: expected 1, got 0");
        differs(&|got| got.receipts[1].logs[0].address = Address::ZERO, "transaction 1, log 0: address");
        differs(&|got| drop(got.receipts.pop()), "number of receipts: expected 2, got 1");
        differs(&|got| got.gas_used = 1, "gas used: expected 9, got 1");
        differs(&|got| got.blob_gas_used = 1, "blob gas used");
        differs(&|got| got.requests.push_request(vec![1, 2].into()), "requests");
        differs(
            &|got| {
                got.diff.accounts.remove(0);
            },
            "state: account 0x0101010101010101010101010101010101010101: expected to change, did not",
        );
        differs(
            &|got| got.diff.accounts[1].present = None,
            "state: account 0x0202020202020202020202020202020202020202: expected to exist, does not",
        );
        differs(
            &|got| got.diff.slots[0].present = U256::ZERO,
            "state: account 0x0202020202020202020202020202020202020202, slot 0x7: expected 4, got 0",
        );
        differs(
            &|got| got.diff.slots.push(SlotDiff { slot: U256::from(9), ..got.diff.slots[0].clone() }),
            "state: account 0x0202020202020202020202020202020202020202, slot 0x9: changed, expected not to",
        );
    }
}
