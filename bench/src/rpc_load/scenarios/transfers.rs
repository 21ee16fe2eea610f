//! Plain transfers at one-second blocks.

use super::{MIB, Requests, Sending, load_readings, one_second_blocks, warn_about};
use crate::rpc_load::{
    Better, DriveOptions, Goal, LoadError, Program, Reading, Server, SignedLoad, Wallets, contracts::ether_transfer, drive,
};

/// Plain transfers to 10,000 recipients, sent as fast as the node takes them.
#[derive(Debug)]
pub struct TransferScenario {
    accounts: usize,
    requests: Requests,
}

impl TransferScenario {
    /// Signs `count` transfers.
    pub fn prepare(count: usize, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let load = SignedLoad::sign(&wallets.senders, count, ether_transfer)?;
        Ok(Self { accounts: wallets.count(), requests: load.batches(sending.connections, sending.batch) })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Vec<Reading>, LoadError> {
        let mut server = Server::start(program, &one_second_blocks(self.accounts))?;
        let run = drive(&server, &self.requests, DriveOptions::default()).await;
        server.check()?;
        let run = run?;
        warn_about(&run, program);
        let mut readings = load_readings("", &run);
        for reading in &mut readings {
            reading.goal = match reading.name.as_str() {
                "mined" => Goal::Times(8.0),
                "server CPU" => Goal::AtMost(60.0),
                _ => reading.goal,
            };
        }
        let memory = |index: usize| run.memory[index].resident as f64 / MIB;
        readings.push(Reading::new("memory before", "MiB", Better::Less, memory(0)));
        readings.push(Reading::new("memory after", "MiB", Better::Less, memory(1)));
        Ok(readings)
    }
}
