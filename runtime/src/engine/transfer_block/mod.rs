//! Blocks that consist of plain transfers only.
//!
//! Nothing else looks at their accounts, so these need no entries in the block's state: versions, locks and marks are for transactions that meet others.
//! All threads first write each transfer down as a debit and a credit ([`Part`]), sorted into shards by account; then each shard is done by one thread
//! from beginning to end, in a table of its own that stays in the processor's cache ([`accounts`]): parent state, all parts in block order, and what
//! has changed goes straight into the outcome.
//!
//! Whatever is not plain (code at an address, a nonce that does not fit, an account that system calls, withdrawals or fees touch too) is found before
//! anything is changed. The block then goes the way that all others go.

mod accounts;

use super::{
    block_context::BlockContext,
    everybody::everybody,
    native::{self, Envelope, TRANSFER_GAS},
    report::WorkKind,
    step::Step,
    transfer_run,
};
use crate::{AccountDiff, Receipt};
use accounts::Accounts;
use alloy_eips::eip4788::SYSTEM_ADDRESS;
use alloy_primitives::{Address, U256};
use parking_lot::{Mutex, RwLock};
use rayon::ThreadPool;
use std::{
    mem::{MaybeUninit, take},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Transactions that a thread takes at a time: at least, and at most.
const CHUNK: (usize, usize) = (128, 1024);

/// Accounts of a shard, about: its table takes some hundred kilobytes.
const ACCOUNTS_OF_SHARD: usize = 1024;

/// Accounts that system calls have touched, at most: they are compared one by one.
const MAX_RESERVED: usize = 64;

/// A nonce that no sender can have, for parts that are credits.
const CREDIT: u64 = u64::MAX;

/// One account's part in a transfer. Amounts are in wei; transfers of more than 2^128 wei, or with a fee of more than 2^64 wei, go the ordinary way.
#[derive(Clone, Copy, Debug)]
struct Part {
    hash: u32,
    address: Address,
    /// Nonce of a debit, [`CREDIT`] otherwise.
    nonce: u64,
    tip: u64,
    amount: u128,
    /// Balance that the sender must have.
    required: u128,
}

/// Parts of the transactions of one chunk, by shard of their account.
#[derive(Debug, Default)]
struct Parts {
    shards: Vec<Vec<Part>>,
}

/// Memory kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    parts: Vec<Parts>,
    tables: Mutex<Vec<Accounts>>,
}

/// What the block's transactions did.
#[derive(Debug)]
pub(crate) struct Done {
    /// For the beneficiary (wei).
    pub(crate) fees: U256,
    /// Accounts that have changed. There is room for a few more.
    pub(crate) accounts: Vec<AccountDiff>,
}

/// Where the receipts and the parts of a chunk's transactions go.
type Chunk<'m> = (&'m mut [MaybeUninit<Receipt>], &'m mut Parts);

struct Run<'a, 'b> {
    block: &'a BlockContext<'b>,
    /// Transactions of a chunk.
    chunk: usize,
    shards: usize,
    next_chunk: AtomicUsize,
    next_shard: AtomicUsize,
    /// Something is not plain.
    failed: AtomicBool,
    /// Accounts that others touch, with their hashes.
    reserved: Vec<(u64, Address)>,
}

/// Executes all transactions of the block and appends their receipts. `None` when they are not all plain; nothing has been changed then.
pub(crate) fn execute(
    block: &BlockContext<'_>,
    receipts: &mut Vec<Receipt>,
    memory: &mut Memory,
    pool: Option<&ThreadPool>,
) -> Option<Done> {
    let transactions = block.block.transactions();
    let total = transactions.len();
    // Most blocks are not of this kind: a few looks tell.
    let is_transfer = |tx| native::recipient_of(tx, &block.precompiles).is_some();
    if !transfer_run::starts_at(block, 0) || !transactions.iter().rev().step_by(16).all(is_transfer) {
        return None;
    }
    let threads = 1 + pool.map_or(0, ThreadPool::current_num_threads);
    let run = Run {
        block,
        chunk: (total / (8 * threads)).clamp(CHUNK.0, CHUNK.1),
        shards: (2 * total / ACCOUNTS_OF_SHARD).max(if threads == 1 { 1 } else { 8 * threads }).next_power_of_two(),
        next_chunk: AtomicUsize::new(0),
        next_shard: AtomicUsize::new(0),
        failed: AtomicBool::new(false),
        reserved: reserved(block)?,
    };
    let before = receipts.len();
    assert!(receipts.capacity() - before >= total, "no room for the receipts of {total} transactions");
    let Memory { parts, tables } = memory;
    parts.resize_with(total.div_ceil(run.chunk).max(parts.len()), Parts::default);
    let places = receipts.spare_capacity_mut()[..total].chunks_mut(run.chunk);
    let chunks: Vec<_> = places.zip(parts).map(RwLock::new).collect();
    // Each transfer changes two accounts at most.
    let mut changed = Vec::with_capacity(2 * total + MAX_RESERVED);
    let room = Mutex::new(changed.spare_capacity_mut());
    let written = AtomicUsize::new(0);
    let fees = Mutex::new(U256::ZERO);
    let gathering = Step::default();
    // Both steps in one: waking the other threads a second time would take as long as a hundred transfers.
    everybody(pool, || {
        let clock = || block.timeline.as_ref().map(|timeline| (timeline, timeline.now()));
        let gathered = clock();
        gathering.together(|| run.gather(&chunks));
        if let Some((timeline, started)) = gathered {
            timeline.worked(WorkKind::Gather, 0, total, started);
        }
        let applied = clock();
        let mut table = tables.lock().pop().unwrap_or_default();
        while let Some(shard) = run.next_shard() {
            let Some(sum) = run.settle(shard, &chunks, &mut table) else {
                run.failed.store(true, Ordering::Relaxed);
                break;
            };
            let count = table.changed();
            let place = {
                let mut room = room.lock();
                let (place, rest) = take(&mut *room).split_at_mut(count);
                *room = rest;
                place
            };
            table.write_changes(place);
            written.fetch_add(count, Ordering::Relaxed);
            *fees.lock() += sum;
        }
        tables.lock().push(table);
        if let Some((timeline, started)) = applied {
            timeline.worked(WorkKind::Apply, 0, total, started);
        }
    });
    drop((chunks, room));
    if run.failed.into_inner() {
        return None;
    }
    // SAFETY: `gather` has written the receipt of every transaction: each chunk was taken by somebody, and nobody failed.
    unsafe { receipts.set_len(before + total) };
    // SAFETY: places were taken from the front, without gaps, and each was filled by whoever took it.
    unsafe { changed.set_len(written.into_inner()) };
    if changed.len() < total / 2 {
        changed.shrink_to(changed.len() + MAX_RESERVED);
    }
    Some(Done { fees: fees.into_inner(), accounts: changed })
}

/// Accounts that the block's state knows already (system calls, the beneficiary) or that will change after the transactions. `None` when there are
/// too many.
fn reserved(block: &BlockContext<'_>) -> Option<Vec<(u64, Address)>> {
    let body = block.block;
    let mut addresses = vec![SYSTEM_ADDRESS, block.beneficiary.address];
    let (known, _) = block.state.counts();
    if known.iter().sum::<usize>() > MAX_RESERVED / 2 {
        return None;
    }
    for shard in (0..known.len()).filter(|shard| known[*shard] > 0) {
        block.state.for_each_account_in(shard, |entry| addresses.push(entry.address));
    }
    addresses.extend(body.withdrawals().into_iter().flatten().map(|withdrawal| withdrawal.address));
    addresses.extend(body.ommers().iter().map(|ommer| ommer.beneficiary));
    (addresses.len() <= MAX_RESERVED)
        .then(|| addresses.into_iter().map(|address| (block.state.hash(&address), address)).collect())
}

impl Run<'_, '_> {
    /// Takes chunks apart until there are no more, or one is not plain.
    fn gather(&self, chunks: &[RwLock<Chunk<'_>>]) {
        while !self.failed.load(Ordering::Relaxed) {
            let number = self.next_chunk.fetch_add(1, Ordering::SeqCst);
            let Some(chunk) = chunks.get(number) else { return };
            let (receipts, parts) = &mut *chunk.write();
            parts.shards.resize_with(self.shards.max(parts.shards.len()), Vec::new);
            parts.shards.iter_mut().for_each(Vec::clear);
            if self.take_apart(number * self.chunk, receipts, parts).is_none() {
                self.failed.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Writes down the transfers from `start` on and their receipts. `None` when one is not plain.
    fn take_apart(&self, start: usize, receipts: &mut [MaybeUninit<Receipt>], parts: &mut Parts) -> Option<()> {
        let block = self.block;
        let transactions = &block.block.transactions()[start..];
        let senders = &block.block.senders()[start..];
        for (offset, receipt) in receipts.iter_mut().enumerate() {
            let tx = &transactions[offset];
            let recipient = native::recipient_of(tx, &block.precompiles)?;
            let Envelope { gas_limit, nonce, required, charge, value, tip } = Envelope::of(tx, &block.transfers)?;
            let gas_used = TRANSFER_GAS * (start + offset) as u64;
            if gas_limit > block.env.gas_limit.checked_sub(gas_used)? || nonce == CREDIT {
                return None;
            }
            let value: u128 = value.try_into().ok()?;
            let debit = Part {
                hash: 0,
                address: senders[offset],
                nonce,
                tip: tip.try_into().ok()?,
                amount: charge.checked_add(value)?,
                required: required.try_into().ok()?,
            };
            self.add(parts, debit);
            self.add(parts, Part { hash: 0, address: recipient, nonce: CREDIT, tip: 0, amount: value, required: 0 });
            receipt.write(Receipt {
                tx_type: tx.tx_type(),
                success: true,
                cumulative_gas_used: gas_used + TRANSFER_GAS,
                logs: Vec::new(),
            });
        }
        Some(())
    }

    fn add(&self, parts: &mut Parts, part: Part) {
        let hash = self.block.state.hash(&part.address);
        parts.shards[self.shard_of(hash)].push(Part { hash: hash as u32, ..part });
    }

    /// From the upper half of the hash; tables of shards use the lower.
    const fn shard_of(&self, hash: u64) -> usize {
        (hash >> 40) as usize & (self.shards - 1)
    }

    /// The next shard to do; `None` when all are taken or something went wrong.
    fn next_shard(&self) -> Option<usize> {
        let shard = self.next_shard.fetch_add(1, Ordering::Relaxed);
        (shard < self.shards && !self.failed.load(Ordering::Relaxed)).then_some(shard)
    }

    /// Does all parts of a shard in block order. Returns the sum of the fees for the beneficiary (wei); `None` when something is not plain.
    fn settle(&self, shard: usize, chunks: &[RwLock<Chunk<'_>>], table: &mut Accounts) -> Option<U256> {
        table.clear();
        for chunk in chunks {
            table.meet(&chunk.read().1.shards[shard]);
        }
        table.load(self.block.snapshot)?;
        let mut fees = 0u128;
        let mut place = 0;
        for chunk in chunks {
            fees = fees.checked_add(table.apply(&chunk.read().1.shards[shard], &mut place, self.block.spec)?)?;
        }
        let is_met =
            |(hash, address): &(u64, Address)| self.shard_of(*hash) == shard && table.has(*hash as u32, address);
        if self.reserved.iter().any(is_met) {
            return None;
        }
        Some(U256::from(fees))
    }
}
