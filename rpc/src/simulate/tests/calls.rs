//! `eth_call` and `eth_callMany`.

use super::{CONTRACT, Node, OTHER, RICH, returns, word};
use crate::RpcOptions;
use alloy_primitives::{U256, hex};
use serde_json::json;
use std::time::{Duration, Instant};

/// Jumps to itself for ever.
const ENDLESS: [u8; 4] = hex!("5b5f5600");

#[test]
fn the_gas_cap_is_what_a_call_gets() {
    let gas = returns(&hex!("5a"));
    assert_eq!(Node::new().run(&gas), Ok(U256::from(50_000_000 - 21_000 - 2)));
    let options = RpcOptions { gas_cap: 100_000, ..RpcOptions::default() };
    assert_eq!(Node::with_options(options).run(&gas), Ok(U256::from(100_000 - 21_000 - 2)));
}

#[test]
fn a_call_ends_in_time() {
    let call_timeout = Duration::from_millis(50);
    let node = Node::with_options(RpcOptions { gas_cap: 0, call_timeout, ..RpcOptions::default() });
    let begin = Instant::now();
    assert_eq!(node.run(&ENDLESS), Err((-32000, "execution aborted (timeout = 50ms)".to_owned())));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn errors_are_told_as_geth_does() {
    let node = Node::new();
    let message = |code: &[u8]| node.run(code).unwrap_err();
    assert_eq!(message(&ENDLESS), (-32000, "out of gas".to_owned()));
    assert_eq!(message(&hex!("fe")), (-32000, "invalid opcode: INVALID".to_owned()));
    assert_eq!(message(&hex!("5f56")), (-32000, "invalid jump destination".to_owned()));
    assert_eq!(message(&hex!("01")), (-32000, "stack underflow".to_owned()));
    assert_eq!(message(&hex!("5f5ffd")), (3, "execution reverted".to_owned()));

    let fails = |call| node.ask("eth_call", json!([call])).unwrap_err();
    let poor = "0x00000000000000000000000000000000000000bb";
    let (code, text) = fails(json!({ "from": poor, "to": OTHER, "value": "0x5" }));
    let want = "err: insufficient funds for gas * price + value: address 0x00000000000000000000000000000000000000bb have 0 want 5 (supplied gas 50000000)";
    assert_eq!((code, text.to_lowercase()), (-32000, want.to_owned()));
    let (_, text) = fails(json!({ "from": RICH, "to": OTHER, "maxFeePerGas": "0x1" }));
    assert!(text.starts_with("err: max fee per gas less than block base fee: address "), "{text}");
    let (_, text) =
        fails(json!({ "from": RICH, "to": OTHER, "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x77359401" }));
    assert!(text.starts_with("err: max priority fee per gas higher than max fee per gas: "), "{text}");
    let (_, text) = fails(json!({ "to": OTHER, "gasPrice": "0x1", "maxFeePerGas": "0x1" }));
    assert_eq!(text, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
    let (_, text) = fails(json!({ "to": OTHER, "chainId": "0x1" }));
    assert_eq!(text, "chainId does not match node's (have=1, want=31337)");
    let (_, text) = fails(json!({ "to": OTHER, "input": "0x01", "data": "0x02" }));
    assert!(text.starts_with("both \"data\" and \"input\" are set and not equal"), "{text}");
    let (_, text) = fails(json!({ "to": OTHER, "gas": "0x5207" }));
    assert_eq!(text, "err: intrinsic gas too low: have 20999, want 21000 (supplied gas 20999)");
    let blob = "0x0200000000000000000000000000000000000000000000000000000000000000";
    let (_, text) = fails(json!({ "to": OTHER, "blobVersionedHashes": [blob] }));
    assert_eq!(text, "blob 0 has invalid hash version");
}

#[test]
fn a_sender_may_have_code_and_any_nonce() {
    let node = Node::new();
    let state = json!({ RICH.to_string(): { "code": "0x00", "nonce": "0xffffffffffffffff" } });
    let call = json!({ "from": RICH, "to": OTHER, "nonce": "0x7", "value": "0x1", "chain": "x", "networkId": 5 });
    assert_eq!(node.ask("eth_call", json!([call, "latest", state])), Ok(json!("0x")));
}

#[test]
fn a_call_with_a_price_gets_the_gas_it_can_pay_for() {
    let node = Node::new();
    let state = json!({
        OTHER.to_string(): { "balance": "0xb5e620f48000" },
        CONTRACT.to_string(): { "code": hex::encode_prefixed(returns(&hex!("5a"))) },
    });
    // 200,000 gwei at 2 gwei.
    let call = json!({ "from": OTHER, "to": CONTRACT, "gasPrice": "0x77359400" });
    let gas = word(&node.ask("eth_call", json!([call, "latest", state])).unwrap());
    assert_eq!(gas, U256::from(100_000 - 21_000 - 2));
}

#[test]
fn blocks_are_as_they_are_wanted() {
    let node = Node::new();
    let seen = |code: &[u8], block| node.run_with(&returns(code), block).unwrap();
    assert_eq!(seen(&hex!("43"), json!({ "number": "0x64" })), U256::from(100));
    assert_eq!(seen(&hex!("42"), json!({ "time": "0xffffff" })), U256::from(0xff_ffff));
    assert_eq!(seen(&hex!("45"), json!({ "gasLimit": "0x12345" })), U256::from(0x12345));
    assert_eq!(seen(&hex!("41"), json!({ "feeRecipient": OTHER })), U256::from(0xdd));
    let random = format!("{:#066x}", 77);
    assert_eq!(seen(&hex!("44"), json!({ "prevRandao": random })), U256::from(77));
    assert_eq!(seen(&hex!("4a"), json!({ "blobBaseFee": "0x9" })), U256::from(9));
    // A call without a price sees no base fee.
    assert_eq!(seen(&hex!("48"), json!({ "baseFeePerGas": "0x9" })), U256::ZERO);
    // BLOCKHASH of 99: none, and the one that is given.
    let hash = format!("{:#066x}", 5);
    assert_eq!(seen(&hex!("606340"), json!({ "number": "0x64" })), U256::ZERO);
    assert_eq!(seen(&hex!("606340"), json!({ "number": "0x64", "blockHash": { "99": hash } })), U256::from(5));
    let (_, text) = node.run_with(&returns(&hex!("43")), json!({ "beaconRoot": hash })).unwrap_err();
    assert!(text.contains("beaconRoot"), "{text}");
}

#[test]
fn accounts_are_as_they_are_wanted() {
    let node = Node::new();
    let slot = |number: u64| format!("{number:#066x}");
    // SLOAD of the first argument.
    let code = hex::encode_prefixed(returns(&hex!("5f3554")));
    let load = |account: serde_json::Value, number| {
        let call = json!({ "to": CONTRACT, "input": slot(number) });
        node.ask("eth_call", json!([call, "latest", { CONTRACT.to_string(): account }])).map(|value| word(&value))
    };
    let stored = json!({ slot(1): slot(7) });
    assert_eq!(load(json!({ "code": code, "state": stored }), 1), Ok(U256::from(7)));
    assert_eq!(load(json!({ "code": code, "stateDiff": stored }), 1), Ok(U256::from(7)));
    assert_eq!(load(json!({ "code": code, "stateDiff": stored }), 2), Ok(U256::ZERO));
    let (code, text) = load(json!({ "code": code, "state": stored, "stateDiff": stored }), 1).unwrap_err();
    assert_eq!(code, -32000);
    assert!(text.ends_with("has both 'state' and 'stateDiff'"), "{text}");
    // BALANCE of the sender.
    let state = json!({ CONTRACT.to_string(): { "code": hex::encode_prefixed(returns(&hex!("3331"))) }, OTHER.to_string(): { "balance": "0x9" } });
    let call = json!({ "from": OTHER, "to": CONTRACT });
    assert_eq!(word(&node.ask("eth_call", json!([call, "latest", state])).unwrap()), U256::from(9));
}

#[test]
fn precompiles_can_be_moved_and_replaced() {
    let node = Node::new();
    let identity = "0x0000000000000000000000000000000000000004";
    let call = |to: &str, state| node.ask("eth_call", json!([{ "to": to, "input": "0xabcd" }, "latest", state]));
    let moved = json!({ identity: { "movePrecompileToAddress": OTHER } });
    assert_eq!(call(&OTHER.to_string(), moved.clone()), Ok(json!("0xabcd")));
    assert_eq!(call(identity, moved), Ok(json!("0x")));
    assert_eq!(call(identity, json!({ identity: { "code": "0x00" } })), Ok(json!("0x")));
    let fails = |state| call(identity, state).unwrap_err();
    assert_eq!(fails(json!({ identity: { "movePrecompileToAddress": identity } })).0, -38022);
    assert!(
        fails(json!({ OTHER.to_string(): { "movePrecompileToAddress": identity } })).1.ends_with("is not a precompile")
    );
    let overridden = json!({ identity: { "movePrecompileToAddress": OTHER }, OTHER.to_string(): { "nonce": "0x1" } });
    assert!(fails(overridden).1.ends_with("is already overridden"));
}

#[test]
fn init_code_runs_and_contracts_are_created() {
    let node = Node::new();
    // Without `to` the data are init code: what it returns is what the call returns.
    let init = hex::encode_prefixed(returns(&hex!("6009")));
    assert_eq!(word(&node.ask("eth_call", json!([{ "data": init }])).unwrap()), U256::from(9));
    // CREATE2 with empty init code: EIP-1014 says the address.
    let create2 = returns(&hex!("5f5f5f5ff5"));
    let address = CONTRACT.create2(alloy_primitives::B256::ZERO, alloy_primitives::KECCAK256_EMPTY);
    assert_eq!(node.run(&create2), Ok(U256::from_be_slice(address.as_slice())));
}

#[test]
fn large_inputs_are_taken() {
    let node = Node::new();
    let state = json!({ CONTRACT.to_string(): { "code": hex::encode_prefixed(returns(&hex!("36"))) } });
    let call = |bytes: usize| {
        let call = json!({ "to": CONTRACT, "input": hex::encode_prefixed(vec![0; bytes]) });
        node.ask("eth_call", json!([call, "latest", state]))
    };
    assert_eq!(word(&call(1 << 20).unwrap()), U256::from(1 << 20));
    let (_, text) = call(10_000_000).unwrap_err();
    assert!(text.contains("floor data gas cost"), "{text}");
}

#[test]
fn calls_of_a_bundle_see_each_other() {
    let node = Node::new();
    // Counts in slot 0 and returns the count.
    let counter = hex::encode_prefixed(returns(&hex!("5f54600101805f55")));
    let number = hex::encode_prefixed(returns(&hex!("43")));
    let state = json!({ CONTRACT.to_string(): { "code": counter }, OTHER.to_string(): { "code": number } });
    let (count, number) = (json!({ "to": CONTRACT }), json!({ "to": OTHER }));
    let fails = json!({ "to": CONTRACT, "gas": "0x1" });
    let bundles = json!([
        { "transactions": [count, count, fails], "blockOverride": { "number": "0x64" } },
        { "transactions": [count, number] },
    ]);
    let replies = node.ask("eth_callMany", json!([bundles, { "blockNumber": "latest" }, state])).unwrap();
    let value = |bundle: usize, call: usize| word(&replies[bundle][call]["value"]);
    assert_eq!((value(0, 0), value(0, 1), value(1, 0)), (U256::from(1), U256::from(2), U256::from(3)));
    assert_eq!(value(1, 1), U256::from(101));
    assert!(replies[0][2]["error"].as_str().unwrap().contains("intrinsic gas too low"), "{replies}");
}
