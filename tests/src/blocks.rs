//! Blocks made by hand: keys that sign, calls that become transactions, a builder that keeps the nonces.

use alloy_consensus::{
    BlockBody, Header, SignableTransaction, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
    crypto::secp256k1::{recover_signer, sign_message},
};
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip4895::Withdrawal,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use braid_runtime::{Block, ChainSpec, RecoveredBlock, Transaction};
use std::collections::HashMap;

/// Timestamp of the blocks made here, in seconds.
pub const TIMESTAMP: u64 = 1_000;

/// Wei of that much ether.
pub fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

/// A private key and the account it controls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    secret: B256,
    /// The account.
    pub address: Address,
}

impl Key {
    /// Key number `number`.
    pub fn new(number: u64) -> Self {
        let secret = keccak256(number.to_be_bytes());
        let mut key = Self { secret, address: Address::ZERO };
        key.address = recover_signer(&key.sign(B256::ZERO), B256::ZERO).expect("the signature is our own");
        key
    }

    fn sign(&self, hash: B256) -> Signature {
        sign_message(self.secret, hash).expect("a hash is a valid key")
    }

    /// Lets the account run the code of `delegate` (EIP-7702), if its nonce is `nonce` at that moment.
    pub fn authorize(&self, chain_id: u64, delegate: Address, nonce: u64) -> SignedAuthorization {
        let authorization = Authorization { chain_id: U256::from(chain_id), address: delegate, nonce };
        let signature = self.sign(authorization.signature_hash());
        authorization.into_signed(signature)
    }
}

/// Which kind of transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Without type.
    #[default]
    Legacy,
    /// EIP-2930.
    AccessList,
    /// EIP-1559.
    DynamicFee,
    /// EIP-4844, with that many blobs.
    Blob(usize),
    /// EIP-7702.
    SetCode,
}

/// What a transaction does and what it offers for that.
#[derive(Clone, Debug)]
pub struct Call {
    /// Kind of the transaction.
    pub kind: Kind,
    /// Recipient, `None` to create a contract.
    pub to: Option<Address>,
    /// Value in wei.
    pub value: U256,
    /// Call data, or the code that creates.
    pub input: Bytes,
    /// Gas limit.
    pub gas: u64,
    /// Price, or the most that it may be, in wei per gas.
    pub price: u128,
    /// Most for the beneficiary, in wei per gas.
    pub tip: u128,
    /// The nonce, if it is not to be the sender's next one.
    pub nonce: Option<u64>,
    /// EIP-2930 list.
    pub list: AccessList,
    /// EIP-7702 authorizations.
    pub authorizations: Vec<SignedAuthorization>,
}

impl Call {
    /// A call of, or a payment to, an account.
    pub fn to(to: Address) -> Self {
        Self {
            kind: Kind::Legacy,
            to: Some(to),
            value: U256::ZERO,
            input: Bytes::new(),
            gas: 300_000,
            price: 10,
            tip: 1,
            nonce: None,
            list: AccessList::default(),
            authorizations: Vec::new(),
        }
    }

    /// The creation of a contract.
    pub fn create(code: impl Into<Bytes>) -> Self {
        Self { to: None, input: code.into(), ..Self::to(Address::ZERO) }
    }

    /// Sends that much wei.
    pub fn value(self, value: impl TryInto<U256, Error: std::fmt::Debug>) -> Self {
        Self { value: value.try_into().expect("a value fits a word"), ..self }
    }

    /// With a selector that is the same for all, and these words as call data.
    pub fn words(self, words: &[U256]) -> Self {
        let mut input = vec![0xab, 0xcd, 0xef, 0x01];
        words.iter().for_each(|word| input.extend_from_slice(&word.to_be_bytes::<32>()));
        Self { input: input.into(), ..self }
    }

    /// With another gas limit.
    pub fn gas(self, gas: u64) -> Self {
        Self { gas, ..self }
    }

    /// With a price and a tip (wei per gas).
    pub fn price(self, price: u128, tip: u128) -> Self {
        Self { price, tip, ..self }
    }

    /// As another kind of transaction.
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// With a nonce of its own.
    pub fn nonce(self, nonce: u64) -> Self {
        Self { nonce: Some(nonce), ..self }
    }

    /// With an EIP-2930 list.
    pub fn list(self, items: impl IntoIterator<Item = (Address, Vec<U256>)>) -> Self {
        let item = |(address, slots): (Address, Vec<U256>)| AccessListItem {
            address,
            storage_keys: slots.into_iter().map(B256::from).collect(),
        };
        Self { kind: Kind::AccessList, list: AccessList(items.into_iter().map(item).collect()), ..self }
    }

    /// With EIP-7702 authorizations.
    pub fn authorizations(self, authorizations: Vec<SignedAuthorization>) -> Self {
        Self { kind: Kind::SetCode, authorizations, ..self }
    }

    /// The transaction, signed by the key.
    pub fn sign(&self, key: &Key, nonce: u64, chain_id: Option<u64>) -> Transaction {
        let Self { kind, to, value, input, gas: gas_limit, price, tip, list, authorizations, .. } = self.clone();
        let kind_of_call = to.map_or(TxKind::Create, TxKind::Call);
        let id = chain_id.unwrap_or(1);
        match kind {
            Kind::Legacy => {
                signed(TxLegacy { chain_id, nonce, gas_price: price, gas_limit, to: kind_of_call, value, input }, key)
            }
            Kind::AccessList => signed(
                TxEip2930 {
                    chain_id: id,
                    nonce,
                    gas_price: price,
                    gas_limit,
                    to: kind_of_call,
                    value,
                    access_list: list,
                    input,
                },
                key,
            ),
            Kind::DynamicFee => signed(
                TxEip1559 {
                    chain_id: id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: price,
                    max_priority_fee_per_gas: tip,
                    to: kind_of_call,
                    value,
                    access_list: list,
                    input,
                },
                key,
            ),
            Kind::Blob(blobs) => signed(
                TxEip4844 {
                    chain_id: id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: price,
                    max_priority_fee_per_gas: tip,
                    to: to.unwrap_or_default(),
                    value,
                    access_list: list,
                    blob_versioned_hashes: (0..blobs).map(versioned_hash).collect(),
                    max_fee_per_blob_gas: 100,
                    input,
                },
                key,
            ),
            Kind::SetCode => signed(
                TxEip7702 {
                    chain_id: id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: price,
                    max_priority_fee_per_gas: tip,
                    to: to.unwrap_or_default(),
                    value,
                    access_list: list,
                    authorization_list: authorizations,
                    input,
                },
                key,
            ),
        }
    }
}

fn versioned_hash(number: usize) -> B256 {
    let mut hash = keccak256(number.to_be_bytes());
    hash.0[0] = 1;
    hash
}

fn signed<T>(transaction: T, key: &Key) -> Transaction
where
    T: SignableTransaction<Signature>,
    Signed<T>: Into<Transaction>,
{
    let signature = key.sign(transaction.signature_hash());
    transaction.into_signed(signature).into()
}

/// Builds a block that has all the fields that its fork asks for.
#[derive(Clone, Debug)]
pub struct BlockBuilder {
    fork: String,
    /// The header; what execution yields is not filled in.
    pub header: Header,
    /// Withdrawals, from Shanghai on.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// Ommers.
    pub ommers: Vec<Header>,
    transactions: Vec<(Address, Transaction)>,
    nonces: HashMap<Address, u64>,
    chain_id: u64,
}

impl BlockBuilder {
    /// An empty block 1 of a fork of the conformance suites, with the beneficiary `0xc0c0…` and a base fee of 7 wei.
    pub fn new(fork: &str) -> Self {
        let spec = ChainSpec::from_suite_fork(fork).expect("the fork is known");
        let mut header = Header {
            number: 1,
            timestamp: TIMESTAMP,
            gas_limit: 100_000_000,
            beneficiary: Address::repeat_byte(0xc0),
            ..Default::default()
        };
        if !spec.at(&header).is_merged() {
            header.difficulty = U256::from(131_072);
        }
        let withdrawals = spec.is_shanghai_active_at_timestamp(TIMESTAMP).then(Vec::new);
        header.base_fee_per_gas = spec.is_london_active_at_block(1).then_some(7);
        if spec.is_cancun_active_at_timestamp(TIMESTAMP) {
            header.excess_blob_gas = Some(0);
            header.blob_gas_used = Some(0);
            header.parent_beacon_block_root = Some(B256::repeat_byte(0xbe));
        }
        if spec.is_amsterdam_active_at_timestamp(TIMESTAMP) {
            header.slot_number = Some(1);
        }
        Self {
            fork: fork.to_owned(),
            header,
            withdrawals,
            ommers: Vec::new(),
            transactions: Vec::new(),
            nonces: HashMap::new(),
            chain_id: 1,
        }
    }

    /// The chain.
    pub fn spec(&self) -> ChainSpec {
        ChainSpec::from_suite_fork(&self.fork).expect("the fork is known")
    }

    /// With transactions for another chain than that of the suites, whose id is one.
    pub fn chain_id(mut self, chain_id: u64) -> Self {
        self.chain_id = chain_id;
        self
    }

    /// With another beneficiary.
    pub fn beneficiary(mut self, beneficiary: Address) -> Self {
        self.header.beneficiary = beneficiary;
        self
    }

    /// With another base fee (wei per gas).
    pub fn base_fee(mut self, base_fee: u64) -> Self {
        self.header.base_fee_per_gas = self.header.base_fee_per_gas.map(|_| base_fee);
        self
    }

    /// With another gas limit.
    pub fn gas_limit(mut self, gas_limit: u64) -> Self {
        self.header.gas_limit = gas_limit;
        self
    }

    /// With a withdrawal, in gwei.
    pub fn withdrawal(mut self, address: Address, amount: u64) -> Self {
        if let Some(withdrawals) = &mut self.withdrawals {
            let index = withdrawals.len() as u64;
            withdrawals.push(Withdrawal { index, validator_index: index, address, amount });
        }
        self
    }

    /// Something outside of the block's own transactions sets the sender's nonce, like an authorization.
    pub fn next_nonce(mut self, key: &Key, nonce: u64) -> Self {
        self.nonces.insert(key.address, nonce);
        self
    }

    /// Adds a transaction.
    pub fn call(mut self, key: &Key, call: Call) -> Self {
        let next = self.nonces.entry(key.address).or_default();
        let nonce = call.nonce.unwrap_or(*next);
        *next = nonce.saturating_add(1);
        let chain_id = self.spec().is_spurious_dragon_active_at_block(self.header.number).then_some(self.chain_id);
        self.transactions.push((key.address, call.sign(key, nonce, chain_id)));
        self
    }

    /// Number of transactions so far.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there is no transaction yet.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The block.
    pub fn build(&self) -> RecoveredBlock {
        let (senders, transactions) = self.transactions.iter().cloned().unzip();
        let body = BlockBody {
            transactions,
            ommers: self.ommers.clone(),
            withdrawals: self.withdrawals.clone().map(Into::into),
        };
        RecoveredBlock::new_unchecked(Block::new(self.header.clone(), body), senders)
    }
}
