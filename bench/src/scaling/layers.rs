//! What the other layers of a node cost: senders, state roots, commits. On one core, in microseconds of core time for each transaction.

use super::ScalingError;
use crate::{engine::spec_of, import::process_time, workload::Case};
use alloy_consensus::{Header, crypto::secp256k1::sign_message};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256, map::AddressMap};
use braid_chain::block_change;
use braid_runtime::{
    Outputs,
    oracle::execute_serial,
    senders::{SignedHash, recover_signers},
};
use braid_storage::{
    AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, ExecutedBlock, Genesis, Layer,
    state_root,
};
use serde::Serialize;
use std::{hint::black_box, sync::Arc, time::Instant};

/// Transactions whose senders are recovered.
const SIGNED: usize = 2_048;
/// Times that each layer is measured; the median counts.
const ROUNDS: usize = 5;
/// Accounts that nobody touches, so that the tries are as deep as those of a chain in use.
const BYSTANDERS: u64 = 200_000;
/// Blocks of a profile for which roots are computed, the largest first.
const ROOTED: usize = 3;

/// Microseconds of one core for each transaction.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LayerCosts {
    /// Hashing what was signed and recovering the key.
    pub senders: f64,
    /// The state root after the block.
    pub root: f64,
    /// Writing the block, its receipts, its state and its history.
    pub commit: f64,
    /// The same in wall time: one thread writes, so this is the least time between two blocks.
    pub commit_wall: f64,
}

fn median(mut sample: Vec<f64>) -> f64 {
    sample.sort_by(f64::total_cmp);
    sample.get(sample.len() / 2).copied().unwrap_or(0.0)
}

/// Measures all layers for the transactions of these blocks.
pub(super) fn measure(cases: &[Case]) -> Result<LayerCosts, ScalingError> {
    let mut largest: Vec<&Case> = cases.iter().collect();
    largest.sort_by_key(|case| std::cmp::Reverse(case.block.transactions().len()));
    largest.truncate(ROOTED);
    let transactions: usize = largest.iter().map(|case| case.block.transactions().len()).sum();
    let mut layers = LayerCosts { senders: senders(cases), ..LayerCosts::default() };
    for case in largest {
        let [root, commit, commit_wall] = state(case)?;
        layers.root += root / transactions as f64;
        layers.commit += commit / transactions as f64;
        layers.commit_wall += commit_wall / transactions as f64;
    }
    Ok(layers)
}

/// The transactions of generated blocks are not really signed, so all are signed here first, with one key.
fn senders(cases: &[Case]) -> f64 {
    let key = keccak256(b"scaling");
    let transactions: Vec<_> = cases.iter().flat_map(|case| case.block.transactions()).take(SIGNED).collect();
    let signed: Vec<SignedHash> = transactions
        .iter()
        .map(|tx| {
            let hash = tx.signature_hash();
            SignedHash { hash, signature: sign_message(key, hash).expect("a hash is a valid key") }
        })
        .collect();
    let times = (0..ROUNDS).map(|_| {
        let started = process_time();
        transactions.iter().for_each(|tx| _ = black_box(tx.signature_hash()));
        assert!(black_box(recover_signers(&signed)).iter().all(Option::is_some), "a signature was not ours");
        (process_time() - started).as_secs_f64() * 1e6 / transactions.len().max(1) as f64
    });
    median(times.collect())
}

fn bystander(index: u64) -> AccountChange {
    let record = AccountRecord { nonce: 1, balance: U256::from(index + 1), code_hash: KECCAK256_EMPTY };
    let address = Address::from_word(keccak256([&index.to_be_bytes()[..], b"bystander"].concat()));
    AccountChange { address, present: Some(record), storage_wiped: false }
}

fn genesis(case: &Case) -> Genesis {
    let mut state = case.snapshot.to_change();
    state.accounts.extend((0..BYSTANDERS).map(bystander));
    let mut slots = AddressMap::<Vec<(U256, U256)>>::default();
    state.slots.iter().for_each(|slot| slots.entry(slot.address).or_default().push((slot.slot, slot.present)));
    let root = state_root(state.accounts.iter().filter_map(|account| {
        Some((account.address, account.present?, slots.get(&account.address).cloned().unwrap_or_default()))
    }));
    let header = Header { state_root: root, ..Header::default() };
    Genesis { chain_id: 1, header, body: Body::default(), state }
}

/// Root, commit, and commit in wall time, of a whole block, in microseconds.
fn state(case: &Case) -> Result<[f64; 3], ScalingError> {
    let folder = tempfile::tempdir()?;
    let database = Database::create(folder.path(), &genesis(case), DatabaseOptions::default())?;
    let failed = |source| ScalingError::Side { block: case.name.clone(), source };
    let spec = spec_of(&case.chain);
    let outcome = execute_serial(&*case.snapshot, &case.block, &spec, Outputs::default())
        .map_err(|error| failed(error.into()))?;
    let change: BlockChange = block_change(outcome.diff);
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| ScalingError::Start(error.to_string()))?;
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let snapshot = database.snapshot()?;
        let head = snapshot.block();
        // What execution would have brought into the cache.
        for account in &change.accounts {
            snapshot.account(account.address)?;
        }
        for slot in &change.slots {
            snapshot.slot(slot.address, slot.slot)?;
        }
        let cpu = process_time();
        let update = one.install(|| snapshot.state_after(&change))?;
        let root = process_time() - cpu;
        let header = Header {
            number: head.number + 1,
            parent_hash: head.hash,
            state_root: update.state_root(),
            extra_data: B256::from(U256::from(round)).into(),
            ..Header::default()
        };
        let layer = Layer::new(header.number, header.hash_slow(), head.hash, change.clone(), update);
        let block = ExecutedBlock {
            header,
            body: case.block.block().body.clone(),
            receipts: outcome.receipts.clone(),
            layer: Arc::new(layer),
        };
        drop(snapshot);
        let (cpu, started) = (process_time(), Instant::now());
        database.append(&[block])?;
        database.flush()?;
        let wall = started.elapsed();
        let commit = process_time() - cpu;
        database.unwind(head.number)?;
        // The first finds nothing in the cache.
        if round > 0 {
            for (sample, time) in samples.iter_mut().zip([root, commit, wall]) {
                sample.push(time.as_secs_f64() * 1e6);
            }
        }
    }
    Ok(samples.map(median))
}
