//! Plain transfers on a supplied list: neither interpreter nor journal.
//!
//! What the list says of both accounts before the transfer is compared with what it says after it. Whatever is not plainly a transfer
//! between two accounts that have no part in anything else goes to the EVM.

use super::{Failure, check::Checker};
use crate::{
    AccountState,
    engine::{
        block_context::BlockContext,
        native::{self, Envelope},
    },
    state::{AccountRef, Claims, Listed, Place, SnapshotError},
};
use alloy_primitives::{Address, U256};
use revm::primitives::KECCAK_EMPTY;

/// Accounts that a worker remembers.
const REMEMBERED: usize = 64;

/// An account without code, which is not the beneficiary.
#[derive(Clone, Copy)]
struct PlainAccount {
    entry: AccountRef,
    listed: Listed,
    place: Place,
    is_counted: bool,
}

/// Does plain transfers. It remembers accounts: many belong to the same few services.
pub(crate) struct Transfers<'b> {
    block: &'b BlockContext<'b>,
    claims: &'b Claims<'b>,
    remembered: Vec<Option<PlainAccount>>,
}

impl std::fmt::Debug for Transfers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfers").finish_non_exhaustive()
    }
}

impl<'b> Transfers<'b> {
    pub(crate) const fn new(block: &'b BlockContext<'b>, claims: &'b Claims<'b>) -> Self {
        Self { block, claims, remembered: Vec::new() }
    }

    /// The account before `index`; `None` when the EVM has to see to it.
    fn load(&mut self, address: Address, index: u32) -> Result<Option<PlainAccount>, SnapshotError> {
        if self.remembered.is_empty() {
            self.remembered.resize(REMEMBERED, None);
        }
        let cell = &mut self.remembered[usize::from(address[19]) % REMEMBERED];
        let mut account = match *cell {
            Some(account) if account.entry.address == address => account,
            _ => {
                let listed = self.claims.find(&address);
                if self.claims.get(listed).is_none_or(|changes| !changes.code_changes.is_empty()) {
                    return Ok(None);
                }
                let entry = self.block.state.account(self.block.snapshot, address)?;
                let is_plain = entry.base.is_none_or(|base| base.code_hash == KECCAK_EMPTY && !base.is_empty());
                if !is_plain || entry.is(self.block.beneficiary) {
                    return Ok(None);
                }
                PlainAccount { entry, listed, place: Place::default(), is_counted: false }
            }
        };
        account.place = self.claims.place(account.listed, account.place, index);
        *cell = Some(account);
        Ok(Some(account))
    }

    fn count(&mut self, account: PlainAccount, checker: &mut Checker<'_>) -> Result<(), Failure> {
        if !account.is_counted {
            checker.access(account.entry, account.listed)?;
            let cell = &mut self.remembered[usize::from(account.entry.address[19]) % REMEMBERED];
            if let Some(remembered) = cell.as_mut().filter(|remembered| remembered.entry.is(account.entry)) {
                remembered.is_counted = true;
            }
        }
        Ok(())
    }

    /// Executes and checks the transaction at `position`, if it is a plain transfer. False when the EVM must decide.
    pub(crate) fn run(&mut self, checker: &mut Checker<'_>, position: usize) -> Result<bool, Failure> {
        let tx = &self.block.block.transactions()[position];
        let Some(recipient) = native::recipient_of(tx, &self.block.precompiles) else { return Ok(false) };
        let sender = self.block.block.senders()[position];
        let index = position as u32 + 1;
        if sender == recipient {
            return Ok(false);
        }
        // Contracts are mostly called with data, so the recipient is mostly plain.
        let Some(to) = self.load(recipient, index)? else { return Ok(false) };
        let Some(from) = self.load(sender, index)? else { return Ok(false) };
        let Some(envelope) = Envelope::of(tx, &self.block.transfers) else { return Ok(false) };
        let before =
            self.claims.account_before(from.listed, &from.entry, from.place).state.unwrap_or(AccountState::NEW);
        let to_before = self.claims.account_before(to.listed, &to.entry, to.place).state.unwrap_or(AccountState::NEW);
        let is_valid =
            before.nonce == envelope.nonce && before.nonce != u64::MAX && before.balance >= envelope.required;
        let Some(to_balance) = to_before.balance.checked_add(envelope.value).filter(|_| is_valid) else {
            return Ok(false);
        };
        self.count(from, checker)?;
        self.count(to, checker)?;
        let after = AccountState {
            balance: before.balance - U256::from(envelope.charge) - envelope.value,
            nonce: before.nonce + 1,
            ..before
        };
        checker.change(from.entry, (from.listed, from.place), index, &before, &after)?;
        let to_after = AccountState { balance: to_balance, ..to_before };
        checker.change(to.entry, (to.listed, to.place), index, &to_before, &to_after)?;
        checker.fee(U256::from(envelope.tip), index)?;
        Ok(true)
    }
}
