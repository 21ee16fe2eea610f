//! The state before a block.

use super::ReplayError;
use braid_chain::{Chain, ChainBlock, StateView};
use braid_runtime::{Block, RecoveredBlock};
use braid_storage::{Snapshot, StorageError};

/// The state before a block, to execute on.
pub(super) fn state(chain: &Chain, block: &ChainBlock) -> Result<StateView, ReplayError> {
    if block.number() == 0 {
        return Err(ReplayError::Genesis);
    }
    Ok(chain.state(&block.header().parent_hash)?)
}

/// The state before a block with its tries, for roots and witnesses. For a block below the written ones all that changed since is taken
/// back in memory, which costs as much as one block with all those changes.
pub(crate) fn parent_snapshot(chain: &Chain, block: &ChainBlock) -> Result<Snapshot, ReplayError> {
    let past = match state(chain, block)? {
        StateView::Recent(snapshot) => return Ok(Snapshot::clone(&snapshot)),
        StateView::Past(past) => past.block(),
    };
    let rewound = chain.database().rewind(past.number)?;
    let snapshot = chain.database().snapshot_above(vec![rewound])?;
    let head = snapshot.block();
    if head.hash == past.hash {
        return Ok(snapshot);
    }
    Err(StorageError::SnapshotOutdated { number: past.number, hash: past.hash, head: head.number }.into())
}

/// The block as the engine takes it.
pub(crate) fn recovered(chain: &Chain, block: &ChainBlock) -> Result<RecoveredBlock, ReplayError> {
    let senders = chain.block_senders(block)?.to_vec();
    Ok(RecoveredBlock::new_unchecked(Block::new(block.header().clone(), block.body().clone()), senders))
}
