//! Does the outcome of executing a block agree with its header?
//!
//! Each field of the header that the outcome determines is compared, and each that differs is listed; so one run tells
//! everything that is wrong. What cannot be compared is said, not passed over: see [`Validation::state_root`].

use crate::{Bundle, Snapshot, SnapshotError};
use alloy_consensus::{EthereumReceipt, proofs::calculate_withdrawals_root};
use alloy_primitives::{B256, Bloom, keccak256};
use braid_runtime::{BlockOutcome, Receipt};

/// What comparing an outcome with a header gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Every field that differs.
    pub mismatches: Vec<Mismatch>,
    /// What became of the state root.
    pub state_root: StateRootCheck,
}

impl Validation {
    /// Whether nothing differs.
    pub const fn is_match(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// What became of the state root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateRootCheck {
    /// It was computed and compared.
    Compared,
    /// Too little of the state is known to compute it.
    Unknown,
}

/// A field in which an outcome differs from the header, or from the receipts that came with the block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Gas used by the block.
    #[error("gas used: expected {expected}, got {got}")]
    GasUsed {
        /// In the header.
        expected: u64,
        /// In the outcome.
        got: u64,
    },
    /// Blob gas used by the block (EIP-4844).
    #[error("blob gas used: expected {expected}, got {got}")]
    BlobGasUsed {
        /// In the header.
        expected: u64,
        /// In the outcome.
        got: u64,
    },
    /// How many receipts there are.
    #[error("number of receipts: expected {expected}, got {got}")]
    ReceiptCount {
        /// One for each transaction.
        expected: usize,
        /// In the outcome.
        got: usize,
    },
    /// The first receipt that differs from the one that came with the block.
    #[error("receipt {index}: expected {expected:?}, got {got:?}")]
    Receipt {
        /// Index of the transaction.
        index: usize,
        /// As it came with the block.
        expected: Box<Receipt>,
        /// In the outcome.
        got: Box<Receipt>,
    },
    /// Root of the receipts. Not compared before Byzantium, where receipts hold intermediate state roots.
    #[error("receipts root: expected {expected}, got {got}")]
    ReceiptsRoot {
        /// In the header.
        expected: B256,
        /// Of the outcome's receipts.
        got: B256,
    },
    /// Bloom over all logs.
    #[error("logs bloom: expected {expected}, got {got}")]
    LogsBloom {
        /// In the header.
        expected: Box<Bloom>,
        /// Of the outcome's receipts.
        got: Box<Bloom>,
    },
    /// Hash of the requests to the consensus layer (EIP-7685).
    #[error("requests hash: expected {expected}, got {got}")]
    RequestsHash {
        /// In the header.
        expected: B256,
        /// Of the outcome's requests.
        got: B256,
    },
    /// Root of the withdrawals in the body (EIP-4895).
    #[error("withdrawals root: expected {expected:?}, got {got:?}")]
    WithdrawalsRoot {
        /// In the header.
        expected: Option<B256>,
        /// Of the body.
        got: Option<B256>,
    },
    /// Hash of the block access list (EIP-7928).
    #[error("block access list hash: expected {expected}, got {got:?}")]
    BlockAccessListHash {
        /// In the header.
        expected: B256,
        /// Of the outcome's list; `None` when it has none.
        got: Option<B256>,
    },
    /// Root of the state after the block.
    #[error("state root: expected {expected}, got {got}")]
    StateRoot {
        /// In the header.
        expected: B256,
        /// From the state before the block and the outcome's diff.
        got: B256,
    },
    /// The witness does not suffice for the state root after the outcome's diff, although it does for the true one.
    #[error("state root: expected {expected}, got none: {reason}")]
    StateRootUnprovable {
        /// In the header.
        expected: B256,
        /// Where the witness ends.
        reason: SnapshotError,
    },
}

/// Compares the outcome of executing the block of a bundle with its header. `snapshot` is the bundle's own.
pub fn validate(bundle: &Bundle, snapshot: &Snapshot, outcome: &BlockOutcome) -> Validation {
    let header = &bundle.block.header;
    let body = &bundle.block.body;
    let mut mismatches = Vec::new();

    if outcome.gas_used != header.gas_used {
        mismatches.push(Mismatch::GasUsed { expected: header.gas_used, got: outcome.gas_used });
    }
    if let Some(expected) = header.blob_gas_used.filter(|expected| *expected != outcome.blob_gas_used) {
        mismatches.push(Mismatch::BlobGasUsed { expected, got: outcome.blob_gas_used });
    }
    compare_receipts(bundle, outcome, &mut mismatches);
    if let Some(expected) = header.requests_hash {
        let got = outcome.requests.requests_hash();
        if got != expected {
            mismatches.push(Mismatch::RequestsHash { expected, got });
        }
    }
    let got = body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
    if got != header.withdrawals_root {
        mismatches.push(Mismatch::WithdrawalsRoot { expected: header.withdrawals_root, got });
    }
    if let Some(expected) = header.block_access_list_hash {
        let got = outcome.access_list.as_ref().map(|list| keccak256(alloy_rlp::encode(list)));
        if got != Some(expected) {
            mismatches.push(Mismatch::BlockAccessListHash { expected, got });
        }
    }
    let state_root = compare_state_root(bundle, snapshot, outcome, &mut mismatches);
    Validation { mismatches, state_root }
}

fn compare_receipts(bundle: &Bundle, outcome: &BlockOutcome, mismatches: &mut Vec<Mismatch>) {
    let header = &bundle.block.header;
    let expected = bundle.block.body.transactions.len();
    if outcome.receipts.len() != expected {
        mismatches.push(Mismatch::ReceiptCount { expected, got: outcome.receipts.len() });
    }
    for (index, (expected, got)) in bundle.receipts.iter().flatten().zip(&outcome.receipts).enumerate() {
        if expected != got {
            let (expected, got) = (Box::new(expected.clone()), Box::new(got.clone()));
            mismatches.push(Mismatch::Receipt { index, expected, got });
            break;
        }
    }
    if bundle.chain.is_byzantium(header.number) {
        let got = EthereumReceipt::calculate_receipt_root_no_memo(&outcome.receipts);
        if got != header.receipts_root {
            mismatches.push(Mismatch::ReceiptsRoot { expected: header.receipts_root, got });
        }
    }
    let logs = outcome.receipts.iter().flat_map(|receipt| &receipt.logs);
    let got = alloy_primitives::logs_bloom(logs);
    if got != header.logs_bloom {
        mismatches.push(Mismatch::LogsBloom { expected: Box::new(header.logs_bloom), got: Box::new(got) });
    }
}

fn compare_state_root(
    bundle: &Bundle,
    snapshot: &Snapshot,
    outcome: &BlockOutcome,
    mismatches: &mut Vec<Mismatch>,
) -> StateRootCheck {
    if bundle.ommers_missing {
        return StateRootCheck::Unknown;
    }
    let expected = bundle.block.header.state_root;
    match snapshot.state_root_after(&outcome.diff) {
        Ok(None) => return StateRootCheck::Unknown,
        Ok(Some(got)) if got == expected => {}
        Ok(Some(got)) => mismatches.push(Mismatch::StateRoot { expected, got }),
        Err(reason) => mismatches.push(Mismatch::StateRootUnprovable { expected, reason }),
    }
    StateRootCheck::Compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PlainState, PreState, samples};
    use alloy_eips::eip7685::{EMPTY_REQUESTS_HASH, Requests};
    use alloy_primitives::{Bytes, U256};
    use braid_runtime::SlotDiff;

    /// A bundle, and the outcome that its header describes.
    fn matching() -> (Bundle, BlockOutcome) {
        let mut bundle = samples::with_everything();
        let outcome = BlockOutcome {
            receipts: bundle.receipts.clone().unwrap(),
            gas_used: 42_000,
            blob_gas_used: 131_072,
            access_list: bundle.access_list.clone(),
            ..BlockOutcome::default()
        };
        let state_root = bundle.snapshot().unwrap().state_root_after(&outcome.diff).unwrap().unwrap();
        let header = &mut bundle.block.header;
        header.state_root = state_root;
        header.gas_used = outcome.gas_used;
        header.blob_gas_used = Some(outcome.blob_gas_used);
        header.receipts_root = EthereumReceipt::calculate_receipt_root_no_memo(&outcome.receipts);
        header.logs_bloom = alloy_primitives::logs_bloom(outcome.receipts.iter().flat_map(|receipt| &receipt.logs));
        header.requests_hash = Some(EMPTY_REQUESTS_HASH);
        header.block_access_list_hash = outcome.access_list.as_ref().map(|list| keccak256(alloy_rlp::encode(list)));
        (bundle, outcome)
    }

    fn mismatches(change: impl FnOnce(&mut Bundle, &mut BlockOutcome)) -> Vec<Mismatch> {
        let (mut bundle, mut outcome) = matching();
        let snapshot = bundle.snapshot().unwrap();
        change(&mut bundle, &mut outcome);
        validate(&bundle, &snapshot, &outcome).mismatches
    }

    #[test]
    fn the_outcome_that_the_header_describes_matches() {
        let (bundle, outcome) = matching();
        let validation = validate(&bundle, &bundle.snapshot().unwrap(), &outcome);
        assert_eq!(validation, Validation { mismatches: Vec::new(), state_root: StateRootCheck::Compared });
        assert!(validation.is_match());
    }

    #[test]
    fn each_field_is_compared() {
        let one = |found: Vec<Mismatch>| <[Mismatch; 1]>::try_from(found).unwrap();
        let found = one(mismatches(|_, outcome| outcome.gas_used = 1));
        assert_eq!(found, [Mismatch::GasUsed { expected: 42_000, got: 1 }]);
        assert_eq!(found[0].to_string(), "gas used: expected 42000, got 1");
        let found = one(mismatches(|_, outcome| outcome.blob_gas_used = 0));
        assert_eq!(found, [Mismatch::BlobGasUsed { expected: 131_072, got: 0 }]);
        let request = Requests::new(vec![Bytes::from_static(&[1, 2])]);
        let found = one(mismatches(|_, outcome| outcome.requests = request));
        assert!(matches!(found, [Mismatch::RequestsHash { expected: EMPTY_REQUESTS_HASH, .. }]), "{found:?}");
        let found = one(mismatches(|bundle, _| bundle.block.body.withdrawals = None));
        assert!(matches!(found, [Mismatch::WithdrawalsRoot { expected: Some(_), got: None }]), "{found:?}");
        let found = one(mismatches(|_, outcome| outcome.access_list = Some(Vec::new())));
        assert!(matches!(found, [Mismatch::BlockAccessListHash { got: Some(_), .. }]), "{found:?}");
        let slot = SlotDiff {
            address: samples::CONTRACT,
            slot: U256::from(1),
            original: U256::from(5),
            present: U256::from(6),
        };
        let found = one(mismatches(|_, outcome| outcome.diff.slots.push(slot)));
        assert!(matches!(found, [Mismatch::StateRoot { .. }]), "{found:?}");
    }

    #[test]
    fn a_receipt_shows_in_itself_in_the_root_and_in_the_bloom() {
        let found = mismatches(|_, outcome| outcome.receipts[1].logs.clear());
        assert!(matches!(found[..], [Mismatch::Receipt { index: 1, .. }, Mismatch::ReceiptsRoot { .. }]), "{found:?}");
        let found = mismatches(|_, outcome| outcome.receipts.iter_mut().for_each(|receipt| receipt.logs.clear()));
        assert!(
            matches!(
                found[..],
                [Mismatch::Receipt { index: 0, .. }, Mismatch::ReceiptsRoot { .. }, Mismatch::LogsBloom { .. }]
            ),
            "{found:?}"
        );
        let found = mismatches(|_, outcome| drop(outcome.receipts.pop()));
        assert!(matches!(found[0], Mismatch::ReceiptCount { expected: 2, got: 1 }), "{found:?}");
    }

    #[test]
    fn receipts_before_byzantium_have_no_root_to_compare() {
        let found = mismatches(|bundle, outcome| {
            bundle.chain = crate::ChainReference::MAINNET;
            bundle.receipts = None;
            outcome.receipts[0].success = false;
        });
        assert_eq!(found, [], "block 42 of mainnet");
    }

    #[test]
    fn an_unknown_state_root_is_said_to_be_unknown() {
        let (mut bundle, outcome) = matching();
        bundle.pre_state = PreState::Plain(PlainState { complete: false, ..samples::plain_state() });
        let validation = validate(&bundle, &bundle.snapshot().unwrap(), &outcome);
        assert_eq!((validation.is_match(), validation.state_root), (true, StateRootCheck::Unknown));
    }

    #[test]
    fn a_witness_that_ends_too_early_is_a_mismatch() {
        let mut bundle = samples::witness();
        let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("witness") };
        witness.state.remove(0);
        let slot = SlotDiff {
            address: samples::CONTRACT,
            slot: U256::from(1),
            original: U256::from(5),
            present: U256::from(6),
        };
        let mut outcome = BlockOutcome::default();
        outcome.diff.slots.push(slot);
        let found = validate(&bundle, &bundle.snapshot().unwrap(), &outcome).mismatches;
        assert!(found.iter().any(|found| matches!(found, Mismatch::StateRootUnprovable { .. })), "{found:?}");
    }
}
