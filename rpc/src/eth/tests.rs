//! Methods on a development chain that mines at once.

use crate::{
    RpcOptions,
    test_node::{ALICE, BOB, Node, transfer},
};
use alloy_primitives::{Address, U256};
use braid_chain::MiningMode;
use serde_json::{Value, json};

/// Emits a log with topic 0x2a and no data, and stores the call value at slot 0: `LOG1(0, 0, 42)`, `SSTORE(0, CALLVALUE)`.
const LOGGER_INIT: &str = "0x600c600c600039600c6000f3602a60006000a13460005500";

#[tokio::test]
async fn a_transaction_is_filled_signed_and_mined() {
    let node = Node::new(MiningMode::Instant);
    assert_eq!(node.call("eth_accounts", json!(null)).await, json!([ALICE, BOB]));
    let hash = node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
    let receipt = node.receipt(&hash).await;
    assert_eq!((&receipt["status"], &receipt["gasUsed"]), (&json!("0x1"), &json!("0x5208")));
    let transaction = node.call("eth_getTransactionByHash", json!([hash])).await;
    assert_eq!((&transaction["type"], &transaction["maxPriorityFeePerGas"]), (&json!("0x2"), &json!("0x3b9aca00")));
    assert_eq!(transaction["from"], json!(ALICE));
    assert_eq!(node.call("eth_getTransactionCount", json!([ALICE, "pending"])).await, json!("0x1"));
    let found = node.call("eth_getTransactionBySenderAndNonce", json!([ALICE, "0x0"])).await;
    assert_eq!(found["hash"], hash);
    assert!(node.call("eth_getTransactionBySenderAndNonce", json!([ALICE, 1])).await.is_null());
    let stranger = transfer(Address::repeat_byte(7), BOB);
    assert_eq!(node.error("eth_sendTransaction", json!([stranger])).await, (-32000, "unknown account".to_owned()));
}

#[tokio::test]
async fn a_raw_transaction_is_waited_for() {
    let node = Node::new(MiningMode::Instant);
    let signed = node.call("eth_signTransaction", json!([transfer(ALICE, BOB)])).await;
    let receipt = node.call("eth_sendRawTransactionSync", json!([signed["raw"]])).await;
    assert_eq!(receipt["transactionHash"], signed["tx"]["hash"]);
    let (code, message) = node.error("eth_sendRawTransaction", json!([signed["raw"]])).await;
    assert_eq!(code, -32000);
    assert!(message.starts_with("nonce too low"), "{message}");
}

#[tokio::test]
async fn who_waits_in_vain_gets_the_hash() {
    let node = Node::new(MiningMode::Manual);
    let signed = node.call("eth_signTransaction", json!([transfer(ALICE, BOB)])).await;
    let answer = node.answer("eth_sendRawTransactionSync", json!([signed["raw"], 20])).await;
    assert_eq!((&answer["error"]["code"], &answer["error"]["data"]), (&json!(4), &signed["tx"]["hash"]));
    let (code, message) = node.error("eth_sendRawTransaction", json!([signed["raw"]])).await;
    assert_eq!((code, message.as_str()), (-32000, "already known"));
    assert_eq!(node.call("eth_getTransactionByHash", json!([signed["tx"]["hash"]])).await["blockHash"], Value::Null);
    assert_eq!(node.call("txpool_status", json!([])).await, json!({"pending": "0x1", "queued": "0x0"}));
    let content = node.call("txpool_content", json!([])).await;
    assert_eq!(content["pending"][ALICE.to_checksum(None)]["0"]["hash"], signed["tx"]["hash"]);
    let inspected = node.call("txpool_inspect", json!([])).await;
    let line = inspected["pending"][ALICE.to_checksum(None)]["0"].as_str().unwrap().to_owned();
    assert!(line.starts_with(&format!("{BOB}: 1 wei + 21000 gas × ")), "{line}");
    assert_eq!(node.call("eth_pendingTransactions", json!([])).await.as_array().unwrap().len(), 1);
    assert_eq!(node.call("eth_getTransactionCount", json!([ALICE, "pending"])).await, json!("0x1"));
    assert_eq!(node.call("eth_getTransactionCount", json!([ALICE])).await, json!("0x0"));
    let pending = node.call("eth_getBlockByNumber", json!(["pending", true])).await;
    assert_eq!((&pending["hash"], &pending["number"]), (&Value::Null, &json!("0x1")));
    assert_eq!(pending["transactions"][0]["hash"], signed["tx"]["hash"]);
}

#[tokio::test]
async fn a_transaction_is_sent_again_at_another_price() {
    let node = Node::new(MiningMode::Manual);
    let first = node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
    let mut request = transfer(ALICE, BOB);
    assert!(node.error("eth_resend", json!([request])).await.1.contains("missing transaction nonce"));
    request["nonce"] = json!("0x0");
    let (_, message) = node.error("eth_resend", json!([request, "0x3b9aca01"])).await;
    assert_eq!(message, "replacement transaction underpriced");
    let second = node.call("eth_resend", json!([request, "0x12a05f2000"])).await;
    assert_ne!(first, second);
    assert!(node.call("eth_getTransactionByHash", json!([first])).await.is_null());
}

#[tokio::test]
async fn an_impersonated_account_needs_no_key() {
    let node = Node::new(MiningMode::Instant);
    let stranger = Address::repeat_byte(0x77);
    node.receipt(
        &node.call("eth_sendTransaction", json!([{"from": ALICE, "to": stranger, "value": "0xde0b6b3a7640000"}])).await,
    )
    .await;
    node.backend.accounts().impersonate(stranger);
    let hash = node.call("eth_sendTransaction", json!([transfer(stranger, BOB)])).await;
    assert_eq!(node.receipt(&hash).await["from"], json!(stranger));
    node.backend.accounts().stop_impersonating(stranger);
    assert!(node.answer("eth_sendTransaction", json!([transfer(stranger, BOB)])).await.get("error").is_some());
    let hash = node.call("eth_sendUnsignedTransaction", json!([transfer(stranger, BOB)])).await;
    assert_eq!(node.receipt(&hash).await["from"], json!(stranger));
}

#[tokio::test]
async fn logs_are_found_by_range_and_hash() {
    let node = Node::new(MiningMode::Instant);
    let created = node.call("eth_sendTransaction", json!([{"from": ALICE, "data": LOGGER_INIT}])).await;
    let contract = node.receipt(&created).await["contractAddress"].clone();
    let mut blocks = Vec::new();
    for _ in 0..3 {
        let hash = node.call("eth_sendTransaction", json!([{"from": ALICE, "to": contract, "value": "0x5"}])).await;
        let receipt = node.receipt(&hash).await;
        assert_eq!(receipt["status"], json!("0x1"));
        blocks.push(receipt["blockHash"].clone());
    }
    let count = async |filter: Value| node.call("eth_getLogs", json!([filter])).await.as_array().unwrap().len();
    assert_eq!(count(json!({"fromBlock": "earliest", "toBlock": "latest"})).await, 3);
    assert_eq!(count(json!({"fromBlock": "0x0", "address": contract})).await, 3);
    assert_eq!(count(json!({"fromBlock": "0x0", "address": ALICE})).await, 0);
    assert_eq!(count(json!({"blockHash": blocks[1]})).await, 1);
    assert_eq!(count(json!({"fromBlock": "0x3", "toBlock": "0x3"})).await, 1);
    assert_eq!(count(json!({})).await, 1, "the latest block");
    assert_eq!(count(json!({"fromBlock": "0x9"})).await, 0, "above the latest block");
    assert_eq!(node.error("eth_getLogs", json!([{"blockHash": created}])).await.1, "unknown block");
    let slot = node.call("eth_getStorageAt", json!([contract, "0x0", "latest"])).await;
    assert!(slot.as_str().unwrap().ends_with('5'));
    let list = node.call("eth_getBlockAccessList", json!(["latest"])).await;
    assert!(list.as_array().unwrap().iter().any(|account| account["address"] == contract), "{list}");
}

#[tokio::test]
async fn limits_end_a_search() {
    let options = RpcOptions { max_logs: 2, max_log_blocks: 3, ..RpcOptions::default() };
    let node = Node::with_options(MiningMode::Instant, options);
    let created = node.call("eth_sendTransaction", json!([{"from": ALICE, "data": LOGGER_INIT}])).await;
    let contract = node.receipt(&created).await["contractAddress"].clone();
    for _ in 0..3 {
        let hash = node.call("eth_sendTransaction", json!([{"from": ALICE, "to": contract}])).await;
        node.receipt(&hash).await;
    }
    let range = |from: &str, to: &str| json!([{"fromBlock": from, "toBlock": to}]);
    assert_eq!(node.call("eth_getLogs", range("0x2", "0x3")).await.as_array().unwrap().len(), 2);
    let (code, message) = node.error("eth_getLogs", range("0x2", "0x4")).await;
    assert_eq!((code, message.as_str()), (-32005, "query returned more than 2 results"));
    let (code, message) = node.error("eth_getLogs", range("0x1", "0x4")).await;
    assert_eq!((code, message.as_str()), (-32005, "query exceeds max block range 3"));
}

#[tokio::test]
async fn fees_leave_head_room() {
    let node = Node::new(MiningMode::Instant);
    let quantity = |value: Value| U256::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let base_fee = quantity(node.call("eth_baseFee", json!([])).await);
    let tip = quantity(node.call("eth_maxPriorityFeePerGas", json!([])).await);
    assert!(quantity(node.call("eth_gasPrice", json!([])).await) >= base_fee + tip);
    for _ in 0..5 {
        // As MetaMask does: the price is cap and tip.
        let price = node.call("eth_gasPrice", json!([])).await;
        let mut request = transfer(ALICE, BOB);
        request["maxFeePerGas"] = price.clone();
        request["maxPriorityFeePerGas"] = price;
        node.receipt(&node.call("eth_sendTransaction", json!([request])).await).await;
    }
    assert_eq!(quantity(node.call("eth_maxPriorityFeePerGas", json!([])).await), tip, "it does not feed on itself");
    let history = node.call("eth_feeHistory", json!([4, "pending", [10, 90]])).await;
    assert_eq!(history["oldestBlock"], json!("0x3"));
    assert_eq!(history["baseFeePerGas"].as_array().unwrap().len(), 5);
    assert_eq!(history["reward"].as_array().unwrap().len(), 4);
    assert_ne!(history["reward"][0][0], json!("0x0"));
    assert_eq!(history["reward"][3], json!(["0x0", "0x0"]), "the block that is not made yet");
    let (code, message) = node.error("eth_feeHistory", json!(["0x1", "0x64", []])).await;
    assert_eq!((code, message.as_str()), (-32000, "request beyond head block: requested 100, head 5"));
}

#[tokio::test]
async fn blocks_are_named_by_number_hash_and_object() {
    let node = Node::new(MiningMode::Instant);
    node.receipt(&node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest"])).await;
    let at = [
        json!("0x1"),
        json!({"blockNumber": "0x1"}),
        json!({"blockHash": block["hash"]}),
        json!({"blockHash": block["hash"], "requireCanonical": true}),
        block["hash"].clone(),
        json!("safe"),
        json!("finalized"),
        json!(null),
    ];
    for id in at {
        assert_eq!(node.call("eth_getTransactionCount", json!([ALICE, id])).await, json!("0x1"), "{id}");
    }
    assert_eq!(node.call("eth_getTransactionCount", json!([ALICE, "earliest"])).await, json!("0x0"));
    assert_eq!(node.error("eth_getBalance", json!([ALICE, "0x9"])).await, (-32000, "header not found".to_owned()));
    assert!(node.call("eth_getBlockReceipts", json!(["0x9"])).await.is_null());
    assert_eq!(node.error("eth_getBalance", json!([])).await.0, -32602);
    assert_eq!(node.error("eth_nothing", json!([])).await.0, -32601);
}

/// Vectors of the EIP-712 example, signed by the key `keccak256("cow")`, whose hash is known.
#[test]
fn typed_data_has_the_hash_of_the_example() {
    let data = json!({
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
            "Mail": [
                {"name": "from", "type": "Person"},
                {"name": "to", "type": "Person"},
                {"name": "contents", "type": "string"},
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": {"name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"},
            "to": {"name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"},
            "contents": "Hello, Bob!",
        },
    });
    let expected = alloy_primitives::b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
    for data in [data.clone(), Value::String(data.to_string())] {
        let data: alloy_dyn_abi::TypedData = serde_json::from_value(data).unwrap();
        assert_eq!(data.eip712_signing_hash().unwrap(), expected);
    }
}

#[tokio::test]
async fn messages_are_signed_with_the_prefix() {
    let node = Node::new(MiningMode::Manual);
    let signature = node.call("personal_sign", json!(["0x68656c6c6f", ALICE])).await;
    assert_eq!(signature, node.call("eth_sign", json!([ALICE, "0x68656c6c6f"])).await);
    let signature: alloy_primitives::Bytes = serde_json::from_value(signature).unwrap();
    let signature = alloy_primitives::Signature::from_raw(&signature).unwrap();
    assert_eq!(signature.recover_address_from_msg("hello").unwrap(), ALICE);
    assert_eq!(node.error("eth_sign", json!([Address::ZERO, "0x"])).await.1, "unknown account");
}

#[tokio::test]
async fn a_fee_above_the_cap_is_refused_however_it_is_sent() {
    let cap = Some(U256::from(10).pow(U256::from(18)));
    let node = Node::with_options(MiningMode::Manual, RpcOptions { fee_cap: cap, ..RpcOptions::default() });
    let mut request = transfer(ALICE, BOB);
    // 21,000 gas at 0.0001 ether each.
    request["maxFeePerGas"] = json!("0x5af3107a4000");
    let raw = node.call("eth_signTransaction", json!([request])).await["raw"].clone();
    for (method, argument) in [
        ("eth_sendTransaction", &request),
        ("eth_sendTransactionSync", &request),
        ("eth_sendRawTransaction", &raw),
        ("eth_sendRawTransactionSync", &raw),
        ("eth_sendUnsignedTransaction", &request),
    ] {
        let (code, message) = node.error(method, json!([argument])).await;
        assert_eq!(
            (code, message.as_str()),
            (-32000, "tx fee (2.10 ether) exceeds the configured cap (1.00 ether)"),
            "{method}"
        );
    }
    node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
}

/// Before Byzantium a receipt says which state the transaction left instead of whether it succeeded.
#[tokio::test]
async fn an_early_receipt_has_a_root_and_no_status() {
    let fork = alloy_hardforks::EthereumHardfork::SpuriousDragon;
    let node = Node::of(fork, MiningMode::Manual, RpcOptions::default());
    let mut hashes = Vec::new();
    for _ in 0..2 {
        hashes.push(node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await);
    }
    node.call("evm_mine", json!([])).await;
    let block = node.call("eth_getBlockByNumber", json!(["latest"])).await;
    let all = node.call("eth_getBlockReceipts", json!(["latest"])).await;
    for (index, hash) in hashes.iter().enumerate() {
        let receipt = node.call("eth_getTransactionReceipt", json!([hash])).await;
        assert_eq!(receipt, all[index]);
        assert!(receipt.get("status").is_none() && receipt["root"].is_string(), "{receipt}");
        assert_eq!((&receipt["gasUsed"], &receipt["effectiveGasPrice"]), (&json!("0x5208"), &json!("0x3b9aca00")));
    }
    assert_ne!(all[0]["root"], all[1]["root"]);
    assert_ne!(all[1]["root"], block["stateRoot"], "the reward comes after the transactions");
    // What waits shows the same.
    node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
    let pending = node.call("eth_getBlockReceipts", json!(["pending"])).await;
    assert!(pending[0]["root"].is_string(), "{pending}");
}
