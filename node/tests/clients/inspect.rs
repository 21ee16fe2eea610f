//! `braid inspect` with a real compiler's files, and its page (and that of `braid replay`) in a real browser.

use super::{
    browser::chromium,
    driver::Driver,
    node::{Program, RunningNode},
    packages::{DRIVERS, artifacts},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Transactions of the block on the page.
const CROWD: u64 = 2_500;

fn braid(folder: &Path) -> Driver {
    Driver::new(env!("CARGO_BIN_EXE_braid"), folder, Duration::from_secs(120))
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn pages_of_large_blocks_work_in_a_browser() {
    let (Some(artifacts), Some(chromium)) = (artifacts(), chromium()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    braid_tests::crowd::crowd(CROWD).write_to(path("crowd.braid")).unwrap();
    let inspect = braid(folder.path()).args(["inspect", "crowd.braid", "--threads", "3", "--top", "3"]);
    inspect.args(["--html", "inspect.html", "--json", "inspect.json"]).succeed();
    let replay = braid(folder.path()).args(["replay", "crowd.braid", "--threads", "3", "--repeat", "1"]);
    replay.args(["--html", "replay.html", "--json", "replay.json"]).succeed();
    for page in ["inspect", "replay"] {
        let driver = Driver::new("node", &DRIVERS.folder(), Duration::from_secs(120)).arg("page.mjs").arg(&chromium);
        let driver = driver.arg(page).arg(path(page).with_extension("html")).arg(path(page).with_extension("json"));
        driver.env("ARTIFACTS", &artifacts).succeed();
    }
}

#[test]
fn variables_behind_a_proxy_have_the_names_that_solc_tells() {
    let Some(artifacts) = artifacts() else { return };
    if !Program::under_test().is_ours("inspect") {
        return;
    }
    let node = RunningNode::start(["--no-mining"]);
    let codes = read(&artifacts);
    let call = |method: &str, params: Value| node.call(method, params);
    let accounts: Vec<String> = serde_json::from_value(call("eth_accounts", json!([]))).unwrap();
    let deploy = |name: &str, arguments: &[u8]| -> Address {
        let code = codes[name]["bytecode"].as_str().unwrap();
        let data = format!("{code}{}", alloy_primitives::hex::encode(arguments));
        let hash = call("eth_sendTransaction", json!([{ "from": accounts[0], "data": data, "gas": "0x200000" }]));
        call("evm_mine", json!([]));
        call("eth_getTransactionReceipt", json!([hash]))["contractAddress"].as_str().unwrap().parse().unwrap()
    };
    let ledger = deploy("Ledger", &[]);
    let proxy = deploy("Forwarder", ledger.into_word().as_slice());
    for (index, account) in accounts.iter().enumerate() {
        let words = [B256::with_last_byte(index as u8), U256::from(5).into()].concat();
        let input = [&keccak256("pay(bytes32,uint96)")[..4], &words].concat();
        let data = alloy_primitives::hex::encode_prefixed(input);
        call("eth_sendTransaction", json!([{ "from": account, "to": proxy, "data": data, "gas": "0x40000" }]));
    }
    call("evm_mine", json!([]));

    let folder = tempfile::tempdir().unwrap();
    let out = artifacts.parent().unwrap().join("out");
    let layout = format!("{ledger}={}", out.join("Ledger.sol/Ledger.json").display());
    for words in [["--artifacts", out.to_str().unwrap()], ["--layout", &layout]] {
        let file = folder.path().join("report.json");
        let driver = braid(folder.path()).args(["inspect", "--rpc-url", node.http(), "--block", "latest"]);
        driver.args(words).args(["--json", "report.json"]).succeed();
        let report = read(&file);
        assert_eq!(report["warnings"], json!([]), "{words:?}");
        let mut names: Vec<_> =
            report["fields"].as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
        names.sort_by_key(|name| name.to_string());
        let owner = Address::ZERO;
        let account = format!("Main.accounts[{owner}]");
        let all = format!("0x616c6c{}", "00".repeat(29));
        let expected = [
            format!("{account}.notes.length"),
            format!("{account}.spent + {account}.count (one slot)"),
            "Main.round + Main.open (one slot)".to_owned(),
            "owner + fee (one slot)".to_owned(),
            format!("paid[{owner}][{all}]"),
            "payments".to_owned(),
        ];
        assert_eq!(names, expected, "{words:?}");
        assert_eq!(report["fields"][0]["contract"], "Ledger (proxy)");
        assert_eq!(report["fields"][0]["waiting"], accounts.len() - 1);
    }
}
