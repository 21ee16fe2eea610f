//! Blob transactions: proofs, limits, and where blobs are found.

use super::world::{GWEI, Key, World, fees};
use crate::pool::{Origin, PoolOptions, PooledTransaction};
use alloy_consensus::TxEip4844;
use alloy_eips::{
    Encodable2718,
    eip4844::{Blob, BlobTransactionSidecar, c_kzg},
    eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{Address, B256};

fn sidecar(count: u8) -> BlobTransactionSidecar {
    let blobs = (1..=count).map(Blob::repeat_byte).collect();
    BlobTransactionSidecar::try_from_blobs_with_settings(blobs, c_kzg::ethereum_kzg_settings(0))
        .expect("the proofs can be made")
}

fn blobs(key: Key, nonce: u64, gwei: u128, sidecar: BlobTransactionSidecarVariant) -> PooledTransaction {
    let transaction = TxEip4844 {
        chain_id: 1,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 2 * gwei * GWEI,
        max_priority_fee_per_gas: gwei * GWEI,
        max_fee_per_blob_gas: gwei * GWEI,
        to: Address::repeat_byte(0xaa),
        blob_versioned_hashes: sidecar.versioned_hashes().collect(),
        ..TxEip4844::default()
    };
    key.sign(transaction.with_sidecar(sidecar))
}

#[test]
fn blobs_are_kept_beside_and_after_their_transaction() {
    let world = World::new("Cancun", PoolOptions::default());
    let key = Key::new(0);
    let sidecar = sidecar(2);
    let hashes: Vec<B256> = sidecar.versioned_hashes().collect();
    let hash = world.add(&blobs(key, 0, 1, sidecar.clone().into())).unwrap();
    let find = || {
        let found = world.pool.blobs(&[hashes[1], B256::ZERO, hashes[0]]);
        let numbers = found.iter().map(|blob| blob.as_ref().map(|blob| blob.with_proof().unwrap().blob[5]));
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(find(), [Some(2), None, Some(1)]);
    assert!(world.pool.get(&hash).unwrap().pooled().encoded_2718().len() > 2 * 131_072);

    assert_eq!(
        world.refuse(&blobs(key, 2, 1, sidecar.clone().into())),
        "nonce too high: tx nonce 2, gapped nonce 1: a blob transaction cannot wait for others, send the one with nonce 1 first"
    );
    assert_eq!(world.refuse(&blobs(key, 0, 1, self::sidecar(1).into())), "replacement transaction underpriced");
    assert_eq!(world.refuse(&key.pay(0, 9, 9)), "address already reserved");
    let better = world.add(&blobs(key, 0, 2, sidecar.clone().into())).unwrap();
    assert!(world.pool.sidecar(&hash).is_some(), "a block may have been built of it");
    let genesis = world.chain.head().hash;
    assert_eq!(world.mine(), [better]);
    assert_eq!(find(), [Some(2), None, Some(1)]);
    world.chain.set_head(genesis).unwrap();
    assert_eq!(world.counts(), (1, 0));
    assert!(world.pool.get(&better).unwrap().sidecar().is_some());
}

#[test]
fn wrong_blobs_are_refused() {
    let world = World::new("Cancun", PoolOptions { separate_blob_senders: true, ..PoolOptions::default() });
    let key = Key::new(0);
    let sidecar = sidecar(1);
    let hashes: Vec<B256> = sidecar.versioned_hashes().collect();
    let mut other_proof = sidecar.clone();
    other_proof.proofs[0] = other_proof.commitments[0];
    let error = world.refuse(&blobs(key, 0, 1, other_proof.into()));
    assert!(error.starts_with("invalid sidecar: "), "{error}");
    let mut no_proof = sidecar.clone();
    no_proof.proofs.clear();
    assert!(world.refuse(&blobs(key, 0, 1, no_proof.into())).starts_with("invalid sidecar: "));
    let many = TxEip4844 {
        chain_id: 1,
        gas_limit: 21_000,
        max_fee_per_blob_gas: 1,
        blob_versioned_hashes: vec![hashes[0]; 7],
        ..TxEip4844::default()
    };
    let many = key.sign(many.with_sidecar(BlobTransactionSidecarVariant::from(sidecar.clone())));
    assert_eq!(world.refuse(&many), "transaction blob limit exceeded: blob count 7, limit 6");
    let mut cheap = TxEip4844 { chain_id: 1, gas_limit: 21_000, blob_versioned_hashes: hashes, ..TxEip4844::default() };
    cheap.max_fee_per_gas = GWEI;
    let cheap = key.sign(cheap.with_sidecar(BlobTransactionSidecarVariant::from(sidecar.clone())));
    assert_eq!(world.refuse(&cheap), "transaction underpriced: blob fee cap 0, minimum needed 1");
    world.add(&key.sign(fees(9, 1))).unwrap();
    assert_eq!(world.refuse(&blobs(key, 1, 1, sidecar.into())), "address already reserved");
}

#[test]
fn from_osaka_on_proofs_are_of_cells() {
    let world = World::new("Osaka", PoolOptions::default());
    let key = Key::new(0);
    let old = blobs(key, 0, 1, sidecar(1).into());
    let error = world.pool.add_raw(&old.encoded_2718(), Origin::External).unwrap_err();
    assert_eq!(error.to_string(), "unexpected sidecar version, want: 1, got: 0");
    let hash = world.add(&old).unwrap();
    let sidecar = world.pool.sidecar(&hash).unwrap();
    let blob = world.pool.blobs(&[sidecar.versioned_hashes().next().unwrap()]).remove(0).unwrap();
    assert_eq!(blob.with_cell_proofs().unwrap().proofs.len(), 128);
    assert!(blob.with_proof().is_none());
    // What was converted is accepted as such.
    world.pool.clear();
    let new = blobs(key, 0, 1, (*sidecar).clone());
    assert_eq!(world.pool.add_raw(&new.encoded_2718(), Origin::External).unwrap(), hash);
    assert_eq!(world.mine(), [hash]);
}
