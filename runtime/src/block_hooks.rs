//! What a block does before its first transaction and after its last, over any database.
//!
//! [`pre_execution`] moves the ether of the DAO in the one block where that happens (EIP-779), then stores the parent hash
//! (EIP-2935) and the beacon root (EIP-4788). [`post_execution`] collects the requests (EIP-7685: deposits of EIP-6110 from
//! the logs, then the queues of EIP-7002, 7251 and 8282), then pays block and ommer rewards and withdrawals (EIP-4895). All
//! state goes through the [`Database`] and [`DatabaseCommit`] given, one commit per system call and one for the balances.
//!
//! The steps and their order are those of alloy-evm's `EthBlockExecutor`, which the serial oracle runs, but for the DAO: see
//! [`BlockRules::is_dao_block`].

use crate::{
    BlockError, ChainSpec, Receipt, RecoveredBlock,
    block_checks::check_block,
    chain_spec::BlockRules,
    watched::{ReadFailed, Watched},
};
use alloy_eips::eip7685::Requests;
use alloy_evm::{
    EthEvm, EvmEnv,
    block::{BlockExecutionError, SystemCaller, state_changes::post_block_balance_increments},
    eth::{EthEvmBuilder, dao_fork, eip6110},
    precompiles::PrecompilesMap,
};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit,
    context::BlockEnv,
    inspector::NoOpInspector,
    state::{Account, TransactionId},
};

/// System calls (and the DAO fork) before the first transaction. Checks first that the block has the fields that its fork needs.
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
    if spec.has_transactions_only() {
        return Ok(());
    }
    let mut db = Watched::new(db);
    if rules.is_dao_block(block.header().number) {
        apply_dao_fork(&mut db, &rules, block.header().number).map_err(|error| read_failure(&mut db, error))?;
    }
    // An EVM costs more than a small block: made only for the forks that call contracts here.
    let timestamp = block.header().timestamp;
    if !rules.is_cancun_active_at_timestamp(timestamp) && !rules.is_prague_active_at_timestamp(timestamp) {
        return Ok(());
    }
    let result = SystemCaller::new(rules).apply_pre_execution_changes(block.header(), &mut system_evm(&mut db, env));
    sort_failure(&mut db, result)
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
    let mut requests = Requests::default();
    if spec.has_transactions_only() {
        return Ok(requests);
    }
    let rules = spec.at(block.header());
    let mut db = Watched::new(db);
    let block_env = env.block_env.clone();
    if rules.is_prague_active_at_timestamp(block.header().timestamp) {
        let result = collect_requests(&mut db, env, &rules, receipts);
        requests = sort_failure(&mut db, result)?;
    }
    pay_balances(&mut db, &block_env, &rules, block).map_err(|error| read_failure(&mut db, error))?;
    Ok(requests)
}

fn system_evm<DB: Database + DatabaseCommit>(
    db: &mut Watched<DB>,
    env: EvmEnv,
) -> EthEvm<&mut Watched<DB>, NoOpInspector, PrecompilesMap> {
    EthEvmBuilder::new(db, env).build()
}

fn collect_requests<DB: Database + DatabaseCommit>(
    db: &mut Watched<DB>,
    env: EvmEnv,
    rules: &BlockRules<'_>,
    receipts: &[Receipt],
) -> Result<Requests, BlockExecutionError> {
    let mut requests = Requests::default();
    let deposits = eip6110::parse_deposits_from_receipts(rules, receipts)?;
    if !deposits.is_empty() {
        requests.push_request_with_type(eip6110::DEPOSIT_REQUEST_TYPE, deposits);
    }
    SystemCaller::new(*rules).append_post_execution_changes(&mut system_evm(db, env), &mut requests)?;
    Ok(requests)
}

/// Applies the rewards and withdrawals in one commit.
fn pay_balances<DB: Database + DatabaseCommit>(
    db: &mut Watched<DB>,
    env: &BlockEnv,
    rules: &BlockRules<'_>,
    block: &RecoveredBlock,
) -> Result<(), ReadFailed> {
    let increments = post_block_balance_increments(*rules, env, block.ommers(), block.withdrawals());
    let mut paid = AddressMap::with_capacity_and_hasher(increments.len(), Default::default());
    for (address, amount) in increments {
        let mut account = load(db, address)?;
        account.info.balance = account.info.balance.saturating_add(U256::from(amount));
        paid.insert(address, account);
    }
    if !paid.is_empty() {
        db.commit(paid);
    }
    Ok(())
}

/// Moves the ether of the DAO, its children and the extra-balance account to the refund contract (EIP-779), in one commit.
///
/// As in geth, all these accounts exist afterwards, even those left with nothing, because EIP-161 came later.
pub(crate) fn apply_dao_fork<DB: Database + DatabaseCommit>(
    db: &mut DB,
    rules: &BlockRules<'_>,
    number: u64,
) -> Result<(), DB::Error> {
    let mut moved = AddressMap::default();
    let mut total = U256::ZERO;
    for address in dao_fork::DAO_HARDFORK_ACCOUNTS {
        let mut account = load(db, address)?;
        total = total.saturating_add(std::mem::take(&mut account.info.balance));
        moved.insert(address, account);
    }
    let mut refund = load(db, dao_fork::DAO_HARDFORK_BENEFICIARY)?;
    refund.info.balance = refund.info.balance.saturating_add(total);
    moved.insert(dao_fork::DAO_HARDFORK_BENEFICIARY, refund);
    if !rules.is_spurious_dragon_active_at_block(number) {
        // The database deletes what is touched and empty, unless it was created.
        moved.values_mut().filter(|account| account.is_empty()).for_each(Account::mark_created);
    }
    db.commit(moved);
    Ok(())
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

fn sort_failure<DB, T>(db: &mut Watched<DB>, result: Result<T, BlockExecutionError>) -> Result<T, BlockError> {
    result.map_err(|error| match db.take_failure() {
        Some(cause) => BlockError::Database(cause),
        None => BlockError::from_alloy(error, None),
    })
}

fn read_failure<DB>(db: &mut Watched<DB>, error: ReadFailed) -> BlockError {
    BlockError::Database(db.take_failure().unwrap_or_else(|| Box::new(error)))
}
