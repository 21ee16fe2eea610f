//! Wallets: a key, its account, and the next nonce.

use alloy_consensus::{
    SignableTransaction, TxEip1559,
    crypto::secp256k1::{recover_signer, sign_message},
    transaction::Recovered,
};
use alloy_primitives::{Address, B256, keccak256};
use braid_runtime::Transaction;

use crate::workload::Call;

#[derive(Clone, Debug)]
pub(super) struct Wallet {
    secret: B256,
    pub(super) address: Address,
    nonce: u64,
}

impl Wallet {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let secret = keccak256([seed.to_be_bytes(), number.to_be_bytes()].concat());
        let signature = sign_message(secret, B256::ZERO).expect("a hash is a valid key");
        let address = recover_signer(&signature, B256::ZERO).expect("the signature is our own");
        Self { secret, address, nonce: 0 }
    }

    /// The call as a transaction of this wallet, really signed.
    pub(super) fn sign(&mut self, call: Call) -> Recovered<Transaction> {
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce: self.nonce,
            gas_limit: call.gas,
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: 100_000_000,
            to: call.to,
            value: call.value,
            access_list: call.access_list,
            input: call.input,
        };
        self.nonce += 1;
        let signature = sign_message(self.secret, transaction.signature_hash()).expect("a hash is a valid key");
        Recovered::new_unchecked(transaction.into_signed(signature).into(), self.address)
    }
}
