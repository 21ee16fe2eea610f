//! Ommers of proof of work: who may be rewarded for a block that was not the one.

use super::{ConsensusError, OmmerError, validate_header};
use alloy_consensus::Header;
use alloy_primitives::B256;
use braid_runtime::ChainSpec;

/// Most ommers of a block.
const MAX_OMMERS: usize = 2;
/// Ancestors among which the parent of an ommer is.
const GENERATIONS: usize = 7;

/// One ancestor, as far as the rules look at it.
#[derive(Clone, Debug)]
pub struct Generation {
    /// Hash of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// Hashes of the ommers that the ancestor listed.
    pub ommers: Vec<B256>,
}

/// Checks the ommers of a block. `ancestors` yields its ancestors from the parent on; seven of them are asked for, if the block
/// has ommers.
pub fn validate_ommers<E: From<ConsensusError>>(
    ommers: &[Header],
    ancestors: impl Iterator<Item = Result<Generation, E>>,
    spec: &ChainSpec,
) -> Result<(), E> {
    if ommers.is_empty() {
        return Ok(());
    }
    if ommers.len() > MAX_OMMERS {
        return Err(ConsensusError::OmmerCount(ommers.len()).into());
    }
    let ancestors = ancestors.take(GENERATIONS).collect::<Result<Vec<_>, E>>()?;
    let mut included: Vec<B256> = ancestors.iter().flat_map(|ancestor| &ancestor.ommers).copied().collect();
    for ommer in ommers {
        let hash = ommer.hash_slow();
        let refused = |reason| ConsensusError::Ommer { hash, reason };
        if included.contains(&hash) {
            return Err(refused(OmmerError::Duplicate).into());
        }
        included.push(hash);
        if ancestors.iter().any(|ancestor| ancestor.hash == hash) {
            return Err(refused(OmmerError::Ancestor).into());
        }
        // The parent of the block has the block itself as its child, not an ommer.
        let parent = ancestors.iter().skip(1).find(|ancestor| ancestor.hash == ommer.parent_hash);
        let parent = parent.ok_or_else(|| refused(OmmerError::Dangling))?;
        // Ommers belong to proof of work, before any total difficulty at which it ends.
        validate_header(ommer, &parent.header, alloy_primitives::U256::ZERO, spec)
            .map_err(|error| refused(OmmerError::Header(Box::new(error))))?;
    }
    Ok(())
}
