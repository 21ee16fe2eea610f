//! One profile: costs, real runs, simulations, bounds, and what stands in the way.

use super::{
    ScalingError,
    block::{Model, Simulated},
    costs::{self, ExactCosts},
    graph,
    planning::Class,
    simulate::{Contention, Setting, ThreadCosts},
    validate::{Baseline, RealRun, contention},
};
use crate::{
    engine::{Knowledge, Learned, Preparation, trace},
    figures::Limits,
    harness::preparations,
    side::SideError,
    workload::{self, Case, Profile, Size, Workload},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use braid_runtime::{
    EngineConfig,
    oracle::BlockTrace,
    predict::{Predictor, PredictorConfig},
};
use serde::Serialize;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Gas of generated blocks.
    pub size: Size,
    /// Seed of generated blocks.
    pub seed: u64,
    /// Pairs of real runs, and clocked runs.
    pub pairs: usize,
    /// Cores to simulate.
    pub cores: Vec<usize>,
    /// Threads of real runs.
    pub real: Vec<usize>,
    /// What the engine knows beforehand.
    pub knowledge: Vec<Knowledge>,
    /// What threads cost here.
    pub threads: ThreadCosts,
}

/// A simulated number of cores.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Point {
    /// Cores, each with a thread.
    pub cores: usize,
    /// Milliseconds of all blocks.
    pub ms: f64,
    /// By how much quicker than the best serial baseline.
    pub speed_up: f64,
    /// The same if each core after the second disturbs the others as much as the second does.
    pub pessimistic: f64,
    /// Bounds, see [`braid_runtime::bounds`].
    pub limits: Limits,
    /// Part of the cores' time that is work, from 0 to 1.
    pub efficiency: f64,
    /// Core time by that of the baseline.
    pub cpu: f64,
    /// What is in the way.
    pub bound: &'static str,
    /// Which part of the wall time that is, from 0 to 1.
    pub bound_share: f64,
    /// Executions ahead that were wrong.
    pub again: u64,
}

/// A real run beside its simulation.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Validation {
    /// What ran.
    pub real: RealRun,
    /// Milliseconds of the simulation.
    pub simulated_ms: f64,
    /// By which part the simulation is off the median of the real runs; positive: the simulation is slower.
    pub error: f64,
    /// The same against the least of the real runs of each block.
    pub error_of_least: f64,
    /// Executions ahead that the simulation found wrong.
    pub again: u64,
}

/// One knowledge.
#[derive(Clone, Debug, Serialize)]
pub struct KnowledgeScaling {
    /// What the engine knows.
    pub knowledge: Knowledge,
    /// Real runs.
    pub validations: Vec<Validation>,
    /// Simulated numbers of cores.
    pub points: Vec<Point>,
}

/// One profile.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileScaling {
    /// Name.
    pub name: &'static str,
    /// What was generated.
    pub notes: String,
    /// Transactions.
    pub transactions: usize,
    /// Gas.
    pub gas: u64,
    /// Name of the best serial baseline.
    pub baseline: String,
    /// Core milliseconds of the baseline when nobody disturbs it: what simulated speed-ups are measured against.
    pub serial_ms: f64,
    /// By which part each of two cores is slowed down when both work.
    pub contention: f64,
    /// Factor on the commit of what another core ran.
    pub remote_commit: f64,
    /// Costs in µs a transaction: at its turn, ahead, its commit, planning at its turn, ahead, with prediction.
    pub micros: [f64; 6],
    /// Milliseconds of all blocks that one thread works alone: before, after, rest.
    pub fixed_ms: f64,
    /// Milliseconds of folding.
    pub fold_ms: f64,
    /// By knowledge.
    pub knowledge: Vec<KnowledgeScaling>,
}

/// A block with all that was found out about it.
struct Known {
    cold: Model,
    warm: Option<Model>,
    exact: Option<ExactCosts>,
    trace: BlockTrace,
}

fn number(address: &Address) -> u64 {
    address.0.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(1_099_511_628_211).wrapping_add(u64::from(*byte)))
}

fn model(
    case: &Case,
    trace: &BlockTrace,
    learned: Option<&Learned>,
    costs: &costs::BlockCosts,
    plan: &Plan,
) -> Result<(Model, f64), SideError> {
    let ahead = costs::ahead_costs(case, learned, plan.pairs)?;
    let (plan_plain, remote) = costs::two_thread_costs(case, learned, &ahead, plan.pairs)?;
    let loaded = match learned {
        Some(learned) => Predictor::load(&learned.predictor, PredictorConfig::default())?,
        None => Predictor::default(),
    };
    let (predicted, _) = graph::plan(case, &costs.classes, &loaded, true);
    let (plain, _) = graph::plan(case, &costs.classes, &loaded, false);
    let transactions = case.block.transactions();
    let accounts = transactions.iter().zip(case.block.senders());
    let plan_plain = plan_plain.unwrap_or(costs.plan_turn);
    let model = Model {
        costs: costs.clone(),
        ahead,
        plan_plain,
        predicted,
        plain,
        needs: graph::needs(case, trace),
        recipients: (0..transactions.len()).map(|position| graph::recipient(case, position)).collect(),
        accounts: accounts.map(|(tx, sender)| [number(sender), tx.to().map_or(0, |to| number(&to))]).collect(),
        gas: trace.transactions.iter().map(|transaction| transaction.gas_used).collect(),
        limits: transactions.iter().map(|tx| tx.gas_limit()).collect(),
        header_gas: case.block.header().gas_used,
    };
    Ok((model, remote.unwrap_or(1.0)))
}

/// Median, for figures that are taken block by block.
fn middle(mut sample: Vec<f64>) -> f64 {
    sample.sort_by(f64::total_cmp);
    sample.get(sample.len() / 2).copied().unwrap_or(0.0)
}

/// Blocks on which contention is measured, the largest first; more say no more.
const CONTENDED: usize = 3;

/// Measures a profile, telling `progress` what it is at.
pub fn measure(profile: &Profile, plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<ProfileScaling, ScalingError> {
    progress("building the blocks");
    let workload = workload::build(profile.name, plan.size, plan.seed)?;
    measure_workload(profile, &workload, plan, progress)
}

fn measure_workload(
    profile: &Profile,
    workload: &Workload,
    plan: &Plan,
    progress: &mut dyn FnMut(&str),
) -> Result<ProfileScaling, ScalingError> {
    let cases = &workload.cases;
    let mut baseline = Baseline::choose(cases)?;
    progress("two cores at once");
    let mut largest: Vec<&Case> = cases.iter().collect();
    largest.sort_by_key(|case| std::cmp::Reverse(case.block.transactions().len()));
    let slowed =
        largest.iter().take(CONTENDED).map(|case| contention(case, plan.pairs)).collect::<Result<Vec<_>, _>>()?;
    let second = middle(slowed);
    let prepared = |knowledge| -> Result<Vec<Preparation>, ScalingError> {
        preparations(profile, workload, plan.size, plan.seed, knowledge)
            .map_err(|error| ScalingError::Start(error.to_string()))
    };
    let mut warm_ones = vec![Preparation::default(); cases.len()];
    if plan.knowledge.contains(&Knowledge::Warm) {
        progress("learning");
        warm_ones = prepared(Knowledge::Warm)?;
    }
    let mut exact_ones = vec![Preparation::default(); cases.len()];
    if plan.knowledge.contains(&Knowledge::Exact) {
        exact_ones = prepared(Knowledge::Exact)?;
    }
    let mut known = Vec::with_capacity(cases.len());
    let mut remotes = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        progress(&format!("clocking block {} of {}", index + 1, cases.len()));
        let failed = |source| ScalingError::Side { block: case.name.clone(), source };
        let trace = trace(case).map_err(failed)?;
        let costs = costs::block_costs(case, plan.pairs).map_err(failed)?;
        let (cold, remote) = model(case, &trace, None, &costs, plan).map_err(failed)?;
        remotes.push(remote);
        let warm = warm_ones[index].learned.as_ref();
        let warm = warm.map(|saved| model(case, &trace, Some(saved), &costs, plan)).transpose().map_err(failed)?;
        let exact = exact_ones[index].access_list.as_ref();
        let exact = exact.map(|list| costs::exact_costs(case, list, plan.pairs)).transpose().map_err(failed)?;
        known.push(Known { cold, warm: warm.map(|(model, _)| model), exact, trace });
    }
    let remote_commit = middle(remotes).max(1.0);
    let traces: Vec<BlockTrace> = known.iter().map(|known| known.trace.clone()).collect();
    let mut scaling = ProfileScaling {
        name: profile.name,
        notes: workload.notes.clone(),
        transactions: cases.iter().map(|case| case.block.transactions().len()).sum(),
        gas: traces.iter().flat_map(|trace| &trace.transactions).map(|transaction| transaction.gas_used).sum(),
        baseline: baseline.name.clone(),
        serial_ms: 0.0,
        contention: second,
        remote_commit,
        micros: micros(&known),
        fixed_ms: ms(known.iter().map(|known| {
            let costs = &known.cold.costs;
            costs.before + costs.after + costs.rest
        })),
        fold_ms: ms(known.iter().map(|known| known.cold.costs.fold + known.cold.costs.clear)),
        knowledge: Vec::new(),
    };
    let mut serial = Vec::new();
    let mut real = Vec::new();
    for knowledge in &plan.knowledge {
        for threads in &plan.real {
            progress(&format!("running on {threads} thread(s), {knowledge}"));
            let preparations = match knowledge {
                Knowledge::Cold => vec![Preparation::default(); cases.len()],
                Knowledge::Warm => warm_ones.clone(),
                Knowledge::Exact => exact_ones.clone(),
            };
            let run = baseline.against(cases, *threads, *knowledge, preparations, plan.pairs)?;
            serial.push(run.serial_core_ms);
            real.push((*knowledge, run));
        }
    }
    scaling.serial_ms = middle(serial);
    progress("simulating");
    let setting = |cores: usize, further: f64| {
        let EngineConfig { batch, min_parallelism, min_parallel_nanos, max_retry_share, .. } = EngineConfig::default();
        Setting {
            cores,
            batch,
            min_parallelism,
            min_parallel_nanos,
            max_retry_share,
            pace: 3.0,
            used: 0,
            threads: plan.threads,
            contention: Contention { second, further },
            remote_commit,
        }
    };
    for knowledge in &plan.knowledge {
        let all = |setting: &Setting| -> Vec<Simulated> {
            known.iter().map(|known| one(known, *knowledge, setting)).collect()
        };
        let wall = |runs: &[Simulated]| ms(runs.iter().map(|run| run.wall));
        let validations = real
            .iter()
            .filter(|(of, _)| of == knowledge)
            .map(|(_, real)| {
                let runs = all(&setting(real.threads, 0.0));
                let simulated_ms = wall(&runs);
                Validation {
                    real: *real,
                    simulated_ms,
                    error: simulated_ms / real.ms.median - 1.0,
                    error_of_least: simulated_ms / real.least_ms - 1.0,
                    again: runs.iter().map(|run| u64::from(run.workers.wrong)).sum(),
                }
            })
            .collect();
        let points = plan
            .cores
            .iter()
            .map(|cores| {
                let runs = all(&setting(*cores, 0.0));
                let (ms_of, busy) = (wall(&runs), ms(runs.iter().map(|run| run.busy)));
                let (bound, bound_share) = bound(&known, &runs, *knowledge, *cores, second);
                Point {
                    cores: *cores,
                    ms: ms_of,
                    speed_up: scaling.serial_ms / ms_of,
                    pessimistic: scaling.serial_ms / wall(&all(&setting(*cores, second))),
                    limits: Limits::of(&traces, *cores),
                    efficiency: busy / (ms_of * *cores as f64),
                    cpu: busy / scaling.serial_ms,
                    bound,
                    bound_share,
                    again: runs.iter().map(|run| u64::from(run.workers.wrong)).sum(),
                }
            })
            .collect();
        scaling.knowledge.push(KnowledgeScaling { knowledge: *knowledge, validations, points });
    }
    Ok(scaling)
}

fn one(known: &Known, knowledge: Knowledge, setting: &Setting) -> Simulated {
    let predicts = setting.cores >= EngineConfig::default().predict_from_threads;
    let warm = known.warm.as_ref().unwrap_or(&known.cold);
    match (knowledge, &known.exact) {
        (Knowledge::Exact, Some(exact)) => known.cold.simulate_exact(exact, setting),
        (Knowledge::Cold, _) => known.cold.simulate(setting, predicts),
        _ => warm.simulate(setting, predicts),
    }
}

fn ms(nanos: impl Iterator<Item = u64>) -> f64 {
    nanos.sum::<u64>() as f64 / 1e6
}

fn micros(known: &[Known]) -> [f64; 6] {
    let count = |class: fn(Class) -> bool| {
        let of = |known: &Known| known.cold.costs.classes.iter().filter(|it| class(**it)).count();
        known.iter().map(of).sum::<usize>().max(1) as f64
    };
    let (all, ahead) = (count(|_| true), count(|class| class == Class::Ahead));
    let sum = |of: &dyn Fn(&Known) -> f64| known.iter().map(of).fold(0.0, |sum, nanos| sum + nanos) / 1e3;
    let ran = |known: &Known, costs: &[u64]| -> f64 {
        costs
            .iter()
            .zip(&known.cold.costs.classes)
            .filter(|(_, class)| **class == Class::Ahead)
            .map(|(cost, _)| *cost as f64)
            .sum()
    };
    let size = |known: &Known| known.cold.gas.len() as f64;
    let run = |known: &Known| known.cold.costs.runs.iter().map(|run| (run.gather + run.apply) as f64).sum::<f64>();
    [
        sum(&|known| known.cold.costs.turns.iter().sum::<u64>() as f64 + run(known)) / all,
        sum(&|known| ran(known, &known.cold.ahead.ahead)) / ahead,
        sum(&|known| ran(known, &known.cold.ahead.commits)) / ahead,
        sum(&|known| known.cold.costs.plan_turn * size(known)) / all,
        sum(&|known| known.cold.plan_plain * size(known)) / all,
        sum(&|known| known.warm.as_ref().unwrap_or(&known.cold).ahead.plan_predicted * size(known)) / all,
    ]
}

/// What takes the largest part of the wall time and could not be done by more cores.
fn bound(known: &[Known], runs: &[Simulated], knowledge: Knowledge, cores: usize, second: f64) -> (&'static str, f64) {
    let wall = ms(runs.iter().map(|run| run.wall));
    let chain = match knowledge {
        Knowledge::Exact => ms(known
            .iter()
            .map(|known| known.exact.as_ref().and_then(|exact| exact.each.iter().max().copied()).unwrap_or(0))),
        // Runs of transfers need no order.
        _ => ms(known.iter().filter(|known| known.cold.costs.runs.is_empty()).map(|known| known.cold.chain())),
    };
    let of = |time: &dyn Fn(&Simulated) -> u64| ms(runs.iter().map(time));
    let busy = of(&|run| run.busy);
    let chain_name = if knowledge == Knowledge::Exact { "longest transaction" } else { "critical path" };
    let candidates = [
        (chain_name, chain),
        ("commit cursor", of(&|run| run.workers.committing)),
        ("planner", of(&|run| run.workers.planning)),
        ("one thread around it", of(&|run| run.fixed)),
        ("waking threads", of(&|run| run.workers.waking.min(run.workers.wall))),
        ("fold", of(&|run| run.fold.wall)),
        ("cores", busy / cores as f64 / if cores > 1 { 1.0 + second } else { 1.0 }),
        ("memory", if cores > 1 { busy / cores as f64 * second / (1.0 + second) } else { 0.0 }),
    ];
    let (name, time) = candidates.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or(("cores", wall));
    (name, (time / wall).min(1.0))
}
