//! Plain transfers at one-second blocks.

use super::{MIB, Outcome, Requests, Sending, one_second_blocks};
use crate::rpc_load::{
    Better, DriveOptions, Goal, LoadError, Program, Reading, Server, SignedLoad, Wallets, contracts::ether_transfer,
    drive,
};
use std::time::Duration;

/// Plain transfers to 10,000 recipients, sent for some seconds as fast as the node takes them: by several connections at once, and by one, where
/// a node has no more than one batch at hand.
#[derive(Debug)]
pub struct TransferScenario {
    accounts: usize,
    loads: Vec<(String, Requests)>,
    send_for: Duration,
}

/// Most accepted transactions that wait to be mined: enough for blocks of any node here, and less than pools hold.
const MOST_UNMINED: u64 = 150_000;

impl TransferScenario {
    /// Signs `count` transfers, of which those are sent that can be in this time.
    pub fn prepare(count: usize, send_for: Duration, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let load = SignedLoad::sign(&wallets.senders, count, ether_transfer)?;
        let mut loads = vec![(String::new(), load.batches(sending.connections, sending.batch))];
        if sending.connections > 1 {
            loads.push(("one connection: ".to_owned(), load.batches(1, sending.batch)));
        }
        Ok(Self { accounts: wallets.count(), loads, send_for })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let mut outcome = Outcome::default();
        for (prefix, requests) in &self.loads {
            let mut server = Server::start(program, &one_second_blocks(self.accounts))?;
            let send_for = Some(self.send_for);
            let options = DriveOptions { send_for, most_unmined: MOST_UNMINED, ..DriveOptions::default() };
            let run = drive(&server, requests, options).await;
            server.check()?;
            let run = run?;
            outcome.add_load(prefix, program.kind, &run);
            if run.accepted_in < self.send_for {
                let seconds = run.accepted_in.as_secs_f64();
                outcome.notes.push(format!("{prefix}all transactions were sent after {seconds:.1} s: sign more"));
            }
            outcome.set_goal(&format!("{prefix}mined while more is sent"), Goal::Times(8.0));
            outcome.set_goal(&format!("{prefix}server CPU"), Goal::AtMost(60.0));
            let memory = |index: usize| run.memory[index].resident as f64 / MIB;
            outcome.add(Reading::new(format!("{prefix}memory before"), "MiB", Better::Less, memory(0)));
            outcome.add(Reading::new(format!("{prefix}memory after"), "MiB", Better::Less, memory(1)));
        }
        Ok(outcome)
    }
}
