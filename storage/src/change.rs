//! Plain description of what a block changes in the state.

use alloy_primitives::{Address, B256, U256};
use revm::state::Bytecode;

/// The fields of an account that do not depend on its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// Nonce.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Keccak-256 of the code, `KECCAK_EMPTY` without code.
    pub code_hash: B256,
}

/// An account whose record changed, that appeared or vanished, or that lost its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Address of the account.
    pub address: Address,
    /// The record after the change; `None` when the account no longer exists.
    pub present: Option<AccountRecord>,
    /// Whether all storage from before the change is gone. Slots written afterwards come as [`SlotChange`]s.
    pub storage_wiped: bool,
}

/// A storage slot with a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotChange {
    /// Account that owns the slot.
    pub address: Address,
    /// Slot number.
    pub slot: U256,
    /// The new value; zero removes the slot from the trie.
    pub present: U256,
}

/// Everything that a block changes in the state. Of what is listed twice, the last counts.
///
/// * An account of which only slots change need not be listed among `accounts`.
/// * An account that is wiped loses the slots it had before; slots listed for it are written afterwards.
/// * An account that is gone loses its storage, and slots listed for it do not count.
#[derive(Clone, Debug, Default)]
pub struct BlockChange {
    /// Accounts whose record changed, that appeared or vanished, or that lost their storage.
    pub accounts: Vec<AccountChange>,
    /// Slots with new values.
    pub slots: Vec<SlotChange>,
    /// Codes that accounts newly point to, by their hash.
    pub contracts: Vec<(B256, Bytecode)>,
}
