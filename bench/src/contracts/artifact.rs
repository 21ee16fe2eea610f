//! Contract artifacts as the install script leaves them.

use super::ContractError;
use alloy_primitives::{Address, Bytes, hex};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Where in the bytecode the address of a library goes, in bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
struct LinkReference {
    start: usize,
    length: usize,
}

/// One contract as its authors published it, or as the compiler made it from the sources in `bench/contracts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    name: String,
    bytecode: String,
    #[serde(default)]
    link_references: BTreeMap<String, BTreeMap<String, Vec<LinkReference>>>,
}

/// Folder of this crate's install script.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts")
}

/// Folder that the script fills; it can be deleted at any time.
fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench-contracts")
}

/// Whether the contracts were installed before, so that no network is needed.
pub fn is_installed() -> bool {
    installed().join("artifacts").join("BenchVault.json").is_file()
}

/// Fetches and compiles the contracts, unless they are there already. The script prints what it does on stderr.
pub fn install() -> Result<(), ContractError> {
    static DONE: OnceLock<()> = OnceLock::new();
    if DONE.get().is_some() {
        return Ok(());
    }
    let status = Command::new("node")
        .arg(sources().join("install.mjs"))
        .arg(installed())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|source| ContractError::NoProgram { program: "node", source })?;
    if !status.success() {
        return Err(ContractError::Install(status));
    }
    DONE.get_or_init(|| ());
    Ok(())
}

impl Artifact {
    /// Loads a contract by name, installing all of them first when needed.
    pub fn load(name: &str) -> Result<Self, ContractError> {
        install()?;
        let path = installed().join("artifacts").join(format!("{name}.json"));
        let text =
            std::fs::read_to_string(&path).map_err(|source| ContractError::Read { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|source| ContractError::Format { path, source })
    }

    /// Init code of a contract without libraries.
    pub fn init_code(&self) -> Result<Bytes, ContractError> {
        self.linked(&[])
    }

    /// Init code with the addresses of the libraries filled in.
    pub fn linked(&self, libraries: &[(&str, Address)]) -> Result<Bytes, ContractError> {
        let fail = |reason: String| ContractError::Link { name: self.name.clone(), reason };
        let mut text = self.bytecode.trim_start_matches("0x").to_owned();
        for (library, places) in self.link_references.values().flatten() {
            let Some((_, address)) = libraries.iter().find(|(name, _)| name == library) else {
                return Err(fail(format!("library {library} was not given")));
            };
            let replacement = hex::encode(address);
            for place in places {
                let range = place.start * 2..(place.start + place.length) * 2;
                if place.length != 20 || text.get(range.clone()).is_none() {
                    return Err(fail(format!("library {library} has no 20 bytes at {}", place.start)));
                }
                text.replace_range(range, &replacement);
            }
        }
        hex::decode(text).map(Bytes::from).map_err(|source| fail(source.to_string()))
    }
}
