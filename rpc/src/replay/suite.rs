//! The chain of the RPC conformance suite, for tests: 54 blocks through every fork.

use crate::{Accounts, Backend, RpcOptions};
use alloy_rlp::Decodable;
use braid_chain::{Chain, ChainOptions, GenesisFile, PoolOptions, TransactionPool};
use braid_runtime::Block;
use braid_storage::Database;
use jsonrpsee::RpcModule;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs::File, io::Read, path::Path, sync::Arc};
use tokio::runtime::Runtime;

/// The suite, unpacked.
pub(crate) struct Suite {
    files: BTreeMap<String, Vec<u8>>,
}

impl Suite {
    /// The suite, or `None`, said aloud, where it is not there.
    pub(crate) fn open() -> Option<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/rpc-compat/rpc-compat.tar.zst");
        let Ok(file) = File::open(&path) else {
            println!("skipped: {} is not there", path.display());
            return None;
        };
        let mut decoder = zstd::Decoder::new(file).unwrap();
        decoder.window_log_max(27).unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(decoder).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            if let Some((_, name)) = name.split_once("tests/") {
                let name = name.to_owned();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                files.insert(name, bytes);
            }
        }
        Some(Self { files })
    }

    fn text(&self, name: &str) -> &str {
        std::str::from_utf8(&self.files[name]).unwrap()
    }

    /// A node with the chain of the suite, of which so many blocks are only in memory.
    pub(crate) fn node(&self, blocks_in_memory: usize) -> Node {
        let genesis = GenesisFile::from_json(self.text("genesis.json")).unwrap();
        let database = Database::in_memory(&genesis.genesis, Default::default()).unwrap();
        let options = ChainOptions { blocks_in_memory, blocks_per_commit: 4, ..ChainOptions::default() };
        let chain = Arc::new(Chain::new(database, genesis.spec.clone(), options).unwrap());
        let mut blocks = self.files["chain.rlp"].as_slice();
        while !blocks.is_empty() {
            chain.import(Block::decode(&mut blocks).unwrap()).unwrap();
        }
        let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
        let backend = Backend::new(chain, pool, None, Accounts::default(), RpcOptions::default());
        let module = backend.methods().into_module();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        Node { backend, module, runtime }
    }

    /// Requests and expected replies of the cases whose names begin so.
    pub(crate) fn cases(&self, prefix: &str) -> Vec<Case> {
        let files = self.files.keys().filter(|name| name.starts_with(prefix) && name.ends_with(".io"));
        let cases = files.map(|name| {
            let lines: Vec<&str> = self.text(name).lines().collect();
            let after = |mark: &str| {
                let found = lines.iter().filter_map(|line| line.strip_prefix(mark));
                found.map(|text| serde_json::from_str(text).unwrap()).collect::<Vec<Value>>()
            };
            let schema_only = lines.iter().any(|line| line.starts_with("// speconly:"));
            let exchanges = after(">>").into_iter().zip(after("<<")).collect();
            Case { name: name.clone(), schema_only, exchanges }
        });
        cases.collect()
    }
}

/// A case of the suite.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Whether the suite only looks at the shape of the result.
    pub(crate) schema_only: bool,
    /// Requests with the expected replies.
    pub(crate) exchanges: Vec<(Value, Value)>,
}

/// A node to ask.
pub(crate) struct Node {
    pub(crate) backend: Arc<Backend>,
    module: RpcModule<Arc<Backend>>,
    runtime: Runtime,
}

impl Node {
    /// The whole reply to a request.
    pub(crate) fn reply(&self, request: &Value) -> Value {
        let reply = self.runtime.block_on(self.module.raw_json_request(&request.to_string(), 1));
        let (reply, _) = reply.unwrap();
        serde_json::from_str(reply.get()).unwrap()
    }

    /// The result of a call, or its error.
    pub(crate) fn call(&self, method: &str, params: Value) -> Result<Value, Value> {
        let mut reply = self.reply(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        match reply.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(reply["result"].take()),
        }
    }
}
