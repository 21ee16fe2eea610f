//! State and blocks as a client wants them to be for a call.
//!
//! The rules are those of geth: an account with `state` loses all other storage, one with `stateDiff` keeps it; whatever is overridden at the
//! address of a precompile makes the precompile disappear there, and it can be moved elsewhere.

use crate::{RpcError, error::INVALID_PARAMS};
use alloy_consensus::Header;
use alloy_evm::{EvmEnv, precompiles::PrecompilesMap};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rpc_types_eth::{
    BlockOverrides,
    state::{AccountOverride, StateOverride},
};
use braid_chain::StateView;
use braid_runtime::ChainSpec;
use braid_storage::StorageError;
use revm::{
    DatabaseRef,
    context_interface::block::BlobExcessGasAndPrice,
    database::{AccountState, CacheDB},
    handler::EthPrecompiles,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};

use super::failure::CallFailure;

/// The state of a call: what it changes lies above what is stored.
pub(crate) type CallState = CacheDB<CallBase>;

/// What is stored, as calls see it: a call may believe to be in any block, so the hash of a block that is not there is zero.
#[derive(Clone, Debug)]
pub(crate) struct CallBase(pub(crate) StateView);

impl DatabaseRef for CallBase {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        self.0.basic_ref(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        self.0.code_by_hash_ref(code_hash)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        self.0.storage_ref(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        if number > self.0.block().number {
            return Ok(B256::ZERO);
        }
        self.0.block_hash_ref(number)
    }
}

/// A precompile was to be moved to its own address.
pub(crate) const MOVED_TO_ITSELF: i32 = -38022;

/// The precompiles of a fork.
pub(crate) fn precompiles(spec: SpecId) -> PrecompilesMap {
    PrecompilesMap::from_static(EthPrecompiles::new(spec).precompiles)
}

/// Makes the state and the precompiles as they are wanted.
pub(crate) fn apply_state(
    overrides: &StateOverride,
    state: &mut CallState,
    precompiles: &mut PrecompilesMap,
) -> Result<(), CallFailure> {
    move_precompiles(overrides, precompiles)?;
    overrides.iter().try_for_each(|(address, account)| apply_account(*address, account, state))
}

fn move_precompiles(overrides: &StateOverride, precompiles: &mut PrecompilesMap) -> Result<(), RpcError> {
    let mut moves = Vec::new();
    for (from, account) in overrides {
        let Some(to) = account.move_precompile_to else { continue };
        if precompiles.get(from).is_none() {
            return Err(RpcError::server(format!("account {from} is not a precompile")));
        }
        if *from == to {
            return Err(RpcError::new(MOVED_TO_ITSELF, format!("account {from} is moved to itself")));
        }
        if overrides.contains_key(&to) {
            return Err(RpcError::server(format!("account {to} is already overridden")));
        }
        moves.push((*from, to));
    }
    // Of two that are moved to one address the last remains.
    moves.sort_unstable();
    precompiles.move_precompiles(moves).map_err(|error| RpcError::server(error.to_string()))?;
    for address in overrides.keys() {
        if precompiles.get(address).is_some() {
            precompiles.apply_precompile(address, |_| None);
        }
    }
    Ok(())
}

fn apply_account(address: Address, wanted: &AccountOverride, state: &mut CallState) -> Result<(), CallFailure> {
    if wanted.state.is_some() && wanted.state_diff.is_some() {
        let message = format!("account {address} has both 'state' and 'stateDiff'");
        return Err(RpcError::server(message).into());
    }
    let mut info = state.load_account(address)?.info.clone();
    if let Some(nonce) = wanted.nonce {
        info.nonce = nonce;
    }
    if let Some(balance) = wanted.balance {
        info.balance = balance;
    }
    if let Some(code) = &wanted.code {
        let parsed = Bytecode::new_raw_checked(code.clone());
        let parsed = parsed.map_err(|error| RpcError::new(INVALID_PARAMS, format!("code of {address}: {error}")))?;
        info.code_hash = keccak256(code);
        info.code = Some(parsed);
    }
    state.insert_account_info(address, info);
    if let Some(storage) = &wanted.state {
        let storage = storage.iter().map(|(slot, value)| ((*slot).into(), (*value).into()));
        state.replace_account_storage(address, storage.collect())?;
    }
    for (slot, value) in wanted.state_diff.iter().flatten() {
        state.insert_account_storage(address, (*slot).into(), (*value).into())?;
    }
    let account = state.load_account(address)?;
    if account.account_state != AccountState::StorageCleared {
        account.account_state = AccountState::Touched;
    }
    Ok(())
}

/// Makes the block as it is wanted. The rules of the EVM are those that hold at the new number and time.
pub(crate) fn apply_block(
    overrides: &BlockOverrides,
    header: &Header,
    spec: &ChainSpec,
    state: &mut CallState,
) -> Result<EvmEnv, RpcError> {
    if overrides.beacon_root.is_some() {
        return Err(RpcError::invalid_params("block override \"beaconRoot\" is not supported for this RPC method"));
    }
    let mut header = header.clone();
    if let Some(number) = overrides.number {
        header.number = number.saturating_to();
    }
    if let Some(time) = overrides.time {
        header.timestamp = time;
    }
    if let Some(gas_limit) = overrides.gas_limit {
        header.gas_limit = gas_limit;
    }
    if let Some(beneficiary) = overrides.coinbase {
        header.beneficiary = beneficiary;
    }
    if let Some(base_fee) = overrides.base_fee {
        header.base_fee_per_gas = Some(base_fee.saturating_to());
    }
    let mut environment = spec.evm_env(&header);
    if let Some(number) = overrides.number {
        environment.block_env.number = number;
    }
    apply_to_environment(overrides, &mut environment);
    if let Some(hashes) = &overrides.block_hash {
        state.cache.block_hashes.extend(hashes.iter().map(|(number, hash)| (U256::from(*number), *hash)));
    }
    Ok(environment)
}

/// What no header says, or what would make the header look like one of another fork.
pub(crate) fn apply_to_environment(overrides: &BlockOverrides, environment: &mut EvmEnv) {
    let spec = *environment.spec_id();
    let block = &mut environment.block_env;
    if let Some(difficulty) = overrides.difficulty {
        block.difficulty = difficulty;
    }
    if spec.is_enabled_in(SpecId::MERGE) {
        block.prevrandao = Some(overrides.random.or(block.prevrandao).unwrap_or_default());
    }
    if spec.is_enabled_in(SpecId::CANCUN) {
        let blob = block
            .blob_excess_gas_and_price
            .get_or_insert(BlobExcessGasAndPrice { excess_blob_gas: 0, blob_gasprice: 1 });
        if let Some(price) = overrides.blob_base_fee {
            blob.blob_gasprice = price.saturating_to();
        }
    }
}
