//! Each rule of admission, in geth's words.

use super::world::{GWEI, Key, RICH, World, fees, legacy};
use crate::{
    pool::{Origin, PoolError, PoolOptions},
    senders::impersonated_signature,
};
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip4844, TxLegacy, transaction::Recovered};
use alloy_eips::{Encodable2718, eip7702::constants::EIP7702_DELEGATION_DESIGNATOR};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use revm::state::Bytecode;

fn world() -> World {
    World::new("Prague", PoolOptions::default())
}

#[test]
fn a_payment_becomes_pending_and_is_mined() {
    let world = world();
    let key = Key::new(0);
    let hash = world.add(&key.pay(0, 2, 1)).unwrap();
    assert_eq!(world.counts(), (1, 0));
    assert_eq!(world.pool.next_nonce(key.address), Some(1));
    assert_eq!(world.chain.senders().get(&hash), Some(key.address));
    assert_eq!(world.refuse(&key.pay(0, 2, 1)), "already known");
    assert_eq!(world.mine(), [hash]);
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.pool.next_nonce(key.address), None);
    assert_eq!(world.refuse(&key.pay(0, 3, 1)), "nonce too low: next nonce 1, tx nonce 0");
}

#[test]
fn what_a_transaction_says_of_itself() {
    let world = world();
    let key = Key::new(0);
    let cases = [
        (TxEip1559 { chain_id: 5, ..fees(2, 1) }, "invalid sender: invalid chain id for signer: have 5 want 1"),
        (TxEip1559 { nonce: u64::MAX, ..fees(2, 1) }, "nonce has max value"),
        (TxEip1559 { gas_limit: 20_999, ..fees(2, 1) }, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        (
            TxEip1559 { gas_limit: 22_000, input: Bytes::from(vec![1; 50]), ..fees(2, 1) },
            "intrinsic gas too low: gas 22000, minimum needed 23000",
        ),
        (TxEip1559 { gas_limit: 30_000_001, ..fees(2, 1) }, "exceeds block gas limit"),
        (
            fees(1, 2),
            "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: 2000000000, maxFeePerGas: 1000000000",
        ),
        (
            TxEip1559 { to: TxKind::Create, input: Bytes::from(vec![0; 49_153]), gas_limit: 3_000_000, ..fees(2, 1) },
            "max initcode size exceeded: code size 49153 limit 49152",
        ),
        (
            TxEip1559 { value: U256::from(RICH), ..fees(2, 1) },
            "insufficient funds for gas * price + value: balance 1000000000000000000, tx cost 1000042000000000000, \
             overshot 42000000000000",
        ),
    ];
    for (transaction, error) in cases {
        assert_eq!(world.refuse(&key.sign(transaction)), error);
    }
    assert_eq!(
        world.refuse(&Key::new(99).pay(0, 2, 1)).split(": ").nth(1),
        Some("balance 0, tx cost 42000000000001, overshot 42000000000001")
    );
    assert_eq!(world.counts(), (0, 0));
    world.add(&key.sign(TxEip1559 { gas_limit: 30_000_000, ..fees(2, 1) })).unwrap();
    world.pool.set_gas_limit(Some(1_000_000));
    assert_eq!(world.refuse(&key.sign(TxEip1559 { gas_limit: 1_000_001, ..fees(2, 1) })), "exceeds block gas limit");
}

#[test]
fn forks_bring_types_and_caps() {
    let key = Key::new(0);
    let berlin = World::new("Berlin", PoolOptions::default());
    assert_eq!(berlin.refuse(&key.pay(0, 2, 1)), "transaction type not supported");
    berlin.add(&key.sign(legacy(0, Some(1)))).unwrap();
    assert_eq!(berlin.mine().len(), 1);
    let cancun = World::new("Cancun", PoolOptions::default());
    let authorization = Key::new(1).authorize(Address::repeat_byte(7), 0);
    assert_eq!(cancun.refuse(&key.set_code(0, vec![authorization])), "transaction type not supported");
    let osaka = World::new("Osaka", PoolOptions::default());
    let huge = key.sign(TxEip1559 { gas_limit: (1 << 24) + 1, ..fees(2, 1) });
    assert_eq!(osaka.refuse(&huge), "transaction gas limit too high (cap: 16777216, tx: 16777217)");
    assert_eq!(world().refuse(&key.set_code(0, Vec::new())), "set code tx must have at least one authorization tuple");
}

#[test]
fn bytes_that_are_no_transaction() {
    let world = world();
    let add = |bytes: &[u8]| world.pool.add_raw(bytes, Origin::External).unwrap_err();
    for bytes in [&[0x02, 0xc0][..], &[0xc0], &[0x80], &[0xff; 40]] {
        assert!(matches!(add(bytes), PoolError::Decode(_)), "{bytes:?}: {}", add(bytes));
    }
    assert_eq!(add(&[]).to_string(), "typed transaction too short");
    assert_eq!(add(&[0x02]).to_string(), "typed transaction too short");
    assert_eq!(add(&[0x7e, 0xc0]).to_string(), "transaction type not supported");
    let mut long = Key::new(0).pay(0, 2, 1).encoded_2718();
    long.push(0);
    assert!(matches!(add(&long), PoolError::Decode(_)));
    let unsigned = TxLegacy { ..legacy(0, Some(1)) }.into_signed(alloy_primitives::Signature::new(
        U256::from(1),
        U256::MAX,
        false,
    ));
    assert_eq!(
        add(&crate::pool::PooledTransaction::from(unsigned).encoded_2718()).to_string(),
        "invalid sender: invalid transaction v, r, s values"
    );
    let blob = TxEip4844 {
        chain_id: 1,
        gas_limit: 21_000,
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        ..TxEip4844::default()
    };
    let blob: braid_runtime::Transaction = blob.into_signed(alloy_primitives::Signature::test_signature()).into();
    assert_eq!(add(&blob.encoded_2718()).to_string(), "missing sidecar in blob transaction");
}

#[test]
fn signatures_for_every_chain_are_an_option() {
    let key = Key::new(0);
    let unprotected = key.sign(legacy(0, None));
    assert_eq!(world().refuse(&unprotected), "only replay-protected (EIP-155) transactions allowed over RPC");
    let open = World::new("Prague", PoolOptions { allow_unprotected: true, ..PoolOptions::default() });
    let hash = open.add(&unprotected).unwrap();
    assert_eq!(open.mine(), [hash]);
}

#[test]
fn minimum_fees_and_the_cap_are_options() {
    let key = Key::new(0);
    let options = PoolOptions { min_tip: GWEI, fee_cap: Some(U256::from(100_000 * GWEI)), ..PoolOptions::default() };
    let world = World::new("Prague", options);
    assert_eq!(world.refuse(&key.pay(0, 2, 0)), "transaction underpriced: gas tip cap 0, minimum needed 1000000000");
    assert_eq!(world.refuse(&key.pay(0, 5, 1)), "tx fee (0.000105 ether) exceeds the configured cap (0.0001 ether)");
    world.pool.add_raw(&key.pay(0, 5, 1).encoded_2718(), Origin::External).unwrap();
    world.pool.set_minimum(0, 3 * GWEI);
    let error = world.refuse(&key.pay(1, 2, 0));
    assert_eq!(error, "transaction underpriced: gas fee cap 2000000000, minimum needed 3000000000");
}

#[test]
fn a_replacement_offers_a_tenth_more_of_both() {
    let world = world();
    let key = Key::new(0);
    world.add(&key.pay(0, 100, 10)).unwrap();
    for (fee, tip) in [(109, 11), (110, 10), (200, 10), (109, 109), (50, 5)] {
        assert_eq!(world.refuse(&key.pay(0, fee, tip)), "replacement transaction underpriced", "{fee} {tip}");
    }
    let hash = world.add(&key.pay(0, 110, 11)).unwrap();
    assert_eq!(world.counts(), (1, 0));
    assert_eq!(world.pool.pending()[0].hash(), hash);
    world.add(&key.pay(2, 100, 10)).unwrap();
    assert_eq!(world.refuse(&key.pay(2, 105, 11)), "replacement transaction underpriced");
    world.add(&key.pay(2, 110, 11)).unwrap();
    assert_eq!(world.counts(), (1, 1));
}

#[test]
fn gaps_wait_until_they_are_filled() {
    let world = world();
    let key = Key::new(0);
    let hashes: Vec<_> = [3, 1, 2].map(|nonce| world.add(&key.pay(nonce, 2, 1)).unwrap()).into();
    assert_eq!(world.counts(), (0, 3));
    assert_eq!(world.pool.next_nonce(key.address), None);
    assert!(world.mine().is_empty());
    world.add(&key.pay(0, 2, 1)).unwrap();
    assert_eq!(world.counts(), (4, 0));
    assert_eq!(world.pool.next_nonce(key.address), Some(4));
    world.pool.remove(&hashes[1]).unwrap();
    assert_eq!(world.counts(), (1, 2));
    assert_eq!(world.pool.remove_sender(key.address).len(), 3);
    assert_eq!(world.counts(), (0, 0));
}

#[test]
fn all_pending_ones_together_must_be_affordable() {
    let world = world();
    let key = Key::new(0);
    let half = U256::from(RICH / 2);
    let pay = |nonce, value| key.sign(TxEip1559 { nonce, value, ..fees(2, 1) });
    world.add(&pay(0, half)).unwrap();
    assert_eq!(
        world.refuse(&pay(1, half)),
        "insufficient funds for gas * price + value: balance 1000000000000000000, queued cost 500042000000000000, \
         tx cost 500042000000000000, overshot 84000000000000"
    );
    // In place of the first one it is affordable.
    world.add(&key.sign(TxEip1559 { value: half + U256::from(1), ..fees(3, 2) })).unwrap();
    assert_eq!(world.counts(), (1, 0));
    // Two that wait are each affordable beside what is pending, but not both: the second one keeps waiting.
    let third = U256::from(RICH / 4);
    world.add(&pay(2, third)).unwrap();
    world.add(&pay(3, third)).unwrap();
    world.add(&pay(1, U256::ZERO)).unwrap();
    assert_eq!(world.counts(), (3, 1));
}

#[test]
fn accounts_with_code_send_nothing_unless_it_is_delegated() {
    let (contract, delegated) = (Key::new(20), Key::new(21));
    let mut designator = EIP7702_DELEGATION_DESIGNATOR.to_vec();
    designator.extend_from_slice(Address::repeat_byte(9).as_slice());
    let codes = [
        (contract.address, Bytecode::new_legacy(Bytes::from_static(&[0]))),
        (delegated.address, Bytecode::new_raw(designator.into())),
    ];
    let world = World::with_accounts("Prague", PoolOptions::default(), &codes);
    let error = world.refuse(&contract.pay(1, 2, 1));
    assert!(error.starts_with("sender not an eoa: address 0x") && error.contains(", codehash: 0x"), "{error}");
    // Who is only claimed may be anybody.
    let claimed = TxEip1559 { nonce: 1, ..fees(2, 1) }.into_signed(impersonated_signature(contract.address)).into();
    world.pool.add(Recovered::new_unchecked(claimed, contract.address), Origin::Local).unwrap();

    assert_eq!(world.refuse(&delegated.pay(2, 2, 1)), "gapped-nonce tx from delegated accounts");
    world.add(&delegated.pay(1, 2, 1)).unwrap();
    let limit = "in-flight transaction limit reached for delegated accounts";
    assert_eq!(world.refuse(&delegated.pay(2, 2, 1)), limit);
    world.add(&delegated.pay(1, 3, 2)).unwrap();
    assert_eq!(world.counts(), (2, 0));
}

#[test]
fn authorizations_limit_what_their_signers_have_in_the_pool() {
    let world = world();
    let (sponsor, authority, busy) = (Key::new(0), Key::new(1), Key::new(2));
    world.add(&busy.pay(0, 2, 1)).unwrap();
    world.add(&busy.pay(1, 2, 1)).unwrap();
    let to_busy = sponsor.set_code(0, vec![busy.authorize(Address::repeat_byte(9), 2)]);
    assert_eq!(world.refuse(&to_busy), "authority already reserved");

    let hash = world.add(&sponsor.set_code(0, vec![authority.authorize(Address::repeat_byte(9), 0)])).unwrap();
    world.add(&authority.pay(0, 2, 1)).unwrap();
    let limit = "in-flight transaction limit reached for delegated accounts";
    assert_eq!(world.refuse(&authority.pay(1, 2, 1)), limit);
    world.pool.remove(&hash).unwrap();
    world.add(&authority.pay(1, 2, 1)).unwrap();
}

#[test]
fn a_batch_is_taken_in_its_order() {
    let world = world();
    let raws: Vec<Bytes> = (0..40)
        .map(|index| Key::new(index % 4).pay(index / 4, 2, 1).encoded_2718().into())
        .chain([Bytes::from_static(&[1, 2]), Key::new(0).pay(0, 2, 1).encoded_2718().into()])
        .collect();
    let results = world.pool.add_raw_batch(&raws, Origin::External);
    assert!(results[..40].iter().all(Result::is_ok), "{results:?}");
    assert!(matches!(results[40], Err(PoolError::Decode(_))));
    assert!(matches!(results[41], Err(PoolError::AlreadyKnown)));
    assert_eq!(world.counts(), (40, 0));
    let hashes: Vec<_> = world.pool.pending().iter().map(|transaction| transaction.hash()).collect();
    assert_eq!(hashes, results.into_iter().flatten().collect::<Vec<_>>());
}
