//! Starting a node, waiting for its first answer, and ending it.

use super::{LoadError, Memory, Rpc, cpu_time, memory, post, proportional_memory};
use serde::Serialize;
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Which node.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// This project.
    Braid,
    /// The node of Foundry.
    Anvil,
}

impl Kind {
    /// Both, Braid first.
    pub const ALL: [Self; 2] = [Self::Braid, Self::Anvil];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Braid => "Braid",
            Self::Anvil => "anvil",
        }
    }
}

/// A node's program.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which node it is.
    pub kind: Kind,
    /// Where it lies.
    pub path: PathBuf,
    /// Options for every start, after those of the settings.
    pub options: Vec<String>,
}

/// When blocks are made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mining {
    /// As soon as there is a transaction.
    #[default]
    Instant,
    /// Every so many seconds.
    Interval(u64),
}

/// What a node is asked to be; the same for all sides. What is not given is the node's own choice.
#[derive(Clone, Debug, Default)]
pub struct ServerSettings {
    /// When blocks are made.
    pub mining: Mining,
    /// Gas limit of a block.
    pub gas_limit: Option<u64>,
    /// Accounts with money.
    pub accounts: Option<usize>,
    /// Blocks whose states and bodies are kept; all when not given.
    pub history: Option<u64>,
    /// Threads that execute a block; for Braid only.
    pub threads: Option<usize>,
}

impl Program {
    /// The options of a start.
    fn arguments(&self, port: u16, settings: &ServerSettings) -> Vec<OsString> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value]);
            }
        };
        add("--port", Some(port.to_string()));
        add("--gas-limit", settings.gas_limit.map(|gas| gas.to_string()));
        add("--accounts", settings.accounts.map(|accounts| accounts.to_string()));
        if let Mining::Interval(seconds) = settings.mining {
            add("--block-time", Some(seconds.to_string()));
        }
        let history = settings.history.map(|blocks| blocks.to_string());
        match self.kind {
            Kind::Braid => {
                add("--history", history);
                add("--threads", settings.threads.map(|threads| threads.to_string()));
            }
            Kind::Anvil => {
                add("--prune-history", history.clone());
                add("--transaction-block-keeper", history);
            }
        }
        arguments.push("--silent".to_owned());
        if self.kind == Kind::Braid {
            arguments.insert(0, "node".to_owned());
        }
        arguments.iter().chain(&self.options).map(OsString::from).collect()
    }
}

/// A node that runs. It is ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// Which node.
    pub kind: Kind,
    /// Port on 127.0.0.1.
    pub port: u16,
    /// From its start to its first answer.
    pub started_in: Duration,
    child: Child,
    errors: File,
}

/// How long a node may take to its first answer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a node may take to end after it was asked to.
const END_LIMIT: Duration = Duration::from_secs(10);

impl Server {
    /// Starts a node and waits for its answer to `eth_chainId`, asking every millisecond.
    pub fn start(program: &Program, settings: &ServerSettings) -> Result<Self, LoadError> {
        let port = free_port()?;
        let errors = tempfile::tempfile()?;
        let mut command = Command::new(&program.path);
        command.args(program.arguments(port, settings)).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(errors.try_clone()?);
        let begin = Instant::now();
        let child = command.spawn();
        let child = child.map_err(|source| LoadError::Start { program: program.path.clone(), source })?;
        let mut server = Self { kind: program.kind, port, started_in: Duration::ZERO, child, errors };
        while !answers(port) {
            server.check()?;
            if begin.elapsed() > START_LIMIT {
                return Err(LoadError::Silent { name: server.kind.name().to_owned(), waited: START_LIMIT });
            }
            thread::sleep(Duration::from_millis(1));
        }
        server.started_in = begin.elapsed();
        Ok(server)
    }

    /// A connection for single calls.
    pub async fn rpc(&self) -> Result<Rpc, LoadError> {
        Rpc::open(self.port).await
    }

    /// An error when the node has ended.
    pub fn check(&mut self) -> Result<(), LoadError> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let mut output = String::new();
        self.errors.seek(SeekFrom::Start(0))?;
        self.errors.read_to_string(&mut output)?;
        let last: Vec<&str> = output.lines().rev().take(5).collect();
        let output = last.into_iter().rev().collect::<Vec<_>>().join(" / ");
        Err(LoadError::Ended { name: self.kind.name().to_owned(), status, output })
    }

    /// Processor time of the node so far.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        cpu_time(self.child.id())
    }

    /// Memory of the node now.
    pub fn memory(&self) -> io::Result<Memory> {
        memory(self.child.id())
    }

    /// Memory of the node in bytes, where pages shared with others count by their share.
    pub fn proportional_memory(&self) -> io::Result<u64> {
        proportional_memory(self.child.id())
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    /// Asks the node to end, so that it removes its temporary files, and ends it when it does not.
    fn drop(&mut self) {
        if let Ok(pid) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: the child has not been waited for, so the number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        let asked = Instant::now();
        while asked.elapsed() < END_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        // Nothing is left to do when even this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, chosen by the system.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whether the node answers now.
fn answers(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(&post(br#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#))?;
        let (mut reply, mut piece) = (Vec::new(), [0; 1024]);
        while memchr::memmem::find(&reply, b"\"0x").is_none() {
            match stream.read(&mut piece)? {
                0 => return Ok(false),
                length => reply.extend_from_slice(&piece[..length]),
            }
        }
        Ok(true)
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_get_equal_settings() {
        let settings = ServerSettings {
            mining: Mining::Interval(1),
            gas_limit: Some(30_000_000),
            accounts: Some(129),
            history: Some(64),
            threads: Some(1),
        };
        let line = |kind| {
            let program = Program { kind, path: PathBuf::new(), options: vec!["--more".to_owned()] };
            program.arguments(7, &settings).join(" ".as_ref()).into_string().unwrap()
        };
        let common = "--port 7 --gas-limit 30000000 --accounts 129 --block-time 1";
        assert_eq!(line(Kind::Braid), format!("node {common} --history 64 --threads 1 --silent --more"));
        let pruned = "--prune-history 64 --transaction-block-keeper 64";
        assert_eq!(line(Kind::Anvil), format!("{common} {pruned} --silent --more"));
    }

    #[test]
    fn a_program_that_is_not_there_and_one_that_ends() {
        let start = |path: &str| {
            let program = Program { kind: Kind::Anvil, path: path.into(), options: Vec::new() };
            Server::start(&program, &ServerSettings::default()).unwrap_err()
        };
        assert!(matches!(start("/nowhere/anvil"), LoadError::Start { .. }));
        assert!(matches!(start("false"), LoadError::Ended { .. }));
    }
}
