//! All that a transaction leaves in a worker's view, for comparing two ways of running it.

use super::{journal::Journal, local::LocalAccount};
use crate::AccountState;
use alloy_primitives::{Address, B256, U256};
use revm::state::AccountStatus;

/// What was accessed, relied on and changed, in order of first use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Footprint {
    accounts: Vec<AccountPrint>,
    /// Position of the account, slot, value before and after, stamp.
    slots: Vec<(u32, U256, U256, U256, Option<u32>)>,
    fee: U256,
}

#[derive(Debug, PartialEq, Eq)]
struct AccountPrint {
    address: Address,
    before: Option<AccountState>,
    version: u32,
    after: (U256, u64, B256),
    status: AccountStatus,
    observed: u8,
    slack: U256,
    code_set: bool,
}

impl Footprint {
    /// Of the transaction that has just run.
    pub(super) fn of(journal: &Journal<'_>) -> Self {
        let view = &journal.view;
        let account = |record: &LocalAccount| AccountPrint {
            address: record.entry.address,
            before: record.before,
            version: record.version,
            after: (record.account.info.balance, record.account.info.nonce, record.account.info.code_hash),
            status: record.account.status,
            observed: record.observed.get(),
            slack: record.slack,
            code_set: record.code_set,
        };
        let slot = |position: &u32| {
            let record = &view.slots[*position as usize];
            let slot = &record.slot;
            (record.account, record.entry.slot, slot.original_value, slot.present_value, record.stamp)
        };
        Self {
            accounts: view.used_accounts.iter().map(|position| account(&view.accounts[*position as usize])).collect(),
            slots: view.used_slots.iter().map(slot).collect(),
            fee: journal.fee,
        }
    }
}
