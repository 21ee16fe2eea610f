//! Puts transactions together into a block.

use crate::snapshot::Snapshot;
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Signed, TxEip1559, TxEip7702, constants::EMPTY_WITHDRAWALS,
};
use alloy_eips::{eip2930::AccessList, eip7685::EMPTY_REQUESTS_HASH, eip7702::SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, map::AddressMap, uint};
use braid_runtime::{Block, RecoveredBlock, Transaction};

/// Base fee of generated blocks, in wei per gas.
pub(super) const BASE_FEE: u64 = 1_000_000_000;
/// Tip of generated transactions, in wei per gas.
pub(super) const TIP: u128 = 100_000_000;
/// Highest fee that generated transactions offer, in wei per gas.
pub(super) const MAX_FEE: u128 = 2 * BASE_FEE as u128;
/// Wei of one ether.
pub(crate) const ETHER: U256 = uint!(1_000_000_000_000_000_000_U256);
/// Who receives the tips of generated blocks.
pub(crate) const BENEFICIARY: Address = address!("0xc014ba5e00000000000000000000000000000001");
/// Timestamp of generated blocks; set-up transactions run before it.
pub const TIMESTAMP: u64 = 1_750_000_000;
/// Number of generated blocks.
pub const NUMBER: u64 = 20_000_000;

/// A block in the making. Senders are given, signatures are not real: recovery is no part of what is measured.
#[derive(Debug)]
pub struct BlockBuilder<'a> {
    snapshot: &'a Snapshot,
    nonces: AddressMap<u64>,
    transactions: Vec<Transaction>,
    senders: Vec<Address>,
    gas_limit: u64,
}

/// One transaction before it gets its nonce.
#[derive(Clone, Debug)]
pub struct Call {
    /// Sender.
    pub from: Address,
    /// Recipient, or a creation.
    pub to: TxKind,
    /// Wei sent along.
    pub value: U256,
    /// Call data or init code.
    pub input: Bytes,
    /// Gas limit.
    pub gas: u64,
    /// EIP-2930 access list.
    pub access_list: AccessList,
}

impl Call {
    /// A plain transfer of `value` wei.
    pub fn transfer(from: Address, to: Address, value: U256) -> Self {
        Self { from, to: TxKind::Call(to), value, input: Bytes::new(), gas: 21_000, access_list: AccessList::default() }
    }

    /// The same call with an EIP-2930 access list.
    pub fn with_access_list(self, access_list: AccessList) -> Self {
        Self { access_list, ..self }
    }

    /// A call of a contract with encoded `input`.
    pub fn contract(from: Address, to: Address, input: Vec<u8>, gas: u64) -> Self {
        Self { input: input.into(), gas, ..Self::transfer(from, to, U256::ZERO) }
    }
}

impl<'a> BlockBuilder<'a> {
    /// An empty block on `snapshot`, whose nonces the first transaction of each sender takes up.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, nonces: AddressMap::default(), transactions: Vec::new(), senders: Vec::new(), gas_limit: 0 }
    }

    fn next_nonce(&mut self, sender: Address) -> u64 {
        let nonce = self.nonces.entry(sender).or_insert_with(|| self.snapshot.nonce(sender));
        *nonce += 1;
        *nonce - 1
    }

    /// Says that something else than a transaction of its own (an EIP-7702 authorisation) takes the account's next nonce.
    pub fn take_nonce(&mut self, account: Address) -> u64 {
        self.next_nonce(account)
    }

    /// Appends a transaction.
    pub fn push(&mut self, call: Call) {
        let nonce = self.next_nonce(call.from);
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce,
            gas_limit: call.gas,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to: call.to,
            value: call.value,
            access_list: call.access_list,
            input: call.input,
        };
        self.append(call.from, call.gas, Transaction::Eip1559(signed(transaction)));
    }

    /// Appends an EIP-7702 transaction.
    pub fn push_with_authorizations(&mut self, call: Call, to: Address, authorization_list: Vec<SignedAuthorization>) {
        let nonce = self.next_nonce(call.from);
        let transaction = TxEip7702 {
            chain_id: 1,
            nonce,
            gas_limit: call.gas,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: TIP,
            to,
            value: call.value,
            access_list: call.access_list,
            authorization_list,
            input: call.input,
        };
        self.append(call.from, call.gas, Transaction::Eip7702(signed(transaction)));
    }

    fn append(&mut self, sender: Address, gas: u64, transaction: Transaction) {
        // The hash is part of what a node knows of a transaction before it executes it.
        let _: &B256 = transaction.hash();
        self.gas_limit += gas;
        self.transactions.push(transaction);
        self.senders.push(sender);
    }

    /// Transactions so far.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The block, with a gas limit that all of its transactions fit in. Roots in the header are empty: nothing here checks them.
    pub fn finish(self) -> RecoveredBlock {
        let header = Header {
            number: NUMBER,
            timestamp: TIMESTAMP,
            beneficiary: BENEFICIARY,
            gas_limit: self.gas_limit.max(30_000_000),
            base_fee_per_gas: Some(BASE_FEE),
            parent_hash: B256::repeat_byte(0x11),
            mix_hash: B256::repeat_byte(0x22),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            state_root: EMPTY_ROOT_HASH,
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            parent_beacon_block_root: Some(B256::repeat_byte(0x33)),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        let mut block = Block::uncle(header);
        block.body.transactions = self.transactions;
        block.body.withdrawals = Some(Default::default());
        RecoveredBlock::new_unchecked(block, self.senders)
    }
}

fn signed<T>(transaction: T) -> Signed<T> {
    Signed::new_unhashed(transaction, Signature::new(U256::from(1), U256::from(1), false))
}
