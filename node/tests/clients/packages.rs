//! Published packages of the clients, laid out once in `target/clients`.
//!
//! A folder beside this file (`drivers`, `hardhat`, …) is a [`Kit`]: what to install, with exact versions, and our programs that
//! use it. Everything in it is copied beside the installed packages, where their imports find them. A lock on a file keeps two
//! tests from installing at once; a copy of the list of packages, written last, says that they are complete.
//!
//! Without a package manager or a network the tests that need packages say so and pass; any other failure is a failure.

use super::driver::{Driver, Finished};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const INSTALL: Duration = Duration::from_secs(600);

/// A set of packages, with our programs for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kit {
    /// Name of the folder.
    name: &'static str,
    list: &'static str,
    /// The list goes without the peers that a package names: its authors' peers are whole applications.
    legacy_peers: bool,
}

/// Foundry, viem, ethers, web3.js, and a browser's remote control.
pub(super) const DRIVERS: Kit = Kit { name: "drivers", list: "package.json", legacy_peers: false };
/// Hardhat, and the version of Node that it needs.
pub(super) const HARDHAT: Kit = Kit { name: "hardhat", list: "package.json", legacy_peers: false };
/// What MetaMask is made of.
pub(super) const METAMASK: Kit = Kit { name: "metamask", list: "package.json", legacy_peers: true };
/// web3.py.
pub(super) const PYTHON: Kit = Kit { name: "python", list: "requirements.txt", legacy_peers: false };

/// `target/clients`.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder").join("clients")
}

/// Where the sources of the kits are.
pub(super) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// `anvil`, `cast` or `forge`.
pub(super) fn foundry_tool(name: &str) -> PathBuf {
    let kit = DRIVERS.folder();
    DRIVERS.install().unwrap_or_else(|| panic!("{name} comes from packages, which cannot be installed here"));
    kit.join(format!("node_modules/@foundry-rs/{name}-linux-amd64/bin/{name}"))
}

impl Kit {
    pub(super) fn folder(self) -> PathBuf {
        root().join(self.name)
    }

    /// The folder with the packages and our programs. `None`, said aloud, if they cannot be had on this machine.
    pub(super) fn install(self) -> Option<PathBuf> {
        let (source, folder) = (sources().join(self.name), self.folder());
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let lock = File::create(folder.join(".lock")).expect("the target folder can be written");
        lock.lock().expect("files can be locked");
        copy_tree(&source, &folder);
        let wanted = fs::read_to_string(source.join(self.list)).expect("the kit has a list of packages");
        let marker = folder.join(".installed");
        if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
            return Some(folder);
        }
        eprintln!("installing the packages of {} into {}:\n{wanted}", self.name, folder.display());
        let finished = if self.list == "package.json" { self.npm(&folder) } else { self.pip(&folder) }?;
        if finished.is_offline() {
            return skip(self.name, "the packages' registry cannot be reached");
        }
        finished.expect(0);
        fs::write(marker, wanted).expect("the target folder can be written");
        Some(folder)
    }

    fn npm(self, folder: &Path) -> Option<Finished> {
        if !exists("npm") {
            return skip(self.name, "there is no npm");
        }
        let options = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--no-save"];
        let peers = self.legacy_peers.then_some("--legacy-peer-deps");
        Some(Driver::new("npm", folder, INSTALL).args(options).args(peers).run())
    }

    fn pip(self, folder: &Path) -> Option<Finished> {
        if !exists("python3") {
            return skip(self.name, "there is no Python");
        }
        let made = Driver::new("python3", folder, INSTALL).args(["-m", "venv", "--clear", "venv"]).run();
        if made.code != Some(0) {
            return skip(self.name, "this Python makes no virtual environments");
        }
        let options = ["install", "--quiet", "--disable-pip-version-check", "-r", self.list];
        Some(Driver::new(folder.join("venv/bin/pip"), folder, INSTALL).args(options).run())
    }
}

/// The contracts, compiled once: a file of JSON `{ name: { abi, bytecode } }`.
pub(super) fn artifacts() -> Option<PathBuf> {
    let folder = DRIVERS.install()?;
    let lock = File::create(folder.join(".lock")).expect("the target folder can be written");
    lock.lock().expect("files can be locked");
    let (source, artifacts) = (sources().join("contracts"), folder.join("artifacts.json"));
    if copy_tree(&source, &folder.join("contracts")) || !artifacts.exists() {
        Driver::new("node", &folder, Duration::from_secs(120))
            .args(["compile.mjs", "contracts", "artifacts.json"])
            .succeed();
    }
    Some(artifacts)
}

/// Copies what is new or different, so that a program that runs meanwhile is not disturbed. Tells whether there was anything.
pub(super) fn copy_tree(from: &Path, to: &Path) -> bool {
    fs::create_dir_all(to).expect("the target folder can be written");
    let mut changed = false;
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("the folder can be read");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            changed |= copy_tree(&path, &target);
        } else if fs::read(&target).ok() != fs::read(&path).ok() {
            // Into place at once: nobody sees half of it.
            let part = to.join(format!(".{}.part", entry.file_name().display()));
            fs::copy(&path, &part).and_then(|_| fs::rename(&part, &target)).expect("the target folder can be written");
            changed = true;
        }
    }
    changed
}

/// Whether a program of this name answers.
pub(super) fn exists(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Loud, since a test that was left out looks like one that passed: past what keeps the output of tests that pass.
pub(super) fn skip<T>(what: &str, why: &str) -> Option<T> {
    // Without an output there is nobody to tell.
    let _ = writeln!(io::stderr(), "SKIPPED: {what}: {why}");
    None
}
