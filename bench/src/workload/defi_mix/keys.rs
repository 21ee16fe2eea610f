//! Keys of those who sign inside of call data: owners of multi-signature wallets and accounts, paymasters, participants of channels.
//!
//! Senders of transactions have none: they are given with the block, and recovering them is no part of what is measured.

use alloy_consensus::crypto::secp256k1::{recover_signer, sign_message};
use alloy_primitives::{Address, B256, Signature, eip191_hash_message, keccak256};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

/// A secret key and its address.
#[derive(Clone, Debug)]
pub(super) struct Key {
    secret: B256,
    pub(super) address: Address,
}

impl Key {
    /// A key that was drawn.
    pub(super) fn random(random: &mut ChaCha12Rng) -> Self {
        Self::new(keccak256(random.random::<[u8; 32]>()))
    }

    /// A key that is the same with every seed.
    pub(super) fn of(name: &str) -> Self {
        Self::new(keccak256(name))
    }

    fn new(secret: B256) -> Self {
        let signature = sign_message(secret, B256::ZERO).expect("a hash is a valid key");
        let address = recover_signer(&signature, B256::ZERO).expect("the signature is our own");
        Self { secret, address }
    }

    /// Signs a hash as it is.
    pub(super) fn sign(&self, hash: B256) -> Signature {
        sign_message(self.secret, hash).expect("a hash is a valid key")
    }

    /// Signs a hash as wallets do when they are asked to sign a message (EIP-191).
    pub(super) fn sign_message(&self, hash: B256) -> Signature {
        self.sign(eip191_hash_message(hash))
    }
}
