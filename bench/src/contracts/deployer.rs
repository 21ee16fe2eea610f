//! Runs deployments and set-up transactions with plain revm, then freezes the state.

use super::{Artifact, ContractError};
use crate::{
    snapshot::Snapshot,
    workload::{NUMBER, TIMESTAMP},
};
use alloy_eips::{eip2935, eip4788, eip7002, eip7251};
use alloy_primitives::{Address, Bytes, TxKind, U256, address};
use alloy_sol_types::{SolCall, SolValue};
use revm::{
    Context, Database, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::TxEnv,
    context_interface::result::{ExecutionResult, Output},
    database::{CacheDB, EmptyDB},
    handler::{MainnetContext, MainnetEvm},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};

/// Gas limit of a set-up transaction.
const GAS: u64 = 1_000_000_000;

/// The world before any set-up: the system contracts of the Prague fork, ready to be called.
pub fn genesis() -> Snapshot {
    let mut snapshot = Snapshot::new();
    for (address, code) in system_contracts() {
        snapshot.set_code(address, code);
    }
    snapshot
}

fn system_contracts() -> [(Address, Bytecode); 4] {
    [
        (eip2935::HISTORY_STORAGE_ADDRESS, &eip2935::HISTORY_STORAGE_CODE),
        (eip4788::BEACON_ROOTS_ADDRESS, &eip4788::BEACON_ROOTS_CODE),
        (eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
        (eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
    ]
    .map(|(address, code)| (address, Bytecode::new_legacy(code.clone())))
}

/// A chain of set-up transactions without fees and block limits.
pub struct Deployer {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    /// The account that deploys and administers everything.
    pub admin: Address,
}

impl std::fmt::Debug for Deployer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deployer").field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Default for Deployer {
    fn default() -> Self {
        Self::new()
    }
}

impl Deployer {
    /// An empty Prague chain shortly before the generated blocks.
    pub fn new() -> Self {
        let mut database = CacheDB::new(EmptyDB::new());
        for (address, code) in system_contracts() {
            let info =
                AccountInfo { nonce: 1, code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
            database.insert_account_info(address, info);
        }
        let mut context = Context::mainnet().with_db(database).modify_cfg_chained(|cfg| {
            cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
            cfg.chain_id = 1;
            cfg.tx_gas_limit_cap = Some(u64::MAX);
            cfg.disable_nonce_check = true;
        });
        context.block.number = U256::from(NUMBER - 100);
        context.block.timestamp = U256::from(TIMESTAMP - 1200);
        context.block.gas_limit = u64::MAX;
        context.block.basefee = 0;
        let mut deployer =
            Self { evm: context.build_mainnet(), admin: address!("0xad00000000000000000000000000000000000001") };
        deployer.fund(deployer.admin, U256::from(10).pow(U256::from(27)));
        deployer
    }

    /// Gives an account `balance` wei out of nothing.
    pub fn fund(&mut self, account: Address, balance: U256) {
        let Ok(info) = self.evm.ctx.journaled_state.database.basic(account);
        let info = AccountInfo { balance, ..info.unwrap_or_default() };
        self.evm.ctx.journaled_state.database.insert_account_info(account, info);
    }

    /// Sets the nonce of an account, as if its set-up transactions had never been.
    pub fn set_nonce(&mut self, account: Address, nonce: u64) {
        let Ok(info) = self.evm.ctx.journaled_state.database.basic(account);
        let info = AccountInfo { nonce, ..info.unwrap_or_default() };
        self.evm.ctx.journaled_state.database.insert_account_info(account, info);
    }

    /// Lets time pass: the next transactions run in a later block.
    pub fn advance(&mut self, blocks: u64, seconds: u64) {
        self.evm.ctx.block.number += U256::from(blocks);
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    fn run(
        &mut self,
        what: &str,
        from: Address,
        to: TxKind,
        value: U256,
        input: Bytes,
    ) -> Result<Output, ContractError> {
        let transaction = TxEnv {
            caller: from,
            gas_limit: GAS,
            gas_price: 0,
            kind: to,
            value,
            data: input,
            chain_id: Some(1),
            ..TxEnv::default()
        };
        let failed = |outcome: String, output: Bytes| ContractError::Setup { what: what.to_owned(), outcome, output };
        match self.evm.transact_commit(transaction) {
            Ok(ExecutionResult::Success { output, .. }) => Ok(output),
            Ok(ExecutionResult::Revert { output, .. }) => Err(failed("a revert".to_owned(), output)),
            Ok(ExecutionResult::Halt { reason, .. }) => Err(failed(format!("{reason:?}"), Bytes::new())),
            Err(error) => Err(failed(error.to_string(), Bytes::new())),
        }
    }

    /// Deploys init code by a transaction of the administrator.
    pub fn deploy_code(&mut self, what: &str, code: Bytes) -> Result<Address, ContractError> {
        match self.run(what, self.admin, TxKind::Create, U256::ZERO, code)? {
            Output::Create(_, Some(address)) => Ok(address),
            output => Err(ContractError::Setup {
                what: what.to_owned(),
                outcome: "no address".to_owned(),
                output: output.into_data(),
            }),
        }
    }

    /// Deploys a contract whose constructor takes the ABI-encoded `arguments`.
    pub fn deploy(&mut self, name: &str, arguments: Vec<u8>) -> Result<Address, ContractError> {
        let mut code = Artifact::load(name)?.init_code()?.to_vec();
        code.extend(arguments);
        self.deploy_code(name, code.into())
    }

    /// Calls a contract and requires success.
    pub fn call<C: SolCall>(&mut self, from: Address, to: Address, call: C) -> Result<C::Return, ContractError> {
        self.call_with_value(from, to, U256::ZERO, call)
    }

    /// Calls a contract with `value` wei and requires success.
    pub fn call_with_value<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        call: C,
    ) -> Result<C::Return, ContractError> {
        let output = self.run(C::SIGNATURE, from, TxKind::Call(to), value, call.abi_encode().into())?;
        C::abi_decode_returns(output.data()).map_err(|source| ContractError::Decode {
            address: to,
            what: C::SIGNATURE,
            source: source.into(),
        })
    }

    /// What a call would return; the state stays as it is.
    pub fn ask<C: SolCall>(&mut self, to: Address, call: C) -> Result<C::Return, ContractError> {
        let transaction = TxEnv {
            caller: self.admin,
            gas_limit: GAS,
            gas_price: 0,
            kind: TxKind::Call(to),
            data: call.abi_encode().into(),
            chain_id: Some(1),
            ..TxEnv::default()
        };
        let outcome = self.evm.transact(transaction);
        let output = match &outcome {
            Ok(result) => result.result.output().cloned().unwrap_or_default(),
            Err(_) => Bytes::new(),
        };
        C::abi_decode_returns(&output).map_err(|source| ContractError::Decode {
            address: to,
            what: C::SIGNATURE,
            source: source.into(),
        })
    }

    /// Freezes the state.
    pub fn freeze(self) -> Snapshot {
        let cache = self.evm.ctx.journaled_state.database.cache;
        let mut snapshot = Snapshot::new();
        for (address, account) in cache.accounts {
            let Some(mut info) = account.info() else { continue };
            info.code = cache.contracts.get(&info.code_hash).cloned();
            snapshot.set_account(address, info);
            for (slot, value) in account.storage {
                snapshot.set_slot(address, slot, value);
            }
        }
        snapshot
    }
}

/// ABI encoding of constructor arguments.
pub fn arguments<V: SolValue>(values: &V) -> Vec<u8>
where
    for<'a> <V::SolType as alloy_sol_types::SolType>::Token<'a>: alloy_sol_types::abi::TokenSeq<'a>,
{
    values.abi_encode_params()
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::DatabaseRef;

    #[test]
    fn a_deployed_contract_is_in_the_snapshot() {
        let mut deployer = Deployer::new();
        // Init code that stores 7 in slot 1 and returns one byte of code (STOP).
        let code = [0x60, 0x07, 0x60, 0x01, 0x55, 0x60, 0x01, 0x5f, 0xf3];
        let address = deployer.deploy_code("test", code.to_vec().into()).unwrap();
        let snapshot = deployer.freeze();
        assert_eq!(snapshot.storage_ref(address, U256::from(1)).unwrap(), U256::from(7));
        let info = snapshot.basic_ref(address).unwrap().unwrap();
        assert_eq!(snapshot.code_by_hash_ref(info.code_hash).unwrap().original_byte_slice(), [0]);
    }
}
