//! Schedules of the blocks of the conformance suite's chain.

use crate::replay::suite::Suite;
use serde_json::{Value, json};

#[test]
fn every_block_has_a_schedule() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let chain = node.backend.chain();
    let (mut edges_seen, mut hot_seen) = (0, 0);
    for number in (1..=chain.head().number).step_by(3) {
        let block = chain.block_by_number(number).unwrap().unwrap();
        let id = format!("{number:#x}");
        let schedule = node.call("braid_getBlockSchedule", json!([id, { "threads": 2, "learnFrom": 1 }])).unwrap();
        let at = format!("block {number}: {schedule}");
        assert_eq!(schedule["blockHash"], json!(block.hash()), "{at}");
        assert_eq!(schedule["gasUsed"], block.header().gas_used, "{at}");
        assert_eq!(schedule["path"], "parallel", "{at}");
        let transactions = schedule["transactions"].as_array().unwrap();
        assert_eq!(transactions.len(), block.transactions().len(), "{at}");
        // Every transaction ran, and its last run ended before the block did.
        let spans: Vec<&Value> =
            schedule["lanes"].as_array().unwrap().iter().flat_map(|lane| lane["spans"].as_array().unwrap()).collect();
        for index in 0..transactions.len() {
            let end = spans
                .iter()
                .filter(|span| span["transaction"] == index)
                .map(|span| span["endNs"].as_u64().unwrap())
                .max();
            assert!(end.is_some_and(|end| end <= schedule["wallNs"].as_u64().unwrap()), "transaction {index} of {at}");
        }
        // The chain is one of edges, and its gas is that of its transactions.
        let path: Vec<u64> = schedule["criticalPath"]["transactions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|index| index.as_u64().unwrap())
            .collect();
        let edges = schedule["edges"].as_array().unwrap();
        edges_seen += edges.len();
        for pair in path.windows(2) {
            assert!(edges.iter().any(|edge| edge["from"] == pair[0] && edge["to"] == pair[1]), "{pair:?} of {at}");
        }
        let gas: u64 = path.iter().map(|&index| transactions[index as usize]["gasUsed"].as_u64().unwrap()).sum();
        assert_eq!(schedule["criticalPath"]["gas"], gas, "{at}");
        assert_eq!(schedule["bounds"]["criticalPath"], gas, "{at}");
        for edge in edges {
            assert!(!edge["fields"].as_array().unwrap().is_empty(), "{edge} of {at}");
            let (from, to) = (edge["from"].as_u64().unwrap() as usize, edge["to"].as_u64().unwrap() as usize);
            let later = node.call("braid_getConflicts", json!([transactions[to]["hash"]])).unwrap();
            let named =
                |list: &Value, index: usize| list.as_array().unwrap().iter().any(|other| other["index"] == index);
            assert!(named(&later["dependsOn"], from), "{later}");
            if edges.len() < 10 {
                let earlier = node.call("braid_getConflicts", json!([transactions[from]["hash"]])).unwrap();
                assert!(named(&earlier["dependents"], to), "{earlier}");
            }
        }
        let hot = node.call("braid_getHotSlots", json!([id])).unwrap();
        hot_seen += hot["slots"].as_array().unwrap().len();
        for slot in hot["slots"].as_array().unwrap() {
            assert!(
                slot["conflicts"].as_u64().unwrap() > 0 && !slot["writers"].as_array().unwrap().is_empty(),
                "{slot}"
            );
        }
    }
    assert!(edges_seen > 0 && hot_seen > 0, "{edges_seen} edges, {hot_seen} contended fields");
    assert_eq!(node.call("braid_getBlockSchedule", json!(["0x0"])).unwrap_err()["message"], "genesis is not traceable");
    assert_eq!(node.call("braid_getHotSlots", json!(["0x1000"])).unwrap_err()["code"], -32000);
}
