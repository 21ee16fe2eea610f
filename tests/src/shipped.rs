//! The blocks of our own making in `fixtures/generated`, and how they are made.
//!
//! Each is a bundle with the whole state before it, a header that says what serial execution yields (with the state root), and the
//! receipts. The same source always makes the same bytes.

use crate::{
    blocks::{BlockBuilder, Call, Key, Kind, ether},
    contracts::{self, factory_child},
    guide,
    memory::MemoryState,
};
use alloy_consensus::proofs::{calculate_ommers_root, calculate_transaction_root, calculate_withdrawals_root};
use alloy_genesis::ChainConfig;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, U256, keccak256};
use braid_chain::{Bundle, ChainReference, PlainAccount, PlainState, PreState};
use braid_runtime::{Outputs, oracle::execute_serial};

/// Chain id of the shipped blocks.
pub const CHAIN_ID: u64 = 1337;

const TOKEN: Address = Address::repeat_byte(0x70);
const FACTORY: Address = Address::repeat_byte(0xfa);
const DESTROYER: Address = Address::repeat_byte(0xde);
const READER: Address = Address::repeat_byte(0x4e);
const PAYER: Address = Address::repeat_byte(0xfe);
const COUNTER: Address = Address::repeat_byte(0x01);
const ROUTER: Address = Address::repeat_byte(0x40);
const CHAIN: Address = Address::repeat_byte(0xca);
const DEEP: Address = Address::repeat_byte(0xdd);
const TRANSIENT: Address = Address::repeat_byte(0x7a);
const FAILER: Address = Address::repeat_byte(0xff);
const DELEGATE: Address = Address::repeat_byte(0x0d);
const PRECOMPILES: Address = Address::repeat_byte(0x0c);
const NOBODY: Address = Address::repeat_byte(0x99);

/// All shipped blocks, with their names.
pub fn bundles() -> Vec<(&'static str, Bundle)> {
    let mut bundles = vec![
        ("transfers", transfers()),
        ("tokens", tokens()),
        ("destroy_and_recreate", destroy_and_recreate()),
        ("delegations", delegations()),
        ("beneficiary", beneficiary()),
        ("calls", calls()),
    ];
    bundles.extend(guide::bundles());
    bundles
}

fn number(number: u64) -> U256 {
    U256::from(number)
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

fn key(number: u64) -> Key {
    Key::new(number)
}

fn block(fork: &str) -> BlockBuilder {
    let mut block = BlockBuilder::new(fork).chain_id(CHAIN_ID);
    block.header.parent_hash = keccak256(fork);
    block
}

/// A state with this many rich accounts.
fn state(keys: u64) -> MemoryState {
    let mut state = MemoryState::default();
    for index in 0..keys {
        state.fund(key(index).address, ether(100));
    }
    contracts::deploy_system_contracts(&mut state);
    state
}

fn pay(to: Address, wei: u64) -> Call {
    Call::to(to).value(wei)
}

/// Independent payments, a hot recipient, chains of payments, payments to oneself, of nothing, to precompiles.
fn transfers() -> Bundle {
    let mut block = block("Osaka");
    for index in 0..60 {
        let (own, next) = (key(index), key(index + 1));
        block = block
            .call(&own, pay(Address::with_last_byte(0x80 + index as u8), 1 + index))
            .call(&own, pay(NOBODY, 5).kind(Kind::DynamicFee))
            .call(&own, pay(next.address, 1_000_000 + index).gas(21_000));
        if index % 10 == 0 {
            block = block
                .call(&own, pay(own.address, 7))
                .call(&own, pay(Address::repeat_byte(index as u8 + 1), 0))
                .call(&own, pay(Address::with_last_byte(4), 1));
        }
    }
    // Accounts that live from what they got in this block.
    for hop in 100..110 {
        let from = if hop == 100 { key(60) } else { key(hop) };
        block = block.call(&from, Call::to(key(hop + 1).address).value(ether(1) - ether(hop - 100) / number(50)));
    }
    bundle(&block, &state(61), "Osaka")
}

/// Token transfers: independent, along a line of holders, to a hot holder, and some that fail.
fn tokens() -> Bundle {
    let mut state = state(40);
    state.deploy(TOKEN, contracts::token(), &[]);
    let balance_slot = |owner: Address| {
        let mut slot = [0; 64];
        slot[12..32].copy_from_slice(owner.as_slice());
        U256::from_be_bytes(keccak256(slot).0)
    };
    let token = state.accounts.get_mut(&TOKEN).expect("it was just deployed");
    for index in 0..30 {
        token.storage.insert(balance_slot(key(index).address), number(1_000));
    }
    let transfer = |to: Address, amount: u64| Call::to(TOKEN).words(&[word(to), number(amount)]).gas(100_000);
    let mut block = block("Prague");
    for index in 0..30 {
        block = block
            .call(&key(index), transfer(Address::with_last_byte(0x90 + index as u8), 3))
            .call(&key(index), transfer(NOBODY, 10).kind(Kind::DynamicFee));
    }
    for index in 30..39 {
        let from = if index == 30 { 0 } else { index };
        block = block.call(&key(from), transfer(key(index + 1).address, 900));
    }
    for index in 0..10 {
        block = block.call(&key(index * 3), transfer(NOBODY, 5_000));
    }
    bundle(&block, &state, "Prague")
}

/// Contracts that are destroyed, made again at the same address and used in between.
fn destroy_and_recreate() -> Bundle {
    let mut state = state(20);
    state
        .deploy(FACTORY, contracts::factory(), &[])
        .deploy(DESTROYER, contracts::destroyer(), &[(1, 10), (5, 6)])
        .deploy(factory_child(FACTORY, 2), contracts::destroyer(), &[(1, 70), (9, 90)])
        .deploy(READER, contracts::reader(), &[]);
    for address in [FACTORY, DESTROYER] {
        state.accounts.get_mut(&address).expect("it was just deployed").balance = number(1_000);
    }
    let make = |salt, destroys| Call::to(FACTORY).words(&[number(salt), number(3), word(destroys)]).gas(400_000);
    let tell = |to: Address, heir: Address| Call::to(to).words(&[word(heir)]).value(2u64).gas(100_000);
    let look = |at: Address| Call::to(READER).words(&[word(at), number(1)]).gas(200_000);
    let mut block = block("Shanghai");
    for round in 0..4 {
        let child = factory_child(FACTORY, 1 + round % 3);
        block = block
            .call(&key(round), tell(child, Address::ZERO))
            .call(&key(round + 4), make(1 + round % 3, Address::ZERO))
            .call(&key(round + 8), tell(child, Address::ZERO))
            .call(&key(round + 12), tell(child, NOBODY))
            .call(&key(round), look(child))
            .call(&key(round + 4), make(1 + round % 3, if round == 1 { NOBODY } else { Address::ZERO }))
            .call(&key(round + 8), tell(child, Address::ZERO))
            .call(&key(round + 12), Call::create(contracts::stillborn_init()).value(5u64).gas(200_000));
    }
    block = block
        .call(&key(16), tell(DESTROYER, Address::ZERO))
        .call(&key(17), tell(DESTROYER, key(18).address))
        .call(&key(18), pay(DESTROYER, 4))
        .call(&key(19), look(DESTROYER))
        .withdrawal(DESTROYER, 1);
    bundle(&block, &state, "Shanghai")
}

/// EIP-7702 delegations: set, used, taken back, by the account itself and by others.
fn delegations() -> Bundle {
    let mut state = state(20);
    state.deploy(DELEGATE, contracts::delegate(), &[]).deploy(COUNTER, contracts::counter(), &[]);
    let grant = |account: u64, to: Address, nonce| key(account).authorize(CHAIN_ID, to, nonce);
    let use_it = |account: u64, creates: u64| Call::to(key(account).address).words(&[word(NOBODY), number(creates)]);
    let me = key(5);
    let block = block("Prague")
        .call(&key(0), use_it(1, 0))
        .call(&key(0), pay(NOBODY, 1).authorizations(vec![grant(1, DELEGATE, 0), grant(2, COUNTER, 0)]))
        .call(&key(3), use_it(1, 0))
        .call(&key(4), use_it(1, 1))
        .call(&key(6), Call::to(key(2).address).words(&[number(3)]))
        .call(&me, use_it(5, 0).authorizations(vec![me.authorize(CHAIN_ID, DELEGATE, 1)]))
        .next_nonce(&me, 2)
        .call(&me, use_it(5, 1))
        .next_nonce(&me, 4)
        .call(&me, pay(NOBODY, 2))
        .call(&key(7), pay(NOBODY, 1).authorizations(vec![grant(1, Address::ZERO, 2), grant(2, DELEGATE, 9)]))
        .call(&key(8), use_it(1, 0))
        .next_nonce(&key(1), 3)
        .call(&key(1), pay(NOBODY, 3))
        .call(&key(9), use_it(10, 0).authorizations(vec![grant(10, DELEGATE, 0)]))
        .call(&key(11), use_it(10, 1))
        .next_nonce(&key(10), 2)
        .call(&key(10), Call::to(COUNTER).words(&[number(1)]));
    bundle(&block, &state, "Prague")
}

/// The account that gets the fees sends, is paid, is asked for its balance, and is bribed.
fn beneficiary() -> Bundle {
    let mut state = state(20);
    state.deploy(READER, contracts::reader(), &[]).deploy(PAYER, contracts::payer(), &[]).deploy(
        COUNTER,
        contracts::briber(),
        &[],
    );
    for address in [PAYER, COUNTER] {
        state.accounts.get_mut(&address).expect("it was just deployed").balance = number(10_000);
    }
    let own = key(0);
    let mut block = block("Cancun").beneficiary(own.address);
    for index in 1..10 {
        block = block
            .call(&key(index), pay(NOBODY, index))
            .call(&key(index), Call::to(COUNTER).words(&[number(5), ether(100)]).gas(200_000))
            .call(&key(index), pay(own.address, 11).price(7, 0));
        if index % 3 == 0 {
            block = block
                .call(&own, pay(key(index).address, 1_000))
                .call(&key(index + 9), Call::to(READER).words(&[word(own.address), number(1)]))
                .call(&key(index + 9), Call::to(PAYER).words(&[word(own.address), number(9)]));
        }
    }
    let block = block.withdrawal(own.address, 3).withdrawal(NOBODY, 0);
    bundle(&block, &state, "Cancun")
}

/// Deep calls, all kinds of calls, chains of slots, transient storage, precompiles, blobs, declared lists, failures.
fn calls() -> Bundle {
    let mut state = state(20);
    state
        .deploy(ROUTER, contracts::router(), &[])
        .deploy(COUNTER, contracts::counter(), &[(1, 5)])
        .deploy(CHAIN, contracts::chain(), &[(0, 3), (3, 7), (7, 1), (1, 4)])
        .deploy(DEEP, contracts::deep(), &[])
        .deploy(TRANSIENT, contracts::transient(), &[])
        .deploy(FAILER, contracts::failer(), &[])
        .deploy(PRECOMPILES, contracts::precompile_caller(), &[]);
    state.accounts.get_mut(&FAILER).expect("it was just deployed").balance = number(1_000);
    let mut block = block("Osaka");
    for index in 0..16 {
        let own = key(index);
        let route = [word(COUNTER), number(index % 4), number(index % 3)];
        let input = [number(1 + index % 10), number(32), number(index), number(7)];
        block = block
            .call(&own, Call::to(ROUTER).words(&route))
            .call(&own, Call::to(CHAIN).words(&[number(index)]).list([(CHAIN, vec![number(0), number(500)])]))
            .call(&own, Call::to(FAILER).words(&[word(NOBODY), number(index % 4)]))
            .call(&own, Call::to(PRECOMPILES).words(&input))
            .call(&own, Call::to(TRANSIENT).words(&[number(index % 2)]));
        if index % 5 == 0 {
            block = block
                .call(
                    &own,
                    Call::to(DEEP)
                        .words(&[number(if index == 0 { 1_100 } else { index }), number(index % 2)])
                        .gas(5_000_000),
                )
                .call(&own, Call::to(COUNTER).words(&[number(2)]).kind(Kind::Blob(1)));
        }
    }
    bundle(&block, &state, "Osaka")
}

/// The chain: everything up to the fork from its genesis on.
fn config(fork: &str) -> ChainConfig {
    let since = |name: &str| {
        let order = ["Shanghai", "Cancun", "Prague", "Osaka"];
        let position = |name: &str| order.iter().position(|known| *known == name);
        (position(name) <= position(fork)).then_some(0)
    };
    ChainConfig {
        chain_id: CHAIN_ID,
        homestead_block: Some(0),
        eip150_block: Some(0),
        eip155_block: Some(0),
        eip158_block: Some(0),
        byzantium_block: Some(0),
        constantinople_block: Some(0),
        petersburg_block: Some(0),
        istanbul_block: Some(0),
        berlin_block: Some(0),
        london_block: Some(0),
        terminal_total_difficulty: Some(U256::ZERO),
        terminal_total_difficulty_passed: true,
        shanghai_time: since("Shanghai"),
        cancun_time: since("Cancun"),
        prague_time: since("Prague"),
        osaka_time: since("Osaka"),
        ..ChainConfig::default()
    }
}

/// Executes the block serially and puts what comes of it into its header.
pub(crate) fn bundle(builder: &BlockBuilder, state: &MemoryState, fork: &str) -> Bundle {
    let chain = ChainReference::Config(Box::new(config(fork)));
    let spec = chain.spec().expect("the chain is known");
    let recovered = builder.build();
    let senders = recovered.senders().to_vec();
    let mut state = state.clone();
    state.block_hashes.insert(0, recovered.header().parent_hash);
    let outcome = execute_serial(&state, &recovered, &spec, Outputs::default())
        .unwrap_or_else(|error| panic!("the block for {fork} is not valid: {error}"));
    let mut after = state.clone();
    after.apply(&outcome.diff);
    let (receipts_root, logs_bloom) = outcome.receipts_root_and_bloom();
    let mut block = recovered.into_block();
    let header = &mut block.header;
    header.gas_used = outcome.gas_used;
    header.state_root = after.root();
    (header.receipts_root, header.logs_bloom) = (receipts_root, logs_bloom);
    header.transactions_root = calculate_transaction_root(&block.body.transactions);
    header.ommers_hash = calculate_ommers_root(&block.body.ommers);
    header.withdrawals_root =
        block.body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
    header.blob_gas_used = header.blob_gas_used.map(|_| outcome.blob_gas_used);
    if spec.at(header).is_prague_active_at_timestamp(header.timestamp) {
        header.requests_hash = Some(outcome.requests.requests_hash());
    }
    let bundle = Bundle {
        chain,
        block,
        ommers_missing: false,
        senders: Some(senders),
        pre_state: PreState::Plain(plain(&state)),
        block_hashes: state.block_hashes.into_iter().collect(),
        receipts: Some(outcome.receipts),
        access_list: None,
    };
    bundle.check().unwrap_or_else(|error| panic!("the bundle for {fork} is not consistent: {error}"));
    bundle
}

fn plain(state: &MemoryState) -> PlainState {
    let account = |account: &crate::memory::MemoryAccount| PlainAccount {
        balance: account.balance,
        nonce: account.nonce,
        code_hash: account.code_hash,
        storage: account.storage.clone(),
    };
    let mut codes: Vec<_> = state.codes.values().map(|code| code.original_bytes()).collect();
    codes.sort();
    PlainState {
        accounts: state.accounts.iter().map(|(address, own)| (*address, account(own))).collect(),
        codes,
        complete: true,
    }
}
