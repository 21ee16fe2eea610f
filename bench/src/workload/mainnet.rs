//! Profile 13: real blocks.
//!
//! Each block comes with its own parent state, so "concatenated" means that all are executed one after the other and the times are
//! summed; nothing is carried from one to the next.

use super::{Case, Profile, Size, Workload, WorkloadError};
use crate::{chain::Chain, engine::spec_of, snapshot::Snapshot};
use alloy_primitives::{Address, B256, U256};
use braid_chain::NamedBundle;
use braid_runtime::{Outputs, oracle::execute_serial};
use revm::{
    DatabaseRef,
    context_interface::DBErrorMarker,
    state::{AccountInfo, Bytecode},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Reads from a parent and writes down into a snapshot whatever was found.
struct Copying<'a, D> {
    parent: &'a D,
    copy: Mutex<Snapshot>,
}

impl<D: DatabaseRef> Copying<'_, D> {
    fn write(&self, write: impl FnOnce(&mut Snapshot)) {
        write(&mut self.copy.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl<D: DatabaseRef<Error: DBErrorMarker>> DatabaseRef for Copying<'_, D> {
    type Error = D::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, D::Error> {
        let info = self.parent.basic_ref(address)?;
        if let Some(info) = info.clone() {
            self.write(|copy| copy.set_account(address, info));
        }
        Ok(info)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, D::Error> {
        let code = self.parent.code_by_hash_ref(code_hash)?;
        self.write(|copy| copy.add_code(code_hash, code.clone()));
        Ok(code)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, D::Error> {
        let value = self.parent.storage_ref(address, slot)?;
        if !value.is_zero() {
            self.write(|copy| copy.set_slot(address, slot, value));
        }
        Ok(value)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, D::Error> {
        let hash = self.parent.block_hash_ref(number)?;
        self.write(|copy| copy.set_block_hash(number, hash));
        Ok(hash)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet")
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> WorkloadError {
    WorkloadError::Blocks(Box::new(error))
}

fn case(named: NamedBundle, chain: &Chain) -> Result<Case, WorkloadError> {
    let bundle = named.bundle;
    let block = bundle.recovered_block().map_err(failed)?;
    let parent = bundle.snapshot().map_err(failed)?;
    let mut copy = Snapshot::new();
    for (address, account) in parent.accounts() {
        let Some(info) = account.info.clone() else { continue };
        copy.set_account(address, info);
        account.storage().for_each(|(slot, value)| copy.set_slot(address, slot, value));
    }
    parent.codes().iter().for_each(|(hash, code)| copy.add_code(*hash, code.clone()));
    parent.block_hashes().iter().for_each(|(number, hash)| copy.set_block_hash(*number, *hash));
    // A witness also proves accounts whose address nobody spelled out: running the block names them.
    let copying = Copying { parent: &parent, copy: Mutex::new(copy) };
    execute_serial(&copying, &block, &spec_of(chain), Outputs::default()).map_err(failed)?;
    let snapshot = Arc::new(copying.copy.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(Case { name: bundle.number().to_string(), snapshot, block, chain: chain.clone() })
}

pub(super) fn build(profile: &Profile, _: Size, _: u64) -> Result<Workload, WorkloadError> {
    let folder = folder();
    if !folder.is_dir() {
        return Err(WorkloadError::NoBlocks(folder));
    }
    let chain = Chain::mainnet();
    let mut cases = Vec::new();
    for named in braid_chain::open(&folder).map_err(failed)? {
        cases.push(case(named.map_err(failed)?, &chain)?);
    }
    if cases.is_empty() {
        return Err(WorkloadError::NoBlocks(folder));
    }
    cases.sort_by_key(|case| case.block.header().number);
    let transactions: usize = cases.iter().map(|case| case.block.senders().len()).sum();
    let notes = format!("{} blocks, {transactions} transactions", cases.len());
    Ok(Workload { name: profile.name, notes, cases })
}
