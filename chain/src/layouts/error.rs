//! What can be wrong with a source of blocks.

use crate::{BundleError, senders::SenderError};
use alloy_primitives::{Address, B256};
use std::io;

/// A source that does not give the bundle it should: which, and why.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct LayoutError {
    /// The file or folder, inside an archive after the archive's own path.
    pub path: String,
    /// The reason.
    #[source]
    pub kind: Box<LayoutErrorKind>,
}

impl LayoutError {
    pub(super) fn new(path: impl Into<String>, kind: impl Into<LayoutErrorKind>) -> Self {
        Self { path: path.into(), kind: Box::new(kind.into()) }
    }
}

/// Why a source does not give a bundle.
#[derive(Debug, thiserror::Error)]
pub enum LayoutErrorKind {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none of the layouts that are known.
    #[error("not a known layout: {0}")]
    Unknown(&'static str),
    /// There is no block in it.
    #[error("no blocks in it")]
    Empty,
    /// It is not the JSON it should be.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A part of it is not the RLP it should be.
    #[error("{what}: {source}")]
    Rlp {
        /// The part.
        what: &'static str,
        /// Why.
        source: alloy_rlp::Error,
    },
    /// A file that belongs to it is missing.
    #[error("{0} is missing")]
    MissingFile(&'static str),
    /// A file that belongs to it could not be used.
    #[error("{file}: {reason}")]
    CompanionFile {
        /// The other file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is larger than any of its kind should be.
    #[error("{found} bytes are more than {limit}")]
    TooLarge {
        /// Its size in bytes.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The header does not have the hash that the source states.
    #[error("header has hash {computed}, {stated} is stated")]
    BlockHash {
        /// In the source.
        stated: B256,
        /// Of the header that was built.
        computed: B256,
    },
    /// The source does not state the block's hash, so the header cannot be trusted to be complete.
    #[error("the block's hash is not stated")]
    NoBlockHash,
    /// A transaction does not have the hash that the source states.
    #[error("transaction {index} has hash {computed}, {stated} is stated")]
    TransactionHash {
        /// Index of the transaction.
        index: usize,
        /// In the source.
        stated: B256,
        /// Of the transaction that was built.
        computed: B256,
    },
    /// A transaction was signed by someone else than the source states.
    #[error("transaction {index} is signed by {recovered}, `from` is {stated}")]
    Sender {
        /// Index of the transaction.
        index: usize,
        /// In the source.
        stated: Address,
        /// From the signature.
        recovered: Address,
    },
    /// A transaction is of no known type.
    #[error("{0}")]
    TransactionType(#[from] alloy_eips::eip2718::Eip2718Error),
    /// A signature is not one.
    #[error("{0}")]
    Signature(#[from] SenderError),
    /// Code does not have the hash it is listed under.
    #[error("code listed under {stated} has hash {computed}")]
    CodeHash {
        /// Key in the list.
        stated: B256,
        /// Of the code.
        computed: B256,
    },
    /// The code of an account is not listed.
    #[error("account {address}: no code is listed under {code_hash}")]
    MissingCode {
        /// The account.
        address: Address,
        /// What it refers to.
        code_hash: B256,
    },
    /// The transactions belong to a chain that nothing more is known about.
    #[error("unknown chain {0}: a configuration is needed")]
    UnknownChain(u64),
    /// More or fewer blocks than one share a witness.
    #[error("{0} blocks share one witness, exactly one can be read")]
    BlockCount(usize),
    /// A witness does not have the parent's header, so its state root is unknown.
    #[error("the parent's header is missing from the witness")]
    NoParentHeader,
    /// The bundle file, or what was put together from the source, is not a proper bundle.
    #[error("{0}")]
    Bundle(#[from] BundleError),
}
