//! What the cases are played on: rich accounts, the system contracts, and what is left afterwards.

use alloy_primitives::{Address, U256};
use braid_runtime::{BlockError, BlockOutcome};
use braid_tests::{
    blocks::{BlockBuilder, Key, ether},
    contracts::deploy_system_contracts,
    differential::{Checked, Engines},
    memory::MemoryState,
};

/// The beneficiary, unless a case wants another.
pub(crate) const BENEFICIARY: Address = Address::repeat_byte(0xc0);
/// Some contract.
pub(crate) const CONTRACT: Address = Address::repeat_byte(0x11);
/// Another.
pub(crate) const OTHER: Address = Address::repeat_byte(0x22);
/// An account that does not exist.
pub(crate) const NOBODY: Address = Address::repeat_byte(0x99);

/// Key number `number`; the first twelve are rich.
pub(crate) fn key(number: u64) -> Key {
    Key::new(number)
}

/// An address as an argument.
pub(crate) fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// A number as an argument.
pub(crate) fn number(number: u64) -> U256 {
    U256::from(number)
}

/// A state with twelve rich accounts and the system contracts.
pub(crate) fn state() -> MemoryState {
    let mut state = MemoryState::default();
    for index in 0..12 {
        state.fund(key(index).address, ether(1000));
    }
    deploy_system_contracts(&mut state);
    state
}

/// What came of a block.
pub(crate) struct After {
    pub(crate) outcome: BlockOutcome,
    pub(crate) state: MemoryState,
    /// Transactions that were found valid after running ahead, in all settings together.
    pub(crate) ahead: u32,
}

impl After {
    pub(crate) fn balance(&self, address: Address) -> U256 {
        self.state.accounts.get(&address).map_or(U256::ZERO, |account| account.balance)
    }

    pub(crate) fn nonce(&self, address: Address) -> u64 {
        self.state.accounts.get(&address).map_or(0, |account| account.nonce)
    }

    pub(crate) fn slot(&self, address: Address, slot: u64) -> U256 {
        let account = self.state.accounts.get(&address);
        account.and_then(|account| account.storage.get(&U256::from(slot))).copied().unwrap_or_default()
    }

    pub(crate) fn exists(&self, address: Address) -> bool {
        self.state.accounts.contains_key(&address)
    }

    /// Which transactions succeeded.
    pub(crate) fn successes(&self) -> Vec<bool> {
        self.outcome.receipts.iter().map(|receipt| receipt.success).collect()
    }
}

fn check(state: &MemoryState, builder: &BlockBuilder) -> Checked {
    Engines::all().check(state, &builder.build(), &builder.spec()).unwrap_or_else(|mismatch| panic!("{mismatch}"))
}

/// Runs a valid block in every setting.
pub(crate) fn run(state: &MemoryState, builder: &BlockBuilder) -> After {
    let checked = check(state, builder);
    let outcome = checked.serial.unwrap_or_else(|error| panic!("the block is not valid: {error}"));
    let mut after = state.clone();
    after.apply(&outcome.diff);
    After { outcome, state: after, ahead: checked.ahead }
}

/// Runs a block in every setting that must be refused, and gives the reason.
pub(crate) fn refuse(state: &MemoryState, builder: &BlockBuilder) -> BlockError {
    match check(state, builder).serial {
        Ok(_) => panic!("the block is valid"),
        Err(error) => {
            assert!(error.is_invalid(), "{error}");
            error
        }
    }
}
