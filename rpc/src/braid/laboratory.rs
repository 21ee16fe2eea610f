//! An engine for experiments: it executes blocks of the chain again and keeps nothing of them.

use super::types::ScheduleMode;
use crate::{
    Backend, RpcError,
    replay::{Limits, ReplayError, recovered},
};
use braid_chain::ChainBlock;
use braid_runtime::{AccessHints, BlockOutcome, Engine, EngineConfig, Mode, Outputs, predict::Predictor};
use parking_lot::Mutex;

/// The engine of the last call, with its threads.
#[derive(Debug, Default)]
pub(super) struct Laboratory {
    engine: Mutex<Option<Engine>>,
}

impl Laboratory {
    /// Executes a block, after the blocks before it from which the engine learns. One block after the other: more at once would falsify the times.
    pub(super) fn run(
        &self,
        backend: &Backend,
        block: &ChainBlock,
        threads: usize,
        mode: ScheduleMode,
        learn_from: u64,
    ) -> Result<BlockOutcome, ReplayError> {
        let limits = Limits::new(backend.options().call_timeout);
        let mut held = self.engine.lock();
        limits.check()?;
        let mode = match mode {
            ScheduleMode::Forced => Mode::Forced,
            ScheduleMode::Parallel => Mode::Parallel,
        };
        let mut engine = match held.take() {
            Some(engine) if engine.config().threads == threads && engine.config().mode == mode => engine,
            _ => Engine::new(EngineConfig { threads, mode, ..EngineConfig::default() }).map_err(RpcError::internal)?,
        };
        engine.set_predictor(Predictor::default());
        engine.forget_results();
        let chain = backend.chain();
        let number = block.number();
        for earlier in number.saturating_sub(learn_from).max(1)..number {
            limits.check()?;
            let Some(earlier) = chain.block_by_number(earlier)? else { continue };
            execute(&mut engine, backend, &earlier, Outputs::default())?;
            engine.learn();
        }
        engine.forget_results();
        let outcome = execute(&mut engine, backend, block, Outputs { report: true, ..Outputs::default() })?;
        *held = Some(engine);
        Ok(outcome)
    }
}

fn execute(
    engine: &mut Engine,
    backend: &Backend,
    block: &ChainBlock,
    outputs: Outputs,
) -> Result<BlockOutcome, ReplayError> {
    let chain = backend.chain();
    let parent = chain.state(&block.header().parent_hash)?;
    let block = recovered(chain, block)?;
    Ok(engine.execute_block(&parent, &block, chain.spec(), AccessHints::Predicted, outputs)?)
}
