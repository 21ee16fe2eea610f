//! The last blocks are replaced by others.

use crate::{Backend, MethodSet, RpcError, methods::Number, simulate::estimate_request_at};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use braid_chain::pool::PooledTransaction;
use braid_runtime::Transaction;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most gas of a transaction whose gas limit could not be estimated: more is not allowed from Osaka on (EIP-7825).
const MOST_GAS: u64 = 1 << 24;
/// Most blocks that are replaced at once.
const MOST_BLOCKS: u64 = 1 << 16;

/// A transaction for the new branch.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Wanted {
    Raw(Bytes),
    Request(Box<TransactionRequest>),
}

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "anvil_reorg(depth: Quantity, tx_block_pairs?: ReorgTransaction[]) -> Null",
        "Replaces so many blocks by as many others. Each pair is a transaction, raw or as a request that is filled in and signed as eth_sendTransaction does it, and the \
         index of its block in the new branch. What was in the old blocks is gone, what waits in the pool stays.",
        |backend, (depth, pairs): (Number, Option<Vec<(Wanted, Number)>>)| {
            reorganise(backend, depth.saturating_u64(), pairs.unwrap_or_default())
        },
    );
}

fn reorganise(backend: &Backend, depth: u64, pairs: Vec<(Wanted, Number)>) -> Result<(), RpcError> {
    let producer = backend.required_producer()?;
    let height = backend.chain().head().number;
    let too_deep = || {
        let message =
            format!("Reorg depth must not exceed current chain height: current height {height}, depth {depth}");
        RpcError::invalid_params(message)
    };
    let common = height.checked_sub(depth).ok_or_else(too_deep)?;
    if depth > MOST_BLOCKS {
        return Err(RpcError::invalid_params(format!("invalid argument 0: at most {MOST_BLOCKS} blocks at once")));
    }
    let common = backend.chain().canonical_hash(common)?.ok_or_else(too_deep)?;
    let mut nonces = BTreeMap::new();
    let mut blocks = vec![Vec::new(); depth as usize];
    for (wanted, index) in pairs {
        let index = index.saturating_u64();
        let block = usize::try_from(index).ok().and_then(|index| blocks.get_mut(index));
        let Some(block) = block else {
            return Err(RpcError::invalid_params(format!(
                "Block number for reorg tx will exceed the reorged chain height. Block number {index} must not exceed (depth-1) {}",
                depth.saturating_sub(1)
            )));
        };
        let transaction = match wanted {
            Wanted::Raw(raw) => {
                let decoded = backend.pool().decode(&raw)?;
                backend.pool().recover(decoded)?
            }
            Wanted::Request(request) => signed(backend, *request, common, &mut nonces)?,
        };
        block.push(without_blobs(transaction));
    }
    if !producer.reorganise(blocks)? {
        return Err(too_deep());
    }
    Ok(())
}

/// Fills a request in as it would be on the common block, and signs it. Nonces go on from there.
fn signed(
    backend: &Backend,
    mut request: TransactionRequest,
    common: B256,
    nonces: &mut BTreeMap<Address, u64>,
) -> Result<Recovered<PooledTransaction>, RpcError> {
    let from = request.from.or_else(|| backend.accounts().addresses().first().copied());
    let from = from.ok_or_else(|| RpcError::server("no sender given, and the node has no accounts"))?;
    request.from = Some(from);
    let next = match nonces.get(&from) {
        Some(next) => *next,
        None => {
            backend.read_state(Some(common.into()), |state| state.account(from))?.map_or(0, |account| account.nonce)
        }
    };
    let nonce = *request.nonce.get_or_insert(next);
    nonces.insert(from, nonce.saturating_add(1));
    if request.gas.is_none() {
        // It may build on others of the new branch: then there is nothing to estimate it on.
        let most = backend.chain().head_block()?.header().gas_limit.min(MOST_GAS);
        request.gas = Some(estimate_request_at(backend, request.clone(), common.into()).unwrap_or(most));
    }
    backend.signed(request)
}

fn without_blobs(transaction: Recovered<PooledTransaction>) -> Recovered<Transaction> {
    transaction.map(Into::into)
}

#[cfg(test)]
mod tests {
    use crate::test_node::{ALICE, BOB, Node, transfer};
    use alloy_primitives::Address;
    use braid_chain::MiningMode;
    use serde_json::{Value, json};

    const OTHER: Address = Address::repeat_byte(0x33);

    async fn block(node: &Node, number: u64) -> Value {
        node.call("eth_getBlockByNumber", json!([format!("{number:#x}")])).await
    }

    /// Three blocks, each with a wei from Alice to Bob.
    async fn node() -> Node {
        let node = Node::new(MiningMode::Manual);
        for _ in 0..3 {
            node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
            node.call("evm_mine", json!([])).await;
        }
        node
    }

    #[tokio::test]
    async fn blocks_are_replaced_by_those_that_are_wanted() {
        let node = node().await;
        let before = [block(&node, 1).await["hash"].clone(), block(&node, 2).await["hash"].clone()];
        let old = block(&node, 3).await["transactions"][0].clone();
        // Raw, and signed for the nonce that is free again.
        let mut request = transfer(ALICE, OTHER);
        request["nonce"] = json!("0x1");
        let raw = node.call("eth_signTransaction", json!([request])).await["raw"].clone();
        let other = json!({"from": BOB, "to": OTHER, "value": "0x5"});
        let waiting = node.call("eth_sendTransaction", json!([other])).await;
        let pairs = json!([[raw, 0], [transfer(BOB, OTHER), "0x1"], [transfer(BOB, OTHER), 1]]);
        assert!(node.call("anvil_reorg", json!({"depth": 2, "tx_block_pairs": pairs})).await.is_null());
        assert_eq!(node.call("eth_blockNumber", json!([])).await, json!("0x3"));
        assert_eq!(block(&node, 1).await["hash"], before[0]);
        assert_ne!(block(&node, 2).await["hash"], before[1]);
        for (number, count) in [(2, 1), (3, 2)] {
            assert_eq!(block(&node, number).await["transactions"].as_array().unwrap().len(), count);
        }
        assert_eq!(node.call("eth_getBalance", json!([OTHER])).await, json!("0x3"));
        assert_eq!(node.call("eth_getTransactionCount", json!([ALICE])).await, json!("0x2"));
        assert!(node.call("eth_getTransactionReceipt", json!([old])).await.is_null());
        assert!(node.call("eth_getTransactionByHash", json!([waiting])).await.is_null(), "its nonce was used");
        node.call("evm_mine", json!([])).await;
        assert_eq!(node.call("eth_blockNumber", json!([])).await, json!("0x4"));
    }

    #[tokio::test]
    async fn without_transactions_the_blocks_are_empty_and_the_pool_stays() {
        let node = node().await;
        let waiting = node.call("eth_sendTransaction", json!([transfer(BOB, OTHER)])).await;
        node.call("anvil_reorg", json!([3])).await;
        assert!(block(&node, 3).await["transactions"].as_array().unwrap().is_empty());
        assert_eq!(node.call("eth_getTransactionByHash", json!([waiting])).await["hash"], waiting);
        node.call("evm_mine", json!([])).await;
        assert_eq!(node.call("eth_getBalance", json!([OTHER])).await, json!("0x1"));
    }

    #[tokio::test]
    async fn what_cannot_be_is_refused_before_anything_is_taken_back() {
        let node = node().await;
        let before = block(&node, 3).await["hash"].clone();
        let (code, message) = node.error("anvil_reorg", json!([99, []])).await;
        assert_eq!(
            (code, message.as_str()),
            (-32602, "Reorg depth must not exceed current chain height: current height 3, depth 99")
        );
        let (code, message) = node.error("anvil_reorg", json!([2, [[transfer(ALICE, BOB), 2]]])).await;
        assert!(code == -32602 && message.ends_with("Block number 2 must not exceed (depth-1) 1"), "{message}");
        let stranger = transfer(Address::repeat_byte(9), BOB);
        for pairs in [json!([["0x00", 0]]), json!([[stranger, 0]]), json!(["0x"]), json!(7)] {
            node.error("anvil_reorg", json!([2, pairs])).await;
        }
        assert_eq!(block(&node, 3).await["hash"], before);
        let (_, message) = node.error("anvil_rollback", json!([99])).await;
        assert_eq!(message, "Rollback depth must not exceed current chain height: current height 3, depth 99");
    }
}
