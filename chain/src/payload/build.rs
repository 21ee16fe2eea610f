//! A block is made: a header that follows from the parent, the candidates that can be executed, and what execution says.

use super::{
    Arrangement, GasUse, HeaderOverrides, OrderOptions, PayloadAttributes, Waits,
    order::{self, Frame},
};
use crate::{
    ChainError, InvalidReason,
    consensus::{gas_limits, next_base_fee, next_difficulty, next_excess_blob_gas, parent_gas_limit},
    execution::{block_change, early_receipts_root, missing_system_contract},
};
use alloy_consensus::{
    BlockBody, EMPTY_OMMER_ROOT_HASH, Header, Transaction as _,
    proofs::{calculate_transaction_root, calculate_withdrawals_root},
    transaction::Recovered,
};
use alloy_eips::{eip7685::Requests, eip7928::compute_block_access_list_hash};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, U256};
use braid_runtime::{
    AccessHints, Block, BlockError, BlockOutcome, ChainSpec, Engine, InvalidBlock, Outputs, RecoveredBlock,
    Transaction,
    oracle::{self, Admission, LeftOut},
    predict::BlockContext,
};
use braid_storage::{ExecutedBlock, Layer, Snapshot};
use std::sync::Arc;

/// A block that was built, and executed on the way.
#[derive(Clone, Debug)]
pub struct BuiltPayload {
    /// The block with its receipts and its state change.
    pub block: Arc<ExecutedBlock>,
    /// Senders, in the order of the transactions.
    pub senders: Vec<Address>,
    /// Requests to the consensus layer (EIP-7685).
    pub requests: Requests,
    /// What the fee recipient earns by tips, in wei.
    pub value: U256,
    /// Candidates that cannot be executed, with the reason. What the same senders sent after them was left out too.
    pub invalid: Vec<(B256, String)>,
    /// What ordering did, if it looked at the candidates.
    pub arrangement: Option<Arrangement>,
    /// How often candidates were executed until the block was found: once if all of them could be, at most three times.
    pub passes: u32,
    /// Sum of the difficulties from the first block to this one.
    pub(crate) total_difficulty: U256,
}

/// The header of a block to be built, as far as it is known before its transactions are.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    header: Header,
    withdrawals: Option<alloy_eips::eip4895::Withdrawals>,
    total_difficulty: U256,
}

impl Template {
    /// The header that follows from a parent and the attributes.
    pub(crate) fn new(
        parent: &Header,
        parent_total_difficulty: U256,
        attributes: &PayloadAttributes,
        spec: &ChainSpec,
    ) -> Self {
        let timestamp = attributes.timestamp;
        let mut header = Header {
            parent_hash: parent.hash_slow(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: attributes.fee_recipient,
            number: parent.number + 1,
            timestamp,
            mix_hash: attributes.prev_randao,
            extra_data: attributes.extra_data.clone(),
            ..Header::default()
        };
        if spec.terminal_total_difficulty().is_none_or(|total| parent_total_difficulty < total) {
            header.difficulty = next_difficulty(parent, timestamp, spec);
        }
        header.base_fee_per_gas = next_base_fee(parent, spec);
        let parent_limit = parent_gas_limit(parent, spec);
        let limits = gas_limits(parent_limit);
        header.gas_limit = attributes.gas_limit.unwrap_or(parent_limit).min(*limits.end()).max(*limits.start());
        let withdrawals =
            spec.is_shanghai_active_at_timestamp(timestamp).then(|| attributes.withdrawals.clone().unwrap_or_default());
        header.withdrawals_root = withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
        if let Some(params) = spec.blob_params(timestamp) {
            header.excess_blob_gas = Some(next_excess_blob_gas(parent, params));
            header.blob_gas_used = Some(0);
            header.parent_beacon_block_root = Some(attributes.parent_beacon_block_root.unwrap_or_default());
        }
        if spec.is_amsterdam_active_at_timestamp(timestamp) {
            header.slot_number = Some(attributes.slot_number.unwrap_or_default());
        }
        let total_difficulty = parent_total_difficulty.saturating_add(header.difficulty);
        Self { header, withdrawals, total_difficulty }
    }

    /// The same with some things otherwise.
    pub(crate) fn with(mut self, overrides: &HeaderOverrides) -> Self {
        let header = &mut self.header;
        if header.base_fee_per_gas.is_some() {
            header.base_fee_per_gas = overrides.base_fee.or(header.base_fee_per_gas);
        }
        if header.excess_blob_gas.is_some() {
            header.excess_blob_gas = overrides.excess_blob_gas.or(header.excess_blob_gas);
        }
        header.gas_limit = overrides.gas_limit.unwrap_or(header.gas_limit);
        self
    }

    /// Base fee of the block, in wei; zero before London.
    pub(crate) fn base_fee(&self) -> u64 {
        self.header.base_fee_per_gas.unwrap_or_default()
    }

    /// The header so far.
    pub(crate) fn into_header(self) -> Header {
        self.header
    }

    /// The block with these transactions, whose header lacks what only execution tells.
    fn block(&self, transactions: Vec<Recovered<Transaction>>) -> RecoveredBlock {
        let (transactions, senders): (Vec<_>, Vec<_>) = transactions.into_iter().map(Recovered::into_parts).unzip();
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: self.withdrawals.clone() };
        with_senders(Block { header: self.header.clone(), body }, senders)
    }

    /// Gas limit of the block.
    pub(crate) const fn gas_limit(&self) -> u64 {
        self.header.gas_limit
    }
}

/// Candidates that were executed.
struct Executed {
    /// Those that could be.
    block: RecoveredBlock,
    outcome: BlockOutcome,
    invalid: Vec<(B256, String)>,
    passes: u32,
}

/// Fills templates.
pub(crate) struct Builder<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) parent: &'a Snapshot,
    pub(crate) spec: &'a ChainSpec,
    pub(crate) gas_use: &'a mut GasUse,
    pub(crate) order: &'a OrderOptions,
    pub(crate) waits: &'a mut Waits,
}

impl Builder<'_> {
    /// Makes the block of a template with those of the candidates that fit and can be executed, in their order but for what the order of blocks is set to change.
    pub(crate) fn build(
        mut self,
        template: Template,
        candidates: Vec<Recovered<Transaction>>,
    ) -> Result<BuiltPayload, ChainError> {
        let (chosen, arrangement) = self.choose(&template, candidates);
        let Executed { block, outcome, invalid, passes } = self.execute(template.block(chosen))?;
        self.gas_use.learn(block.transactions(), &outcome.receipts);
        let built = self.seal(block, outcome, template.total_difficulty)?;
        Ok(BuiltPayload { invalid, passes, arrangement, ..built })
    }

    /// Executes candidates, at most three times: as they are; without those that no longer fit, if those before used more gas than was expected;
    /// and if one of them cannot be executed, one after the other, where all that fail are left out at once.
    fn execute(&mut self, mut block: RecoveredBlock) -> Result<Executed, ChainError> {
        const ENGINE_PASSES: u32 = 2;
        let is_amsterdam = self.spec.is_amsterdam_active_at_timestamp(block.header().timestamp);
        let outputs = Outputs { access_list: is_amsterdam, ..Outputs::default() };
        let mut passes = 0;
        while passes < ENGINE_PASSES {
            passes += 1;
            match self.engine.execute_block(self.parent, &block, self.spec, AccessHints::Predicted, outputs) {
                Ok(outcome) => return Ok(Executed { block, outcome, invalid: Vec::new(), passes }),
                Err(BlockError::Invalid(InvalidBlock::BlockGasExceeded { index, .. })) => {
                    block = keep(block, |position| position < index);
                }
                Err(BlockError::Invalid(InvalidBlock::Transaction { .. })) => break,
                Err(error) => return Err(error.into()),
            }
        }
        let Admission { outcome, left_out } = oracle::execute_admitting(self.parent, &block, self.spec, outputs)?;
        let mut is_left_out = vec![false; block.transactions().len()];
        let mut invalid = Vec::new();
        for LeftOut { index, reason } in left_out {
            is_left_out[index] = true;
            if let Some(reason @ InvalidBlock::Transaction { .. }) = reason {
                invalid.push((*block.transactions()[index].tx_hash(), reason.to_string()));
            }
        }
        let block = keep(block, |position| !is_left_out[position]);
        Ok(Executed { block, outcome, invalid, passes: passes + 1 })
    }

    /// The candidates that fit into the block by the gas that they will probably use, and by their blobs, in the order of the block.
    fn choose(
        &mut self,
        template: &Template,
        candidates: Vec<Recovered<Transaction>>,
    ) -> (Vec<Recovered<Transaction>>, Option<Arrangement>) {
        let header = &template.header;
        let params = self.spec.blob_params(header.timestamp);
        let frame = Frame {
            parent: self.parent,
            block: BlockContext {
                number: header.number,
                timestamp: header.timestamp,
                beneficiary: header.beneficiary,
                base_fee: template.base_fee(),
            },
            gas: header.gas_limit,
            blob_gas: params.map_or(0, |params| params.max_blob_gas_per_block()),
        };
        let Self { engine, gas_use, order, waits, .. } = self;
        order::arrange(candidates, &frame, engine.predictor(), order, waits, gas_use)
    }

    /// Fills the header in with what execution says.
    fn seal(
        &mut self,
        block: RecoveredBlock,
        mut outcome: BlockOutcome,
        total_difficulty: U256,
    ) -> Result<BuiltPayload, ChainError> {
        let change = block_change(std::mem::take(&mut outcome.diff));
        let (update, (receipts_root, bloom)) =
            rayon::join(|| self.parent.state_after(&change), || outcome.receipts_root_and_bloom());
        let update = update?;
        if self.spec.is_prague_active_at_timestamp(block.header().timestamp)
            && let Some(missing) = missing_system_contract(self.parent, &change)?
        {
            return Err(InvalidReason::NoSystemContract(missing).into());
        }
        let is_byzantium = self.spec.is_byzantium_active_at_block(block.header().number);
        let receipts_root =
            if is_byzantium { receipts_root } else { early_receipts_root(self.parent, &block, self.spec)? };
        let senders = block.senders().to_vec();
        let Block { mut header, body } = block.into_block();
        header.state_root = update.state_root();
        header.transactions_root = calculate_transaction_root(&body.transactions);
        header.receipts_root = receipts_root;
        header.logs_bloom = bloom;
        header.gas_used = outcome.gas_used;
        if self.spec.is_prague_active_at_timestamp(header.timestamp) {
            header.requests_hash = Some(outcome.requests.requests_hash());
        }
        header.block_access_list_hash = outcome.access_list.as_ref().map(|list| compute_block_access_list_hash(list));
        let value = tips(&header, &body.transactions, &outcome);
        let layer = Layer::new(header.number, header.hash_slow(), header.parent_hash, change, update);
        let block = ExecutedBlock { header, body, receipts: outcome.receipts, layer: Arc::new(layer) };
        Ok(BuiltPayload {
            block: Arc::new(block),
            senders,
            requests: outcome.requests,
            value,
            invalid: Vec::new(),
            arrangement: None,
            passes: 1,
            total_difficulty,
        })
    }
}

/// A block with its senders; its blob gas is filled in, from Cancun on.
fn with_senders(mut block: Block, senders: Vec<Address>) -> RecoveredBlock {
    if let Some(used) = &mut block.header.blob_gas_used {
        *used = block.body.transactions.iter().filter_map(|tx| tx.blob_gas_used()).sum();
    }
    RecoveredBlock::new_unchecked(block, senders)
}

/// The block with those of its transactions whose position is wanted.
fn keep(block: RecoveredBlock, is_wanted: impl Fn(usize) -> bool) -> RecoveredBlock {
    fn retain<T>(list: &mut Vec<T>, is_wanted: impl Fn(usize) -> bool) {
        let mut positions = 0..;
        list.retain(|_| positions.next().is_some_and(&is_wanted));
    }
    let mut senders = block.senders().to_vec();
    let mut block = block.into_block();
    retain(&mut senders, &is_wanted);
    retain(&mut block.body.transactions, &is_wanted);
    with_senders(block, senders)
}

/// What the beneficiary earns beyond the base fee, in wei.
fn tips(header: &Header, transactions: &[Transaction], outcome: &BlockOutcome) -> U256 {
    let mut before = 0;
    let mut sum = U256::ZERO;
    for (transaction, receipt) in transactions.iter().zip(&outcome.receipts) {
        let tip = transaction.effective_tip_per_gas(header.base_fee_per_gas.unwrap_or_default()).unwrap_or_default();
        sum += U256::from(tip) * U256::from(receipt.cumulative_gas_used - before);
        before = receipt.cumulative_gas_used;
    }
    sum
}
