//! What the head of the chain means for transactions: rules, fees, and the accounts.

use super::PoolError;
use crate::{
    Chain, ChainError, StateView,
    consensus::{TransactionRules, next_base_fee, next_excess_blob_gas},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use braid_runtime::ChainSpec;
use braid_storage::{AccountRecord, StorageError};
use parking_lot::Mutex;

/// How often reading is tried again when the state moved on meanwhile.
const ATTEMPTS: usize = 4;

/// Which code a sender has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SenderCode {
    None,
    /// It points to that of another account (EIP-7702).
    Delegated,
    Contract,
}

/// The account of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SenderAccount {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code_hash: B256,
    pub(super) code: SenderCode,
}

impl SenderAccount {
    pub(super) const EMPTY: Self =
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY, code: SenderCode::None };

    /// The account after a change, if its code is what it was.
    pub(super) fn with(self, record: Option<AccountRecord>) -> Option<Self> {
        let AccountRecord { nonce, balance, code_hash } =
            record.unwrap_or(AccountRecord { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY });
        (code_hash == self.code_hash).then_some(Self { nonce, balance, ..self })
    }
}

/// A head of the chain as the pool sees it.
#[derive(Debug)]
pub(super) struct HeadContext {
    pub(super) hash: B256,
    /// Rules of the block after it, as far as they are known.
    pub(super) rules: TransactionRules,
    pub(super) gas_limit: u64,
    /// Base fee of the block after it, in wei per gas; zero before London.
    pub(super) base_fee: u64,
    /// Most blobs of a block.
    pub(super) max_blobs: u64,
    /// The state after the head, once somebody has read it.
    view: Mutex<Option<StateView>>,
}

impl HeadContext {
    pub(super) fn new(hash: B256, header: &Header, spec: &ChainSpec) -> Self {
        let next = Header { number: header.number.saturating_add(1), ..header.clone() };
        Self {
            hash,
            rules: TransactionRules::new(&next, spec),
            gas_limit: header.gas_limit,
            base_fee: next_base_fee(header, spec).unwrap_or_default(),
            max_blobs: spec.blob_params(header.timestamp).map_or(0, |params| params.max_blob_count),
            view: Mutex::default(),
        }
    }

    /// The account of a sender after this head.
    pub(super) fn account(&self, chain: &Chain, address: Address) -> Result<SenderAccount, PoolError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match read(&self.view(chain)?, address) {
                Err(StorageError::SnapshotOutdated { .. }) if attempt < ATTEMPTS => *self.view.lock() = None,
                result => return result.map_err(|error| PoolError::State(ChainError::from(error))),
            }
        }
    }

    fn view(&self, chain: &Chain) -> Result<StateView, PoolError> {
        let mut view = self.view.lock();
        if let Some(view) = &*view {
            return Ok(view.clone());
        }
        Ok(view.insert(chain.state(&self.hash)?).clone())
    }
}

fn read(view: &StateView, address: Address) -> Result<SenderAccount, StorageError> {
    let Some(AccountRecord { nonce, balance, code_hash }) = view.account(address)? else {
        return Ok(SenderAccount::EMPTY);
    };
    let code = if code_hash == KECCAK256_EMPTY {
        SenderCode::None
    } else if view.code(code_hash)?.is_eip7702() {
        SenderCode::Delegated
    } else {
        SenderCode::Contract
    };
    Ok(SenderAccount { nonce, balance, code_hash, code })
}

/// Blob base fee of the block after `parent` and the most blob gas that it may have; `None` before Cancun (EIP-4844).
pub(super) fn next_blob_fee(parent: &Header, spec: &ChainSpec) -> Option<(u128, u64)> {
    let params = spec.blob_params(parent.timestamp)?;
    let fee = params.calc_blob_fee(next_excess_blob_gas(parent, params));
    Some((fee, params.max_blob_gas_per_block()))
}
