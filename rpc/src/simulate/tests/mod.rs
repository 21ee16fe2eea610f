//! The methods as a client calls them, on a development chain; contracts come in as state overrides.

mod blocks;
mod calls;
mod estimates;
mod lists;

use crate::{Accounts, Backend, RpcOptions};
use alloy_primitives::{Address, U256, address, hex};
use braid_chain::{Chain, ChainOptions, DevGenesis, GenesisFile, PoolOptions, TransactionPool};
use braid_storage::Database;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Has 1000 ether.
pub(super) const RICH: Address = address!("00000000000000000000000000000000000000aa");
/// Where contracts are put.
pub(super) const CONTRACT: Address = address!("00000000000000000000000000000000000000cc");
/// Another contract.
pub(super) const OTHER: Address = address!("00000000000000000000000000000000000000dd");

/// A node to ask.
pub(super) struct Node {
    backend: Arc<Backend>,
    runtime: Runtime,
}

impl Node {
    pub(super) fn new() -> Self {
        Self::with_options(RpcOptions::default())
    }

    pub(super) fn with_options(options: RpcOptions) -> Self {
        let balance = U256::from(1000) * U256::from(10).pow(U256::from(18));
        let genesis = DevGenesis { accounts: vec![RICH], balance, timestamp: 1_000, ..DevGenesis::default() };
        let file = GenesisFile::new(&genesis.genesis()).unwrap();
        let database = Database::in_memory(&file.genesis, Default::default()).unwrap();
        let chain = Arc::new(Chain::new(database, file.spec, ChainOptions::default()).unwrap());
        let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
        let backend = Backend::new(chain, pool, None, Accounts::default(), options);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        Self { backend, runtime }
    }

    /// The result, or code and message of the error.
    pub(super) fn ask(&self, method: &str, params: Value) -> Result<Value, (i64, String)> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let module = self.backend.methods().into_module();
        let (reply, _) = self.runtime.block_on(module.raw_json_request(&request.to_string(), 1)).unwrap();
        let mut reply: Value = serde_json::from_str(reply.get()).unwrap();
        match reply.get("error") {
            Some(error) => Err((error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned())),
            None => Ok(reply["result"].take()),
        }
    }

    /// What a contract with this code returns, as a number.
    pub(super) fn run(&self, code: &[u8]) -> Result<U256, (i64, String)> {
        self.run_with(code, json!({}))
    }

    pub(super) fn run_with(&self, code: &[u8], block_overrides: Value) -> Result<U256, (i64, String)> {
        let call = json!({ "to": CONTRACT });
        let state = json!({ CONTRACT.to_string(): { "code": hex::encode_prefixed(code) } });
        Ok(word(&self.ask("eth_call", json!([call, "latest", state, block_overrides]))?))
    }
}

/// The number in a word, or in a quantity.
pub(super) fn word(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

/// Code that returns the word that these instructions leave on the stack.
pub(super) fn returns(instructions: &[u8]) -> Vec<u8> {
    // MSTORE at 0, RETURN 32 bytes.
    [instructions, &hex!("5f5260205ff3")].concat()
}
