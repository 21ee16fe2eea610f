//! What is printed when a node is ready.

use super::folder::DevAccounts;
use crate::terminal::{self, Colour};
use alloy_primitives::{Address, B256, U256, utils::format_ether};
use serde_json::json;
use std::{io, net::SocketAddr, path::PathBuf};

/// Where a node can be reached, and what is on it.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) http: SocketAddr,
    pub(crate) ipc: Option<PathBuf>,
    pub(crate) engine: Option<SocketAddr>,
    pub(crate) engine_ipc: Option<PathBuf>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) chain_id: u64,
    pub(crate) head: u64,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) accounts: Vec<(Address, B256)>,
    pub(crate) derivation: Option<DevAccounts>,
    pub(crate) balance: U256,
}

impl Ready {
    /// One line for programs.
    pub(crate) fn json(&self) -> String {
        let http = |address: &SocketAddr| format!("http://{address}");
        let accounts: Vec<_> = self
            .accounts
            .iter()
            .map(|(address, key)| json!({ "address": address.to_checksum(None), "privateKey": key }))
            .collect();
        json!({
            "http": http(&self.http),
            "ws": format!("ws://{}", self.http),
            "ipc": self.ipc,
            "authrpc": self.engine.as_ref().map(http),
            "authrpcIpc": self.engine_ipc,
            "metrics": self.metrics.as_ref().map(|address| format!("http://{address}/metrics")),
            "chainId": self.chain_id,
            "head": self.head,
            "datadir": self.folder,
            "accounts": accounts,
            "mnemonic": self.derivation.as_ref().map(|derivation| &derivation.mnemonic),
        })
        .to_string()
    }

    /// For people.
    pub(crate) fn print(&self) {
        let out = io::stdout();
        println!("Braid {}, chain {}, block {}\n", env!("CARGO_PKG_VERSION"), self.chain_id, self.head);
        if !self.accounts.is_empty() {
            println!(
                "Accounts ({} ether each)",
                format_ether(self.balance).trim_end_matches('0').trim_end_matches('.')
            );
            for (index, (address, _)) in self.accounts.iter().enumerate() {
                println!("  ({index}) {}", address.to_checksum(None));
            }
            println!("\nPrivate keys");
            for (index, (_, key)) in self.accounts.iter().enumerate() {
                println!("  ({index}) {key}");
            }
            if let Some(derivation) = &self.derivation {
                println!("\nMnemonic         {}", derivation.mnemonic);
                println!("Derivation path  {}", derivation.derivation_path);
            }
            let warning =
                "Everybody knows these keys: never send anything of value to these accounts on a real network.";
            println!("\n{}\n", terminal::paint(&out, Colour::Yellow, warning));
        }
        if !self.http.ip().is_loopback() {
            let warning = format!("Other machines can use this node: it listens on {}.", self.http.ip());
            println!("{}\n", terminal::paint(&out, Colour::Yellow, &warning));
        }
        match &self.folder {
            Some(folder) => println!("Data in          {}", folder.display()),
            None => println!("Data in          a temporary folder, gone when this ends (--datadir keeps it)"),
        }
        if let Some(path) = &self.ipc {
            println!("IPC              {}", path.display());
        }
        if let Some(address) = &self.engine {
            println!("Engine API       http://{address}");
        }
        if let Some(path) = &self.engine_ipc {
            println!("Engine API, IPC  {}", path.display());
        }
        if let Some(address) = &self.metrics {
            println!("Metrics          http://{address}/metrics");
        }
        println!("Listening on     {}", terminal::paint(&out, Colour::Green, &format!("http://{}", self.http)));
    }
}
