//! What Otterscan asks, on the conformance suite's chain.

use crate::replay::suite::Suite;
use serde_json::{Value, json};

#[test]
fn explorer() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let chain = node.backend.chain();
    assert_eq!(node.call("ots_getApiLevel", json!([])).unwrap(), 8);
    let mut creations = 0;
    for number in 1..=chain.head().number {
        let block = chain.block_by_number(number).unwrap().unwrap();
        let (id, count) = (format!("{number:#x}"), block.transactions().len());
        let details = node.call("ots_getBlockDetails", json!([id])).unwrap();
        assert_eq!(details, node.call("ots_getBlockDetailsByHash", json!([block.hash()])).unwrap());
        assert_eq!(details["block"]["transactionCount"], count);
        let is_mined = !block.header().difficulty.is_zero();
        assert_eq!(details["issuance"]["blockReward"] != "0x0", is_mined, "block {number}");
        let pages = (0..2)
            .map(|page| node.call("ots_getBlockTransactions", json!([id, page, count.div_ceil(2).max(1)])).unwrap());
        let pages: Vec<Value> = pages.collect();
        let hashes: Vec<&Value> = pages
            .iter()
            .rev()
            .flat_map(|page| page["fullblock"]["transactions"].as_array().unwrap())
            .map(|it| &it["hash"])
            .collect();
        let expected: Vec<Value> =
            block.transactions().iter().map(|transaction| json!(transaction.tx_hash())).collect();
        assert_eq!(hashes, expected.iter().collect::<Vec<_>>(), "block {number}");
        let senders = chain.block_senders(&block).unwrap();
        for (index, transaction) in block.transactions().iter().enumerate() {
            let hash = json!(transaction.tx_hash());
            let nonce = alloy_consensus::Transaction::nonce(transaction);
            let by_nonce = node.call("ots_getTransactionBySenderAndNonce", json!([senders[index], nonce])).unwrap();
            assert_eq!(by_nonce, hash);
            let traces = node.call("ots_traceTransaction", json!([hash])).unwrap();
            assert_eq!(traces[0]["from"], json!(senders[index]));
            assert_eq!(traces[0]["depth"], 0);
            assert!(node.call("ots_getInternalOperations", json!([hash])).unwrap().is_array());
            assert!(node.call("ots_getTransactionError", json!([hash])).unwrap().is_string());
            if traces[0]["type"].as_str().unwrap().starts_with("CREATE") && traces[0]["output"] != "0x" {
                let made = &traces[0]["to"];
                assert_eq!(node.call("ots_hasCode", json!([made, id])).unwrap(), true);
                let creator = node.call("ots_getContractCreator", json!([made])).unwrap();
                if !creator.is_null() {
                    assert_eq!(creator, json!({ "hash": hash, "creator": senders[index] }), "block {number}");
                    creations += 1;
                }
            }
        }
    }
    assert!(creations > 0);
}

#[test]
fn pages_of_an_account_fit_together() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let chain = node.backend.chain();
    let first = chain.block_by_number(1).unwrap().unwrap();
    let sender = chain.block_senders(&first).unwrap()[0];
    let list = |page: &Value| page["txs"].as_array().unwrap().iter().map(|it| it["hash"].clone()).collect::<Vec<_>>();
    let all = node.call("ots_searchTransactionsBefore", json!([sender, 0, 1000])).unwrap();
    assert_eq!((&all["firstPage"], &all["lastPage"]), (&json!(true), &json!(true)));
    assert_eq!(all["receipts"].as_array().unwrap().len(), list(&all).len());
    let upwards = node.call("ots_searchTransactionsAfter", json!([sender, 0, 1000])).unwrap();
    assert_eq!(list(&upwards), list(&all));
    let (mut pages, mut before) = (Vec::new(), 0);
    loop {
        let page = node.call("ots_searchTransactionsBefore", json!([sender, before, 3])).unwrap();
        pages.extend(list(&page));
        if page["lastPage"] == true {
            break;
        }
        let last = page["txs"].as_array().unwrap().last().unwrap()["blockNumber"].as_str().unwrap().to_owned();
        before = u64::from_str_radix(&last[2..], 16).unwrap();
    }
    assert!(pages.len() > 3);
    assert_eq!(pages, list(&all));
}
