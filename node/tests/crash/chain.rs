//! A chain made by Braid itself, always the same: its genesis file, its blocks, and files of them.

use alloy_consensus::{Header, transaction::Recovered};
use alloy_primitives::{Address, B256, U256};
use braid_chain::{Chain, ChainOptions, GenesisFile, payload::PayloadAttributes};
use braid_runtime::{Block, Transaction};
use braid_storage::{Database, DatabaseOptions, Head};
use braid_tests::blocks::{Call, Key};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

const CHAIN_ID: u64 = 7_701;
const KEYS: u64 = 12;
/// A contract that sets a slot: the first word of the call data is the slot, the second its value.
const STORE: Address = Address::repeat_byte(0x5e);
const STORE_CODE: &str = "0x60243560043555";

const FORKS: &str = r#""homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0,
    "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0"#;
const STAKE: &str = r#", "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 0"#;

/// A chain of which everything is known.
pub(super) struct Known {
    pub(super) genesis: String,
    pub(super) blocks: Vec<Block>,
    /// Heads by number, the genesis first.
    pub(super) heads: Vec<Head>,
}

/// Some hundred blocks of proof of stake.
pub(super) static LONG: LazyLock<Known> = LazyLock::new(|| Known::new(STAKE, 400));
/// Blocks of proof of work.
pub(super) static WORK: LazyLock<Known> = LazyLock::new(|| Known::new("", 12));

impl Known {
    fn new(forks: &str, length: u64) -> Self {
        let genesis = genesis(forks);
        let file = GenesisFile::from_json(&genesis).expect("the genesis is right");
        let header = file.genesis.header.clone();
        let database = Database::in_memory(&file.genesis, DatabaseOptions::default()).expect("the genesis is right");
        let chain = Chain::new(database, file.spec, ChainOptions::default()).expect("the chain starts");
        let mut known = Self { genesis, blocks: Vec::new(), heads: vec![head(&header)] };
        let mut nonces = [0; KEYS as usize];
        let mut parent = header;
        for number in 1..=length {
            let block = make(&chain, &parent, number, &mut nonces);
            parent = block.header.clone();
            known.heads.push(head(&parent));
            known.blocks.push(block);
        }
        known
    }

    pub(super) fn head(&self) -> Head {
        *self.heads.last().expect("there is a genesis")
    }

    pub(super) fn rlp(&self) -> Vec<u8> {
        rlp(&self.blocks)
    }

    /// Writes `genesis.json` and `chain.rlp` into a folder.
    pub(super) fn write(&self, folder: &Path) -> Files {
        let files = Files { genesis: folder.join("genesis.json"), blocks: folder.join("chain.rlp") };
        fs::write(&files.genesis, &self.genesis).expect("the folder can be written");
        fs::write(&files.blocks, self.rlp()).expect("the folder can be written");
        files
    }
}

/// The files of a chain.
pub(super) struct Files {
    pub(super) genesis: PathBuf,
    pub(super) blocks: PathBuf,
}

pub(super) fn rlp(blocks: &[Block]) -> Vec<u8> {
    blocks.iter().flat_map(alloy_rlp::encode).collect()
}

fn head(header: &Header) -> Head {
    Head { number: header.number, hash: header.hash_slow(), state_root: header.state_root }
}

fn genesis(forks: &str) -> String {
    let rich: Vec<String> = (0..KEYS)
        .map(|number| format!(r#""{}": {{"balance": "0xd3c21bcecceda1000000"}}"#, Key::new(number).address))
        .collect();
    let difficulty = if forks.is_empty() { "0x20000" } else { "0x0" };
    format!(
        r#"{{"config": {{"chainId": {CHAIN_ID}, {FORKS}{forks}}}, "difficulty": "{difficulty}", "gasLimit": "0x1c9c380",
            "alloc": {{{}, "{STORE}": {{"balance": "0x0", "code": "{STORE_CODE}"}}}}}}"#,
        rich.join(", ")
    )
}

/// Payments to old and new accounts, and slots that are set, changed and cleared.
fn make(chain: &Chain, parent: &Header, number: u64, nonces: &mut [u64; KEYS as usize]) -> Block {
    let is_stake = parent.difficulty.is_zero();
    let attributes = PayloadAttributes {
        timestamp: parent.timestamp + 12,
        fee_recipient: Address::repeat_byte(0xfe),
        withdrawals: is_stake.then(Default::default),
        parent_beacon_block_root: is_stake.then(|| B256::with_last_byte(number as u8)),
        ..PayloadAttributes::default()
    };
    let calls = (0..6).map(|index| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(7 * index as u32) ^ index;
        match index % 3 {
            0 => Call::to(Address::from_word(U256::from(mixed % 500 + 1).into())).value(number),
            1 => Call::to(Key::new(mixed % KEYS).address).value(index + 1),
            _ => Call::to(STORE)
                .words(&[U256::from(mixed % 300), U256::from(if mixed.is_multiple_of(5) { 0 } else { number })]),
        }
    });
    let transactions: Vec<Recovered<Transaction>> = calls
        .enumerate()
        .map(|(index, call)| {
            let sender = (number as usize + index) % KEYS as usize;
            let key = Key::new(sender as u64);
            let nonce = nonces[sender];
            nonces[sender] += 1;
            let transaction = call.gas(100_000).price(20_000_000_000, 1).sign(&key, nonce, Some(CHAIN_ID));
            Recovered::new_unchecked(transaction, key.address)
        })
        .collect();
    let count = transactions.len();
    let built = chain.build(parent.hash_slow(), &attributes, transactions).expect("the block can be built");
    let block = Block { header: built.block.header.clone(), body: built.block.body.clone() };
    assert_eq!(block.body.transactions.len(), count, "every transaction is in block {number}");
    let hash = block.header.hash_slow();
    chain.set_head(hash).expect("it was just built");
    block
}
