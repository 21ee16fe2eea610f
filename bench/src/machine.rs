//! What a report says about the machine and the code that were measured.

use serde::Serialize;
use std::{fs, path::Path, process::Command};

/// The machine and the code.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model name of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in GiB.
    pub memory_gib: u64,
    /// Operating system.
    pub system: String,
    /// Commit that was measured, with `-dirty` when the tree had changes.
    pub commit: String,
}

fn first_line(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl Machine {
    /// Looks at the machine that this runs on. Whatever cannot be found out reads "unknown".
    pub fn here() -> Self {
        let unknown = || "unknown".to_owned();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let kibibytes = first_line(&read("/proc/meminfo"), "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
        let git = |arguments: &[&str]| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
            let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "--short=12", "HEAD"]).map_or_else(unknown, |commit| {
            let dirty = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
            if dirty { format!("{commit}-dirty") } else { commit }
        });
        Self {
            processor: first_line(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kibibytes.unwrap_or(0).div_ceil(1 << 20),
            system: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
            commit,
        }
    }
}
