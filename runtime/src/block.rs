//! Blocks as the engine takes them: decoded, with their senders recovered.

use crate::{ChainSpec, senders};
use alloy_consensus::{
    Header,
    crypto::RecoveryError,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, ChainId};
use rayon::{iter::ParallelIterator, slice::ParallelSlice};
use std::sync::OnceLock;

/// A transaction as it stands in a block.
pub type Transaction = alloy_consensus::EthereumTxEnvelope<alloy_consensus::TxEip4844>;
/// A decoded block.
pub type Block = alloy_consensus::Block<Transaction>;
/// A receipt without its bloom.
pub type Receipt = alloy_consensus::EthereumReceipt;

/// Why a block and its senders do not go together.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// No key could have made the signature, or its `s` is in the upper half although EIP-2 holds.
    #[error("transaction {index}: {source}")]
    Signature {
        /// Index of the transaction in the block.
        index: usize,
        /// What is wrong with the signature.
        source: RecoveryError,
    },
    /// A signature bound to a chain id before EIP-155.
    #[error("transaction {index} is signed for chain {chain_id}, but EIP-155 does not hold yet")]
    ReplayProtection {
        /// Index of the transaction in the block.
        index: usize,
        /// Chain id that the signature commits to.
        chain_id: ChainId,
    },
    /// There is not one sender for each transaction.
    #[error("{senders} senders for {transactions} transactions")]
    SenderCount {
        /// Number of transactions in the block.
        transactions: usize,
        /// Number of senders given.
        senders: usize,
    },
}

/// A block together with the sender of each of its transactions.
#[derive(Clone, Debug)]
pub struct RecoveredBlock {
    block: Block,
    senders: Vec<Address>,
    hash: OnceLock<B256>,
}

impl RecoveredBlock {
    /// Recovers the senders from the signatures, on all threads of the current rayon pool.
    ///
    /// Which signatures are valid depends on the fork: before Homestead `s` may be in the upper half (EIP-2), and before
    /// Spurious Dragon none may commit to a chain id (EIP-155).
    pub fn recover(block: Block, spec: &ChainSpec) -> Result<Self, RecoverError> {
        let senders = Self::recover_senders(&block, spec, |_| None)?;
        Ok(Self::new_unchecked(block, senders))
    }

    /// The senders that [`recover`](Self::recover) recovers, but for those that `known` has, by the index of the transaction. Which
    /// signatures are valid is checked for those too.
    pub fn recover_senders(
        block: &Block,
        spec: &ChainSpec,
        known: impl Fn(usize) -> Option<Address>,
    ) -> Result<Vec<Address>, RecoverError> {
        let number = block.header.number;
        let is_low_s = spec.is_homestead_active_at_block(number);
        let allows_chain_id = spec.is_spurious_dragon_active_at_block(number);
        let transactions = &block.body.transactions;
        let mut senders = vec![Address::ZERO; transactions.len()];
        let mut unknown = Vec::new();
        for (index, transaction) in transactions.iter().enumerate() {
            if let (Transaction::Legacy(legacy), false) = (transaction, allows_chain_id)
                && let Some(chain_id) = legacy.tx().chain_id
            {
                return Err(RecoverError::ReplayProtection { index, chain_id });
            }
            match known(index) {
                Some(sender) if !is_low_s || transaction.signature().normalize_s().is_none() => senders[index] = sender,
                _ => unknown.push(index),
            }
        }
        let recovered: Vec<Result<Address, RecoverError>> = unknown
            .par_chunks(senders::LANES)
            .flat_map_iter(|group| {
                let signed = group.iter().map(|index| senders::SignedHash::of(&transactions[*index]));
                let signers = senders::recover_signers(&signed.collect::<Vec<_>>());
                group.iter().zip(signers).map(|(index, signer)| {
                    let transaction = &transactions[*index];
                    match signer {
                        Some(signer) if !is_low_s || transaction.signature().normalize_s().is_none() => Ok(signer),
                        // This also says what is wrong.
                        _ if is_low_s => transaction.recover_signer(),
                        _ => transaction.recover_signer_unchecked(),
                    }
                    .map_err(|source| RecoverError::Signature { index: *index, source })
                })
            })
            .collect();
        for (index, sender) in unknown.into_iter().zip(recovered) {
            senders[index] = sender?;
        }
        Ok(senders)
    }

    /// Pairs a block with senders that the caller already knows.
    pub fn try_new(block: Block, senders: Vec<Address>) -> Result<Self, RecoverError> {
        let transactions = block.body.transactions.len();
        if transactions != senders.len() {
            return Err(RecoverError::SenderCount { transactions, senders: senders.len() });
        }
        Ok(Self::new_unchecked(block, senders))
    }

    /// Pairs a block with senders that the caller already knows. Panics when the lengths differ.
    pub fn new_unchecked(block: Block, senders: Vec<Address>) -> Self {
        assert_eq!(block.body.transactions.len(), senders.len(), "one sender for each transaction");
        Self { block, senders, hash: OnceLock::new() }
    }

    /// The block.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// The block, without the senders.
    pub fn into_block(self) -> Block {
        self.block
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.block.header
    }

    /// Hash of the block, computed once.
    pub fn hash(&self) -> B256 {
        *self.hash.get_or_init(|| self.block.header.hash_slow())
    }

    /// The transactions, in order.
    pub fn transactions(&self) -> &[Transaction] {
        &self.block.body.transactions
    }

    /// Senders, in the order of the transactions.
    pub fn senders(&self) -> &[Address] {
        &self.senders
    }

    /// The transactions with their senders, in order.
    pub fn transactions_recovered(
        &self,
    ) -> impl DoubleEndedIterator<Item = Recovered<&Transaction>> + ExactSizeIterator + '_ {
        self.transactions().iter().zip(&self.senders).map(|(tx, sender)| Recovered::new_unchecked(tx, *sender))
    }

    /// Headers of the ommers.
    pub fn ommers(&self) -> &[Header] {
        &self.block.body.ommers
    }

    /// Withdrawals, `None` before Shanghai.
    pub fn withdrawals(&self) -> Option<&[Withdrawal]> {
        self.block.body.withdrawals.as_deref().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction, TxLegacy};
    use alloy_primitives::{Signature, TxKind, U256};

    /// Order of the group of secp256k1.
    const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    /// A signature that recovers to some address; which one does not matter here.
    fn signed(chain_id: Option<ChainId>, is_high_s: bool) -> Transaction {
        let tx = TxLegacy { chain_id, gas_limit: 21_000, to: TxKind::Call(Address::ZERO), ..Default::default() };
        let order: U256 = ORDER.parse().unwrap();
        let s = U256::from(12_345);
        let (s, parity) = if is_high_s { (order - s, true) } else { (s, false) };
        // The abscissa of the generator is one of a point on the curve.
        let r = "0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
        tx.into_signed(Signature::new(r, s, parity)).into()
    }

    fn block(number: u64, transactions: Vec<Transaction>) -> Block {
        let header = Header { number, ..Default::default() };
        Block::new(header, alloy_consensus::BlockBody { transactions, ..Default::default() })
    }

    #[test]
    fn upper_half_signatures_are_those_of_the_mirrored_key_and_end_with_homestead() {
        let spec = ChainSpec::mainnet();
        let low = RecoveredBlock::recover(block(1, vec![signed(None, false)]), &spec).unwrap();
        let high = RecoveredBlock::recover(block(1, vec![signed(None, true)]), &spec).unwrap();
        assert_eq!(low.senders(), high.senders(), "(r, s, v) and (r, -s, !v) are the same signature");
        let refused = RecoveredBlock::recover(block(1_150_000, vec![signed(None, false), signed(None, true)]), &spec);
        assert!(matches!(refused, Err(RecoverError::Signature { index: 1, .. })), "{refused:?}");
    }

    #[test]
    fn chain_ids_start_with_spurious_dragon() {
        let spec = ChainSpec::mainnet();
        let early = RecoveredBlock::recover(block(2_674_999, vec![signed(Some(1), false)]), &spec);
        assert!(matches!(early, Err(RecoverError::ReplayProtection { index: 0, chain_id: 1 })), "{early:?}");
        assert!(RecoveredBlock::recover(block(2_675_000, vec![signed(Some(1), false)]), &spec).is_ok());
    }

    #[test]
    fn senders_must_be_complete() {
        let refused = RecoveredBlock::try_new(block(1, vec![signed(None, false)]), Vec::new());
        assert!(matches!(refused, Err(RecoverError::SenderCount { transactions: 1, senders: 0 })));
    }

    #[test]
    fn hash_is_that_of_the_header() {
        let block = block(7, Vec::new());
        let expected = block.header.hash_slow();
        let recovered = RecoveredBlock::try_new(block, Vec::new()).unwrap();
        assert_eq!((recovered.hash(), recovered.hash()), (expected, expected));
    }
}
