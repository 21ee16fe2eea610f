//! Blocks of our own on blocks of the tree.

use super::{Chain, ChainBlock, ChainError, tree::TreeBlock};
use crate::{
    execution::Executor,
    execution_engine::ForkChoiceError,
    payload::{Builder, BuiltPayload, HeaderOverrides, PayloadAttributes, PayloadId, Template, TransactionSource},
};
use alloy_consensus::{Header, transaction::Recovered};
use alloy_primitives::{B256, U256};
use braid_runtime::Transaction;
use std::sync::Arc;

impl Chain {
    /// Builds a block on a block in memory or the last written one, of those of the candidates that fit and can be executed, and keeps it
    /// in the tree. The head does not move.
    pub fn build(
        &self,
        parent: B256,
        attributes: &PayloadAttributes,
        candidates: Vec<Recovered<Transaction>>,
    ) -> Result<BuiltPayload, ChainError> {
        self.build_with(parent, attributes, &HeaderOverrides::default(), |_| Some(candidates))?
            .ok_or(ChainError::UnknownBlock(parent))
    }

    /// Builds a block of transactions from a source, and with some things otherwise than the rules say; none if `is_wanted` says so of the candidates.
    /// The head does not move.
    pub(crate) fn build_from(
        &self,
        parent: B256,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
        source: &dyn TransactionSource,
        is_wanted: impl FnOnce(&[Recovered<Transaction>]) -> bool,
    ) -> Result<Option<BuiltPayload>, ChainError> {
        let below = self.tree.read().parent(&parent).ok_or(ChainError::UnknownBlock(parent))?.header;
        self.build_with(parent, attributes, overrides, |template| {
            let candidates = source.best(&below, template.base_fee(), self.worth_looking_at(template));
            is_wanted(&candidates).then_some(candidates)
        })
    }

    /// Gas limits of the candidates for a block, in gas: transactions use less than their limits.
    fn worth_looking_at(&self, template: &Template) -> u64 {
        // Who makes way for others does so for some that would be in the next block.
        let blocks = if self.options.order.selection { 2 } else { 1 };
        template.gas_limit().saturating_mul(self.gas_use.lock().scale()).saturating_mul(blocks)
    }

    /// The header of a block with these attributes on `parent`, as far as it is known before its transactions are. Whether proof of work has ended
    /// is told by the parent.
    pub fn next_header(
        &self,
        parent: &ChainBlock,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
    ) -> Header {
        let parent_total_difficulty = self
            .total_difficulty(&parent.hash())
            .unwrap_or_else(|| if parent.header().difficulty.is_zero() { U256::MAX } else { U256::ZERO });
        Template::new(parent.header(), parent_total_difficulty, attributes, &self.spec).with(overrides).into_header()
    }

    fn build_with(
        &self,
        parent: B256,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
        candidates: impl FnOnce(&Template) -> Option<Vec<Recovered<Transaction>>>,
    ) -> Result<Option<BuiltPayload>, ChainError> {
        let mut executor = self.executor.lock();
        let built = self.build_by(&mut executor, parent, attributes, overrides, candidates)?;
        if let Some(built) = &built {
            self.insert_built(built)?;
            executor.learn();
        }
        Ok(built)
    }

    /// Keeps a block that was built aside in the tree. The head does not move.
    pub(crate) fn keep(&self, built: &BuiltPayload) -> Result<(), ChainError> {
        let mut executor = self.executor.lock();
        self.insert_built(built)?;
        executor.learn();
        Ok(())
    }

    fn insert_built(&self, built: &BuiltPayload) -> Result<(), ChainError> {
        let mut tree = self.tree.write();
        let parent = built.block.header.parent_hash;
        if tree.parent(&parent).is_none() {
            return Err(ChainError::UnknownBlock(parent));
        }
        tree.insert(TreeBlock { block: Arc::clone(&built.block), total_difficulty: built.total_difficulty });
        Ok(())
    }

    /// Builds a block on the head of transactions from a source, to be looked at: it is not kept. `plan` is asked when nobody else can change the chain any more. None if there
    /// are no candidates.
    pub(crate) fn build_aside(
        &self,
        source: &dyn TransactionSource,
        plan: impl FnOnce(&ChainBlock) -> (PayloadAttributes, HeaderOverrides),
    ) -> Result<Option<BuiltPayload>, ChainError> {
        let mut executor = self.executor.lock();
        let head = self.head_block()?;
        let (attributes, overrides) = plan(&head);
        self.build_by(&mut executor, head.hash(), &attributes, &overrides, |template| {
            let candidates = source.best(head.header(), template.base_fee(), self.worth_looking_at(template));
            (!candidates.is_empty()).then_some(candidates)
        })
    }

    fn build_by(
        &self,
        executor: &mut Executor,
        parent: B256,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
        candidates: impl FnOnce(&Template) -> Option<Vec<Recovered<Transaction>>>,
    ) -> Result<Option<BuiltPayload>, ChainError> {
        self.make_room_for(&parent)?;
        let below = self.tree.read().parent(&parent).ok_or(ChainError::UnknownBlock(parent))?;
        let template = Template::new(&below.header, below.total_difficulty, attributes, &self.spec).with(overrides);
        let Some(candidates) = candidates(&template) else { return Ok(None) };
        let snapshot = self.snapshot(parent)?;
        let mut gas_use = self.gas_use.lock();
        let mut waits = self.waits.lock();
        let builder = Builder {
            engine: executor.engine(),
            parent: &snapshot,
            spec: &self.spec,
            gas_use: &mut gas_use,
            order: &self.options.order,
            waits: &mut waits,
        };
        builder.build(template, candidates).map(Some)
    }

    /// Builds a block on the head from the transaction source, and keeps it to be fetched.
    pub(crate) fn build_on(&self, head: B256, attributes: PayloadAttributes) -> Result<PayloadId, ForkChoiceError> {
        let id = PayloadId::new(head, &attributes);
        if self.payloads.lock().get(id).is_some() {
            return Ok(id);
        }
        let parent = self.tree.read().parent(&head).ok_or(ChainError::UnknownBlock(head))?.header;
        if attributes.timestamp <= parent.timestamp {
            return Err(ForkChoiceError::Attributes { timestamp: attributes.timestamp, head: parent.timestamp });
        }
        let source = Arc::clone(&self.source.read());
        let built = self.build_with(head, &attributes, &HeaderOverrides::default(), |template| {
            Some(source.best(&parent, template.base_fee(), self.worth_looking_at(template)))
        })?;
        let built = built.ok_or(ChainError::UnknownBlock(head))?;
        self.payloads.lock().insert(id, Arc::new(built));
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CREATE2_DEPLOYER, ChainOptions, DevGenesis, GenesisFile, senders::impersonated_signature};
    use alloy_consensus::{SignableTransaction, TxEip1559};
    use alloy_primitives::{Address, Bytes, U256};
    use braid_runtime::{EngineConfig, Mode};
    use braid_storage::Database;

    const RICH: Address = Address::repeat_byte(0xaa);

    fn chain(threads: usize) -> Chain {
        let dev = DevGenesis { accounts: vec![RICH], timestamp: 1, ..DevGenesis::default() };
        let file = GenesisFile::new(&dev.genesis()).unwrap();
        let database = Database::in_memory(&file.genesis, Default::default()).unwrap();
        let execution = EngineConfig { threads, mode: Mode::Parallel, ..EngineConfig::default() };
        Chain::new(database, file.spec, ChainOptions { execution, ..ChainOptions::default() }).unwrap()
    }

    /// What the engine knows after a block that calls a contract many times.
    fn learned(threads: usize) -> usize {
        let chain = chain(threads);
        let calls = (0..64_u64).map(|nonce| {
            let call = TxEip1559 {
                chain_id: chain.spec().chain_id(),
                nonce,
                gas_limit: 200_000,
                max_fee_per_gas: 10_000_000_000,
                to: CREATE2_DEPLOYER.into(),
                input: Bytes::from([U256::from(nonce).to_be_bytes::<32>().as_slice(), &[0]].concat()),
                ..TxEip1559::default()
            };
            Recovered::new_unchecked(call.into_signed(impersonated_signature(RICH)).into(), RICH)
        });
        let attributes = PayloadAttributes { timestamp: 1000, ..PayloadAttributes::default() };
        let built = chain.build(chain.head().hash, &attributes, calls.collect()).unwrap();
        assert_eq!(built.senders.len(), 64);
        chain.executor.lock().engine().predictor().len()
    }

    #[test]
    fn the_chain_learns_from_its_blocks_where_predictions_are_used() {
        assert!(learned(4) > 0);
        assert!(learned(2) > 0);
        assert_eq!(learned(1), 0, "with one thread nothing is predicted, so nothing is recorded");
    }
}
