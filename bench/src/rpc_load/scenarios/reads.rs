//! Calls that read, each connection asking again as soon as it has its answer.

use super::{Outcome, Requests, Sending, one_second_blocks};
use crate::rpc_load::{
    Better, Connection, DriveOptions, Goal, Latencies, LoadError, Program, Reading, Server, Setup, SignedLoad, Wallets,
    contracts::Token, count_answers, drive, post,
};
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Reads of a chain that holds a token and the logs of its transfers.
#[derive(Debug)]
pub struct ReadScenario {
    accounts: usize,
    setup: Setup,
    transfers: Requests,
    token: Token,
    wallets: Wallets,
    logs: usize,
    connections: usize,
    time: Duration,
}

/// Calls of one kind.
struct Kind {
    name: &'static str,
    requests: Vec<Vec<u8>>,
    /// Answers in the reply to one request.
    answers: usize,
}

/// Calls in the batches.
const BATCH: usize = 100;
/// Times that the logs are asked for.
const LOG_CALLS: u32 = 20;
/// Measured time is preceded by this part of it.
const WARM_UP: u32 = 5;

impl ReadScenario {
    /// Signs the transfers of a token that leave `logs` logs. Each kind of call is made for `time` on so many connections.
    pub fn prepare(logs: usize, connections: usize, time: Duration, sending: Sending) -> Result<Self, LoadError> {
        let wallets = Wallets::derive(sending.senders)?;
        let mut setup = Setup::default();
        let token = Token::set_up(&mut setup, &wallets)?;
        // Minting leaves a log for each sender.
        let minted = wallets.senders.len().min(logs);
        let load = SignedLoad::sign(&wallets.senders, logs - minted, |number, turn| token.transfer(number, turn))?;
        let transfers = load.batches(sending.connections, sending.batch);
        Ok(Self { accounts: wallets.count(), setup, transfers, token, wallets, logs, connections, time })
    }

    pub(super) async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
        let mut server = Server::start(program, &one_second_blocks(self.accounts))?;
        let readings = self.measure(&server).await;
        server.check()?;
        Ok(Outcome { readings: readings?, notes: Vec::new() })
    }

    async fn measure(&self, server: &Server) -> Result<Vec<Reading>, LoadError> {
        self.setup.run(server).await?;
        drive(server, &self.transfers, DriveOptions::default()).await?;
        let mut readings = Vec::new();
        for kind in self.kinds() {
            self.closed_loop(server, &kind, self.time / WARM_UP).await?;
            readings.extend(self.closed_loop(server, &kind, self.time).await?);
        }
        readings.extend(self.logs(server).await?);
        Ok(readings)
    }

    fn kinds(&self) -> [Kind; 4] {
        let request = |calls: &Value| post(calls.to_string().as_bytes());
        let call = |method: &str, parameters: Value| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let senders = &self.wallets.senders;
        let each = |calls: &dyn Fn(usize) -> Value| -> Vec<Vec<u8>> {
            (0..senders.len()).map(|index| request(&calls(index))).collect()
        };
        let balance = |index: usize| call("eth_getBalance", json!([senders[index % senders.len()].address, "latest"]));
        let balance_of = |index: usize| {
            let input = alloy_primitives::hex::encode_prefixed(Token::balance_of(senders[index].address));
            call("eth_call", json!([{"to": self.token.address, "data": input}, "latest"]))
        };
        let batch = |index: usize| Value::from_iter((0..BATCH).map(|offset| balance(index + offset)));
        [
            Kind { name: "eth_chainId", requests: each(&|_| call("eth_chainId", json!([]))), answers: 1 },
            Kind { name: "eth_getBalance", requests: each(&balance), answers: 1 },
            Kind { name: "eth_call balanceOf", requests: each(&balance_of), answers: 1 },
            Kind { name: "eth_getBalance by 100", requests: each(&batch), answers: BATCH },
        ]
    }

    /// Makes calls of one kind for `time`.
    async fn closed_loop(&self, server: &Server, kind: &Kind, time: Duration) -> Result<Vec<Reading>, LoadError> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(server.port).await?);
        }
        let cpu_before = server.cpu_time()?;
        let begin = Instant::now();
        let loops = connections.iter_mut().enumerate().map(|(index, connection)| async move {
            let mut latencies = Latencies::default();
            for request in kind.requests.iter().cycle().skip(index) {
                let sent = Instant::now();
                if sent.duration_since(begin) >= time {
                    break;
                }
                let reply = connection.exchange(request).await?;
                latencies.add(sent.elapsed());
                if count_answers(reply).results != kind.answers {
                    return Err(LoadError::Reply {
                        method: kind.name.to_owned(),
                        reply: String::from_utf8_lossy(&reply[..reply.len().min(200)]).into_owned(),
                    });
                }
            }
            Ok(latencies)
        });
        let mut latencies = Latencies::default();
        for part in try_join_all(loops).await? {
            latencies.add_all(&part);
        }
        let wall = begin.elapsed().as_secs_f64();
        let calls = (latencies.count() * kind.answers as u64) as f64;
        let micros = server.cpu_time()?.saturating_sub(cpu_before).as_secs_f64() * 1e6 / calls.max(1.0);
        let name = kind.name;
        let milliseconds = |percent| latencies.percentile(percent).as_secs_f64() * 1e3;
        Ok(vec![
            Reading::new(name, "calls/s", Better::More, calls / wall).with_goal(Goal::Times(1.0)),
            Reading::new(format!("{name} p50"), "ms", Better::Less, milliseconds(50.0)),
            Reading::new(format!("{name} p99"), "ms", Better::Less, milliseconds(99.0)).with_goal(Goal::Times(1.0)),
            Reading::new(format!("{name} server CPU"), "µs/call", Better::Less, micros),
        ])
    }

    /// Asks for all logs of the token.
    async fn logs(&self, server: &Server) -> Result<Vec<Reading>, LoadError> {
        let filter = json!([{"fromBlock": "0x0", "toBlock": "latest", "address": self.token.address}]);
        let found = server.rpc().await?.call("eth_getLogs", filter.clone()).await?;
        let found = found.as_array().map_or(0, Vec::len);
        if found != self.logs {
            let reply = format!("{found} logs instead of {}", self.logs);
            return Err(LoadError::Reply { method: "eth_getLogs".to_owned(), reply });
        }
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": filter});
        let request = post(request.to_string().as_bytes());
        let mut connection = Connection::open(server.port).await?;
        let (mut latencies, mut bytes) = (Latencies::default(), 0);
        let cpu_before = server.cpu_time()?;
        for _ in 0..LOG_CALLS {
            let sent = Instant::now();
            bytes = connection.exchange(&request).await?.len();
            latencies.add(sent.elapsed());
        }
        let cpu = (server.cpu_time()?.saturating_sub(cpu_before) / LOG_CALLS).as_secs_f64() * 1e3;
        let name = format!("eth_getLogs of {}", self.logs);
        let milliseconds = |percent| latencies.percentile(percent).as_secs_f64() * 1e3;
        Ok(vec![
            Reading::new(format!("{name} p50"), "ms", Better::Less, milliseconds(50.0)).with_goal(Goal::Times(1.0)),
            Reading::new(format!("{name} slowest"), "ms", Better::Less, milliseconds(100.0)),
            Reading::new(format!("{name} server CPU"), "ms", Better::Less, cpu),
            Reading::new(format!("{name} reply"), "MiB", Better::Less, bytes as f64 / super::MIB),
        ])
    }
}
