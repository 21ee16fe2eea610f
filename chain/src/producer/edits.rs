//! The state is changed without a block.

use super::{Producer, Shared, Turn};
use crate::{ChainError, StateView};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use braid_storage::{AccountChange, AccountRecord, BlockChange, SlotChange};
use revm::state::Bytecode;
use std::collections::BTreeMap;

/// A change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateEdit {
    /// Another balance, in wei.
    Balance(Address, U256),
    /// Another nonce.
    Nonce(Address, u64),
    /// Other code; none if it is empty.
    Code(Address, Bytes),
    /// Another value of a storage slot.
    Slot(Address, U256, U256),
}

/// What was changed, in its order.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    /// The block to whose state the change belongs.
    block: B256,
    /// Takes it back.
    back: BlockChange,
}

impl Edits {
    pub(super) const fn count(&self) -> usize {
        self.0.len()
    }
}

impl Producer {
    /// Changes the state after the head.
    pub fn edit(&self, edits: &[StateEdit]) -> Result<(), ChainError> {
        let mut turn = self.shared.turn();
        let head = self.shared.chain.head().hash;
        let change = change(&self.shared.chain.state(&head)?, edits)?;
        let back = self.shared.amend(&change)?;
        turn.edits.0.push(Edit { block: head, back });
        drop(turn);
        self.shared.alarm.ring();
        Ok(())
    }
}

impl Shared {
    fn amend(&self, change: &BlockChange) -> Result<BlockChange, ChainError> {
        let back = self.chain.amend(change)?;
        let mut touched: Vec<Address> = change.accounts.iter().map(|account| account.address).collect();
        touched.dedup();
        self.pool.refresh(&touched);
        Ok(back)
    }

    /// Takes back what was changed in the state of the head since there were so many edits; what was changed in other states is gone with them.
    pub(super) fn take_back(&self, turn: &mut Turn, count: usize) -> Result<(), ChainError> {
        let head = self.chain.head().hash;
        while turn.edits.0.len() > count
            && let Some(edit) = turn.edits.0.pop()
        {
            if edit.block == head {
                self.amend(&edit.back)?;
            }
        }
        Ok(())
    }
}

/// The edits as one change of a state.
fn change(state: &StateView, edits: &[StateEdit]) -> Result<BlockChange, ChainError> {
    const NEW: AccountRecord = AccountRecord { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY };
    let mut accounts: BTreeMap<Address, AccountRecord> = BTreeMap::new();
    let mut slots = BTreeMap::new();
    let mut contracts = Vec::new();
    for edit in edits {
        let (StateEdit::Balance(address, _)
        | StateEdit::Nonce(address, _)
        | StateEdit::Code(address, _)
        | StateEdit::Slot(address, ..)) = edit;
        let known = accounts.get(address).copied();
        let mut account = match known {
            Some(account) => account,
            None => state.account(*address)?.unwrap_or(NEW),
        };
        match edit {
            StateEdit::Balance(_, balance) => account.balance = *balance,
            StateEdit::Nonce(_, nonce) => account.nonce = *nonce,
            StateEdit::Code(_, code) => {
                account.code_hash = keccak256(code);
                if !code.is_empty() {
                    contracts.push((account.code_hash, Bytecode::new_raw(code.clone())));
                }
            }
            StateEdit::Slot(_, slot, value) => drop(slots.insert((*address, *slot), *value)),
        }
        accounts.insert(*address, account);
    }
    let accounts = accounts
        .into_iter()
        .map(|(address, record)| AccountChange { address, present: Some(record), storage_wiped: false })
        .collect();
    let slots = slots.into_iter().map(|((address, slot), present)| SlotChange { address, slot, present }).collect();
    Ok(BlockChange { accounts, slots, contracts })
}
