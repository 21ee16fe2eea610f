//! Transactions that prepare the chain for a load, signed in advance as well.

use super::{LoadError, Server, Wallet, load::batch};
use crate::contracts::Artifact;
use alloy_primitives::{Address, B256, TxKind, U256};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Gas limit of a deployment.
const DEPLOYMENT_GAS: u64 = 8_000_000;
/// Gas limit of a call.
const CALL_GAS: u64 = 500_000;
/// How long the transactions may take to be mined.
const LIMIT: Duration = Duration::from_secs(60);

/// Transactions in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Setup {
    transactions: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    what: String,
    from: Address,
    encoded: Vec<u8>,
    hash: B256,
}

impl Setup {
    /// Transactions of an account so far: its next nonce.
    pub fn nonce(&self, account: Address) -> u64 {
        self.transactions.iter().filter(|step| step.from == account).count() as u64
    }

    /// Deploys a contract, whose constructor takes the ABI-encoded `arguments`; its address is known already.
    pub fn deploy(&mut self, from: &Wallet, name: &str, arguments: Vec<u8>) -> Result<Address, LoadError> {
        let mut code = Artifact::load(name)?.init_code()?.to_vec();
        code.extend(arguments);
        let nonce = self.nonce(from.address);
        self.add(from, format!("deployment of {name}"), TxKind::Create, DEPLOYMENT_GAS, code);
        Ok(from.address.create(nonce))
    }

    /// Calls a contract.
    pub fn call(&mut self, from: &Wallet, to: Address, what: &str, input: Vec<u8>) {
        self.call_with_gas(from, to, what, input, CALL_GAS);
    }

    /// Calls a contract with a gas limit of its own.
    pub fn call_with_gas(&mut self, from: &Wallet, to: Address, what: &str, input: Vec<u8>, gas: u64) {
        self.add(from, format!("{what} of {}", from.address), TxKind::Call(to), gas, input);
    }

    fn add(&mut self, from: &Wallet, what: String, to: TxKind, gas: u64, input: Vec<u8>) {
        let draft = Wallet::draft(self.nonce(from.address), to, gas, U256::ZERO, input.into());
        let (encoded, hash) = from.sign(draft);
        self.transactions.push(Step { what, from: from.address, encoded, hash });
    }

    /// Sends the transactions and waits until all of them succeeded.
    pub async fn run(&self, server: &Server) -> Result<(), LoadError> {
        let mut rpc = server.rpc().await?;
        let encoded: Vec<&[u8]> = self.transactions.iter().map(|step| step.encoded.as_slice()).collect();
        let mut connection = super::Connection::open(server.port).await?;
        for chunk in encoded.chunks(50) {
            let reply = connection.exchange(&batch(chunk).request).await?;
            if super::count_answers(reply).results != chunk.len() {
                let reply = String::from_utf8_lossy(reply);
                let refused = reply.find("\"error\"").map_or(&*reply, |at| &reply[at..]);
                return Err(LoadError::Setup { what: refused.chars().take(200).collect() });
            }
        }
        let begin = Instant::now();
        let mut open: Vec<&Step> = self.transactions.iter().collect();
        while !open.is_empty() {
            if begin.elapsed() > LIMIT {
                let what = format!("{} transactions are not mined after {LIMIT:?}", open.len());
                return Err(LoadError::Setup { what });
            }
            sleep(Duration::from_millis(50)).await;
            let hashes: Vec<Value> = open.iter().map(|step| json!([step.hash])).collect();
            let receipts = rpc.call_each("eth_getTransactionReceipt", &hashes).await?;
            let mut waiting = Vec::new();
            for (step, receipt) in open.into_iter().zip(receipts) {
                match receipt["status"].as_str() {
                    Some("0x1") => {}
                    Some(_) => return Err(LoadError::Setup { what: format!("{} was reverted", step.what) }),
                    None => waiting.push(step),
                }
            }
            open = waiting;
        }
        Ok(())
    }
}
