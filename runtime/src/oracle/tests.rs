//! Blocks built by hand, one rule each. The conformance suites cover the rest.

use super::*;
use crate::{
    InvalidBlock, Receipt, Transaction, block_hooks,
    bounds::DependencyGraph,
    test_blocks::{BlockBuilder, FailingSnapshot, contract, ether, funded, pay},
};
use alloy_consensus::{TxEip4844, TxLegacy};
use alloy_eip7928::AccountChanges;
use alloy_eips::{eip2935, eip4788, eip4895::Withdrawal, eip7002, eip7251};
use alloy_evm::eth::dao_fork;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256};
use revm::{
    context_interface::result::InvalidTransaction,
    database::{CacheDB, EmptyDB, State, WrapDatabaseRef},
    state::AccountInfo,
};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
const MINER: Address = Address::repeat_byte(0xc0);

fn execute(snapshot: &CacheDB<EmptyDB>, block: &BlockBuilder) -> Result<BlockOutcome, BlockError> {
    let spec = block.spec();
    execute_serial(snapshot, &block.build(), &spec, Outputs::ALL)
}

fn present(outcome: &BlockOutcome, address: Address) -> Option<crate::AccountState> {
    outcome.diff.accounts.iter().find(|account| account.address == address).expect("the account changed").present
}

fn listed(outcome: &BlockOutcome, address: Address) -> &AccountChanges {
    let list = outcome.access_list.as_ref().expect("the list was asked for");
    list.iter().find(|account| account.address == address).expect("the account is listed")
}

#[test]
fn every_fork_executes_a_payment_and_pays_its_reward() {
    for (fork, reward) in [
        ("Frontier", 5),
        ("Homestead", 5),
        ("EIP150", 5),
        ("EIP158", 5),
        ("Byzantium", 3),
        ("ConstantinopleFix", 2),
        ("Istanbul", 2),
        ("Berlin", 2),
        ("London", 2),
        ("Paris", 0),
        ("Shanghai", 0),
        ("Cancun", 0),
        ("Prague", 0),
        ("Osaka", 0),
        ("BPO2", 0),
    ] {
        let snapshot = funded(&[ALICE]);
        let block = BlockBuilder::new(fork).transaction(ALICE, pay(0, BOB, 7));
        let outcome = execute(&snapshot, &block).unwrap_or_else(|error| panic!("{fork}: {error}"));
        assert_eq!(outcome.gas_used, 21_000, "{fork}");
        assert_eq!((outcome.receipts.len(), outcome.receipts[0].success), (1, true), "{fork}");
        assert_eq!(present(&outcome, BOB).map(|bob| bob.balance), Some(U256::from(7)), "{fork}");
        let sender = present(&outcome, ALICE).unwrap();
        assert_eq!((sender.nonce, sender.balance), (1, ether(1000) - U256::from(7 + 21_000 * 10)), "{fork}");
        let burnt = if block.header.base_fee_per_gas.is_some() { 7 } else { 0 };
        let fees = U256::from(21_000 * (10 - burnt));
        assert_eq!(present(&outcome, MINER).map(|miner| miner.balance), Some(ether(reward) + fees), "{fork}");
        assert_eq!(
            outcome.diff.to_bundle(&snapshot).unwrap(),
            crate::bundle_state::normalize(outcome.bundle.as_ref().unwrap())
        );
    }
}

#[test]
fn amsterdam_executes() {
    let block = BlockBuilder::new("Amsterdam").transaction(ALICE, pay(0, BOB, 7));
    let outcome = execute(&funded(&[ALICE, BOB]), &block).unwrap();
    assert_eq!(present(&outcome, BOB).map(|bob| bob.balance), Some(ether(1000) + U256::from(7)));
    assert_eq!(outcome.receipts[0].logs.len(), 1, "EIP-7708 logs the payment");
}

#[test]
fn ommers_are_paid_by_distance() {
    let mut block = BlockBuilder::new("Homestead");
    block.header.number = 10;
    block.ommers = vec![alloy_consensus::Header { number: 9, beneficiary: BOB, ..Default::default() }];
    let outcome = execute(&funded(&[]), &block).unwrap();
    assert_eq!(present(&outcome, BOB).map(|bob| bob.balance), Some(ether(5) * U256::from(7) / U256::from(8)));
    assert_eq!(present(&outcome, MINER).map(|miner| miner.balance), Some(ether(5) + ether(5) / U256::from(32)));
}

#[test]
fn cancun_and_prague_call_their_system_contracts() {
    let mut snapshot = funded(&[]);
    snapshot.insert_account_info(eip4788::BEACON_ROOTS_ADDRESS, contract(&eip4788::BEACON_ROOTS_CODE));
    snapshot.insert_account_info(eip2935::HISTORY_STORAGE_ADDRESS, contract(&eip2935::HISTORY_STORAGE_CODE));
    snapshot.insert_account_info(
        eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        contract(&eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
    );
    snapshot.insert_account_info(
        eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        contract(&eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
    );
    let slots = |fork: &str| {
        let mut block = BlockBuilder::new(fork);
        block.header.parent_beacon_block_root = Some(B256::repeat_byte(1));
        block.header.parent_hash = B256::repeat_byte(2);
        let outcome = execute(&snapshot, &block).unwrap();
        let written = outcome.diff.slots.iter().map(|slot| (slot.address, slot.present)).collect::<Vec<_>>();
        (outcome, written)
    };
    let (_, cancun) = slots("Cancun");
    assert!(cancun.contains(&(eip4788::BEACON_ROOTS_ADDRESS, B256::repeat_byte(1).into())), "{cancun:?}");
    assert!(!cancun.iter().any(|(address, _)| *address == eip2935::HISTORY_STORAGE_ADDRESS), "{cancun:?}");
    let (outcome, prague) = slots("Prague");
    assert!(prague.contains(&(eip2935::HISTORY_STORAGE_ADDRESS, B256::repeat_byte(2).into())), "{prague:?}");
    assert!(outcome.requests.is_empty());
    let history = listed(&outcome, eip2935::HISTORY_STORAGE_ADDRESS);
    assert_eq!(history.storage_changes[0].changes[0].block_access_index.get(), 0, "before the first transaction");
    assert_eq!(listed(&outcome, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS).storage_reads.len(), 4);
}

#[test]
fn withdrawals_are_paid_in_gwei_and_leave_no_empty_accounts() {
    let mut block = BlockBuilder::new("Shanghai").transaction(ALICE, pay(0, ALICE, 0));
    let withdrawal = |address, amount| Withdrawal { address, amount, ..Default::default() };
    block.withdrawals = Some(vec![withdrawal(BOB, 3), withdrawal(BOB, 4), withdrawal(Address::repeat_byte(9), 0)]);
    let outcome = execute(&funded(&[ALICE]), &block).unwrap();
    assert_eq!(present(&outcome, BOB).map(|bob| bob.balance), Some(U256::from(7_000_000_000_u64)));
    assert!(outcome.diff.accounts.iter().all(|account| account.address != Address::repeat_byte(9)));
    assert!(listed(&outcome, Address::repeat_byte(9)).is_empty());
    let change = &listed(&outcome, BOB).balance_changes[0];
    assert_eq!((change.block_access_index.get(), change.post_balance), (2, U256::from(7_000_000_000_u64)));
}

#[test]
fn touched_empty_accounts_go_with_spurious_dragon() {
    let mut snapshot = funded(&[ALICE]);
    snapshot.insert_account_info(BOB, AccountInfo::default());
    let run = |fork| execute(&snapshot, &BlockBuilder::new(fork).transaction(ALICE, pay(0, BOB, 0))).unwrap();
    let after = run("EIP158");
    assert_eq!(present(&after, BOB), None);
    assert!(after.diff.accounts.iter().any(|account| account.address == BOB && account.storage_wiped));
    let before = run("EIP150");
    assert!(before.diff.accounts.iter().all(|account| account.address != BOB), "{:?}", before.diff);
    // An account that did not exist is left behind empty.
    let outcome = execute(&funded(&[ALICE]), &BlockBuilder::new("EIP150").transaction(ALICE, pay(0, BOB, 0))).unwrap();
    assert!(present(&outcome, BOB).unwrap().is_empty());
}

#[test]
fn the_dao_is_drained_before_the_transactions() {
    let dao = dao_fork::DAO_HARDFORK_ACCOUNTS[0];
    let mut snapshot = funded(&[ALICE]);
    snapshot.insert_account_info(dao, AccountInfo::from_balance(ether(3)));
    // SSTORE(0, BALANCE(dao) + 1)
    let code = [&[0x73], dao.as_slice(), &[0x31, 0x60, 1, 0x01, 0x60, 0, 0x55]].concat();
    snapshot.insert_account_info(BOB, contract(&Bytes::from(code)));
    let mut block = BlockBuilder::new("HomesteadToDaoAt5").transaction(ALICE, pay(0, BOB, 0));
    block.header.number = 5;
    let outcome = execute(&snapshot, &block).unwrap();
    assert_eq!(outcome.diff.slots[0].present, U256::from(1), "the balance was gone when the transaction ran");
    let refund = present(&outcome, dao_fork::DAO_HARDFORK_BENEFICIARY).unwrap();
    assert_eq!(refund.balance, ether(3));
    assert!(present(&outcome, dao).unwrap().is_empty(), "drained accounts remain");
    assert_eq!(listed(&outcome, dao).balance_changes[0].block_access_index.get(), 0);
    block.header.number = 6;
    let later = execute(&snapshot, &block).unwrap();
    assert!(later.diff.accounts.iter().all(|account| account.address != dao));
}

/// A versioned hash starts with the version.
const VERSIONED_HASH: B256 = b256!("0x0100000000000000000000000000000000000000000000000000000000000000");

fn blobs(count: usize) -> Transaction {
    let tx = TxEip4844 {
        chain_id: 1,
        gas_limit: 21_000,
        max_fee_per_gas: 10,
        max_fee_per_blob_gas: 10,
        to: BOB,
        blob_versioned_hashes: vec![VERSIONED_HASH; count],
        ..Default::default()
    };
    BlockBuilder::sign(tx)
}

#[test]
fn blob_gas_is_counted_and_limited() {
    let snapshot = funded(&[ALICE]);
    let outcome = execute(&snapshot, &BlockBuilder::new("Cancun").transaction(ALICE, blobs(2))).unwrap();
    assert_eq!(outcome.blob_gas_used, 2 * 131_072);
    let too_many = execute(&snapshot, &BlockBuilder::new("Cancun").transaction(ALICE, blobs(7)));
    assert!(
        matches!(too_many, Err(BlockError::Invalid(InvalidBlock::BlobGasExceeded { used: 917_504, limit: 786_432 }))),
        "{too_many:?}"
    );
}

#[test]
fn invalid_transactions_are_named() {
    let snapshot = funded(&[ALICE, MINER]);
    let gas = |gas_limit| {
        let tx = TxLegacy { nonce: 1, gas_price: 10, gas_limit, to: TxKind::Call(BOB), ..Default::default() };
        BlockBuilder::sign(tx)
    };
    let reason = |second: Transaction| {
        let block = BlockBuilder::new("Osaka").transaction(ALICE, pay(0, BOB, 1)).transaction(ALICE, second);
        match execute(&snapshot, &block) {
            Err(BlockError::Invalid(invalid)) => invalid,
            other => panic!("{other:?}"),
        }
    };
    let transaction = |invalid: InvalidBlock| match invalid {
        InvalidBlock::Transaction { index: 1, reason, .. } => *reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(transaction(reason(pay(0, BOB, 1))), InvalidTransaction::NonceTooLow { tx: 0, state: 1 });
    assert_eq!(transaction(reason(pay(3, BOB, 1))), InvalidTransaction::NonceTooHigh { tx: 3, state: 1 });
    let poor = transaction(reason(pay(1, BOB, u64::MAX)));
    assert!(matches!(poor, InvalidTransaction::LackOfFundForMaxFee { .. }), "{poor:?}");
    let capped = transaction(reason(gas((1 << 24) + 1)));
    assert_eq!(capped, InvalidTransaction::TxGasLimitGreaterThanCap { gas_limit: (1 << 24) + 1, cap: 1 << 24 });
    let mut block = BlockBuilder::new("Prague").transaction(ALICE, pay(0, BOB, 1)).transaction(ALICE, gas(30_000_000));
    block.header.gas_limit = 30_000_000;
    let full = execute(&snapshot, &block);
    assert!(
        matches!(
            full,
            Err(BlockError::Invalid(InvalidBlock::BlockGasExceeded {
                index: 1,
                gas_limit: 30_000_000,
                available: 29_979_000
            }))
        ),
        "{full:?}"
    );
}

#[test]
fn a_state_that_cannot_be_read_is_no_verdict() {
    // In the first system call, in a transaction, and in a withdrawal.
    let mut block = BlockBuilder::new("Prague").transaction(ALICE, pay(0, BOB, 1));
    block.withdrawals = Some(vec![Withdrawal { address: MINER, amount: 1, ..Default::default() }]);
    for missing in [eip2935::HISTORY_STORAGE_ADDRESS, ALICE, MINER, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS] {
        let snapshot = FailingSnapshot { inner: funded(&[ALICE]), missing };
        let spec = block.spec();
        let error = execute_serial(&snapshot, &block.build(), &spec, Outputs::ALL).unwrap_err();
        assert!(matches!(error, BlockError::Database(_)), "{missing}: {error:?}");
        assert!(error.to_string().contains("no such account"), "{error}");
    }
}

#[test]
fn slots_of_a_destroyed_contract_are_listed_as_zero() {
    // Called with no value it destroys itself; with value it copies slot 1 to slot 2.
    let suicidal = [0x34, 0x60, 0x06, 0x57, 0x33, 0xff, 0x5b, 0x60, 0x01, 0x54, 0x60, 0x02, 0x55, 0x00];
    let mut snapshot = funded(&[ALICE]);
    snapshot.insert_account_info(BOB, contract(&Bytes::from(suicidal.to_vec())));
    for slot in 1..4_u64 {
        snapshot.insert_account_storage(BOB, U256::from(slot), U256::from(slot + 10)).unwrap();
    }
    let with_gas = |nonce, value: u64| {
        let tx = TxLegacy {
            nonce,
            gas_price: 10,
            gas_limit: 100_000,
            to: TxKind::Call(BOB),
            value: U256::from(value),
            ..Default::default()
        };
        BlockBuilder::sign(tx)
    };
    let block = BlockBuilder::new("London").transaction(ALICE, with_gas(0, 1)).transaction(ALICE, with_gas(1, 0));
    let outcome = execute(&snapshot, &block).unwrap();
    let account = outcome.diff.accounts.iter().find(|account| account.address == BOB).unwrap();
    assert!(account.storage_wiped && account.present.is_none(), "{account:?}");
    assert!(outcome.diff.slots.is_empty(), "{:?}", outcome.diff.slots);
    let changes = listed(&outcome, BOB);
    let slots = changes.storage_changes.iter().map(|slot| {
        let values = slot.changes.iter().map(|change| (change.block_access_index.get(), change.new_value.to::<u64>()));
        (slot.slot.to::<u64>(), values.collect::<Vec<_>>())
    });
    // Slot 3 was never accessed, so it is not listed; the wipe in the diff takes it along.
    assert_eq!(slots.collect::<Vec<_>>(), [(1, vec![(2, 0)]), (2, vec![(1, 11), (2, 0)])]);
    assert_eq!(changes.code_changes[0].block_access_index.get(), 2);
    assert!(changes.code_changes[0].new_code().is_empty());
}

/// The hooks, with the transactions executed on plain revm in between, give the diff of the oracle.
#[test]
fn hooks_do_what_the_oracle_does() {
    let mut snapshot = funded(&[ALICE]);
    snapshot.insert_account_info(eip4788::BEACON_ROOTS_ADDRESS, contract(&eip4788::BEACON_ROOTS_CODE));
    snapshot.insert_account_info(eip2935::HISTORY_STORAGE_ADDRESS, contract(&eip2935::HISTORY_STORAGE_CODE));
    for fork in ["Frontier", "HomesteadToDaoAt5", "EIP158", "London", "Paris", "Shanghai", "Cancun", "Prague", "Osaka"]
    {
        let mut builder = BlockBuilder::new(fork).transaction(ALICE, pay(0, BOB, 1)).transaction(ALICE, pay(1, BOB, 2));
        builder.header.number = 5;
        builder.header.parent_beacon_block_root = builder.header.parent_beacon_block_root.map(|_| B256::repeat_byte(1));
        if let Some(withdrawals) = &mut builder.withdrawals {
            withdrawals.push(Withdrawal { address: BOB, amount: 5, ..Default::default() });
        } else if fork == "Frontier" {
            builder.ommers = vec![alloy_consensus::Header { number: 3, beneficiary: BOB, ..Default::default() }];
        }
        let (block, spec) = (builder.build(), builder.spec());
        let expected = execute_serial(&snapshot, &block, &spec, Outputs::ALL).unwrap();

        let mut state = State::builder().with_database(WrapDatabaseRef(&snapshot)).with_bundle_update().build();
        let env = spec.evm_env(block.header());
        block_hooks::pre_execution(&mut state, env.clone(), &block, &spec).unwrap();
        let mut evm = EthEvmBuilder::new(&mut state, env.clone()).build();
        for transaction in block.transactions_recovered() {
            let result = evm.transact(transaction).unwrap();
            revm::DatabaseCommit::commit(evm.db_mut(), result.state);
        }
        drop(evm);
        let requests = block_hooks::post_execution(&mut state, env, &block, &spec, &expected.receipts).unwrap();
        assert_eq!(requests, expected.requests, "{fork}");
        state.merge_transitions(BundleRetention::Reverts);
        let bundle = state.take_bundle();
        assert_eq!(StateDiff::from_bundle(&bundle), expected.diff, "{fork}");
        assert_eq!(Some(bundle), expected.bundle, "{fork}");
    }
}

/// Serially and in the engine alike.
#[test]
fn blocks_of_transactions_only_change_nothing_else() {
    let mut snapshot = funded(&[ALICE]);
    snapshot.insert_account_info(eip4788::BEACON_ROOTS_ADDRESS, contract(&eip4788::BEACON_ROOTS_CODE));
    for fork in ["Frontier", "HomesteadToDaoAt5", "London", "Shanghai", "Prague"] {
        let mut builder = BlockBuilder::new(fork).transaction(ALICE, pay(0, BOB, 1));
        builder.header.number = 5;
        if let Some(withdrawals) = &mut builder.withdrawals {
            withdrawals.push(Withdrawal { address: BOB, amount: 5, ..Default::default() });
        }
        let (block, spec) = (builder.build(), builder.spec().with_transactions_only());
        let serial = execute_serial(&snapshot, &block, &spec, Outputs::default()).unwrap();
        let mut expected = vec![ALICE, BOB, block.header().beneficiary];
        expected.sort_unstable();
        let changed: Vec<_> = serial.diff.accounts.iter().map(|account| account.address).collect();
        assert_eq!(changed, expected, "{fork}");
        assert!(serial.diff.slots.is_empty() && serial.requests.is_empty(), "{fork}");
        let received = |outcome: &crate::BlockOutcome| {
            let bob = outcome.diff.accounts.iter().find(|account| account.address == BOB);
            bob.and_then(|bob| bob.present).map(|present| present.balance)
        };
        assert_eq!(received(&serial), Some(U256::from(1)), "{fork}");
        let config = crate::EngineConfig { mode: crate::Mode::Forced, threads: 2, ..Default::default() };
        let mut engine = crate::Engine::new(config).unwrap();
        let mut parallel =
            engine.execute_block(&snapshot, &block, &spec, Default::default(), Outputs::default()).unwrap();
        parallel.diff.sort();
        assert_eq!(parallel.diff, serial.diff, "{fork}");
        assert_eq!(parallel.receipts, serial.receipts, "{fork}");
    }
}

#[test]
fn hooks_tell_invalid_blocks_from_unreadable_states() {
    let builder = BlockBuilder::new("Prague");
    let (block, spec) = (builder.build(), builder.spec());
    let snapshot = FailingSnapshot { inner: funded(&[]), missing: eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS };
    let mut state = State::builder().with_database(WrapDatabaseRef(&snapshot)).build();
    let env = spec.evm_env(block.header());
    block_hooks::pre_execution(&mut state, env.clone(), &block, &spec).unwrap();
    let error = block_hooks::post_execution(&mut state, env, &block, &spec, &[]).unwrap_err();
    assert!(matches!(error, BlockError::Database(_)), "{error:?}");
    let mut headless = block.into_block();
    headless.header.parent_beacon_block_root = None;
    let block = RecoveredBlock::new_unchecked(headless, Vec::new());
    let mut state = State::builder().with_database(WrapDatabaseRef(&snapshot.inner)).build();
    let env = spec.evm_env(block.header());
    let error = block_hooks::pre_execution(&mut state, env, &block, &spec).unwrap_err();
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::MissingField("parentBeaconBlockRoot"))), "{error:?}");
}

#[test]
fn malformed_deposit_logs_are_invalid() {
    let builder = BlockBuilder::new("Prague");
    let (block, spec) = (builder.build(), builder.spec());
    let deposit = b256!("0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5");
    let log = alloy_primitives::Log::new_unchecked(
        alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS,
        vec![deposit],
        Bytes::from_static(&[1, 2, 3]),
    );
    let receipt = Receipt { logs: vec![log], ..Default::default() };
    let snapshot = funded(&[]);
    let mut state = State::builder().with_database(WrapDatabaseRef(&snapshot)).build();
    let env = spec.evm_env(block.header());
    let error = block_hooks::post_execution(&mut state, env, &block, &spec, &[receipt]).unwrap_err();
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::SystemOperation(_))), "{error:?}");
}

#[test]
fn traces_see_chains_and_forgive_additions() {
    let carol = Address::repeat_byte(0xca);
    let snapshot = funded(&[ALICE, carol]);
    // Two senders pay Bob, who pays only from what he got; then Alice pays again.
    let builder = BlockBuilder::new("Prague")
        .transaction(ALICE, pay(0, BOB, 1_000_000))
        .transaction(carol, pay(0, BOB, 1_000_000))
        .transaction(BOB, pay(0, carol, 1))
        .transaction(ALICE, pay(1, carol, 1));
    let trace = trace(&snapshot, &builder.build(), &builder.spec()).unwrap();
    assert!(trace.transactions.iter().all(|transaction| transaction.gas_used == 21_000 && transaction.nanos > 0));
    let graph = DependencyGraph::new(&trace);
    assert_eq!(graph.dependencies, [vec![], vec![], vec![0, 1], vec![0]]);
    let bounds = trace.bounds(crate::bounds::Cost::Gas, 4);
    assert_eq!((bounds.b0, bounds.b1, bounds.b2), (2.0, 2.0, 4.0));
}
