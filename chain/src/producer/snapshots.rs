//! Going back: to a snapshot, by some blocks, to the beginning.

use super::{Producer, Shared, Turn, settings::Clock};
use crate::{ChainError, payload::TransactionSource};
use alloy_consensus::{Header, transaction::Recovered};
use alloy_primitives::B256;
use braid_runtime::Transaction;
use std::{collections::BTreeMap, time::Instant};

/// Transactions of a block in the order that somebody wants.
#[derive(Debug)]
struct Listed(Vec<Recovered<Transaction>>);

impl TransactionSource for Listed {
    fn best(&self, _parent: &Header, _base_fee: u64, _gas_limit: u64) -> Vec<Recovered<Transaction>> {
        self.0.clone()
    }
}

/// States of the chain to which one can go back.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    last: u64,
    saved: BTreeMap<u64, Saved>,
}

#[derive(Clone, Copy, Debug)]
struct Saved {
    head: B256,
    /// Edits that were made before.
    edits: usize,
    clock: Clock,
}

impl Producer {
    /// Remembers the chain as it is. Gives the id of the snapshot, the first of which is 0.
    pub fn snapshot(&self) -> u64 {
        let mut turn = self.shared.turn();
        let head = self.shared.chain.head().hash;
        let saved = Saved { head, edits: turn.edits.count(), clock: self.shared.settings.lock().clock };
        let id = turn.snapshots.last;
        turn.snapshots.last += 1;
        turn.snapshots.saved.insert(id, saved);
        id
    }

    /// Goes back to a snapshot, which is gone then, and so are those that were made after it. Transactions that wait are forgotten. Gives whether there
    /// was such a snapshot.
    pub fn revert(&self, id: u64) -> Result<bool, ChainError> {
        let mut turn = self.shared.turn();
        let Some(saved) = turn.snapshots.saved.get(&id).copied() else { return Ok(false) };
        self.shared.go_back(&mut turn, saved.head, saved.edits)?;
        turn.snapshots.saved.retain(|known, _| *known < id);
        self.shared.settings.lock().clock = saved.clock;
        Ok(true)
    }

    /// Every snapshot: its id, and number and hash of the block that was the head.
    pub fn snapshots(&self) -> Result<Vec<(u64, u64, B256)>, ChainError> {
        let turn = self.shared.turn();
        let mut list = Vec::new();
        for (id, saved) in &turn.snapshots.saved {
            list.push((*id, self.shared.chain.number(&saved.head)?.unwrap_or_default(), saved.head));
        }
        Ok(list)
    }

    /// Takes back so many blocks. Transactions that wait are forgotten. Gives whether there were so many.
    pub fn roll_back(&self, blocks: u64) -> Result<bool, ChainError> {
        let mut turn = self.shared.turn();
        let number = self.shared.chain.head().number;
        let Some(target) = number.checked_sub(blocks) else { return Ok(false) };
        let Some(hash) = self.shared.chain.canonical_hash(target)? else { return Ok(false) };
        let edits = turn.edits.count();
        self.shared.go_back(&mut turn, hash, edits)?;
        Ok(true)
    }

    /// Replaces the last blocks by as many others, of which these are the transactions. Those that cannot be executed there are left out. Transactions that wait go on to
    /// wait. Gives whether there were so many blocks.
    pub fn reorganise(&self, blocks: Vec<Vec<Recovered<Transaction>>>) -> Result<bool, ChainError> {
        let mut turn = self.shared.turn();
        let chain = &self.shared.chain;
        let depth = blocks.len() as u64;
        let Some(target) = chain.head().number.checked_sub(depth) else { return Ok(false) };
        let Some(hash) = chain.canonical_hash(target)? else { return Ok(false) };
        let edits = turn.edits.count();
        self.shared.take_off(&mut turn, hash, edits)?;
        for transactions in blocks {
            let begin = Instant::now();
            let head = chain.head_block()?;
            let (attributes, overrides) = self.next_attributes(&head);
            let source = Listed(transactions);
            let built = chain.build_from(head.hash(), &attributes, &overrides, &source, |_| true)?;
            let built = built.ok_or(ChainError::UnknownBlock(head.hash()))?;
            for (hash, reason) in &built.invalid {
                tracing::warn!("transaction {hash} cannot be executed in the new branch: {reason}");
            }
            self.shared.adopt(built, begin)?;
        }
        drop(turn);
        self.shared.alarm.ring();
        Ok(true)
    }

    /// Goes back to the first block, as it was when this process began. Snapshots and transactions that wait are forgotten.
    pub fn reset(&self) -> Result<(), ChainError> {
        let mut turn = self.shared.turn();
        let genesis = turn.genesis;
        self.shared.go_back(&mut turn, genesis, 0)?;
        turn.snapshots = Snapshots::default();
        let mut settings = self.shared.settings.lock();
        settings.clock = Clock::default();
        settings.next_timestamp = None;
        settings.timestamp_interval = None;
        settings.next_base_fee = None;
        settings.next_prev_randao = None;
        Ok(())
    }
}

impl Shared {
    fn go_back(&self, turn: &mut Turn, head: B256, edits: usize) -> Result<(), ChainError> {
        self.take_off(turn, head, edits)?;
        self.pool.clear();
        Ok(())
    }

    /// Goes back to a block. What was in the blocks that go is gone with them; other transactions wait on.
    fn take_off(&self, turn: &mut Turn, head: B256, edits: usize) -> Result<(), ChainError> {
        self.remember_head(head);
        self.pool.without_reinjection(|| self.chain.set_head(head))?;
        self.take_back(turn, edits)
    }
}
