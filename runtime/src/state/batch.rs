//! Many accounts looked up at once.
//!
//! A look-up waits for memory, and each lock stops the processor from starting the next one meanwhile. So the accounts of a batch are
//! sorted by shard, each shard is locked once for all of them, and the parent state is asked for one after the other with no lock in between.

use super::{
    account::AccountRef,
    snapshot::{Snapshot, SnapshotError},
    table::{BlockState, SHARDS, shard_number},
};
use alloy_primitives::Address;
use revm::state::AccountInfo;

#[derive(Debug)]
struct Wanted {
    address: Address,
    hash: u64,
    entry: Option<AccountRef>,
    info: Option<AccountInfo>,
}

/// Accounts to look up; its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct AccountBatch {
    wanted: Vec<Wanted>,
    /// Positions in `wanted`, by shard.
    order: Vec<u32>,
}

impl AccountBatch {
    /// Starts over.
    pub(crate) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// Adds an account. They are numbered in the order in which they were added.
    pub(crate) fn push(&mut self, state: &BlockState, address: Address) {
        self.wanted.push(Wanted { address, hash: state.hash(&address), entry: None, info: None });
    }

    /// Looks all of them up, in the parent state if they are new. Callers with different `turn`s do not stand in each other's way.
    pub(crate) fn find(
        &mut self,
        state: &BlockState,
        snapshot: &dyn Snapshot,
        turn: usize,
    ) -> Result<(), SnapshotError> {
        let mut ends = [0; SHARDS];
        for wanted in &self.wanted {
            ends[shard_number(wanted.hash)] += 1;
        }
        let mut sum = 0;
        for end in &mut ends {
            sum += std::mem::replace(end, sum);
        }
        self.order.clear();
        self.order.resize(self.wanted.len(), 0);
        for (number, wanted) in self.wanted.iter().enumerate() {
            let place = &mut ends[shard_number(wanted.hash)];
            self.order[*place] = number as u32;
            *place += 1;
        }

        let Self { wanted, order } = self;
        let shards = |shard: usize| &order[if shard == 0 { 0 } else { ends[shard - 1] }..ends[shard]];
        for shard in (0..SHARDS).map(|shard| (shard + turn) % SHARDS) {
            let accounts = shards(shard);
            if !accounts.is_empty() {
                let known = state.account_shard(shard).lock();
                for number in accounts {
                    let wanted = &mut wanted[*number as usize];
                    wanted.entry = known.find(wanted.hash, &wanted.address);
                }
            }
        }
        for wanted in wanted.iter_mut().filter(|wanted| wanted.entry.is_none()) {
            wanted.info = snapshot.account(wanted.address)?;
        }
        for shard in (0..SHARDS).map(|shard| (shard + turn) % SHARDS) {
            let accounts = shards(shard);
            if accounts.iter().any(|number| wanted[*number as usize].entry.is_none()) {
                let mut known = state.account_shard(shard).lock();
                for number in accounts {
                    let wanted = &mut wanted[*number as usize];
                    if wanted.entry.is_none() {
                        wanted.entry = Some(known.insert(wanted.hash, wanted.address, wanted.info.take()));
                    }
                }
            }
        }
        Ok(())
    }

    /// Entry of the account with this number.
    ///
    /// # Panics
    /// If [`AccountBatch::find`] was not called, or failed.
    pub(crate) fn entry(&self, number: usize) -> AccountRef {
        match self.wanted[number].entry {
            Some(entry) => entry,
            None => panic!("account {} was not looked up", self.wanted[number].address),
        }
    }
}
