//! `braid init`: a folder for a chain.

use crate::{
    SUCCESS,
    datadir::{DataDir, Initialised},
};
use braid_storage::DatabaseOptions;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Example:
  braid init genesis.json --datadir chain/
  braid import chain.rlp --datadir chain/

Running the command again with the same genesis changes nothing.";

/// Make a folder for a chain from its genesis file.
///
/// The genesis file is in geth's format: `config` with the chain id and the forks, the fields of the first header, and `alloc` with the
/// accounts.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InitOptions {
    /// Genesis file.
    #[arg(value_name = "GENESIS")]
    genesis: PathBuf,

    /// Folder of the chain, made if missing.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,
}

pub(crate) fn run(options: &InitOptions) -> eyre::Result<u8> {
    let folder = DataDir::new(&options.datadir);
    let (genesis, database, initialised) = folder.initialise(&options.genesis, DatabaseOptions::default())?;
    let said = match initialised {
        Initialised::New => "initialised".to_owned(),
        Initialised::Before => format!("was initialised before, with blocks up to {}", database.head()?.number),
        Initialised::OtherRules => "has the fork rules of this genesis file now".to_owned(),
    };
    println!("{} {said}", folder.path().display());
    println!("chain id    {}", genesis.spec.chain_id());
    println!("genesis     {}", genesis.hash());
    println!("state root  {}", genesis.genesis.header.state_root);
    println!("accounts    {}", genesis.genesis.state.accounts.len());
    Ok(SUCCESS)
}
