//! Blocks that break one rule each.

use alloy_consensus::Header;
use alloy_eips::{eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS};
use alloy_primitives::{B256, Bloom, U256};
use braid_chain::{
    Chain, ChainError, ChainOptions, ExecutionEngine, InvalidReason, consensus::ConsensusError,
    execution_engine::PayloadStatus,
};
use braid_runtime::{Block, outcome::HeaderMismatch};
use braid_storage::{Database, DatabaseOptions, state_root};
use braid_tests::chains::{Producer, chain, genesis};

/// The second block of a chain with one change to it, after the first.
fn refused(fork: &str, change: impl FnOnce(&mut Block)) -> String {
    let mut producer = Producer::new(fork);
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 2, 1);
    let chain = chain(fork, ChainOptions::default());
    chain.import(blocks[0].clone()).unwrap();
    let mut block = blocks[1].clone();
    change(&mut block);
    let hash = block.header.hash_slow();
    let error = chain.import(block.clone()).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert_eq!(chain.head().hash, blocks[0].header.hash_slow(), "the head does not move");
    // Where the body is not that of the header, nothing is known about the block of that header: its body may still come.
    if matches!(&error, ChainError::Invalid(reason)
        if matches!(&**reason, InvalidReason::Consensus(error) if error.is_wrong_body()))
    {
        chain.import(blocks[1].clone()).unwrap();
        return error.to_string();
    }
    // It stays invalid, and so does what is built on it.
    assert_eq!(chain.import(block.clone()).unwrap_err().to_string(), error.to_string());
    let child = Header { parent_hash: hash, number: block.header.number + 1, ..Header::default() };
    let ChainError::Invalid(reason) =
        chain.insert(Block { header: child.clone(), body: Default::default() }).unwrap_err()
    else {
        panic!("a child of an invalid block is invalid")
    };
    assert!(matches!(&*reason, InvalidReason::Ancestor { ancestor, .. } if *ancestor == hash), "{reason}");
    let status = chain.new_payload(Block { header: child, body: Default::default() }).unwrap();
    let last_valid = blocks[0].header.hash_slow();
    assert!(
        matches!(status, PayloadStatus::Invalid { latest_valid: Some(latest), .. }
            if latest == if chain.spec().terminal_total_difficulty().is_none() { B256::ZERO } else { last_valid }),
        "{status:?}"
    );
    // The right block is still welcome.
    chain.import(blocks[1].clone()).unwrap();
    error.to_string()
}

fn refused_header(fork: &str, change: impl FnOnce(&mut Header)) -> String {
    refused(fork, |block| change(&mut block.header))
}

#[test]
fn each_field_of_the_header_is_checked() {
    type Change = fn(&mut Header);
    let cases: &[(&str, Change, &str)] = &[
        ("Osaka", |header| header.number += 1, "the number is 3, the parent has 1"),
        ("Osaka", |header| header.timestamp = 12, "the timestamp is 12 s, that of the parent is 12 s"),
        ("Osaka", |header| header.extra_data = vec![0; 33].into(), "33 bytes of extra data"),
        ("Osaka", |header| header.gas_limit += header.gas_limit / 1024, "the gas limit is"),
        ("Osaka", |header| header.gas_used = header.gas_limit + 1, "gas used, the limit is"),
        ("Osaka", |header| header.gas_used += 1, "gas used is"),
        ("Osaka", |header| header.base_fee_per_gas = Some(7), "the base fee is 7 wei, not"),
        ("Osaka", |header| header.base_fee_per_gas = None, "baseFeePerGas is missing"),
        ("Berlin", |header| header.base_fee_per_gas = Some(7), "baseFeePerGas must not be there"),
        ("Osaka", |header| header.difficulty = U256::from(1), "the difficulty is 1, not 0"),
        ("London", |header| header.difficulty += U256::from(1), "the difficulty is"),
        ("Osaka", |header| header.nonce = [1; 8].into(), "the nonce is not zero"),
        ("Osaka", |header| header.state_root = B256::ZERO, "state root is"),
        ("Osaka", |header| header.receipts_root = B256::ZERO, "receipts root is"),
        ("Homestead", |header| header.receipts_root = B256::ZERO, "receipts root is"),
        ("Osaka", |header| header.transactions_root = B256::ZERO, "transactionsRoot: the header says"),
        ("Osaka", |header| header.logs_bloom = Bloom::repeat_byte(1), "logs bloom"),
        ("Osaka", |header| header.withdrawals_root = Some(B256::ZERO), "withdrawalsRoot: the header says"),
        ("Osaka", |header| header.withdrawals_root = None, "withdrawalsRoot is missing"),
        ("Paris", |header| header.withdrawals_root = Some(B256::ZERO), "withdrawalsRoot must not be there"),
        ("Osaka", |header| header.ommers_hash = B256::ZERO, "ommers must not be there"),
        ("London", |header| header.ommers_hash = B256::ZERO, "sha3Uncles: the header says"),
        ("Osaka", |header| header.excess_blob_gas = Some(1), "the excess blob gas is 1, not 0"),
        ("Osaka", |header| header.excess_blob_gas = None, "excessBlobGas is missing"),
        ("Osaka", |header| header.blob_gas_used = Some(1), "1 blob gas used"),
        ("Osaka", |header| header.blob_gas_used = Some(131_072), "blob gas used is 0"),
        ("Shanghai", |header| header.blob_gas_used = Some(0), "blobGasUsed must not be there"),
        ("Osaka", |header| header.parent_beacon_block_root = None, "parentBeaconBlockRoot is missing"),
        ("Osaka", |header| header.requests_hash = Some(B256::ZERO), "requests hash is"),
        ("Cancun", |header| header.requests_hash = Some(B256::ZERO), "requestsHash must not be there"),
        ("Osaka", |header| header.slot_number = Some(1), "slotNumber must not be there"),
        ("Osaka", |header| header.block_access_list_hash = Some(B256::ZERO), "blockAccessListHash must not be there"),
        ("Osaka", |header| header.beneficiary = alloy_primitives::Address::ZERO, "state root is"),
    ];
    for (fork, change, expected) in cases {
        let found = refused_header(fork, *change);
        assert!(found.contains(expected), "{fork}: expected \"{expected}\", found \"{found}\"");
    }
}

#[test]
fn the_body_is_checked() {
    let drop_last = refused("Osaka", |block| drop(block.body.transactions.pop()));
    assert!(drop_last.contains("transactionsRoot"), "{drop_last}");
    let no_withdrawals = refused("Osaka", |block| block.body.withdrawals = None);
    assert!(no_withdrawals.contains("withdrawals are missing"), "{no_withdrawals}");
    let ommers = refused("Osaka", |block| block.body.ommers.push(Header::default()));
    assert!(ommers.contains("sha3Uncles"), "{ommers}");
    let swapped = refused("Osaka", |block| {
        block.body.transactions.swap(0, 1);
        block.header.transactions_root = alloy_consensus::proofs::calculate_transaction_root(&block.body.transactions);
    });
    assert!(swapped.contains("nonce"), "{swapped}");
}

#[test]
fn the_first_blocks_of_the_dao_fork_carry_its_mark() {
    let fork = "HomesteadToDaoAt5";
    let mut producer = Producer::new(fork);
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 4, 1);
    let chain = chain(fork, ChainOptions::default());
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    let parent = blocks[3].header.hash_slow();
    let unmarked = producer.build(parent, &[]);
    let error = chain.import(braid_tests::chains::block(&unmarked)).unwrap_err();
    let ChainError::Invalid(reason) = &error else { panic!("{error}") };
    assert!(matches!(&**reason, InvalidReason::Consensus(ConsensusError::DaoExtraData)), "{error}");
    let marked = producer.build_with(parent, &[], |attributes| attributes.extra_data = b"dao-hard-fork"[..].into());
    chain.import(braid_tests::chains::block(&marked)).unwrap();
}

#[test]
fn an_unknown_parent_is_no_verdict() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 2, 1);
    let chain = chain("Osaka", ChainOptions::default());
    let error = chain.import(blocks[1].clone()).unwrap_err();
    assert!(matches!(error, ChainError::UnknownParent { number: 2, .. }), "{error}");
    assert!(matches!(chain.new_payload(blocks[1].clone()).unwrap(), PayloadStatus::Syncing));
    // Nor does a broken signature say anything without the parent.
    chain.import(blocks[0].clone()).unwrap();
    chain.import(blocks[1].clone()).unwrap();
}

#[test]
fn what_a_header_says_about_the_outcome_is_named() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let mut block = producer.branch(genesis, 1, 1).remove(0);
    block.header.gas_used -= 1;
    let error = chain("Osaka", ChainOptions::default()).import(block).unwrap_err();
    let ChainError::Invalid(reason) = &error else { panic!("{error}") };
    assert!(matches!(&**reason, InvalidReason::Header(HeaderMismatch::GasUsed { .. })), "{error}");
}

#[test]
fn the_end_of_a_block_calls_contracts_that_must_be_there() {
    for missing in [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS] {
        let mut producer = Producer::new("Prague");
        let mut block = producer.branch(producer.chain.head().hash, 1, 1)[0].clone();
        let (spec, mut genesis) = genesis("Prague");
        genesis.state.accounts.retain(|account| account.address != missing);
        let accounts =
            genesis.state.accounts.iter().filter_map(|account| Some((account.address, account.present?, [])));
        genesis.header.state_root = state_root(accounts);
        block.header.parent_hash = genesis.header.hash_slow();
        let database = Database::in_memory(&genesis, DatabaseOptions::default()).unwrap();
        let chain = Chain::new(database, spec, ChainOptions::default()).unwrap();
        let error = chain.import(block).unwrap_err();
        let ChainError::Invalid(reason) = &error else { panic!("{error}") };
        assert!(matches!(**reason, InvalidReason::NoSystemContract(address) if address == missing), "{reason}");
    }
}
