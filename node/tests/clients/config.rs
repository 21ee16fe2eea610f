//! A node that is started from a file of options.

use super::node::{Program, RunningNode};
use serde_json::json;
use std::{fs, process::Command};

const OPTIONS: &str = r#"
# A chain of our own.
chain-id = 4242
accounts = 3
balance = "7"
no_mining = true
base-fee = 5000
hardfork = "cancun"

[http]
api = ["eth", "net"]

[rpc]
txfeecap = "0.5"
"#;

#[test]
fn options_of_a_file_hold_unless_the_command_line_says_otherwise() {
    if !Program::under_test().is_ours("a config file") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("braid.toml");
    fs::write(&file, OPTIONS).expect("a file can be written");
    let config = ["--config".as_ref(), file.as_os_str()];
    let node = RunningNode::start(config);
    assert_eq!(node.call("eth_chainId", json!([])), json!("0x1092"));
    let accounts = node.call("eth_accounts", json!([]));
    assert_eq!(accounts.as_array().map(Vec::len), Some(3));
    assert_eq!(node.call("eth_getBalance", json!([accounts[2], "latest"])), json!("0x6124fee993bc0000"));
    assert!(node.call("eth_getBlockByNumber", json!(["latest"])).get("requestsHash").is_none(), "Cancun has none");
    let error = node.try_call("web3_clientVersion", json!([])).expect("an answer")["error"]["code"].clone();
    assert_eq!(error, json!(-32601), "only eth and net are offered");
    let dear = json!({ "from": accounts[0], "to": accounts[1], "value": "0x1", "gasPrice": "0x5af3107a4000" });
    let answer = node.try_call("eth_sendTransaction", json!([dear])).expect("an answer");
    assert_eq!(answer["error"]["message"], json!("tx fee (2.10 ether) exceeds the configured cap (0.50 ether)"));
    // Nothing is mined by itself.
    node.call("eth_sendTransaction", json!([{ "from": accounts[0], "to": accounts[1], "value": "0x1" }]));
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(node.call("eth_blockNumber", json!([])), json!("0x0"));
    assert!(node.stop().success());

    let flags = ["--chain-id", "99", "--accounts", "2", "--http.api", "eth,web3", "--rpc.txfeecap", "0"];
    let node = RunningNode::start(config.into_iter().chain(flags.map(str::as_ref)));
    assert_eq!(node.call("eth_chainId", json!([])), json!("0x63"));
    let accounts = node.call("eth_accounts", json!([]));
    assert_eq!(accounts.as_array().map(Vec::len), Some(2));
    assert_eq!(
        node.call("eth_getBalance", json!([accounts[1], "latest"])),
        json!("0x6124fee993bc0000"),
        "from the file"
    );
    assert!(node.call("web3_clientVersion", json!([])).is_string());
    node.call(
        "eth_sendTransaction",
        json!([{ "from": accounts[0], "to": accounts[1], "value": "0x1", "gasPrice": "0x5af3107a4000" }]),
    );
    assert!(node.stop().success());
}

#[test]
fn a_file_that_cannot_be_understood_is_named_with_what_is_wrong() {
    if !Program::under_test().is_ours("a config file") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("braid.toml");
    for (text, wanted) in [
        ("no-such-option = 1", "no-such-option"),
        ("accounts = \"many\"", "accounts"),
        ("accounts = ", "not valid TOML"),
    ] {
        fs::write(&file, text).expect("a file can be written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_braid"));
        let output = command.args(["node", "--port", "0", "--config"]).arg(&file).output().expect("the program runs");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(wanted), "{text}: {error}");
    }
}
