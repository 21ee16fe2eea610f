//! What can be wrong with a bundle.

use alloy_primitives::{Address, B256};
use braid_storage::WitnessError;
use revm::database_interface::DBErrorMarker;
use std::io;

/// A bundle that cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The first bytes are not those of a bundle.
    #[error("not a bundle")]
    NotABundle,
    /// Made by a newer program, or damaged.
    #[error("format version {found} is not supported (up to {supported} is)")]
    UnsupportedVersion {
        /// Version in the file.
        found: u16,
        /// Newest version that can be read.
        supported: u16,
    },
    /// Flags that this version does not define.
    #[error("unknown flags {0:#06x}")]
    UnknownFlags(u16),
    /// The file ends too early.
    #[error("truncated: {found} bytes of {expected}")]
    Truncated {
        /// Bytes that the header announces, header included.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The file goes on after its end.
    #[error("{0} bytes too many")]
    TrailingBytes(u64),
    /// Larger than a bundle may be.
    #[error("{found} bytes are more than a bundle may have ({limit})")]
    TooLarge {
        /// Bytes announced or found.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// The checksum does not match the content.
    #[error("corrupt: checksum {computed} instead of {stated}")]
    Checksum {
        /// In the file.
        stated: B256,
        /// Of the content.
        computed: B256,
    },
    /// The payload does not decompress.
    #[error("cannot decompress: {0}")]
    Decompression(#[source] io::Error),
    /// The payload has another length than the header says.
    #[error("payload of {found} bytes instead of {stated}")]
    PayloadLength {
        /// In the header.
        stated: u64,
        /// After decompression, as far as it was read.
        found: u64,
    },
    /// The payload does not decode.
    #[error("malformed: {0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// The chain configuration is not what geth understands.
    #[error("malformed chain configuration: {0}")]
    ChainConfig(#[source] serde_json::Error),
    /// The parts contradict each other.
    #[error("{0}")]
    Inconsistent(#[from] Inconsistency),
    /// The witness does not hold together.
    #[error("{0}")]
    Witness(#[from] WitnessError),
}

/// Parts of a bundle that contradict each other.
#[derive(Debug, thiserror::Error)]
pub enum Inconsistency {
    /// Transactions and header disagree.
    #[error("transactions have root {computed}, the header says {stated}")]
    TransactionsRoot {
        /// In the header.
        stated: B256,
        /// Of the body.
        computed: B256,
    },
    /// Ommers and header disagree.
    #[error("ommers have hash {computed}, the header says {stated}")]
    OmmersHash {
        /// In the header.
        stated: B256,
        /// Of the body.
        computed: B256,
    },
    /// Withdrawals and header disagree, or only one of the two has any.
    #[error("withdrawals have root {computed:?}, the header says {stated:?}")]
    WithdrawalsRoot {
        /// In the header.
        stated: Option<B256>,
        /// Of the body.
        computed: Option<B256>,
    },
    /// Not one sender for each transaction.
    #[error("{senders} senders for {transactions} transactions")]
    SenderCount {
        /// How many senders.
        senders: usize,
        /// How many transactions.
        transactions: usize,
    },
    /// Not one receipt for each transaction.
    #[error("{receipts} receipts for {transactions} transactions")]
    ReceiptCount {
        /// How many receipts.
        receipts: usize,
        /// How many transactions.
        transactions: usize,
    },
    /// The code of an account is missing.
    #[error("account {address}: no code with hash {code_hash}")]
    MissingCode {
        /// The account.
        address: Address,
        /// What it refers to.
        code_hash: B256,
    },
    /// The headers of a witness do not follow one another, or do not end with the parent.
    #[error("witness: no ancestor {number} with hash {hash}")]
    MissingAncestor {
        /// Number of the block that should be there.
        number: u64,
        /// Its hash, as its child states it.
        hash: B256,
    },
    /// The parent's header has another state root than the witness starts from.
    #[error("witness starts from state root {witness}, the parent has {parent}")]
    StateRoot {
        /// Of the witness.
        witness: B256,
        /// Of the parent's header.
        parent: B256,
    },
    /// A preimage that is neither an address nor a slot.
    #[error("witness: a key of {0} bytes is neither an address nor a slot")]
    KeyLength(usize),
}

/// A read that a snapshot cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The witness proves neither that the account exists nor that it does not.
    #[error("missing account {address} in witness: {source}")]
    MissingAccount {
        /// Address asked for.
        address: Address,
        /// Where the proof ends.
        source: Box<WitnessError>,
    },
    /// The witness proves neither that the slot has a value nor that it has none.
    #[error("missing slot {slot} of account {address} in witness: {source}")]
    MissingSlot {
        /// Account asked for.
        address: Address,
        /// Slot asked for.
        slot: B256,
        /// Where the proof ends.
        source: Box<WitnessError>,
    },
    /// No code with this hash came with the block.
    #[error("missing code {0}")]
    MissingCode(B256),
    /// The hash of this block did not come with the block.
    #[error("missing hash of block {0}")]
    MissingBlockHash(u64),
    /// The state root after the block cannot be computed.
    #[error("the state root cannot be computed: {0}")]
    StateRoot(Box<WitnessError>),
}

impl DBErrorMarker for SnapshotError {}
