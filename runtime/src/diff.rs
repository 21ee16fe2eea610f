//! The merged state change of one block, as plain data.

use alloy_primitives::{Address, B256, U256};
use revm::state::Bytecode;

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

/// An account whose record changed, was created or was deleted in the block, or whose storage changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDiff {
    /// Address of the account.
    pub address: Address,
    /// State before the block; `None` when the account did not exist.
    pub original: Option<AccountState>,
    /// State after the block; `None` when the account does not exist.
    pub present: Option<AccountState>,
    /// All storage that the account had before the block is gone (it was destroyed in the block, and maybe created anew).
    pub storage_wiped: bool,
}

/// A storage slot whose value changed in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotDiff {
    /// Account that owns the slot.
    pub address: Address,
    /// Slot number.
    pub slot: U256,
    /// Value in the parent state.
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
    /// Code that accounts in `accounts` point to and that the block created.
    pub contracts: Vec<(B256, Bytecode)>,
}

impl StateDiff {
    /// Sorts accounts by address, slots by address and slot, contracts by hash, so that two diffs can be compared.
    pub fn sort(&mut self) {
        self.accounts.sort_unstable_by_key(|account| account.address);
        self.slots.sort_unstable_by_key(|slot| (slot.address, slot.slot));
        self.contracts.sort_unstable_by_key(|(hash, _)| *hash);
    }
}
