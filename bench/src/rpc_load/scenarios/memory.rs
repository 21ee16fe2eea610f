//! Memory over many transactions, with all history and with pruning.
//!
//! Heap and pages of mapped files are told apart: those of the database's file are the system's to take back whenever it wants memory for something else.

use super::{MIB, Outcome, Requests, Sending, one_second_blocks};
use crate::rpc_load::{
    Better, DriveOptions, Goal, LoadError, Memory, Program, Reading, Server, ServerSettings, SignedLoad, Wallets,
    contracts::ether_transfer, drive,
};

/// Plain transfers at one-second blocks, where the pool is kept short, so that what grows is the chain.
#[derive(Debug)]
pub struct MemoryScenario {
    accounts: usize,
    requests: Requests,
    count: u64,
    history: u64,
}

/// Most accepted transactions that wait to be mined.
const MOST_UNMINED: u64 = 20_000;
/// Gas limit of blocks: 47,619 transfers.
const GAS_LIMIT: u64 = 1_000_000_000;
/// Looks at the memory in one run.
const SAMPLES: u64 = 400;
/// Parts of the second half, of each of which the least counts.
const PARTS: u64 = 5;

impl MemoryScenario {
    /// Signs `count` transfers; `history` blocks are kept where it is pruned.
    pub fn prepare(count: usize, history: u64, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let load = SignedLoad::sign(&wallets.senders, count, ether_transfer)?;
        let requests = load.batches(sending.connections, sending.batch);
        Ok(Self { accounts: wallets.count(), requests, count: count as u64, history })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let all = ServerSettings { gas_limit: Some(GAS_LIMIT), ..one_second_blocks(self.accounts) };
        let pruned = ServerSettings { history: Some(self.history), ..all.clone() };
        let mut outcome = Outcome::default();
        self.measure(program, &all, "all history: ", &mut outcome).await?;
        self.measure(program, &pruned, "pruned: ", &mut outcome).await?;
        Ok(outcome)
    }

    async fn measure(
        &self,
        program: &Program,
        settings: &ServerSettings,
        prefix: &str,
        outcome: &mut Outcome,
    ) -> Result<(), LoadError> {
        let mut server = Server::start(program, settings)?;
        let sample_every = (self.count / SAMPLES).max(1);
        let options = DriveOptions { most_unmined: MOST_UNMINED, sample_every, ..DriveOptions::default() };
        let run = drive(&server, &self.requests, options).await;
        server.check()?;
        let run = run?;
        outcome.add_load(prefix, program.kind, &run);
        // How fast it was is told by other scenarios.
        outcome.readings.retain(|reading| !reading.name.contains("latency") && !reading.name.contains("accepted"));
        let reading = |what: &str, unit, value| Reading::new(format!("{prefix}{what}"), unit, Better::Less, value);
        let resident = growth(&run.samples, |memory| memory.resident);
        let heap = growth(&run.samples, |memory| memory.anonymous);
        let mapped = growth(&run.samples, Memory::mapped);
        outcome.readings.extend([
            reading("memory at the start", "MiB", run.memory[0].resident as f64 / MIB),
            reading("memory at the end", "MiB", run.memory[1].resident as f64 / MIB),
            reading("of it heap", "MiB", run.memory[1].anonymous as f64 / MIB),
            reading("of it pages of files", "MiB", run.memory[1].mapped() as f64 / MIB),
            reading("growth in the second half", "B/tx", resident),
            reading("of it heap growth", "B/tx", heap),
            reading("of it growth of pages of files", "B/tx", mapped),
        ]);
        outcome.set_goal(&format!("{prefix}of it heap growth"), Goal::AtMost(5.0));
        Ok(())
    }
}

/// Slope of the best line through the second half, in bytes per transaction: what a node takes to get going is in the first. Memory goes up and down with
/// the blocks that are made and written, by more than it grows, so that what counts is to where it comes back: the least of each fifth.
fn growth(samples: &[(u64, Memory)], bytes: impl Fn(&Memory) -> u64) -> f64 {
    let last = samples.last().map_or(0, |(mined, _)| *mined);
    let bound = |part: u64| last / 2 + (last - last / 2) * part / PARTS;
    let least = (0..PARTS).filter_map(|part| {
        let of_part = samples.iter().filter(|(mined, _)| (bound(part)..=bound(part + 1)).contains(mined));
        let (mined, memory) = of_part.min_by_key(|(_, memory)| bytes(memory))?;
        Some((*mined as f64, bytes(memory) as f64))
    });
    let points: Vec<(f64, f64)> = least.collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let covariance: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if variance > 0.0 { covariance / variance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(mined: u64, resident: u64) -> (u64, Memory) {
        (mined, Memory { resident, anonymous: 0 })
    }

    #[test]
    fn growth_is_that_of_the_second_half() {
        let samples: Vec<_> = (0..=100).map(|step| sample(step * 10, 5000 + step.max(50) * 30)).collect();
        assert_eq!(growth(&samples, |memory| memory.resident), 3.0);
        assert_eq!(growth(&samples, |memory| memory.anonymous), 0.0);
    }

    #[test]
    fn what_comes_and_goes_is_no_growth() {
        let saw: Vec<_> = (0..=100).map(|step| sample(step * 10, 5000 + step % 10 * 700)).collect();
        assert_eq!(growth(&saw, |memory| memory.resident), 0.0);
    }

    #[test]
    fn too_few_samples_have_no_growth() {
        assert_eq!(growth(&[], |memory| memory.resident), 0.0);
        assert_eq!(growth(&[sample(5, 5)], |memory| memory.resident), 0.0);
    }
}
