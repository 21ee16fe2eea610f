//! The real mainnet blocks beside the repository, through every layout. Skipped, and said so, where they are not there.

use alloy_primitives::{Address, U256};
use braid_chain::{Bundle, NamedBundle, PreState, open, validate, validation::StateRootCheck};
use braid_runtime::{Outputs, oracle::execute_serial};
use revm::DatabaseRef;
use std::path::PathBuf;

fn archive() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet/mainnet-blocks.tar.zst");
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: 49 blocks of {} are not there", path.display());
    None
}

#[test]
fn every_block_becomes_a_bundle_that_survives_its_file() {
    let Some(path) = archive() else { return };
    let mut witnesses = 0;
    let mut names = Vec::new();
    for bundle in open(&path).unwrap() {
        let NamedBundle { name, bundle } = bundle.unwrap_or_else(|error| panic!("{error}"));
        let started = std::time::Instant::now();
        let file = bundle.encode().unwrap();
        let encoded = started.elapsed();
        let started = std::time::Instant::now();
        assert_eq!(Bundle::decode(&file).unwrap(), bundle, "{name}");
        let decoded = started.elapsed();
        let started = std::time::Instant::now();
        let snapshot = bundle.snapshot().unwrap_or_else(|error| panic!("{name}: {error}"));
        println!(
            "{:>9} {:>9} bytes, encode {encoded:?}, decode {decoded:?}, snapshot {:?}",
            bundle.number(),
            file.len(),
            started.elapsed()
        );
        for sender in bundle.senders.as_ref().unwrap() {
            let info = snapshot.basic_ref(*sender).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(info.is_some() || matches!(bundle.pre_state, PreState::Plain(_)), "{name}: sender {sender}");
        }
        assert_eq!(snapshot.block_hash_ref(bundle.number() - 1), Ok(bundle.block.header.parent_hash));
        witnesses += usize::from(matches!(bundle.pre_state, PreState::Witness(_)));
        names.push(name);
    }
    assert_eq!((names.len(), witnesses), (49, 4), "{names:?}");
}

#[test]
fn witness_blocks_prove_their_pre_state() {
    let Some(path) = archive() else { return };
    let mut seen = 0;
    for bundle in open(&path).unwrap() {
        let NamedBundle { name, bundle } = bundle.unwrap();
        let PreState::Witness(witness) = &bundle.pre_state else { continue };
        seen += 1;
        let snapshot = bundle.snapshot().unwrap();
        let (mut known, mut slots) = (0, 0);
        for (address, account) in snapshot.accounts() {
            known += usize::from(account.info.is_some());
            slots += account.storage().len();
            assert_eq!(snapshot.basic_ref(address).unwrap(), account.info);
        }
        println!("{name}: {known} accounts and {slots} slots by name");
        assert!(known > 40 && slots > 40, "{name}: {known} accounts, {slots} slots");

        let parent = &witness.headers[0];
        assert_eq!(parent.hash_slow(), bundle.block.header.parent_hash);
        let unchanged = snapshot.state_root_after(&Default::default()).unwrap();
        assert_eq!(unchanged, Some(parent.state_root), "{name}");

        // The witness is of a trie with millions of accounts: an address nobody touched is not provable.
        let elsewhere = Address::repeat_byte(0xd7);
        let error = snapshot.basic_ref(elsewhere).unwrap_err().to_string();
        assert!(error.to_lowercase().starts_with("missing account 0xd7d7"), "{error}");
        // So is a slot nobody touched of a contract with many.
        let (contract, _) = snapshot.accounts().max_by_key(|(_, account)| account.storage().len()).unwrap();
        let error = snapshot.storage_ref(contract, U256::from(0xdead_beef_u64)).unwrap_err().to_string();
        assert!(error.starts_with("missing slot 0x"), "{error}");
    }
    assert_eq!(seen, 4);
}

#[test]
fn every_block_executes_as_its_header_says() {
    let Some(path) = archive() else { return };
    let mut state_roots = 0;
    let mut failures = Vec::new();
    for bundle in open(&path).unwrap() {
        let NamedBundle { name, bundle } = bundle.unwrap();
        let snapshot = bundle.snapshot().unwrap();
        let spec = bundle.chain.spec().unwrap();
        let block = bundle.recovered_block().unwrap();
        match execute_serial(&snapshot, &block, &spec, Outputs::default()) {
            Ok(outcome) => {
                let validation = validate(&bundle, &snapshot, &outcome);
                state_roots += usize::from(validation.state_root == StateRootCheck::Compared);
                failures.extend(validation.mismatches.iter().map(|mismatch| format!("{name}: {mismatch}")));
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(state_roots, 4);
}
