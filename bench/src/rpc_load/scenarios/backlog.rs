//! Many transactions at once under instant mining.

use super::{Outcome, Requests, Sending};
use crate::rpc_load::{
    Batch, Better, DriveOptions, Goal, LoadError, LoadRun, MinedBlock, Mining, Program, Reading, Rpc, Server,
    ServerSettings, SignedLoad, Wallet, Wallets, contracts::ether_transfer, drive, load::batch, post, rpc::number,
};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use serde_json::{Value, json};
use std::time::Duration;

/// Transfers for blocks of limited size: sent faster than they can be mined, and held back until all are there.
#[derive(Debug)]
pub struct BacklogScenario {
    wallets: Wallets,
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
        Ok(Self { wallets, requests, gas_limit, patience })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let mut outcome = Outcome::default();
        self.measure(program, false, &mut outcome).await?;
        self.measure(program, true, &mut outcome).await?;
        Ok(outcome)
    }

    async fn measure(&self, program: &Program, held: bool, outcome: &mut Outcome) -> Result<(), LoadError> {
        let prefix = if held { "held back: " } else { "" };
        let settings = ServerSettings {
            mining: Mining::Instant,
            gas_limit: Some(self.gas_limit),
            accounts: Some(self.wallets.count()),
            ..ServerSettings::default()
        };
        let mut server = Server::start(program, &settings)?;
        let look_every = Duration::from_millis(2);
        let mut options = DriveOptions { patience: self.patience, look_every, ..DriveOptions::default() };
        if held {
            server.rpc().await?.call("evm_setAutomine", json!([false])).await?;
            options.release = self.release();
        }
        let run = drive(&server, &self.requests, options).await;
        server.check()?;
        let run = run?;
        outcome.add_load(prefix, program.kind, &run);
        outcome.set_goal(&format!("{prefix}mined"), Goal::Times(8.0));
        if !run.stalled {
            let drained = run.mined_in.as_secs_f64();
            outcome.add(Reading::new(format!("{prefix}drained in"), "s", Better::Less, drained));
            outcome.add(Reading::new(format!("{prefix}blocks"), "", Better::Less, run.blocks.len() as f64));
            let shares = fullness(&mut server.rpc().await?, &run).await?;
            let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len().max(1) as f64 * 100.0;
            let all: Vec<f64> = shares.iter().map(|(_, share)| *share).collect();
            outcome.add(Reading::new(format!("{prefix}gas used of the limit"), "%", Better::More, mean(&all)));
            // A transfer uses the least gas that there is, so this many fill a block.
            let capacity = self.gas_limit / 21_000;
            let fillable = shares.iter().filter(|(block, _)| block.waited >= capacity);
            let fillable: Vec<f64> = fillable.map(|(_, share)| *share).collect();
            let count = fillable.len() as f64;
            outcome.add(Reading::new(format!("{prefix}blocks for which enough waited"), "", Better::More, count));
            if !fillable.is_empty() {
                let name = format!("{prefix}gas used of the limit, of those");
                outcome.add(Reading::new(name, "%", Better::More, mean(&fillable)));
            }
        }
        Ok(())
    }

    /// Instant mining, and one more transaction, without which some nodes do not look at their pool again.
    fn release(&self) -> Vec<Batch> {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "evm_setAutomine", "params": [true]});
        let (last, _) =
            self.wallets.admin.sign(Wallet::draft(0, TxKind::Call(Address::ZERO), 21_000, U256::ZERO, Bytes::new()));
        vec![Batch { request: post(call.to_string().as_bytes()), transactions: 0 }, batch(&[&last])]
    }
}

/// The share of the gas limit that each block used; the last one, which takes what is left, does not count.
async fn fullness(rpc: &mut Rpc, run: &LoadRun) -> Result<Vec<(MinedBlock, f64)>, LoadError> {
    const METHOD: &str = "eth_getBlockByNumber";
    let blocks = &run.blocks[..run.blocks.len().saturating_sub(1).max(1).min(run.blocks.len())];
    let step = blocks.len().div_ceil(LOOKED_AT).max(1);
    let blocks: Vec<MinedBlock> = blocks.iter().step_by(step).copied().collect();
    let numbers: Vec<Value> = blocks.iter().map(|block| json!([format!("{:#x}", block.number), false])).collect();
    let mut shares = Vec::with_capacity(numbers.len());
    for (block, answer) in blocks.into_iter().zip(rpc.call_each(METHOD, &numbers).await?) {
        let (used, limit) = (number(METHOD, &answer["gasUsed"])?, number(METHOD, &answer["gasLimit"])?);
        shares.push((block, used as f64 / limit.max(1) as f64));
    }
    Ok(shares)
}
