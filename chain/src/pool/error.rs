//! Why a transaction does not get into the pool, in the words of geth, which client libraries match.

use crate::{ChainError, consensus::TransactionError};
use alloy_eips::{eip2718::Eip2718Error, eip4844::BlobTransactionValidationError};
use alloy_primitives::{Address, B256, ChainId, U256, utils::format_ether};
use std::sync::Arc;

/// Why a transaction is refused. The texts are those of geth's `core` and `core/txpool`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PoolError {
    /// The bytes are no transaction in the network's form (EIP-2718).
    #[error("rlp: {0}")]
    Decode(#[source] Arc<Eip2718Error>),
    /// A type and nothing else, or nothing at all.
    #[error("typed transaction too short")]
    TooShort,
    /// The type is unknown, or its fork has not come yet (EIP-2718).
    #[error("transaction type not supported")]
    Type(u8),
    /// A blob transaction as it stands in a block, without its blobs.
    #[error("missing sidecar in blob transaction")]
    MissingSidecar,
    /// The signature is for another chain (EIP-155).
    #[error("invalid sender: invalid chain id for signer: have {have} want {want}")]
    ChainId {
        /// Chain id of the signature.
        have: ChainId,
        /// Chain id of the chain.
        want: ChainId,
    },
    /// The signature is good for every chain, which the options do not allow (EIP-155).
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// No sender follows from the signature.
    #[error("invalid sender: invalid transaction v, r, s values")]
    Signature,
    /// The pool has this transaction.
    #[error("already known")]
    AlreadyKnown,
    /// The nonce was used.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// Nonce of the account.
        next: u64,
        /// Nonce of the transaction.
        nonce: u64,
    },
    /// A blob transaction that would have to wait for others.
    #[error(
        "nonce too high: tx nonce {nonce}, gapped nonce {gap}: a blob transaction cannot wait for others, send the one with nonce {gap} first"
    )]
    NonceTooHigh {
        /// Nonce of the transaction.
        nonce: u64,
        /// The first nonce that is missing.
        gap: u64,
    },
    /// The nonce has no successor (EIP-2681).
    #[error("nonce has max value")]
    NonceMax,
    /// The account could not pay for the transaction alone.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, tx cost {cost}, overshot {}",
        cost.saturating_sub(*balance)
    )]
    InsufficientFunds {
        /// Balance of the account, in wei.
        balance: U256,
        /// Most that the transaction may cost, in wei.
        cost: U256,
    },
    /// The account could not pay for the transaction beside those that are pending.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}, overshot {}",
        queued.saturating_add(*cost).saturating_sub(*balance)
    )]
    InsufficientFundsForAll {
        /// Balance of the account, in wei.
        balance: U256,
        /// Most that its pending transactions may cost, in wei, without the one that is replaced.
        queued: U256,
        /// Most that the transaction may cost, in wei.
        cost: U256,
    },
    /// The sender has code of its own (EIP-3607).
    #[error("sender not an eoa: address {address}, codehash: {code_hash}")]
    SenderNotEoa {
        /// The sender.
        address: Address,
        /// Hash of its code.
        code_hash: B256,
    },
    /// A replacement that does not offer enough more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The pool is full of transactions that offer more.
    #[error("transaction underpriced")]
    Underpriced,
    /// The tip is below what the pool takes.
    #[error("transaction underpriced: gas tip cap {tip}, minimum needed {minimum}")]
    TipBelowMinimum {
        /// Most that the beneficiary gets, in wei per gas.
        tip: u128,
        /// What the pool asks for, in wei per gas.
        minimum: u128,
    },
    /// The fee is below what the pool takes.
    #[error("transaction underpriced: gas fee cap {fee}, minimum needed {minimum}")]
    FeeBelowMinimum {
        /// Most that gas may cost, in wei per gas.
        fee: u128,
        /// What the pool asks for, in wei per gas.
        minimum: u128,
    },
    /// The blob fee is below the least that there ever is (EIP-4844).
    #[error("transaction underpriced: blob fee cap {fee}, minimum needed {minimum}")]
    BlobFeeBelowMinimum {
        /// Most that blob gas may cost, in wei per gas.
        fee: u128,
        /// What the protocol asks for at least, in wei per gas.
        minimum: u128,
    },
    /// The tip is more than the whole fee (EIP-1559).
    #[error(
        "max priority fee per gas higher than max fee per gas: maxPriorityFeePerGas: {priority}, maxFeePerGas: {fee}"
    )]
    TipAboveFee {
        /// Wei per gas for the beneficiary.
        priority: u128,
        /// Wei per gas in all.
        fee: u128,
    },
    /// The transaction may cost more than the operator lets anybody pay by mistake.
    #[error("tx fee ({} ether) exceeds the configured cap ({} ether)", ether(*fee), ether(*cap))]
    FeeCap {
        /// What the transaction's gas may cost, in wei.
        fee: U256,
        /// What it may be, in wei.
        cap: U256,
    },
    /// The gas limit does not pay for what comes before execution.
    #[error("intrinsic gas too low: gas {limit}, minimum needed {needed}")]
    IntrinsicGas {
        /// Gas limit of the transaction.
        limit: u64,
        /// Gas needed at least.
        needed: u64,
    },
    /// The gas limit is above that of a block.
    #[error("exceeds block gas limit")]
    BlockGasLimit,
    /// The gas limit is above what a transaction may have (EIP-7825).
    #[error("transaction gas limit too high (cap: {cap}, tx: {limit})")]
    GasCap {
        /// Gas limit of the transaction.
        limit: u64,
        /// Most gas of a transaction.
        cap: u64,
    },
    /// The init code is too long (EIP-3860).
    #[error("max initcode size exceeded: code size {length} limit {limit}")]
    InitCode {
        /// Bytes of init code.
        length: usize,
        /// Most bytes.
        limit: usize,
    },
    /// The transaction is longer than the pool takes.
    #[error("oversized data: transaction size {size}, limit {limit}")]
    Oversized {
        /// Bytes of the transaction without its sidecar.
        size: usize,
        /// Most bytes.
        limit: usize,
    },
    /// More blobs than a transaction may have (EIP-4844, EIP-7594).
    #[error("transaction blob limit exceeded: blob count {count}, limit {limit}")]
    TooManyBlobs {
        /// Blobs of the transaction.
        count: usize,
        /// Most of them.
        limit: u64,
    },
    /// Hashes of blobs that are none, or of an unknown version (EIP-4844).
    #[error("blobless blob transaction")]
    Blobs,
    /// Proofs in the form of another fork (EIP-7594).
    #[error("unexpected sidecar version, want: {want}, got: {got}")]
    SidecarVersion {
        /// Version that the fork has.
        want: u8,
        /// Version of the sidecar.
        got: u8,
    },
    /// The blobs, commitments and proofs do not belong together or to the transaction.
    #[error("invalid sidecar: {0}")]
    Sidecar(#[source] Arc<BlobTransactionValidationError>),
    /// A transaction that sets code without anybody's authorization (EIP-7702).
    #[error("set code tx must have at least one authorization tuple")]
    NoAuthorization,
    /// Another transaction of an account that has, or is about to get, delegated code (EIP-7702).
    #[error("in-flight transaction limit reached for delegated accounts")]
    InFlightLimit,
    /// A transaction of such an account that would have to wait for others (EIP-7702).
    #[error("gapped-nonce tx from delegated accounts")]
    DelegatedGap,
    /// An authorization of an account that has several transactions in the pool (EIP-7702).
    #[error("authority already reserved")]
    AuthorityReserved,
    /// Blob transactions and others of one sender, or one in place of the other.
    #[error("address already reserved")]
    AlreadyReserved,
    /// The sender has as many transactions as it may have.
    #[error("account limit exceeded: pooled {pooled} txs")]
    AccountLimit {
        /// Transactions of the sender.
        pooled: usize,
    },
    /// No place for a transaction that has to wait.
    #[error("txpool is full")]
    Full,
    /// The state could not be read.
    #[error(transparent)]
    State(#[from] ChainError),
}

impl PoolError {
    /// What a rule of the block is in the words of the pool.
    pub(super) fn from_rule(error: TransactionError, chain_id: ChainId) -> Self {
        match error {
            TransactionError::Type(id) => Self::Type(id),
            TransactionError::ChainId(have) => Self::ChainId { have, want: chain_id },
            TransactionError::Signature(_) => Self::Signature,
            TransactionError::Nonce => Self::NonceMax,
            TransactionError::IntrinsicGas { limit, needed } => Self::IntrinsicGas { limit, needed },
            TransactionError::GasCap { limit, cap } => Self::GasCap { limit, cap },
            TransactionError::PriorityFee { priority, fee } => Self::TipAboveFee { priority, fee },
            TransactionError::InitCode { length, limit } => Self::InitCode { length, limit },
            TransactionError::Blobs => Self::Blobs,
            TransactionError::NoAuthorization => Self::NoAuthorization,
        }
    }
}

/// An amount of wei in ether, with two decimals as geth writes it, or as many as it has.
fn ether(wei: U256) -> String {
    let exact = format_ether(wei);
    let shown = exact.trim_end_matches('0');
    let decimals = shown.rsplit('.').next().map_or(0, str::len);
    match decimals {
        0 | 1 => format!("{shown}{:0<1$}", "", 2 - decimals),
        _ => shown.to_owned(),
    }
}
