//! Long runs of plain transfers, on all threads and account by account.
//!
//! A transfer takes from one account and gives to another. What it does to either depends only on what earlier transactions did to the same
//! account, and no transfer looks at more than that. So a run is taken apart: first all threads look the accounts up and write down each
//! transfer as a debit and a credit ([`Part`]), sorted by account; then each account's parts are applied in block order, many accounts at a time. Nothing
//! is validated afterwards, because nothing was assumed.
//!
//! A block of nothing but transfers is done by [`transfer_block`](super::transfer_block) instead, which is quicker still.
//!
//! A run ends before the first transaction that is not plainly a transfer between accounts without code: [`gather`](Run::gather) finds that
//! out before anything is changed. A nonce or balance that turns out wrong later means that the block is invalid, or nearly so, and
//! the serial oracle decides.

use super::{
    block_context::BlockContext,
    everybody::everybody,
    native::{self, Envelope, TRANSFER_GAS},
    report::WorkKind,
    step::Step,
};
use crate::{
    AccountState, Receipt,
    engine::apply::settle,
    state::{AccountBatch, AccountEntry, AccountRef},
};
use alloy_primitives::U256;
use parking_lot::{Mutex, RwLock};
use rayon::ThreadPool;
use revm::primitives::{KECCAK_EMPTY, hardfork::SpecId};
use std::{
    mem::MaybeUninit,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// Transfers in a row that are worth being treated as a run.
pub(crate) const LEAST: usize = 512;

/// Transactions that a thread takes at a time.
const CHUNK: usize = 128;

/// One account's part in a transfer. Amounts are in wei; transfers of more than 2^128 wei are not taken apart.
#[derive(Clone, Copy, Debug)]
enum Part {
    Debit { account: AccountRef, position: u32, nonce: u64, required: u128, amount: u128, tip: u128 },
    Credit { account: AccountRef, position: u32, amount: u128 },
}

/// Parts of the transactions of one chunk, by shard of their account.
#[derive(Debug, Default)]
struct Parts {
    shards: Vec<Vec<Part>>,
}

/// Where the receipts and the parts of a chunk's transactions go.
type Chunk<'m> = (&'m mut [MaybeUninit<Receipt>], &'m mut Parts);

/// Memory for runs, kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct RunMemory {
    parts: Vec<Parts>,
}

/// What a thread needs to take a chunk apart.
#[derive(Debug, Default)]
struct Gathering {
    /// Sender and recipient of each transfer.
    accounts: AccountBatch,
    envelopes: Vec<Envelope>,
}

/// What a run left behind, apart from the accounts.
#[derive(Debug)]
pub(crate) struct Done {
    /// Transfers done; may be none.
    pub(crate) transfers: usize,
    /// For the beneficiary (wei).
    pub(crate) fees: U256,
}

/// A nonce or a balance was not what a transfer needs. State has been changed: only the oracle can go on.
#[derive(Debug)]
pub(crate) struct NotPlain;

/// Whether a run seems to start at `first`, judged by the envelopes.
pub(crate) fn starts_at(block: &BlockContext<'_>, first: usize) -> bool {
    block.block.transactions().get(first..first + LEAST).is_some_and(|ahead| {
        // The last one first: mostly it is not a transfer, and nothing else need be looked at.
        ahead.iter().rev().all(|tx| native::recipient_of(tx, &block.precompiles).is_some())
    })
}

struct Run<'a, 'b> {
    block: &'a BlockContext<'b>,
    first: usize,
    /// Gas used in the block before the run.
    gas_used: u64,
    shards: usize,
    /// Position of the first transaction that is not part of the run.
    end: AtomicUsize,
    next_chunk: AtomicUsize,
    gathering: Step,
}

/// Executes the run that starts at `first`, and appends its receipts. All transactions before it must be committed.
pub(crate) fn execute(
    block: &BlockContext<'_>,
    first: usize,
    gas_used: u64,
    receipts: &mut Vec<Receipt>,
    memory: &mut RunMemory,
    pool: Option<&ThreadPool>,
) -> Result<Done, NotPlain> {
    let total = block.block.transactions().len();
    let threads = 1 + pool.map_or(0, ThreadPool::current_num_threads);
    let run = Run {
        block,
        first,
        gas_used,
        shards: if threads == 1 { 1 } else { (4 * threads).next_power_of_two() },
        end: AtomicUsize::new(total),
        next_chunk: AtomicUsize::new(0),
        gathering: Step::default(),
    };
    let before = receipts.len();
    assert!(receipts.capacity() - before >= total - first, "no room for the receipts of {total} transactions");
    memory.parts.resize_with((total - first).div_ceil(CHUNK).max(memory.parts.len()), Parts::default);
    let chunks: Vec<_> =
        receipts.spare_capacity_mut().chunks_mut(CHUNK).zip(&mut memory.parts).map(RwLock::new).collect();
    let next_shard = AtomicUsize::new(0);
    let is_wrong = AtomicBool::new(false);
    let fees = Mutex::new(U256::ZERO);
    // Both steps in one: waking the other threads a second time would take as long as a hundred transfers.
    everybody(pool, || {
        let clock = || block.timeline.as_ref().map(|timeline| (timeline, timeline.now()));
        let gathering = clock();
        run.gathering.together(|| run.gather(&chunks));
        let end = run.end.load(Ordering::Relaxed);
        if let Some((timeline, started)) = gathering {
            timeline.worked(WorkKind::Gather, first, end - first, started);
        }
        let applying = clock();
        let chunks = &chunks[..(end - first).div_ceil(CHUNK)];
        loop {
            let shard = next_shard.fetch_add(1, Ordering::Relaxed);
            if shard >= run.shards || is_wrong.load(Ordering::Relaxed) {
                break;
            }
            match apply_shard(chunks, shard, end, block.spec) {
                Some(sum) => *fees.lock() += sum,
                None => is_wrong.store(true, Ordering::Relaxed),
            }
        }
        if let Some((timeline, started)) = applying {
            timeline.worked(WorkKind::Apply, first, end - first, started);
        }
    });
    drop(chunks);
    let transfers = run.end.into_inner() - first;
    if is_wrong.into_inner() {
        return Err(NotPlain);
    }
    // SAFETY: `gather` has written the receipt of every transaction before `end`: chunks are taken in order, and one is left early only
    // after lowering `end` to the position that was reached.
    unsafe { receipts.set_len(before + transfers) };
    Ok(Done { transfers, fees: fees.into_inner() })
}

impl Run<'_, '_> {
    /// Takes chunks apart until the run ends.
    fn gather(&self, chunks: &[RwLock<Chunk<'_>>]) {
        let mut memory = Gathering::default();
        loop {
            let number = self.next_chunk.fetch_add(1, Ordering::SeqCst);
            let start = self.first + number * CHUNK;
            if start >= self.end.load(Ordering::Relaxed) {
                return;
            }
            let (receipts, parts) = &mut *chunks[number].write();
            parts.shards.resize_with(self.shards.max(parts.shards.len()), Vec::new);
            parts.shards.iter_mut().for_each(Vec::clear);
            let count = CHUNK.min(self.block.len() - start);
            let done = self.take_apart(start, &mut receipts[..count], parts, &mut memory);
            if done < count {
                self.end.fetch_min(start + done, Ordering::Relaxed);
                return;
            }
        }
    }

    /// Writes down the transfers from `start` on and their receipts, up to the first transaction that is not plainly a transfer. Returns how
    /// many there were.
    fn take_apart(
        &self,
        start: usize,
        receipts: &mut [MaybeUninit<Receipt>],
        parts: &mut Parts,
        memory: &mut Gathering,
    ) -> usize {
        let block = self.block;
        let Gathering { accounts, envelopes } = memory;
        accounts.clear();
        envelopes.clear();
        for position in start..start + receipts.len() {
            let tx = &block.block.transactions()[position];
            let recipient = native::recipient_of(tx, &block.precompiles);
            let (Some(recipient), Some(envelope)) = (recipient, Envelope::of(tx, &block.transfers)) else { break };
            accounts.push(block.state, block.block.senders()[position]);
            accounts.push(block.state, recipient);
            envelopes.push(envelope);
        }
        if accounts.find(block.state, block.snapshot, start / CHUNK * 11).is_err() {
            // Whoever comes to the transaction that cannot be executed will say so.
            return 0;
        }
        for (offset, (envelope, receipt)) in envelopes.iter().zip(&mut *receipts).enumerate() {
            let (sender, recipient) = (accounts.entry(2 * offset), accounts.entry(2 * offset + 1));
            let position = start + offset;
            if self.note(position, envelope, sender, recipient, parts).is_none() {
                return offset;
            }
            receipt.write(Receipt {
                tx_type: block.block.transactions()[position].tx_type(),
                success: true,
                cumulative_gas_used: self.gas_used_before(position) + TRANSFER_GAS,
                logs: Vec::new(),
            });
        }
        envelopes.len()
    }

    fn gas_used_before(&self, position: usize) -> u64 {
        self.gas_used + TRANSFER_GAS * (position - self.first) as u64
    }

    /// Writes a transfer down. `None` when it is not plain.
    fn note(
        &self,
        position: usize,
        envelope: &Envelope,
        sender: AccountRef,
        recipient: AccountRef,
        parts: &mut Parts,
    ) -> Option<()> {
        let Envelope { gas_limit, required, charge, value, tip, nonce } = *envelope;
        let block = self.block;
        if gas_limit > block.env.gas_limit.checked_sub(self.gas_used_before(position))? {
            return None;
        }
        let sender_state = state_of(&sender)?;
        let recipient_state = state_of(&recipient);
        // The beneficiary may have to spend fees of this very run.
        let is_plain = sender_state.code_hash == KECCAK_EMPTY
            && !sender.is(block.beneficiary)
            && recipient_state.is_none_or(|state| state.code_hash == KECCAK_EMPTY && !state.is_empty());
        if !is_plain {
            return None;
        }
        let position = position as u32;
        let amount = value.try_into().ok()?;
        let debit = Part::Debit {
            account: sender,
            position,
            nonce,
            required: required.try_into().ok()?,
            amount: charge.checked_add(amount)?,
            tip,
        };
        parts.shards[self.shard_of(sender)].push(debit);
        parts.shards[self.shard_of(recipient)].push(Part::Credit { account: recipient, position, amount });
        Some(())
    }

    fn shard_of(&self, account: AccountRef) -> usize {
        (account.number().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (self.shards - 1)
    }
}

/// The committed state of an account.
fn state_of(account: &AccountEntry) -> Option<AccountState> {
    if account.version() == 0 { account.base } else { account.committed().state }
}

/// Applies the parts of one shard, up to position `end`. Returns the sum of the fees for the beneficiary (wei).
fn apply_shard(chunks: &[RwLock<Chunk<'_>>], shard: usize, end: usize, spec: SpecId) -> Option<U256> {
    let mut fees = U256::ZERO;
    for chunk in chunks {
        fees += apply_parts(&chunk.read().1.shards[shard], end, spec)?;
    }
    Some(fees)
}

fn apply_parts(parts: &[Part], end: usize, spec: SpecId) -> Option<U256> {
    let mut fees = U256::ZERO;
    for part in parts {
        match *part {
            Part::Debit { account, position, nonce, required, amount, tip } if (position as usize) < end => {
                let mut committed = account.committed();
                let state = committed.state.as_mut()?;
                if state.nonce != nonce || nonce == u64::MAX || state.balance < U256::from(required) {
                    return None;
                }
                state.balance -= U256::from(amount);
                state.nonce = nonce + 1;
                account.publish(&mut committed);
                fees += U256::from(tip);
            }
            Part::Credit { account, position, amount } if (position as usize) < end => {
                let mut committed = account.committed();
                let mut state = committed.state.unwrap_or(AccountState::NEW);
                state.balance = state.balance.checked_add(U256::from(amount))?;
                let after = settle(state, spec);
                if after != committed.state {
                    committed.state = after;
                    account.publish(&mut committed);
                }
            }
            Part::Debit { .. } | Part::Credit { .. } => {}
        }
    }
    Some(fees)
}
