//! `eth_estimateGas`.

use super::{CONTRACT, Node, OTHER, RICH, word};
use crate::RpcOptions;
use alloy_primitives::hex;
use serde_json::{Value, json};

/// Writes five slots, which takes 110,000 gas.
const FIVE_SLOTS: &str = "0x60015f55600160015560016002556001600355600160045500";

impl Node {
    fn estimate(&self, code: &[u8], more: Value) -> Result<u64, (i64, String)> {
        let mut call = json!({ "from": RICH, "to": CONTRACT });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let code = hex::encode_prefixed(code);
        let state = json!({ CONTRACT.to_string(): { "code": code }, OTHER.to_string(): { "code": FIVE_SLOTS } });
        Ok(word(&self.ask("eth_estimateGas", json!([call, "latest", state]))?).to())
    }
}

/// Whether a transaction with so much gas succeeds.
fn succeeds(node: &Node, code: &[u8], gas: u64) -> bool {
    let call = json!({ "from": RICH, "to": CONTRACT, "gas": format!("{gas:#x}") });
    let code = hex::encode_prefixed(code);
    let state = json!({ CONTRACT.to_string(): { "code": code }, OTHER.to_string(): { "code": FIVE_SLOTS } });
    node.ask("eth_call", json!([call, "latest", state])).is_ok()
}

#[test]
fn a_plain_transfer_is_21000() {
    let node = Node::new();
    let estimate = |call| node.ask("eth_estimateGas", json!([call]));
    assert_eq!(estimate(json!({ "from": RICH, "to": OTHER, "value": "0x1" })), Ok(json!("0x5208")));
    let list = json!([{ "address": OTHER, "storageKeys": [] }]);
    let with_list = word(&estimate(json!({ "from": RICH, "to": OTHER, "accessList": list })).unwrap());
    assert!(with_list >= alloy_primitives::U256::from(23_400), "{with_list}");
}

#[test]
fn an_estimate_suffices_and_is_close() {
    let node = Node::new();
    // Calls the other contract with all gas, and reverts if that fails: EIP-150 keeps a 64th back at each call.
    let code = hex!("5f5f5f5f5f60dd5af1 600f57 5f5ffd 5b00");
    let estimate = node.estimate(&code, json!({})).unwrap();
    assert!(succeeds(&node, &code, estimate), "{estimate}");
    assert!(!succeeds(&node, &code, estimate * 97 / 100), "{estimate}");
}

#[test]
fn contracts_that_look_at_the_gas_left_get_it() {
    let node = Node::new();
    // Reverts unless more than 2,000,000 gas is left: GAS PUSH3 LT PUSH1 JUMPI.
    let code = hex!("5a621e848010600c57 5f5ffd 5b00");
    let estimate = node.estimate(&code, json!({})).unwrap();
    assert!(estimate > 2_021_000 && estimate < 2_021_000 * 102 / 100 + 10_000, "{estimate}");
    assert!(succeeds(&node, &code, estimate));
}

#[test]
fn no_estimate_is_above_what_is_allowed() {
    let node = Node::new();
    let endless = hex!("5b5f56");
    let allowance = |more| node.estimate(&endless, more).unwrap_err();
    // What a transaction may have at most (EIP-7825).
    assert_eq!(allowance(json!({})), (-32000, "gas required exceeds allowance (16777216)".to_owned()));
    assert_eq!(allowance(json!({ "gas": "0x186a0" })).1, "gas required exceeds allowance (100000)");
    let capped = Node::with_options(RpcOptions { gas_cap: 200_000, ..RpcOptions::default() });
    assert_eq!(capped.estimate(&endless, json!({})).unwrap_err().1, "gas required exceeds allowance (200000)");
}

#[test]
fn reverts_and_missing_funds_are_told() {
    let node = Node::new();
    assert_eq!(node.estimate(&hex!("5f5ffd"), json!({})), Err((3, "execution reverted".to_owned())));
    let poor =
        json!({ "from": "0x00000000000000000000000000000000000000bb", "value": "0x1", "gasPrice": "0x77359400" });
    assert_eq!(node.estimate(&[0], poor).unwrap_err().1, "insufficient funds for transfer");
    let all = json!({ "value": "0x3635c9adc5dea00000", "gasPrice": "0x77359400" });
    assert_eq!(node.estimate(&[0], all).unwrap_err().1, "insufficient funds for transfer");
}

#[test]
fn the_estimate_is_for_the_next_block() {
    let node = Node::new();
    let call = json!({ "from": RICH, "to": CONTRACT });
    let estimate = |code: &str, block: Value| {
        node.ask("eth_estimateGas", json!([call, block, { CONTRACT.to_string(): { "code": code } }]))
    };
    let fails_in_block_0 = "0x43600557fe5b00";
    let fails_in_others = "0x43600557005bfe";
    assert!(estimate(fails_in_block_0, Value::Null).is_ok());
    assert!(estimate(fails_in_block_0, json!("pending")).is_ok());
    assert!(estimate(fails_in_block_0, json!("latest")).is_err());
    assert!(estimate(fails_in_others, Value::Null).is_err());
    assert!(estimate(fails_in_others, json!("latest")).is_ok());
}
