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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use alloy_primitives::{B256, Bytes};

    fn refused(change: impl FnOnce(&mut Bundle)) -> Inconsistency {
        let mut bundle = samples::with_everything();
        check(&bundle).unwrap();
        change(&mut bundle);
        check(&bundle).unwrap_err()
    }

    #[test]
    fn the_body_must_be_the_one_of_the_header() {
        let error = refused(|bundle| drop(bundle.block.body.transactions.pop()));
        assert!(matches!(error, Inconsistency::TransactionsRoot { .. }), "{error}");
        let error = refused(|bundle| drop(bundle.block.body.ommers.pop()));
        assert!(matches!(error, Inconsistency::OmmersHash { .. }), "{error}");
        let error = refused(|bundle| bundle.block.body.withdrawals = None);
        assert!(matches!(error, Inconsistency::WithdrawalsRoot { computed: None, .. }), "{error}");
    }

    #[test]
    fn ommers_may_be_said_to_be_missing_but_not_be_others() {
        let mut bundle = samples::with_everything();
        bundle.ommers_missing = true;
        bundle.block.body.ommers.clear();
        check(&bundle).unwrap();
        bundle.block.body.ommers.push(Default::default());
        assert!(matches!(check(&bundle), Err(Inconsistency::OmmersHash { .. })));
    }

    #[test]
    fn lists_must_be_as_long_as_the_transactions() {
        let error = refused(|bundle| bundle.senders = Some(vec![samples::OWNER]));
        assert!(matches!(error, Inconsistency::SenderCount { senders: 1, transactions: 2 }), "{error}");
        let error = refused(|bundle| drop(bundle.receipts.as_mut().and_then(Vec::pop)));
        assert!(matches!(error, Inconsistency::ReceiptCount { receipts: 1, transactions: 2 }), "{error}");
    }

    #[test]
    fn code_must_be_there_under_its_hash() {
        let error = refused(|bundle| {
            let PreState::Plain(state) = &mut bundle.pre_state else { panic!("plain") };
            state.codes = vec![Bytes::from_static(&[0x60, 0x02, 0x00])];
        });
        assert!(matches!(error, Inconsistency::MissingCode { address: samples::CONTRACT, .. }), "{error}");
    }

    #[test]
    fn ancestors_must_lead_to_the_parent_and_its_state_root() {
        let refused = |change: &dyn Fn(&mut crate::Witness)| {
            let mut bundle = samples::witness();
            let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("witness") };
            change(witness);
            check(&bundle).unwrap_err()
        };
        check(&samples::witness()).unwrap();
        let error = refused(&|witness| drop(witness.headers.remove(0)));
        assert!(matches!(error, Inconsistency::MissingAncestor { number: 99, .. }), "{error}");
        let error = refused(&|witness| witness.headers[1].gas_limit += 1);
        assert!(matches!(error, Inconsistency::MissingAncestor { number: 98, .. }), "{error}");
        let error = refused(&|witness| witness.state_root = B256::ZERO);
        assert!(matches!(error, Inconsistency::StateRoot { .. }), "{error}");
        let error = refused(&|witness| witness.keys.push(Bytes::from_static(&[1, 2, 3])));
        assert!(matches!(error, Inconsistency::KeyLength(3)), "{error}");
    }
}
