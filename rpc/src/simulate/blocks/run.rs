//! One simulated block after the other.
//!
//! A block is its header as far as it is known before, the overrides of the state, the system calls of its fork, the transactions, the system calls
//! at the end, withdrawals and rewards; then the roots are computed and the header is complete, so the next block can stand on it.

use super::{
    change::state_root,
    logs::LogWatcher,
    reply::{Outcome, SimulatedBlock},
    request::{PlannedBlock, SimulateRequest},
    transaction::{Unsigned, unsigned},
};
use crate::{
    RpcError,
    error::{INTERNAL, INVALID_PARAMS},
    simulate::{
        evm::{CallEvm, Checks},
        failure::{Attempt, CallFailure, NotExecuted},
        overrides::{CallState, apply_state, apply_to_environment, precompiles},
        request::{Call, NO_GAS_CAP},
        time_limit::Deadline,
    },
};
use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, TxReceipt as _,
    proofs::{calculate_receipt_root, calculate_withdrawals_root, ordered_trie_root_with_encoder},
};
use alloy_eips::{eip4788::SYSTEM_ADDRESS, eip4844::DATA_GAS_PER_BLOB, eip7685::Requests};
use alloy_evm::{
    EvmEnv,
    block::{BlockExecutionError, SystemCaller, state_changes::post_block_balance_increments},
    eth::{EthEvmBuilder, eip6110},
};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Bloom, U256, map::AddressSet};
use alloy_rpc_types_eth::TransactionRequest;
use braid_chain::consensus::{next_base_fee, next_excess_blob_gas};
use braid_runtime::{Block, ChainSpec, Receipt, Transaction};
use braid_storage::Snapshot;
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    context_interface::result::{ExecutionResult, InvalidTransaction},
    database::AccountState,
    primitives::hardfork::SpecId,
};
use std::cmp::Ordering;

const NONCE_TOO_LOW: i32 = -38010;
const NONCE_TOO_HIGH: i32 = -38011;
const FEE_TOO_LOW: i32 = -38012;
const INTRINSIC_GAS: i32 = -38013;
const INSUFFICIENT_FUNDS: i32 = -38014;
const BLOCK_GAS_LIMIT: i32 = -38015;
const SENDER_HAS_CODE: i32 = -38024;
const INIT_CODE_TOO_LARGE: i32 = -38025;

/// A simulation at work.
pub(super) struct Simulator<'a> {
    spec: &'a ChainSpec,
    state: CallState,
    base: Snapshot,
    /// The last block.
    parent: Header,
    /// Accounts that were destroyed.
    wiped: AddressSet,
    /// Gas that all calls together may still use.
    gas_left: u64,
    deadline: Deadline,
    validates: bool,
    with_transfers: bool,
}

impl<'a> Simulator<'a> {
    /// On the state of `base`, after the block `parent`. `gas_cap` is for all calls together, in gas; zero is no limit.
    pub(super) fn new(
        spec: &'a ChainSpec,
        (state, base, parent): (CallState, Snapshot, Header),
        request: &SimulateRequest,
        gas_cap: u64,
        deadline: Deadline,
    ) -> Self {
        Self {
            spec,
            state,
            base,
            parent,
            wiped: AddressSet::default(),
            gas_left: if gas_cap == 0 { NO_GAS_CAP } else { gas_cap },
            deadline,
            validates: request.validation,
            with_transfers: request.trace_transfers,
        }
    }

    /// Simulates the next block.
    pub(super) fn run(&mut self, block: &PlannedBlock) -> Result<SimulatedBlock, CallFailure> {
        if self.deadline.is_over() {
            return Err(CallFailure::TimeIsOver(self.deadline.message()));
        }
        let mut header = self.header(block);
        let mut environment = self.spec.evm_env(&header);
        apply_to_environment(&block.header.fields, &mut environment);
        let mut set = precompiles(*environment.spec_id());
        apply_state(&block.state, &mut self.state, &mut set)?;
        let rules = self.spec.at(&header);
        let mut system = EthEvmBuilder::new(&mut self.state, environment.clone()).build();
        let result = SystemCaller::new(rules).apply_pre_execution_changes(&header, &mut system);
        drop(system);
        result.map_err(|error| self.system_failure(&error))?;

        let watcher = LogWatcher::new(self.with_transfers);
        let mut run = Transactions { header: &header, gas_used: 0, receipts: Vec::new(), done: Vec::new() };
        let Self { state, wiped, gas_left, deadline, validates, .. } = self;
        let mut evm = CallEvm::new(state, environment.clone(), set, *deadline, watcher);
        for request in &block.calls {
            run.one(&mut evm, request, &environment, gas_left, *validates, wiped)?;
        }
        drop(evm);
        let Transactions { gas_used, receipts, done, .. } = run;
        let (transactions, outcomes): (Vec<_>, Vec<_>) = done.into_iter().unzip();

        if rules.is_prague_active_at_timestamp(header.timestamp) {
            let requests = self.requests(&header, &environment, &receipts)?;
            header.requests_hash = Some(requests.requests_hash());
        }
        let withdrawals =
            header.withdrawals_root.map(|_| block.header.withdrawals.clone().unwrap_or_default().into_inner());
        self.pay(&header, &environment, withdrawals.as_deref())?;

        let blobs =
            |unsigned: &Unsigned| unsigned.transaction.as_eip4844().map_or(0, |tx| tx.tx().blob_versioned_hashes.len());
        let blob_gas = transactions.iter().map(blobs).sum::<usize>() as u64 * DATA_GAS_PER_BLOB;
        header.blob_gas_used = header.excess_blob_gas.map(|_| blob_gas);
        header.gas_used = gas_used;
        header.withdrawals_root = withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
        header.transactions_root = ordered_trie_root_with_encoder(&transactions, |unsigned: &Unsigned, out| {
            out.extend_from_slice(&unsigned.encoded);
        });
        let receipts: Vec<_> = receipts.into_iter().map(Receipt::into_with_bloom).collect();
        header.receipts_root = calculate_receipt_root(&receipts);
        header.logs_bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.logs_bloom);
        let clears_empty = environment.spec_id().is_enabled_in(SpecId::SPURIOUS_DRAGON);
        header.state_root = state_root(&self.base, &self.state, &self.wiped, clears_empty)?;
        let hash = header.hash_slow();
        self.state.cache.block_hashes.insert(U256::from(header.number), hash);
        self.parent = header.clone();
        let size = size(&header, &transactions, withdrawals.as_deref());
        Ok(SimulatedBlock { header, hash, size, withdrawals, transactions, outcomes })
    }

    /// The header as far as it is known before the transactions are executed.
    fn header(&self, block: &PlannedBlock) -> Header {
        let (parent, wanted, spec) = (&self.parent, &block.header.fields, self.spec);
        let (number, timestamp) = (block.number, block.time);
        let is_merged = parent.difficulty.is_zero()
            || spec.is_paris_active_at_block(number)
            || spec.is_shanghai_active_at_timestamp(timestamp);
        let mut header = Header {
            parent_hash: parent.hash_slow(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: wanted.coinbase.unwrap_or(parent.beneficiary),
            difficulty: if is_merged { U256::ZERO } else { wanted.difficulty.unwrap_or(parent.difficulty) },
            number,
            gas_limit: wanted.gas_limit.unwrap_or(parent.gas_limit),
            timestamp,
            mix_hash: wanted.random.unwrap_or_default(),
            ..Header::default()
        };
        if spec.is_london_active_at_block(number) {
            // Without validation most calls have no price, and that has to cover the base fee.
            let usual = || if self.validates { next_base_fee(parent, spec) } else { Some(0) };
            header.base_fee_per_gas = wanted.base_fee.map(|fee| fee.saturating_to()).or_else(usual);
        }
        if spec.is_shanghai_active_at_timestamp(timestamp) {
            header.withdrawals_root = Some(alloy_consensus::EMPTY_ROOT_HASH);
        }
        if let Some(params) = spec.blob_params(timestamp) {
            let follows = parent.excess_blob_gas.is_some();
            header.excess_blob_gas = Some(if follows { next_excess_blob_gas(parent, params) } else { 0 });
            header.parent_beacon_block_root = Some(wanted.beacon_root.unwrap_or_default());
        }
        if spec.is_amsterdam_active_at_timestamp(timestamp) {
            header.slot_number = Some(parent.slot_number.map_or(0, |slot| slot + 1));
        }
        header
    }

    /// What the block asks of the consensus layer.
    fn requests(
        &mut self,
        header: &Header,
        environment: &EvmEnv,
        receipts: &[Receipt],
    ) -> Result<Requests, CallFailure> {
        let rules = self.spec.at(header);
        let mut requests = Requests::default();
        let deposits = eip6110::parse_deposits_from_receipts(rules, receipts).map_err(RpcError::internal)?;
        if !deposits.is_empty() {
            requests.push_request_with_type(eip6110::DEPOSIT_REQUEST_TYPE, deposits);
        }
        let mut system = EthEvmBuilder::new(&mut self.state, environment.clone()).build();
        let collected = SystemCaller::new(rules).append_post_execution_changes(&mut system, &mut requests);
        drop(system);
        collected.map_err(|error| self.system_failure(&error))?;
        Ok(requests)
    }

    /// Why a system call failed: if the state cannot be read any more, that is why.
    fn system_failure(&self, error: &BlockExecutionError) -> CallFailure {
        match self.state.db.basic_ref(SYSTEM_ADDRESS) {
            Err(unreadable) => unreadable.into(),
            Ok(_) => RpcError::internal(error).into(),
        }
    }

    /// Pays withdrawals and rewards.
    fn pay(
        &mut self,
        header: &Header,
        environment: &EvmEnv,
        withdrawals: Option<&[alloy_eips::eip4895::Withdrawal]>,
    ) -> Result<(), CallFailure> {
        let rules = self.spec.at(header);
        let paid = post_block_balance_increments::<Header>(rules, &environment.block_env, &[], withdrawals);
        for (address, amount) in paid {
            let account = self.state.load_account(address)?;
            account.info.balance = account.info.balance.saturating_add(U256::from(amount));
            if account.account_state != AccountState::StorageCleared {
                account.account_state = AccountState::Touched;
            }
        }
        Ok(())
    }
}

/// The transactions of a block.
struct Transactions<'a> {
    header: &'a Header,
    gas_used: u64,
    receipts: Vec<Receipt>,
    done: Vec<(Unsigned, Outcome)>,
}

impl Transactions<'_> {
    fn one(
        &mut self,
        evm: &mut CallEvm<&mut CallState, LogWatcher>,
        request: &TransactionRequest,
        environment: &EvmEnv,
        gas_left: &mut u64,
        validates: bool,
        wiped: &mut AddressSet,
    ) -> Result<(), CallFailure> {
        let mut request = request.clone();
        let sender = request.from.unwrap_or_default();
        let nonce = evm.db().basic(sender)?.map_or(0, |account| account.nonce);
        request.nonce.get_or_insert(nonce);
        let gas_limit = self.header.gas_limit;
        let gas = request.gas.unwrap_or(gas_limit.saturating_sub(self.gas_used));
        if self.gas_used.saturating_add(gas) > gas_limit {
            let message = format!("block gas limit reached: {} >= {gas_limit}", self.gas_used);
            return Err(RpcError::new(BLOCK_GAS_LIMIT, message).into());
        }
        if *gas_left == 0 {
            return Err(RpcError::new(BLOCK_GAS_LIMIT, "the gas cap of the node is used up").into());
        }
        request.gas = Some(gas);
        let call = Call::new(&request, environment, *gas_left)?;
        let unsigned = unsigned(&request, &call.transaction);
        let checks = Checks { base_fee: validates || !call.fees.is_free(), nonce: validates };
        let attempt = Attempt::new(&call.transaction, environment.block_env.basefee);
        // Of several reasons the nonce is told first.
        let result = match wrong_nonce(call.transaction.nonce, nonce).filter(|_| validates) {
            Some(invalid) => Err(NotExecuted::Invalid(invalid)),
            None => evm.inspect(call.transaction, checks).map_err(NotExecuted::from),
        };
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(NotExecuted::Failed(failure)) => return Err(failure),
            Err(NotExecuted::Invalid(invalid)) => {
                let code = code(&invalid);
                let error = RpcError::from(NotExecuted::Invalid(invalid).into_failure(&attempt));
                return Err(RpcError { code, ..error }.into());
            }
        };
        wiped.extend(
            outcome.state.iter().filter(|(_, account)| account.is_selfdestructed()).map(|(address, _)| *address),
        );
        evm.db().commit(outcome.state);
        let used = outcome.result.tx_gas_used();
        self.gas_used += used;
        *gas_left = gas_left.saturating_sub(used);
        self.receipts.push(receipt(&unsigned.transaction, &outcome.result, self.gas_used));
        let logs = evm.inspector().take();
        self.done.push((unsigned, Outcome { logs, result: outcome.result }));
        Ok(())
    }
}

fn wrong_nonce(tx: u64, state: u64) -> Option<InvalidTransaction> {
    match tx.cmp(&state) {
        Ordering::Less => Some(InvalidTransaction::NonceTooLow { tx, state }),
        Ordering::Greater => Some(InvalidTransaction::NonceTooHigh { tx, state }),
        Ordering::Equal => (tx == u64::MAX).then_some(InvalidTransaction::NonceOverflowInTransaction),
    }
}

fn receipt(transaction: &Transaction, result: &ExecutionResult, cumulative_gas_used: u64) -> Receipt {
    let logs = if result.is_success() { result.logs().to_vec() } else { Vec::new() };
    Receipt { tx_type: transaction.tx_type(), success: result.is_success(), cumulative_gas_used, logs }
}

/// Code of the error for a transaction that cannot be executed.
const fn code(invalid: &InvalidTransaction) -> i32 {
    match invalid {
        InvalidTransaction::NonceTooLow { .. } => NONCE_TOO_LOW,
        InvalidTransaction::NonceTooHigh { .. } => NONCE_TOO_HIGH,
        InvalidTransaction::GasPriceLessThanBasefee => FEE_TOO_LOW,
        InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
        | InvalidTransaction::GasFloorMoreThanGasLimit { .. } => INTRINSIC_GAS,
        InvalidTransaction::LackOfFundForMaxFee { .. } | InvalidTransaction::OverflowPaymentInTransaction => {
            INSUFFICIENT_FUNDS
        }
        InvalidTransaction::RejectCallerWithCode => SENDER_HAS_CODE,
        InvalidTransaction::CreateInitCodeSizeLimit => INIT_CODE_TOO_LARGE,
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => INVALID_PARAMS,
        _ => INTERNAL,
    }
}

/// Length of the block's RLP, in bytes.
fn size(header: &Header, transactions: &[Unsigned], withdrawals: Option<&[alloy_eips::eip4895::Withdrawal]>) -> usize {
    let body = alloy_consensus::BlockBody {
        transactions: transactions.iter().map(|unsigned| unsigned.transaction.clone()).collect(),
        ommers: Vec::new(),
        withdrawals: withdrawals.map(|withdrawals| withdrawals.to_vec().into()),
    };
    Block::rlp_length_for(header, &body)
}
