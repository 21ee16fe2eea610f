//! `braid capture`: bundles from the blocks of any node that tells the state before a block.
//!
//! [`block`] and [`source`] ask for the parts, [`state`] completes them while the block is executed, [`client`] does the talking. A bundle is written only when
//! executing it leads to its header.

mod block;
mod client;
mod error;
mod source;
mod state;

use crate::{
    FAILURE, SUCCESS,
    cli::{BlockName, BlockRange, CaptureOptions, CaptureSource},
    terminal,
};
use alloy_genesis::{ChainConfig, Genesis};
use alloy_primitives::{U64, map::AddressMap};
use braid_chain::{
    Bundle, ChainReference, PlainState, PreState, Witness, bundle::EXTENSION, senders::recover_senders, validate,
};
use braid_runtime::{Block, BlockOutcome, Outputs, RecoveredBlock, oracle::execute_serial};
use client::{Client, Limits, RpcError};
use error::CaptureError;
use eyre::{WrapErr, bail};
use futures::{StreamExt, stream};
use serde_json::json;
use state::{Base, CaptureState};
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::runtime::{Builder, Handle};

/// Runs the command and tells the exit code.
pub(crate) fn run(options: &CaptureOptions) -> eyre::Result<u8> {
    let limits = Limits { rate: options.rate, retries: options.retries, timeout: Duration::from_secs(options.timeout) };
    let client = Client::new(&options.rpc_url, limits)?;
    fs::create_dir_all(&options.out).wrap_err_with(|| format!("cannot make the folder {}", options.out.display()))?;
    let config = options.genesis.as_deref().map(read_config).transpose()?;
    let runtime = Builder::new_multi_thread().enable_all().build().wrap_err("cannot start the network threads")?;
    runtime.block_on(capture(client, options, config))
}

/// The chain configuration in a genesis file, or in a file that holds nothing else.
fn read_config(path: &Path) -> eyre::Result<ChainConfig> {
    let named = || path.display().to_string();
    let text = fs::read(path).wrap_err_with(named)?;
    match serde_json::from_slice::<Genesis>(&text) {
        Ok(genesis) => Ok(genesis.config),
        Err(_) => serde_json::from_slice::<ChainConfig>(&text).wrap_err_with(named),
    }
}

async fn capture(client: Client, options: &CaptureOptions, config: Option<ChainConfig>) -> eyre::Result<u8> {
    let BlockRange { first, last } = options.blocks;
    if first == 0 {
        bail!("block 0 has no state before it");
    }
    let chain = chain(&client, &options.rpc_url, config).await?;
    let capture = Arc::new(Capture { client, chain, source: options.source, has_witness: AtomicBool::new(true) });
    let bar = terminal::progress(Some(last - first + 1), "capture");
    let (mut written, mut skipped, mut failed) = (0_u64, 0_u64, 0_u64);
    let tasks = (first..=last).map(|number| {
        let capture = capture.clone();
        async move { (number, capture.one(number, &options.out).await) }
    });
    let mut results = stream::iter(tasks).buffer_unordered(options.concurrency.into());
    while let Some((number, result)) = results.next().await {
        match result {
            Ok(true) => written += 1,
            Ok(false) => skipped += 1,
            Err(error) => {
                failed += 1;
                bar.suspend(|| terminal::error(&format!("block {number}: {error}")));
            }
        }
        bar.set_message(format!("block {number}"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{written} bundles written to {}, {skipped} were there, {failed} failed", options.out.display());
    Ok(if failed == 0 { SUCCESS } else { FAILURE })
}

/// The chain that a node is on. What is not public is asked for: some nodes tell their forks.
async fn chain(client: &Client, url: &str, config: Option<ChainConfig>) -> eyre::Result<ChainReference> {
    if let Some(config) = config {
        let chain = ChainReference::Config(Box::new(config));
        chain.spec().map_err(CaptureError::from)?;
        return Ok(chain);
    }
    let id: U64 = client.call("eth_chainId", json!([])).await.wrap_err_with(|| url.to_owned())?;
    let known = ChainReference::Known(id.to());
    let Err(unknown) = known.spec() else { return Ok(known) };
    match client.call::<ChainConfig>("debug_chainConfig", json!([])).await {
        Ok(config) if config.chain_id == id.to::<u64>() => {
            let told = ChainReference::Config(Box::new(config));
            told.spec().map_err(CaptureError::from)?;
            Ok(told)
        }
        _ => Err(CaptureError::from(unknown).into()),
    }
}

/// One block of a node, with everything needed to execute it.
pub(crate) fn fetch(url: &str, wanted: BlockName, genesis: Option<&Path>) -> eyre::Result<Bundle> {
    let limits = Limits { rate: None, retries: 2, timeout: Duration::from_secs(120) };
    let client = Client::new(url, limits)?;
    let config = genesis.map(read_config).transpose()?;
    let runtime = Builder::new_multi_thread().enable_all().build().wrap_err("cannot start the network threads")?;
    runtime.block_on(async {
        let chain = chain(&client, url, config).await?;
        let number = match wanted {
            BlockName::Latest => {
                client.call::<U64>("eth_blockNumber", json!([])).await.wrap_err_with(|| url.to_owned())?.to()
            }
            BlockName::Number(number) => number,
            BlockName::Hash(hash) => {
                block::number_of(&client, hash).await.wrap_err_with(|| format!("{url}: block {hash}"))?
            }
        };
        if number == 0 {
            bail!("block 0 has no state before it, and no transactions");
        }
        let capture = Capture { client, chain, source: CaptureSource::Auto, has_witness: AtomicBool::new(true) };
        let bundle = capture.bundle(number).await.wrap_err_with(|| format!("{url}: block {number}"))?;
        match wanted {
            BlockName::Hash(hash) if hash != bundle.block.header.hash_slow() => {
                bail!("{url}: block {hash} is not part of the node's chain")
            }
            _ => Ok(bundle),
        }
    })
}

/// What all blocks of a capture share.
#[derive(Debug)]
struct Capture {
    client: Client,
    chain: ChainReference,
    source: CaptureSource,
    /// No answer so far says that the node has no witnesses.
    has_witness: AtomicBool,
}

impl Capture {
    /// Captures a block; `false` when its bundle is there already.
    async fn one(&self, number: u64, out: &Path) -> Result<bool, CaptureError> {
        let path = out.join(format!("{number}.{EXTENSION}"));
        if Bundle::read_from(&path).is_ok_and(|bundle| bundle.number() == number) {
            return Ok(false);
        }
        let bundle = self.bundle(number).await?;
        let write = tokio::task::spawn_blocking(move || bundle.write_to(&path));
        write.await.map_err(|_| CaptureError::Stopped)??;
        Ok(true)
    }

    /// A block with everything needed to execute it, which has been tried.
    async fn bundle(&self, number: u64) -> Result<Bundle, CaptureError> {
        let block = block::block(&self.client, number).await?;
        let receipts = block::receipts(&self.client, number).await?;
        let senders = recover_senders(&block, &self.chain)?;
        let mut bundle = Bundle {
            chain: self.chain.clone(),
            block,
            ommers_missing: false,
            senders: Some(senders),
            pre_state: PreState::Plain(PlainState::default()),
            block_hashes: Default::default(),
            receipts,
            access_list: None,
        };
        let traced = match self.witness(&bundle.block).await? {
            Some(witness) => {
                bundle.pre_state = PreState::Witness(witness);
                AddressMap::default()
            }
            None => source::trace(&self.client, number).await.map_err(|error| match error {
                CaptureError::Rpc(RpcError::MethodMissing(_)) if self.source == CaptureSource::Auto => {
                    CaptureError::NoSource
                }
                error => error,
            })?,
        };
        let (client, handle) = (self.client.clone(), Handle::current());
        let task = tokio::task::spawn_blocking(move || complete(bundle, client, handle, traced));
        task.await.map_err(|_| CaptureError::Stopped)?
    }

    /// The witness, unless the trace is to be used.
    async fn witness(&self, block: &Block) -> Result<Option<Witness>, CaptureError> {
        let is_wanted = match self.source {
            CaptureSource::Witness => true,
            CaptureSource::Prestate => false,
            CaptureSource::Auto => self.has_witness.load(Ordering::Relaxed),
        };
        if !is_wanted {
            return Ok(None);
        }
        match source::witness(&self.client, block).await {
            Ok(witness) => Ok(Some(witness)),
            Err(CaptureError::Rpc(RpcError::MethodMissing(_))) if self.source == CaptureSource::Auto => {
                self.has_witness.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Executes the block, which shows what is missing, and checks the result.
fn complete(
    mut bundle: Bundle,
    client: Client,
    handle: Handle,
    traced: AddressMap<source::TracedAccount>,
) -> Result<Bundle, CaptureError> {
    let base = match &bundle.pre_state {
        PreState::Witness(_) => Base::Witness(Box::new(bundle.snapshot()?)),
        PreState::Plain(_) => Base::Trace,
    };
    let state = CaptureState::new(client, handle, bundle.number() - 1, base, traced);
    let outcome = execute(&bundle, &state)?;
    match &mut bundle.pre_state {
        PreState::Plain(plain) => *plain = state.plain_state(),
        PreState::Witness(witness) if witness.keys.is_empty() => witness.keys = state.names(),
        PreState::Witness(_) => {}
    }
    bundle.block_hashes = state.block_hashes();
    bundle.check()?;
    let validation = validate(&bundle, &bundle.snapshot()?, &outcome);
    if let Some(mismatch) = validation.mismatches.into_iter().next() {
        return Err(CaptureError::Mismatch(Box::new(mismatch)));
    }
    Ok(bundle)
}

fn execute(bundle: &Bundle, state: &CaptureState) -> Result<BlockOutcome, CaptureError> {
    let block: RecoveredBlock = bundle.recovered_block()?;
    let outputs = Outputs { access_list: bundle.block.header.block_access_list_hash.is_some(), ..Outputs::default() };
    Ok(execute_serial(state, &block, &bundle.chain.spec()?, outputs)?)
}
