//! From the start of the program to its first answer, and memory when nothing happens.

use super::{MIB, Outcome};
use crate::rpc_load::{Better, Goal, LoadError, Program, Reading, Server, ServerSettings};
use std::time::Duration;
use tokio::time::sleep;

/// Starts a node without options, several times.
#[derive(Clone, Copy, Debug)]
pub struct StartScenario {
    /// Starts in a run; the least time counts, since other work on the machine only adds to it.
    pub starts: usize,
}

/// Until memory is looked at.
const IDLE: Duration = Duration::from_secs(2);

impl StartScenario {
    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let settings = ServerSettings::default();
        let mut least = Duration::MAX;
        for _ in 1..self.starts {
            least = least.min(Server::start(program, &settings)?.started_in);
        }
        let server = Server::start(program, &settings)?;
        least = least.min(server.started_in);
        sleep(IDLE).await;
        let (resident, proportional) = (server.memory()?.resident, server.proportional_memory()?);
        let readings = vec![
            Reading::new("to the first answer", "ms", Better::Less, least.as_secs_f64() * 1e3)
                .with_goal(Goal::AtMost(100.0)),
            Reading::new("idle memory (RSS)", "MiB", Better::Less, resident as f64 / MIB).with_goal(Goal::AtMost(40.0)),
            Reading::new("idle memory (PSS)", "MiB", Better::Less, proportional as f64 / MIB),
        ];
        Ok(Outcome { readings, notes: Vec::new() })
    }
}
