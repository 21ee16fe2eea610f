//! Blocks by time and logs by block.

use crate::test_node::{ALICE, Node};
use braid_chain::MiningMode;
use serde_json::json;

/// Code that logs twice.
const LOGS: &str = "0x60006000a060006000a000";

#[tokio::test]
async fn blocks_are_found_by_time_and_logs_by_block() {
    let node = Node::new(MiningMode::Manual);
    let contract = alloy_primitives::Address::repeat_byte(0x10);
    node.call("anvil_setCode", json!([contract, LOGS])).await;
    let start = 4_000_000_000_u64;
    for index in 0..4_u64 {
        node.call("evm_setNextBlockTimestamp", json!([start + 10 * index])).await;
        for _ in 0..2 {
            node.call("eth_sendTransaction", json!([{"from": ALICE, "to": contract, "gas": "0xffff"}])).await;
        }
        node.call("evm_mine", json!([])).await;
    }
    for (time, number) in
        [(0, "0x0"), (start - 1, "0x0"), (start, "0x1"), (start + 29, "0x3"), (start + 30, "0x4"), (u64::MAX, "0x4")]
    {
        let block = node.call("erigon_getBlockByTimestamp", json!([time, false])).await;
        assert_eq!(block["number"], json!(number), "{time}");
    }
    let block = node.call("erigon_getBlockByTimestamp", json!([start, true])).await;
    assert_eq!(
        block["transactions"][1]["from"].as_str().unwrap().to_lowercase(),
        json!(ALICE).as_str().unwrap().to_lowercase()
    );
    let logs = node.call("erigon_getLogsByHash", json!([block["hash"]])).await;
    assert_eq!(logs.as_array().unwrap().len(), 2);
    for (place, index) in [((0, 0), "0x0"), ((0, 1), "0x1"), ((1, 0), "0x2"), ((1, 1), "0x3")] {
        assert_eq!(logs[place.0][place.1]["logIndex"], json!(index));
    }
    assert!(node.call("erigon_getLogsByHash", json!([alloy_primitives::B256::ZERO])).await.is_null());
    assert_eq!(node.call("erigon_blockNumber", json!([])).await, json!("0x4"));
    assert_eq!(node.call("erigon_blockNumber", json!(["earliest"])).await, json!("0x0"));
    let receipts = node.call("erigon_getBlockReceiptsByBlockHash", json!([block["hash"]])).await;
    assert_eq!(receipts.as_array().unwrap().len(), 2);
}
