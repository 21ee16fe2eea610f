//! The chain that a node runs on: a temporary one, one that is kept, or one that was there.

use super::options::NodeOptions;
use crate::datadir::DataDir;
use alloy_genesis::Genesis;
use alloy_primitives::Address;
use braid_chain::{DEV_BASE_FEE, DEV_CHAIN_ID, DEV_GAS_LIMIT, DevGenesis};
use braid_runtime::ChainSpec;
use braid_storage::{Database, DatabaseOptions, Durability, store::MdbxOptions};
use eyre::{WrapErr, bail};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// What a folder of a development chain has beside the chain: from what the accounts are derived.
const DEV_FILE: &str = "dev.json";

/// Bytes of changed pages that a commit may keep on the heap: those of a few large blocks. Imports commit more at once and have a higher limit.
const DIRTY_BYTES: usize = 32 << 20;

/// From what the accounts of a development chain are derived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DevAccounts {
    pub(crate) mnemonic: String,
    pub(crate) derivation_path: String,
    pub(crate) accounts: u32,
}

/// A folder that holds a chain.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Removed when this is dropped.
    temporary: Option<TempDir>,
}

/// A chain to run on.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) spec: ChainSpec,
    pub(crate) database: Database,
    /// Whether blocks are made here.
    pub(crate) is_development: bool,
    /// From what the accounts are derived that the node signs for.
    pub(crate) accounts: Option<DevAccounts>,
}

impl Folder {
    /// The folder that the options name, or a temporary one.
    pub(crate) fn new(options: &NodeOptions) -> eyre::Result<Self> {
        let Some(path) = &options.datadir else {
            let temporary = tempfile::Builder::new().prefix("braid-").tempdir();
            let temporary = temporary.wrap_err("cannot make a temporary folder")?;
            return Ok(Self { path: temporary.path().to_path_buf(), temporary: Some(temporary) });
        };
        Ok(Self { path: path.clone(), temporary: None })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Opens the chain in the folder, or makes it. `addresses` derives accounts.
    pub(crate) fn open(
        &self,
        options: &NodeOptions,
        addresses: impl FnOnce(&DevAccounts) -> eyre::Result<Vec<Address>>,
    ) -> eyre::Result<Opened> {
        let folder = DataDir::new(&self.path);
        let database_options = self.database_options(options);
        let dev_file = self.path.join(DEV_FILE);
        let kept: Option<DevAccounts> = match fs::read_to_string(&dev_file) {
            Ok(text) => {
                Some(serde_json::from_str(&text).wrap_err_with(|| format!("cannot read {}", dev_file.display()))?)
            }
            Err(_) => None,
        };
        let asked = DevAccounts {
            mnemonic: options.dev.mnemonic.clone(),
            derivation_path: options.dev.derivation_path.clone(),
            accounts: options.dev.accounts,
        };
        if folder.is_initialised() {
            let is_development = options.dev.dev || kept.is_some();
            if let Some(genesis) = &options.chain {
                // The same genesis again is no mistake; another one is told.
                folder.initialise(genesis, database_options).map(drop)?;
            }
            let (file, database) = folder.open(database_options)?;
            check_chain_id(options, file.spec.chain_id())?;
            let accounts = is_development.then(|| kept.unwrap_or(asked));
            return Ok(Opened { spec: file.spec, database, is_development, accounts });
        }
        let is_development = options.dev.dev || options.chain.is_none();
        let (spec, database) = match &options.chain {
            Some(genesis) => {
                let (file, database, _) = folder.initialise(genesis, database_options)?;
                check_chain_id(options, file.spec.chain_id())?;
                (file.spec, database)
            }
            None => {
                let genesis = serde_json::to_string_pretty(&dev_genesis(options, addresses(&asked)?))?;
                fs::create_dir_all(&self.path).wrap_err_with(|| format!("cannot make {}", self.path.display()))?;
                let file = tempfile::NamedTempFile::new_in(&self.path)
                    .wrap_err_with(|| format!("cannot write into {}", self.path.display()))?;
                fs::write(file.path(), genesis)?;
                let (file, database, _) = folder.initialise(file.path(), database_options)?;
                (file.spec, database)
            }
        };
        if is_development && !self.is_temporary() {
            fs::write(&dev_file, serde_json::to_string_pretty(&asked)?)
                .wrap_err_with(|| format!("cannot write {}", dev_file.display()))?;
        }
        Ok(Opened { spec, database, is_development, accounts: is_development.then_some(asked) })
    }

    fn database_options(&self, options: &NodeOptions) -> DatabaseOptions {
        let durability =
            if self.is_temporary() { Durability::None } else { Durability::Interval(Duration::from_secs(1)) };
        let mdbx = MdbxOptions { dirty_bytes: DIRTY_BYTES, ..MdbxOptions::default() };
        DatabaseOptions { durability, history: options.history.0, mdbx, ..DatabaseOptions::default() }
    }
}

fn check_chain_id(options: &NodeOptions, chain_id: u64) -> eyre::Result<()> {
    match options.dev.chain_id {
        Some(wanted) if wanted != chain_id => {
            bail!("the chain has id {chain_id}, not {wanted}: leave --chain-id away, or use another folder")
        }
        _ => Ok(()),
    }
}

fn dev_genesis(options: &NodeOptions, accounts: Vec<Address>) -> Genesis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let dev = DevGenesis {
        chain_id: options.dev.chain_id.unwrap_or(DEV_CHAIN_ID),
        hardfork: options.dev.hardfork.unwrap_or(DevGenesis::default().hardfork),
        gas_limit: options.dev.gas_limit.unwrap_or(DEV_GAS_LIMIT),
        base_fee: options.dev.base_fee.unwrap_or(DEV_BASE_FEE),
        timestamp: options.dev.timestamp.unwrap_or(now),
        accounts,
        balance: options.dev.balance,
    };
    dev.genesis()
}
