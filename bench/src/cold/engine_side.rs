//! The engine on a cold state.

use super::DelayedSnapshot;
use crate::{
    engine::{Learned, spec_of, teach},
    side::{Execution, MergedDiff, Side, SideError},
    workload::Case,
};
use braid_runtime::{AccessHints, Engine, EngineConfig, Outputs, ScheduleReport, engine::Learning};
use std::{sync::Arc, time::Instant};

/// The engine with so many threads that execute and so many that read ahead.
#[derive(Debug)]
pub struct EngineSide {
    engine: Engine,
    disks: Vec<Arc<DelayedSnapshot>>,
    /// What is known of each block; none for an engine that knows nothing.
    learned: Option<Vec<Learned>>,
    prepared: Option<usize>,
    /// How the last run of each block went.
    pub reports: Vec<ScheduleReport>,
}

impl EngineSide {
    /// An engine over one disk for each block.
    pub fn new(
        threads: usize,
        readers: usize,
        disks: Vec<Arc<DelayedSnapshot>>,
        learned: Option<Vec<Learned>>,
    ) -> Result<Self, String> {
        let config = EngineConfig { threads, readers, learning: Learning::Off, ..EngineConfig::default() };
        let engine = Engine::new(config).map_err(|error| error.to_string())?;
        let reports = vec![ScheduleReport::default(); disks.len()];
        Ok(Self { engine, disks, learned, prepared: None, reports })
    }
}

impl Side for EngineSide {
    fn name(&self) -> String {
        let config = self.engine.config();
        let knowledge = if self.learned.is_some() { "warm" } else { "cold" };
        format!("engine, {} + {}, {knowledge}", config.threads, config.readers)
    }

    fn prepare(&mut self, position: usize) -> Result<(), SideError> {
        if self.prepared != Some(position) {
            teach(&mut self.engine, self.learned.as_ref().map(|learned| &learned[position]))?;
            self.prepared = Some(position);
        }
        self.engine.forget_results();
        self.disks[position].forget();
        Ok(())
    }

    fn execute(&mut self, position: usize, case: &Case) -> Result<Execution, SideError> {
        let spec = spec_of(&case.chain);
        let (disk, block) = (&*self.disks[position], &case.block);
        let started = Instant::now();
        let outcome = self.engine.execute_block(disk, block, &spec, AccessHints::Predicted, Outputs::default())?;
        let elapsed = started.elapsed();
        self.reports[position] = outcome.report;
        Ok(Execution { elapsed, receipts: outcome.receipts, diff: MergedDiff::Plain(outcome.diff) })
    }
}
