//! Senders, recovered from signatures, and a cache of those that are known already.

use crate::ChainReference;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256, Signature, U256, map::B256Map};
use braid_runtime::{Block, ChainSpec, RecoveredBlock, block::RecoverError};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// A signature from which no sender can be recovered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index} ({hash}): no sender can be recovered from its signature")]
pub struct SenderError {
    /// Index of the transaction in its block.
    pub index: usize,
    /// Hash of the transaction.
    pub hash: B256,
}

/// The sender of each transaction of a block, in order.
///
/// From Homestead on a signature with an `s` in the upper half of the curve's order is refused (EIP-2).
pub fn recover_senders(block: &Block, chain: &ChainReference) -> Result<Vec<Address>, SenderError> {
    let strict = chain.is_homestead(block.header.number);
    let transactions = block.body.transactions.iter().enumerate();
    transactions
        .map(|(index, transaction)| {
            let sender = if strict { transaction.recover_signer() } else { transaction.recover_signer_unchecked() };
            sender.map_err(|_| SenderError { index, hash: *transaction.tx_hash() })
        })
        .collect()
}

/// The signature of a transaction whose sender is only claimed, as development nodes have them for impersonated accounts: `r` is the
/// address and `s` is zero, which no real signature has. Nothing from outside is taken with it: no signer can be recovered from it.
pub fn impersonated_signature(sender: Address) -> Signature {
    Signature::new(U256::from_be_bytes(sender.into_word().0), U256::ZERO, false)
}

/// The sender that an [`impersonated_signature`] claims.
pub fn impersonated_sender(signature: &Signature) -> Option<Address> {
    if !signature.s().is_zero() || signature.v() {
        return None;
    }
    let word = B256::from(signature.r());
    let sender = Address::from_word(word);
    (sender.into_word() == word).then_some(sender)
}

/// Senders that are known, by the hash of the transaction: what the pool has recovered is not recovered again with the block.
#[derive(Debug)]
pub struct SenderCache {
    known: Mutex<Known>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Known {
    senders: B256Map<Address>,
    order: VecDeque<B256>,
}

impl Default for SenderCache {
    fn default() -> Self {
        Self::new(1 << 17)
    }
}

impl SenderCache {
    /// A cache of so many senders; the oldest are forgotten first.
    pub fn new(capacity: usize) -> Self {
        Self { known: Mutex::default(), capacity }
    }

    /// Remembers the sender of a transaction. The hash covers the signature, so it belongs to one sender only; which signatures a block
    /// may have is still checked.
    pub fn insert(&self, transaction: B256, sender: Address) {
        self.extend([(transaction, sender)]);
    }

    /// Remembers the senders of many transactions.
    pub fn extend(&self, senders: impl IntoIterator<Item = (B256, Address)>) {
        let mut known = self.known.lock();
        let known = &mut *known;
        for (transaction, sender) in senders {
            if known.senders.insert(transaction, sender).is_none() {
                known.order.push_back(transaction);
            }
            if known.order.len() > self.capacity
                && let Some(oldest) = known.order.pop_front()
            {
                known.senders.remove(&oldest);
            }
        }
    }

    /// The sender of a transaction, if it is known.
    pub fn get(&self, transaction: &B256) -> Option<Address> {
        self.known.lock().senders.get(transaction).copied()
    }

    /// The senders of a block: those that are known, and the others recovered on all threads of the current rayon pool.
    pub fn recover(&self, block: &Block, spec: &ChainSpec) -> Result<Vec<Address>, RecoverError> {
        let known: Vec<Option<Address>> = {
            let known = self.known.lock();
            if known.senders.is_empty() {
                Vec::new()
            } else {
                block.body.transactions.iter().map(|tx| known.senders.get(tx.tx_hash()).copied()).collect()
            }
        };
        RecoveredBlock::recover_senders(block, spec, |index| known.get(index).copied().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;
    use alloy_consensus::{SignableTransaction, TxLegacy};
    use alloy_primitives::uint;
    use braid_runtime::Transaction;

    /// Order of the curve secp256k1.
    const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

    fn signed(r: U256, s: U256, odd: bool) -> Transaction {
        TxLegacy::default().into_signed(Signature::new(r, s, odd)).into()
    }

    #[test]
    fn a_high_s_is_valid_until_homestead() {
        let low = Signature::test_signature();
        let mirrored = signed(low.r(), ORDER - low.s(), !low.v());
        let low = signed(low.r(), low.s(), low.v());
        let recover = |number, transaction: &Transaction| {
            recover_senders(
                &samples::block(number, vec![transaction.clone()], Vec::new(), None),
                &ChainReference::MAINNET,
            )
        };
        let sender = recover(1, &low).unwrap();
        assert_eq!(recover(1, &mirrored), Ok(sender.clone()), "both signatures are of the same key");
        assert_eq!(recover(1_150_000, &low), Ok(sender));
        let error = recover(1_150_000, &mirrored).unwrap_err();
        assert_eq!(error, SenderError { index: 0, hash: *mirrored.tx_hash() });
    }

    #[test]
    fn a_claimed_sender_is_told_and_never_recovered() {
        let sender = Address::repeat_byte(0xab);
        let signature = impersonated_signature(sender);
        assert_eq!(impersonated_sender(&signature), Some(sender));
        assert_eq!(impersonated_sender(&Signature::test_signature()), None);
        assert!(TxLegacy::default().into_signed(signature).recover_signer().is_err());
    }

    #[test]
    fn the_transaction_without_a_signer_is_named() {
        let unsigned = signed(U256::ZERO, U256::ZERO, false);
        let block = samples::block(1, vec![samples::legacy(), unsigned], Vec::new(), None);
        assert_eq!(recover_senders(&block, &ChainReference::MAINNET).unwrap_err().index, 1);
    }
}
