//! What a block does before its first transaction and after its last, over any database.
//!
//! [`pre_execution`] stores the parent hash (EIP-2935) and the beacon root (EIP-4788). [`post_execution`] collects the
//! requests (EIP-7685: deposits of EIP-6110 from the logs, then the queues of EIP-7002, 7251 and 8282), and pays block and
//! ommer rewards, withdrawals (EIP-4895) and, in one block of mainnet, the DAO (EIP-779). All state goes through the
//! [`Database`] and [`DatabaseCommit`] given, one commit per system call and one for the balances.
//!
//! The steps and their order are those of alloy-evm's `EthBlockExecutor`, which the serial oracle runs.

use crate::{
    BlockError, ChainSpec, DaoBalanceOutOfRange, Receipt, RecoveredBlock,
    block_checks::check_block,
    chain_spec::BlockRules,
    watched::{ReadFailed, Watched},
};
use alloy_eips::eip7685::Requests;
use alloy_evm::{
    EthEvm, Evm, EvmEnv,
    block::{BlockExecutionError, SystemCaller, state_changes::post_block_balance_increments},
    eth::{EthEvmBuilder, dao_fork, eip6110},
    precompiles::PrecompilesMap,
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{Address, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit,
    inspector::NoOpInspector,
    state::{Account, TransactionId},
};

/// System calls before the first transaction. Checks first that the block has the fields that its fork needs.
///
/// `env` is [`ChainSpec::evm_env`] of the block's header.
pub fn pre_execution<DB: Database + DatabaseCommit>(
    db: DB,
    env: EvmEnv,
    block: &RecoveredBlock,
    spec: &ChainSpec,
) -> Result<(), BlockError> {
    let rules = spec.at(block.header());
    check_block(block, &rules)?;
    let mut evm = system_evm(db, env);
    let result = SystemCaller::new(rules).apply_pre_execution_changes(block.header(), &mut evm);
    sort_failure(&mut evm, result)
}

/// System calls, rewards and withdrawals after the last transaction. Returns the requests, none before Prague.
///
/// `receipts` are those of all transactions of the block, in order; `env` is [`ChainSpec::evm_env`] of the block's header.
pub fn post_execution<DB: Database + DatabaseCommit>(
    db: DB,
    env: EvmEnv,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    receipts: &[Receipt],
) -> Result<Requests, BlockError> {
    let rules = spec.at(block.header());
    let mut evm = system_evm(db, env);
    let result = collect_requests(&mut evm, &rules, block, receipts);
    let requests = sort_failure(&mut evm, result)?;
    let result = pay_balances(&mut evm, &rules, block);
    match result {
        Ok(()) => Ok(requests),
        Err(PayError::Read(ReadFailed)) => Err(read_failure(&mut evm)),
        Err(PayError::Dao(source)) => Err(BlockError::Internal(Box::new(source))),
    }
}

type SystemEvm<DB> = EthEvm<Watched<DB>, NoOpInspector, PrecompilesMap>;

fn system_evm<DB: Database + DatabaseCommit>(db: DB, env: EvmEnv) -> SystemEvm<DB> {
    EthEvmBuilder::new(Watched::new(db), env).build()
}

fn collect_requests<DB: Database + DatabaseCommit>(
    evm: &mut SystemEvm<DB>,
    rules: &BlockRules<'_>,
    block: &RecoveredBlock,
    receipts: &[Receipt],
) -> Result<Requests, BlockExecutionError> {
    let mut requests = Requests::default();
    if rules.is_prague_active_at_timestamp(block.header().timestamp) {
        let deposits = eip6110::parse_deposits_from_receipts(rules, receipts)?;
        if !deposits.is_empty() {
            requests.push_request_with_type(eip6110::DEPOSIT_REQUEST_TYPE, deposits);
        }
        SystemCaller::new(*rules).append_post_execution_changes(evm, &mut requests)?;
    }
    Ok(requests)
}

enum PayError {
    Read(ReadFailed),
    Dao(DaoBalanceOutOfRange),
}

impl From<ReadFailed> for PayError {
    fn from(error: ReadFailed) -> Self {
        Self::Read(error)
    }
}

/// Applies every change of balance that no transaction makes, in one commit after the drain of the DAO.
fn pay_balances<DB: Database + DatabaseCommit>(
    evm: &mut SystemEvm<DB>,
    rules: &BlockRules<'_>,
    block: &RecoveredBlock,
) -> Result<(), PayError> {
    let mut increments = post_block_balance_increments(*rules, evm.block(), block.ommers(), block.withdrawals());
    if is_dao_block(rules, block.header().number) {
        let mut drained = AddressMap::default();
        let mut total = 0_u128;
        for address in dao_fork::DAO_HARDFORK_ACCOUNTS {
            let mut account = load(evm.db_mut(), address)?;
            let balance = std::mem::take(&mut account.info.balance);
            total = u128::try_from(balance)
                .ok()
                .and_then(|balance| total.checked_add(balance))
                .ok_or(PayError::Dao(DaoBalanceOutOfRange(address)))?;
            drained.insert(address, account);
        }
        evm.db_mut().commit(drained);
        *increments.entry(dao_fork::DAO_HARDFORK_BENEFICIARY).or_default() += total;
    }
    let mut paid = AddressMap::with_capacity_and_hasher(increments.len(), Default::default());
    for (address, amount) in increments {
        let mut account = load(evm.db_mut(), address)?;
        account.info.balance = account.info.balance.saturating_add(U256::from(amount));
        paid.insert(address, account);
    }
    if !paid.is_empty() {
        evm.db_mut().commit(paid);
    }
    Ok(())
}

/// Whether the irregular state change of the DAO happens in this block.
pub(crate) fn is_dao_block(rules: &BlockRules<'_>, number: u64) -> bool {
    rules.ethereum_fork_activation(EthereumHardfork::Dao).transitions_at_block(number)
}

/// The account as a touched account of an EVM state.
fn load<D: Database>(db: &mut D, address: Address) -> Result<Account, D::Error> {
    let mut account = match db.basic(address)? {
        Some(info) => Account::from(info),
        None => Account::new_not_existing(TransactionId::ZERO),
    };
    account.mark_touch();
    Ok(account)
}

fn sort_failure<DB: Database + DatabaseCommit, T>(
    evm: &mut SystemEvm<DB>,
    result: Result<T, BlockExecutionError>,
) -> Result<T, BlockError> {
    result.map_err(|error| match evm.db_mut().take_failure() {
        Some(cause) => BlockError::Database(cause),
        None => BlockError::from_alloy(error, None),
    })
}

fn read_failure<DB: Database + DatabaseCommit>(evm: &mut SystemEvm<DB>) -> BlockError {
    BlockError::Database(evm.db_mut().take_failure().unwrap_or_else(|| Box::new(ReadFailed)))
}
