//! A development node for tests of methods.

use crate::{Accounts, Backend, RpcOptions};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, address};
use braid_chain::{
    Chain, ChainOptions, DevGenesis, GenesisFile, MiningMode, PoolOptions, Producer, ProducerOptions, TransactionPool,
};
use braid_storage::{Database, DatabaseOptions};
use jsonrpsee::RpcModule;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const JUNK: &str = "test test test test test test test test test test test junk";
/// The first account of the mnemonic that everybody knows.
pub(crate) const ALICE: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// The second one.
pub(crate) const BOB: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// A node that can be asked.
pub(crate) struct Node {
    module: RpcModule<Arc<Backend>>,
    pub(crate) backend: Arc<Backend>,
}

impl Node {
    /// A node with the accounts of [`ALICE`] and [`BOB`].
    pub(crate) fn new(mode: MiningMode) -> Self {
        Self::with_options(mode, RpcOptions::default())
    }

    pub(crate) fn with_options(mode: MiningMode, options: RpcOptions) -> Self {
        Self::of(EthereumHardfork::Prague, mode, options)
    }

    /// On a chain with the rules of a fork.
    pub(crate) fn of(hardfork: EthereumHardfork, mode: MiningMode, options: RpcOptions) -> Self {
        let accounts = vec![ALICE, BOB];
        let genesis = DevGenesis { hardfork, accounts, ..DevGenesis::default() };
        let file = GenesisFile::new(&genesis.genesis()).unwrap();
        let database = Database::in_memory(&file.genesis, DatabaseOptions::default()).unwrap();
        let chain = Arc::new(Chain::new(database, file.spec, ChainOptions::default()).unwrap());
        let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
        let producing = ProducerOptions { mode, ..ProducerOptions::default() };
        let producer = Producer::start(Arc::clone(&chain), Arc::clone(&pool), producing).unwrap();
        let accounts = Accounts::from_mnemonic(JUNK, 2, "m/44'/60'/0'/0/").unwrap();
        let options = RpcOptions { development: true, ..options };
        let backend = Backend::new(chain, pool, Some(producer), accounts, options);
        Self { module: backend.methods().into_module(), backend }
    }

    pub(crate) async fn answer(&self, method: &str, params: Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let (answer, _) = self.module.raw_json_request(&request, 1).await.unwrap();
        serde_json::from_str(answer.get()).unwrap()
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let mut answer = self.answer(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    pub(crate) async fn error(&self, method: &str, params: Value) -> (i64, String) {
        let answer = self.answer(method, params).await;
        let error = &answer["error"];
        assert!(error.is_object(), "{method}: {answer}");
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())
    }

    /// The receipt, as soon as there is one.
    pub(crate) async fn receipt(&self, hash: &Value) -> Value {
        for _ in 0..500 {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await;
            if !receipt.is_null() {
                return receipt;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("there is no receipt of {hash}");
    }
}

/// A wei.
pub(crate) fn transfer(from: Address, to: Address) -> Value {
    json!({"from": from, "to": to, "value": "0x1", "chain": "dev", "hardfork": "prague"})
}
