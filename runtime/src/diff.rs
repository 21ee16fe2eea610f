//! The merged state change of one block, as plain data.
//!
//! A [`StateDiff`] is canonical: two executions of the same block that reach the same state through the same destructions
//! give equal diffs once [`StateDiff::sort`] was called. The rules:
//!
//! * An account is listed if its record (balance, nonce, code hash) differs from the parent state, if it was created or
//!   deleted, or if [`AccountDiff::storage_wiped`]. If only slots of an account changed, it is not listed.
//! * `storage_wiped` is set if the account existed in the parent state and was deleted at any point of the block, even if it
//!   was created again later: by SELFDESTRUCT (before Cancun) or by being touched while empty (EIP-161). An account that was
//!   created and deleted within the block is not wiped, and is not listed unless it exists in the end.
//! * A slot is listed if its value after the block differs from the parent state. Of a wiped account only the slots that are
//!   not zero after the block are listed, with `original` zero, since the wipe removes all others at once.
//! * Code is listed if some listed account points to it after the block and pointed to other code before (or did not exist).
//!   Empty code is never listed.

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{
    database::{BundleAccount, BundleState},
    state::{AccountInfo, Bytecode},
};

/// Balance (wei), nonce and code hash of an existing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Keccak-256 of the code, `KECCAK_EMPTY` without code.
    pub code_hash: B256,
}

impl AccountState {
    /// What an account starts from.
    pub(crate) const NEW: Self = Self { balance: U256::ZERO, nonce: 0, code_hash: KECCAK256_EMPTY };

    /// Whether the account has neither balance nor nonce nor code (EIP-161).
    pub fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0 && self.code_hash == KECCAK256_EMPTY
    }
}

impl From<&AccountInfo> for AccountState {
    fn from(info: &AccountInfo) -> Self {
        Self { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }
    }
}

/// An account whose record changed, was created or was deleted in the block, or whose storage was wiped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDiff {
    /// Address of the account.
    pub address: Address,
    /// State before the block; `None` when the account did not exist.
    pub original: Option<AccountState>,
    /// State after the block; `None` when the account does not exist.
    pub present: Option<AccountState>,
    /// All storage that the account had before the block is gone (it was deleted in the block, and maybe created anew).
    pub storage_wiped: bool,
}

/// A storage slot whose value changed in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDiff {
    /// Account that owns the slot.
    pub address: Address,
    /// Slot number.
    pub slot: U256,
    /// Value in the parent state, zero if the storage of the account was wiped.
    pub original: U256,
    /// Value after the block.
    pub present: U256,
}

/// The merged state change of one block: only what differs from the parent state, in no particular order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateDiff {
    /// Accounts whose record changed or whose storage was wiped; an account of which only slots changed is not listed.
    pub accounts: Vec<AccountDiff>,
    /// Slots that changed, grouped by nothing.
    pub slots: Vec<SlotDiff>,
    /// Code that accounts in `accounts` newly point to.
    pub contracts: Vec<(B256, Bytecode)>,
}

impl StateDiff {
    /// Sorts accounts by address, slots by address and slot, contracts by hash, so that two diffs can be compared.
    pub fn sort(&mut self) {
        self.accounts.sort_unstable_by_key(|account| account.address);
        self.slots.sort_unstable_by_key(|slot| (slot.address, slot.slot));
        self.contracts.sort_unstable_by_key(|(hash, _)| *hash);
    }

    /// The diff that a bundle of one block amounts to, sorted.
    pub fn from_bundle(bundle: &BundleState) -> Self {
        let mut diff = Self::default();
        for (address, account) in &bundle.state {
            diff.add_account(*address, account);
        }
        diff.contracts = bundle
            .contracts
            .iter()
            .filter(|(hash, _)| **hash != KECCAK256_EMPTY)
            .map(|(hash, code)| (*hash, code.clone()))
            .collect();
        diff.sort();
        diff
    }

    fn add_account(&mut self, address: Address, account: &BundleAccount) {
        let original = account.original_info.as_ref().map(AccountState::from);
        let present = account.info.as_ref().map(AccountState::from);
        let storage_wiped = account.was_destroyed() && original.is_some();
        if original != present || storage_wiped {
            self.accounts.push(AccountDiff { address, original, present, storage_wiped });
        }
        for (slot, value) in &account.storage {
            let original = if storage_wiped { U256::ZERO } else { value.previous_or_original_value };
            if original != value.present_value {
                self.slots.push(SlotDiff { address, slot: *slot, original, present: value.present_value });
            }
        }
    }
}
