//! What a node says about how it executed blocks.

use super::{LoadError, Rpc};
use serde_json::json;

/// How long the blocks of a load took to execute, as the node itself reports it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecutionTimes {
    /// Blocks with a report.
    pub blocks: u64,
    /// Execution of all of them, in microseconds.
    pub execution_micros: f64,
}

impl ExecutionTimes {
    /// Asks for the schedules of blocks; nothing comes back from a node that keeps none.
    pub async fn of(rpc: &mut Rpc, blocks: impl IntoIterator<Item = u64>) -> Result<Option<Self>, LoadError> {
        let mut times = Self::default();
        for number in blocks {
            let schedule = match rpc.call("braid_getBlockSchedule", json!([format!("{number:#x}")])).await {
                Ok(schedule) => schedule,
                Err(LoadError::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            if let Some(micros) = schedule["executionMicros"].as_f64() {
                times.blocks += 1;
                times.execution_micros += micros;
            }
        }
        Ok((times.blocks > 0).then_some(times))
    }
}
