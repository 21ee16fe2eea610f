//! Foundry: `cast`, `forge create`, `forge script`, `forge test` on a fork; with instant mining and with a block a second.

use super::{
    driver::{Driver, Finished},
    node::RunningNode,
    packages::{DRIVERS, copy_tree, foundry_tool, sources},
};
use serde_json::{Value, json};
use std::{
    ffi::OsStr,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// First two of the well-known accounts.
const OWNER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const OWNER_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const OTHER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const LIMIT: Duration = Duration::from_secs(120);

/// A project of its own, and the node it is deployed to.
struct Project {
    folder: tempfile::TempDir,
    node: RunningNode,
}

impl Project {
    /// `None`, said aloud, without the packages.
    fn start<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Option<Self> {
        let kit = DRIVERS.install()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_tree(&sources().join("foundry"), folder.path());
        copy_tree(&sources().join("contracts"), &folder.path().join("src"));
        // The compiler finds its package from where it lies.
        let compiler = kit.join("solc.mjs");
        let script = format!("#!/bin/sh\nexec node '{}' \"$@\"\n", compiler.display());
        let wrapper = folder.path().join("solc");
        fs::write(&wrapper, script).expect("the temporary folder can be written");
        fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
        let project = Self { node: RunningNode::start(words), folder };
        project.forge(["build"]).succeed();
        Some(project)
    }

    fn tool<S: AsRef<OsStr>>(&self, tool: &str, words: impl IntoIterator<Item = S>) -> Driver {
        Driver::new(foundry_tool(tool), self.folder.path(), LIMIT)
            .args(words)
            .env("FOUNDRY_SOLC", self.folder.path().join("solc"))
            .env("FOUNDRY_DISABLE_NIGHTLY_WARNING", "1")
            .env("ETH_RPC_URL", self.node.http())
    }

    fn forge<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Driver {
        self.tool("forge", words)
    }

    /// What `cast` prints; it must succeed.
    #[track_caller]
    fn cast<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> String {
        self.tool("cast", words).succeed().trim().to_owned()
    }

    /// The error of `cast`; it must fail.
    #[track_caller]
    fn cast_fails<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> String {
        let finished = self.tool("cast", words).run();
        assert_ne!(finished.code, Some(0), "it must fail: {}", finished.stdout);
        finished.stderr
    }

    /// `cast send` with the owner's key: the receipt.
    #[track_caller]
    fn send<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Value {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        let fixed = ["send", "--json", "--private-key", OWNER_KEY].map(Into::into);
        json_of(&self.cast(fixed.into_iter().chain(words)))
    }

    /// `forge create` of a contract: its address.
    #[track_caller]
    fn create(&self, contract: &str, arguments: &[&str]) -> String {
        let path = format!("src/{contract}.sol:{contract}");
        let fixed = ["create", &path, "--private-key", OWNER_KEY, "--broadcast", "--json"];
        let mut driver = self.forge(fixed);
        if !arguments.is_empty() {
            driver = driver.arg("--constructor-args").args(arguments);
        }
        let created = json_of(&driver.succeed());
        created["deployedTo"].as_str().expect("an address").to_owned()
    }

    fn script(&self, options: &[&str]) -> Driver {
        let fixed = ["script", "script/Deploy.s.sol:Deploy", "--rpc-url", self.node.http(), "--broadcast"];
        self.forge(fixed).args(options)
    }

    fn signed_script(&self, options: &[&str]) -> Driver {
        self.script(options).args(["--private-key", OWNER_KEY])
    }

    /// The receipts that the last script left; all have succeeded.
    #[track_caller]
    fn broadcast(&self) -> Vec<Value> {
        let path = self.folder.path().join("broadcast/Deploy.s.sol/31337/run-latest.json");
        let run = json_of(&fs::read_to_string(path).expect("the script left its record"));
        let receipts = run["receipts"].as_array().expect("a list").clone();
        assert!(receipts.iter().all(|receipt| receipt["status"] == "0x1"), "{receipts:?}");
        receipts
    }

    /// The contract that a transaction of the last script made.
    #[track_caller]
    fn deployed(&self, index: usize) -> String {
        self.broadcast()[index]["contractAddress"].as_str().expect("a contract").to_owned()
    }
}

#[track_caller]
fn json_of(text: &str) -> Value {
    // Notes may stand before it.
    let start = text.find(['{', '[']).unwrap_or_else(|| panic!("no JSON: {text}"));
    serde_json::from_str(&text[start..]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn number(value: &Value) -> u64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no quantity"));
    u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_else(|_| panic!("{value} is no quantity"))
}

fn cast_with(options: &[&str]) {
    let Some(project) = Project::start(options) else { return };
    let cast = |words: &[&str]| project.cast(words);

    assert_eq!(cast(&["chain-id"]), "31337");
    assert_eq!(cast(&["balance", OTHER, "--ether"]), "10000.000000000000000000");
    assert_eq!(cast(&["nonce", OWNER]), "0");
    assert_eq!(cast(&["code", OWNER]), "0x");
    assert!(!cast(&["client"]).is_empty());
    assert!(cast(&["gas-price"]).parse::<u128>().expect("a number") > 0);

    // Ether: all ways to send it.
    let receipt = project.send([OTHER, "--value", "1ether"]);
    assert_eq!((receipt["status"].as_str(), number(&receipt["gasUsed"])), (Some("0x1"), 21_000), "{receipt}");
    let first = receipt["transactionHash"].as_str().expect("a hash").to_owned();
    assert_eq!(project.send(["--legacy", OTHER, "--value", "1"])["type"], "0x0");
    assert_eq!(cast(&["balance", OTHER]), "10001000000000000000001");
    let receipt = json_of(&cast(&["send", "--json", "--unlocked", "--from", OWNER, OTHER, "--value", "1"]));
    assert_eq!(receipt["status"], "0x1");
    let signed = cast(&["mktx", "--private-key", OWNER_KEY, OTHER, "--value", "3"]);
    assert_eq!(json_of(&cast(&["publish", &signed]))["status"], "0x1");
    assert!(project.cast_fails(["publish", &signed]).contains("nonce too low"), "it was mined already");
    assert_eq!(cast(&["nonce", OWNER]), "4");

    // A contract.
    let coin = project.create("Coin", &["My Coin", "1000000000000000000000"]);
    let counter = project.create("Counter", &[]);
    assert_eq!(cast(&["call", &coin, "name()(string)"]), "\"My Coin\"");
    let balance = |owner: &str| cast(&["call", &coin, "balanceOf(address)(uint256)", owner]);
    assert_eq!(balance(OWNER), "1000000000000000000000 [1e21]");
    let receipt = project.send([&coin, "transfer(address,uint256)", OTHER, "5"]);
    assert_eq!((receipt["status"].as_str(), receipt["logs"].as_array().map(Vec::len)), (Some("0x1"), Some(1)));
    let transfer = receipt["transactionHash"].as_str().expect("a hash").to_owned();
    assert_eq!(balance(OTHER), "5");
    let earlier = (number(&receipt["blockNumber"]) - 1).to_string();
    assert_eq!(cast(&["call", &coin, "balanceOf(address)(uint256)", OTHER, "--block", &earlier]), "0");
    assert_eq!(cast(&["storage", &coin, "1"]), format!("{:#066x}", 1000 * 10_u128.pow(18)));
    assert!(cast(&["codesize", &coin]).parse::<usize>().expect("a number") > 1000);
    let gas: u64 =
        cast(&["estimate", &coin, "transfer(address,uint256)", OTHER, "5", "--from", OWNER]).parse().expect("gas");
    assert!((21_000..60_000).contains(&gas), "{gas}");
    assert!(cast(&["call", "--trace", &coin, "balanceOf(address)(uint256)", OWNER]).contains("balanceOf"));
    assert!(
        cast(&["access-list", &coin, "transfer(address,uint256)", OTHER, "5", "--from", OWNER]).contains("access list")
    );
    assert_eq!(
        json_of(&cast(&["proof", OWNER]))["address"].as_str().map(str::to_lowercase),
        Some(OWNER.to_lowercase())
    );
    project.send([&counter, "--value", "2ether"]);
    assert_eq!(cast(&["balance", &counter, "--ether"]), "2.000000000000000000");

    // Failures say why.
    assert!(project.cast_fails(["call", &coin, "failWithReason()"]).contains("because of this"));
    assert!(project.cast_fails(["call", &coin, "failWithPanic(uint256)", "0"]).contains("division"));
    let error = project.cast_fails(["call", &coin, "transfer(address,uint256)", OTHER, "1"]);
    assert!(error.contains("TooLittle") || error.contains("custom error") || error.contains("0x"), "{error}");
    assert!(
        project.cast_fails(["send", "--private-key", OWNER_KEY, &coin, "failWithReason()"]).contains("because of this")
    );
    let failed = project.send(["--gas-limit", "100000", &coin, "failWithReason()"]);
    assert_eq!(failed["status"], "0x0", "{failed}");
    let poor = "0x1111111111111111111111111111111111111111111111111111111111111111";
    let error = project.cast_fails(["send", "--private-key", poor, OTHER, "--value", "1ether", "--gas-limit", "21000"]);
    assert!(error.to_lowercase().contains("insufficient funds"), "{error}");

    // What happened.
    assert_eq!(json_of(&cast(&["receipt", &first, "--json"]))["status"], "0x1");
    assert_eq!(json_of(&cast(&["tx", &transfer, "--json"]))["hash"], transfer.as_str());
    let block = json_of(&cast(&["block", "latest", "--json"]));
    assert!(number(&block["number"]) > 0 && block["transactions"].is_array(), "{block}");
    let number_of_first = json_of(&cast(&["tx", &first, "--json"]))["blockNumber"].clone();
    let number_of_first = number_of_first.as_str().expect("it is mined");
    assert_eq!(
        json_of(&cast(&["block", number_of_first, "--full", "--json"]))["transactions"][0]["hash"],
        first.as_str()
    );
    let run = cast(&["run", &transfer]);
    assert!(run.contains("transfer") || run.contains("a9059cbb"), "{run}");
    assert!(run.to_lowercase().contains("success"), "{run}");
    let logs = json_of(&cast(&[
        "logs",
        "--json",
        "--from-block",
        "0",
        "--address",
        &coin,
        "Transfer(address,address,uint256)",
    ]));
    assert_eq!(logs.as_array().map(Vec::len), Some(2), "minted and transferred: {logs}");
    assert_eq!(json_of(&cast(&["rpc", "eth_getBlockByNumber", "earliest", "false"]))["number"], "0x0");
    assert_eq!(cast(&["rpc", "eth_syncing"]), "false");
    cast(&["age", "latest"]);
    assert!(cast(&["base-fee"]).parse::<u128>().is_ok());
    assert_eq!(json_of(&cast(&["tx-pool", "status"]))["pending"], "0x0");

    // Code for an account of somebody's own (EIP-7702), then again without.
    let receipt = project.send(["--auth", &counter, OWNER, "--value", "0"]);
    assert_eq!((receipt["status"].as_str(), receipt["type"].as_str()), (Some("0x1"), Some("0x4")), "{receipt}");
    assert_eq!(cast(&["code", OWNER]), format!("0xef0100{}", counter[2..].to_lowercase()));
    project.send(["--auth", "0x0000000000000000000000000000000000000000", OWNER, "--value", "0"]);
    assert_eq!(cast(&["code", OWNER]), "0x");

    // A dev node's own methods.
    let height = || cast(&["block-number"]).parse::<u64>().expect("a number");
    let before = height();
    cast(&["rpc", "anvil_mine", "0x5"]);
    assert!(height() >= before + 5);
    cast(&["rpc", "anvil_setBalance", OTHER, "0x7b"]);
    assert_eq!(cast(&["balance", OTHER]), "123");
}

#[test]
fn cast_with_instant_mining() {
    cast_with(&[]);
}

#[test]
fn cast_with_a_block_a_second() {
    cast_with(&["--block-time", "1"]);
}

fn scripts_with(options: &[&str]) {
    let Some(project) = Project::start(options) else { return };
    for options in [&[][..], &["--slow"], &["--legacy"]] {
        project.signed_script(options).succeed();
        assert_eq!(project.broadcast().len(), 7, "{options:?}");
    }
    let (coin, counter) = (project.deployed(0), project.deployed(1));
    assert_eq!(project.cast(["call", &coin, "balanceOf(address)(uint256)", &counter]), "7");
    assert_eq!(project.cast(["call", &counter, "number()(uint256)"]), "2");
    // The node signs for its own accounts.
    project.script(&["--unlocked", "--sender", OWNER]).succeed();
    assert_eq!(project.broadcast().len(), 7);
}

#[test]
fn scripts_with_instant_mining() {
    scripts_with(&[]);
}

#[test]
fn scripts_with_a_block_a_second() {
    scripts_with(&["--block-time", "1"]);
}

#[test]
fn a_script_that_was_stopped_is_resumed() {
    let Some(project) = Project::start(["--no-mining"]) else { return };
    // Everything is sent, nothing is mined: it waits for the receipts until it is ended.
    let stopped: Finished = project.signed_script(&[]).within(Duration::from_secs(8)).run();
    assert_ne!(stopped.code, Some(0), "nothing is mined: {}", stopped.stdout);
    assert_eq!(project.node.call("eth_blockNumber", json!([])), "0x0");
    let pending = number(&project.node.call("txpool_status", json!([]))["pending"]);
    assert!(pending > 0, "what it sent waits");
    project.node.call("evm_setAutomine", json!([true]));
    project.node.call("evm_mine", json!([]));
    project.signed_script(&["--resume"]).succeed();
    assert_eq!(project.broadcast().len(), 7);
    assert_eq!(project.cast(["call", &project.deployed(1), "number()(uint256)"]), "2");
}

#[test]
fn tests_run_on_a_fork_of_the_node() {
    let Some(project) = Project::start::<&str>([]) else { return };
    // Block 1, in which nothing is deployed yet.
    project.node.call("evm_mine", json!([]));
    project.signed_script(&[]).succeed();
    let (coin, counter) = (project.deployed(0), project.deployed(1));
    let begin = Instant::now();
    let test = |options: &[&str]| {
        let driver = project.forge(["test", "--fork-url", project.node.http()]).args(options);
        driver.env("COIN", &coin).env("COUNTER", &counter).succeed()
    };
    let all = test(&["-vv"]);
    assert!(all.contains("4 passed; 0 failed") || all.contains("4 tests passed, 0 failed"), "{all}");
    let head = project.cast(["block-number"]);
    let fixed = test(&["--fork-block-number", &head, "--match-test", "state_of_the_fork"]);
    assert!(fixed.contains("1 passed") || fixed.contains("1 tests passed"), "{fixed}");
    eprintln!("fork tests: {:?}", begin.elapsed());
    // They write to the fork, not to the node.
    assert_eq!(project.cast(["block-number"]), head);
    assert!(Path::new(project.folder.path()).join("out").exists());
}
