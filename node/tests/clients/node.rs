//! A node that runs for one test.

use super::{
    http::{self, Request},
    packages::{foundry_tool, skip},
};
use serde_json::{Value, json};
use std::{
    ffi::{OsStr, OsString},
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

/// From the start to the first answer, with much else going on.
const START: Duration = Duration::from_secs(60);
/// From the signal to the end.
const STOP: Duration = Duration::from_secs(30);

/// Which program is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Ours.
    Braid,
    /// The reference, from the packages: shows that a driver asks for nothing unusual.
    Anvil,
}

impl Program {
    /// The variable is read by tests only.
    pub(super) fn under_test() -> Self {
        match std::env::var("BRAID_TEST_NODE").as_deref() {
            Ok("anvil") => Self::Anvil,
            Ok("braid") | Err(_) => Self::Braid,
            Ok(other) => panic!("BRAID_TEST_NODE is braid or anvil, not {other}"),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Braid => "braid",
            Self::Anvil => "anvil",
        }
    }

    /// For tests of what only we promise: false, said aloud, when another program is under test.
    pub(super) fn is_ours(self, what: &str) -> bool {
        if self != Self::Braid {
            let _ = skip::<()>(what, &format!("not a test for {}", self.name()));
        }
        self == Self::Braid
    }
}

/// The program while it serves. It is told to end when it goes out of scope, so that it takes its temporary folder with it, and killed if it does not.
pub(super) struct RunningNode {
    child: Child,
    address: SocketAddr,
    ready: Value,
    output: Arc<Mutex<String>>,
}

impl RunningNode {
    /// A dev node on a port of the system's choice. The words follow `braid node`.
    pub(super) fn start<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Self {
        Self::start_at(0, words)
    }

    /// As [`Self::start`], on this port: a client finds a node that was started again where it was.
    pub(super) fn start_at<S: AsRef<OsStr>>(port: u16, words: impl IntoIterator<Item = S>) -> Self {
        let begin = Instant::now();
        let port = OsString::from(port.to_string());
        let mut command = match Program::under_test() {
            Program::Braid => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_braid"));
                command.args([OsStr::new("node"), OsStr::new("--json"), OsStr::new("--port"), &port]);
                command
            }
            Program::Anvil => {
                let mut command = Command::new(foundry_tool("anvil"));
                command.args([OsStr::new("--port"), &port]);
                command
            }
        };
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let output = Arc::default();
        let lines = follow(child.stdout.take().expect("it was asked for"), &output);
        drop(follow(child.stderr.take().expect("it was asked for"), &output));
        // From here on a failure ends the program too.
        let mut node = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), ready: Value::Null, output };
        while node.ready.is_null() {
            let left = START.saturating_sub(begin.elapsed());
            let Ok(line) = lines.recv_timeout(left) else {
                panic!("the node did not say where it listens:\n{}", node.output())
            };
            if let Some(address) = line.trim().strip_prefix("Listening on ") {
                node.ready = json!({ "http": format!("http://{address}"), "ws": format!("ws://{address}") });
            } else if line.starts_with('{') {
                node.ready = serde_json::from_str(&line).expect("a line of JSON");
            }
        }
        node.address = authority(node.http());
        while node.try_call("eth_chainId", json!([])).is_err() {
            assert!(begin.elapsed() < START, "the node does not answer:\n{}", node.output());
            thread::sleep(Duration::from_millis(10));
        }
        node
    }

    /// What it printed when it was ready: `http`, `ws`, `ipc`, `authrpc`, `metrics`, `accounts`.
    pub(super) fn address_of(&self, endpoint: &str) -> &str {
        self.ready[endpoint].as_str().unwrap_or_else(|| panic!("no {endpoint:?} in {}", self.ready))
    }

    pub(super) fn http(&self) -> &str {
        self.address_of("http")
    }

    pub(super) fn ws(&self) -> &str {
        self.address_of("ws")
    }

    pub(super) const fn socket(&self) -> SocketAddr {
        self.address
    }

    /// Everything it has written to both of its outputs.
    pub(super) fn output(&self) -> String {
        self.output.lock().expect("no reader panics").clone()
    }

    /// The result of a method; panics on an error.
    #[track_caller]
    pub(super) fn call(&self, method: &str, params: Value) -> Value {
        let answer =
            self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}\n{}", self.output()));
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// The whole answer of a method.
    pub(super) fn try_call(&self, method: &str, params: Value) -> std::io::Result<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let answer = http::send(self.address, &Request::post(body))?;
        serde_json::from_slice(&answer.body).map_err(|error| std::io::Error::other(format!("{error} in {answer:?}")))
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be waited for").is_none()
    }

    /// Ends it in order, as a service manager does.
    pub(super) fn stop(mut self) -> ExitStatus {
        let status = self.terminate();
        status.unwrap_or_else(|| panic!("the node does not end:\n{}", self.output()))
    }

    /// Asks it to end, and waits for a while.
    fn terminate(&mut self) -> Option<ExitStatus> {
        let id = self.child.id().to_string();
        let begin = Instant::now();
        // It may have ended by itself: then nobody has its number as long as it was not waited for.
        let _ = Command::new("kill").args(["-s", "TERM", &id]).stderr(Stdio::null()).status();
        loop {
            if let Some(status) = self.child.try_wait().ok()? {
                return Some(status);
            }
            if begin.elapsed() >= STOP {
                return None;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        let has_ended = matches!(self.child.try_wait(), Ok(Some(_)));
        if !has_ended && self.terminate().is_none() {
            eprintln!("the node does not end when it is told to: it is killed");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            let output = self.output();
            let tail = output.char_indices().rev().nth(4000).map_or(0, |(start, _)| start);
            eprintln!("the node wrote:\n{}", &output[tail..]);
        }
    }
}

/// The socket of an address such as `http://127.0.0.1:8545/path`.
pub(super) fn authority(url: &str) -> SocketAddr {
    let (_, address) = url.split_once("://").unwrap_or_else(|| panic!("{url} is no URL"));
    let (address, _) = address.split_once('/').unwrap_or((address, ""));
    address.parse().unwrap_or_else(|_| panic!("{url} has no numeric address"))
}

/// Keeps what a pipe brings, and hands its lines on as long as somebody listens.
fn follow(pipe: impl std::io::Read + Send + 'static, output: &Arc<Mutex<String>>) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let output = Arc::clone(output);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut output = output.lock().expect("no reader panics");
            output.push_str(&line);
            output.push('\n');
            drop(output);
            // Once the test has read the address, nobody listens.
            let _ = sender.send(line);
        }
    });
    lines
}
