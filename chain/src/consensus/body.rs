//! A body seen together with its header.

use super::ConsensusError;
use alloy_consensus::proofs::{calculate_ommers_root, calculate_transaction_root, calculate_withdrawals_root};
use alloy_hardforks::EthereumHardforks;
use alloy_rlp::Encodable;
use braid_runtime::{Block, ChainSpec};

/// Most bytes of an encoded block from Osaka on (EIP-7934): ten MiB less two for the consensus layer's part.
pub const MAX_BLOCK_SIZE: usize = 8 << 20;

/// Checks the hashes of the body's parts and the size of the block.
pub fn validate_body(block: &Block, spec: &ChainSpec) -> Result<(), ConsensusError> {
    let (header, body) = (&block.header, &block.body);
    if spec.is_osaka_active_at_timestamp(header.timestamp) {
        let length = block.length();
        if length > MAX_BLOCK_SIZE {
            return Err(ConsensusError::BlockSize { length, limit: MAX_BLOCK_SIZE });
        }
    }
    let same = |part, expected, actual| {
        if expected == actual { Ok(()) } else { Err(ConsensusError::Body { part, expected, actual }) }
    };
    same("sha3Uncles", header.ommers_hash, calculate_ommers_root(&body.ommers))?;
    match (header.withdrawals_root, &body.withdrawals) {
        (Some(expected), Some(withdrawals)) => {
            same("withdrawalsRoot", expected, calculate_withdrawals_root(withdrawals))?;
        }
        (None, None) => {}
        (expected, _) => return Err(ConsensusError::Withdrawals { expected: expected.is_some() }),
    }
    same("transactionsRoot", header.transactions_root, calculate_transaction_root(&body.transactions))
}
