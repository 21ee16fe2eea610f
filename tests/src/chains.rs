//! Whole chains made by hand: a genesis with rich keys and a contract that counts, and blocks on top that Braid builds itself.

use crate::blocks::{Call, Key, ether};
use alloy_consensus::{Header, transaction::Recovered};
use alloy_eips::{eip1559::INITIAL_BASE_FEE, eip4895::Withdrawals, eip7002, eip7251, eip7685::EMPTY_REQUESTS_HASH};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use braid_chain::{
    Chain, ChainOptions,
    payload::{BuiltPayload, PayloadAttributes},
};
use braid_runtime::{Block, ChainSpec, Transaction};
use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, Genesis, state_root};
use revm::state::Bytecode;
use std::collections::HashMap;

/// A contract whose slot zero counts its calls.
pub const COUNTER: Address = Address::repeat_byte(0xcc);
/// Keys with ether at genesis: those of the numbers below this one.
pub const RICH_KEYS: u64 = 16;
/// Seconds between blocks.
const BLOCK_TIME: u64 = 12;

/// The first block of a chain of a fork of the conformance suites.
pub fn genesis(fork: &str) -> (ChainSpec, Genesis) {
    let spec = ChainSpec::from_suite_fork(fork).expect("the fork is known");
    let mut contracts = vec![(COUNTER, counter_code())];
    if spec.ethereum_fork_activation(EthereumHardfork::Prague) != ForkCondition::Never {
        contracts
            .push((eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE.clone()));
        contracts.push((
            eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE.clone(),
        ));
    }
    let mut accounts: Vec<(Address, AccountRecord)> = (0..RICH_KEYS)
        .map(|number| {
            let record = AccountRecord { nonce: 0, balance: ether(1_000), code_hash: KECCAK256_EMPTY };
            (Key::new(number).address, record)
        })
        .collect();
    accounts.extend(contracts.iter().map(|(address, code)| {
        (*address, AccountRecord { nonce: 1, balance: U256::ZERO, code_hash: keccak256(code) })
    }));
    let root = state_root(accounts.iter().map(|(address, record)| (*address, *record, [])));
    let mut header = Header { gas_limit: 30_000_000, state_root: root, ..Header::default() };
    if spec.terminal_total_difficulty().is_none() {
        header.difficulty = U256::from(131_072);
    }
    if spec.is_london_active_at_block(0) {
        header.base_fee_per_gas = Some(INITIAL_BASE_FEE);
    }
    if spec.is_shanghai_active_at_timestamp(0) {
        header.withdrawals_root = Some(alloy_consensus::EMPTY_ROOT_HASH);
    }
    if spec.is_cancun_active_at_timestamp(0) {
        header.blob_gas_used = Some(0);
        header.excess_blob_gas = Some(0);
        header.parent_beacon_block_root = Some(B256::ZERO);
    }
    if spec.is_prague_active_at_timestamp(0) {
        header.requests_hash = Some(EMPTY_REQUESTS_HASH);
    }
    let accounts = accounts
        .into_iter()
        .map(|(address, record)| AccountChange { address, present: Some(record), storage_wiped: false })
        .collect();
    let contracts = contracts.into_iter().map(|(_, code)| (keccak256(&code), Bytecode::new_legacy(code))).collect();
    let state = BlockChange { accounts, slots: Vec::new(), contracts };
    let body = Body { withdrawals: header.withdrawals_root.map(|_| Withdrawals::default()), ..Body::default() };
    (spec.clone(), Genesis { chain_id: spec.chain_id(), header, body, state })
}

/// Adds one to slot zero.
fn counter_code() -> Bytes {
    use revm::bytecode::opcode::{ADD, PUSH1, SLOAD, SSTORE, STOP};
    Bytes::from_static(&[PUSH1, 0, SLOAD, PUSH1, 1, ADD, PUSH1, 0, SSTORE, STOP])
}

/// Makes blocks.
#[derive(Debug)]
pub struct Producer {
    /// The chain on which the blocks are made.
    pub chain: Chain,
    nonces: HashMap<(B256, Address), u64>,
}

impl Producer {
    /// Blocks on the genesis of a fork, in memory.
    pub fn new(fork: &str) -> Self {
        Self { chain: chain(fork, ChainOptions::default()), nonces: HashMap::new() }
    }

    /// A block on `parent` with these calls, each with the number of its key. The nonces follow from the branch.
    pub fn build(&mut self, parent: B256, calls: &[(u64, Call)]) -> BuiltPayload {
        self.build_with(parent, calls, |_| {})
    }

    /// The same with other attributes.
    pub fn build_with(
        &mut self,
        parent: B256,
        calls: &[(u64, Call)],
        change: impl FnOnce(&mut PayloadAttributes),
    ) -> BuiltPayload {
        let (header, _) = self.chain.header_and_body(&parent).unwrap().expect("the parent is known");
        let mut attributes = PayloadAttributes {
            timestamp: header.timestamp + BLOCK_TIME,
            fee_recipient: Address::repeat_byte(0xfe),
            ..PayloadAttributes::default()
        };
        change(&mut attributes);
        let chain_id = self
            .chain
            .spec()
            .is_spurious_dragon_active_at_block(header.number + 1)
            .then(|| self.chain.spec().chain_id());
        let mut nonces: HashMap<Address, u64> = HashMap::new();
        let transactions: Vec<Recovered<Transaction>> = calls
            .iter()
            .map(|(number, call)| {
                let key = Key::new(*number);
                let before = self.nonces.get(&(parent, key.address)).copied().unwrap_or_default();
                let next = nonces.entry(key.address).or_insert(before);
                let call = call.clone().price(20_000_000_000, 1);
                let transaction = call.sign(&key, *next, chain_id);
                *next += 1;
                Recovered::new_unchecked(transaction, key.address)
            })
            .collect();
        let count = transactions.len();
        let built = self.chain.build(parent, &attributes, transactions).expect("the block can be built");
        assert_eq!(built.block.body.transactions.len(), count, "every call is in the block");
        let hash = built.block.layer.block().hash;
        for number in 0..RICH_KEYS {
            let address = Key::new(number).address;
            let before = self.nonces.get(&(parent, address)).copied();
            if let Some(nonce) = nonces.get(&address).copied().or(before) {
                self.nonces.insert((hash, address), nonce);
            }
        }
        built
    }

    /// A branch of `length` blocks on `parent`; `seed` makes it different from others. Every block pays and counts.
    pub fn branch(&mut self, parent: B256, length: u64, seed: u64) -> Vec<Block> {
        let mut parent = parent;
        (0..length)
            .map(|index| {
                let from = (seed + index) % RICH_KEYS;
                let pay = Call::to(Key::new((from + 1) % RICH_KEYS).address).value(seed + index + 1);
                let built = self.build(
                    parent,
                    &[(from, pay), (from, Call::to(COUNTER)), ((from + 3) % RICH_KEYS, Call::to(COUNTER))],
                );
                parent = built.block.layer.block().hash;
                block(&built)
            })
            .collect()
    }
}

/// The block as it goes over the wire.
pub fn block(built: &BuiltPayload) -> Block {
    Block { header: built.block.header.clone(), body: built.block.body.clone() }
}

/// A chain of nothing but its genesis, in memory.
pub fn chain(fork: &str, options: ChainOptions) -> Chain {
    let (spec, genesis) = genesis(fork);
    let database = Database::in_memory(&genesis, DatabaseOptions::default()).expect("the genesis is right");
    Chain::new(database, spec, options).expect("the chain starts")
}
