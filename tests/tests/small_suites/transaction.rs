//! TransactionTests: which bytes are a valid transaction under the rules of which fork.

use crate::suite::{cases, for_each_file};
use alloy_consensus::Header;
use alloy_primitives::U256;
use braid_chain::consensus::{CheckedTransaction, validate_transaction};
use braid_fixtures::suites::{
    state_test::decode_transaction,
    transaction_test::{TransactionResult, TransactionTest},
};
use braid_runtime::{ChainSpec, Transaction};

/// The first block of a fork, with the fields that its environment needs.
fn header() -> Header {
    Header {
        number: 1,
        timestamp: 1,
        difficulty: U256::from(131_072),
        base_fee_per_gas: Some(7),
        excess_blob_gas: Some(0),
        ..Header::default()
    }
}

fn check(bytes: &[u8], fork: &str) -> Result<(Transaction, CheckedTransaction), String> {
    // The fork whose gas metering is not supported has the same rules for transactions as the one after it.
    let fork = if fork == "Constantinople" { "ConstantinopleFix" } else { fork };
    let spec = ChainSpec::from_suite_fork(fork).map_err(|error| error.to_string())?;
    let transaction = decode_transaction(bytes).map_err(|error| error.to_string())?;
    let checked = validate_transaction(&transaction, &header(), &spec).map_err(|error| error.to_string())?;
    Ok((transaction, checked))
}

fn compare(bytes: &[u8], fork: &str, expected: &TransactionResult) -> Result<(), String> {
    match (check(bytes, fork), &expected.exception) {
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(format!("is valid, but: {error}")),
        (Ok(_), Some(reason)) => Err(format!("is accepted, but: {reason}")),
        (Ok((transaction, checked)), None) => {
            let got = (Some(*transaction.tx_hash()), Some(checked.sender), checked.intrinsic_gas);
            let expected = (expected.hash, expected.sender, expected.intrinsic_gas);
            if got == expected { Ok(()) } else { Err(format!("expected {expected:?}, got {got:?}")) }
        }
    }
}

/// Whether a legacy transaction, or one with a list or two fees, offers at least 2^128 wei per gas: more than all ether there will ever be.
fn has_fee_of_more_than_16_bytes(bytes: &[u8]) -> bool {
    let fees = match bytes.first() {
        Some(1) => 2..3,
        Some(2) => 2..4,
        Some(0xc0..) => 1..2,
        _ => return false,
    };
    let mut list = if bytes[0] < 0xc0 { &bytes[1..] } else { bytes };
    let Ok(mut fields) = alloy_rlp::Header::decode_bytes(&mut list, true) else { return false };
    (0..fees.end).any(|index| {
        let length = alloy_rlp::Header::decode_bytes(&mut fields, false).map_or(0, <[u8]>::len);
        fees.contains(&index) && length > 16
    })
}

#[test]
fn every_transaction_under_the_rules_of_every_fork() {
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for_each_file("ethereum-tests-TransactionTests", |file, content| {
        for (name, test) in cases::<TransactionTest>(file, content) {
            let is_beyond_all_ether = has_fee_of_more_than_16_bytes(&test.transaction);
            for (fork, expected) in &test.result {
                if is_beyond_all_ether && expected.exception.is_none() {
                    println!(
                        "skipped: {name}, {fork}: nobody can pay 2^128 wei per gas, and no such transaction is decoded"
                    );
                    skipped += 1;
                    continue;
                }
                match compare(&test.transaction, fork, expected) {
                    Ok(()) => passed += 1,
                    Err(difference) => failures.push(format!("{name}, {fork}: {difference}")),
                }
            }
        }
    });
    println!("{passed} passed, {skipped} skipped");
    assert!(failures.is_empty(), "{} failed: {failures:#?}", failures.len());
}
