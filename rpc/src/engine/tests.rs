//! Cases of the specification, over a chain of development blocks.

use crate::{Backend, test_chain};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::B256;
use braid_chain::DevGenesis;
use jsonrpsee::{RpcModule, core::server::MethodsError};
use serde_json::{Value, json, value::to_raw_value};
use std::sync::Arc;

struct Engine {
    module: RpcModule<Arc<Backend>>,
    backend: Arc<Backend>,
}

impl Engine {
    fn new(hardfork: EthereumHardfork) -> Self {
        let accounts = vec![test_chain::signer().address()];
        let chain = test_chain::dev_chain_of(&DevGenesis { accounts, hardfork, ..DevGenesis::default() });
        let backend = test_chain::backend(chain);
        Self { module: backend.engine_methods().into_module(), backend }
    }

    fn head(&self) -> B256 {
        self.backend.chain().head().hash
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, i32> {
        let Value::Array(list) = params else { panic!("a list") };
        let list: Vec<_> = list.iter().map(|value| to_raw_value(value).unwrap()).collect();
        match self.module.call(method, list).await {
            Ok(value) => Ok(value),
            Err(MethodsError::JsonRpc(error)) => Err(error.code()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Moves the head; builds a block if there are attributes.
    async fn choose(&self, version: u32, head: B256, attributes: Value) -> Result<Value, i32> {
        let zero = B256::ZERO;
        let state = json!({ "headBlockHash": head, "safeBlockHash": zero, "finalizedBlockHash": zero });
        self.call(&format!("engine_forkchoiceUpdatedV{version}"), json!([state, attributes])).await
    }

    /// A block of Osaka on the head that the chain has not been given.
    async fn built(&self) -> Value {
        let chosen = self.choose(3, self.head(), attributes(12)).await.unwrap();
        let id = chosen["payloadId"].clone();
        assert!(id.is_string(), "{chosen}");
        self.call("engine_getPayloadV5", json!([id])).await.unwrap()
    }

    async fn new_payload(&self, payload: &Value) -> Result<Value, i32> {
        self.call("engine_newPayloadV4", json!([payload, [], B256::ZERO, []])).await
    }
}

fn attributes(timestamp: u64) -> Value {
    json!({
        "timestamp": format!("{timestamp:#x}"),
        "prevRandao": B256::repeat_byte(1),
        "suggestedFeeRecipient": "0x0000000000000000000000000000000000000001",
        "withdrawals": [],
        "parentBeaconBlockRoot": B256::ZERO,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_built_validated_and_becomes_the_head() {
    let engine = Engine::new(EthereumHardfork::Osaka);
    let built = engine.built().await;
    let payload = &built["executionPayload"];
    let hash: B256 = serde_json::from_value(payload["blockHash"].clone()).unwrap();
    // The verdict stays the same however often it is asked for.
    for _ in 0..2 {
        let verdict = engine.new_payload(payload).await.unwrap();
        assert_eq!((&verdict["status"], &verdict["latestValidHash"]), (&json!("VALID"), &json!(hash)));
    }
    let chosen = engine.choose(3, hash, Value::Null).await.unwrap();
    assert_eq!((&chosen["payloadStatus"]["status"], &chosen["payloadId"]), (&json!("VALID"), &Value::Null));
    assert_eq!(engine.head(), hash);
    let bodies = engine.call("engine_getPayloadBodiesByHashV1", json!([[hash, B256::ZERO]])).await.unwrap();
    assert_eq!(bodies, json!([{ "transactions": [], "withdrawals": [] }, null]));
    let bodies = engine.call("engine_getPayloadBodiesByRangeV2", json!(["0x1", "0x20"])).await.unwrap();
    assert_eq!(bodies.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_block_is_told() {
    let engine = Engine::new(EthereumHardfork::Osaka);
    let good = engine.built().await["executionPayload"].clone();
    let changed = |field: &str, value: Value| {
        let mut payload = good.clone();
        payload[field] = value;
        payload
    };
    // Another content than the hash says: nothing is known of its ancestors.
    let verdict = engine.new_payload(&changed("gasUsed", json!("0x1"))).await.unwrap();
    assert_eq!((&verdict["status"], &verdict["latestValidHash"]), (&json!("INVALID"), &Value::Null));
    assert!(verdict["validationError"].as_str().unwrap().contains("blockhash mismatch"));
    // Versioned hashes that are not those of the transactions.
    let hashes = json!([good, [B256::repeat_byte(1)], B256::ZERO, []]);
    assert_eq!(engine.call("engine_newPayloadV4", hashes).await.unwrap()["status"], "INVALID");
    // A transaction that is none.
    let verdict = engine.new_payload(&changed("transactions", json!(["0x01"]))).await.unwrap();
    assert_eq!(verdict["status"], "INVALID");
    // A wrong state root under the right hash breaks a rule: the parent is the last valid one.
    let block = {
        let mut payload = changed("stateRoot", json!(B256::repeat_byte(7)));
        let verdict = engine.new_payload(&payload).await.unwrap();
        let text = verdict["validationError"].as_str().unwrap();
        let actual: B256 = text.rsplit(' ').next().unwrap().parse().unwrap();
        payload["blockHash"] = json!(actual);
        payload
    };
    for _ in 0..2 {
        let verdict = engine.new_payload(&block).await.unwrap();
        assert_eq!((&verdict["status"], &verdict["latestValidHash"]), (&json!("INVALID"), &json!(engine.head())));
    }
    let hash = serde_json::from_value(block["blockHash"].clone()).unwrap();
    let chosen = engine.choose(3, hash, Value::Null).await.unwrap();
    assert_eq!(chosen["payloadStatus"]["status"], "INVALID");
    // Fields that are missing, requests that do not rise or are empty.
    let mut missing = good.clone();
    missing.as_object_mut().unwrap().remove("blobGasUsed");
    assert_eq!(engine.new_payload(&missing).await, Err(-32602));
    assert_eq!(engine.call("engine_newPayloadV4", json!([good, [], B256::ZERO])).await, Err(-32602));
    for requests in [json!(["0x01aa", "0x00aa"]), json!(["0x00aa", "0x00aa"]), json!(["0x00"])] {
        assert_eq!(engine.call("engine_newPayloadV4", json!([good, [], B256::ZERO, requests])).await, Err(-32602));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ancestors_are_synced_not_judged() {
    let engine = Engine::new(EthereumHardfork::Osaka);
    let chosen = engine.choose(3, B256::repeat_byte(9), attributes(12)).await.unwrap();
    assert_eq!((&chosen["payloadStatus"]["status"], &chosen["payloadId"]), (&json!("SYNCING"), &Value::Null));
    let chosen = engine.choose(3, B256::ZERO, Value::Null).await.unwrap();
    assert_eq!(chosen["payloadStatus"]["status"], "INVALID");
    // A safe block that is not an ancestor.
    let zero = B256::ZERO;
    let state =
        json!({ "headBlockHash": engine.head(), "safeBlockHash": B256::repeat_byte(9), "finalizedBlockHash": zero });
    assert_eq!(engine.call("engine_forkchoiceUpdatedV3", json!([state, null])).await, Err(-38002));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_has_its_fields_and_forks() {
    let engine = Engine::new(EthereumHardfork::Osaka);
    let good = engine.built().await["executionPayload"].clone();
    assert_eq!(engine.call("engine_newPayloadV3", json!([good, [], B256::ZERO])).await, Err(-38005));
    assert_eq!(engine.call("engine_newPayloadV2", json!([good])).await, Err(-32602), "fields of Cancun");
    let head = engine.head();
    let without = |field: &str| {
        let mut attributes = attributes(24);
        attributes.as_object_mut().unwrap().remove(field);
        attributes
    };
    let mut with_slot = attributes(24);
    with_slot["slotNumber"] = json!("0x1");
    let mut of_shanghai = without("parentBeaconBlockRoot");
    of_shanghai["timestamp"] = json!("0x20");
    for (version, attributes, code) in [
        (1, attributes(24), -32602),
        (2, attributes(24), -38003),
        (2, of_shanghai, -38005),
        (3, without("withdrawals"), -38003),
        (3, without("parentBeaconBlockRoot"), -38003),
        (3, with_slot.clone(), -38003),
        (3, attributes(0), -38003),
        (4, attributes(24), -38003),
        (4, with_slot, -38005),
    ] {
        assert_eq!(engine.choose(version, head, attributes.clone()).await, Err(code), "V{version} {attributes}");
    }
    let id = engine.choose(3, head, attributes(36)).await.unwrap()["payloadId"].clone();
    for version in [1, 2, 3, 4, 6] {
        let answer = engine.call(&format!("engine_getPayloadV{version}"), json!([id])).await;
        assert_eq!(answer, Err(-38005), "V{version}");
    }
    assert_eq!(engine.call("engine_getPayloadV5", json!(["0x0000000000000001"])).await, Err(-38001));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_forks_have_their_versions() {
    let engine = Engine::new(EthereumHardfork::Shanghai);
    let mut wanted = attributes(12);
    wanted.as_object_mut().unwrap().remove("parentBeaconBlockRoot");
    let id = engine.choose(2, engine.head(), wanted).await.unwrap()["payloadId"].clone();
    let built = engine.call("engine_getPayloadV2", json!([id])).await.unwrap();
    let payload = built["executionPayload"].clone();
    assert!(payload["withdrawals"].is_array() && built["blockValue"].is_string());
    assert_eq!(engine.call("engine_newPayloadV2", json!([payload])).await.unwrap()["status"], "VALID");
    assert_eq!(engine.call("engine_newPayloadV1", json!([payload])).await, Err(-32602));
    let mut without = payload;
    without.as_object_mut().unwrap().remove("withdrawals");
    assert_eq!(engine.call("engine_newPayloadV2", json!([without])).await, Err(-32602));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_names() {
    let engine = Engine::new(EthereumHardfork::Osaka);
    let many = vec![B256::ZERO; 1025];
    assert_eq!(engine.call("engine_getPayloadBodiesByHashV1", json!([many])).await, Err(-38004));
    assert_eq!(engine.call("engine_getPayloadBodiesByRangeV1", json!(["0x1", "0x401"])).await, Err(-38004));
    assert_eq!(engine.call("engine_getPayloadBodiesByRangeV1", json!(["0x0", "0x1"])).await, Err(-32602));
    let few = vec![B256::ZERO; 2];
    assert_eq!(engine.call("engine_getBlobsV1", json!([few])).await, Err(-38005));
    assert_eq!(engine.call("engine_getBlobsV2", json!([few])).await, Ok(Value::Null));
    assert_eq!(engine.call("engine_getBlobsV3", json!([few])).await, Ok(json!([null, null])));
    assert_eq!(engine.call("engine_getBlobsV3", json!([vec![B256::ZERO; 129]])).await, Err(-38004));
    let capabilities = engine.call("engine_exchangeCapabilities", json!([["engine_newPayloadV1"]])).await.unwrap();
    let names: Vec<&str> = capabilities.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"engine_newPayloadV5") && names.contains(&"engine_getBlobsV3"));
    assert!(!names.contains(&"engine_exchangeCapabilities"));
    let version = engine.call("engine_getClientVersionV1", json!([])).await.unwrap();
    assert_eq!(version[0]["name"], "Braid");
    let theirs =
        json!({ "terminalTotalDifficulty": "0x5", "terminalBlockHash": B256::ZERO, "terminalBlockNumber": "0x0" });
    assert_eq!(engine.call("engine_exchangeTransitionConfigurationV1", json!([theirs])).await, Err(-32000));
}
