//! Every way in which a source of blocks can be wrong gives one line that names the file and the reason.

use alloy_consensus::{
    BlockBody, Header, SignableTransaction, TxLegacy, proofs::calculate_transaction_root,
    transaction::SignerRecoverable,
};
use alloy_primitives::{Address, B256, Signature, TxKind, U256, hex, keccak256};
use alloy_trie::KECCAK_EMPTY;
use braid_chain::{Bundle, ChainReference, LayoutError, NamedBundle, PlainState, PreState, open};
use braid_runtime::{Block, Transaction};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const CODE: &[u8] = &[0x60, 0x01, 0x00];
const CONTRACT: Address = Address::repeat_byte(0xc0);

fn block(number: u64) -> Block {
    let transaction = TxLegacy {
        chain_id: Some(1),
        nonce: number,
        gas_limit: 21_000,
        to: TxKind::Call(CONTRACT),
        ..TxLegacy::default()
    };
    let transactions: Vec<Transaction> = vec![transaction.into_signed(Signature::test_signature()).into()];
    let header = Header {
        number,
        transactions_root: calculate_transaction_root(&transactions),
        gas_limit: 30_000_000,
        ..Header::default()
    };
    Block { header, body: BlockBody { transactions, ommers: Vec::new(), withdrawals: None } }
}

/// The block as RPC gives it.
fn block_json(block: &Block) -> Value {
    let mut json = serde_json::to_value(&block.header).unwrap();
    json["hash"] = json!(block.header.hash_slow());
    json["uncles"] = json!([]);
    json["size"] = json!("0x220");
    json["transactions"] = block
        .body
        .transactions
        .iter()
        .map(|transaction| {
            let mut json = serde_json::to_value(transaction).unwrap();
            json["from"] = json!(transaction.recover_signer().unwrap());
            json["blockNumber"] = json!("0x1");
            json
        })
        .collect();
    json
}

fn pre_state_json() -> Value {
    json!({
        CONTRACT.to_string(): {"balance": "0x7", "nonce": 1, "code_hash": keccak256(CODE), "storage": {"0x1": "0x5"}},
        Address::ZERO.to_string(): {"balance": "0xde0b6b3a7640000", "nonce": 0, "storage": {}},
    })
}

fn codes_json() -> Value {
    json!({keccak256(CODE).to_string(): hex::encode_prefixed(CODE)})
}

/// Files of two blocks in the folder layout, by path.
fn files() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("set/blocks/9/block.json", block_json(&block(9)).to_string()),
        ("set/blocks/9/pre_state.json", pre_state_json().to_string()),
        ("set/blocks/10/block.json", block_json(&block(10)).to_string()),
        ("set/blocks/10/pre_state.json", pre_state_json().to_string()),
        ("set/codes.json", codes_json().to_string()),
        ("set/block_hashes.json", json!({"8": B256::repeat_byte(8), "10": B256::repeat_byte(10)}).to_string()),
        ("set/LICENSE", "as you like".to_owned()),
    ])
}

fn write(folder: &Path, files: &BTreeMap<&str, String>) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn read(path: impl AsRef<Path>) -> Vec<Result<NamedBundle, LayoutError>> {
    open(path).unwrap().collect()
}

fn numbers(results: &[Result<NamedBundle, LayoutError>]) -> Vec<u64> {
    results.iter().flatten().map(|named| named.bundle.number()).collect()
}

/// The only error, as a line.
fn error(results: &[Result<NamedBundle, LayoutError>]) -> String {
    let errors: Vec<String> =
        results.iter().filter_map(|result| result.as_ref().err()).map(ToString::to_string).collect();
    let [error] = <[String; 1]>::try_from(errors).unwrap();
    assert!(!error.contains('\n'), "one line: {error}");
    error
}

#[test]
fn folders_are_read_from_any_level_in_the_order_of_numbers() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files());
    for (below, expected) in
        [("", vec![9, 10]), ("set", vec![9, 10]), ("set/blocks", vec![9, 10]), ("set/blocks/10", vec![10])]
    {
        let results = read(folder.path().join(below));
        assert_eq!(numbers(&results), expected, "{below}: {results:?}");
    }
    let results = read(folder.path());
    let bundle = &results[0].as_ref().unwrap().bundle;
    assert_eq!(bundle.chain, ChainReference::MAINNET);
    assert_eq!(bundle.block_hashes, BTreeMap::from([(8, B256::repeat_byte(8))]));
    assert_eq!(bundle.senders.as_ref().unwrap().len(), 1);
    let PreState::Plain(PlainState { accounts, codes, complete: false }) = &bundle.pre_state else { panic!("plain") };
    assert_eq!((accounts.len(), codes.len()), (2, 1));
    assert_eq!(accounts[&CONTRACT].storage, BTreeMap::from([(U256::from(1), U256::from(5))]));
    assert_eq!(accounts[&Address::ZERO].code_hash, KECCAK_EMPTY);
}

/// What is said of block 10 after `change`; block 9 is read all the same.
fn broken(change: impl FnOnce(&mut BTreeMap<&'static str, String>)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files();
    change(&mut files);
    write(folder.path(), &files);
    let results = read(folder.path());
    assert_eq!(numbers(&results), [9], "{results:?}");
    let error = error(&results);
    assert!(error.contains("blocks/10: "), "{error}");
    error
}

/// The same for a change of `block.json`.
fn broken_block(change: impl FnOnce(&mut Value)) -> String {
    broken(|files| {
        let mut json = block_json(&block(10));
        change(&mut json);
        files.insert("set/blocks/10/block.json", json.to_string());
    })
}

#[test]
fn a_wrong_block_is_named_and_the_others_are_read() {
    let error = broken_block(|json| json["gasUsed"] = json!("0x1"));
    assert!(error.contains("header has hash 0x"), "{error}");
    let error = broken_block(|json| json["hash"] = Value::Null);
    assert!(error.contains("the block's hash is not stated"), "{error}");
    let error = broken_block(|json| json["transactions"][0]["from"] = json!(Address::ZERO));
    assert!(error.contains("transaction 0 is signed by 0x"), "{error}");
    let error = broken_block(|json| json["transactions"][0]["hash"] = json!(B256::ZERO));
    assert!(error.contains("transaction 0 has hash 0x"), "{error}");
    let error = broken_block(|json| json["transactions"][0]["value"] = json!("0x1"));
    assert!(error.contains("transaction 0 has hash 0x"), "{error}");
    let error = broken_block(|json| json["transactions"] = json!([]));
    assert!(error.contains("transactions have root 0x"), "{error}");
    let error = broken_block(|json| json["transactions"][0]["nonce"] = json!("many"));
    assert!(error.contains("invalid"), "{error}");
    let error = broken(|files| drop(files.remove("set/blocks/10/pre_state.json")));
    assert!(error.contains("pre_state.json is missing"), "{error}");
    let error = broken(|files| drop(files.insert("set/blocks/10/pre_state.json", "{\"0x12\":".to_owned())));
    assert!(error.contains("pre_state.json: "), "{error}");
}

#[test]
fn code_must_be_listed_under_its_hash() {
    let error = broken(|files| {
        let state = pre_state_json().to_string().replace(&keccak256(CODE).to_string(), &B256::ZERO.to_string());
        files.insert("set/blocks/10/pre_state.json", state);
    });
    assert!(error.contains(&format!("account {CONTRACT}: no code is listed under 0x0000")), "{error}");
    let error = broken(|files| {
        let state = pre_state_json().to_string().replace(&keccak256(CODE).to_string(), &B256::ZERO.to_string());
        files.insert("set/blocks/10/pre_state.json", state);
        let mut codes = codes_json();
        codes[B256::ZERO.to_string()] = json!("0x00");
        files.insert("set/codes.json", codes.to_string());
    });
    assert!(error.contains("code listed under 0x0000"), "{error}");
}

#[test]
fn companions_that_are_missing_or_broken_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = files();
    files.insert("set/codes.json", "{".to_owned());
    write(folder.path(), &files);
    let results = read(folder.path());
    let errors: Vec<String> = results.iter().map(|result| result.as_ref().unwrap_err().to_string()).collect();
    assert!(errors.iter().all(|error| error.contains("codes.json: ")), "{errors:?}");

    fs::remove_file(folder.path().join("set/codes.json")).unwrap();
    let error = read(folder.path().join("set/blocks/9"))[0].as_ref().unwrap_err().to_string();
    assert!(error.ends_with("blocks/9: codes.json is missing"), "{error}");
}

#[test]
fn blocks_may_be_read_on_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files());
    let bundles = open(folder.path()).unwrap();
    let count = std::thread::spawn(move || bundles.filter_map(Result::ok).count()).join().unwrap();
    assert_eq!(count, 2);
}

#[test]
fn nothing_to_open_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(": no blocks in it"), "{error}");
    let error = open(folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("nowhere: No such file"), "{error}");
}

#[test]
fn files_of_other_kinds_say_what_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, reason) in [
        ("notes.txt", "hello".to_owned(), "not a known layout"),
        ("a.json", "[]".to_owned(), "invalid"),
        ("b.json", "{}".to_owned(), "not a known layout: no block with a witness"),
        ("c.json", block_json(&block(1)).to_string(), "not a known layout: a block without the state before it"),
        ("d.braid", "hello".to_owned(), "not a bundle"),
        ("e.json", json!({"blocks": [], "witness": {"state": [], "ancestors": []}}).to_string(), "0 blocks share"),
        ("f.json", json!({"block": "0xc0", "witness": {"state": [], "headers": []}}).to_string(), "block: "),
        ("g.tar.zst", "hello".to_owned(), "g.tar.zst: "),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = error(&read(&path));
        assert!(error.contains(name) && error.contains(reason), "{error}");
    }
}

fn witness_json(change: impl FnOnce(&mut Block)) -> Value {
    let state_root = alloy_trie::EMPTY_ROOT_HASH;
    let parent = Header { number: 8, state_root, ..Header::default() };
    let mut block = block(9);
    block.header.parent_hash = parent.hash_slow();
    change(&mut block);
    json!({
        "block": hex::encode_prefixed(alloy_rlp::encode(&block)),
        "witness": {"state": [], "codes": [], "keys": [], "headers": [hex::encode_prefixed(alloy_rlp::encode(&parent))]},
    })
}

#[test]
fn a_block_with_its_witness_is_read_from_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("9.json");
    let reads = |json: Value| {
        fs::write(&path, json.to_string()).unwrap();
        read(&path)
    };
    let results = reads(witness_json(|_| {}));
    let bundle = &results[0].as_ref().unwrap().bundle;
    assert!(matches!(&bundle.pre_state, PreState::Witness(witness) if witness.headers.len() == 1));

    let error_of = |json| error(&reads(json));
    let error = error_of(witness_json(|block| block.header.parent_hash = B256::ZERO));
    assert!(error.contains("the parent's header is missing from the witness"), "{error}");
    let error = error_of(witness_json(|block| block.header.transactions_root = B256::ZERO));
    assert!(error.contains("transactions have root"), "{error}");
    let error = error_of(witness_json(|block| {
        let foreign = TxLegacy { chain_id: Some(4242), ..TxLegacy::default() };
        block.body.transactions = vec![foreign.into_signed(Signature::test_signature()).into()];
    }));
    assert!(error.contains("unknown chain 4242"), "{error}");
}

/// An archive with these files in this order.
fn archive<'a>(path: &Path, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    let mut builder = tar::Builder::new(zstd::Encoder::new(fs::File::create(path).unwrap(), 1).unwrap());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
}

fn archive_path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("blocks.tar.zst")
}

#[test]
fn archives_may_hold_their_files_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(&folder);
    let mut files: Vec<(&str, String)> = files().into_iter().collect();
    let single = Bundle { block_hashes: BTreeMap::new(), ..read_one_bundle() }.encode().unwrap();
    for _ in 0..files.len() {
        files.rotate_left(1);
        let entries = files.iter().map(|(name, content)| (*name, content.as_bytes()));
        archive(&path, entries.chain([("more/single.braid", &single[..])]));
        let results = read(&path);
        let mut found = numbers(&results);
        found.sort_unstable();
        assert_eq!(found, [9, 9, 10], "{results:?}");
        let with_hash = results.iter().flatten().filter(|named| !named.bundle.block_hashes.is_empty()).count();
        assert_eq!(with_hash, 2, "block hashes are waited for");
    }
}

fn read_one_bundle() -> Bundle {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files());
    read(folder.path()).swap_remove(0).unwrap().bundle
}

#[test]
fn a_bad_block_in_an_archive_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(&folder);
    let mut files = files();
    files.insert("set/blocks/9/block.json", "{}".to_owned());
    files.remove("set/blocks/10/pre_state.json");
    files.insert("z/broken.braid", "hello".to_owned());
    files.insert("z/set/blocks/11/block.json", block_json(&block(11)).to_string());
    files.insert("z/set/blocks/11/pre_state.json", pre_state_json().to_string());
    files.insert("z/set/codes.json", codes_json().to_string());
    archive(&path, files.iter().map(|(name, content)| (*name, content.as_bytes())));
    let results = read(&path);
    assert_eq!(numbers(&results), [11]);
    let errors: Vec<String> =
        results.iter().filter_map(|result| result.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    for (entry, reason) in [
        ("set/blocks/9: ", "missing field"),
        ("set/blocks/10: ", "pre_state.json is missing"),
        ("z/broken.braid: ", "not a bundle"),
    ] {
        assert!(errors.iter().any(|error| error.contains(entry) && error.contains(reason)), "{entry}: {errors:?}");
    }
}

#[test]
fn a_truncated_archive_gives_what_it_holds_and_then_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = archive_path(&folder);
    let bundle = read_one_bundle().encode().unwrap();
    archive(&path, [("a.braid", &bundle[..]), ("b.braid", &bundle[..])]);
    let whole = fs::read(&path).unwrap();
    assert_eq!(read(&path).len(), 2);
    for length in (0..whole.len()).step_by(17) {
        fs::write(&path, &whole[..length]).unwrap();
        let results = read(&path);
        let error = results.last().unwrap().as_ref().unwrap_err().to_string();
        assert!(error.contains("blocks.tar.zst: "), "{length}: {error}");
    }
}
