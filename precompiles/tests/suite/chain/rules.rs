//! What a chain's precompile is refused, whatever it makes of the refusal.

use super::{CONTRACT, CallOpcode, Chain, PRECOMPILE, RETURN_ALL, SENDER, Scripted, forward};
use braid_precompiles::{
    AccessError, BraidPrecompiles, ChainCall, ChainPrecompile, ChainPrecompileError, ChainPrecompiles,
    ChainPrecompilesError, DeclaredAccess, PrecompileSet, StateAccess, StateKey, example::WrappedCoin,
};
use revm::{
    Context, Database, ExecuteEvm, MainBuilder, MainContext,
    context::{TxEnv, result::EVMError},
    context_interface::result::{ExecutionResult, HaltReason},
    database::DBErrorMarker,
    precompile::u64_to_address,
    primitives::{Address, B256, Bytes, TxKind, U256, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};
use std::sync::Arc;

const STRANGER: Address = Address::new([0x0a; 20]);
const GAS_LIMIT: u64 = 100_000;

fn own_slot(number: u64) -> StateKey {
    StateKey::Storage(PRECOMPILE, U256::from(number))
}

fn write(state: &mut dyn StateAccess, slot: u64) -> Result<(), AccessError> {
    state.set_storage(PRECOMPILE, U256::from(slot), U256::ONE)
}

/// Asserts that calling the precompile halts with all gas for `reason` and leaves no trace.
fn assert_halts(precompile: Scripted, reason: &str) {
    let mut chain = Chain::new(precompile);
    chain.database.insert_account_info(STRANGER, AccountInfo::from_balance(U256::from(5)));
    let result = chain.send(PRECOMPILE, Bytes::new(), 3, GAS_LIMIT);
    let ExecutionResult::Halt { reason: HaltReason::PrecompileErrorWithContext(actual), ref logs, .. } = result else {
        panic!("a halt for {reason:?}, not {result:?}");
    };
    assert!(actual.contains(reason), "{actual:?} does not say {reason:?}");
    assert!(logs.is_empty());
    assert_eq!(chain.balance(PRECOMPILE), U256::ZERO);
    assert_eq!(chain.balance(STRANGER), U256::from(5));
    assert_eq!(
        (chain.slot(PRECOMPILE, U256::from(1)), chain.slot(PRECOMPILE, U256::from(2))),
        (U256::ZERO, U256::ZERO)
    );
}

#[test]
fn undeclared_accesses_halt_the_call() {
    assert_halts(
        Scripted::new([], |_, state| Ok(state.storage(PRECOMPILE, U256::ONE).map(|_| Bytes::new())?)),
        "undeclared read",
    );
    assert_halts(
        Scripted::new([], |_, state| Ok(write(state, 1).map(|()| Bytes::new())?)),
        "undeclared write of the slot 0x1",
    );
    assert_halts(
        Scripted::new([], |_, state| Ok(state.balance(STRANGER).map(|_| Bytes::new())?)),
        "undeclared read of the balance",
    );
    // A declared read permits no write, and a declared credit no read.
    assert_halts(
        Scripted::new([DeclaredAccess::read(own_slot(1))], |_, state| Ok(write(state, 1).map(|()| Bytes::new())?)),
        "undeclared write",
    );
    assert_halts(
        Scripted::new([DeclaredAccess::credit(STRANGER)], |_, state| {
            Ok(state.balance(STRANGER).map(|_| Bytes::new())?)
        }),
        "undeclared read",
    );
    // Paying out needs the payer declared as written and the receiver as credited.
    for declared in [
        DeclaredAccess::write(StateKey::Balance(PRECOMPILE)),
        DeclaredAccess::credit(STRANGER),
        DeclaredAccess::read(StateKey::Balance(PRECOMPILE)),
    ] {
        assert_halts(
            Scripted::new([declared], |_, state| {
                Ok(state.transfer(PRECOMPILE, STRANGER, U256::ONE).map(|()| Bytes::new())?)
            }),
            "undeclared",
        );
    }
}

#[test]
fn a_refused_access_cannot_be_swallowed() {
    let swallow = || {
        Scripted::new([DeclaredAccess::write(own_slot(1))], |_, state| {
            write(state, 1)?;
            assert!(write(state, 2).is_err());
            // Even what is declared fails from here on.
            assert!(matches!(write(state, 1), Err(AccessError::Undeclared { .. })));
            assert!(state.charge(1).is_err() && state.log(&[], Bytes::new()).is_err());
            Ok(Bytes::from_static(b"all is well"))
        })
    };
    assert_halts(swallow(), "undeclared write of the slot 0x2");
    assert_halts(
        Scripted::new([], |_, state| {
            let _ = write(state, 1);
            Err(ChainPrecompileError::Revert(Bytes::from_static(b"keep the gas")))
        }),
        "undeclared write",
    );

    // In an inner call the caller loses the gas it gave and goes on.
    let mut chain = Chain::new(swallow()).with_code(CONTRACT, &forward(CallOpcode::Call, PRECOMPILE, RETURN_ALL));
    let result = chain.send(CONTRACT, Bytes::new(), 0, 500_000);
    assert_eq!(result.output().map(|output| output.as_ref()), Some([0; 32].as_slice()), "{result:?}");
    assert!(result.tx_gas_used() > 200_000, "{result:?}");
    assert_eq!(chain.slot(PRECOMPILE, U256::from(1)), U256::ZERO);
}

#[test]
fn an_undeclared_access_loads_nothing() {
    let chain =
        Chain::new(Scripted::new([], |_, state| Ok(state.storage(STRANGER, U256::ONE).map(|_| Bytes::new())?)));
    let state = Context::mainnet()
        .with_db(chain.database.clone())
        .build_mainnet()
        .with_precompiles(chain.provider())
        .transact(call_precompile())
        .expect("a valid transaction")
        .state;
    assert!(!state.contains_key(&STRANGER), "{state:?}");
}

fn call_precompile() -> TxEnv {
    let tx = TxEnv::builder().caller(SENDER).kind(TxKind::Call(PRECOMPILE)).gas_limit(GAS_LIMIT);
    tx.build().expect("a transaction")
}

#[test]
fn static_calls_change_nothing() {
    type Change = fn(&mut dyn StateAccess) -> Result<(), AccessError>;
    let changes: [Change; 3] = [
        |state| write(state, 1),
        |state| state.transfer(PRECOMPILE, STRANGER, U256::ZERO),
        |state| state.log(&[B256::ZERO], Bytes::new()),
    ];
    for change in changes {
        let declared = [
            DeclaredAccess::write(own_slot(1)),
            DeclaredAccess::write(StateKey::Balance(PRECOMPILE)),
            DeclaredAccess::credit(STRANGER),
        ];
        let precompile = Scripted::new(declared, move |call, state| {
            let refused = change(state) == Err(AccessError::StaticCall);
            assert_eq!(refused, call.is_static);
            Ok(Bytes::new())
        });
        let mut chain = Chain::new(precompile)
            .with_code(CONTRACT, &forward(CallOpcode::StaticCall, PRECOMPILE, RETURN_ALL))
            // A plain call below a static one is static too.
            .with_code(STRANGER, &forward(CallOpcode::Call, PRECOMPILE, RETURN_ALL));
        let result = chain.send(CONTRACT, Bytes::new(), 0, 500_000);
        assert_eq!(result.output().map(|output| output.as_ref()), Some([0; 32].as_slice()), "{result:?}");
        assert!(result.logs().is_empty());

        let mut chain = chain.with_code(CONTRACT, &forward(CallOpcode::StaticCall, STRANGER, RETURN_ALL));
        let result = chain.send(CONTRACT, Bytes::new(), 0, 800_000);
        let output = result.output().expect("output");
        assert_eq!(output.len(), 64, "the middle contract returned the inner success flag: {result:?}");
        assert_eq!(U256::from_be_slice(&output[32..]), U256::ZERO, "{result:?}");
    }
}

#[test]
fn calls_under_another_identity_are_refused() {
    for opcode in [CallOpcode::DelegateCall, CallOpcode::CallCode] {
        let precompile = Scripted::new([], |_, _| panic!("the precompile must not run"));
        let mut chain = Chain::new(precompile).with_code(CONTRACT, &forward(opcode, PRECOMPILE, RETURN_ALL));
        let result = chain.send(CONTRACT, Bytes::new(), 1, 500_000);
        assert_eq!(result.output().map(|output| output.as_ref()), Some([0; 32].as_slice()), "{opcode:?}: {result:?}");
        assert!(result.tx_gas_used() > 200_000, "{opcode:?}: {result:?}");
    }
}

#[test]
fn storage_of_an_account_that_would_be_deleted_is_refused() {
    let mut chain = Chain::new(Scripted::new([DeclaredAccess::write(own_slot(1))], |_, state| {
        Ok(write(state, 1).map(|()| Bytes::new())?)
    }));
    chain.database.insert_account_info(PRECOMPILE, AccountInfo::from_balance(U256::from(1_000)));
    let result = chain.send(PRECOMPILE, Bytes::new(), 0, GAS_LIMIT);
    assert!(format!("{result:?}").contains("would be lost"), "{result:?}");
}

#[test]
fn payments_that_cannot_be_made_leave_the_call_running() {
    let declared = || {
        [
            DeclaredAccess::write(StateKey::Balance(PRECOMPILE)),
            DeclaredAccess::credit(STRANGER),
            DeclaredAccess::write(own_slot(1)),
        ]
    };
    let mut chain = Chain::new(Scripted::new(declared(), |_, state| {
        assert_eq!(state.transfer(PRECOMPILE, STRANGER, U256::from(4)), Err(AccessError::InsufficientBalance));
        assert_eq!(state.transfer(PRECOMPILE, STRANGER, U256::from(3)), Err(AccessError::BalanceOverflow));
        state.transfer(PRECOMPILE, PRECOMPILE, U256::from(3))?;
        state.transfer(PRECOMPILE, STRANGER, U256::from(2))?;
        write(state, 1)?;
        Ok(Bytes::new())
    }));
    chain.database.insert_account_info(STRANGER, AccountInfo::from_balance(U256::MAX - U256::from(2)));
    let result = chain.send(PRECOMPILE, Bytes::new(), 3, GAS_LIMIT);
    assert!(result.is_success(), "{result:?}");
    assert_eq!((chain.balance(PRECOMPILE), chain.balance(STRANGER)), (U256::ONE, U256::MAX));
    assert_eq!(chain.slot(PRECOMPILE, U256::ONE), U256::ONE);
}

#[test]
fn a_halt_of_the_precompile_s_own_takes_all_gas_and_gives_its_reason() {
    let halt = |_: &ChainCall<'_>, _: &mut dyn StateAccess| Err(ChainPrecompileError::Halt("bad proof".into()));
    assert_halts(Scripted::new([], halt), "bad proof");
    let result = Chain::new(Scripted::new([], halt)).send(PRECOMPILE, Bytes::new(), 0, GAS_LIMIT);
    assert_eq!(result.tx_gas_used(), GAS_LIMIT);
}

#[test]
fn sets_refuse_duplicates_and_ethereum_s_addresses() {
    let own = || -> Arc<dyn ChainPrecompile> { Arc::new(WrappedCoin::new(PRECOMPILE)) };
    let error = ChainPrecompiles::new([(PRECOMPILE, own()), (PRECOMPILE, own())]).expect_err("a duplicate");
    assert_eq!(error, ChainPrecompilesError::Duplicate(PRECOMPILE));
    for taken in [1, 0x11, 0x100].map(u64_to_address) {
        let error = ChainPrecompiles::new([(taken, own())]).expect_err("Ethereum's address");
        assert_eq!(error, ChainPrecompilesError::EthereumAddress(taken));
    }
}

#[test]
fn own_addresses_are_warm_beside_ethereum_s() {
    let chain = Chain::new(WrappedCoin::new(PRECOMPILE));
    for spec in [SpecId::BYZANTIUM, SpecId::BERLIN, SpecId::OSAKA] {
        let mut provider = chain.provider();
        provider.set_spec_id(spec);
        let ethereum = PrecompileSet::addresses(spec);
        assert_eq!(provider.warm_addresses().len(), ethereum.len() + 1);
        assert!(ethereum.iter().chain([&PRECOMPILE]).all(|address| provider.warm_addresses().contains(address)));
        assert!(provider.contains(&PRECOMPILE) && !provider.contains(&STRANGER));
    }
}

#[test]
fn a_provider_may_be_cloned_and_sent_to_workers() {
    fn assert_shareable<T: Clone + Send + Sync + 'static>() {}
    assert_shareable::<BraidPrecompiles>();
    assert!(size_of::<BraidPrecompiles>() <= 6 * size_of::<usize>(), "a clone stays a few words");
}

/// A database that fails on storage.
#[derive(Clone, Debug, Default)]
struct FailingStorage {
    forwarder: Option<Bytecode>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk is gone")]
struct DiskGone;

impl DBErrorMarker for DiskGone {}

impl Database for FailingStorage {
    type Error = DiskGone;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DiskGone> {
        let code = self.forwarder.clone().filter(|_| address == CONTRACT);
        let info = AccountInfo::default().with_nonce(u64::from(address != SENDER));
        Ok(Some(code.map_or(info.clone(), |code| info.with_code(code))))
    }

    fn code_by_hash(&mut self, _hash: B256) -> Result<Bytecode, DiskGone> {
        Ok(Bytecode::default())
    }

    fn storage(&mut self, _address: Address, _slot: U256) -> Result<U256, DiskGone> {
        Err(DiskGone)
    }

    fn block_hash(&mut self, _number: u64) -> Result<B256, DiskGone> {
        Err(DiskGone)
    }
}

#[test]
fn a_database_error_reaches_the_caller_of_the_evm_as_itself() {
    let chain = Chain::new(Scripted::new([DeclaredAccess::read(own_slot(1))], |_, state| {
        assert_eq!(state.storage(PRECOMPILE, U256::ONE), Err(AccessError::Database));
        Ok(Bytes::new())
    }));
    let forwarder = Bytecode::new_legacy(forward(CallOpcode::Call, PRECOMPILE, RETURN_ALL).into());
    for to in [PRECOMPILE, CONTRACT] {
        let mut evm = Context::mainnet()
            .with_db(FailingStorage { forwarder: Some(forwarder.clone()) })
            .build_mainnet()
            .with_precompiles(chain.provider());
        let tx = TxEnv::builder().caller(SENDER).kind(TxKind::Call(to)).gas_limit(500_000).build();
        let error = evm.transact(tx.expect("a transaction")).expect_err("the database's error");
        assert_eq!(error, EVMError::Database(DiskGone), "through {to}");
    }
}
