//! `eth_createAccessList`.

use super::{CONTRACT, Node, OTHER, RICH};
use alloy_primitives::hex;
use serde_json::{Value, json};

impl Node {
    fn list(&self, code: &[u8]) -> Value {
        let state = json!({ CONTRACT.to_string(): { "code": hex::encode_prefixed(code) } });
        let call = json!({ "from": RICH, "to": CONTRACT });
        self.ask("eth_createAccessList", json!([call, "latest", state])).unwrap()
    }
}

#[test]
fn slots_and_accounts_are_found() {
    let node = Node::new();
    // Reads slot 1 and the balance of another account.
    let result = node.list(&hex!("600154 60dd31 00"));
    let slot = format!("{:#066x}", 1);
    let expected = json!([
        { "address": CONTRACT, "storageKeys": [slot] },
        { "address": OTHER, "storageKeys": [] },
    ]);
    assert_eq!(result["accessList"].to_string().to_lowercase(), expected.to_string().to_lowercase());
    assert!(result.get("error").is_none(), "{result}");
}

#[test]
fn sender_recipient_and_precompiles_are_left_out() {
    let node = Node::new();
    let result = node.list(&hex!("3331 3031 600431 00"));
    assert_eq!(result["accessList"], json!([]), "{result}");
}

#[test]
fn a_revert_is_told_beside_the_list() {
    let node = Node::new();
    let result = node.list(&hex!("600154 5f5ffd"));
    assert_eq!(result["error"], "execution reverted");
    assert_eq!(result["accessList"][0]["storageKeys"].as_array().unwrap().len(), 1);
    assert_eq!(node.list(&hex!("fe"))["error"], "invalid opcode: INVALID");
}
