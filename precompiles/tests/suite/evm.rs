//! Inside an EVM the provider gives what revm's own provider gives.

use crate::inputs::{addresses, bytes, forks, valid_input};
use braid_precompiles::{BraidPrecompiles, PrecompileCache, PrecompileSet};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    context::{
        TxEnv,
        result::{EVMError, ExecResultAndState},
    },
    context_interface::result::{ExecutionResult, HaltReason},
    database::InMemoryDB,
    handler::EthPrecompiles,
    primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId},
    state::{AccountInfo, Bytecode, EvmState},
};
use std::{convert::Infallible, sync::Arc};

const SENDER: Address = Address::new([0x51; 20]);
const FORWARDER: Address = Address::new([0xf0; 20]);

/// Copies its call data to memory, calls the precompile named by the first word with the rest and with 100,000 gas,
/// and returns success flag, gas left and output.
fn forwarder() -> Bytecode {
    let code: &[u8] = &[
        0x60, 0x20, 0x36, 0x03, // size = calldatasize - 32
        0x60, 0x20, 0x60, 0x00, 0x37, // calldatacopy(0, 32, size)
        0x60, 0x00, 0x60, 0x00, // out size, out offset
        0x60, 0x20, 0x36, 0x03, 0x60, 0x00, // in size, in offset
        0x60, 0x00, // value
        0x60, 0x00, 0x35, // address
        0x62, 0x01, 0x86, 0xa0, 0xf1, // call
        0x60, 0x00, 0x52, // mem[0] = success
        0x5a, 0x60, 0x20, 0x52, // mem[32] = gas
        0x3d, 0x60, 0x00, 0x60, 0x40, 0x3e, // returndatacopy(64, 0, size)
        0x3d, 0x60, 0x40, 0x01, 0x60, 0x00, 0xf3, // return(0, 64 + size)
    ];
    Bytecode::new_legacy(Bytes::copy_from_slice(code))
}

fn database() -> InMemoryDB {
    let mut database = InMemoryDB::default();
    database.insert_account_info(SENDER, AccountInfo::from_balance(U256::from(10).pow(U256::from(20))));
    database.insert_account_info(FORWARDER, AccountInfo::default().with_code(forwarder()));
    database
}

fn transaction(to: Address, data: Vec<u8>, gas_limit: u64, value: u64) -> TxEnv {
    TxEnv::builder()
        .caller(SENDER)
        .kind(TxKind::Call(to))
        .data(data.into())
        .gas_limit(gas_limit)
        .value(U256::from(value))
        .build()
        .expect("a transaction")
}

type Outcome = Result<ExecResultAndState<ExecutionResult, EvmState>, EVMError<Infallible>>;

/// The macro stands in for a function over both providers, whose EVM types have no common name.
macro_rules! transact {
    ($spec:expr, $precompiles:expr, $tx:expr) => {{
        let mut evm = Context::mainnet()
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params($spec))
            .with_db(database())
            .build_mainnet()
            .with_precompiles($precompiles);
        let outcome: Outcome = evm.transact($tx);
        outcome
    }};
}

fn assert_same(spec: SpecId, cache: &Arc<PrecompileCache>, tx: TxEnv) -> Outcome {
    let expected = transact!(spec, EthPrecompiles::new(spec), tx.clone());
    let cached = BraidPrecompiles::new(spec, Some(cache.clone()), None);
    for precompiles in [cached.clone(), cached, BraidPrecompiles::new(spec, None, None)] {
        assert_eq!(transact!(spec, precompiles, tx.clone()), expected, "{spec:?}: {tx:?}");
    }
    expected
}

#[test]
fn top_level_and_inner_calls_equal_those_of_revm() {
    let cache = Arc::new(PrecompileCache::default());
    for spec in forks() {
        for address in addresses() {
            for data in [valid_input(&address, 1), bytes(1, 128), vec![0xff; 64], Vec::new()] {
                for gas_limit in [30_000, 200_000] {
                    let _ = assert_same(spec, &cache, transaction(address, data.clone(), gas_limit, 1));
                }
                let forwarded = [address.into_word().as_slice(), &data].concat();
                let result = assert_same(spec, &cache, transaction(FORWARDER, forwarded, 600_000, 0));
                // RETURNDATASIZE came with Byzantium; before, the forwarder halts after the call.
                let is_success = result.expect("a valid transaction").result.is_success();
                assert_eq!(is_success, spec.is_enabled_in(SpecId::BYZANTIUM), "{spec:?} {address}");
            }
        }
    }
    assert!(cache.stats().hits > 0);
}

#[test]
fn a_top_level_halt_carries_the_precompile_s_reason() {
    let cache = Arc::new(PrecompileCache::default());
    let kzg = revm::precompile::u64_to_address(0x0a);
    let result = assert_same(SpecId::OSAKA, &cache, transaction(kzg, vec![0; 191], 200_000, 0));
    let result = result.expect("a valid transaction").result;
    let ExecutionResult::Halt { reason: HaltReason::PrecompileErrorWithContext(reason), .. } = result else {
        panic!("a halt with a reason, not {result:?}");
    };
    assert_eq!(reason, "invalid blob input length");
}

#[test]
fn the_forwarder_reaches_the_precompile() {
    let cache = Arc::new(PrecompileCache::default());
    let identity = revm::precompile::u64_to_address(4);
    let data = [identity.into_word().as_slice(), b"hello"].concat();
    let result = assert_same(SpecId::OSAKA, &cache, transaction(FORWARDER, data, 400_000, 0));
    let output = result.expect("a valid transaction").result.into_output().expect("output");
    assert_eq!((output[31], &output[64..]), (1, &b"hello"[..]));
}

#[test]
fn one_provider_follows_the_fork_of_its_context() {
    let mut precompiles = BraidPrecompiles::new(SpecId::FRONTIER, None, None);
    assert!(!precompiles.set_spec_id(SpecId::FRONTIER));
    for spec in forks().skip(1) {
        assert!(precompiles.set_spec_id(spec), "{spec:?}");
        assert_eq!(precompiles.warm_addresses(), EthPrecompiles::new(spec).warm_addresses());
        assert_eq!(precompiles.warm_addresses(), PrecompileSet::addresses(spec));
    }
}
