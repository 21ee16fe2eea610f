//! Lessons that are wrong: the same calls of the same contracts, on other storage and with other arguments.
//!
//! A predictor that has seen such a block knows every contract and selector of the real one, and expects the wrong slots from them.

use alloy_consensus::Signed;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use braid_runtime::{Block, RecoveredBlock, Transaction};
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::convert::Infallible;

/// A state with the same contracts in which every account is rich and no slot holds what it held. It never fails: what the
/// state behind it cannot tell is empty.
#[derive(Debug)]
pub struct Scrambled<'a, S>(pub &'a S);

impl<S: DatabaseRef> DatabaseRef for Scrambled<'_, S> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        let mut account = self.0.basic_ref(address).ok().flatten();
        if let Some(account) = &mut account {
            account.balance = account.balance.saturating_add(U256::from(10).pow(U256::from(24)));
        }
        Ok(account)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.0.code_by_hash_ref(code_hash).unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        let real = self.0.storage_ref(address, slot).unwrap_or_default();
        // Small values stay small: counters and keys remain plausible. Large ones may be addresses.
        let noise = U256::from_be_bytes(keccak256((slot ^ U256::from(0x5eed)).to_be_bytes::<32>()).0);
        Ok(if real.bit_len() <= 64 { noise & U256::from(0xf) } else { real ^ (noise & U256::from(3)) })
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.0.block_hash_ref(number).unwrap_or_default())
    }
}

/// The same transactions with other arguments: every word after the selector is changed a little.
pub fn with_other_arguments(block: &RecoveredBlock) -> RecoveredBlock {
    let mut body = block.block().body.clone();
    for transaction in &mut body.transactions {
        *transaction = with_other_input(transaction);
    }
    RecoveredBlock::new_unchecked(Block::new(block.header().clone(), body), block.senders().to_vec())
}

fn with_other_input(transaction: &Transaction) -> Transaction {
    fn edit<T>(signed: &Signed<T>, input: impl FnOnce(&mut T) -> &mut Bytes) -> Signed<T>
    where
        T: Clone + alloy_consensus::transaction::RlpEcdsaEncodableTx,
    {
        let (mut tx, signature, hash) = (signed.tx().clone(), *signed.signature(), *signed.hash());
        let bytes = input(&mut tx);
        let mut edited = bytes.to_vec();
        for word in edited.get_mut(4..).unwrap_or_default().chunks_exact_mut(32) {
            word[31] ^= 0x15;
        }
        *bytes = edited.into();
        Signed::new_unchecked(tx, signature, hash)
    }
    match transaction {
        Transaction::Legacy(signed) => Transaction::Legacy(edit(signed, |tx| &mut tx.input)),
        Transaction::Eip2930(signed) => Transaction::Eip2930(edit(signed, |tx| &mut tx.input)),
        Transaction::Eip1559(signed) => Transaction::Eip1559(edit(signed, |tx| &mut tx.input)),
        Transaction::Eip4844(signed) => Transaction::Eip4844(edit(signed, |tx| &mut tx.input)),
        Transaction::Eip7702(signed) => Transaction::Eip7702(edit(signed, |tx| &mut tx.input)),
    }
}
