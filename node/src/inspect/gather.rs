//! Makes the report: executes the block, and puts names to what was found.

use super::{
    functions::FunctionName as Known,
    naming::Naming,
    options::FieldName,
    report::{
        Asked, AskedField, Bounds, BoundsAt, Edge, EngineRun, Field, FieldUse, FieldWhatIf, FunctionName, LAYOUT, Path,
        Report, Transaction, WHAT_IF_THREADS, WaitingFunction, WhatIf, WhatIfs,
    },
};
use crate::{
    page,
    replay::{ReplayBlock, schedule},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::Selector;
use braid_runtime::{
    AccessHints, AccessKey, BlockError, Engine, EngineConfig, Outputs, bounds,
    bounds::Cost,
    explain::{self, Assumption, Explanation, HotField},
    oracle::{self, CallTrace, Function},
    predict::Predictor,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Threads for which bounds are told.
const THREADS: [usize; 4] = [2, 4, 8, 16];
/// Steps of the what-if that takes one field after the other.
const STEPS: usize = 8;

/// What was found by executing a block serially.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) explanation: Explanation,
    pub(super) calls: CallTrace,
}

/// Executes the block: watched, with a clock, and watched for its calls.
pub(super) fn execute(block: &ReplayBlock) -> Result<Found, BlockError> {
    let run = || oracle::trace(&block.snapshot, &block.block, &block.spec);
    let mut trace = run()?;
    // The least of two runs: a moment in which the machine was busy counts less.
    for (least, again) in trace.transactions.iter_mut().zip(run()?.transactions) {
        least.nanos = least.nanos.min(again.nanos);
    }
    let calls = oracle::trace_calls(&block.snapshot, &block.block, &block.spec)?;
    Ok(Found { explanation: Explanation::new(trace), calls })
}

/// Runs the block in parallel, once to warm memory up and once with notes.
pub(super) fn run_engine(
    block: &ReplayBlock,
    threads: usize,
    predictor: impl Fn() -> Predictor,
    told: String,
) -> eyre::Result<EngineRun> {
    let mut engine =
        Engine::new(EngineConfig { threads, ..EngineConfig::default() }).map_err(|error| eyre::eyre!("{error}"))?;
    let mut run = |outputs: Outputs| {
        engine.forget_results();
        engine.set_predictor(predictor());
        engine.execute_block(&block.snapshot, &block.block, &block.spec, AccessHints::Predicted, outputs)
    };
    run(Outputs::default())?;
    let report = run(Outputs { report: true, ..Outputs::default() })?.report;
    let timings = report.timings.as_deref();
    Ok(EngineRun {
        threads,
        predictor: told,
        wall_ms: timings.map_or(0.0, |timings| timings.wall_ns as f64 / 1e6),
        schedule: schedule(&report),
        spans: timings.map(page::spans).unwrap_or_default(),
    })
}

/// What the user assumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Assumptions<'a> {
    pub(super) split: &'a [FieldName],
    pub(super) commutative: &'a [FieldName],
}

/// Puts everything together.
pub(super) struct Gatherer<'a> {
    pub(super) block: &'a ReplayBlock,
    pub(super) found: &'a Found,
    pub(super) naming: &'a Naming,
    /// Fields whose what-if is computed.
    pub(super) top: usize,
}

impl Gatherer<'_> {
    pub(super) fn report(&self, engine: EngineRun, assumptions: Assumptions<'_>, mut warnings: Vec<String>) -> Report {
        let explanation = &self.found.explanation;
        let header = self.block.block.header();
        let chain = explanation.critical_path(Cost::Gas);
        let blamed = explanation.blamed(&chain.transactions, &BTreeSet::new());
        let hot = explanation.hot_fields();
        let place: HashMap<AccessKey, usize> = hot.iter().enumerate().map(|(place, hot)| (hot.key, place)).collect();
        let edges: Vec<Edge> = explanation
            .edges()
            .iter()
            .map(|edge| Edge {
                from: edge.from,
                to: edge.to,
                fields: edge.fields.iter().filter_map(|key| place.get(key).copied()).collect(),
            })
            .collect();
        let times = explanation.trace().costs(Cost::Time);
        let serial: u64 = times.iter().sum();
        let chain_time: u64 = chain.transactions.iter().map(|index| times[*index]).sum();
        Report {
            layout: LAYOUT,
            braid: env!("CARGO_PKG_VERSION"),
            source: self.block.name.clone(),
            number: header.number,
            hash: self.block.hash,
            chain_id: self.block.spec.chain_id(),
            fork: self.block.spec.spec_id(header).to_string(),
            gas: explanation.gas_used(),
            serial_ms: serial as f64 / 1e6,
            critical_path: Path {
                gas: chain.cost,
                gas_share: chain.share,
                ms: chain_time as f64 / 1e6,
                time_share: chain_time as f64 / serial.max(1) as f64,
                transactions: chain.transactions,
            },
            bounds: THREADS
                .into_iter()
                .map(|threads| BoundsAt {
                    threads,
                    gas: explanation.bounds(Cost::Gas, threads).into(),
                    time: explanation.bounds(Cost::Time, threads).into(),
                })
                .collect(),
            engine,
            functions: self.functions(&edges, &hot),
            what_if: self.what_ifs(&hot, &place, &blamed, assumptions, &mut warnings),
            fields: hot.iter().map(|hot| self.field(hot, blamed.get(&hot.key).copied().unwrap_or_default())).collect(),
            transactions: self.transactions(),
            edges,
            warnings,
        }
    }

    fn field(&self, hot: &HotField, critical_links: usize) -> Field {
        let (kind, slot) = match hot.key {
            AccessKey::Balance(_) => ("balance", None),
            AccessKey::Nonce(_) => ("nonce", None),
            AccessKey::Code(_) => ("code", None),
            AccessKey::Storage(_, slot) => ("storage", Some(slot)),
            AccessKey::Life(_) => ("life", None),
        };
        let named = self.naming.field(&hot.key);
        let address = hot.key.address();
        let mut functions: Vec<FieldUse> = self
            .found
            .calls
            .uses
            .get(&hot.key)
            .into_iter()
            .flatten()
            .map(|(function, uses)| FieldUse {
                function: self.function(function),
                readers: uses.readers.len(),
                writers: uses.writers.len(),
            })
            .collect();
        functions.sort_by_key(|one| std::cmp::Reverse((one.writers, one.readers)));
        Field {
            kind,
            address,
            contract: self.naming.contracts.get(&address).cloned(),
            slot,
            name: named.text,
            variables: named.variables,
            about: named.about,
            readers: hot.readers.len(),
            writers: hot.writers.len(),
            waiting: hot.waiting.len(),
            waiting_gas: hot.waiting_gas,
            critical_links,
            functions,
        }
    }

    fn function(&self, function: &Function) -> FunctionName {
        let Known { signature, .. } = self.naming.functions.name(function);
        FunctionName {
            name: self.naming.functions.text(function),
            code: function.code,
            selector: function.selector,
            signature,
        }
    }

    /// The functions in which the later transaction of an edge used the field to blame.
    fn functions(&self, edges: &[Edge], hot: &[HotField]) -> Vec<WaitingFunction> {
        let mut waits = BTreeMap::<Function, (BTreeSet<usize>, BTreeSet<usize>)>::new();
        for edge in edges {
            for place in &edge.fields {
                let uses = self.found.calls.uses.get(&hot[*place].key).into_iter().flatten();
                for (function, uses) in uses {
                    if uses.readers.contains(&edge.to) || uses.writers.contains(&edge.to) {
                        let (waiting, fields) = waits.entry(*function).or_default();
                        waiting.insert(edge.to);
                        fields.insert(*place);
                    }
                }
            }
        }
        let transactions = &self.found.explanation.trace().transactions;
        let mut functions: Vec<WaitingFunction> = waits
            .into_iter()
            .map(|(function, (waiting, fields))| WaitingFunction {
                function: self.function(&function),
                waiting: waiting.len(),
                waiting_gas: waiting.iter().map(|index| transactions[*index].gas_used).sum(),
                fields: fields.into_iter().collect(),
            })
            .collect();
        functions.sort_by_key(|function| std::cmp::Reverse((function.waiting_gas, function.waiting)));
        functions
    }

    fn what_ifs(
        &self,
        hot: &[HotField],
        place: &HashMap<AccessKey, usize>,
        blamed: &BTreeMap<AccessKey, usize>,
        assumptions: Assumptions<'_>,
        warnings: &mut Vec<String>,
    ) -> WhatIfs {
        let explanation = &self.found.explanation;
        let threads = WHAT_IF_THREADS;
        // The most contended ones, and those that hold the longest chain together.
        let critical = blamed.keys().filter_map(|key| place.get(key).copied());
        let mut chosen: Vec<usize> = (0..hot.len().min(self.top)).chain(critical).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let mut alone: Vec<FieldWhatIf> = chosen
            .into_iter()
            .map(|field| FieldWhatIf {
                field,
                result: explanation.without(&BTreeSet::from([hot[field].key]), threads).into(),
            })
            .collect();
        alone.sort_by_key(|one| (one.result.critical_path_gas, one.field));
        alone.truncate(self.top);
        let together = explanation
            .best_steps(STEPS, threads)
            .into_iter()
            .filter_map(|step| Some(FieldWhatIf { field: *place.get(&step.key)?, result: step.what_if.into() }));
        WhatIfs {
            computed_not_executed: true,
            threads,
            as_it_is: explanation.as_it_is(threads).into(),
            alone,
            together: together.collect(),
            asked: self.asked(hot, assumptions, warnings),
        }
    }

    fn asked(&self, hot: &[HotField], asked: Assumptions<'_>, warnings: &mut Vec<String>) -> Option<Asked> {
        let (mut meant, mut assumptions) = (BTreeMap::new(), Vec::new());
        let split = asked.split.iter().map(|name| (name, Assumption::Split, "split"));
        let commutative = asked.commutative.iter().map(|name| (name, Assumption::Commutative, "commutative"));
        for (name, assumption, word) in commutative.chain(split) {
            let keys = hot.iter().map(|hot| hot.key).filter(|key| self.naming.is_meant(name, key));
            let before = meant.len();
            let mut fields = 0;
            for key in keys {
                fields += 1;
                meant.insert(key, assumption);
            }
            if fields == 0 && before == meant.len() {
                let is_known = match name {
                    FieldName::Slot(..) => true,
                    FieldName::Variable(name) => self.naming.has_variable(name),
                };
                warnings.push(match is_known {
                    true => format!("--{word} {name}: nobody waits for it in this block"),
                    false => format!("--{word} {name}: no layout has a variable of this name; see --layout"),
                });
            }
            assumptions.push(AskedField { name: name.to_string(), assumption: word, fields });
        }
        let result = || self.found.explanation.what_if(&meant, WHAT_IF_THREADS).into();
        (!assumptions.is_empty()).then(|| Asked { result: result(), assumptions })
    }

    fn transactions(&self) -> Vec<Transaction> {
        let explanation = &self.found.explanation;
        let block = &self.block.block;
        let rows = block.transactions().iter().zip(block.senders()).zip(&explanation.trace().transactions);
        rows.zip(explanation.earliest_ends())
            .map(|(((transaction, from), cost), end)| Transaction {
                hash: *transaction.tx_hash(),
                from: *from,
                to: transaction.to(),
                calls: match (transaction.to(), transaction.input()) {
                    (None, _) => "creation of a contract".to_owned(),
                    (Some(to), input) if input.len() < 4 => format!("ether to {to}"),
                    (Some(code), input) => {
                        let selector = Some(Selector::from_slice(&input[..4]));
                        self.naming.functions.text(&Function { code, selector })
                    }
                },
                gas: cost.gas_used,
                us: (cost.nanos / 10) as f64 / 100.0,
                earliest_end_gas: *end,
            })
            .collect()
    }
}

impl From<bounds::Bounds> for Bounds {
    fn from(bounds: bounds::Bounds) -> Self {
        Self { b0: bounds.b0, b1: bounds.b1, b2: bounds.b2 }
    }
}

impl From<explain::WhatIf> for WhatIf {
    fn from(what_if: explain::WhatIf) -> Self {
        Self {
            critical_path_gas: what_if.critical_path.cost,
            critical_path_share: what_if.critical_path.share,
            critical_path_ms: what_if.critical_time.cost as f64 / 1e6,
            bounds: what_if.bounds.into(),
            independent: what_if.independent,
        }
    }
}
