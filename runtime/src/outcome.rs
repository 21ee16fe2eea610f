//! What executing a block yields, and whether that is what the header says.

use crate::{Receipt, ScheduleReport, StateDiff, chain_spec::BlockRules};
use alloy_consensus::{Header, ReceiptWithBloom, TxReceipt, proofs::calculate_receipt_root};
use alloy_eip7928::{BlockAccessList, compute_block_access_list_hash};
use alloy_eips::eip7685::Requests;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{B256, Bloom};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use revm::database::BundleState;

/// Which costly parts of the outcome the caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Build revm's [`BundleState`] with reverts.
    pub bundle: bool,
    /// Build the exact EIP-7928 block access list.
    pub access_list: bool,
    /// Record the timeline of the schedule, and score the prediction against what was really accessed.
    pub report: bool,
}

impl Outputs {
    /// Everything.
    pub const ALL: Self = Self { bundle: true, access_list: true, report: true };
}

/// Result of executing a whole block.
#[derive(Clone, Debug, Default)]
pub struct BlockOutcome {
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// Gas used by the block as the header states it.
    pub gas_used: u64,
    /// Blob gas used by the block.
    pub blob_gas_used: u64,
    /// EIP-7685 requests (empty before Prague).
    pub requests: Requests,
    /// The merged state change.
    pub diff: StateDiff,
    /// The same as revm's bundle, when asked for.
    pub bundle: Option<BundleState>,
    /// The exact access list, when asked for.
    pub access_list: Option<BlockAccessList>,
    /// How the schedule went.
    pub report: ScheduleReport,
}

/// A field of the header that execution does not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderMismatch {
    /// `gasUsed`.
    #[error("gas used is {actual}, the header says {expected}")]
    GasUsed {
        /// By the header.
        expected: u64,
        /// By execution.
        actual: u64,
    },
    /// `blobGasUsed` (EIP-4844).
    #[error("blob gas used is {actual}, the header says {expected}")]
    BlobGasUsed {
        /// By the header.
        expected: u64,
        /// By execution.
        actual: u64,
    },
    /// `receiptsRoot`.
    #[error("receipts root is {actual}, the header says {expected}")]
    ReceiptsRoot {
        /// By the header.
        expected: B256,
        /// By execution.
        actual: B256,
    },
    /// `logsBloom`.
    #[error("logs bloom is not that of the header")]
    LogsBloom,
    /// `requestsHash` (EIP-7685).
    #[error("requests hash is {actual}, the header says {expected}")]
    RequestsHash {
        /// By the header.
        expected: B256,
        /// By execution.
        actual: B256,
    },
    /// `blockAccessListHash` (EIP-7928).
    #[error("access list hash is {actual}, the header says {expected}")]
    AccessListHash {
        /// By the header.
        expected: B256,
        /// By execution.
        actual: B256,
    },
}

impl BlockOutcome {
    /// Root of the receipts trie, and the union of the blooms of all logs. Computed on all threads of the rayon pool.
    ///
    /// Not the root in the header before Byzantium, when receipts held a state root that execution does not keep.
    pub fn receipts_root_and_bloom(&self) -> (B256, Bloom) {
        let with_bloom = self
            .receipts
            .par_iter()
            .map(|receipt| ReceiptWithBloom { logs_bloom: receipt.bloom(), receipt })
            .collect::<Vec<_>>();
        let bloom = with_bloom.iter().fold(Bloom::ZERO, |union, receipt| union | receipt.logs_bloom);
        (calculate_receipt_root(&with_bloom), bloom)
    }

    /// Compares the outcome with the header, field by field in the order of [`HeaderMismatch`], and names the first that
    /// differs. The state root is not compared here. The access list hash is compared if a list was asked for.
    pub fn check_header(&self, header: &Header, rules: &BlockRules<'_>) -> Result<(), HeaderMismatch> {
        if self.gas_used != header.gas_used {
            return Err(HeaderMismatch::GasUsed { expected: header.gas_used, actual: self.gas_used });
        }
        if rules.is_cancun_active_at_timestamp(header.timestamp) {
            let expected = header.blob_gas_used.unwrap_or_default();
            if self.blob_gas_used != expected {
                return Err(HeaderMismatch::BlobGasUsed { expected, actual: self.blob_gas_used });
            }
        }
        let (receipts_root, bloom) = self.receipts_root_and_bloom();
        if rules.is_byzantium_active_at_block(header.number) && receipts_root != header.receipts_root {
            return Err(HeaderMismatch::ReceiptsRoot { expected: header.receipts_root, actual: receipts_root });
        }
        if bloom != header.logs_bloom {
            return Err(HeaderMismatch::LogsBloom);
        }
        if rules.is_prague_active_at_timestamp(header.timestamp) {
            let expected = header.requests_hash.unwrap_or_default();
            let actual = self.requests.requests_hash();
            if actual != expected {
                return Err(HeaderMismatch::RequestsHash { expected, actual });
            }
        }
        if let (Some(list), Some(expected)) = (&self.access_list, header.block_access_list_hash) {
            let actual = compute_block_access_list_hash(list);
            if actual != expected {
                return Err(HeaderMismatch::AccessListHash { expected, actual });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainSpec;
    use alloy_consensus::{EMPTY_ROOT_HASH, TxType};
    use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
    use alloy_primitives::{Address, Log};

    #[test]
    fn every_field_of_the_header_is_compared() {
        let spec = ChainSpec::from_suite_fork("Prague").unwrap();
        let log = Log::new_unchecked(Address::ZERO, vec![B256::ZERO], Default::default());
        let receipt = Receipt { tx_type: TxType::Legacy, success: true, cumulative_gas_used: 9, logs: vec![log] };
        let outcome = BlockOutcome { receipts: vec![receipt], gas_used: 9, ..Default::default() };
        let (receipts_root, logs_bloom) = outcome.receipts_root_and_bloom();
        assert_ne!(logs_bloom, Bloom::ZERO);
        let good = Header {
            gas_used: 9,
            receipts_root,
            logs_bloom,
            blob_gas_used: Some(0),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Default::default()
        };
        let check = |header: &Header| outcome.check_header(header, &spec.at(header));
        assert_eq!(check(&good), Ok(()));
        let gas = Header { gas_used: 8, ..good.clone() };
        assert_eq!(check(&gas), Err(HeaderMismatch::GasUsed { expected: 8, actual: 9 }));
        let blobs = Header { blob_gas_used: Some(1), ..good.clone() };
        assert_eq!(check(&blobs), Err(HeaderMismatch::BlobGasUsed { expected: 1, actual: 0 }));
        let root = Header { receipts_root: EMPTY_ROOT_HASH, ..good.clone() };
        let expected = HeaderMismatch::ReceiptsRoot { expected: EMPTY_ROOT_HASH, actual: receipts_root };
        assert_eq!(check(&root), Err(expected));
        let bloom = Header { logs_bloom: Bloom::ZERO, ..good.clone() };
        assert_eq!(check(&bloom), Err(HeaderMismatch::LogsBloom));
        let requests = Header { requests_hash: Some(B256::ZERO), ..good };
        let expected = HeaderMismatch::RequestsHash { expected: B256::ZERO, actual: EMPTY_REQUESTS_HASH };
        assert_eq!(check(&requests), Err(expected));
    }

    #[test]
    fn receipts_before_byzantium_are_not_comparable() {
        let spec = ChainSpec::mainnet();
        let header = Header { number: 1, receipts_root: B256::repeat_byte(1), ..Default::default() };
        assert_eq!(BlockOutcome::default().check_header(&header, &spec.at(&header)), Ok(()));
        let header = Header { number: 4_370_000, ..header };
        assert!(BlockOutcome::default().check_header(&header, &spec.at(&header)).is_err());
    }
}
