//! `braid db verify`.

use super::{Folder, head_json};
use crate::{FAILURE, SUCCESS, terminal};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use braid_storage::VerifyOptions;
use serde_json::json;
use std::{num::NonZero, thread, time::Instant};

pub(super) fn run(folder: &Folder, threads: Option<u16>) -> eyre::Result<u8> {
    let (genesis, database) = folder.datadir().open_read_only()?;
    let threads = threads.map_or_else(|| thread::available_parallelism().map_or(1, NonZero::get), usize::from);
    // Before Byzantium receipts had state roots, which are not stored.
    let receipts_from = genesis.spec.ethereum_fork_activation(EthereumHardfork::Byzantium).block_number();
    let stats = database.stats()?;
    let entries = stats.tables.iter().map(|(_, size)| size.entries).sum();
    let bar = terminal::progress(Some(entries), "entries");
    let begin = Instant::now();
    let result = database.verify_with(VerifyOptions { threads, receipts_from }, |done| bar.set_position(done));
    bar.finish_and_clear();
    let seconds = begin.elapsed().as_secs_f64();
    match result {
        Ok(report) => {
            let json = json!({
                "ok": true, "head": head_json(&report.head), "blocks": report.blocks, "accounts": report.accounts,
                "slots": report.slots, "nodes": report.nodes, "codes": report.codes, "seconds": seconds,
            });
            let text = format!(
                "everything agrees: {} blocks up to {} ({}), state root {}, {} accounts, {} slots, {} trie nodes, {} codes; {seconds:.1} s",
                report.blocks,
                report.head.number,
                report.head.hash,
                report.head.state_root,
                report.accounts,
                report.slots,
                report.nodes,
                report.codes,
            );
            folder.print(&json, &text);
            Ok(SUCCESS)
        }
        Err(error) => {
            if folder.json {
                println!("{:#}", json!({ "ok": false, "error": error.to_string(), "seconds": seconds }));
            }
            terminal::error(&terminal::describe(&folder.datadir().explain(&error, None)));
            Ok(FAILURE)
        }
    }
}
