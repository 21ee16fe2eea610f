//! Plain transfers on a supplied list: neither interpreter nor journal.
//!
//! What the list says of both accounts before the transfer is compared with what it says after it. Whatever is not plainly a transfer
//! between two accounts that have no part in anything else goes to the EVM.

use super::{Failure, check::Checker};
use crate::{
    AccountState,
    engine::{block_context::BlockContext, native},
    state::Claims,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::U256;
use revm::primitives::KECCAK_EMPTY;

const NEW: AccountState = AccountState { balance: U256::ZERO, nonce: 0, code_hash: KECCAK_EMPTY };

/// Executes and checks the transaction at `position`, if it is a plain transfer. False when the EVM must decide.
pub(crate) fn transfer(
    block: &BlockContext<'_>,
    claims: &Claims<'_>,
    checker: &mut Checker<'_>,
    position: usize,
) -> Result<bool, Failure> {
    let tx = &block.block.transactions()[position];
    let Some(recipient) = native::recipient_of(tx, &block.precompiles) else { return Ok(false) };
    let Some(quote) = block.transfers.quote(tx) else { return Ok(false) };
    let sender = block.block.senders()[position];
    let index = position as u32 + 1;
    let (from, to) = (claims.find(&sender), claims.find(&recipient));
    let (Some(from_changes), Some(to_changes)) = (claims.get(from), claims.get(to)) else { return Ok(false) };
    if sender == recipient || !from_changes.code_changes.is_empty() || !to_changes.code_changes.is_empty() {
        return Ok(false);
    }
    let from_entry = block.state.account(block.snapshot, sender)?;
    let to_entry = block.state.account(block.snapshot, recipient)?;
    let beneficiary = checker.beneficiary();
    let has_code = |base: Option<AccountState>| base.is_some_and(|base| base.code_hash != KECCAK_EMPTY);
    if has_code(from_entry.base)
        || has_code(to_entry.base)
        || from_entry.is(beneficiary)
        || to_entry.is(beneficiary)
    {
        return Ok(false);
    }
    let before = claims.account_before(from, &from_entry, index).state.unwrap_or(NEW);
    let is_valid = before.nonce == tx.nonce() && before.nonce != u64::MAX && before.balance >= quote.required;
    let to_before = claims.account_before(to, &to_entry, index).state;
    let Some(to_balance) = to_before.unwrap_or(NEW).balance.checked_add(quote.value) else { return Ok(false) };
    if !is_valid {
        return Ok(false);
    }
    let after =
        AccountState { balance: before.balance - quote.charge - quote.value, nonce: before.nonce + 1, ..before };
    checker.access(from_entry, from)?;
    checker.access(to_entry, to)?;
    checker.change(from_entry, from, index, &before, &after)?;
    let to_before = to_before.unwrap_or(NEW);
    checker.change(to_entry, to, index, &to_before, &AccountState { balance: to_balance, ..to_before })?;
    checker.fee(U256::from(quote.fee), index)?;
    Ok(true)
}
