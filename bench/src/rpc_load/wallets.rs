//! The accounts that dev nodes fund, and their signatures.

use super::LoadError;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope, crypto::secp256k1::sign_message};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer_local::{MnemonicBuilder, coins_bip39::English};

/// Mnemonic of the accounts that dev nodes fund.
const MNEMONIC: &str = "test test test test test test test test test test test junk";
/// Chain id of dev nodes.
const CHAIN_ID: u64 = 31337;
/// Fee bound in wei: far above any base fee that the load can cause.
const MAX_FEE: u128 = 2_000_000_000_000;
/// Tip in wei.
const TIP: u128 = 1_000_000_000;

/// A key and its account.
#[derive(Clone, Copy, Debug)]
pub struct Wallet {
    secret: B256,
    /// The account.
    pub address: Address,
}

impl Wallet {
    /// A call of this account that is not signed yet. `gas` is the gas limit, `value` is in wei.
    pub fn draft(nonce: u64, to: TxKind, gas: u64, value: U256, input: Bytes) -> TxEip1559 {
        TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: gas,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            value,
            input,
            ..TxEip1559::default()
        }
    }

    /// The transaction as it is sent, with its hash.
    pub fn sign(&self, draft: TxEip1559) -> (Vec<u8>, B256) {
        let signature = sign_message(self.secret, draft.signature_hash()).expect("the wallet's key is valid");
        let signed = TxEnvelope::from(draft.into_signed(signature));
        (signed.encoded_2718(), *signed.tx_hash())
    }
}

/// The accounts of a dev node: the senders of the load, and one more that sets up contracts.
#[derive(Clone, Debug)]
pub struct Wallets {
    /// The accounts that send the load, the first ones of the node.
    pub senders: Vec<Wallet>,
    /// The account after them.
    pub admin: Wallet,
}

impl Wallets {
    /// Derives the accounts; the node must fund one more than there are `senders`.
    pub fn derive(senders: usize) -> Result<Self, LoadError> {
        let parent = MnemonicBuilder::<English>::default().phrase(MNEMONIC).build_parent_key()?;
        let wallet = |index: usize| {
            let signer = parent.child(u32::try_from(index).unwrap_or(u32::MAX))?.signer();
            Ok(Wallet { secret: signer.to_bytes(), address: signer.address() })
        };
        let senders = (0..senders).map(wallet).collect::<Result<Vec<_>, LoadError>>()?;
        let admin = wallet(senders.len())?;
        Ok(Self { senders, admin })
    }

    /// Accounts that the node must fund.
    pub fn count(&self) -> usize {
        self.senders.len() + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{Transaction, transaction::SignerRecoverable};
    use alloy_eips::eip2718::Decodable2718;
    use alloy_primitives::{address, keccak256};

    #[test]
    fn the_accounts_are_those_of_dev_nodes() {
        let wallets = Wallets::derive(2).unwrap();
        assert_eq!(wallets.senders[0].address, address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(wallets.senders[1].address, address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"));
        assert_eq!(wallets.admin.address, address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"));
    }

    #[test]
    fn a_signed_transaction_tells_its_sender_and_hash() {
        let wallet = Wallets::derive(1).unwrap().senders[0];
        let draft = Wallet::draft(7, TxKind::Create, 21_000, U256::from(5), Bytes::new());
        let (encoded, hash) = wallet.sign(draft);
        let decoded = TxEnvelope::decode_2718_exact(&encoded).unwrap();
        assert_eq!(decoded.recover_signer().unwrap(), wallet.address);
        assert_eq!((decoded.nonce(), decoded.chain_id()), (7, Some(31337)));
        assert_eq!((*decoded.tx_hash(), hash), (hash, keccak256(&encoded)));
    }
}
