//! Builds block after block until nothing is left.

use super::{BuildingError, Pool, PoolSize, waiting::Waiting};
use crate::{
    chain::Chain as Rules,
    engine::spec_of,
    genesis::genesis,
    snapshot::Snapshot,
    workload::{BENEFICIARY, Case, TIMESTAMP},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use braid_chain::{
    Chain, ChainOptions, ExecutionEngine, block_change,
    execution_engine::ForkChoiceState,
    payload::{Arrangement, BuiltPayload, OrderOptions, PayloadAttributes},
};
use braid_runtime::{Block, ChainSpec, EngineConfig, Outputs, RecoveredBlock, oracle::execute_serial};
use braid_storage::{BlockChange, Database};
use revm::state::AccountInfo;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Blocks after which a pool that is not empty counts as stuck.
const MOST_BLOCKS: usize = 32;

/// A way of building blocks.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Its name.
    pub name: &'static str,
    /// What it sets.
    pub options: OrderOptions,
}

/// All policies; the first is what the others are compared with.
pub const POLICIES: &[Policy] = &[
    Policy { name: "fees", options: OrderOptions::FEES },
    Policy { name: "spreading", options: OrderOptions { spreading: true, ..OrderOptions::FEES } },
    Policy { name: "selection", options: OrderOptions { selection: true, ..OrderOptions::FEES } },
    Policy { name: "both", options: OrderOptions { selection: true, spreading: true, ..OrderOptions::FEES } },
    Policy {
        name: "selection, 5 %",
        options: OrderOptions { selection: true, tip_tolerance: 500, ..OrderOptions::FEES },
    },
];

/// One block that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// What its beneficiary earned, in wei.
    pub tips: U256,
    /// What ordering did, if it looked.
    pub arrangement: Option<Arrangement>,
    /// Executions until it was found.
    pub passes: u32,
}

/// Blocks that a pool became.
#[derive(Clone, Debug)]
pub struct Drained {
    /// The blocks that taught the chain.
    pub lesson: Vec<Case>,
    /// The blocks, each with the state before it.
    pub cases: Vec<Case>,
    /// What is known of them.
    pub built: Vec<Built>,
    /// Of each transaction of the pool the block that it is in, from 0, and whether it is contended.
    pub delays: Vec<(usize, bool)>,
}

/// The state after a block.
fn advance(state: &mut Snapshot, change: &BlockChange) {
    change.contracts.iter().for_each(|(hash, code)| state.add_code(*hash, code.clone()));
    for account in &change.accounts {
        if account.storage_wiped || account.present.is_none() {
            state.remove(account.address);
        }
        if let Some(record) = account.present {
            let (nonce, balance, code_hash) = (record.nonce, record.balance, record.code_hash);
            state.set_account(account.address, AccountInfo { nonce, balance, code_hash, ..AccountInfo::default() });
        }
    }
    let gone: HashSet<Address> =
        change.accounts.iter().filter(|account| account.present.is_none()).map(|account| account.address).collect();
    for slot in change.slots.iter().filter(|slot| !gone.contains(&slot.address)) {
        state.set_slot(slot.address, slot.slot, slot.present);
    }
}

/// A chain on which blocks are built, with its state at hand for executing them again.
struct Site {
    chain: Chain,
    spec: ChainSpec,
    state: Arc<Snapshot>,
    gas_limit: u64,
}

impl Site {
    fn new(pool: &Pool, size: &PoolSize, policy: &Policy) -> Result<Self, BuildingError> {
        let spec = spec_of(&Rules::prague());
        let genesis = genesis(&spec, pool.snapshot.to_change(), size.block_gas);
        let database = Database::in_memory(&genesis, Default::default())?;
        // With several threads the engine learns what calls touch, which is what ordering goes by.
        let execution = EngineConfig { threads: 3, lessons_per_block: 4096, ..EngineConfig::default() };
        let options = ChainOptions { execution, order: policy.options, ..ChainOptions::default() };
        let chain = Chain::new(database, spec.clone(), options)?;
        Ok(Self { chain, spec, state: Arc::new(pool.snapshot.clone()), gas_limit: size.block_gas })
    }

    fn attributes(&self) -> PayloadAttributes {
        let number = self.chain.head().number + 1;
        PayloadAttributes {
            timestamp: TIMESTAMP + 12 * number,
            fee_recipient: BENEFICIARY,
            prev_randao: keccak256(number.to_be_bytes()),
            gas_limit: Some(self.gas_limit),
            ..PayloadAttributes::default()
        }
    }

    /// Makes a block that was built the head, and executes it serially: what it starts from is kept with it.
    fn adopt(&mut self, built: &BuiltPayload) -> Result<Case, BuildingError> {
        let executed = &built.block;
        self.chain.set_head(executed.layer.block().hash)?;
        let block = Block { header: executed.header.clone(), body: executed.body.clone() };
        let block = RecoveredBlock::new_unchecked(block, built.senders.clone());
        let before = Arc::clone(&self.state);
        let outcome =
            execute_serial(&*before, &block, &self.spec, Outputs::default()).map_err(crate::side::SideError::Engine)?;
        if outcome.gas_used != executed.header.gas_used {
            let (is, was) = (outcome.gas_used, executed.header.gas_used);
            return Err(BuildingError::Wrong(format!("a block that used {was} gas uses {is} when executed again")));
        }
        let mut after = Snapshot::clone(&before);
        advance(&mut after, &block_change(outcome.diff));
        self.state = Arc::new(after);
        let name = executed.header.number.to_string();
        Ok(Case { name, snapshot: before, block, chain: Rules::prague() })
    }
}

/// Teaches a chain and builds blocks of a pool on it, by the door through which consensus asks for them.
pub fn drain(pool: &Pool, size: &PoolSize, policy: &Policy) -> Result<Drained, BuildingError> {
    let mut site = Site::new(pool, size, policy)?;
    let mut lesson = Vec::new();
    let mut left = pool.lesson.clone();
    while !left.is_empty() {
        let taught = site.chain.build(site.chain.head().hash, &site.attributes(), left.clone())?;
        let hashes: HashSet<B256> = taught.block.body.transactions.iter().map(|tx| *tx.tx_hash()).collect();
        left.retain(|transaction| !hashes.contains(transaction.tx_hash()));
        if hashes.is_empty() {
            return Err(BuildingError::Wrong(format!("lessons cannot be executed: {:?}", taught.invalid)));
        }
        lesson.push(site.adopt(&taught)?);
    }
    let mut waiting: Vec<_> = pool.waiting.iter().map(|(transaction, _)| transaction.clone()).collect();
    let (mut cases, mut all) = (Vec::new(), Vec::new());
    let mut places = HashMap::new();
    while !waiting.is_empty() {
        site.chain.set_transaction_source(Arc::new(Waiting(waiting.clone())));
        let state = ForkChoiceState { head: site.chain.head().hash, ..ForkChoiceState::default() };
        let asked = site.chain.update_fork_choice(state, Some(site.attributes()))?;
        let payload = asked.payload.and_then(|id| site.chain.payload(id));
        let Some(built) = payload.filter(|built| !built.senders.is_empty() && cases.len() < MOST_BLOCKS) else {
            return Err(BuildingError::Wrong(format!("{} transactions get into no block", waiting.len())));
        };
        let hashes: HashSet<B256> = built.block.body.transactions.iter().map(|tx| *tx.tx_hash()).collect();
        places.extend(hashes.iter().map(|hash| (*hash, cases.len())));
        waiting.retain(|transaction| !hashes.contains(transaction.tx_hash()));
        cases.push(site.adopt(&built)?);
        all.push(Built { tips: built.value, arrangement: built.arrangement, passes: built.passes });
    }
    let delays = (pool.waiting.iter())
        .filter_map(|(transaction, is_hot)| Some((*places.get(transaction.tx_hash())?, *is_hot)))
        .collect();
    Ok(Drained { lesson, cases, built: all, delays })
}
