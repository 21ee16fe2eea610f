//! Chains for tests.

use crate::{Accounts, Backend, RpcOptions};
use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer_local::PrivateKeySigner;
use braid_chain::{
    Chain, ChainOptions, DevGenesis, ExecutionEngine, GenesisFile, PoolOptions, TransactionPool,
    execution_engine::ForkChoiceState, payload::PayloadAttributes,
};
use braid_runtime::Transaction;
use braid_storage::{Database, DatabaseOptions};
use std::sync::Arc;

/// The account that has money.
pub(crate) fn signer() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(0x11)).unwrap()
}

/// A chain of the first block of a development chain, in memory.
pub(crate) fn dev_chain() -> Arc<Chain> {
    dev_chain_of(&DevGenesis { accounts: vec![signer().address()], ..DevGenesis::default() })
}

/// The same of another first block.
pub(crate) fn dev_chain_of(genesis: &DevGenesis) -> Arc<Chain> {
    let file = GenesisFile::new(&genesis.genesis()).unwrap();
    let database = Database::in_memory(&file.genesis, DatabaseOptions::default()).unwrap();
    Arc::new(Chain::new(database, file.spec, ChainOptions::default()).unwrap())
}

/// What methods work on: a chain, an empty pool, nobody who makes blocks.
pub(crate) fn backend(chain: Arc<Chain>) -> Arc<Backend> {
    let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
    Backend::new(chain, pool, None, Accounts::default(), RpcOptions::default())
}

/// A signed transaction of [`signer`].
pub(crate) fn transaction(nonce: u64, to: Option<Address>, input: Bytes) -> Recovered<Transaction> {
    let mut transaction = TxEip1559 {
        chain_id: 31337,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: 100_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: to.map_or(TxKind::Create, TxKind::Call),
        value: U256::ZERO,
        input,
        ..TxEip1559::default()
    };
    let signature = signer().sign_transaction_sync(&mut transaction).unwrap();
    Recovered::new_unchecked(transaction.into_signed(signature).into(), signer().address())
}

/// A block of transactions on a parent. The head does not move.
pub(crate) fn build(chain: &Chain, parent: B256, transactions: Vec<Recovered<Transaction>>) -> B256 {
    let header = chain.block(&parent).unwrap().unwrap();
    let attributes = PayloadAttributes {
        timestamp: header.header().timestamp + 12,
        withdrawals: Some(Default::default()),
        parent_beacon_block_root: Some(B256::ZERO),
        ..PayloadAttributes::default()
    };
    let count = transactions.len();
    let built = chain.build(parent, &attributes, transactions).unwrap();
    assert_eq!(built.block.body.transactions.len(), count, "all can be executed");
    built.block.header.hash_slow()
}

/// Makes a block the head.
pub(crate) fn make_head(chain: &Chain, hash: B256) {
    let state = ForkChoiceState { head: hash, ..ForkChoiceState::default() };
    chain.update_fork_choice(state, None).unwrap();
}
