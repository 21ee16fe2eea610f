//! Raw transactions that come together: they are decoded on all threads, signatures are recovered side by side, and the pool takes them in one go.

use super::{
    Origin, PoolError, PoolTransaction, PooledTransaction, TransactionPool, context::HeadContext, transaction,
};
use crate::senders::impersonated_sender;
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{B256, Bytes};
use braid_runtime::senders::{LANES, SignedHash, recover_signers};
use rayon::{iter::ParallelIterator, slice::ParallelSlice};

impl TransactionPool {
    /// Like [`add_raw`](Self::add_raw) for each, in their order: senders are recovered on all threads of the current rayon pool, watchers and the journal
    /// learn of all at once.
    pub fn add_raw_batch(&self, raws: &[Bytes], origin: Origin) -> Vec<Result<B256, PoolError>> {
        let context = self.context();
        let prepared = if raws.len() <= LANES {
            self.prepare_group(raws, origin, &context)
        } else {
            let groups = raws.par_chunks(LANES);
            groups.flat_map_iter(|group| self.prepare_group(group, origin, &context)).collect()
        };
        self.add_prepared(prepared)
    }

    fn prepare_group(
        &self,
        raws: &[Bytes],
        origin: Origin,
        context: &HeadContext,
    ) -> Vec<Result<PoolTransaction, PoolError>> {
        let mut decoded: Vec<Result<PooledTransaction, PoolError>> =
            raws.iter().map(|raw| transaction::decode(raw)).collect();
        {
            let book = self.book.lock();
            for each in &mut decoded {
                if each.as_ref().is_ok_and(|transaction| book.get(transaction.tx_hash()).is_some()) {
                    *each = Err(PoolError::AlreadyKnown);
                }
            }
        }
        for each in &mut decoded {
            if let Ok(transaction) = each
                && let Err(error) = self.check_alone(transaction, origin, context)
            {
                *each = Err(error);
            }
        }
        let signed: Vec<SignedHash> =
            decoded.iter().flatten().filter(|transaction| is_usual(transaction)).map(SignedHash::of).collect();
        let mut signers = recover_signers(&signed).into_iter();
        let prepare = |decoded: Result<PooledTransaction, PoolError>| {
            let transaction = decoded?;
            let signer = if is_usual(&transaction) { signers.next().flatten() } else { None };
            let recovered = match signer {
                Some(signer) => Recovered::new_unchecked(transaction, signer),
                // What is wrong with it is for the rules to say.
                None => self.recover(transaction)?,
            };
            self.prepare(recovered, origin, context)
        };
        decoded.into_iter().map(prepare).collect()
    }
}

/// Whether the signature can be recovered without the rules of a fork: `s` in the lower half (EIP-2), no claim of an impersonated sender.
fn is_usual(transaction: &PooledTransaction) -> bool {
    let signature = transaction.signature();
    impersonated_sender(signature).is_none() && signature.normalize_s().is_none()
}
