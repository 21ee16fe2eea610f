//! What is seen at `pending` while transactions wait.

use crate::test_node::{ALICE, BOB, Node, transfer};
use alloy_primitives::{Address, B256, U256};
use braid_chain::{MiningMode, Pending};
use serde_json::{Value, json};
use std::sync::Arc;

const STRANGER: Address = Address::repeat_byte(0x5a);
/// Stores the value of the call in slot 0; without value it returns slot 0, or reverts if that is zero; each store is logged.
const VAULT: &str = "0x341560125734600055602a60006000a100005b60005480601f5760006000fd5b60005260206000f3";

/// Init code that returns some code.
fn init(code: &str) -> String {
    let code = code.trim_start_matches("0x");
    format!("0x60{:02x}600c60003960{:02x}6000f3{code}", code.len() / 2, code.len() / 2)
}

fn number(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

/// A node that mines when it is told to, with a contract at the address.
async fn node_with_vault() -> (Node, Value) {
    let node = Node::new(MiningMode::Manual);
    let hash = node.call("eth_sendTransaction", json!([{"from": ALICE, "data": init(VAULT), "gas": "0x186a0"}])).await;
    node.call("evm_mine", json!([])).await;
    let receipt = node.receipt(&hash).await;
    assert_eq!(receipt["status"], json!("0x1"));
    (node, receipt["contractAddress"].clone())
}

#[tokio::test]
async fn a_transaction_that_waits_is_seen_in_every_state_method() {
    let (node, vault) = node_with_vault().await;
    let sent =
        node.call("eth_sendTransaction", json!([{"from": ALICE, "to": vault, "value": "0x7", "gas": "0x186a0"}])).await;
    node.call("eth_sendTransaction", json!([{"from": BOB, "to": STRANGER, "value": "0x9"}])).await;
    let at = async |method: &str, mut params: Vec<Value>, tag: &str| {
        params.push(json!(tag));
        node.call(method, json!(params)).await
    };
    for (method, params, before, after) in [
        ("eth_getBalance", vec![json!(STRANGER)], json!("0x0"), json!("0x9")),
        ("eth_getStorageAt", vec![vault.clone(), json!("0x0")], json!(B256::ZERO), json!(B256::with_last_byte(7))),
        ("eth_getTransactionCount", vec![json!(ALICE)], json!("0x1"), json!("0x2")),
        ("eth_getBlockTransactionCountByNumber", vec![], json!("0x1"), json!("0x2")),
        ("ots_hasCode", vec![json!(STRANGER)], json!(false), json!(false)),
    ] {
        assert_eq!(at(method, params.clone(), "latest").await, before, "{method}");
        assert_eq!(at(method, params, "pending").await, after, "{method}");
    }
    let call = json!({"to": vault});
    assert_eq!(node.error("eth_call", json!([call, "latest"])).await.0, 3);
    assert_eq!(at("eth_call", vec![call.clone()], "pending").await, json!(B256::with_last_byte(7)));
    assert_eq!(node.error("eth_estimateGas", json!([call, "latest"])).await.0, 3);
    assert!(number(&at("eth_estimateGas", vec![call.clone()], "pending").await) > U256::from(21_000));
    let list = at("eth_createAccessList", vec![call.clone()], "pending").await;
    assert!(list["error"].is_null() && !list["accessList"].as_array().unwrap().is_empty(), "{list}");
    let trace = at("debug_traceCall", vec![call.clone()], "pending").await;
    assert_eq!(
        (&trace["failed"], node.call("debug_traceCall", json!([call, "latest"])).await["failed"].clone()),
        (&json!(false), json!(true))
    );
    let proof = node.call("eth_getProof", json!([vault, ["0x0"], "pending"])).await;
    assert_eq!((&proof["balance"], &proof["storageProof"][0]["value"]), (&json!("0x7"), &json!("0x7")));
    assert_eq!(at("eth_getAccountInfo", vec![json!(STRANGER)], "pending").await["balance"], json!("0x9"));
    let values = node.call("eth_getStorageValues", json!([{vault.as_str().unwrap(): ["0x0"]}, "pending"])).await;
    assert_eq!(values[vault.as_str().unwrap()][0], json!(B256::with_last_byte(7)));
    // The block itself.
    let block = at("eth_getBlockByNumber", vec![], "pending").await;
    assert_eq!((&block["hash"], block["transactions"].as_array().unwrap().len()), (&Value::Null, 2));
    assert_eq!(block["stateRoot"], at("eth_getHeaderByNumber", vec![], "pending").await["stateRoot"]);
    let receipts = at("eth_getBlockReceipts", vec![], "pending").await;
    assert_eq!(receipts.as_array().unwrap().len(), 2);
    let hashes = block["transactions"].as_array().unwrap();
    let index = hashes.iter().position(|hash| *hash == sent).unwrap();
    let found = node.call("eth_getTransactionByBlockNumberAndIndex", json!(["pending", format!("{index:#x}")])).await;
    assert_eq!(found["hash"], sent);
    assert_eq!(receipts[index]["logs"].as_array().unwrap().len(), 1);
    assert!(node.call("eth_getTransactionByBlockNumberAndIndex", json!(["pending", "0x2"])).await.is_null());
    // As in geth there are no logs of it.
    let (code, message) = node.error("eth_getLogs", json!([{"fromBlock": "0x0", "toBlock": "pending"}])).await;
    assert_eq!((code, message.as_str()), (-32000, "pending logs are not supported"));
    // What was seen is what is made.
    node.call("evm_mine", json!([])).await;
    assert_eq!(at("eth_getBalance", vec![json!(STRANGER)], "latest").await, json!("0x9"));
    assert_eq!(at("eth_getBlockTransactionCountByNumber", vec![], "pending").await, json!("0x0"));
}

#[tokio::test]
async fn an_estimate_without_a_block_may_build_on_what_waits() {
    let (node, vault) = node_with_vault().await;
    assert_eq!(node.error("eth_estimateGas", json!([{"to": vault}])).await.0, 3);
    node.call("eth_sendTransaction", json!([{"from": ALICE, "to": vault, "value": "0x7", "gas": "0x186a0"}])).await;
    assert!(number(&node.call("eth_estimateGas", json!([{"to": vault}])).await) > U256::from(21_000));
    // So it can be sent without a gas limit, too.
    node.call("eth_sendTransaction", json!([{"from": BOB, "to": vault}])).await;
}

#[tokio::test]
async fn a_pending_block_is_built_once_and_anew_when_something_changes() {
    let node = Node::new(MiningMode::Manual);
    let backend = &node.backend;
    let look = || {
        backend.pending_blocks().look(backend.chain(), backend.pool(), &|head| backend.next_attributes(head)).unwrap()
    };
    assert!(matches!(look(), Pending::Nothing));
    assert!(backend.pending_block().unwrap().is_none());
    // The clock of the blocks is stopped, so that seconds do not matter.
    node.call("evm_setNextBlockTimestamp", json!([4_000_000_000_u64])).await;
    node.call("eth_sendTransaction", json!([transfer(ALICE, STRANGER)])).await;
    assert!(matches!(look(), Pending::NotBuilt));
    let first = backend.pending_block().unwrap().unwrap();
    assert!(matches!(look(), Pending::Built(known) if Arc::ptr_eq(&known, &first)));
    assert!(Arc::ptr_eq(&backend.pending_block().unwrap().unwrap(), &first));
    let hash = first.block().hash();
    assert!(node.call("eth_getBlockByHash", json!([hash])).await.is_null(), "it is no block of the chain");
    let balance = async || number(&node.call("eth_getBalance", json!([STRANGER, "pending"])).await);
    assert_eq!(balance().await, U256::from(1));
    // The state is changed by hand.
    node.call("anvil_setBalance", json!([STRANGER, "0x64"])).await;
    assert_eq!(balance().await, U256::from(101));
    // Another transaction.
    node.call("eth_sendTransaction", json!([transfer(BOB, STRANGER)])).await;
    assert_eq!(balance().await, U256::from(102));
    // What the next block is to be.
    let coinbase = Address::repeat_byte(0xc0);
    node.call("anvil_setCoinbase", json!([coinbase])).await;
    assert_eq!(node.call("eth_getBlockByNumber", json!(["pending"])).await["miner"], json!(coinbase));
    assert!(number(&node.call("eth_getBalance", json!([coinbase, "pending"])).await) > U256::ZERO);
    // The head.
    node.call("evm_mine", json!([])).await;
    assert!(matches!(look(), Pending::Nothing));
    assert_eq!(balance().await, U256::from(102));
}

#[tokio::test]
async fn a_nonce_is_told_without_building_a_block() {
    let node = Node::new(MiningMode::Manual);
    for nonce in [0, 1, 2, 4] {
        let mut request = transfer(ALICE, BOB);
        request["nonce"] = json!(nonce);
        request["gas"] = json!("0x5208");
        node.call("eth_sendTransaction", json!([request])).await;
    }
    assert_eq!(node.call("eth_getTransactionCount", json!([ALICE, "pending"])).await, json!("0x3"));
    let backend = &node.backend;
    let known = backend.pending_blocks().look(backend.chain(), backend.pool(), &|head| backend.next_attributes(head));
    assert!(matches!(known, Ok(Pending::NotBuilt)));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_at_once_all_see_what_was_sent() {
    let node = Arc::new(Node::new(MiningMode::Manual));
    for sent in 1..=8_u64 {
        node.call("eth_sendTransaction", json!([transfer(ALICE, STRANGER)])).await;
        let asking: Vec<_> = (0..8)
            .map(|_| {
                let node = Arc::clone(&node);
                tokio::spawn(async move { number(&node.call("eth_getBalance", json!([STRANGER, "pending"])).await) })
            })
            .collect();
        for answer in asking {
            assert_eq!(answer.await.unwrap(), U256::from(sent));
        }
    }
}

/// Where others make the blocks, whoever looks does not make blocks that come in wait again and again.
#[test]
fn without_a_producer_a_pending_block_is_shown_for_a_while() {
    use crate::test_chain::{backend, build, dev_chain, make_head, transaction};
    use alloy_eips::Encodable2718;
    let backend = backend(dev_chain());
    let send = |nonce| {
        let sent = transaction(nonce, Some(STRANGER), Default::default());
        backend.pool().add_raw(&sent.encoded_2718(), braid_chain::Origin::External).unwrap();
    };
    assert!(backend.pending_block().unwrap().is_none());
    send(0);
    let first = backend.pending_block().unwrap().unwrap();
    assert_eq!(first.block().transactions().len(), 1);
    send(1);
    assert!(Arc::ptr_eq(&backend.pending_block().unwrap().unwrap(), &first));
    // Not on another head.
    let mined = vec![transaction(0, Some(STRANGER), Default::default())];
    make_head(backend.chain(), build(backend.chain(), backend.chain().head().hash, mined));
    let second = backend.pending_block().unwrap().unwrap();
    assert_eq!((second.block().number(), second.block().transactions().len()), (2, 1));
    assert_eq!(backend.next_nonce(crate::test_chain::signer().address()).unwrap(), 2);
}
