//! `braid db stats`.

use super::{Folder, head_json};
use crate::SUCCESS;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

pub(super) fn run(folder: &Folder) -> eyre::Result<u8> {
    let (genesis, database) = folder.datadir().open_read_only()?;
    let stats = database.stats()?;
    let total_difficulty = database.total_difficulty()?;
    let tables: serde_json::Map<String, Value> = stats
        .tables
        .iter()
        .map(|(table, size)| (table.name().to_owned(), json!({ "entries": size.entries, "bytes": size.bytes })))
        .collect();
    let json = json!({
        "chainId": genesis.spec.chain_id(),
        "genesis": genesis.hash(),
        "head": head_json(&stats.head),
        "totalDifficulty": total_difficulty,
        "historyFrom": stats.history_from,
        "file": { "bytes": stats.size.file, "used": stats.size.used, "free": stats.size.free },
        "tables": tables,
    });

    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["table", "entries", "bytes"]);
    for (name, size) in &stats.tables {
        table.add_row([name.to_string(), size.entries.to_string(), size.bytes.to_string()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let text = format!(
        "chain id         {}\ngenesis          {}\nhead             block {} ({})\nstate root       {}\n\
         total difficulty {}\nhistory          from block {}\nfile             {} bytes, {} used, {} of these free\n\n{table}",
        genesis.spec.chain_id(),
        genesis.hash(),
        stats.head.number,
        stats.head.hash,
        stats.head.state_root,
        total_difficulty,
        stats.history_from,
        stats.size.file,
        stats.size.used,
        stats.size.free,
    );
    folder.print(&json, &text);
    Ok(SUCCESS)
}
