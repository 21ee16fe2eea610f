//! The suite: its chain and its cases.

use braid_chain::{
    BlockFile, Chain, ChainOptions, ExecutionEngine, GenesisFile, PoolOptions, TransactionPool,
    execution_engine::{ForkChoiceState, PayloadStatus},
};
use braid_rpc::{Accounts, Backend, RpcOptions};
use braid_storage::{Database, DatabaseOptions};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/rpc-compat/rpc-compat.tar.zst");

/// The unpacked archive.
pub(crate) struct Suite {
    folder: TempDir,
    schemas: Value,
}

/// A case: requests and the answers that are expected.
pub(crate) struct Case {
    /// `METHOD/NAME`.
    pub(crate) name: String,
    /// Whether answers only have to fit the schema of the method.
    pub(crate) is_only_specified: bool,
    pub(crate) exchanges: Vec<(String, Value)>,
}

impl Case {
    pub(crate) fn method(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    fn read(name: String, text: &str) -> Self {
        let (mut is_only_specified, mut exchanges, mut request) = (false, Vec::new(), None);
        for line in text.lines().map(str::trim) {
            if let Some(comment) = line.strip_prefix("//") {
                is_only_specified |= comment.trim_start().starts_with("speconly:");
            } else if let Some(json) = line.strip_prefix(">>") {
                request = Some(json.trim().to_owned());
            } else if let Some(json) = line.strip_prefix("<<") {
                let answer = serde_json::from_str(json).expect("an answer is JSON");
                exchanges.push((request.take().expect("an answer follows a request"), answer));
            }
        }
        Self { name, is_only_specified, exchanges }
    }
}

impl Suite {
    /// The suite, if it is there.
    pub(crate) fn unpack() -> Option<Self> {
        if !Path::new(ARCHIVE).exists() {
            println!("skipped: there is no {ARCHIVE}");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let archive = zstd::Decoder::new(fs::File::open(ARCHIVE).unwrap()).unwrap();
        tar::Archive::new(archive).unpack(folder.path()).unwrap();
        let schemas = fs::read_to_string(folder.path().join("rpc-compat/result-schemas.json")).unwrap();
        Some(Self { folder, schemas: serde_json::from_str(&schemas).unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("rpc-compat/tests").join(name)
    }

    /// Schemas of the results, by method.
    pub(crate) const fn schemas(&self) -> &Value {
        &self.schemas
    }

    /// A node with the chain of the suite.
    pub(crate) fn backend(&self) -> Arc<Backend> {
        let file = GenesisFile::from_json(&fs::read_to_string(self.path("genesis.json")).unwrap()).unwrap();
        let database = Database::in_memory(&file.genesis, DatabaseOptions::default()).unwrap();
        let chain = Chain::new(database, file.spec, ChainOptions::default()).unwrap();
        for placed in BlockFile::open(self.path("chain.rlp")).unwrap() {
            let block = placed.unwrap().block;
            let hash = block.header.hash_slow();
            chain.insert(block).unwrap();
            chain.set_head(hash).unwrap();
        }
        let call: Value = serde_json::from_str(&fs::read_to_string(self.path("headfcu.json")).unwrap()).unwrap();
        let hash = |name: &str| serde_json::from_value(call["params"][0][name].clone()).unwrap();
        let state = ForkChoiceState {
            head: hash("headBlockHash"),
            safe: hash("safeBlockHash"),
            finalized: hash("finalizedBlockHash"),
        };
        let updated = chain.update_fork_choice(state, None).unwrap();
        assert!(matches!(updated.status, PayloadStatus::Valid), "{updated:?}");
        let chain = Arc::new(chain);
        let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::default());
        Backend::new(chain, pool, None, Accounts::default(), RpcOptions::default())
    }

    /// All cases, in the order of their names: those that send transactions count on it.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        let folders = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.is_dir()) {
            for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                let name = file.strip_prefix(self.path("")).unwrap().with_extension("");
                cases.push(Case::read(name.display().to_string(), &fs::read_to_string(&file).unwrap()));
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        cases
    }
}
