//! A chain of rich keys, transactions signed with them, and blocks out of the pool.

use crate::{
    Chain, ChainOptions,
    payload::{BuiltPayload, PayloadAttributes, TransactionSource as _},
    pool::{Origin, PoolError, PoolOptions, PooledTransaction, TransactionPool},
};
use alloy_consensus::{
    Header, SignableTransaction, Signed, TxEip1559, TxEip7702, TxLegacy,
    crypto::secp256k1::{recover_signer, sign_message},
    transaction::RlpEcdsaEncodableTx,
};
use alloy_eips::{
    Encodable2718,
    eip1559::INITIAL_BASE_FEE,
    eip4895::Withdrawals,
    eip7002, eip7251,
    eip7685::EMPTY_REQUESTS_HASH,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Signature, TxKind, U256, keccak256};
use braid_runtime::ChainSpec;
use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, Genesis, state_root};
use revm::state::Bytecode;
use std::sync::Arc;

/// Keys with ether at genesis: those of the numbers below this one.
pub(super) const RICH_KEYS: u64 = 8;
/// Wei of each of them: one ether.
pub(super) const RICH: u64 = 1_000_000_000_000_000_000;
pub(super) const GWEI: u128 = 1_000_000_000;

/// A private key and its account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    secret: B256,
    pub(super) address: Address,
}

impl Key {
    pub(super) fn new(number: u64) -> Self {
        let secret = keccak256(number.to_be_bytes());
        let signature = sign_message(secret, B256::ZERO).unwrap();
        Self { secret, address: recover_signer(&signature, B256::ZERO).unwrap() }
    }

    pub(super) fn sign<T>(&self, transaction: T) -> PooledTransaction
    where
        T: SignableTransaction<Signature> + RlpEcdsaEncodableTx,
        PooledTransaction: From<Signed<T>>,
    {
        let signature = sign_message(self.secret, transaction.signature_hash()).unwrap();
        transaction.into_signed(signature).into()
    }

    /// A payment of one wei, with a fee and a tip in gwei.
    pub(super) fn pay(&self, nonce: u64, fee: u128, tip: u128) -> PooledTransaction {
        self.sign(TxEip1559 { nonce, ..fees(fee, tip) })
    }

    pub(super) fn authorize(&self, delegate: Address, nonce: u64) -> SignedAuthorization {
        let authorization = Authorization { chain_id: U256::from(1), address: delegate, nonce };
        let signature = sign_message(self.secret, authorization.signature_hash()).unwrap();
        authorization.into_signed(signature)
    }

    pub(super) fn set_code(&self, nonce: u64, authorization_list: Vec<SignedAuthorization>) -> PooledTransaction {
        self.sign(TxEip7702 {
            chain_id: 1,
            nonce,
            gas_limit: 100_000,
            max_fee_per_gas: 2 * GWEI,
            max_priority_fee_per_gas: GWEI,
            authorization_list,
            ..TxEip7702::default()
        })
    }
}

/// A payment of one wei with a fee and a tip in gwei.
pub(super) fn fees(fee: u128, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: 1,
        gas_limit: 21_000,
        max_fee_per_gas: fee * GWEI,
        max_priority_fee_per_gas: tip * GWEI,
        to: TxKind::Call(Address::repeat_byte(0xaa)),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

/// The same in the form of before.
pub(super) fn legacy(nonce: u64, chain_id: Option<u64>) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce,
        gas_price: 2 * GWEI,
        gas_limit: 21_000,
        to: TxKind::Call(Address::repeat_byte(0xaa)),
        ..TxLegacy::default()
    }
}

/// A chain and its pool.
#[derive(Debug)]
pub(super) struct World {
    pub(super) chain: Arc<Chain>,
    pub(super) pool: Arc<TransactionPool>,
}

impl World {
    pub(super) fn new(fork: &str, options: PoolOptions) -> Self {
        Self::with_accounts(fork, options, &[])
    }

    /// With more accounts that have code, and an ether each.
    pub(super) fn with_accounts(fork: &str, options: PoolOptions, accounts: &[(Address, Bytecode)]) -> Self {
        let chain = Arc::new(chain(fork, accounts));
        let pool = TransactionPool::new(Arc::clone(&chain), options);
        Self { chain, pool }
    }

    pub(super) fn add(&self, transaction: &PooledTransaction) -> Result<B256, PoolError> {
        self.pool.add_raw(&transaction.encoded_2718(), Origin::Local)
    }

    /// The error with which a transaction is refused, in words.
    pub(super) fn refuse(&self, transaction: &PooledTransaction) -> String {
        self.add(transaction).expect_err("the transaction is refused").to_string()
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        let status = self.pool.status();
        self.check();
        (status.pending, status.queued)
    }

    /// A block out of the pool on any block; the head stays.
    pub(super) fn build(&self, parent: B256, seed: u8) -> BuiltPayload {
        let (header, _) = self.chain.header_and_body(&parent).unwrap().expect("the parent is known");
        let base_fee = crate::consensus::next_base_fee(&header, self.chain.spec()).unwrap_or_default();
        let candidates = self.pool.best(&header, base_fee, header.gas_limit);
        self.build_of(parent, seed, candidates)
    }

    /// A block of these candidates.
    pub(super) fn build_of(
        &self,
        parent: B256,
        seed: u8,
        candidates: Vec<alloy_consensus::transaction::Recovered<braid_runtime::Transaction>>,
    ) -> BuiltPayload {
        let (header, _) = self.chain.header_and_body(&parent).unwrap().expect("the parent is known");
        let attributes = PayloadAttributes {
            timestamp: header.timestamp + 12,
            fee_recipient: Address::repeat_byte(0xfe),
            extra_data: Bytes::from(vec![seed]),
            ..PayloadAttributes::default()
        };
        self.chain.build(parent, &attributes, candidates).expect("the block can be built")
    }

    /// A block out of the pool on the head, which becomes the head. Gives its transactions.
    pub(super) fn mine(&self) -> Vec<B256> {
        let built = self.build(self.chain.head().hash, 0);
        self.chain.set_head(built.block.layer.block().hash).unwrap();
        self.check();
        built.block.body.transactions.iter().map(|transaction| *transaction.tx_hash()).collect()
    }

    /// Everything that must be true of a book.
    pub(super) fn check(&self) {
        self.pool.book.lock().check();
    }
}

fn chain(fork: &str, more: &[(Address, Bytecode)]) -> Chain {
    let spec = ChainSpec::from_suite_fork(fork).expect("the fork is known");
    let mut contracts = more.to_vec();
    if spec.ethereum_fork_activation(EthereumHardfork::Prague) != ForkCondition::Never {
        let predeploys = [
            (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()),
            (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone()),
        ];
        contracts.extend(predeploys.map(|(address, code)| (address, Bytecode::new_legacy(code))));
    }
    let record = |nonce, code_hash| AccountRecord { nonce, balance: U256::from(RICH), code_hash };
    let rich = (0..RICH_KEYS).map(|number| (Key::new(number).address, record(0, KECCAK256_EMPTY)));
    let codes = contracts.iter().map(|(address, code)| (*address, record(1, code.hash_slow())));
    let accounts: Vec<(Address, AccountRecord)> = rich.chain(codes).collect();
    let root = state_root(accounts.iter().map(|(address, record)| (*address, *record, [])));
    let mut header = Header { gas_limit: 30_000_000, state_root: root, ..Header::default() };
    if spec.terminal_total_difficulty().is_none() {
        header.difficulty = U256::from(131_072);
    }
    if spec.is_london_active_at_block(0) {
        header.base_fee_per_gas = Some(INITIAL_BASE_FEE);
    }
    if spec.is_shanghai_active_at_timestamp(0) {
        header.withdrawals_root = Some(alloy_consensus::EMPTY_ROOT_HASH);
    }
    if spec.is_cancun_active_at_timestamp(0) {
        header.blob_gas_used = Some(0);
        header.excess_blob_gas = Some(0);
        header.parent_beacon_block_root = Some(B256::ZERO);
    }
    if spec.is_prague_active_at_timestamp(0) {
        header.requests_hash = Some(EMPTY_REQUESTS_HASH);
    }
    let accounts = accounts
        .into_iter()
        .map(|(address, record)| AccountChange { address, present: Some(record), storage_wiped: false })
        .collect();
    let contracts = contracts.into_iter().map(|(_, code)| (code.hash_slow(), code)).collect();
    let state = BlockChange { accounts, slots: Vec::new(), contracts };
    let body = Body { withdrawals: header.withdrawals_root.map(|_| Withdrawals::default()), ..Body::default() };
    let genesis = Genesis { chain_id: spec.chain_id(), header, body, state };
    let database = Database::in_memory(&genesis, DatabaseOptions::default()).expect("the genesis is right");
    Chain::new(database, spec, ChainOptions::default()).expect("the chain starts")
}
