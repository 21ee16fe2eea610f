//! State roots between the transactions of a block.

use super::{ReplayError, parent_snapshot, recovered};
use alloy_primitives::{B256, U256};
use braid_chain::{Chain, ChainBlock, block_change};
use braid_runtime::oracle;
use braid_storage::Layer;
use std::sync::Arc;

/// The state root after each transaction of a block. Receipts before Byzantium hold it, but it is not stored: the block is executed again, with
/// a root after each transaction.
pub(crate) fn intermediate_roots(chain: &Chain, block: &ChainBlock) -> Result<Vec<B256>, ReplayError> {
    let parent = parent_snapshot(chain, block)?;
    let mut above = parent.clone();
    let mut roots = Vec::with_capacity(block.transactions().len());
    oracle::for_each_transaction(&parent, &recovered(chain, block)?, chain.spec(), |index, diff| {
        let change = block_change(diff);
        let update = above.state_after(&change)?;
        roots.push(update.state_root());
        // To the snapshot each transaction is a block of its own; the made-up hash only has to be different every time.
        let below = above.block();
        let hash = B256::from(U256::from(index + 1));
        let layer = Layer::new(below.number + 1, hash, below.hash, change, update);
        above = above.with_layer(Arc::new(layer))?;
        Ok::<_, ReplayError>(())
    })?;
    Ok(roots)
}
