//! The baseline against the oracle.

use super::*;
use crate::test_blocks::{BlockBuilder, FailingSnapshot, contract, funded, pay};
use alloy_primitives::{Address, Bytes, U256, bytes};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
/// Destroys itself in favour of its caller.
const DESTRUCT: Bytes = bytes!("33ff");
/// Adds one to slot 0.
const COUNT: Bytes = bytes!("6000546001016000550000");

fn agree(baseline: &mut SerialBaseline, snapshot: &(impl DatabaseRef + Sync), block: &BlockBuilder) {
    let (spec, block) = (block.spec(), block.build());
    let mut expected = oracle::execute_serial(snapshot, &block, &spec, Outputs::default()).unwrap();
    let mut got = baseline.execute(snapshot, &block, &spec).unwrap();
    expected.diff.sort();
    got.diff.sort();
    assert_eq!(got.receipts, expected.receipts, "{}", spec.name());
    assert_eq!(got.diff, expected.diff, "{}", spec.name());
    assert_eq!((got.gas_used, got.blob_gas_used), (expected.gas_used, expected.blob_gas_used));
    assert_eq!(got.requests, expected.requests);
}

#[test]
fn every_fork_gives_what_the_oracle_gives() {
    let mut snapshot = funded(&[ALICE, BOB]);
    let (doomed, counter) = (Address::repeat_byte(0xd0), Address::repeat_byte(0xd1));
    snapshot.insert_account_info(doomed, contract(&DESTRUCT));
    snapshot.insert_account_storage(doomed, U256::from(5), U256::from(6)).unwrap();
    snapshot.insert_account_info(counter, contract(&COUNT));
    let mut baseline = SerialBaseline::default();
    for fork in
        ["Frontier", "EIP158", "Byzantium", "Istanbul", "London", "Shanghai", "Cancun", "Prague", "Osaka", "Amsterdam"]
    {
        let block = BlockBuilder::new(fork)
            .transaction(ALICE, pay(0, counter, 0))
            .transaction(BOB, pay(0, doomed, 3))
            .transaction(ALICE, pay(1, counter, 0))
            .transaction(BOB, pay(1, doomed, 4))
            .transaction(ALICE, pay(2, Address::repeat_byte(0xee), 0));
        agree(&mut baseline, &snapshot, &block);
    }
}

#[test]
fn nothing_is_kept_from_block_to_block() {
    let mut snapshot = funded(&[ALICE]);
    let counter = Address::repeat_byte(0xd1);
    snapshot.insert_account_info(counter, contract(&COUNT));
    let block = BlockBuilder::new("Prague").transaction(ALICE, pay(0, counter, 0));
    let mut baseline = SerialBaseline::default();
    agree(&mut baseline, &snapshot, &block);
    agree(&mut baseline, &snapshot, &block);
}

#[test]
fn the_oracle_says_what_is_wrong() {
    let mut baseline = SerialBaseline::default();
    let bad_nonce = BlockBuilder::new("Prague").transaction(ALICE, pay(7, BOB, 1));
    let error = baseline.execute(&funded(&[ALICE]), &bad_nonce.build(), &bad_nonce.spec()).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    let block = BlockBuilder::new("Prague").transaction(ALICE, pay(0, BOB, 1));
    let failing = FailingSnapshot { inner: funded(&[ALICE]), missing: BOB };
    let error = baseline.execute(&failing, &block.build(), &block.spec()).unwrap_err();
    assert!(matches!(error, BlockError::Database(_)), "{error}");
}
