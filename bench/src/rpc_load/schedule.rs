//! What a node says about how it executes blocks.

use super::{LoadError, Rpc};
use serde_json::{Value, json};

/// Blocks that are executed again at most: each of them several times, with a long answer.
const MOST_BLOCKS: usize = 3;

/// How long blocks of a load take to execute, as the node itself finds when it executes them again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ExecutionTimes {
    /// Transactions of the blocks.
    pub transactions: u64,
    /// All of them one after the other, by the EVM alone, in microseconds.
    pub serial_micros: f64,
    /// By the parallel engine, from the start of the first worker to the last commit, in microseconds.
    pub parallel_micros: f64,
}

impl ExecutionTimes {
    /// Asks for the schedules of the first blocks; nothing comes back from a node that cannot tell.
    pub async fn of(rpc: &mut Rpc, blocks: impl IntoIterator<Item = u64>) -> Result<Option<Self>, LoadError> {
        let mut times = Self::default();
        for number in blocks.into_iter().take(MOST_BLOCKS) {
            let parameters = json!([format!("{number:#x}"), { "mode": "parallel" }]);
            match rpc.call("braid_getBlockSchedule", parameters).await {
                Ok(schedule) => times.add(&schedule),
                Err(LoadError::Refused { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok((times.transactions > 0).then_some(times))
    }

    fn add(&mut self, schedule: &Value) {
        let Some(serial) = schedule["timeBounds"]["serial"].as_f64() else { return };
        // A block that the engine leaves to one thread takes as long as ever.
        let parallel = match (schedule["path"].as_str(), schedule["wallNs"].as_f64()) {
            (Some("parallel"), Some(wall)) => wall,
            _ => serial,
        };
        self.transactions += schedule["transactions"].as_array().map_or(0, Vec::len) as u64;
        self.serial_micros += serial / 1e3;
        self.parallel_micros += parallel / 1e3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_blocks_add_up() {
        let mut times = ExecutionTimes::default();
        let schedule = |path: &str| json!({ "path": path, "wallNs": 2000, "timeBounds": { "serial": 3000 }, "transactions": [{}, {}] });
        times.add(&schedule("parallel"));
        times.add(&schedule("serial"));
        times.add(&json!({ "something": "else" }));
        assert_eq!(times, ExecutionTimes { transactions: 4, serial_micros: 6.0, parallel_micros: 5.0 });
    }
}
