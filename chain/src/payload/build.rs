//! A block is made: a header that follows from the parent, the candidates that can be executed, and what execution says.

use super::{GasUse, HeaderOverrides, PayloadAttributes};
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
    AccessHints, Block, BlockError, BlockOutcome, ChainSpec, Engine, InvalidBlock, Outputs, RecoveredBlock, Transaction,
};
use braid_storage::{ExecutedBlock, Layer, Snapshot};
use std::{collections::HashSet, sync::Arc};

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
    /// Candidates that cannot be executed, with the reason.
    pub invalid: Vec<(B256, String)>,
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

    /// Gas limit of the block.
    pub(crate) const fn gas_limit(&self) -> u64 {
        self.header.gas_limit
    }
}

/// Fills templates.
pub(crate) struct Builder<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) parent: &'a Snapshot,
    pub(crate) spec: &'a ChainSpec,
    pub(crate) gas_use: &'a mut GasUse,
}

impl Builder<'_> {
    /// Makes the block of a template with those of the candidates, in their order, that fit and can be executed.
    pub(crate) fn build(
        mut self,
        template: Template,
        candidates: Vec<Recovered<Transaction>>,
    ) -> Result<BuiltPayload, ChainError> {
        let mut chosen = self.fitting(&template, candidates);
        let mut invalid = Vec::new();
        loop {
            let (transactions, senders): (Vec<_>, Vec<_>) =
                chosen.iter().map(|tx| (tx.inner().clone(), tx.signer())).unzip();
            let header = Header {
                blob_gas_used: template.header.blob_gas_used.map(|_| blob_gas(&transactions)),
                ..template.header.clone()
            };
            let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: template.withdrawals.clone() };
            let block = RecoveredBlock::new_unchecked(Block { header, body }, senders);
            let outputs = Outputs {
                access_list: self.spec.is_amsterdam_active_at_timestamp(block.header().timestamp),
                ..Outputs::default()
            };
            let hints = AccessHints::Predicted;
            let index = match self.engine.execute_block(self.parent, &block, self.spec, hints, outputs) {
                Ok(outcome) => {
                    self.gas_use.learn(block.transactions(), &outcome.receipts);
                    let built = self.seal(block, outcome, template.total_difficulty)?;
                    return Ok(BuiltPayload { invalid, ..built });
                }
                Err(BlockError::Invalid(error @ InvalidBlock::Transaction { index, .. })) => {
                    invalid.push((*chosen[index].tx_hash(), error.to_string()));
                    index
                }
                Err(BlockError::Invalid(InvalidBlock::BlockGasExceeded { index, .. })) => {
                    // Those before used more than was expected.
                    chosen.truncate(index);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // What the same sender sent later cannot be executed without this one.
            let sender = chosen.remove(index).signer();
            let mut position = 0;
            chosen.retain(|tx| {
                position += 1;
                position <= index || tx.signer() != sender
            });
        }
    }

    /// The candidates that fit into the block by the gas that they will probably use, and by their blobs.
    fn fitting(&self, template: &Template, candidates: Vec<Recovered<Transaction>>) -> Vec<Recovered<Transaction>> {
        let mut gas_left = template.header.gas_limit;
        let params = self.spec.blob_params(template.header.timestamp);
        let mut blob_gas_left = params.map_or(0, |params| params.max_blob_gas_per_block());
        let mut skipped = HashSet::new();
        let fits = candidates.into_iter().filter(|tx| {
            let blob_gas = tx.blob_gas_used().unwrap_or_default();
            let fits = tx.gas_limit() <= gas_left && blob_gas <= blob_gas_left && !skipped.contains(&tx.signer());
            if fits {
                gas_left -= self.gas_use.estimate(tx.inner());
                blob_gas_left -= blob_gas;
            } else {
                skipped.insert(tx.signer());
            }
            fits
        });
        fits.collect()
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
            total_difficulty,
        })
    }
}

fn blob_gas(transactions: &[Transaction]) -> u64 {
    transactions.iter().filter_map(|tx| tx.blob_gas_used()).sum()
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
