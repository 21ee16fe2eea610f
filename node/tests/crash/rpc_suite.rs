//! The chain of the JSON-RPC suite, made by another client: forks from Homestead on, the merge, up to block 54.

use super::program::{Running, SUCCESS, braid, stored_head, verify};
use crate::arguments;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

const FILES: [&str; 3] = ["tests/genesis.json", "tests/chain.rlp", "tests/headfcu.json"];

struct Suite {
    folder: tempfile::TempDir,
    /// Hash of block 54.
    head: String,
}

impl Suite {
    /// `None`, said aloud, if it is not there.
    fn unpack() -> Option<Self> {
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/rpc-compat/rpc-compat.tar.zst");
        if !archive.exists() {
            eprintln!("SKIPPED: {} is not there", archive.display());
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut decoder = zstd::Decoder::new(File::open(archive).unwrap()).unwrap();
        decoder.window_log_max(27).unwrap();
        for entry in tar::Archive::new(decoder).entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            if let Some(file) = FILES.iter().find(|file| name.ends_with(*file)) {
                entry.unpack(folder.path().join(file.trim_start_matches("tests/"))).unwrap();
            }
        }
        let choice: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join("headfcu.json")).unwrap()).unwrap();
        let head = choice["params"][0]["headBlockHash"].as_str().unwrap().to_owned();
        Some(Self { folder, head })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn assert_complete(&self, datadir: &Path) {
        let head = stored_head(datadir).expect("there is a database");
        assert_eq!((head.number, head.hash.to_string()), (54, self.head.clone()));
        verify(datadir).expect(SUCCESS);
        let out = self.path("out.rlp");
        braid(arguments!["export", &out, "--datadir", datadir]).expect(SUCCESS);
        assert!(fs::read(out).unwrap() == fs::read(self.path("chain.rlp")).unwrap(), "byte for byte the same");
    }
}

#[test]
fn its_chain_imports_to_its_head_in_both_modes_and_exports_as_it_was() {
    let Some(suite) = Suite::unpack() else { return };
    let (genesis, blocks) = (suite.path("genesis.json"), suite.path("chain.rlp"));
    for mode in ["parallel", "serial"] {
        let datadir = suite.path(mode);
        braid(arguments!["init", &genesis, "--datadir", &datadir]).expect(SUCCESS);
        let run =
            braid(arguments!["import", &blocks, "--datadir", &datadir, "--mode", mode, "--threads", "4", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&run.expect(SUCCESS).stdout).unwrap();
        assert_eq!((json["blocks"].as_u64(), json["transactions"].as_u64()), (Some(54), Some(249)));
        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
        suite.assert_complete(&datadir);
    }
}

#[test]
fn its_chain_imports_in_two_parts_with_kills_between() {
    let Some(suite) = Suite::unpack() else { return };
    let (genesis, blocks) = (suite.path("genesis.json"), suite.path("chain.rlp"));
    let datadir = suite.path("chain");
    let half = suite.path("half.rlp");
    let whole = fs::read(&blocks).unwrap();
    fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let part = braid(arguments!["import", &half, "--genesis", &genesis, "--datadir", &datadir]);
    part.fails_with(&["ends inside a block", "incomplete"]);
    for wait in [5, 20, 40, 80] {
        let import =
            Running::start(arguments!["import", &blocks, "--datadir", &datadir, "--durability", "every-block"]);
        std::thread::sleep(Duration::from_millis(wait));
        import.kill();
        verify(&datadir).expect(SUCCESS);
    }
    braid(arguments!["import", &blocks, "--datadir", &datadir]).expect(SUCCESS);
    suite.assert_complete(&datadir);
}
