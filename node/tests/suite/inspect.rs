//! `braid inspect`.

use super::{
    braid, shipped_path,
    stub::{Stub, Trouble},
};
use alloy_primitives::{Address, U256, keccak256};
use braid_tests::{
    assembly::{Assembly, add, argument, load, mapping, word},
    guide::CONTRACT,
};
use revm::bytecode::opcode::{
    CALLDATACOPY, CALLDATASIZE, CALLER, CODECOPY, DELEGATECALL, GAS, PUSH0, PUSH1, PUSH20, PUSH32, RETURN, SLOAD,
    SSTORE, STOP,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

fn generated(name: &str) -> String {
    braid_fixtures::folder().join("generated").join(name).with_extension("braid").display().to_string()
}

fn file(folder: &tempfile::TempDir, name: &str, content: &Value) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content.to_string()).unwrap();
    path.display().to_string()
}

/// The JSON of a run, with these words after the bundle.
fn inspected(words: &[&str]) -> Value {
    let run = braid([&["inspect", "--threads", "2", "--json", "-"], words].concat());
    run.expect(0);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {}", run.stdout))
}

/// `uint256 total; mapping(address => uint256) points`.
fn layout() -> Value {
    json!({ "storageLayout": {
        "storage": [
            { "astId": 1, "contract": "A.sol:A", "label": "total", "offset": 0, "slot": "0", "type": "t_uint256" },
            { "astId": 2, "contract": "A.sol:A", "label": "points", "offset": 0, "slot": "1", "type": "t_mapping" },
        ],
        "types": {
            "t_uint256": { "encoding": "inplace", "label": "uint256", "numberOfBytes": "32" },
            "t_address": { "encoding": "inplace", "label": "address", "numberOfBytes": "20" },
            "t_mapping": { "encoding": "mapping", "label": "mapping(address => uint256)", "numberOfBytes": "32", "key": "t_address", "value": "t_uint256" },
        },
    } })
}

#[test]
fn a_real_block_is_explained_on_terminal_as_json_and_as_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (file, page) = (folder.path().join("block.json"), folder.path().join("block.html"));
    let shipped = shipped_path();
    let words = ["inspect", "--threads", "3"].map(std::ffi::OsStr::new);
    let rest = [shipped.as_os_str(), "--json".as_ref(), file.as_os_str(), "--html".as_ref(), page.as_os_str()];
    let run = braid(words.into_iter().chain(rest));
    run.expect(0);
    for part in [
        "Block 19778575 of chain 1 (Cancun rules)",
        "Why not faster",
        "27 of 201 transactions wait for an earlier one",
        "What they wait for",
        "keccak(0x",
        "In which functions they wait",
        "getReserves",
        "Computed on the graph of who waits for whom, not executed",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert!(!run.stdout.contains('\x1b'), "no colours where nobody sees them");
    let report: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!((&report["gas"], &report["transactions"].as_array().unwrap().len()), (&24_479_837.into(), &201));
    let spans = report["engine"]["spans"].as_array().unwrap();
    assert!(spans.len() >= 201, "every transaction ran: {}", spans.len());
    for edge in report["edges"].as_array().unwrap() {
        assert!(!edge["fields"].as_array().unwrap().is_empty(), "{edge}");
    }
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("19778575") && page.contains("getReserves()"));
}

#[test]
fn a_contended_counter_is_named_and_its_split_foretold() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder, "A.json", &layout());
    let layout = format!("{CONTRACT}={file}");
    let before = generated("guide_counter_before");
    let report = inspected(&[&before, "--layout", &layout, "--split", "total"]);
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(report["critical_path"]["transactions"].as_array().unwrap().len(), 100);
    assert_eq!(report["critical_path"]["gas_share"], 1.0);
    let hot = &report["fields"][0];
    assert_eq!((&hot["name"], &hot["waiting"], &hot["writers"]), (&"total".into(), &99.into(), &100.into()), "{hot}");
    // Both ways of asking find what really is so without the counter.
    let what_if = &report["what_if"];
    assert_eq!(what_if["computed_not_executed"], true);
    for result in [&what_if["together"][0]["result"], &what_if["asked"]["result"]] {
        assert_eq!(result["independent"], 100, "{what_if}");
        assert!(result["bounds"]["b0"].as_f64().unwrap() > 7.5, "{what_if}");
    }
    let after = inspected(&[&generated("guide_counter_after")]);
    assert_eq!((&after["fields"], &after["what_if"]["as_it_is"]["independent"]), (&json!([]), &100.into()));
    // By number, and without a layout.
    let commutative = inspected(&[&before, "--commutative", &format!("{CONTRACT}:0")]);
    assert_eq!(commutative["fields"][0]["name"], "slot 0");
    assert_eq!(commutative["what_if"]["asked"]["result"]["independent"], 100);
}

#[test]
fn entries_of_mappings_are_written_out_without_a_layout() {
    let report = inspected(&[&generated("guide_fee_before")]);
    let treasury = Address::repeat_byte(0x7e);
    let hot = &report["fields"][0];
    assert_eq!(hot["name"], format!("keccak({treasury} . 0)"));
    assert_eq!(hot["about"], "in the mapping at slot 0");
    assert_eq!(hot["functions"][0]["signature"], "transfer(address,uint256)");
}

#[test]
fn what_does_not_fit_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = file(&folder, "A.json", &layout());
    let (other, before) = (Address::repeat_byte(0xee), generated("guide_counter_before"));
    let run = braid(["inspect", &before, "--layout", &format!("{other}={artifact}"), "--split", "nonsense"]);
    run.expect(0);
    for warning in ["this block does not touch the contract", "no layout has a variable of this name"] {
        assert!(run.stderr.contains(warning), "{warning}: {}", run.stderr);
    }
    let text = file(&folder, "text.json", &json!("no contract"));
    for (words, says) in [
        (vec!["inspect", "/no/such/file.braid"], "no/such/file.braid"),
        (vec!["inspect", &before, "--layout", &artifact], "ADDRESS="),
        (vec!["inspect", &before, "--artifacts", "/no/such/out"], "cannot read /no/such/out"),
        (vec!["inspect", &before, "--abi", "/no/such/abi.json"], "cannot read /no/such/abi.json"),
        (vec!["inspect", &before, "--abi", &text], "has no abi"),
        (vec!["inspect"], "Usage: braid inspect"),
        (vec!["inspect", "--rpc-url", "http://127.0.0.1:1"], "--block"),
        (vec!["inspect", "--rpc-url", "http://127.0.0.1:1", "--block", "latest"], "http://127.0.0.1:1"),
        (vec!["inspect", "--rpc-url", "http://127.0.0.1:1", "--block", "next"], "is neither a block number"),
    ] {
        let run = braid(&words);
        run.expect(1);
        assert!(run.stderr.contains(says), "{words:?}: {}", run.stderr);
    }
}

#[test]
fn what_a_node_cannot_give_is_told() {
    let bundle = &super::SHIPPED;
    let number = bundle.number().to_string();
    for (troubles, says) in [
        // The chain is nobody's, and the node does not tell its forks.
        (
            vec![("eth_chainId", Trouble::Result(json!("0x7a69"))), ("debug_chainConfig", Trouble::Missing)],
            "give its genesis file with --genesis",
        ),
        (
            vec![("debug_executionWitness", Trouble::Missing), ("debug_traceBlockByNumber", Trouble::Missing)],
            "the node offers neither debug_executionWitness nor debug_traceBlockByNumber",
        ),
    ] {
        let stub = Stub::start(bundle, troubles);
        let run = braid(["inspect", "--rpc-url", &stub.url, "--block", &number]);
        run.expect(1);
        assert!(run.error().contains(says), "{says}: {}", run.stderr);
    }
}

/// Code that runs `before` and then leaves `code` as that of the contract.
fn loading(before: &[u8], code: &[u8]) -> Vec<u8> {
    let (start, size) = (before.len() as u8 + 12, code.len() as u8);
    let loader = [PUSH1, size, PUSH1, start, PUSH1, 0, CODECOPY, PUSH1, size, PUSH1, 0, RETURN];
    [before, &loader, code].concat()
}

/// A node for one test; killed when it goes out of scope.
struct Node {
    child: Child,
    url: String,
}

impl Node {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_braid"))
            .args(["node", "--json", "--port", "0", "--no-mining"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).find(|line| line.starts_with('{')).expect("the node gets ready");
        let ready: Value = serde_json::from_str(&ready).unwrap();
        Self { child, url: ready["http"].as_str().unwrap().to_owned() }
    }

    fn call(&self, method: &str, params: Value) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = runtime.block_on(async {
            let request = reqwest::Client::new().post(&self.url).header("content-type", "application/json");
            let text = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
            serde_json::from_str(&text).unwrap()
        });
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Deploys a contract in a block of its own: its address.
    fn deploy(&self, from: &Value, init: Vec<u8>) -> String {
        let data = alloy_primitives::hex::encode_prefixed(init);
        let hash = self.call("eth_sendTransaction", json!([{ "from": from, "data": data, "gas": "0x100000" }]));
        self.call("evm_mine", json!([]));
        let receipt = self.call("eth_getTransactionReceipt", json!([hash]));
        receipt["contractAddress"].as_str().unwrap().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_contract_on_a_running_node_is_explained() {
    // Counts for all in slot 0, and for each in the mapping at slot 1.
    let own = || mapping(word(CALLER, []), 1);
    let code = Assembly::new().store(0, add(load(0), 1)).store(own(), add(load(own()), argument(0))).build();
    let node = Node::start();
    let accounts = node.call("eth_accounts", json!([]));
    let accounts = accounts.as_array().unwrap();
    let address = &node.deploy(&accounts[0], loading(&[], &code));
    let vote = [&keccak256("vote(uint256)")[..4], &U256::from(7).to_be_bytes::<32>()].concat();
    for account in accounts {
        let call = json!([{ "from": account, "to": address, "data": alloy_primitives::hex::encode_prefixed(&vote), "gas": "0x30000" }]);
        node.call("eth_sendTransaction", call);
    }
    node.call("evm_mine", json!([]));

    let folder = tempfile::tempdir().unwrap();
    let abi = json!([{ "type": "function", "name": "vote", "inputs": [{ "name": "weight", "type": "uint256" }], "outputs": [], "stateMutability": "nonpayable" }]);
    let mut artifact = layout();
    artifact["contractName"] = "Ballot".into();
    artifact["abi"] = abi;
    artifact["deployedBytecode"] = alloy_primitives::hex::encode_prefixed(&code).into();
    let file = file(&folder, "Ballot.json", &artifact);
    let layout = format!("{address}={file}");
    let block = node.call("eth_getBlockByNumber", json!(["latest", false]));
    for name in ["latest", "2", block["hash"].as_str().unwrap()] {
        let words = ["--rpc-url", &node.url, "--block", name, "--abi", &file, "--layout", &layout];
        let report = inspected(&words);
        assert_eq!(report["warnings"], json!([]), "{report}");
        assert_eq!((&report["hash"], &report["number"]), (&block["hash"], &2.into()));
        let hot = &report["fields"][0];
        assert_eq!((&hot["name"], &hot["contract"]), (&"total".into(), &"Ballot".into()), "{hot}");
        assert_eq!(hot["waiting"], accounts.len() - 1);
        assert_eq!(report["functions"][0]["name"], "Ballot.vote");
        assert_eq!(report["what_if"]["together"][0]["result"]["independent"], accounts.len());
    }
    let run = braid(["inspect", "--rpc-url", &node.url, "--block", "99"]);
    run.expect(1);
    assert!(run.error().contains("block 99: the node does not have the block"), "{}", run.stderr);
    let run = braid(["inspect", "--rpc-url", &node.url, "--block", "0"]);
    run.expect(1);
    assert!(run.error().contains("block 0 has no state before it"), "{}", run.stderr);
}

/// ERC-1967.
const IMPLEMENTATION: [u8; 32] =
    alloy_primitives::hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");

#[test]
fn the_layout_of_an_implementation_names_the_storage_of_its_proxies() {
    // uint256 total; mapping(address => uint256) points; and OpenZeppelin's _totalSupply, at its slot of its own (ERC-7201).
    let supply =
        U256::from_be_bytes(alloy_primitives::hex!("52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace02"));
    let own = || mapping(word(CALLER, []), 1);
    let code = Assembly::new()
        .store(0, add(load(0), 1))
        .store(supply, add(load(supply), 1))
        .store(own(), add(load(own()), argument(0)))
        .build();
    let node = Node::start();
    let accounts = node.call("eth_accounts", json!([]));
    let accounts = accounts.as_array().unwrap();
    let implementation = node.deploy(&accounts[0], loading(&[], &code));
    let target = implementation.parse::<Address>().unwrap();
    let remember = [&[PUSH20][..], target.as_slice(), &[PUSH32], &IMPLEMENTATION, &[SSTORE]].concat();
    let forward = [
        &[CALLDATASIZE, PUSH0, PUSH0, CALLDATACOPY, PUSH0, PUSH0, CALLDATASIZE, PUSH0, PUSH32][..],
        &IMPLEMENTATION,
        &[SLOAD, GAS, DELEGATECALL, STOP],
    ]
    .concat();
    let proxies: Vec<String> = (0..2).map(|_| node.deploy(&accounts[0], loading(&remember, &forward))).collect();
    let vote = [&keccak256("vote(uint256)")[..4], &U256::from(7).to_be_bytes::<32>()].concat();
    for (index, account) in accounts.iter().enumerate() {
        // Two more call the one than the other.
        let to = &proxies[usize::from(index % 2 == 1 && index < accounts.len() - 2)];
        let call = json!([{ "from": account, "to": to, "data": alloy_primitives::hex::encode_prefixed(&vote), "gas": "0x40000" }]);
        node.call("eth_sendTransaction", call);
    }
    node.call("evm_mine", json!([]));

    let folder = tempfile::tempdir().unwrap();
    let abi = json!([{ "type": "function", "name": "vote", "inputs": [{ "name": "weight", "type": "uint256" }], "outputs": [], "stateMutability": "nonpayable" }]);
    let mut artifact = layout();
    artifact["abi"] = abi;
    artifact["deployedBytecode"] = json!({ "object": alloy_primitives::hex::encode_prefixed(&code) });
    let artifact = file(&folder, "Ballot.json", &artifact);
    let folder = folder.path().display().to_string();
    let (for_proxy, for_code) = (format!("{}={artifact}", proxies[0]), format!("{implementation}={artifact}"));
    let with = |words: &[&str]| {
        let report = inspected(&[&["--rpc-url", &node.url, "--block", "latest"], words].concat());
        assert_eq!(report["warnings"], json!([]), "{words:?}");
        report
    };
    let names = |report: &Value, proxy: &str| -> Vec<String> {
        let fields = report["fields"].as_array().unwrap().iter();
        let own = fields.filter(|field| field["address"].as_str().unwrap().eq_ignore_ascii_case(proxy));
        let mut names: Vec<_> = own.map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let both = ["ERC20Storage._totalSupply", "total"];
    // By what ran, the layout of the implementation is that of both proxies.
    for words in [vec!["--layout", &for_code], vec!["--layout", &artifact], vec!["--artifacts", &folder]] {
        let report = with(&words);
        assert!(proxies.iter().all(|proxy| names(&report, proxy) == both), "{words:?}: {}", report["fields"]);
        let hot = &report["fields"][0];
        let told = hot["contract"].as_str().unwrap();
        assert!(told.starts_with("Ballot (proxy) 0x") && told.len() < 32, "the two are told apart: {told}");
        assert_eq!(hot["variables"].as_array().unwrap().len(), 1);
    }
    // Given for one proxy, it is for that one; what all contracts may have is named anyway.
    let report = with(&["--layout", &for_proxy]);
    assert_eq!(names(&report, &proxies[0]), both);
    assert_eq!(names(&report, &proxies[1]), ["ERC20Storage._totalSupply", "slot 0"]);
    // Names stand for the storage of every proxy.
    let report = with(&["--artifacts", &folder, "--split", "total", "--split", "ERC20Storage"]);
    assert_eq!(report["functions"][0]["name"], "Ballot.vote");
    let asked = &report["what_if"]["asked"];
    assert_eq!(
        (&asked["assumptions"][0]["fields"], &asked["result"]["independent"]),
        (&2.into(), &accounts.len().into())
    );
    // What fits nobody is said.
    let stranger = format!("{}={artifact}", accounts[0].as_str().unwrap());
    let report = inspected(&["--rpc-url", &node.url, "--block", "latest", "--layout", &stranger]);
    assert!(
        report["warnings"][0].as_str().unwrap().contains("uses no storage of the contract"),
        "{}",
        report["warnings"]
    );
}
