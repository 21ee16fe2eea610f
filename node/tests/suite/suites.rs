//! `braid statetest`, `blocktest` and `enginetest`, on tests made by hand.

use super::{Run, braid};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_engine::ExecutionPayloadV1;
use braid_fixtures::suites::state::SuiteState;
use braid_runtime::Block;
use serde_json::{Value, json};
use std::{fs, path::Path};

const SENDER: &str = "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b";
const KEY: &str = "0x45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8";
const RECIPIENT: &str = "0x095e7baea6a6c7c4c2dfeb977efac326af552d87";
const COINBASE: &str = "0x2adc25665018aa1fe0e6bc666dac8fc2697ff9ba";
/// Keccak-256 of the encoding of no logs.
const NO_LOGS: &str = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";

fn account(balance: u64, nonce: u64) -> Value {
    json!({ "balance": format!("{balance:#x}"), "nonce": format!("{nonce:#x}"), "code": "0x", "storage": {} })
}

fn root(state: &Value) -> String {
    serde_json::from_value::<SuiteState>(state.clone()).unwrap().root().to_string()
}

/// A payment of one wei at ten wei per gas, with the sender's balance before it and what the suite says about it in Berlin.
fn state_test(balance: u64, post: Value) -> Value {
    json!({
        "env": {
            "currentCoinbase": COINBASE, "currentDifficulty": "0x020000", "currentGasLimit": "0x0f4240",
            "currentNumber": "0x01", "currentTimestamp": "0x03e8",
        },
        "pre": { SENDER: account(balance, 0) },
        "transaction": {
            "data": ["0x"], "gasLimit": ["0x5208"], "gasPrice": "0x0a", "nonce": "0x00", "value": ["0x01"],
            "to": RECIPIENT, "sender": SENDER, "secretKey": KEY,
        },
        "post": post,
    })
}

fn post(hash: &str) -> Value {
    json!({ "hash": hash, "logs": NO_LOGS, "indexes": { "data": 0, "gas": 0, "value": 0 } })
}

/// The state after the payment, of a sender who had a million.
fn paid() -> Value {
    json!({ SENDER: account(789_999, 1), RECIPIENT: account(1, 0), COINBASE: account(210_000, 0) })
}

fn passing() -> Value {
    state_test(1_000_000, json!({ "Berlin": [post(&root(&paid()))] }))
}

fn write(folder: &Path, name: &str, cases: &Value) -> String {
    let path = folder.join(name);
    fs::write(&path, cases.to_string()).unwrap();
    path.display().to_string()
}

#[track_caller]
fn last_line(run: &Run) -> &str {
    run.stdout.lines().last().unwrap_or_else(|| panic!("no output; stderr: {}", run.stderr))
}

#[test]
fn a_payment_has_the_state_that_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let mut refused = post(&root(&json!({ SENDER: account(9, 0) })));
    refused["expectException"] = "TransactionException.INSUFFICIENT_ACCOUNT_FUNDS".into();
    let poor = state_test(9, json!({ "Berlin": [refused] }));
    let path = write(folder.path(), "a.json", &json!({ "rich": passing(), "poor": poor }));
    for mode in ["both", "serial", "parallel"] {
        let run = braid(["statetest", &path, "--mode", mode, "--threads", "2"]);
        run.expect(0);
        assert_eq!(run.stdout, "2 passed, 0 failed, 0 skipped\n", "{mode}");
    }
}

#[test]
fn the_first_difference_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = post(NO_LOGS);
    wrong["state"] = json!({ SENDER: account(789_999, 1), RECIPIENT: account(2, 0), COINBASE: account(210_000, 0) });
    let mut accepted = post(&root(&paid()));
    accepted["expectException"] = "NotReally".into();
    let cases = json!({
        "recipient": state_test(1_000_000, json!({ "Berlin": [wrong] })),
        "root": state_test(1_000_000, json!({ "Berlin": [post(NO_LOGS)] })),
        "accepted": state_test(1_000_000, json!({ "Berlin": [accepted] })),
        "right": passing(),
    });
    let path = write(folder.path(), "a.json", &cases);
    let run = braid(["statetest", &path]);
    run.expect(2);
    assert_eq!(last_line(&run), "1 passed, 3 failed, 0 skipped");
    let line = |name: &str| run.stdout.lines().find(|line| line.contains(name)).unwrap().to_lowercase();
    let expected = format!("{path}: recipient [Berlin d0 g0 v0] [serial]: balance of {RECIPIENT}: expected 2, got 1");
    assert_eq!(line("recipient"), format!("failed  {expected}").to_lowercase());
    assert!(
        line("root [").contains(&format!("state root: expected {NO_LOGS}, got {}", root(&paid()))),
        "{}",
        run.stdout
    );
    assert!(line("accepted [").contains("expected to be refused (notreally), got accepted"), "{}", run.stdout);
    let run = braid(["statetest", &path, "--fail-fast", "--jobs", "1"]);
    run.expect(2);
    assert!(last_line(&run).contains(" 1 failed"), "{}", run.stdout);
}

#[test]
fn filters_choose_by_name_file_and_fork() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = state_test(1_000_000, json!({ "Berlin": [post(NO_LOGS)], "Istanbul": [post(&root(&paid()))] }));
    write(folder.path(), "one.json", &json!({ "good": passing(), "bad": wrong }));
    write(folder.path(), "two.json", &json!({ "good": passing() }));
    let folder = folder.path().display().to_string();
    let run = |arguments: &[&str]| braid(["statetest", &folder].iter().chain(arguments));
    assert_eq!(last_line(run(&[]).expect(2)), "3 passed, 1 failed, 0 skipped");
    assert_eq!(last_line(run(&["--filter", "good"]).expect(0)), "2 passed, 0 failed, 0 skipped");
    assert_eq!(last_line(run(&["--filter", "two.json"]).expect(0)), "1 passed, 0 failed, 0 skipped");
    assert_eq!(last_line(run(&["--filter", "two", "--filter", "good"]).expect(0)), "2 passed, 0 failed, 0 skipped");
    assert_eq!(last_line(run(&["--fork", "Istanbul"]).expect(0)), "1 passed, 0 failed, 0 skipped");
    assert!(run(&["--fork", "Osaka"]).expect(1).error().contains("no case of statetest was run"));
}

#[test]
fn skips_are_told_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let posts = json!({ "Berlin": [post(&root(&paid()))], "Constantinople": [post(NO_LOGS)] });
    let path = write(folder.path(), "loopMul.json", &json!({ "a": state_test(1_000_000, posts) }));
    let run = braid(["statetest", &path]);
    run.expect(0);
    assert_eq!(last_line(&run), "1 passed, 0 failed, 1 skipped");
    assert!(run.stdout.contains("[Constantinople d0 g0 v0]: Constantinople without Petersburg"), "{}", run.stdout);
    let run = braid(["statetest", &path, "--skip-slow"]);
    run.expect(1);
    assert_eq!(last_line(&run), "0 passed, 0 failed, 2 skipped");
    // A contract over an account that has storage only, where both ways of executing agree.
    let path = write(
        folder.path(),
        "InitCollision.json",
        &json!({ "a": state_test(1_000_000, json!({ "Berlin": [post(NO_LOGS)] })), "b": passing() }),
    );
    let run = braid(["statetest", &path]);
    run.expect(0);
    assert_eq!(last_line(&run), "1 passed, 0 failed, 1 skipped");
}

#[test]
fn what_cannot_be_read_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.json", &json!({ "a": passing() }));
    let bad = folder.path().join("bad.json").display().to_string();
    fs::write(&bad, "[").unwrap();
    let missing = folder.path().join("missing.json").display().to_string();
    for path in [&bad, &missing] {
        let run = braid(["statetest", path, &good]);
        run.expect(1);
        assert!(run.error().contains(path.as_str()), "{}", run.stderr);
        assert_eq!(last_line(&run), "1 passed, 0 failed, 0 skipped", "the rest is run");
    }
    // Cases of other formats are none.
    assert!(braid(["blocktest", &good]).expect(1).error().contains("no case"));
    assert!(braid(["enginetest", &good]).expect(1).error().contains("no case"));
    assert!(braid(["statetest"]).expect(1).stderr.contains("<PATH>"));
    let unknown =
        write(folder.path(), "c.json", &json!({ "a": state_test(7, json!({ "Atlantis": [post(NO_LOGS)] })) }));
    let run = braid(["statetest", &unknown]);
    assert!(run.expect(2).stdout.contains("unknown fork \"Atlantis\""), "{}", run.stdout);
}

#[test]
fn results_for_programs() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = state_test(1_000_000, json!({ "Berlin": [post(NO_LOGS)], "Constantinople": [post(NO_LOGS)] }));
    let path = write(folder.path(), "a.json", &json!({ "good": passing(), "bad": wrong }));
    let run = braid(["statetest", &path, "--json", "-", "--jobs", "1"]);
    run.expect(2);
    assert_eq!(run.stderr.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let results: Vec<_> = lines.iter().filter_map(|line| line["result"].as_str()).collect();
    assert_eq!(results, ["passed", "failed", "skipped"]);
    assert_eq!(
        lines[0],
        json!({ "file": path, "case": "good [Berlin d0 g0 v0]", "fork": "Berlin", "result": "passed" })
    );
    assert_eq!((&lines[1]["mode"], &lines[1]["fork"]), (&json!("serial"), &json!("Berlin")));
    let summary = &lines[3];
    for (member, expected) in [("passed", 1), ("failed", 1), ("skipped", 1), ("problems", 0), ("exit_code", 2)] {
        assert_eq!(summary[member], expected, "{summary}");
    }
    let file = folder.path().join("results.jsonl");
    let run = braid(["statetest", &path, "--json", &file.display().to_string()]);
    assert_eq!(last_line(run.expect(2)), "1 passed, 1 failed, 1 skipped");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 4);
    let nowhere = folder.path().join("no/such/folder").display().to_string();
    assert!(braid(["statetest", &path, "--json", &nowhere]).expect(1).error().contains(&nowhere));
}

/// The first block of a chain of Paris, with the state of `pre`, and an empty block on it.
fn blocks(pre: &Value) -> [Block; 2] {
    let genesis = Header {
        state_root: root(pre).parse().unwrap(),
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        gas_limit: 1_000_000,
        base_fee_per_gas: Some(1_000_000_000),
        ..Header::default()
    };
    let header = Header {
        parent_hash: genesis.hash_slow(),
        number: 1,
        timestamp: 12,
        base_fee_per_gas: Some(875_000_000),
        ..genesis.clone()
    };
    [genesis, header].map(|header| Block { header, body: Default::default() })
}

fn chain_test(genesis: &Header, pre: &Value, last: B256) -> Value {
    json!({
        "network": "Paris",
        "genesisBlockHeader": {
            "hash": genesis.hash_slow(), "parentHash": genesis.parent_hash, "uncleHash": genesis.ommers_hash,
            "coinbase": genesis.beneficiary, "stateRoot": genesis.state_root, "transactionsTrie": genesis.transactions_root,
            "receiptTrie": genesis.receipts_root, "bloom": genesis.logs_bloom, "difficulty": "0x00", "number": "0x00",
            "gasLimit": format!("{:#x}", genesis.gas_limit), "gasUsed": "0x00", "timestamp": "0x00", "extraData": "0x",
            "mixHash": genesis.mix_hash, "nonce": genesis.nonce, "baseFeePerGas": "0x3b9aca00",
        },
        "pre": pre, "postState": pre, "lastblockhash": last,
    })
}

fn encoded(block: &Block) -> Bytes {
    alloy_rlp::encode(block).into()
}

fn block_test(change: impl FnOnce(&mut Value)) -> Value {
    let pre = json!({ SENDER: account(7, 0) });
    let [genesis, block] = blocks(&pre);
    let mut invalid = block.clone();
    invalid.header.parent_hash = block.header.hash_slow();
    invalid.header.number = 2;
    let mut case = chain_test(&genesis.header, &pre, block.header.hash_slow());
    case["genesisRLP"] = json!(encoded(&genesis));
    case["blocks"] = json!([
        { "rlp": encoded(&block), "blockHeader": {} },
        { "rlp": encoded(&invalid), "expectException": "InvalidTimestamp" },
        { "rlp": "0x00", "expectException": "NotEvenABlock" },
    ]);
    change(&mut case);
    case
}

#[test]
fn a_chain_has_the_head_that_it_must() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.json", &json!({ "a": block_test(|_| {}) }));
    let run = braid(["blocktest", &path]);
    run.expect(0);
    assert_eq!(run.stdout, "1 passed, 0 failed, 0 skipped\n");
    let cases = json!({
        "head": block_test(|case| case["lastblockhash"] = json!(B256::ZERO)),
        "state": block_test(|case| case["postState"] = json!({ SENDER: account(8, 0) })),
        "genesis": block_test(|case| case["genesisBlockHeader"]["gasLimit"] = json!("0x01")),
        "refused": block_test(|case| case["blocks"][0]["expectException"] = json!("NotReally")),
        "valid": block_test(|case| case["blocks"][1] = json!({ "rlp": case["blocks"][1]["rlp"], "blockHeader": {} })),
        "good": block_test(|_| {}),
        "skipped": block_test(|case| case["network"] = json!("Constantinople")),
    });
    let path = write(folder.path(), "b.json", &cases);
    let run = braid(["blocktest", &path]);
    run.expect(2);
    assert_eq!(last_line(&run), "1 passed, 5 failed, 1 skipped");
    for (name, difference) in [
        ("head", "hash of the last block: expected 0x0000"),
        ("state", "expected 8, got 7"),
        ("genesis", "genesis hash: expected"),
        ("refused", "expected to be refused (NotReally), got accepted"),
        ("valid", "block 1 of 3: expected a valid one, got invalid block: the timestamp is 12 s"),
    ] {
        let found = run.stdout.lines().any(|line| line.contains(&format!(": {name}")) && line.contains(difference));
        assert!(found, "{name}: {difference} is not in\n{}", run.stdout);
    }
}

#[test]
fn access_lists_of_amsterdam_are_checked_and_execution_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let amsterdam = |change: fn(&mut Value)| {
        block_test(|case| {
            case["network"] = json!("Amsterdam");
            change(case);
        })
    };
    let cases = json!({
        "none": amsterdam(|_| {}),
        "surplus": amsterdam(|case| case["blocks"][0]["blockAccessList"] = json!([])),
    });
    let path = write(folder.path(), "a.json", &cases);
    let run = braid(["blocktest", &path]);
    run.expect(2);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines[0].contains("surplus") && lines[0].contains("access list: expected none, got one"), "{}", run.stdout);
    assert_eq!(
        lines[1..],
        ["execution of Amsterdam (for information): 0 as expected, 2 not", "1 passed, 1 failed, 0 skipped"]
    );
}

fn engine_test(version: u8, change: impl FnOnce(&mut Value)) -> Value {
    let pre = json!({ SENDER: account(7, 0) });
    let [genesis, block] = blocks(&pre);
    let mut case = chain_test(&genesis.header, &pre, block.header.hash_slow());
    let payload = ExecutionPayloadV1::from_block_slow(&block);
    case["engineNewPayloads"] = json!([{ "params": [payload], "newPayloadVersion": version.to_string() }]);
    change(&mut case);
    case
}

#[test]
fn payloads_are_answered_as_a_node_answers_them() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |case: &mut Value, answer: &str, value: Value| {
        case["lastblockhash"] = case["genesisBlockHeader"]["hash"].clone();
        case["engineNewPayloads"][0][answer] = value;
    };
    let good = json!({
        "one": engine_test(1, |_| {}),
        "two": engine_test(2, |_| {}),
        "hash": engine_test(1, |case| {
            case["engineNewPayloads"][0]["params"][0]["blockHash"] = json!(B256::repeat_byte(7));
            refused(case, "validationError", json!("BlockException.INVALID_BLOCK_HASH"));
        }),
        "missing": engine_test(1, |case| {
            case["engineNewPayloads"][0]["params"] = json!([]);
            refused(case, "errorCode", json!("-32602"));
        }),
        "withdrawals": engine_test(2, |case| {
            case["engineNewPayloads"][0]["params"][0]["withdrawals"] = json!([]);
            refused(case, "errorCode", json!("-32602"));
        }),
        "fork": engine_test(3, |case| {
            let payload = &mut case["engineNewPayloads"][0]["params"];
            payload[0]["withdrawals"] = json!([]);
            payload[0]["blobGasUsed"] = json!("0x0");
            payload[0]["excessBlobGas"] = json!("0x0");
            *payload = json!([payload[0], [], B256::ZERO]);
            refused(case, "errorCode", json!(-38005));
        }),
    });
    let path = write(folder.path(), "good.json", &good);
    let run = braid(["enginetest", &path]);
    assert_eq!(run.expect(0).stdout, "6 passed, 0 failed, 0 skipped\n");
    let bad = json!({
        "valid": engine_test(1, |case| refused(case, "validationError", json!("NotReally"))),
        "error": engine_test(1, |case| refused(case, "errorCode", json!("-32602"))),
    });
    let path = write(folder.path(), "bad.json", &bad);
    let run = braid(["enginetest", &path]);
    assert_eq!(last_line(run.expect(2)), "0 passed, 2 failed, 0 skipped");
    assert!(run.stdout.contains("payload 0 of 1: expected INVALID (NotReally), got Valid"), "{}", run.stdout);
    assert!(run.stdout.contains("payload 0 of 1: expected error -32602, got Valid"), "{}", run.stdout);
}

#[test]
fn help_teaches_with_examples_and_exit_codes() {
    for command in ["statetest", "blocktest", "enginetest"] {
        let run = braid([command, "--help"]);
        let text = &run.expect(0).stdout;
        for part in ["Examples:", "Exit codes:", "--filter", "--fork", "--skip-slow"] {
            assert!(text.contains(part), "{command}: {part}\n{text}");
        }
    }
}
