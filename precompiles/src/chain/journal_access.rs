//! [`StateAccess`] over an EVM context: checks the declaration, prices the access, goes through the journal.
//!
//! Each access runs in the same order: earlier failure, static call, declaration, gas, journal. The declaration is
//! checked before anything is loaded, so an undeclared access leaves no trace; a cold load is skipped when the gas
//! does not cover it, as the opcodes do, so the recorded accesses agree with what was paid for.

use super::{
    access::{AccessError, StateAccess},
    declaration::{AccessMode, DeclaredAccesses, StateKey},
};
use revm::{
    bytecode::opcode,
    context_interface::{
        Cfg, ContextTr, Host, JournalTr,
        cfg::{GasParams, gas},
        host::LoadError,
    },
    interpreter::{GasTracker, instructions::gas_table_spec},
    primitives::{Address, B256, Bytes, Log, U256, hardfork::SpecId},
};

/// Topics that a log may have.
const MAX_TOPICS: usize = 4;

/// The state as one call of a chain precompile may use it.
#[derive(Debug)]
pub(super) struct JournalAccess<'a, CTX> {
    context: &'a mut CTX,
    declared: &'a DeclaredAccesses,
    /// The precompile's own address, which logs are emitted from.
    address: Address,
    is_static: bool,
    spec: SpecId,
    /// Gas of `SLOAD` and `BALANCE` before anything cold is added.
    storage_read_gas: u64,
    account_access_gas: u64,
    gas: GasTracker,
    /// The failure that doomed the call.
    failure: Option<AccessError>,
}

/// What the adapter needs of an account that it has loaded.
struct LoadedAccount {
    balance: U256,
    /// Empty as the fork sees it (EIP-161).
    is_empty: bool,
    /// Whether the account stays when its balance is spent.
    is_lasting: bool,
}

impl<'a, CTX> JournalAccess<'a, CTX>
where
    CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>,
{
    pub(super) fn new(
        context: &'a mut CTX,
        declared: &'a DeclaredAccesses,
        address: Address,
        is_static: bool,
        gas: GasTracker,
    ) -> Self {
        let spec = context.cfg().spec();
        let table = gas_table_spec(spec);
        Self {
            context,
            declared,
            address,
            is_static,
            spec,
            storage_read_gas: u64::from(table[usize::from(opcode::SLOAD)]),
            account_access_gas: u64::from(table[usize::from(opcode::BALANCE)]),
            gas,
            failure: None,
        }
    }

    /// The gas account and what doomed the call, if anything did.
    pub(super) fn into_outcome(self) -> (GasTracker, Option<AccessError>) {
        (self.gas, self.failure)
    }

    fn fail<T>(&mut self, error: AccessError) -> Result<T, AccessError> {
        if !error.is_recoverable() {
            self.failure = Some(error);
        }
        Err(error)
    }

    fn fail_load<T>(&mut self, error: LoadError) -> Result<T, AccessError> {
        self.fail(match error {
            LoadError::ColdLoadSkipped => AccessError::OutOfGas,
            LoadError::DBError => AccessError::Database,
        })
    }

    /// Refuses everything once the call is doomed.
    fn check_not_doomed(&self) -> Result<(), AccessError> {
        self.failure.map_or(Ok(()), Err)
    }

    fn check_may_change_state(&mut self) -> Result<(), AccessError> {
        if self.is_static { self.fail(AccessError::StaticCall) } else { Ok(()) }
    }

    fn check_access(&mut self, key: StateKey, mode: AccessMode) -> Result<(), AccessError> {
        self.check_not_doomed()?;
        if mode.changes_state() {
            self.check_may_change_state()?;
        }
        if self.declared.covers(key, mode) { Ok(()) } else { self.fail(AccessError::Undeclared { key, mode }) }
    }

    fn gas_params(&self) -> &GasParams {
        self.context.gas_params()
    }

    fn record_cost(&mut self, cost: u64) -> Result<(), AccessError> {
        if self.gas.record_regular_cost(cost) { Ok(()) } else { self.fail(AccessError::OutOfGas) }
    }

    fn record_state_cost(&mut self, cost: u64) -> Result<(), AccessError> {
        if self.gas.record_state_cost(cost) { Ok(()) } else { self.fail(AccessError::OutOfGas) }
    }

    /// Loads an account and charges what a cold one costs more than a warm one (EIP-2929).
    fn load_account(&mut self, address: Address) -> Result<LoadedAccount, AccessError> {
        let cold_cost = self.gas_params().cold_account_additional_cost();
        let skip_cold_load = self.gas.remaining() < cold_cost;
        let load = self.context.load_account_info_skip_cold_load(address, false, skip_cold_load).map(|load| {
            let account = LoadedAccount {
                balance: load.account.balance,
                is_empty: load.is_empty,
                is_lasting: load.account.nonce != 0 || !load.account.is_empty_code_hash(),
            };
            (account, load.is_cold)
        });
        match load {
            Ok((account, is_cold)) => {
                if is_cold {
                    self.record_cost(cold_cost)?;
                }
                Ok(account)
            }
            Err(error) => self.fail_load(error),
        }
    }
}

impl<CTX> StateAccess for JournalAccess<'_, CTX>
where
    CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>,
{
    fn gas_remaining(&self) -> u64 {
        self.gas.remaining()
    }

    fn charge(&mut self, gas: u64) -> Result<(), AccessError> {
        self.check_not_doomed()?;
        self.record_cost(gas)
    }

    fn balance(&mut self, address: Address) -> Result<U256, AccessError> {
        self.check_access(StateKey::Balance(address), AccessMode::Read)?;
        self.record_cost(self.account_access_gas)?;
        Ok(self.load_account(address)?.balance)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, AccessError> {
        self.check_access(StateKey::Storage(address, slot), AccessMode::Read)?;
        self.record_cost(self.storage_read_gas)?;
        self.load_account(address)?;

        let cold_cost = self.gas_params().cold_storage_additional_cost();
        let skip_cold_load = self.gas.remaining() < cold_cost;
        match self.context.sload_skip_cold_load(address, slot, skip_cold_load) {
            Ok(load) => {
                if load.is_cold {
                    self.record_cost(cold_cost)?;
                }
                Ok(load.data)
            }
            Err(error) => self.fail_load(error),
        }
    }

    fn set_storage(&mut self, address: Address, slot: U256, value: U256) -> Result<(), AccessError> {
        self.check_access(StateKey::Storage(address, slot), AccessMode::Write)?;
        let is_istanbul = self.spec.is_enabled_in(SpecId::ISTANBUL);
        if is_istanbul && self.gas.remaining() <= self.gas_params().call_stipend() {
            return self.fail(AccessError::OutOfGas);
        }
        self.record_cost(self.gas_params().sstore_static_gas())?;
        if !self.load_account(address)?.is_lasting {
            return self.fail(AccessError::EphemeralAccount(address));
        }

        let skip_cold_load = self.gas.remaining() < self.gas_params().cold_storage_cost();
        let load = match self.context.sstore_skip_cold_load(address, slot, value, skip_cold_load) {
            Ok(load) => load,
            Err(error) => return self.fail_load(error),
        };
        self.record_cost(self.gas_params().sstore_dynamic_gas(is_istanbul, &load.data, load.is_cold))?;
        if self.context.is_amsterdam_eip8037_enabled() {
            self.record_state_cost(self.gas_params().sstore_state_gas(&load.data))?;
            let refill = self.gas_params().sstore_state_gas_refill(&load.data);
            if refill > 0 {
                self.gas.refill_reservoir(refill);
            }
        }
        let refund = self.gas_params().sstore_refund(is_istanbul, &load.data);
        self.gas.record_refund(refund);
        Ok(())
    }

    fn transfer(&mut self, from: Address, to: Address, amount: U256) -> Result<(), AccessError> {
        self.check_access(StateKey::Balance(from), AccessMode::Write)?;
        self.check_access(StateKey::Balance(to), AccessMode::Credit)?;
        self.record_cost(self.account_access_gas)?;
        let payer = self.load_account(from)?;
        self.record_cost(self.account_access_gas)?;
        let receiver = self.load_account(to)?;
        if amount.is_zero() {
            // Nothing to move, and touching the receiver could delete it (EIP-161).
            return Ok(());
        }

        self.record_cost(self.gas_params().transfer_value_cost())?;
        if payer.balance < amount {
            return self.fail(AccessError::InsufficientBalance);
        }
        // The journal does not undo the payer's half of a transfer that overflows, so none may be tried.
        if from != to && receiver.balance.checked_add(amount).is_none() {
            return self.fail(AccessError::BalanceOverflow);
        }
        if receiver.is_empty {
            let is_spurious_dragon = self.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON);
            self.record_cost(self.gas_params().new_account_cost(is_spurious_dragon, true))?;
            if self.context.is_amsterdam_eip8037_enabled() {
                self.record_state_cost(self.gas_params().new_account_state_gas())?;
            }
        }
        // Both accounts are loaded and the amount fits, so the journal has no reason left to refuse.
        let refused = self.context.journal_mut().transfer_loaded(from, to, amount);
        assert!(refused.is_none(), "transfer of {amount} from {from} to {to} refused: {refused:?}");
        Ok(())
    }

    fn log(&mut self, topics: &[B256], data: Bytes) -> Result<(), AccessError> {
        self.check_not_doomed()?;
        self.check_may_change_state()?;
        let topics = &topics[..topics.len().min(MAX_TOPICS)];
        let cost = gas::LOG.saturating_add(self.gas_params().log_cost(topics.len() as u8, data.len() as u64));
        self.record_cost(cost)?;
        self.context.log(Log::new_unchecked(self.address, topics.to_vec(), data));
        Ok(())
    }
}
