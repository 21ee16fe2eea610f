//! Plain transfers without the interpreter.
//!
//! A transfer from one account without code to another costs 21,000 gas in every fork up to Osaka and changes two balances, one nonce and the
//! beneficiary. That is done here when the transfer's turn comes, on the committed state, so it depends on nothing and no check can be
//! out of date. Whatever is not plainly valid goes to the EVM, which has the right error for it.

use super::{
    apply::add_balance,
    record::{AccountAccess, TransactionRecord},
};
use crate::{AccountState, Transaction, evm::Observed, state::AccountRef};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, TxKind, U256};
use braid_precompiles::BraidPrecompiles;
use revm::{
    context::{BlockEnv, Cfg, CfgEnv},
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::AccountStatus,
};

/// Gas of a plain transfer.
pub(crate) const TRANSFER_GAS: u64 = 21_000;

/// The accounts of a transfer that looks plain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NativeTransfer {
    pub(crate) sender: AccountRef,
    pub(crate) recipient: AccountRef,
}

/// What the block says about transfers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransferRules {
    spec: SpecId,
    is_london: bool,
    basefee: u64,
    chain_id: u64,
    /// Highest gas limit of a transaction (EIP-7825, and the block's own).
    gas_limit: u64,
}

impl TransferRules {
    pub(crate) fn new(cfg: &CfgEnv, block: &BlockEnv) -> Self {
        let spec = *cfg.spec();
        Self {
            spec,
            is_london: spec.is_enabled_in(SpecId::LONDON),
            basefee: block.basefee,
            chain_id: cfg.chain_id,
            gas_limit: block.gas_limit.min(cfg.tx_gas_limit_cap()),
        }
    }
}

/// What a plain transfer costs its sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    /// Wei that the sender must have.
    pub(crate) required: U256,
    /// Wei for the recipient.
    pub(crate) value: U256,
    /// Wei that the gas costs.
    pub(crate) charge: U256,
    /// The part of that for the beneficiary, in wei.
    pub(crate) fee: u128,
}

impl TransferRules {
    /// What the transfer costs, if its envelope is valid.
    pub(crate) fn quote(&self, tx: &Transaction) -> Option<Quote> {
        let gas_limit = tx.gas_limit();
        let max_fee = tx.max_fee_per_gas();
        let tip_limit = tx.max_priority_fee_per_gas();
        let basefee = u128::from(self.basefee);
        let is_allowed = (self.is_london || tx.is_legacy())
            && tx.chain_id().is_none_or(|id| id == self.chain_id)
            && (TRANSFER_GAS..=self.gas_limit).contains(&gas_limit)
            && (!self.is_london || max_fee >= basefee)
            && tip_limit.is_none_or(|tip| tip <= max_fee);
        if !is_allowed {
            return None;
        }
        let value = tx.value();
        let required = U256::from(max_fee.checked_mul(u128::from(gas_limit))?).checked_add(value)?;
        let price = match tip_limit {
            Some(tip) if self.is_london => max_fee.min(basefee.checked_add(tip)?),
            _ => max_fee,
        };
        let charge = U256::from(price.checked_mul(u128::from(TRANSFER_GAS))?);
        let tip = if self.is_london { price.saturating_sub(basefee) } else { price };
        // The charge fitted into 128 bits, and the tip is no more.
        Some(Quote { required, value, charge, fee: tip * u128::from(TRANSFER_GAS) })
    }
}

/// What a transfer did. The fee is still to be paid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    accounts: NativeTransfer,
    sender_before: AccountState,
    sender_after: AccountState,
    recipient_before: Option<AccountState>,
    recipient_after: Option<AccountState>,
    /// For the beneficiary, in wei.
    pub(crate) fee: U256,
}

/// The recipient, if the envelope is that of a plain transfer. Whether both accounts have no code is looked up by [`transfer`].
pub(crate) fn recipient_of(tx: &Transaction, precompiles: &BraidPrecompiles) -> Option<Address> {
    let has_access_list = match tx {
        Transaction::Legacy(_) => false,
        Transaction::Eip1559(tx) => !tx.tx().access_list.is_empty(),
        _ => return None,
    };
    if has_access_list || !tx.input().is_empty() {
        return None;
    }
    match tx.kind() {
        TxKind::Call(to) if !precompiles.contains(&to) => Some(to),
        _ => None,
    }
}

/// Executes and commits the transfer, all but the fee. `None` leaves everything as it was: the EVM must decide.
pub(crate) fn transfer(
    tx: &Transaction,
    accounts: NativeTransfer,
    rules: &TransferRules,
    index: u32,
) -> Option<Settled> {
    let NativeTransfer { sender, recipient } = accounts;
    let Quote { required, value, charge, fee } = rules.quote(tx)?;
    let recipient_state = recipient.committed().state;
    let recipient_is_plain = recipient_state
        .is_none_or(|state| state.code_hash == KECCAK_EMPTY && state.balance.checked_add(value).is_some());
    // A touched empty account is removed (EIP-161), unless it is the beneficiary and gets a fee: leave that to the EVM.
    let is_removed = value.is_zero() && recipient_state.is_some_and(|state| state.is_empty());
    if !recipient_is_plain || is_removed {
        return None;
    }
    let (sender_before, sender_after) = {
        let mut committed = sender.committed();
        let before = committed.state?;
        let is_valid = before.nonce == tx.nonce()
            && before.nonce != u64::MAX
            && before.balance >= required
            && before.code_hash == KECCAK_EMPTY;
        if !is_valid {
            return None;
        }
        let after = AccountState { balance: before.balance - charge - value, nonce: before.nonce + 1, ..before };
        committed.state = Some(after);
        sender.publish(&mut committed);
        (before, after)
    };
    let (recipient_before, recipient_after) = add_balance(&recipient, value, index, rules.spec);
    let fee = U256::from(fee);
    Some(Settled { accounts, sender_before, sender_after, recipient_before, recipient_after, fee })
}

impl Settled {
    /// Keeps what the transfer accessed.
    pub(crate) fn keep(&self, record: &mut TransactionRecord) {
        let access = |entry, before, after| AccountAccess {
            entry,
            version: 0,
            observed: Observed(0),
            status: AccountStatus::Touched,
            slack: U256::ZERO,
            before,
            after,
            new_code: None,
        };
        let NativeTransfer { sender, recipient } = self.accounts;
        if sender.is(recipient) {
            record.accounts.push(access(sender, Some(self.sender_before), self.recipient_after));
        } else {
            record.accounts.push(access(sender, Some(self.sender_before), Some(self.sender_after)));
            record.accounts.push(access(recipient, self.recipient_before, self.recipient_after));
        }
    }
}
