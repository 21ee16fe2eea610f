//! What a block does before its first and after its last transaction, and blob gas.

use crate::stage::{BENEFICIARY, CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_consensus::Header;
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_primitives::{B256, Bytes, U256};
use braid_runtime::{BlockError, InvalidBlock};
use braid_tests::{
    assembly::{Assembly, word as instruction},
    blocks::{BlockBuilder, Call, Kind, ether},
    contracts::{
        BEACON_ROOTS, CONSOLIDATION_REQUESTS, HISTORY, WITHDRAWAL_REQUESTS, counter, destroyer, old_reader, payer,
    },
};
use revm::bytecode::opcode::{BLOBBASEFEE, BLOBHASH, CALLDATACOPY, CALLDATASIZE, LOG1};

#[test]
fn transactions_write_the_slots_that_system_calls_wrote() {
    // The simple contract there keeps in slot 0 the first word of its call data, whoever calls.
    for fork in ["Cancun", "Prague", "Osaka"] {
        let tell = |to, value: u64| Call { input: B256::from(number(value)).into(), ..Call::to(to) };
        let block = BlockBuilder::new(fork)
            .call(&key(0), tell(BEACON_ROOTS, 5))
            .call(&key(1), tell(HISTORY, 6))
            .call(&key(2), tell(BEACON_ROOTS, 7));
        let after = run(&state(), &block);
        assert_eq!((after.slot(BEACON_ROOTS, 0), after.slot(HISTORY, 0)), (number(7), number(6)), "{fork}");
        let alone = run(&state(), &BlockBuilder::new(fork));
        let root = U256::from_be_bytes(B256::repeat_byte(0xbe).0);
        assert_eq!(alone.slot(BEACON_ROOTS, 0), root, "{fork}: the beacon root of the header");
    }
}

#[test]
fn beacon_root_that_a_transaction_sees() {
    // A contract at the address of EIP-4788 that copies slot 0 to slot 1 for those who bring no data.
    let copy = Assembly::new()
        .when(
            instruction(CALLDATASIZE, []),
            Assembly::new().store(0, instruction(revm::bytecode::opcode::CALLDATALOAD, [0.into()])),
        )
        .store(1, braid_tests::assembly::load(0))
        .build();
    let mut state = state();
    state.deploy(BEACON_ROOTS, copy, &[(0, 3)]);
    let block = BlockBuilder::new("Cancun").call(&key(0), Call::to(BEACON_ROOTS)).call(&key(1), Call::to(BEACON_ROOTS));
    assert_eq!(run(&state, &block).slot(BEACON_ROOTS, 1), U256::from_be_bytes(B256::repeat_byte(0xbe).0));
}

#[test]
fn requests_depend_on_what_transactions_left_in_the_queues() {
    let tell = |to, value: u64| Call { input: B256::from(number(value)).into(), ..Call::to(to) };
    let block = BlockBuilder::new("Prague")
        .call(&key(0), tell(WITHDRAWAL_REQUESTS, 8))
        .call(&key(1), tell(CONSOLIDATION_REQUESTS, 9))
        .call(&key(2), tell(WITHDRAWAL_REQUESTS, 10));
    let after = run(&state(), &block);
    let request = |kind: u8, value: u64| Bytes::from([&[kind][..], &B256::from(number(value))[..]].concat());
    assert_eq!(after.outcome.requests.iter().cloned().collect::<Vec<_>>(), [request(1, 10), request(2, 9)]);
}

/// Data of a deposit event with this amount in its little-endian field.
fn deposit(amount: u64) -> Vec<u8> {
    let mut data = Vec::new();
    let lengths = [48_u64, 32, 8, 96, 8];
    let mut offset = 160;
    for length in lengths {
        data.extend(number(offset).to_be_bytes::<32>());
        offset += 32 + length.next_multiple_of(32);
    }
    for (field, length) in lengths.into_iter().enumerate() {
        data.extend(number(length).to_be_bytes::<32>());
        let mut bytes = vec![field as u8; length.next_multiple_of(32) as usize];
        bytes[length as usize..].fill(0);
        if field == 2 {
            bytes[..8].copy_from_slice(&amount.to_le_bytes());
        }
        data.extend(bytes);
    }
    data
}

#[test]
fn deposits_follow_the_order_of_the_logs() {
    let event = alloy_primitives::keccak256("DepositEvent(bytes,bytes,bytes,bytes,bytes)");
    let event = U256::from_be_bytes(event.0);
    let log = Assembly::new()
        .op(CALLDATACOPY, [0.into(), 0.into(), instruction(CALLDATASIZE, [])])
        .op(LOG1, [0.into(), instruction(CALLDATASIZE, []), event.into()])
        .build();
    let mut state = state();
    state.deploy(MAINNET_DEPOSIT_CONTRACT_ADDRESS, log, &[]);
    let mut block = BlockBuilder::new("Prague");
    for index in 0..6 {
        let input = deposit(index).into();
        block = block.call(&key(11 - index), Call { input, ..Call::to(MAINNET_DEPOSIT_CONTRACT_ADDRESS) });
    }
    let after = run(&state, &block);
    let deposits = after.outcome.requests.iter().next().unwrap();
    let amounts: Vec<_> = deposits[1..].chunks(192).map(|deposit| deposit[80]).collect();
    assert_eq!((deposits[0], amounts), (0, vec![0, 1, 2, 3, 4, 5]));
}

#[test]
fn block_whose_queue_contract_fails_is_refused() {
    let mut state = state();
    state.deploy(WITHDRAWAL_REQUESTS, vec![0xfe], &[]);
    let error = crate::stage::refuse(&state, &BlockBuilder::new("Prague").call(&key(0), Call::to(NOBODY).value(1u64)));
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::SystemOperation(_))), "{error}");
}

#[test]
fn withdrawals_come_after_everything() {
    let gwei = U256::from(1_000_000_000);
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[(1, 1)]).deploy(OTHER, old_reader(), &[]).fund(NOBODY, U256::ZERO);
    for fork in ["Shanghai", "Cancun", "Osaka"] {
        let block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(CONTRACT).words(&[word(BENEFICIARY)]))
            .call(&key(1), Call::to(OTHER).words(&[word(key(2).address)]))
            .withdrawal(CONTRACT, 3)
            .withdrawal(key(2).address, 5)
            .withdrawal(CONTRACT, 4)
            .withdrawal(NOBODY, 0)
            .withdrawal(BENEFICIARY, 1);
        let after = run(&state, &block);
        assert_eq!(after.balance(CONTRACT), gwei * number(7), "{fork}");
        assert_eq!(
            (after.slot(OTHER, 0), after.balance(key(2).address)),
            (ether(1000), ether(1000) + gwei * number(5))
        );
        assert!(!after.exists(NOBODY), "{fork}: a withdrawal of nothing touches");
    }
}

#[test]
fn rewards_of_miner_and_ommers() {
    for (fork, reward) in [("Frontier", 5), ("Byzantium", 3), ("London", 2)] {
        let mut block = BlockBuilder::new(fork).call(&key(0), Call::to(NOBODY).value(1u64).price(7, 0));
        block.header.number = 8;
        block.ommers = vec![Header { number: 7, beneficiary: key(1).address, ..Header::default() }];
        let after = run(&state(), &block);
        let ommer = ether(reward) * number(7) / number(8);
        assert_eq!(after.balance(key(1).address), ether(1000) + ommer, "{fork}");
    }
}

#[test]
fn blob_gas_is_counted_and_its_fee_is_burnt() {
    let show =
        Assembly::new().store(0, instruction(BLOBBASEFEE, [])).store(1, instruction(BLOBHASH, [0.into()])).build();
    let mut state = state();
    state.deploy(CONTRACT, show, &[]);
    for fork in ["Cancun", "Prague", "Osaka", "BPO2"] {
        let mut block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(CONTRACT).kind(Kind::Blob(1)))
            .call(&key(1), Call::to(NOBODY).value(1u64).kind(Kind::Blob(2)))
            .call(&key(2), Call::to(CONTRACT).kind(Kind::Blob(3)));
        block.header.excess_blob_gas = Some(8_000_000);
        let after = run(&state, &block);
        assert_eq!(after.outcome.blob_gas_used, 6 * 131_072, "{fork}");
        let price = after.slot(CONTRACT, 0);
        let gas = after.outcome.receipts[0].cumulative_gas_used;
        let paid = number(10 * gas) + price * number(131_072);
        assert!(price >= number(1));
        assert!(
            after.balance(key(0).address) <= ether(1000) - number(8 * gas) - price * number(131_072),
            "{fork} {paid}"
        );
    }
}

#[test]
fn too_many_blobs() {
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..4 {
        block = block.call(&key(index), Call::to(NOBODY).kind(Kind::Blob(2)));
    }
    let error = crate::stage::refuse(&state(), &block);
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::BlobGasExceeded { .. })), "{error}");
}

#[test]
fn blocks_without_transactions() {
    for fork in ["Frontier", "London", "Shanghai", "Cancun", "Osaka"] {
        let after = run(&state(), &BlockBuilder::new(fork).withdrawal(CONTRACT, 5));
        assert_eq!((after.outcome.gas_used, after.outcome.receipts.len()), (0, 0), "{fork}");
    }
}

#[test]
fn contract_paid_by_a_withdrawal_did_not_have_it_before() {
    let mut state = state();
    state.deploy(CONTRACT, payer(), &[]).deploy(OTHER, counter(), &[]);
    let pay = || Call::to(CONTRACT).words(&[word(NOBODY), number(1)]);
    let block = BlockBuilder::new("Shanghai").call(&key(0), pay()).call(&key(1), pay()).withdrawal(CONTRACT, 9);
    let after = run(&state, &block);
    assert_eq!((after.balance(NOBODY), after.slot(CONTRACT, 1)), (U256::ZERO, U256::ZERO));
}
