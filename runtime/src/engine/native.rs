//! Plain transfers without the interpreter.
//!
//! A transfer from one account without code to another costs 21,000 gas in every fork up to Osaka and changes two balances, one nonce and the
//! beneficiary. That is done here when the transfer's turn comes, on the committed state, so it depends on nothing and no check can be
//! out of date. Whatever is not plainly valid goes to the EVM, which has the right error for it.

use super::{
    apply::{add_balance, pay_fee},
    record::{AccountAccess, TransactionRecord},
};
use crate::{
    AccountState, Transaction,
    evm::Observed,
    state::AccountRef,
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, TxKind, U256};
use braid_precompiles::BraidPrecompiles;
use revm::{
    context::{BlockEnv, Cfg, CfgEnv},
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::AccountStatus,
};

/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;

/// The accounts of a transfer that looks plain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NativeTransfer {
    pub(crate) sender: AccountRef,
    pub(crate) recipient: AccountRef,
}

/// The recipient, if the envelope is that of a plain transfer. Whether both accounts have no code is looked up by [`transfer`].
pub(crate) fn recipient_of(tx: &Transaction, precompiles: &BraidPrecompiles) -> Option<Address> {
    if !(tx.is_legacy() || tx.is_eip1559()) || !tx.input().is_empty() {
        return None;
    }
    if tx.access_list().is_some_and(|list| !list.is_empty()) {
        return None;
    }
    match tx.kind() {
        TxKind::Call(to) if !precompiles.contains(&to) => Some(to),
        _ => None,
    }
}

/// Executes and commits the transfer. `false` leaves everything as it was: the EVM must decide.
pub(crate) fn transfer(
    tx: &Transaction,
    accounts: NativeTransfer,
    beneficiary: AccountRef,
    cfg: &CfgEnv,
    block: &BlockEnv,
    record: &mut TransactionRecord,
    keep_accesses: bool,
) -> bool {
    let spec = *cfg.spec();
    let NativeTransfer { sender, recipient } = accounts;
    let basefee = u128::from(block.basefee);
    let gas_limit = tx.gas_limit();
    let is_known_type = tx.is_legacy() || spec.is_enabled_in(SpecId::LONDON);
    let is_right_chain = tx.chain_id().is_none_or(|id| id == cfg.chain_id);
    let max_fee = tx.max_fee_per_gas();
    let fits = gas_limit >= TRANSFER_GAS && gas_limit <= block.gas_limit && gas_limit <= cfg.tx_gas_limit_cap();
    let is_priced = (!spec.is_enabled_in(SpecId::LONDON) || max_fee >= basefee)
        && tx.max_priority_fee_per_gas().is_none_or(|tip| tip <= max_fee);
    if !(is_known_type && is_right_chain && fits && is_priced) {
        return false;
    }
    let has_no_code = |state: Option<AccountState>| state.is_none_or(|state| state.code_hash == KECCAK_EMPTY);
    let value = tx.value();
    let recipient_state = recipient.committed().state;
    let overflows = recipient_state.is_some_and(|state| state.balance.checked_add(value).is_none());
    if !has_no_code(recipient_state) || overflows {
        return false;
    }
    let Some(required) = U256::from(max_fee).checked_mul(U256::from(gas_limit)).and_then(|fee| fee.checked_add(value))
    else {
        return false;
    };
    let price = tx.effective_gas_price(spec.is_enabled_in(SpecId::LONDON).then_some(block.basefee));
    let sender_before = {
        let mut committed = sender.committed();
        let Some(before) = committed.state else { return false };
        let is_valid = before.nonce == tx.nonce()
            && before.nonce != u64::MAX
            && before.code_hash == KECCAK_EMPTY
            && before.balance >= required;
        if !is_valid {
            return false;
        }
        let cost = U256::from(price) * U256::from(TRANSFER_GAS) + value;
        committed.state = Some(AccountState { balance: before.balance - cost, nonce: before.nonce + 1, ..before });
        sender.publish(&mut committed);
        before
    };
    let (recipient_before, recipient_after) = add_balance(&recipient, value, record.index, spec);
    let tip = if spec.is_enabled_in(SpecId::LONDON) { price.saturating_sub(basefee) } else { price };
    let fee = U256::from(tip) * U256::from(TRANSFER_GAS);
    record.fee_payment = Some(pay_fee(&beneficiary, fee, record.index, spec));
    record.success = true;
    record.gas_used = TRANSFER_GAS;
    record.fee = fee;
    if keep_accesses {
        let access = |entry, before: Option<AccountState>, after: Option<AccountState>| AccountAccess {
            entry,
            version: 0,
            observed: Observed(0),
            status: AccountStatus::Touched,
            slack: U256::ZERO,
            before,
            after,
            new_code: None,
        };
        let is_self = sender.is(recipient);
        let cost = U256::from(price) * U256::from(TRANSFER_GAS) + if is_self { U256::ZERO } else { value };
        let sender_after =
            AccountState { balance: sender_before.balance - cost, nonce: sender_before.nonce + 1, ..sender_before };
        record.accounts.push(access(sender, Some(sender_before), Some(sender_after)));
        if !is_self {
            record.accounts.push(access(recipient, recipient_before, recipient_after));
        }
    }
    true
}
