//! Running state tests.
//!
//! Each variant becomes a block of one transaction, on a chain whose blocks do nothing else, and is executed by plain revm and by the engine.
//! Root of the state, logs and, where it is stated, the state itself must come out; a transaction that must be refused must be
//! refused by all, at the latest when it is executed.

use super::{
    case::{CaseReport, Verdict, compare},
    options::{CaseMode, SuiteOptions},
    run::Suite,
    skips,
};
use alloy_consensus::{BlockBody, Header, Transaction as _};
use alloy_eips::eip4895::Withdrawals;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Log, keccak256};
use braid_fixtures::suites::{
    CaseText, Format, StateTest,
    snapshot::SuiteSnapshot,
    state_test::{Environment, PostState, TemplateError, decode_transaction},
};
use braid_runtime::{
    AccessHints, Block, BlockOutcome, ChainSpec, Engine, EngineConfig, Mode, Outputs, RecoveredBlock, Transaction,
    engine::Path, oracle,
};

/// Runs state tests.
#[derive(Debug)]
pub(super) struct StateSuite<'o> {
    options: &'o SuiteOptions,
}

impl<'o> StateSuite<'o> {
    pub(super) const fn new(options: &'o SuiteOptions) -> Self {
        Self { options }
    }
}

impl Suite for StateSuite<'_> {
    type Machine = Engine;
    const FORMAT: Format = Format::State;

    fn machine(&self) -> eyre::Result<Engine> {
        let threads = usize::from(self.options.threads);
        Ok(Engine::new(EngineConfig { mode: Mode::Forced, threads, ..EngineConfig::default() })?)
    }

    fn run(&self, engine: &mut Engine, file: &str, case: &CaseText<'_>, report: &mut dyn FnMut(CaseReport)) {
        let mut tell = |name: String, fork: &str, verdict| {
            report(CaseReport { name, fork: fork.to_owned(), verdict, informative: None });
        };
        let test = match case.decode::<StateTest<'_>>() {
            Ok(test) => test,
            Err(error) => {
                return tell(case.name.clone().into_owned(), "", Verdict::failed(error));
            }
        };
        let snapshot = SuiteSnapshot::new(&test.pre);
        let mut variants = Variants { test: &test, snapshot: &snapshot, engine, options: self.options };
        for (fork, posts) in &test.post {
            if !self.options.fork.is_empty() && !self.options.fork.contains(fork) {
                continue;
            }
            let skip = skips::reason(file, fork, self.options.skip_slow);
            let spec = test.config.spec(fork).map(ChainSpec::with_transactions_only);
            for post in posts {
                let indexes = post.indexes;
                let name = format!("{} [{fork} d{} g{} v{}]", case.name, indexes.data, indexes.gas, indexes.value);
                let verdict = match (skip, &spec) {
                    (Some(reason), _) => Verdict::Skipped(reason),
                    (None, Err(error)) => Verdict::failed(error),
                    (None, Ok(spec)) => variants.run(file, spec, post),
                };
                tell(name, fork, verdict);
            }
        }
    }
}

/// The variants of one case.
struct Variants<'v, 't> {
    test: &'v StateTest<'t>,
    snapshot: &'v SuiteSnapshot<'v>,
    engine: &'v mut Engine,
    options: &'v SuiteOptions,
}

impl Variants<'_, '_> {
    fn run(&mut self, file: &str, spec: &ChainSpec, post: &PostState) -> Verdict {
        let refused = post.expect_exception.as_deref();
        let block = header(&self.test.env, spec)
            .map_err(Refusal::NotAsStated)
            .and_then(|header| self.block(header, spec, post));
        let block = match (block, refused) {
            (Ok(block), _) => block,
            // Refused before anything is executed.
            (Err(Refusal::ByRule(_)), Some(_)) => return Verdict::Passed,
            (Err(Refusal::ByRule(reason)), None) => {
                return Verdict::failed(format_args!("transaction: expected a valid one, got {reason}"));
            }
            (Err(Refusal::NotAsStated(difference)), _) => return Verdict::failed(difference),
        };
        Verdict::of(file, self.options.mode.runs(), |mode| {
            let outcome = match mode {
                CaseMode::Serial => oracle::execute_serial(self.snapshot, &block, spec, Outputs::default()),
                CaseMode::Parallel => {
                    self.engine.execute_block(self.snapshot, &block, spec, AccessHints::Predicted, Outputs::default())
                }
            };
            match (outcome, refused) {
                (Ok(outcome), None) => self.check(&outcome, post),
                (Ok(_), Some(reason)) => Err(format!("transaction: expected to be refused ({reason}), got accepted")),
                (Err(error), Some(_)) if error.is_invalid() => Ok(()),
                (Err(error), _) => Err(format!("transaction: expected a valid one, got {error}")),
            }
        })
    }

    /// The block of the variant's transaction, with its sender recovered from the signature.
    fn block(&self, header: Header, spec: &ChainSpec, post: &PostState) -> Result<RecoveredBlock, Refusal> {
        let template = &self.test.transaction;
        let built = template.sign(post.indexes);
        let transaction = match (&post.transaction, built) {
            (None, built) => built?,
            (Some(bytes), Ok(built)) => {
                let decoded = decode_transaction(bytes)?;
                compare_transactions(&built, &decoded).map_err(Refusal::NotAsStated)?;
                decoded
            }
            (Some(bytes), Err(_)) => decode_transaction(bytes)?,
        };
        let withdrawals = spec.is_shanghai_active_at_timestamp(header.timestamp).then(Withdrawals::default);
        let body = BlockBody { transactions: vec![transaction], ommers: Vec::new(), withdrawals };
        let block = RecoveredBlock::recover(Block::new(header, body), spec)
            .map_err(|error| Refusal::ByRule(error.to_string()))?;
        if let Some(expected) = template.sender {
            let got = block.senders().first().copied().unwrap_or_default();
            compare::<Address>("sender", expected, got).map_err(Refusal::NotAsStated)?;
        }
        Ok(block)
    }

    fn check(&self, outcome: &BlockOutcome, post: &PostState) -> Result<(), String> {
        if let Path::Fallback(reason) = &outcome.report.path {
            return Err(format!("execution: expected by the engine itself, got serial: {reason}"));
        }
        let mut state = self.test.pre.clone();
        state.apply(&outcome.diff);
        if let Some(difference) = post.state.as_ref().and_then(|expected| expected.difference(&state)) {
            return Err(difference.to_string());
        }
        compare("state root", post.hash, state.root())?;
        let logs: Vec<&Log> = outcome.receipts.iter().flat_map(|receipt| &receipt.logs).collect();
        compare("logs hash", post.logs, keccak256(alloy_rlp::encode(logs)))
    }
}

/// Why there is no block to execute.
enum Refusal {
    /// No such transaction can be.
    ByRule(String),
    /// The suite contradicts itself, or it is misread.
    NotAsStated(String),
}

impl From<TemplateError> for Refusal {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::Bytes(_) | TemplateError::TrailingBytes(_) | TemplateError::Value { .. } => {
                Self::ByRule(error.to_string())
            }
            TemplateError::Index { .. } | TemplateError::NoKey | TemplateError::BadKey => {
                Self::NotAsStated(error.to_string())
            }
        }
    }
}

/// The header of the block around the transaction.
fn header(env: &Environment, spec: &ChainSpec) -> Result<Header, String> {
    let mut header = Header {
        beneficiary: env.current_coinbase,
        number: env.current_number,
        timestamp: env.current_timestamp,
        gas_limit: env.current_gas_limit.saturating_to(),
        ..Header::default()
    };
    let rules = spec.at(&header);
    if rules.is_merged() {
        header.mix_hash = env.current_random.unwrap_or_default();
    } else {
        header.difficulty = env.current_difficulty;
    }
    if rules.is_london_active_at_block(header.number) {
        header.base_fee_per_gas = Some(env.current_base_fee.ok_or("base fee: expected one, got none")?);
    }
    if rules.is_cancun_active_at_timestamp(header.timestamp) {
        header.excess_blob_gas = Some(env.current_excess_blob_gas.unwrap_or_default());
        header.parent_beacon_block_root = Some(B256::ZERO);
    }
    Ok(header)
}

/// Compares what the sender signs; the chain that a legacy signature commits to is up to who signs.
fn compare_transactions(stated: &Transaction, decoded: &Transaction) -> Result<(), String> {
    compare("type of the transaction", stated.tx_type() as u8, decoded.tx_type() as u8)?;
    compare("nonce of the transaction", stated.nonce(), decoded.nonce())?;
    compare("gas limit of the transaction", stated.gas_limit(), decoded.gas_limit())?;
    compare("max fee of the transaction", stated.max_fee_per_gas(), decoded.max_fee_per_gas())?;
    let tip = |transaction: &Transaction| transaction.max_priority_fee_per_gas().unwrap_or_default();
    compare("priority fee of the transaction", tip(stated), tip(decoded))?;
    compare("value of the transaction", stated.value(), decoded.value())?;
    compare("data of the transaction", stated.input(), decoded.input())?;
    let same = stated.kind() == decoded.kind()
        && stated.access_list() == decoded.access_list()
        && stated.blob_versioned_hashes() == decoded.blob_versioned_hashes()
        && stated.max_fee_per_blob_gas() == decoded.max_fee_per_blob_gas()
        && stated.authorization_list() == decoded.authorization_list();
    if same { Ok(()) } else { Err(format!("transaction: expected {stated:?}, got {decoded:?}")) }
}
