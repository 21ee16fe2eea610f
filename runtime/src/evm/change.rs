//! The revert log: what to put back when a call frame fails.
//!
//! The entries mirror revm's `JournalEntry` one to one, with positions in the [`LocalView`] instead of addresses and keys.

use super::local::LocalView;
use alloy_primitives::{Address, B256, U256};
use revm::{
    primitives::PRECOMPILE3,
    state::{Bytecode, TransientStorage},
};

/// How far a SELFDESTRUCT went, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DestroyedStatus {
    /// First destruction of the account.
    Globally,
    /// First one in this transaction.
    Locally,
    /// It had been destroyed in this transaction already.
    Repeated,
}

/// One change of the running transaction.
#[derive(Debug)]
pub(crate) enum Change {
    AccountWarmed { account: u32 },
    AccountTouched { account: u32 },
    AccountDestroyed { account: u32, target: u32, had_balance: U256, status: DestroyedStatus },
    BalanceChanged { account: u32, old: U256 },
    BalanceTransferred { from: u32, to: u32, amount: U256 },
    NonceChanged { account: u32, old: u64 },
    AccountCreated { account: u32, globally: bool },
    SlotWarmed { slot: u32 },
    SlotChanged { slot: u32, old: U256 },
    TransientChanged { address: Address, key: U256, old: U256 },
    CodeChanged { account: u32, old_hash: B256, old_code: Option<Bytecode> },
}

impl Change {
    pub(crate) fn revert(self, view: &mut LocalView, transient: &mut TransientStorage, spurious_dragon: bool) {
        match self {
            Self::AccountWarmed { account } => view.accounts[account as usize].account.mark_cold(),
            Self::AccountTouched { account } => {
                let record = &mut view.accounts[account as usize];
                // Deletion of the account 0x03 despite an out-of-gas in block 2,675,119: yellow paper, K.1.
                if spurious_dragon && record.entry.address == PRECOMPILE3 {
                    return;
                }
                record.account.unmark_touch();
            }
            Self::AccountDestroyed { account, target, had_balance, status } => {
                let record = &mut view.accounts[account as usize].account;
                match status {
                    DestroyedStatus::Globally => {
                        record.unmark_selfdestruct();
                        record.unmark_selfdestructed_locally();
                    }
                    DestroyedStatus::Locally => record.unmark_selfdestructed_locally(),
                    DestroyedStatus::Repeated => {}
                }
                record.info.balance += had_balance;
                if account != target {
                    view.accounts[target as usize].account.info.balance -= had_balance;
                }
            }
            Self::BalanceChanged { account, old } => view.accounts[account as usize].account.info.balance = old,
            Self::BalanceTransferred { from, to, amount } => {
                view.accounts[from as usize].account.info.balance += amount;
                view.accounts[to as usize].account.info.balance -= amount;
            }
            Self::NonceChanged { account, old } => view.accounts[account as usize].account.info.nonce = old,
            Self::AccountCreated { account, globally } => {
                let record = &mut view.accounts[account as usize].account;
                record.unmark_created_locally();
                if globally {
                    record.unmark_created();
                }
                // Only an account with nonce zero can be created.
                record.info.nonce = 0;
            }
            Self::SlotWarmed { slot } => view.slots[slot as usize].slot.mark_cold(),
            Self::SlotChanged { slot, old } => view.slots[slot as usize].slot.present_value = old,
            Self::TransientChanged { address, key, old } => {
                if old.is_zero() {
                    transient.remove_value(address, key);
                } else {
                    transient.insert_value(address, key, old);
                }
            }
            Self::CodeChanged { account, old_hash, old_code } => {
                let info = &mut view.accounts[account as usize].account.info;
                info.code_hash = old_hash;
                info.code = old_code;
            }
        }
    }
}
