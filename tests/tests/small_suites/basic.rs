//! BasicTests: difficulties, hex prefixes, keys and addresses, transactions, and the hash of the first block of mainnet.

use crate::{
    difficulty,
    suite::{cases, for_each_file},
};
use alloy_consensus::{
    SignableTransaction, TxLegacy,
    crypto::secp256k1::sign_message,
    transaction::{RlpEcdsaEncodableTx, SignerRecoverable},
};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{Nibbles, nodes::encode_path_leaf};
use braid_fixtures::suites::difficulty_test::DifficultyCase;
use braid_runtime::{Block, ChainSpec, Transaction};
use serde::{Deserialize, de::DeserializeOwned};

/// Forks of Ropsten, a test network that is gone.
const ROPSTEN: &str = r#"{"config": {"chainId": 3, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 10, "eip158Block": 10,
    "byzantiumBlock": 1700000, "constantinopleBlock": 4230000, "petersburgBlock": 4939394},
    "difficulty": "0x100000", "gasLimit": "0x1000000", "alloc": {}}"#;

#[test]
fn every_file() {
    let mut passed = 0;
    for_each_file("ethereum-tests-BasicTests", |file, content| {
        let (_, name) = file.rsplit_once('/').expect("it lies in an archive");
        passed += match name {
            "difficulty.json" | "difficultyMainNetwork.json" | "difficultyCustomMainNetwork.json" => {
                difficulties(file, content, &ChainSpec::mainnet())
            }
            "difficultyCustomHomestead.json" => {
                difficulties(file, content, &ChainSpec::from_suite_fork("Homestead").unwrap())
            }
            "difficultyRopsten.json" => difficulties(file, content, &ChainSpec::from_genesis_json(ROPSTEN).unwrap()),
            "genesishashestest.json" => genesis_hash(content),
            "hexencodetest.json" => hex_prefixes(file, content),
            "keyaddrtest.json" => keys(content),
            "txtest.json" => transactions(content),
            "crypto.json" => {
                println!("skipped: {name}: ciphers of the peer-to-peer network, which Braid does not have");
                0
            }
            "blockgenesistest.json" => {
                println!("skipped: {name}: headers of 13 fields without a bloom, from before the main network");
                0
            }
            _ => panic!("{name} is not known"),
        };
    });
    println!("{passed} passed");
}

fn difficulties(file: &str, content: &[u8], spec: &ChainSpec) -> usize {
    let cases = cases::<DifficultyCase>(file, content);
    for (name, case) in &cases {
        let difference = difficulty::difference(case, spec);
        assert_eq!(difference, None, "{file}: {name}");
    }
    cases.len()
}

#[derive(Deserialize)]
struct GenesisHashes {
    genesis_rlp_hex: String,
    genesis_state_root: B256,
    genesis_hash: B256,
}

fn genesis_hash(content: &[u8]) -> usize {
    let expected: GenesisHashes = read(content);
    let encoded = hex::decode(&expected.genesis_rlp_hex).unwrap();
    let block = Block::decode(&mut encoded.as_slice()).unwrap();
    assert_eq!(block.header.hash_slow(), expected.genesis_hash);
    assert_eq!(block.header.state_root, expected.genesis_state_root);
    assert_eq!(alloy_rlp::encode(&block), encoded);
    1
}

#[derive(Deserialize)]
struct HexPrefix {
    seq: Vec<u8>,
    term: bool,
    out: String,
}

fn hex_prefixes(file: &str, content: &[u8]) -> usize {
    let cases = cases::<HexPrefix>(file, content);
    for (name, case) in &cases {
        let encoded: Vec<u8> = encode_path_leaf(&Nibbles::from_nibbles(&case.seq), case.term).into_vec();
        assert_eq!(hex::encode(encoded), case.out, "{name}");
    }
    cases.len()
}

#[derive(Deserialize)]
struct KeyCase {
    seed: String,
    key: B256,
    addr: Address,
}

/// The signatures in the file are not compared: it does not say of what hash they are.
fn keys(content: &[u8]) -> usize {
    let cases: Vec<KeyCase> = read(content);
    for case in &cases {
        assert_eq!(keccak256(&case.seed), case.key);
        let hash = keccak256("");
        let own = sign_message(case.key, hash).unwrap();
        assert_eq!(own.recover_address_from_prehash(&hash).unwrap(), case.addr);
    }
    cases.len()
}

#[derive(Deserialize)]
struct TransactionCase {
    key: B256,
    nonce: u64,
    gasprice: u128,
    startgas: u64,
    to: String,
    value: u128,
    data: String,
    unsigned: String,
    signed: String,
}

fn transactions(content: &[u8]) -> usize {
    let cases: Vec<TransactionCase> = read(content);
    for case in &cases {
        let transaction = TxLegacy {
            chain_id: None,
            nonce: case.nonce,
            gas_price: case.gasprice,
            gas_limit: case.startgas,
            to: if case.to.is_empty() { TxKind::Create } else { TxKind::Call(case.to.parse().unwrap()) },
            value: U256::from(case.value),
            input: Bytes::from(hex::decode(&case.data).unwrap()),
        };
        // Unsigned, the three parts of the signature are there and empty.
        let mut unsigned = Vec::new();
        let payload_length = transaction.rlp_encoded_fields_length() + 3;
        alloy_rlp::Header { list: true, payload_length }.encode(&mut unsigned);
        transaction.rlp_encode_fields(&mut unsigned);
        unsigned.extend([alloy_rlp::EMPTY_STRING_CODE; 3]);
        assert_eq!(hex::encode(&unsigned), case.unsigned);
        let signed = hex::decode(&case.signed).unwrap();
        let decoded = Transaction::decode(&mut signed.as_slice()).unwrap();
        let Transaction::Legacy(legacy) = &decoded else { panic!("{decoded:?}") };
        assert_eq!(*legacy.tx(), transaction);
        assert_eq!(alloy_rlp::encode(&decoded), signed);
        let signature = sign_message(case.key, transaction.signature_hash()).unwrap();
        let own = signature.recover_address_from_prehash(&transaction.signature_hash()).unwrap();
        assert_eq!(decoded.recover_signer_unchecked().ok(), Some(own));
    }
    cases.len()
}

fn read<T: DeserializeOwned>(content: &[u8]) -> T {
    serde_json::from_slice(content).expect("the file is as it always was")
}
