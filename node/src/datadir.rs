//! The folder of a chain.
//!
//! ```text
//! DATADIR/genesis.json   the genesis file, so that later commands know the rules of the chain
//! DATADIR/db/            the database (MDBX: mdbx.dat, mdbx.lck, writer.lock)
//! ```
//!
//! The database is made first and the copy of the genesis last, by renaming: a folder with a genesis is complete.

use braid_chain::GenesisFile;
use braid_storage::{Database, DatabaseOptions, StorageError};
use eyre::{WrapErr, bail, eyre};
use std::{
    fs,
    path::{Path, PathBuf},
};

const GENESIS: &str = "genesis.json";
const DATABASE: &str = "db";

/// The folder of a chain.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// What an initialisation found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Initialised {
    /// There was nothing.
    New,
    /// The same chain was there.
    Before,
    /// The same chain was there, without any block, under other rules; the new ones hold now.
    OtherRules,
}

impl DataDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    fn genesis_path(&self) -> PathBuf {
        self.path.join(GENESIS)
    }

    /// Whether a chain was initialised here.
    pub(crate) fn is_initialised(&self) -> bool {
        self.genesis_path().is_file()
    }

    /// Makes the chain of a genesis file in this folder, unless it is there. Another chain is refused.
    pub(crate) fn initialise(
        &self,
        file: &Path,
        options: DatabaseOptions,
    ) -> eyre::Result<(GenesisFile, Database, Initialised)> {
        let (json, genesis) = read_genesis(file)?;
        let before = if self.is_initialised() { Some(self.genesis()?) } else { None };
        if let Some(before) = &before
            && before.hash() != genesis.hash()
        {
            bail!(
                "{} holds another chain, with genesis block {}; {} has {}: use another folder",
                self.path.display(),
                before.hash(),
                file.display(),
                genesis.hash()
            );
        }
        crate::damage::report();
        let database = Database::create(&self.database_path(), &genesis.genesis, options)
            .map_err(|error| self.explain(&error, Some(file)))?;
        let same_rules = before.as_ref().is_some_and(|before| before.spec == genesis.spec);
        if before.is_some() && !same_rules {
            let head = database.head()?;
            if head.number != genesis.genesis.header.number {
                bail!(
                    "{} holds blocks up to {} that were executed under other fork rules than those of {}: import them \
                     into another folder",
                    self.path.display(),
                    head.number,
                    file.display()
                );
            }
        }
        if !same_rules {
            self.write_genesis(&json)?;
        }
        let initialised = match (before.is_some(), same_rules) {
            (false, _) => Initialised::New,
            (true, true) => Initialised::Before,
            (true, false) => Initialised::OtherRules,
        };
        Ok((genesis, database, initialised))
    }

    fn write_genesis(&self, json: &str) -> eyre::Result<()> {
        let target = self.genesis_path();
        let partial = target.with_extension("json.partial");
        let write = || {
            fs::write(&partial, json)?;
            fs::File::open(&partial)?.sync_all()?;
            fs::rename(&partial, &target)?;
            fs::File::open(&self.path)?.sync_all()
        };
        write().wrap_err_with(|| format!("cannot write {}", target.display()))
    }

    /// The genesis of the chain in this folder.
    pub(crate) fn genesis(&self) -> eyre::Result<GenesisFile> {
        if !self.is_initialised() {
            bail!(
                "{} holds no chain: begin with `braid init GENESIS --datadir {}`",
                self.path.display(),
                self.path.display()
            );
        }
        Ok(read_genesis(&self.genesis_path())?.1)
    }

    /// The chain in this folder, to be written.
    pub(crate) fn open(&self, options: DatabaseOptions) -> eyre::Result<(GenesisFile, Database)> {
        let genesis = self.genesis()?;
        crate::damage::report();
        let database = Database::open(&self.database_path(), Some(genesis.genesis.identity()), options)
            .map_err(|error| self.explain(&error, None))?;
        Ok((genesis, database))
    }

    /// The chain in this folder, for reading, also while another process writes it.
    pub(crate) fn open_read_only(&self) -> eyre::Result<(GenesisFile, Database)> {
        let genesis = self.genesis()?;
        let identity = Some(genesis.genesis.identity());
        crate::damage::report();
        let database = Database::open_read_only(&self.database_path(), identity, DatabaseOptions::default())
            .map_err(|error| self.explain(&error, None))?;
        Ok((genesis, database))
    }

    /// Says what can be done about a database that does not open.
    pub(crate) fn explain(&self, error: &StorageError, genesis: Option<&Path>) -> eyre::Report {
        use braid_storage::store::StoreError;
        let folder = self.path.display();
        let advice = match error {
            StorageError::Store(StoreError::InUse { .. }) => {
                "end that process first; reading works beside it".to_owned()
            }
            StorageError::Store(StoreError::DiskFull(_)) => "free some space and run the command again".to_owned(),
            StorageError::Store(StoreError::Open { .. } | StoreError::Damaged { .. })
            | StorageError::TablesDisagree { .. }
            | StorageError::Decode { .. }
            | StorageError::MissingBlock { .. } => {
                format!("the file is damaged: import the chain into another folder, or restore {folder} from a copy")
            }
            StorageError::Store(StoreError::Missing(_)) => {
                format!("run `braid init {folder}/{GENESIS} --datadir {folder}`, and import the chain again")
            }
            StorageError::WrongGenesis { .. } | StorageError::WrongChain { .. } => match genesis {
                Some(file) => format!("{} is of another chain: use another folder", file.display()),
                None => format!("{folder}/{GENESIS} does not belong to this database: restore it"),
            },
            StorageError::WrongSchema { stored, supported } if *stored > *supported => {
                "use the version of braid that wrote it, or a newer one".to_owned()
            }
            StorageError::Store(StoreError::Folder { .. }) => "the folder must exist and be writable".to_owned(),
            _ => return eyre!("{error}"),
        };
        eyre!("{error}; {advice}")
    }
}

fn read_genesis(path: &Path) -> eyre::Result<(String, GenesisFile)> {
    let json = fs::read_to_string(path).wrap_err_with(|| format!("cannot read {}", path.display()))?;
    let genesis = GenesisFile::from_json(&json).wrap_err_with(|| path.display().to_string())?;
    Ok((json, genesis))
}
