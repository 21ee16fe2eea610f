//! Genesis files of the conformance suites, where they are beside the repository.

use alloy_primitives::Bytes;
use alloy_rlp::Decodable;
use braid_chain::GenesisFile;
use braid_runtime::Block;
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// A file of the shared data, or `None`, said aloud, where there is none.
fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(path);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// The files of an archive whose names end like one of these.
fn unpack(archive: &Path, endings: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let mut decoder = zstd::Decoder::new(File::open(archive).unwrap()).unwrap();
    decoder.window_log_max(27).unwrap();
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(decoder).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(name, bytes);
        }
    }
    files
}

#[test]
fn the_chain_of_the_rpc_suite_follows_its_genesis() {
    let Some(archive) = shared("rpc-compat/rpc-compat.tar.zst") else { return };
    let files = unpack(&archive, &["tests/genesis.json", "tests/chain.rlp"]);
    let file = |ending: &str| files.iter().find(|(name, _)| name.ends_with(ending)).unwrap().1;
    let genesis = GenesisFile::from_json(std::str::from_utf8(file("genesis.json")).unwrap()).unwrap();
    let first = Block::decode(&mut file("chain.rlp").as_slice()).unwrap();
    assert_eq!(first.header.number, 1);
    assert_eq!(genesis.hash(), first.header.parent_hash);
}

#[test]
fn genesis_tests() {
    let Some(archive) = shared("conformance/ethereum-tests-GenesisTests.tar.zst") else { return };
    let mut passed = 0;
    for (name, bytes) in unpack(&archive, &[".json"]) {
        let cases: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        for (case, mut value) in cases {
            let expected: Bytes = serde_json::from_value(value["result"].take()).unwrap();
            value.as_object_mut().unwrap().remove("result");
            // These files come from before there was a fork schedule.
            value["config"] = serde_json::json!({ "chainId": 1 });
            let file =
                GenesisFile::from_json(&value.to_string()).unwrap_or_else(|error| panic!("{name} {case}: {error}"));
            let block = Block::new(file.genesis.header, file.genesis.body);
            assert_eq!(Bytes::from(alloy_rlp::encode(&block)), expected, "{name} {case}");
            passed += 1;
        }
    }
    assert_eq!(passed, 3, "cases of the suite");
}
