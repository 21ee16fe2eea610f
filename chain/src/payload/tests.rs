//! Blocks of candidates that cannot all be executed.

use super::*;
use crate::{CREATE2_DEPLOYER, Chain, ChainOptions, DevGenesis, GenesisFile};
use alloy_consensus::{SignableTransaction, Transaction as _, TxEip1559, transaction::Recovered};
use alloy_primitives::{Address, B256, Signature, U256, hex};
use braid_runtime::{EngineConfig, Mode, Transaction};
use braid_storage::Database;

const GAS_LIMIT: u64 = 100_000_000;

fn account(number: u64) -> Address {
    Address::left_padding_from(&(0x1000 + number).to_be_bytes())
}

/// A chain on which so many accounts have ether.
fn chain(rich: u64, mode: Mode) -> Chain {
    let execution = EngineConfig { mode, threads: 2, ..EngineConfig::default() };
    chain_with(rich, GAS_LIMIT, ChainOptions { execution, ..ChainOptions::default() })
}

fn chain_with(rich: u64, gas_limit: u64, options: ChainOptions) -> Chain {
    let dev = DevGenesis { accounts: (0..rich).map(account).collect(), gas_limit, ..DevGenesis::default() };
    let file = GenesisFile::new(&dev.genesis()).unwrap();
    let database = Database::in_memory(&file.genesis, Default::default()).unwrap();
    Chain::new(database, file.spec, options).unwrap()
}

/// A transaction whose sender is taken as told.
fn signed(chain: &Chain, sender: Address, transaction: TxEip1559) -> Recovered<Transaction> {
    let (max_fee_per_gas, max_priority_fee_per_gas) = (10_000_000_000, 1);
    let chain_id = chain.spec().chain_id();
    let transaction = TxEip1559 { chain_id, max_fee_per_gas, max_priority_fee_per_gas, ..transaction };
    // Another signature for each sender, so that no two have the same hash.
    let signature = Signature::new(U256::from_be_bytes(sender.into_word().0), U256::from(1), false);
    Recovered::new_unchecked(transaction.into_signed(signature).into(), sender)
}

fn transfer(chain: &Chain, sender: Address, nonce: u64) -> Recovered<Transaction> {
    let (to, value) = (Address::repeat_byte(0xbb).into(), U256::from(1));
    signed(chain, sender, TxEip1559 { nonce, gas_limit: 21_000, to, value, ..TxEip1559::default() })
}

fn build(chain: &Chain, candidates: Vec<Recovered<Transaction>>) -> BuiltPayload {
    let attributes = PayloadAttributes { timestamp: 1000, ..PayloadAttributes::default() };
    chain.build(chain.head().hash, &attributes, candidates).unwrap()
}

#[test]
fn a_thousand_failures_among_two_thousand_take_two_passes() {
    const EACH: u64 = 1000;
    for mode in [Mode::Serial, Mode::Parallel] {
        let chain = chain(EACH, mode);
        let good: Vec<_> = (0..EACH).map(|number| transfer(&chain, account(number), 0)).collect();
        // These senders have no ether.
        let bad = (EACH..2 * EACH).map(|number| transfer(&chain, account(number), 0));
        let mixed: Vec<_> = bad.clone().zip(&good).flat_map(|(bad, good)| [bad, good.clone()]).collect();
        let expected = build(&chain, good);
        assert_eq!((expected.passes, expected.invalid.len()), (1, 0));
        let built = build(&chain, mixed);
        assert_eq!(built.passes, 2, "{mode:?}");
        let invalid: Vec<_> = built.invalid.iter().map(|(hash, _)| *hash).collect();
        assert_eq!(invalid, bad.map(|bad| *bad.tx_hash()).collect::<Vec<_>>());
        assert!(built.invalid[0].1.contains("lack of funds"), "{}", built.invalid[0].1);
        assert_eq!(built.senders.len(), EACH as usize);
        assert_eq!(built.block.header, expected.block.header, "{mode:?}");
        assert_eq!((&built.block.receipts, built.value), (&expected.block.receipts, expected.value));
    }
}

#[test]
fn what_follows_a_failure_is_left_out_without_being_called_invalid() {
    let chain = chain(2, Mode::Parallel);
    let transaction = |sender, nonce| transfer(&chain, account(sender), nonce);
    let gap = transaction(0, 1);
    let (late, other) = (transaction(0, 2), transaction(1, 0));
    let built = build(&chain, vec![gap.clone(), late, other.clone()]);
    assert_eq!(built.invalid.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [*gap.tx_hash()]);
    assert_eq!(built.block.body.transactions, [other.into_inner()]);
    assert_eq!(built.passes, 2);
}

#[test]
fn what_does_not_fit_any_more_waits() {
    const GAS: u64 = 16_000_000;
    let chain = chain(8, Mode::Parallel);
    // Init code that stops at once teaches how little such a call takes; that which loops takes everything.
    let deploy = |sender, code: &[u8]| {
        let input = [&[7; 32], code].concat();
        signed(
            &chain,
            account(sender),
            TxEip1559 { gas_limit: GAS, to: CREATE2_DEPLOYER.into(), input: input.into(), ..TxEip1559::default() },
        )
    };
    let first = build(&chain, vec![deploy(7, &[0])]).block.layer.block().hash;
    chain.set_head(first).unwrap();
    let attributes = PayloadAttributes { timestamp: 2000, ..PayloadAttributes::default() };
    let greedy: Vec<_> = (0..7).map(|sender| deploy(sender, &[0x5b, 0x60, 0x00, 0x56])).collect();
    let expected: Vec<_> = greedy[..6].iter().map(|transaction| transaction.inner().clone()).collect();

    let built = chain.build(first, &attributes, greedy.clone()).unwrap();
    assert_eq!(built.block.body.transactions, expected);
    assert_eq!((built.passes, built.invalid.len()), (2, 0));

    let poor = transfer(&chain, account(9), 0);
    let candidates = [vec![poor.clone()], greedy].concat();
    let built = chain.build(first, &attributes, candidates).unwrap();
    assert_eq!(built.block.body.transactions, expected);
    assert_eq!(built.invalid.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [*poor.tx_hash()]);
    assert_eq!(built.passes, 2);
}

#[test]
fn calls_of_one_counter_share_blocks_with_transfers_that_pay_the_same() {
    const CALLS: u64 = 100;
    // Adds one to its first slot.
    const COUNTER: [u8; 8] = hex!("5f546001015f5500");
    let drained = |order: OrderOptions| {
        let execution = EngineConfig { threads: 4, ..EngineConfig::default() };
        let chain = chain_with(4 * CALLS, 3_000_000, ChainOptions { execution, order, ..ChainOptions::default() });
        let init = [&hex!("67")[..], &COUNTER, &hex!("5f5260086018f3")].concat();
        let counter = CREATE2_DEPLOYER.create2_from_code(B256::ZERO, &init);
        let input = [&[0; 32], &init[..]].concat().into();
        let deployment = TxEip1559 { gas_limit: 200_000, to: CREATE2_DEPLOYER.into(), input, ..TxEip1559::default() };
        let call = |sender: u64, nonce: u64| {
            let call = TxEip1559 { nonce, gas_limit: 60_000, to: counter.into(), ..TxEip1559::default() };
            signed(&chain, account(sender), call)
        };
        let mut timestamp = 1000;
        let mut make = |candidates: Vec<Recovered<Transaction>>| {
            timestamp += 12;
            let attributes = PayloadAttributes { timestamp, ..PayloadAttributes::default() };
            let built = chain.build(chain.head().hash, &attributes, candidates).unwrap();
            chain.set_head(built.block.layer.block().hash).unwrap();
            built
        };
        make(vec![signed(&chain, account(0), deployment)]);
        let taught = make((1..20).map(|sender| call(sender, 0)).collect());
        assert_eq!(taught.senders.len(), 19);

        // Those of each sender belong to two calls.
        let calls = (0..CALLS).map(|number| call(100 + number / 2, number % 2));
        let mut waiting: Vec<_> =
            calls.chain((0..CALLS).map(|number| transfer(&chain, account(200 + number), 0))).collect();
        let mut blocks = Vec::new();
        while !waiting.is_empty() {
            let built = make(waiting.clone());
            assert!(built.invalid.is_empty() && built.passes == 1 && !built.senders.is_empty());
            let body = &built.block.body.transactions;
            waiting.retain(|transaction| !body.iter().any(|taken| taken.tx_hash() == transaction.tx_hash()));
            let chained = body.iter().filter(|transaction| (**transaction).to() == Some(counter)).count();
            blocks.push((chained, body.len() - chained, built.arrangement));
        }
        assert_eq!(chain.head_block().unwrap().header().number, 2 + blocks.len() as u64);
        blocks
    };
    let plain = drained(OrderOptions::FEES);
    let ordered = drained(OrderOptions::PARALLEL);
    let of_first = |blocks: &[(usize, usize, Option<Arrangement>)]| (blocks[0].0, blocks[0].1);
    assert!(of_first(&plain).0 > CALLS as usize * 9 / 10, "{plain:?}");
    assert!(of_first(&ordered).0 < CALLS as usize * 3 / 4 && of_first(&ordered).1 > of_first(&plain).1, "{ordered:?}");
    assert_eq!(ordered.len(), plain.len());
    let arrangement = ordered[0].2.unwrap();
    assert_eq!(arrangement.known, arrangement.candidates);
    assert!(arrangement.passed_over >= of_first(&plain).0 - of_first(&ordered).0);
    assert!(arrangement.path < arrangement.path_by_fees);
}
