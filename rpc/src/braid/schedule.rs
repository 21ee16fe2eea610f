//! `braid_getBlockSchedule`.

use super::{
    analysis::Analysis,
    laboratory::Laboratory,
    traceable,
    types::{BlockSchedule, Field, Lane, MispredictionReport, PredictionReport, ScheduleOptions, SpanReport},
};
use crate::{Backend, RpcError, replay::replayed};
use alloy_eips::BlockId;
use braid_runtime::{
    bounds::Cost,
    engine::{Path, SpanKind, Timings},
};

/// Most threads that a client may ask for.
const MOST_THREADS: usize = 64;
/// Blocks from which the engine learns, if no other number is asked for.
const LEARN_FROM: u64 = 4;
/// Most blocks from which the engine learns.
const MOST_LESSONS: u64 = 64;
/// Contended fields in the answer.
const HOT_SLOTS: usize = 16;

pub(super) fn of_block(
    backend: &Backend,
    laboratory: &Laboratory,
    id: BlockId,
    options: &ScheduleOptions,
) -> Result<BlockSchedule, RpcError> {
    let block = traceable(backend, id)?;
    let usual = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = options.threads.unwrap_or(usual).clamp(1, MOST_THREADS);
    let mode = options.mode.unwrap_or_default();
    let learn_from = options.learn_from.unwrap_or(LEARN_FROM).min(MOST_LESSONS);
    let analysis = replayed(|| Analysis::of(backend, &block))?;
    let outcome = replayed(|| laboratory.run(backend, &block, threads, mode, learn_from))?;
    let report = outcome.report;
    let (path, fallback) = match report.path {
        Path::Serial => ("serial", None),
        Path::Parallel => ("parallel", None),
        Path::Fallback(reason) => ("serial", Some(reason)),
    };
    let timings = report.timings.map(|timings| *timings);
    Ok(BlockSchedule {
        place: analysis.place,
        gas_used: analysis.explanation().gas_used(),
        threads,
        mode,
        path,
        fallback,
        groups: report.groups,
        ahead: report.ahead,
        ordered: report.ordered,
        native: report.native,
        replayed: report.replayed,
        re_executions: report.re_executions,
        unknown: report.unknown,
        planned_gas: report.planned_gas,
        planned_critical_path_gas: report.critical_path_gas,
        wall_ns: timings.as_ref().map_or(0, |timings| timings.wall_ns),
        lanes: timings.as_ref().map(lanes).unwrap_or_default(),
        transactions: analysis.transactions(),
        edges: analysis.edges(),
        critical_path: analysis.critical_path(),
        bounds: analysis.bounds(Cost::Gas, threads),
        time_bounds: analysis.bounds(Cost::Time, threads),
        prediction: timings.map(prediction),
        hot_slots: analysis.hot_slots(HOT_SLOTS),
    })
}

fn lanes(timings: &Timings) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for span in &timings.spans {
        let report = SpanReport {
            transaction: span.transaction,
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            kind: match span.kind {
                SpanKind::Ahead => "ahead",
                SpanKind::Retry => "retry",
                SpanKind::Ordered => "ordered",
                SpanKind::Native => "native",
            },
        };
        // Spans come by worker.
        match lanes.last_mut() {
            Some(lane) if lane.worker == span.worker => lane.spans.push(report),
            _ => lanes.push(Lane { worker: span.worker, spans: vec![report] }),
        }
    }
    lanes
}

fn prediction(timings: Timings) -> PredictionReport {
    let fields = |keys: Vec<_>| keys.into_iter().map(Field::from).collect();
    PredictionReport {
        transactions: timings.predicted,
        slots: timings.score.slots.into(),
        mispredictions: timings
            .mispredictions
            .into_iter()
            .map(|wrong| MispredictionReport {
                transaction: wrong.transaction,
                to: wrong.to,
                known: wrong.known,
                missed: fields(wrong.missed),
                superfluous: fields(wrong.superfluous),
            })
            .collect(),
    }
}
