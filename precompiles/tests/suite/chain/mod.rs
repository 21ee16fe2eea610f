//! A chain's precompiles inside an EVM.
//!
//! * `wrapped_coin`: the example, from success to rollback;
//! * `rules`: what is refused, and that refusal cannot be swallowed;
//! * `pricing`: state access costs what the opcodes cost, under every fork.

mod pricing;
mod rules;
mod wrapped_coin;

use braid_precompiles::{
    BraidPrecompiles, ChainCall, ChainPrecompile, ChainPrecompileError, ChainPrecompiles, DeclaredAccess,
    DeclaredAccesses, StateAccess,
};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext,
    context::TxEnv,
    context_interface::result::ExecutionResult,
    database::InMemoryDB,
    primitives::{Address, Bytes, TxKind, U256, hardfork::SpecId},
    state::{AccountInfo, Bytecode},
};
use std::{fmt, sync::Arc};

pub(crate) const SENDER: Address = Address::new([0x51; 20]);
/// Where the precompile under test lies.
pub(crate) const PRECOMPILE: Address = Address::new([0xc0; 20]);
/// Where contracts of a test lie.
pub(crate) const CONTRACT: Address = Address::new([0xf0; 20]);

type Body = dyn Fn(&ChainCall<'_>, &mut dyn StateAccess) -> Result<Bytes, ChainPrecompileError> + Send + Sync;

/// A precompile whose declaration and body are given by the test.
pub(crate) struct Scripted {
    declared: DeclaredAccesses,
    body: Box<Body>,
}

impl Scripted {
    pub(crate) fn new(
        declared: impl IntoIterator<Item = DeclaredAccess>,
        body: impl Fn(&ChainCall<'_>, &mut dyn StateAccess) -> Result<Bytes, ChainPrecompileError> + Send + Sync + 'static,
    ) -> Self {
        Self { declared: declared.into_iter().collect(), body: Box::new(body) }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Scripted").field(&self.declared).finish()
    }
}

impl ChainPrecompile for Scripted {
    fn required_gas(&self, _input: &[u8]) -> u64 {
        0
    }

    fn declared_accesses(&self, _input: &[u8], _caller: Address) -> DeclaredAccesses {
        self.declared.clone()
    }

    fn run(&self, call: &ChainCall<'_>, state: &mut dyn StateAccess) -> Result<Bytes, ChainPrecompileError> {
        (self.body)(call, state)
    }
}

/// A chain with one precompile, and its state.
pub(crate) struct Chain {
    pub(crate) database: InMemoryDB,
    pub(crate) spec: SpecId,
    precompiles: Arc<ChainPrecompiles>,
    nonce: u64,
}

impl Chain {
    pub(crate) fn new(precompile: impl ChainPrecompile + 'static) -> Self {
        let precompile: Arc<dyn ChainPrecompile> = Arc::new(precompile);
        let precompiles = ChainPrecompiles::new([(PRECOMPILE, precompile)]).expect("a free address");
        let mut database = InMemoryDB::default();
        database.insert_account_info(SENDER, AccountInfo::from_balance(U256::from(10).pow(U256::from(21))));
        database.insert_account_info(PRECOMPILE, AccountInfo::default().with_nonce(1));
        Self { database, spec: SpecId::OSAKA, precompiles: Arc::new(precompiles), nonce: 0 }
    }

    /// The same chain under another fork.
    pub(crate) fn under(mut self, spec: SpecId) -> Self {
        self.spec = spec;
        self
    }

    pub(crate) fn with_code(mut self, address: Address, code: &[u8]) -> Self {
        let code = Bytecode::new_legacy(Bytes::copy_from_slice(code));
        self.database.insert_account_info(address, AccountInfo::default().with_nonce(1).with_code(code));
        self
    }

    pub(crate) fn provider(&self) -> BraidPrecompiles {
        BraidPrecompiles::new(self.spec, None, Some(self.precompiles.clone()))
    }

    /// Sends a transaction and commits what it did.
    pub(crate) fn send(&mut self, to: Address, data: Bytes, value: u64, gas_limit: u64) -> ExecutionResult {
        let provider = self.provider();
        let tx = TxEnv::builder()
            .caller(SENDER)
            .nonce(self.nonce)
            .kind(TxKind::Call(to))
            .data(data)
            .value(U256::from(value))
            .gas_limit(gas_limit)
            .build()
            .expect("a transaction");
        let result = Context::mainnet()
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(self.spec))
            .with_db(&mut self.database)
            .build_mainnet()
            .with_precompiles(provider)
            .transact_commit(tx)
            .expect("a valid transaction");
        self.nonce += 1;
        result
    }

    pub(crate) fn slot(&self, address: Address, slot: U256) -> U256 {
        let account = self.database.cache.accounts.get(&address);
        account.and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default()
    }

    pub(crate) fn balance(&self, address: Address) -> U256 {
        self.database.cache.accounts.get(&address).map(|account| account.info.balance).unwrap_or_default()
    }
}

/// Opcodes with which a contract may call.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum CallOpcode {
    Call = 0xf1,
    CallCode = 0xf2,
    DelegateCall = 0xf4,
    StaticCall = 0xfa,
}

/// Code that hands its call data and value to `to` with 200,000 gas, keeps the success flag in memory word 0 and the
/// output behind it, then runs `then`.
pub(crate) fn forward(opcode: CallOpcode, to: Address, then: &[u8]) -> Vec<u8> {
    let mut code = vec![0x36, 0x5f, 0x5f, 0x37]; // calldatacopy(0, 0, calldatasize)
    code.extend([0x5f, 0x5f, 0x36, 0x5f]); // out size, out offset, in size, in offset
    if matches!(opcode, CallOpcode::Call | CallOpcode::CallCode) {
        code.push(0x34); // callvalue
    }
    code.push(0x73); // push20
    code.extend(to.as_slice());
    code.extend([0x62, 0x03, 0x0d, 0x40, opcode as u8]); // gas, call
    code.extend([0x5f, 0x52]); // mem[0] = success
    code.extend([0x3d, 0x5f, 0x60, 0x20, 0x3e]); // returndatacopy(32, 0, size)
    code.extend(then);
    code
}

/// `return(0, 32 + returndatasize)`.
pub(crate) const RETURN_ALL: &[u8] = &[0x3d, 0x60, 0x20, 0x01, 0x5f, 0xf3];
/// `revert(0, 0)`.
pub(crate) const REVERT: &[u8] = &[0x5f, 0x5f, 0xfd];
