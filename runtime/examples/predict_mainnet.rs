//! How well the predictor foresees real blocks.
//!
//! `cargo run --release -p braid-runtime --example predict_mainnet -- FOLDER [none|cold|warm|warm+] [misses]`
//!
//! FOLDER is an unpacked set of blocks with pre-state (`blocks/N/block.json`, `blocks/N/pre_state.json`, `codes.json`,
//! `block_hashes.json`). Every block is executed serially by stock revm under an `AccessRecorder`; the predictor then foretells
//! each of its transactions. `none`: it never learned. `cold`: it learns within the block, window by window. `warm`: it has
//! learned from all other blocks, not from this one. `warm+`: both. With `misses` the dependencies that were not foreseen are
//! listed.

use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{HashMap, HashSet},
};
use braid_runtime::predict::{
    AccessRecorder, BlockContext, KeccakCache, KeccakPreimages, ObservedAccesses, PredictedKey, Prediction,
    PredictionScore, Predictor, Score, StateView, TransactionShape,
};
use revm::{
    Context, ExecuteCommitEvm, InspectEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::block::BlobExcessGasAndPrice,
    context_interface::transaction::{AccessList, AccessListItem},
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};
use serde_json::Value;
use std::{error::Error, fs, path::Path, time::Instant};

type Failure = Box<dyn Error>;

/// Transactions that are foretold together before learning from them, where a block teaches its own rest.
const WINDOW: usize = 48;

/// A transaction that ran.
struct Ran {
    sender: Address,
    to: Option<Address>,
    code_hash: B256,
    input: Bytes,
    value: U256,
    gas_limit: u64,
    observed: ObservedAccesses,
    preimages: KeccakPreimages,
}

/// A block that ran.
struct RanBlock {
    number: u64,
    context: BlockContext,
    state: CacheDB<EmptyDB>,
    transactions: Vec<Ran>,
    gas_matches: bool,
}

struct Parent<'a>(&'a CacheDB<EmptyDB>);

impl StateView for Parent<'_> {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        self.0.cache.accounts.get(&address)?.storage.get(&slot).copied()
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        Some(self.0.cache.accounts.get(&address)?.info.code_hash)
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let info = &self.0.cache.accounts.get(&address)?.info;
        let code = info.code.as_ref().or_else(|| self.0.cache.contracts.get(&info.code_hash))?;
        Some(code.original_bytes())
    }
}

impl RanBlock {
    fn shape<'a>(&self, ran: &'a Ran) -> TransactionShape<'a> {
        TransactionShape {
            sender: ran.sender,
            to: ran.to,
            code_hash: ran.code_hash,
            input: &ran.input,
            value: ran.value,
            gas_limit: ran.gas_limit,
            block: self.context,
        }
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else { return Err("give the folder with the blocks".into()) };
    let mode = arguments.get(1).map_or("warm", String::as_str);
    let learns_inside = matches!(mode, "cold" | "warm+");
    let list_misses = arguments.iter().any(|argument| argument == "misses");
    let blocks = run_all(Path::new(folder))?;
    println!(
        "{:>9} {:>4} {:>6} | {:>22} | {:>22} | {:>22} | {:>15} | {:>11}",
        "block",
        "txs",
        "known",
        "slots p/r/over",
        "shared slots p/r/over",
        "writes p/r/over",
        "accounts p/r",
        "edges r/p"
    );
    let mut total = PredictionScore::default();
    let mut known_score = PredictionScore::default();
    let mut classes: HashMap<B256, (Address, u64, PredictionScore)> = HashMap::default();
    let (mut edges, mut all_known, mut all_calls) = (Edges::default(), 0, 0);
    let (mut learning, mut predicting, mut predicted_keys, mut learned) = (0.0, 0.0, 0, 0);
    for (index, block) in blocks.iter().enumerate() {
        let mut predictor = Predictor::default();
        if matches!(mode, "warm" | "warm+") {
            let started = Instant::now();
            for other in blocks.iter().filter(|other| other.number != block.number) {
                for ran in &other.transactions {
                    predictor.learn(&other.shape(ran), &ran.observed, &ran.preimages);
                    learned += 1;
                }
            }
            learning += started.elapsed().as_secs_f64();
            if index == 0 {
                let bytes = predictor.save();
                println!("{} templates, saved in {} bytes", predictor.len(), bytes.len());
                Predictor::load(&bytes, *predictor.config())?;
            }
        }
        let writers = writers(block);
        let mut keccak = KeccakCache::default();
        let mut predictions: Vec<Prediction> = Vec::new();
        let mut score = PredictionScore::default();
        let (mut known, mut calls) = (0, 0);
        for (position, ran) in block.transactions.iter().enumerate() {
            let shape = block.shape(ran);
            let mut prediction = Prediction::default();
            let started = Instant::now();
            predictor.predict(&shape, &Parent(&block.state), &mut keccak, &mut prediction);
            predicting += started.elapsed().as_secs_f64();
            predicted_keys += prediction.keys.len();
            if ran.to.is_some() && ran.code_hash != KECCAK256_EMPTY {
                calls += 1;
                known += prediction.known as u64;
            }
            let shared = |address, slot| {
                writers.get(&(address, slot)).is_some_and(|list| list.iter().any(|writer| *writer != position))
            };
            let one = PredictionScore::of(&prediction, &ran.observed, shared);
            score.add(&one);
            if prediction.known {
                known_score.add(&one);
            }
            let class =
                classes.entry(ran.code_hash).or_insert((ran.to.unwrap_or_default(), 0, PredictionScore::default()));
            class.1 += 1;
            class.2.add(&one);
            predictions.push(prediction);
            if learns_inside && predictions.len().is_multiple_of(WINDOW) {
                for ran in &block.transactions[predictions.len() - WINDOW..predictions.len()] {
                    predictor.learn(&block.shape(ran), &ran.observed, &ran.preimages);
                }
            }
        }
        let block_edges = Edges::of(block, &predictions, if learns_inside { WINDOW } else { usize::MAX }, list_misses);
        edges.add(&block_edges);
        all_known += known;
        all_calls += calls;
        print_row(
            &format!("{}{}", block.number, if block.gas_matches { "" } else { "!" }),
            &score,
            &block_edges,
            (block.transactions.len(), known, calls),
        );
        total.add(&score);
    }
    let count: usize = blocks.iter().map(|block| block.transactions.len()).sum();
    print_row("total", &total, &edges, (count, all_known, all_calls));
    println!(
        "predicting: {:.2} µs per transaction, {:.2} keys each; learning: {:.2} µs per transaction",
        predicting * 1e6 / count as f64,
        predicted_keys as f64 / count as f64,
        learning * 1e6 / f64::max(learned as f64, 1.0)
    );
    println!(
        "transactions with a true dependency: {}, all of them foreseen: {}, with a needless one: {}",
        edges.dependent, edges.covered, edges.needless
    );
    println!(
        "of calls with a template: slots {}, shared slots {}",
        describe(&known_score.slots),
        describe(&known_score.shared_slots)
    );
    println!("codes with the most slots missed:");
    let mut classes: Vec<_> = classes.into_values().collect();
    classes.sort_by_key(|(_, _, score)| std::cmp::Reverse(score.slots.false_negative));
    for (to, count, score) in classes.iter().take(25) {
        println!("    {to} {count:>4} txs, slots {}, shared {}", describe(&score.slots), describe(&score.shared_slots));
    }
    Ok(())
}

fn describe(score: &Score) -> String {
    let (precision, recall) = (100.0 * score.precision(), 100.0 * score.recall());
    let touched = score.true_positive + score.false_negative;
    format!("{precision:5.1} {recall:5.1} {:5.2} {touched:>4}", score.over_prediction())
}

fn print_row(name: &str, score: &PredictionScore, edges: &Edges, (count, known, calls): (usize, u64, u64)) {
    println!(
        "{name:>9} {count:>4} {:>6} | {} | {} | {} | {:5.1} {:5.1} {:>4} | {:5.1} {:5.1}",
        format!("{known}/{calls}"),
        describe(&score.slots),
        describe(&score.shared_slots),
        describe(&score.writes),
        100.0 * score.accounts.precision(),
        100.0 * score.accounts.recall(),
        score.accounts.true_positive + score.accounts.false_negative,
        100.0 * edges.covered as f64 / f64::max(edges.dependent as f64, 1.0),
        100.0 * (1.0 - edges.needless as f64 / f64::max(edges.predicted as f64, 1.0))
    );
}

type Writers = HashMap<(Address, U256), Vec<usize>>;

fn writers(block: &RanBlock) -> Writers {
    let mut writers = Writers::default();
    for (position, ran) in block.transactions.iter().enumerate() {
        for slot in ran.observed.slots.iter().filter(|slot| slot.written) {
            let list = writers.entry((slot.address, slot.slot)).or_default();
            if list.last() != Some(&position) {
                list.push(position);
            }
        }
    }
    writers
}

/// All predicted slots, those that are only assumed too.
fn slots(prediction: &Prediction) -> impl Iterator<Item = (Address, U256, bool)> + '_ {
    prediction.keys.iter().filter_map(|access| match access.key {
        PredictedKey::Slot { address, slot, write } => Some((address, slot, write)),
        PredictedKey::Account { .. } => None,
    })
}

/// Read-after-write dependencies through slots, transaction by transaction.
#[derive(Default)]
struct Edges {
    /// Transactions that read a slot an earlier one wrote.
    dependent: u64,
    /// Of those, the ones all of whose last writers were foreseen.
    covered: u64,
    /// Transactions foreseen to depend on another.
    predicted: u64,
    /// Of those, the ones with a dependency that is none.
    needless: u64,
}

impl Edges {
    fn of(block: &RanBlock, predictions: &[Prediction], window: usize, list: bool) -> Self {
        let mut edges = Self::default();
        let mut last: HashMap<(Address, U256), usize> = HashMap::default();
        let mut predicted_last: HashMap<(Address, U256), usize> = HashMap::default();
        let mut true_sets: Vec<HashSet<usize>> = Vec::new();
        for (position, ran) in block.transactions.iter().enumerate() {
            if position % window == 0 {
                last.clear();
                predicted_last.clear();
            }
            let sender = |other: &usize| block.transactions[*other].sender == ran.sender;
            let truth: HashSet<usize> = ran
                .observed
                .slots
                .iter()
                .filter_map(|slot| last.get(&(slot.address, slot.slot)).copied())
                .filter(|other| !sender(other))
                .collect();
            let foreseen: HashSet<usize> = slots(&predictions[position])
                .filter_map(|(address, slot, _)| predicted_last.get(&(address, slot)).copied())
                .filter(|other| !sender(other))
                .collect();
            // What precedes a foreseen predecessor precedes as well.
            let mut reach: HashSet<usize> = HashSet::default();
            let mut queue: Vec<usize> = foreseen.iter().copied().collect();
            while let Some(next) = queue.pop() {
                if reach.insert(next) {
                    queue.extend(true_sets[next].iter().copied());
                }
            }
            if list && !truth.is_subset(&reach) {
                edges.list_missed(block, predictions, position, &last, &reach);
            }
            edges.dependent += !truth.is_empty() as u64;
            edges.covered += (!truth.is_empty() && truth.is_subset(&reach)) as u64;
            edges.predicted += !foreseen.is_empty() as u64;
            edges.needless += (!foreseen.is_empty() && !foreseen.iter().any(|other| truth.contains(other))) as u64;
            for slot in ran.observed.slots.iter().filter(|slot| slot.written) {
                last.insert((slot.address, slot.slot), position);
            }
            for (address, slot, write) in slots(&predictions[position]) {
                if write {
                    predicted_last.insert((address, slot), position);
                }
            }
            true_sets.push(foreseen);
        }
        edges
    }

    /// Prints the dependencies of a transaction that were not foreseen, and which side is to blame.
    fn list_missed(
        &self,
        block: &RanBlock,
        predictions: &[Prediction],
        position: usize,
        last: &HashMap<(Address, U256), usize>,
        reach: &HashSet<usize>,
    ) {
        let ran = &block.transactions[position];
        let mut seen = HashSet::new();
        for slot in &ran.observed.slots {
            let key = (slot.address, slot.slot);
            let Some(writer) = last.get(&key).copied() else { continue };
            let earlier = &block.transactions[writer];
            if reach.contains(&writer) || earlier.sender == ran.sender || !seen.insert(writer) {
                continue;
            }
            let foreseen = |at: usize| {
                let known = if predictions[at].known { "known" } else { "unknown" };
                match slots(&predictions[at]).find(|(address, slot, _)| (*address, *slot) == key) {
                    None => format!("{known}, missed"),
                    Some((.., write)) => format!("{known}, foreseen{}", if write { " written" } else { "" }),
                }
            };
            let path = |ran: &Ran| {
                let slot = ran.observed.slots.iter().find(|slot| (slot.address, slot.slot) == key);
                let mut call = slot.map_or(0, |slot| slot.call);
                let mut path = String::new();
                while call > 0 {
                    let inner = &ran.observed.calls[call as usize - 1];
                    let input = &ran.observed.bytes[inner.input.start as usize..inner.input.end as usize];
                    let selector = Bytes::copy_from_slice(&input[..input.len().min(4)]);
                    path = format!(" > {:?} {} {selector}{path}", inner.kind, &inner.code_address.to_string()[..8]);
                    call = inner.parent;
                }
                format!(
                    "{} {}{path}",
                    ran.to.unwrap_or_default(),
                    Bytes::copy_from_slice(&ran.input[..ran.input.len().min(4)])
                )
            };
            println!("    {} #{position} needs #{writer}: slot {:#x} of {}", block.number, key.1, key.0);
            println!("        reader {}: {}", foreseen(position), path(ran));
            println!("        writer {}: {}", foreseen(writer), path(earlier));
        }
    }

    fn add(&mut self, other: &Self) {
        self.dependent += other.dependent;
        self.covered += other.covered;
        self.predicted += other.predicted;
        self.needless += other.needless;
    }
}

fn run_all(folder: &Path) -> Result<Vec<RanBlock>, Failure> {
    let codes: HashMap<B256, Bytes> = serde_json::from_slice(&fs::read(folder.join("codes.json"))?)?;
    let codes: HashMap<B256, Bytecode> =
        codes.into_iter().map(|(hash, code)| (hash, Bytecode::new_raw(code))).collect();
    let hashes: HashMap<String, B256> = serde_json::from_slice(&fs::read(folder.join("block_hashes.json"))?)?;
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder.join("blocks"))? {
        numbers.push(entry?.file_name().to_string_lossy().parse::<u64>()?);
    }
    numbers.sort_unstable();
    numbers.into_iter().map(|number| run_block(folder, number, &codes, &hashes)).collect()
}

fn spec_at(number: u64) -> SpecId {
    let forks = [
        (1_150_000, SpecId::HOMESTEAD),
        (2_463_000, SpecId::TANGERINE),
        (2_675_000, SpecId::SPURIOUS_DRAGON),
        (4_370_000, SpecId::BYZANTIUM),
        (7_280_000, SpecId::PETERSBURG),
        (9_069_000, SpecId::ISTANBUL),
        (12_244_000, SpecId::BERLIN),
        (12_965_000, SpecId::LONDON),
        (15_537_394, SpecId::MERGE),
        (17_034_870, SpecId::SHANGHAI),
        (19_426_587, SpecId::CANCUN),
    ];
    forks.into_iter().rev().find(|(from, _)| number >= *from).map_or(SpecId::FRONTIER, |(_, spec)| spec)
}

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> Result<Option<T>, Failure> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(found) => Ok(Some(serde_json::from_value(found.clone())?)),
    }
}

fn number(value: &Value, name: &str) -> Result<Option<u64>, Failure> {
    Ok(field::<U256>(value, name)?.map(|word| word.saturating_to()))
}

fn run_block(
    folder: &Path,
    height: u64,
    codes: &HashMap<B256, Bytecode>,
    hashes: &HashMap<String, B256>,
) -> Result<RanBlock, Failure> {
    let path = folder.join("blocks").join(height.to_string());
    let block: Value = serde_json::from_slice(&fs::read(path.join("block.json"))?)?;
    let mut database = read_state(&serde_json::from_slice(&fs::read(path.join("pre_state.json"))?)?, codes)?;
    for (number, hash) in hashes {
        database.cache.block_hashes.insert(U256::from(number.parse::<u64>()?), *hash);
    }
    let state = database.clone();
    let context = BlockContext {
        number: height,
        timestamp: number(&block, "timestamp")?.unwrap_or_default(),
        beneficiary: field(&block, "miner")?.unwrap_or_default(),
        base_fee: number(&block, "baseFeePerGas")?.unwrap_or_default(),
    };
    let spec = spec_at(height);
    let environment = BlockEnv {
        number: U256::from(height),
        beneficiary: context.beneficiary,
        timestamp: U256::from(context.timestamp),
        gas_limit: number(&block, "gasLimit")?.unwrap_or(30_000_000),
        basefee: context.base_fee,
        difficulty: field(&block, "difficulty")?.unwrap_or_default(),
        prevrandao: field(&block, "mixHash")?,
        blob_excess_gas_and_price: number(&block, "excessBlobGas")?
            .map(|excess| BlobExcessGasAndPrice::new(excess, 3_338_477)),
        ..BlockEnv::default()
    };
    let mut evm = Context::mainnet()
        .with_db(database)
        .with_block(environment)
        .with_cfg(CfgEnv::new_with_spec(spec))
        .build_mainnet_with_inspector(AccessRecorder::default());
    let empty = Vec::new();
    let list = block.get("transactions").and_then(Value::as_array).unwrap_or(&empty);
    let mut transactions = Vec::with_capacity(list.len());
    let mut gas = 0;
    for (index, transaction) in list.iter().enumerate() {
        let environment = read_transaction(transaction)?;
        let code_hash = match environment.kind {
            TxKind::Call(to) => evm
                .ctx
                .journaled_state
                .database
                .cache
                .accounts
                .get(&to)
                .map_or(KECCAK256_EMPTY, |account| account.info.code_hash),
            TxKind::Create => KECCAK256_EMPTY,
        };
        evm.inspector.clear();
        let outcome = evm
            .inspect_tx(environment.clone())
            .map_err(|error| format!("block {height}, transaction {index}: {error:?}"))?;
        evm.commit(outcome.state);
        let mut observed = evm.inspector.observed.clone();
        observed.gas_used = outcome.result.tx_gas_used();
        observed.success = outcome.result.is_success();
        gas += observed.gas_used;
        transactions.push(Ran {
            sender: environment.caller,
            to: environment.kind.to().copied(),
            code_hash,
            input: environment.data,
            value: environment.value,
            gas_limit: environment.gas_limit,
            observed,
            preimages: evm.inspector.preimages.clone(),
        });
    }
    let gas_matches = Some(gas) == number(&block, "gasUsed")?;
    Ok(RanBlock { number: height, context, state, transactions, gas_matches })
}

fn read_state(accounts: &Value, codes: &HashMap<B256, Bytecode>) -> Result<CacheDB<EmptyDB>, Failure> {
    let mut database = CacheDB::new(EmptyDB::default());
    for (address, account) in accounts.as_object().ok_or("the pre-state is no object")? {
        let address: Address = address.parse()?;
        let code_hash: B256 = field(account, "code_hash")?.unwrap_or(KECCAK256_EMPTY);
        let info = AccountInfo {
            balance: field(account, "balance")?.unwrap_or_default(),
            nonce: account.get("nonce").and_then(Value::as_u64).unwrap_or_default(),
            code_hash,
            code: codes.get(&code_hash).cloned(),
            ..AccountInfo::default()
        };
        database.insert_account_info(address, info);
        let storage: HashMap<U256, U256> = field(account, "storage")?.unwrap_or_default();
        for (slot, value) in storage {
            database.insert_account_storage(address, slot, value)?;
        }
    }
    Ok(database)
}

fn read_transaction(transaction: &Value) -> Result<TxEnv, Failure> {
    let access_list: Vec<Value> = field(transaction, "accessList")?.unwrap_or_default();
    let access_list: Result<Vec<AccessListItem>, Failure> = access_list
        .iter()
        .map(|item| {
            Ok(AccessListItem {
                address: field(item, "address")?.unwrap_or_default(),
                storage_keys: field(item, "storageKeys")?.unwrap_or_default(),
            })
        })
        .collect();
    let fee: u128 =
        field::<U256>(transaction, "maxFeePerGas")?.or(field(transaction, "gasPrice")?).unwrap_or_default().to();
    let priority = field::<U256>(transaction, "maxPriorityFeePerGas")?.map(|fee| fee.to());
    Ok(TxEnv {
        tx_type: number(transaction, "type")?.unwrap_or_default() as u8,
        caller: field(transaction, "from")?.unwrap_or_default(),
        gas_limit: number(transaction, "gas")?.unwrap_or_default(),
        gas_price: fee,
        kind: field::<Address>(transaction, "to")?.map_or(TxKind::Create, TxKind::Call),
        value: field(transaction, "value")?.unwrap_or_default(),
        data: field(transaction, "input")?.unwrap_or_default(),
        nonce: number(transaction, "nonce")?.unwrap_or_default(),
        chain_id: number(transaction, "chainId")?,
        access_list: AccessList(access_list?),
        gas_priority_fee: priority,
        blob_hashes: field(transaction, "blobVersionedHashes")?.unwrap_or_default(),
        max_fee_per_blob_gas: field::<U256>(transaction, "maxFeePerBlobGas")?.map_or(0, |fee| fee.to()),
        ..TxEnv::default()
    })
}
