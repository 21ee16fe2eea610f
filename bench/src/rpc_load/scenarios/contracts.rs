//! Token transfers and swaps at one-second blocks.

use super::{Outcome, Requests, Sending, one_second_blocks};
use crate::rpc_load::{
    Better, DriveOptions, ExecutionTimes, Kind, LoadError, Program, Reading, Rpc, Server, ServerSettings, Setup,
    SignedLoad, Wallets,
    contracts::{Exchange, Token},
    drive,
    rpc::number,
};
use serde_json::json;

/// An OpenZeppelin token's transfers and Uniswap v2 swaps. Braid runs them with all threads and with one.
#[derive(Debug)]
pub struct ContractScenario {
    accounts: usize,
    loads: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    name: &'static str,
    setup: Setup,
    requests: Requests,
}

/// Gas limit of blocks, so that there are several: 26,000 token transfers or 11,000 swaps.
const GAS_LIMIT: u64 = 1_000_000_000;

impl ContractScenario {
    /// Signs `count` transactions of each kind; swaps are spread over so many `pairs`.
    pub fn prepare(count: usize, pairs: usize, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let mut setup = Setup::default();
        let token = Token::set_up(&mut setup, &wallets)?;
        let load = SignedLoad::sign(&wallets.senders, count, |number, turn| token.transfer(number, turn))?;
        let transfers = Prepared { name: "ERC-20", setup, requests: load.batches(sending.connections, sending.batch) };
        let mut setup = Setup::default();
        let exchange = Exchange::set_up(&mut setup, &wallets, pairs)?;
        let load = SignedLoad::sign(&wallets.senders, count, |number, turn| exchange.swap(number, turn))?;
        let swaps = Prepared { name: "v2 swap", setup, requests: load.batches(sending.connections, sending.batch) };
        Ok(Self { accounts: wallets.count(), loads: vec![transfers, swaps] })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let settings = ServerSettings { gas_limit: Some(GAS_LIMIT), ..one_second_blocks(self.accounts) };
        let mut outcome = Outcome::default();
        for load in &self.loads {
            outcome.extend(run_load(program, &settings, load, "").await?);
            if program.kind == Kind::Braid {
                let serial = ServerSettings { threads: Some(1), ..settings.clone() };
                outcome.extend(run_load(program, &serial, load, ", one thread").await?);
            }
        }
        Ok(outcome)
    }
}

async fn run_load(
    program: &Program,
    settings: &ServerSettings,
    load: &Prepared,
    suffix: &str,
) -> Result<Outcome, LoadError> {
    let mut server = Server::start(program, settings)?;
    load.setup.run(&server).await?;
    let run = drive(&server, &load.requests, DriveOptions::default()).await;
    server.check()?;
    let run = run?;
    let prefix = format!("{}{suffix}: ", load.name);
    let mut outcome = Outcome::default();
    outcome.add_load(&prefix, program.kind, &run);
    // A serial side is only there for how fast it executes.
    if !suffix.is_empty() {
        let kept = ["mined", "server CPU"].map(|name| format!("{prefix}{name}"));
        outcome.readings.retain(|reading| kept.contains(&reading.name));
    }
    let mut rpc = server.rpc().await?;
    let numbers: Vec<u64> = run.blocks.iter().map(|block| block.number).collect();
    let (gas, reverted) = gas_and_reverts(&mut rpc, &numbers).await?;
    let rate = gas as f64 / 1e6 / run.mined_in.as_secs_f64().max(1e-9);
    outcome.add(Reading::new(format!("{prefix}gas"), "Mgas/s", Better::More, rate));
    let mean = gas as f64 / run.mined.max(1) as f64;
    outcome.add(Reading::new(format!("{prefix}gas of a transaction"), "gas", Better::Less, mean));
    if reverted > 0 {
        outcome
            .notes
            .push(format!("{prefix}{} reverted {reverted} transactions of the first block", program.kind.name()));
    }
    if suffix.is_empty()
        && let Some(times) = ExecutionTimes::of(&mut rpc, numbers.iter().copied()).await?
    {
        let each = |micros: f64| micros / times.transactions as f64;
        let name = |side: &str| format!("{prefix}execution, {side}");
        outcome.add(Reading::new(name("serial"), "µs/tx", Better::Less, each(times.serial_micros)));
        outcome.add(Reading::new(name("parallel"), "µs/tx", Better::Less, each(times.parallel_micros)));
    }
    Ok(outcome)
}

/// Gas of the blocks together, and how many transactions of the first one were reverted.
async fn gas_and_reverts(rpc: &mut Rpc, numbers: &[u64]) -> Result<(u64, usize), LoadError> {
    const METHOD: &str = "eth_getBlockByNumber";
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:#x}")).collect();
    let mut gas = 0;
    for block in &numbers {
        let block = rpc.call(METHOD, json!([block, false])).await?;
        gas += number(METHOD, &block["gasUsed"])?;
    }
    let Some(first) = numbers.first() else { return Ok((gas, 0)) };
    let receipts = rpc.call("eth_getBlockReceipts", json!([first])).await?;
    let reverted = receipts.as_array().into_iter().flatten().filter(|receipt| receipt["status"] == "0x0");
    Ok((gas, reverted.count()))
}
