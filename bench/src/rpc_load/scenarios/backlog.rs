//! Many transactions at once under instant mining.

use super::{Requests, Sending, load_readings, warn_about};
use crate::rpc_load::{
    Better, DriveOptions, Goal, LoadError, LoadRun, Mining, Program, Reading, Rpc, Server, ServerSettings, SignedLoad,
    Wallets, contracts::ether_transfer, drive, rpc::number,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Transfers that come faster than blocks are made, into blocks of limited size.
#[derive(Debug)]
pub struct BacklogScenario {
    accounts: usize,
    requests: Requests,
    gas_limit: u64,
    patience: Duration,
}

/// Blocks that are looked at for how full they are.
const LOOKED_AT: usize = 1000;

impl BacklogScenario {
    /// Signs `count` transfers for blocks of `gas_limit`.
    pub fn prepare(count: usize, gas_limit: u64, patience: Duration, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let load = SignedLoad::sign(&wallets.senders, count, ether_transfer)?;
        let requests = load.batches(sending.connections, sending.batch);
        Ok(Self { accounts: wallets.count(), requests, gas_limit, patience })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Vec<Reading>, LoadError> {
        let settings = ServerSettings {
            mining: Mining::Instant,
            gas_limit: Some(self.gas_limit),
            accounts: Some(self.accounts),
            ..ServerSettings::default()
        };
        let mut server = Server::start(program, &settings)?;
        let options = DriveOptions { patience: self.patience, ..DriveOptions::default() };
        let run = drive(&server, &self.requests, options).await;
        server.check()?;
        let run = run?;
        warn_about(&run, program);
        let mut readings = load_readings("", &run);
        for reading in &mut readings {
            if reading.name == "mined" {
                reading.goal = Goal::Times(8.0);
            }
        }
        readings.push(Reading::new("drained in", "s", Better::Less, run.mined_in.as_secs_f64()));
        readings.push(Reading::new("blocks", "", Better::Less, run.blocks.len() as f64));
        if !run.stalled {
            let full = fullness(&mut server.rpc().await?, &run).await?;
            readings.push(Reading::new("gas used of the limit", "%", Better::More, full * 100.0));
        }
        Ok(readings)
    }
}

/// Mean share of the gas limit that blocks used; the last one, which takes what is left, does not count.
async fn fullness(rpc: &mut Rpc, run: &LoadRun) -> Result<f64, LoadError> {
    const METHOD: &str = "eth_getBlockByNumber";
    let blocks = &run.blocks[..run.blocks.len().saturating_sub(1).max(1).min(run.blocks.len())];
    let step = blocks.len().div_ceil(LOOKED_AT).max(1);
    let numbers: Vec<Value> =
        blocks.iter().step_by(step).map(|block| json!([format!("{:#x}", block.number), false])).collect();
    let mut shares = Vec::with_capacity(numbers.len());
    for block in rpc.call_each(METHOD, &numbers).await? {
        let (used, limit) = (number(METHOD, &block["gasUsed"])?, number(METHOD, &block["gasLimit"])?);
        shares.push(used as f64 / limit.max(1) as f64);
    }
    Ok(shares.iter().sum::<f64>() / shares.len().max(1) as f64)
}
