//! Accounts are changed, and impersonated.

use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_primitives::{Address, B256, Bytes, U256};
use braid_chain::StateEdit;

/// Largest code that can be put somewhere, in bytes: no limit of the protocol, but a hint at a mistake.
const MOST_CODE: usize = 8 << 20;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "anvil_setBalance(address: Address, balance: Quantity) -> Bool",
        "Gives an account another balance, in wei.",
        |backend, (address, balance): (Address, Number)| edit(backend, StateEdit::Balance(address, balance.0)),
    );
    for alias in ["hardhat_setBalance", "tenderly_setBalance", "evm_setAccountBalance"] {
        methods.alias(alias, "anvil_setBalance");
    }
    methods.slow(
        "anvil_addBalance(address: Address, amount: Quantity) -> Bool",
        "Adds to the balance of an account, in wei.",
        |backend, (address, amount): (Address, Number)| {
            let account = backend.state(None)?.account(address)?;
            let balance = account.map_or(U256::ZERO, |account| account.balance).saturating_add(amount.0);
            edit(backend, StateEdit::Balance(address, balance))
        },
    );
    for alias in ["hardhat_addBalance", "tenderly_addBalance"] {
        methods.alias(alias, "anvil_addBalance");
    }
    methods.slow(
        "anvil_setNonce(address: Address, nonce: Quantity) -> Bool",
        "Gives an account another nonce.",
        |backend, (address, nonce): (Address, Number)| {
            let nonce =
                u64::try_from(nonce.0).map_err(|_| RpcError::invalid_params("invalid argument 1: nonce above 2^64"))?;
            edit(backend, StateEdit::Nonce(address, nonce))
        },
    );
    for alias in ["hardhat_setNonce", "evm_setAccountNonce"] {
        methods.alias(alias, "anvil_setNonce");
    }
    methods.slow(
        "anvil_setCode(address: Address, code: Data) -> Bool",
        "Puts code at an address.",
        |backend, (address, code): (Address, Bytes)| {
            if code.len() > MOST_CODE {
                return Err(RpcError::invalid_params(format!(
                    "invalid argument 1: code of more than {MOST_CODE} bytes"
                )));
            }
            edit(backend, StateEdit::Code(address, code))
        },
    );
    for alias in ["hardhat_setCode", "evm_setAccountCode"] {
        methods.alias(alias, "anvil_setCode");
    }
    methods.slow(
        "anvil_setStorageAt(address: Address, slot: Quantity, value: Hash) -> Bool",
        "Gives a storage slot another value.",
        |backend, (address, slot, value): (Address, Number, Number)| {
            edit(backend, StateEdit::Slot(address, slot.0, value.0))
        },
    );
    methods.alias("hardhat_setStorageAt", "anvil_setStorageAt");
    methods.quick(
        "anvil_impersonateAccount(address: Address) -> Bool",
        "Lets eth_sendTransaction send from an account without its key.",
        |backend, (address,): (Address,)| {
            backend.accounts().impersonate(address);
            Ok(true)
        },
    );
    methods.alias("hardhat_impersonateAccount", "anvil_impersonateAccount");
    methods.quick(
        "anvil_stopImpersonatingAccount(address: Address) -> Bool",
        "Takes the key for an account to be necessary again.",
        |backend, (address,): (Address,)| {
            backend.accounts().stop_impersonating(address);
            Ok(true)
        },
    );
    methods.alias("hardhat_stopImpersonatingAccount", "anvil_stopImpersonatingAccount");
    methods.quick(
        "anvil_autoImpersonateAccount(enabled: Bool) -> Bool",
        "Lets eth_sendTransaction send from every account, or no longer.",
        |backend, (enabled,): (bool,)| {
            backend.accounts().set_auto_impersonate(enabled);
            Ok(true)
        },
    );
    methods.alias("hardhat_autoImpersonateAccount", "anvil_autoImpersonateAccount");
    methods.quick(
        "anvil_dropTransaction(hash: Hash) -> Hash?",
        "Takes a transaction out of the pool.",
        |backend, (hash,): (B256,)| Ok(backend.pool().remove(&hash).map(|_| hash)),
    );
    methods.quick(
        "hardhat_dropTransaction(hash: Hash) -> Bool",
        "Takes a transaction out of the pool.",
        |backend, (hash,): (B256,)| Ok(backend.pool().remove(&hash).is_some()),
    );
    methods.quick("anvil_dropAllTransactions() -> Bool", "Empties the pool.", |backend, (): ()| {
        backend.pool().clear();
        Ok(true)
    });
    methods.alias("hardhat_dropAllTransactions", "anvil_dropAllTransactions");
    methods.quick(
        "anvil_removePoolTransactions(address: Address) -> Bool",
        "Takes all transactions of an account out of the pool.",
        |backend, (address,): (Address,)| {
            backend.pool().remove_sender(address);
            Ok(true)
        },
    );
}

/// One change of the state.
fn edit(backend: &Backend, edit: StateEdit) -> Result<bool, RpcError> {
    backend.required_producer()?.edit(&[edit])?;
    Ok(true)
}
