//! Accounts that the node signs for, and those that it lets anybody send from.

use alloy_primitives::{Address, B256};
use alloy_signer_local::{LocalSignerError, MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

/// Accounts that the node signs for. Only development nodes have any.
#[derive(Debug, Default)]
pub struct Accounts {
    /// In the order of their indices.
    addresses: Vec<Address>,
    signers: BTreeMap<Address, PrivateKeySigner>,
    impersonated: RwLock<BTreeSet<Address>>,
    auto_impersonate: AtomicBool,
}

impl Accounts {
    /// The first accounts of a mnemonic (BIP-39), each at the path (BIP-32) with its index behind it.
    ///
    /// # Errors
    /// If it is no mnemonic or no path.
    pub fn from_mnemonic(mnemonic: &str, count: u32, path: &str) -> Result<Self, LocalSignerError> {
        // What all have in common takes long, and is derived once.
        let parent = path.trim_end_matches('/');
        let builder = MnemonicBuilder::<English>::default().phrase(mnemonic).derivation_path(parent)?;
        let parent = builder.build_key()?;
        let mut accounts = Self::default();
        for index in 0..count {
            let signer = parent.child(index)?.signer();
            accounts.addresses.push(signer.address());
            accounts.signers.insert(signer.address(), signer);
        }
        Ok(accounts)
    }

    /// The accounts with a key, in the order of their indices.
    pub fn addresses(&self) -> Vec<Address> {
        self.addresses.clone()
    }

    /// The accounts with their keys, in the order of their indices.
    pub fn keys(&self) -> Vec<(Address, B256)> {
        self.addresses.iter().map(|address| (*address, self.signers[address].to_bytes())).collect()
    }

    /// Who signs for an account.
    pub(crate) fn signer(&self, address: &Address) -> Option<&PrivateKeySigner> {
        self.signers.get(address)
    }

    /// Lets anybody send from every account, or no longer.
    pub fn set_auto_impersonate(&self, enabled: bool) {
        self.auto_impersonate.store(enabled, Ordering::Relaxed);
    }

    /// Lets anybody send from an account.
    pub(crate) fn impersonate(&self, address: Address) {
        self.impersonated.write().insert(address);
    }

    /// Lets nobody send from an account any more without its key.
    pub(crate) fn stop_impersonating(&self, address: Address) {
        self.impersonated.write().remove(&address);
    }

    /// Whether anybody may send from an account.
    pub(crate) fn is_impersonated(&self, address: &Address) -> bool {
        self.auto_impersonate.load(Ordering::Relaxed) || self.impersonated.read().contains(address)
    }

    /// The impersonated accounts.
    pub(crate) fn impersonated(&self) -> Vec<Address> {
        self.impersonated.read().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    const JUNK: &str = "test test test test test test test test test test test junk";

    #[test]
    fn the_accounts_are_those_that_everybody_knows() {
        let accounts = Accounts::from_mnemonic(JUNK, 2, "m/44'/60'/0'/0/").unwrap();
        let known = [
            address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        ];
        assert_eq!(accounts.addresses(), known);
        assert!(accounts.signer(&known[1]).is_some() && accounts.signer(&Address::ZERO).is_none());
        assert!(Accounts::from_mnemonic("no such words", 1, "m/44'/60'/0'/0/").is_err());
        assert!(Accounts::from_mnemonic(JUNK, 1, "x").is_err());
    }

    #[test]
    fn accounts_are_impersonated_one_by_one_or_all() {
        let accounts = Accounts::default();
        accounts.impersonate(Address::ZERO);
        assert!(accounts.is_impersonated(&Address::ZERO) && !accounts.is_impersonated(&Address::repeat_byte(1)));
        accounts.stop_impersonating(Address::ZERO);
        assert!(!accounts.is_impersonated(&Address::ZERO));
        accounts.set_auto_impersonate(true);
        assert!(accounts.is_impersonated(&Address::repeat_byte(1)));
    }
}
