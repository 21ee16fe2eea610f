//! What can be wrong with a witness.

use alloy_primitives::{Address, B256};
use alloy_trie::Nibbles;
use std::fmt;

/// The trie that an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trie {
    /// The account trie.
    Accounts,
    /// The storage trie of the account with this hashed address.
    Storage(B256),
}

impl fmt::Display for Trie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accounts => write!(f, "account trie"),
            Self::Storage(account) => write!(f, "storage trie of hashed address {account}"),
        }
    }
}

/// A witness that does not hold what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The path passes through a node that the witness does not contain.
    #[error("{trie}: node {hash} at path {path:?} is missing from the witness")]
    MissingNode {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// Hash of the node.
        hash: B256,
    },
    /// Removing a key leaves a branch with one child, which has to be merged into it but is not in the witness.
    #[error("{trie}: a removal needs the sibling {hash} at path {path:?}, which is missing from the witness")]
    MissingSibling {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the sibling.
        path: Nibbles,
        /// Hash of the sibling.
        hash: B256,
    },
    /// A node is not a well-formed trie node for its place.
    #[error("{trie}: malformed node at path {path:?}: {reason}")]
    MalformedNode {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the node.
        path: Nibbles,
        /// What is wrong with it.
        reason: MalformedNode,
    },
    /// The value of a leaf does not decode.
    #[error("{trie}: malformed value under hashed key {key}: {source}")]
    MalformedValue {
        /// Where.
        trie: Trie,
        /// The hashed key of the leaf.
        key: B256,
        /// Why.
        source: alloy_rlp::Error,
    },
    /// Slots of an account are to change, but the account does not exist.
    #[error("slots of account {0} change, but it does not exist")]
    SlotsWithoutAccount(Address),
}

/// In which way a node is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedNode {
    /// It does not decode.
    #[error("{0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// Its path is longer or shorter than a key of 64 nibbles.
    #[error("its path is not 64 nibbles long")]
    PathLength,
    /// An extension without nibbles, or one that does not lead to a branch.
    #[error("an extension must have nibbles and lead to a branch")]
    Extension,
    /// A branch with fewer than two children.
    #[error("a branch must have two children or more")]
    Branch,
    /// The same node under several paths.
    #[error("the same nodes occur under several paths")]
    Repeated,
    /// An empty node below the root.
    #[error("an empty node below the root")]
    Empty,
}
