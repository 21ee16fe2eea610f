//! Which rule of consensus a block breaks, as far as that shows without executing it.

use alloy_primitives::{B256, U256};

/// A rule that a block breaks by itself, or seen together with its ancestors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsensusError {
    /// The number is not that of the parent plus one.
    #[error("the number is {number}, the parent has {parent}")]
    Number {
        /// Of the block.
        number: u64,
        /// Of the parent.
        parent: u64,
    },
    /// The timestamp is not later than that of the parent.
    #[error("the timestamp is {timestamp} s, that of the parent is {parent} s")]
    Timestamp {
        /// Of the block, in seconds.
        timestamp: u64,
        /// Of the parent, in seconds.
        parent: u64,
    },
    /// More extra data than 32 bytes.
    #[error("{0} bytes of extra data, more than 32")]
    ExtraData(usize),
    /// The first ten blocks of the DAO fork carry a mark (EIP-779).
    #[error("extra data must be \"dao-hard-fork\" in the first ten blocks of the DAO fork")]
    DaoExtraData,
    /// The gas limit is outside what the parent allows.
    #[error(
        "the gas limit is {limit} gas; after {parent} gas it must differ by less than a 1024th and be 5000 or more"
    )]
    GasLimit {
        /// Of the block.
        limit: u64,
        /// Of the parent, doubled in the first block of London (EIP-1559).
        parent: u64,
    },
    /// More gas was used than the limit allows.
    #[error("{used} gas used, the limit is {limit}")]
    GasUsed {
        /// Gas used.
        used: u64,
        /// Gas limit.
        limit: u64,
    },
    /// The base fee does not follow from the parent (EIP-1559).
    #[error("the base fee is {actual} wei, not {expected}")]
    BaseFee {
        /// As the parent determines it, in wei.
        expected: u64,
        /// In the header, in wei.
        actual: u64,
    },
    /// The difficulty does not follow from the parent.
    #[error("the difficulty is {actual}, not {expected}")]
    Difficulty {
        /// As the parent determines it; zero after the merge.
        expected: U256,
        /// In the header.
        actual: U256,
    },
    /// A block of proof of work after, or one of proof of stake before, the terminal total difficulty (EIP-3675).
    #[error("the total difficulty before the block is {total}, proof of work ends at {terminal}")]
    Merge {
        /// Sum of the difficulties up to the parent.
        total: U256,
        /// Where proof of work ends.
        terminal: U256,
    },
    /// The nonce of a block of proof of stake is not zero (EIP-3675).
    #[error("the nonce is not zero after the merge")]
    Nonce,
    /// The excess blob gas does not follow from the parent (EIP-4844, EIP-7918).
    #[error("the excess blob gas is {actual}, not {expected}")]
    ExcessBlobGas {
        /// As the parent determines it.
        expected: u64,
        /// In the header.
        actual: u64,
    },
    /// The blob gas used is beyond the limit or no whole number of blobs (EIP-4844).
    #[error("{used} blob gas used, which is no whole number of blobs or more than the {limit} of a block")]
    BlobGasUsed {
        /// In the header.
        used: u64,
        /// Most blob gas of a block.
        limit: u64,
    },
    /// The fork requires a field.
    #[error("{0} is missing")]
    MissingField(&'static str),
    /// The fork does not know a field.
    #[error("{0} must not be there")]
    UnexpectedField(&'static str),
    /// The hash of a part of the body is not the one in the header.
    #[error("{part}: the header says {expected}, the body has {actual}")]
    Body {
        /// Name of the header's field.
        part: &'static str,
        /// In the header.
        expected: B256,
        /// Of the body.
        actual: B256,
    },
    /// The header tells of withdrawals and the body has none, or the other way round.
    #[error("withdrawals {}", if *.expected { "are missing" } else { "must not be there" })]
    Withdrawals {
        /// Whether the header tells of any.
        expected: bool,
    },
    /// The encoded block is too long (EIP-7934).
    #[error("the encoded block is {length} bytes long, more than {limit}")]
    BlockSize {
        /// Bytes of RLP.
        length: usize,
        /// Most bytes of RLP.
        limit: usize,
    },
    /// A block has two ommers at most.
    #[error("{0} ommers, more than two")]
    OmmerCount(usize),
    /// An ommer is not allowed in this block.
    #[error("ommer {hash}: {reason}")]
    Ommer {
        /// Hash of the ommer.
        hash: B256,
        /// Why not.
        reason: OmmerError,
    },
}

impl ConsensusError {
    /// Whether the body does not belong to the header, which says nothing about the block of that header.
    pub const fn is_wrong_body(&self) -> bool {
        matches!(self, Self::Body { .. } | Self::Withdrawals { .. })
    }
}

/// Why an ommer is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OmmerError {
    /// It is listed twice, or an ancestor of the block listed it already.
    #[error("it was included before")]
    Duplicate,
    /// It is an ancestor of the block.
    #[error("it is an ancestor of the block")]
    Ancestor,
    /// Its parent is not between the second and the seventh ancestor of the block.
    #[error("its parent is not an ancestor of the second to the seventh generation")]
    Dangling,
    /// Its header does not follow from its parent.
    #[error(transparent)]
    Header(Box<ConsensusError>),
}
