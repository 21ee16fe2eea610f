//! The block that would be made now: what `pending` means to those who ask.
//!
//! [`PendingBlocks::get`] builds it of the transactions that are ready in the pool and keeps it until something changes that it was made of: the head, the state, the
//! pool, what the next block is to be. If nothing has changed when that is made, it is sealed as it is. Nothing is executed while no transaction is ready: then what is pending is the state of the head. The block
//! is not in the tree, so nobody can take it for a block of the chain.
//!
//! * Who asks while a block is being built waits for it if it was begun after the question, and so sees everything that was sent before: however many ask, one block is
//!   built at a time.
//! * Where others make the blocks, one that is looked at is shown for a while ([`PendingBlocks::lasting`]), as in geth.
//! * [`PendingBlocks::look`] never builds and never waits.

use crate::{
    Chain, ChainBlock, ChainError, StateView,
    payload::{BuiltPayload, HeaderOverrides, PayloadAttributes},
    pool::TransactionPool,
};
use alloy_primitives::B256;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A block that was built to be looked at. If nothing has changed when the next block is made, it is that.
#[derive(Debug)]
pub struct PendingBlock {
    block: Arc<ChainBlock>,
    built: BuiltPayload,
}

impl PendingBlock {
    /// The block. It stands on what was the head when it was built.
    pub const fn block(&self) -> &Arc<ChainBlock> {
        &self.block
    }

    /// The state after the block.
    ///
    /// # Errors
    /// [`ChainError::UnknownBlock`] if the chain has gone on so far that the state below it is not at hand any more.
    pub fn state(&self, chain: &Chain) -> Result<StateView, ChainError> {
        let parent = self.block.header().parent_hash;
        match chain.state(&parent)? {
            StateView::Recent(state) => {
                Ok(StateView::Recent(Arc::new(state.with_layer(Arc::clone(&self.built.block.layer))?)))
            }
            StateView::Past(_) => Err(ChainError::UnknownBlock(parent)),
        }
    }
}

/// What is known of the pending block without building it.
#[derive(Clone, Debug)]
pub enum Pending {
    /// No transaction is ready for a block.
    Nothing,
    /// The block that would be made now.
    Built(Arc<PendingBlock>),
    /// There is one, but it has to be built first.
    NotBuilt,
}

/// What a block was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ingredients {
    parent: B256,
    /// How often the state was changed by hand.
    amendments: u64,
    /// Version of the pool.
    pool: u64,
    attributes: PayloadAttributes,
    overrides: HeaderOverrides,
}

#[derive(Debug)]
struct Made {
    /// When it was begun.
    since: Instant,
    of: Ingredients,
    block: Option<Arc<PendingBlock>>,
}

/// Builds pending blocks and keeps the last one.
#[derive(Debug, Default)]
pub struct PendingBlocks {
    /// How long a block is shown on its parent whatever else changes.
    lifetime: Duration,
    last: Mutex<Option<Made>>,
    /// Held by whoever builds one.
    building: Mutex<()>,
}

/// Says what a block on a parent is to be.
pub type NextBlock<'a> = &'a dyn Fn(&ChainBlock) -> (PayloadAttributes, HeaderOverrides);

impl PendingBlocks {
    /// Shows a block for so long on its parent, although the pool or the time changes: for chains that others decide about, where blocks that come in must not wait
    /// for those that are only looked at.
    pub fn lasting(lifetime: Duration) -> Self {
        Self { lifetime, ..Self::default() }
    }

    /// What is known now.
    pub fn look(&self, chain: &Chain, pool: &TransactionPool, next: NextBlock<'_>) -> Result<Pending, ChainError> {
        if pool.status().pending == 0 {
            return Ok(Pending::Nothing);
        }
        let head = chain.head_block()?;
        let of = Ingredients::new(chain, pool, &head, next(&head));
        let last = self.last.lock();
        if let Some(known) = last.as_ref().filter(|known| self.is_good(known, &of)) {
            return Ok(known.pending());
        }
        drop(last);
        let header = chain.next_header(&head, &of.attributes, &of.overrides);
        let is_ready = pool.ready(header.base_fee_per_gas.unwrap_or_default());
        Ok(if is_ready { Pending::NotBuilt } else { Pending::Nothing })
    }

    fn is_good(&self, known: &Made, now: &Ingredients) -> bool {
        let is_on_head = known.of.parent == now.parent && known.of.amendments == now.amendments;
        known.of == *now || (is_on_head && known.since.elapsed() < self.lifetime)
    }

    /// The block that would be made now; none if no transaction is ready. That may take as long as it takes to execute a block.
    pub fn get(
        &self,
        chain: &Chain,
        pool: &TransactionPool,
        next: NextBlock<'_>,
    ) -> Result<Option<Arc<PendingBlock>>, ChainError> {
        let asked = Instant::now();
        match self.look(chain, pool, next)? {
            Pending::Nothing => return Ok(None),
            Pending::Built(block) => return Ok(Some(block)),
            Pending::NotBuilt => {}
        }
        let _building = self.building.lock();
        if let Some(known) = self.last.lock().as_ref().filter(|known| known.since >= asked) {
            return Ok(known.block.clone());
        }
        let since = Instant::now();
        let mut of = None;
        let built = chain.build_aside(pool, |head| {
            let ingredients = Ingredients::new(chain, pool, head, next(head));
            let wanted = (ingredients.attributes.clone(), ingredients.overrides);
            of = Some(ingredients);
            wanted
        })?;
        let block = built.map(|built| {
            let block = Arc::new(ChainBlock::built(built.clone()));
            Arc::new(PendingBlock { block, built })
        });
        *self.last.lock() = of.map(|of| Made { since, of, block: block.clone() });
        Ok(block)
    }

    /// The block that was built to be looked at, if it is the one that would be made now on the head: with the same attributes, of the same state and of a pool in which
    /// nothing came or went.
    pub(crate) fn take(
        &self,
        chain: &Chain,
        pool: &TransactionPool,
        head: &ChainBlock,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
    ) -> Option<BuiltPayload> {
        let made = self.last.lock().take()?;
        let now = Ingredients::new(chain, pool, head, (attributes.clone(), *overrides));
        let block = made.block.filter(|_| made.of == now)?;
        Some(block.built.clone())
    }
}

impl Made {
    fn pending(&self) -> Pending {
        self.block.as_ref().map_or(Pending::Nothing, |block| Pending::Built(Arc::clone(block)))
    }
}

impl Ingredients {
    fn new(
        chain: &Chain,
        pool: &TransactionPool,
        head: &ChainBlock,
        (attributes, overrides): (PayloadAttributes, HeaderOverrides),
    ) -> Self {
        Self { parent: head.hash(), amendments: chain.amendments(), pool: pool.version(), attributes, overrides }
    }
}
