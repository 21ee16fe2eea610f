//! The same load against Braid and another node, over JSON-RPC.
//!
//! [`Program`] and [`Server`] start a node, [`Wallets`] and [`SignedLoad`] make transactions in advance, [`drive`] sends them and watches
//! the chain, [`Scenario`] says what is measured, and [`Figures`] puts the runs of all sides beside each other.
//!
//! The client shares its cores with the server. So it is one thread, its requests are bytes made before the clock starts, and of a reply it
//! only counts the answers ([`count_answers`]).

mod anvil;
mod contracts;
mod drive;
mod error;
mod figures;
mod http;
mod latency;
mod load;
mod process;
mod rpc;
mod scan;
mod scenarios;
mod schedule;
mod server;
mod setup;
mod wallets;

pub use anvil::fetch as fetch_anvil;
pub use drive::{DriveOptions, LoadRun, MinedBlock, drive};
pub use error::LoadError;
pub use figures::{Better, Figures, Goal, Reading};
pub use http::{Connection, post};
pub use latency::Latencies;
pub use load::{Batch, SignedLoad};
pub use process::{Memory, cpu_time, memory, proportional_memory};
pub use rpc::Rpc;
pub use scan::{Answers, count_answers};
pub use scenarios::{
    BacklogScenario, ContractScenario, MemoryScenario, Outcome, ReadScenario, Scenario, Sending, StartScenario,
    TransferScenario,
};
pub use schedule::ExecutionTimes;
pub use server::{Kind, Mining, Program, Server, ServerSettings};
pub use setup::Setup;
pub use wallets::{Wallet, Wallets};
