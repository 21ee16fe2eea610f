//! What it costs to take a transfer into the transaction pool, and to take a block's worth out of it.
//!
//! `cargo run --release -p braid-chain --example pool_cost -- [TRANSFERS] [SENDERS]`
//!
//! Signs so many transfers (default 50,000) of so many senders (default 128), and prints microseconds of processor time per transfer on one thread for decoding, for recovering
//! the sender and for admission; the same for raw transfers in batches of 100 on all threads; and milliseconds for choosing the transactions of blocks of
//! several sizes out of all of them.

use alloy_consensus::{
    EMPTY_ROOT_HASH, Header, SignableTransaction, TxEip1559,
    crypto::secp256k1::{recover_signer, sign_message},
};
use alloy_eips::{Encodable2718, eip1559::INITIAL_BASE_FEE, eip4895::Withdrawals};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, TxKind, U256, keccak256};
use braid_chain::{Chain, ChainOptions, Origin, PoolOptions, TransactionPool, pool::PooledTransaction};
use braid_runtime::ChainSpec;
use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, Genesis, state_root};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

type AnyError = Box<dyn Error + Send + Sync>;

/// Transactions of one batch.
const BATCH: usize = 100;
/// Gas limits of the blocks that are chosen for.
const BLOCKS: [u64; 3] = [30_000_000, 300_000_000, 1_000_000_000];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (Ok(transfers), Ok(senders)) = (number(50_000u64), number(128u64)) else {
        eprintln!("usage: pool_cost [TRANSFERS] [SENDERS]");
        std::process::exit(2);
    };
    if let Err(error) = run(transfers.max(1), senders.max(1)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run(transfers: u64, senders: u64) -> Result<(), AnyError> {
    let keys: Vec<B256> = (0..senders).map(|number| keccak256(number.to_be_bytes())).collect();
    let signed: Result<Vec<Bytes>, _> = (0..transfers)
        .into_par_iter()
        .map(|number| sign(keys[(number % senders) as usize], number / senders, number))
        .collect();
    let raws = signed?;
    let chain = Arc::new(chain(&keys)?);

    let pool = TransactionPool::new(Arc::clone(&chain), options());
    let per_transfer = |time: Duration| time.as_secs_f64() * 1e6 / transfers as f64;
    let begin = processor_time();
    let decoded: Vec<PooledTransaction> = raws.iter().map(|raw| pool.decode(raw)).collect::<Result<_, _>>()?;
    let decode = processor_time() - begin;
    let begin = processor_time();
    let recovered: Vec<_> =
        decoded.into_iter().map(|transaction| pool.recover(transaction)).collect::<Result<_, _>>()?;
    let recover = processor_time() - begin;
    let begin = processor_time();
    for transaction in recovered {
        pool.add(transaction, Origin::Local)?;
    }
    let add = processor_time() - begin;
    println!(
        "one thread, us per transfer: decode {:.2}, recover {:.2}, add {:.2}",
        per_transfer(decode),
        per_transfer(recover),
        per_transfer(add)
    );

    let (head, header) = chain.head_header();
    for gas_limit in BLOCKS {
        let begin = Instant::now();
        let best = pool.best_transactions(&header, INITIAL_BASE_FEE, gas_limit);
        println!(
            "block of {} Mgas on {}: {} transactions chosen in {:.2} ms",
            gas_limit / 1_000_000,
            head.number,
            best.len(),
            begin.elapsed().as_secs_f64() * 1e3
        );
    }

    let pool = TransactionPool::new(chain, options());
    let begin = Instant::now();
    for batch in raws.chunks(BATCH) {
        for result in pool.add_raw_batch(batch, Origin::Local) {
            result?;
        }
    }
    println!(
        "batches of {BATCH} on {} threads, us per transfer: {:.2}",
        rayon::current_num_threads(),
        per_transfer(begin.elapsed())
    );
    Ok(())
}

/// Processor time of this thread, or, where the system does not tell, time.
fn processor_time() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

fn options() -> PoolOptions {
    let large = 100_000_000;
    PoolOptions { pending: large, sender_pending: large, bytes: usize::MAX, ..PoolOptions::default() }
}

fn sign(key: B256, nonce: u64, number: u64) -> Result<Bytes, AnyError> {
    let transaction = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2_000_000_000,
        // Many different tips, as a pool has them.
        max_priority_fee_per_gas: 1_000_000 + u128::from(number * 7919 % 10_007),
        to: TxKind::Call(Address::left_padding_from(&number.to_be_bytes())),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = sign_message(key, transaction.signature_hash())?;
    Ok(PooledTransaction::from(transaction.into_signed(signature)).encoded_2718().into())
}

/// A chain of nothing but its genesis, in which every key has ether.
fn chain(keys: &[B256]) -> Result<Chain, AnyError> {
    let spec = ChainSpec::from_suite_fork("Shanghai")?;
    let record = AccountRecord { nonce: 0, balance: U256::from(10).pow(U256::from(24)), code_hash: KECCAK256_EMPTY };
    let address =
        |key: &B256| -> Result<Address, AnyError> { Ok(recover_signer(&sign_message(*key, B256::ZERO)?, B256::ZERO)?) };
    let addresses = keys.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let header = Header {
        gas_limit: 1_000_000_000,
        base_fee_per_gas: Some(INITIAL_BASE_FEE),
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        state_root: state_root(addresses.iter().map(|address| (*address, record, []))),
        ..Header::default()
    };
    let accounts = addresses.iter().map(|address| AccountChange {
        address: *address,
        present: Some(record),
        storage_wiped: false,
    });
    let state = BlockChange { accounts: accounts.collect(), slots: Vec::new(), contracts: Vec::new() };
    let body = Body { withdrawals: Some(Withdrawals::default()), ..Body::default() };
    let genesis = Genesis { chain_id: 1, header, body, state };
    let database = Database::in_memory(&genesis, DatabaseOptions::default())?;
    Ok(Chain::new(database, spec, ChainOptions::default())?)
}
