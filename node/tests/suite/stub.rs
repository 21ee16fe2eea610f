//! A stand-in for a node on loopback: it answers from a bundle, and fails when it is told to.

use alloy_consensus::{Transaction as _, TxReceipt};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};
use braid_chain::{Bundle, PreState, Snapshot};
use revm::DatabaseRef;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What the node does with a method instead of answering.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It does not know the method.
    Missing,
    /// HTTP status 500, this many times.
    ServerError(u32),
    /// HTTP status 429 with `Retry-After: 0`, this many times.
    TooManyRequests(u32),
    /// No answer within the client's patience, this many times.
    Silence(u32),
    /// An answer that is no JSON.
    Garbage,
    /// This result, whatever was asked.
    Result(Value),
    /// This JSON-RPC error.
    Error(i64, &'static str),
}

/// A node that knows one block.
pub(crate) struct Stub {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    bundle: Bundle,
    snapshot: Snapshot,
    trouble: Mutex<BTreeMap<String, Trouble>>,
    calls: Mutex<Vec<String>>,
}

impl Stub {
    pub(crate) fn start(bundle: &Bundle, trouble: impl IntoIterator<Item = (&'static str, Trouble)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            snapshot: bundle.snapshot().unwrap(),
            bundle: bundle.clone(),
            trouble: Mutex::new(trouble.into_iter().map(|(method, trouble)| (method.to_owned(), trouble)).collect()),
            calls: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || while state.serve(&stream).is_some() {});
            }
        });
        Self { url, state }
    }

    /// How often a method was called.
    pub(crate) fn calls(&self, method: &str) -> usize {
        self.state.calls.lock().unwrap().iter().filter(|call| *call == method).count()
    }
}

impl State {
    /// Serves one request; `None` when the connection is over.
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request: Value = serde_json::from_slice(&body).ok()?;
        let method = request["method"].as_str()?.to_owned();
        self.calls.lock().unwrap().push(method.clone());
        let (status, answer) = match self.next_trouble(&method) {
            None => (200, self.answer(&request, &method)),
            Some(Trouble::Missing) => {
                (200, failure(&request, -32601, &format!("the method {method} does not exist/is not available")))
            }
            Some(Trouble::ServerError(_)) => (500, "oops".to_owned()),
            Some(Trouble::TooManyRequests(_)) => (429, "slow down".to_owned()),
            Some(Trouble::Silence(_)) => {
                thread::sleep(Duration::from_secs(3));
                return None;
            }
            Some(Trouble::Garbage) => (200, "<html>".to_owned()),
            Some(Trouble::Result(result)) => (200, success(&request, &result)),
            Some(Trouble::Error(code, message)) => (200, failure(&request, code, message)),
        };
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nretry-after: 0\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()
    }

    fn next_trouble(&self, method: &str) -> Option<Trouble> {
        let mut all = self.trouble.lock().unwrap();
        let trouble = all.get_mut(method)?;
        if let Trouble::ServerError(left) | Trouble::TooManyRequests(left) | Trouble::Silence(left) = trouble {
            *left = left.checked_sub(1)?;
        }
        Some(trouble.clone())
    }

    fn answer(&self, request: &Value, method: &str) -> String {
        match self.result(method, &request["params"]) {
            Some(result) => success(request, &result),
            None => failure(request, -32601, &format!("the method {method} does not exist/is not available")),
        }
    }

    fn result(&self, method: &str, params: &Value) -> Option<Value> {
        let address = || params[0].as_str().and_then(|text| text.parse::<Address>().ok());
        let account = || self.snapshot.basic_ref(address()?).ok();
        let block = &self.bundle.block;
        let is_own = params[0] == format!("{:#x}", self.bundle.number());
        Some(match method {
            "eth_chainId" => json!("0x1"),
            "debug_getRawBlock" if is_own => json!(Bytes::from(alloy_rlp::encode(block))),
            "debug_executionWitness" if is_own => {
                let PreState::Witness(witness) = &self.bundle.pre_state else { return None };
                let headers: Vec<Bytes> =
                    witness.headers.iter().map(|header| alloy_rlp::encode(header).into()).collect();
                json!({ "state": witness.state, "codes": witness.codes, "keys": witness.keys, "headers": headers })
            }
            "debug_traceBlockByNumber" if is_own => self.trace(),
            "eth_getBlockByNumber" if is_own => self.json_block(),
            "eth_getBlockByNumber" => {
                let number = u64::from_str_radix(params[0].as_str()?.trim_start_matches("0x"), 16).ok()?;
                let PreState::Witness(witness) = &self.bundle.pre_state else { return Some(Value::Null) };
                witness.headers.iter().find(|header| header.number == number).map_or(Value::Null, json_header)
            }
            "eth_getBlockReceipts" => self.receipts()?,
            "eth_getBalance" => json!(account()?.unwrap_or_default().balance),
            "eth_getTransactionCount" => json!(format!("{:#x}", account()?.unwrap_or_default().nonce)),
            "eth_getCode" => {
                json!(account()?.and_then(|info| info.code).map_or_else(Bytes::new, |code| code.original_bytes()))
            }
            "eth_getStorageAt" => {
                let slot: B256 = params[1].as_str()?.parse().ok()?;
                json!(B256::from(self.snapshot.storage_ref(address()?, slot.into()).ok()?))
            }
            _ => return None,
        })
    }

    /// What a tracer says: all accounts that are known by name in the first transaction, and values in a later one that are not those before the block.
    fn trace(&self) -> Value {
        let mut first = Map::new();
        let mut later = Map::new();
        for (address, account) in self.snapshot.accounts() {
            let Some(info) = &account.info else { continue };
            let storage: Map<String, Value> = account
                .storage()
                .map(|(slot, value)| (B256::from(slot).to_string(), json!(B256::from(value))))
                .collect();
            let code = info.code.as_ref().map(|code| code.original_bytes()).filter(|code| !code.is_empty());
            let mut entry = json!({ "balance": info.balance, "nonce": info.nonce, "storage": storage });
            if let Some(code) = code {
                entry["code"] = json!(code);
            }
            first.insert(address.to_string(), entry);
            let wrong: Map<String, Value> =
                storage.into_iter().map(|(slot, _)| (slot, json!(B256::repeat_byte(7)))).collect();
            later
                .insert(address.to_string(), json!({ "balance": U256::from(1), "nonce": 1_000_000, "storage": wrong }));
        }
        let count = self.bundle.block.body.transactions.len();
        let mut results = vec![json!({ "result": {} }); count];
        results[0] = json!({ "result": first });
        results[count - 1] = json!({ "result": later });
        json!(results)
    }

    fn json_block(&self) -> Value {
        let block = &self.bundle.block;
        let mut object = json_header(&block.header);
        object["transactions"] = json!(block.body.transactions);
        object["uncles"] = json!([]);
        if let Some(withdrawals) = &block.body.withdrawals {
            object["withdrawals"] = json!(withdrawals);
        }
        object
    }

    fn receipts(&self) -> Option<Value> {
        let receipts = self.bundle.receipts.as_ref()?;
        let receipt = |receipt: &braid_runtime::Receipt| {
            let logs: Vec<Value> = receipt
                .logs()
                .iter()
                .map(|log| json!({ "address": log.address, "topics": log.topics(), "data": log.data.data }))
                .collect();
            json!({
                "type": format!("{:#x}", receipt.tx_type as u8),
                "status": if receipt.success { "0x1" } else { "0x0" },
                "cumulativeGasUsed": format!("{:#x}", receipt.cumulative_gas_used),
                "logs": logs,
            })
        };
        assert!(self.bundle.block.body.transactions.iter().all(|tx| tx.encode_2718_len() > 0 && tx.gas_limit() > 0));
        Some(json!(receipts.iter().map(receipt).collect::<Vec<_>>()))
    }
}

fn json_header(header: &alloy_consensus::Header) -> Value {
    let mut object = json!(header);
    object["hash"] = json!(header.hash_slow());
    object
}

fn success(request: &Value, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string()
}

fn failure(request: &Value, code: i64, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": request["id"], "error": { "code": code, "message": message } }).to_string()
}
