//! What must hold inside a bundle: the body is the one that the header commits to, and the lists are of equal length.
//!
//! The block's own hash needs no check: it is computed from the header, and the header is what everything is compared with.

use super::{Bundle, PreState, error::Inconsistency};
use alloy_consensus::proofs::{calculate_transaction_root, calculate_withdrawals_root};
use alloy_primitives::keccak256;
use revm::primitives::KECCAK_EMPTY;
use std::collections::BTreeSet;

pub(super) fn check(bundle: &Bundle) -> Result<(), Inconsistency> {
    let header = &bundle.block.header;
    let body = &bundle.block.body;

    let computed = calculate_transaction_root(&body.transactions);
    if computed != header.transactions_root {
        return Err(Inconsistency::TransactionsRoot { stated: header.transactions_root, computed });
    }
    let computed = body.calculate_ommers_root();
    let excused = bundle.ommers_missing && body.ommers.is_empty();
    if computed != header.ommers_hash && !excused {
        return Err(Inconsistency::OmmersHash { stated: header.ommers_hash, computed });
    }
    let computed = body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
    if computed != header.withdrawals_root {
        return Err(Inconsistency::WithdrawalsRoot { stated: header.withdrawals_root, computed });
    }

    let transactions = body.transactions.len();
    if let Some(senders) = bundle.senders.as_ref().map(Vec::len).filter(|senders| *senders != transactions) {
        return Err(Inconsistency::SenderCount { senders, transactions });
    }
    if let Some(receipts) = bundle.receipts.as_ref().map(Vec::len).filter(|receipts| *receipts != transactions) {
        return Err(Inconsistency::ReceiptCount { receipts, transactions });
    }

    match &bundle.pre_state {
        PreState::Plain(state) => {
            let codes: BTreeSet<_> = state.codes.iter().map(keccak256).collect();
            for (address, account) in &state.accounts {
                if account.code_hash != KECCAK_EMPTY && !codes.contains(&account.code_hash) {
                    return Err(Inconsistency::MissingCode { address: *address, code_hash: account.code_hash });
                }
            }
        }
        PreState::Witness(witness) => {
            super::snapshot::ancestor_hashes(header, witness)?;
            if let Some(key) = witness.keys.iter().find(|key| !matches!(key.len(), 20 | 32)) {
                return Err(Inconsistency::KeyLength(key.len()));
            }
        }
    }
    Ok(())
}
