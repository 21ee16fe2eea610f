//! A bounded cache of precompile results, shared by all workers and all blocks.
//!
//! What is kept: the output and the gas of a call that **succeeded**. Both follow from the fork's rules, the address and
//! the input alone, so they hold for every gas limit. Out of gas depends on the limit and is decided afresh from the
//! kept gas: each precompile charges before it computes and fails in no other way on an input that once succeeded, so
//! a limit below that gas means "out of gas" and a limit at or above it means success. Halts of any kind, fatal
//! errors, and outputs with refunds or state gas are never kept. The full key is compared on every hit; the hash only
//! finds the slot.
//!
//! Read [`PrecompileCache::execute`] first, then `shard` for eviction and `policy` for what is worth a look-up.

mod policy;
mod shard;

pub(crate) use policy::is_worth_a_lookup;

use crate::set::ForkRules;
use parking_lot::RwLock;
use revm::{
    precompile::{Precompile, PrecompileHalt, PrecompileOutput, PrecompileResult},
    primitives::{Bytes, map::DefaultHashBuilder},
};
use shard::{CachedResult, Key, Table};
use std::{
    fmt,
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

/// Bounds of a [`PrecompileCache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrecompileCacheConfig {
    /// Bytes that the cache may take in all, its tables included. Zero keeps nothing.
    pub capacity_bytes: usize,
    /// Bytes that one entry may take (input, output and about 200 bytes around them); larger ones are computed each
    /// time. A shard's share of the capacity bounds it too.
    pub max_entry_bytes: usize,
    /// Independent parts with a lock each, rounded up to a power of two; more parts mean less waiting among workers.
    pub shards: usize,
}

impl Default for PrecompileCacheConfig {
    /// 64 MiB in 64 shards, entries up to 16 KiB: the results of about 130,000 signature recoveries.
    fn default() -> Self {
        Self { capacity_bytes: 64 << 20, max_entry_bytes: 16 << 10, shards: 64 }
    }
}

/// Counters of a [`PrecompileCache`], read at one moment. Read while workers run, they may be a few calls apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrecompileCacheStats {
    /// Calls answered from the cache.
    pub hits: u64,
    /// Calls looked up and not found.
    pub misses: u64,
    /// Results stored.
    pub insertions: u64,
    /// Results dropped to keep the bounds.
    pub evictions: u64,
    /// Calls that were computed without a look-up, or whose result was not stored, because the entry would be too large.
    pub oversized: u64,
    /// Results held now.
    pub entries: u64,
    /// Bytes that the held results take now.
    pub bytes: u64,
}

/// Results of costly precompile calls. See the module's head for what is kept and why it is safe.
///
/// Share one `Arc<PrecompileCache>` among all [`BraidPrecompiles`](crate::BraidPrecompiles). It assumes, as revm does,
/// that the process-wide cryptography of `revm::precompile` is installed once, before the first call.
pub struct PrecompileCache {
    shards: Box<[Shard]>,
    /// Right shift that leaves a shard index of a hash.
    shard_shift: u32,
    max_entry_bytes: usize,
    hasher: DefaultHashBuilder,
}

/// One part of the cache, alone on its cache lines so that counting in one does not slow another.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    table: RwLock<Table>,
    hits: AtomicU64,
    misses: AtomicU64,
    insertions: AtomicU64,
    evictions: AtomicU64,
    oversized: AtomicU64,
}

impl Shard {
    fn new(capacity: usize) -> Self {
        Self {
            table: RwLock::new(Table::new(capacity)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            insertions: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            oversized: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for PrecompileCache {
    /// The bounds and the counters; the contents would say nothing.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PrecompileCache")
            .field("shards", &self.shards.len())
            .field("max_entry_bytes", &self.max_entry_bytes)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Default for PrecompileCache {
    fn default() -> Self {
        Self::new(PrecompileCacheConfig::default())
    }
}

impl PrecompileCache {
    /// An empty cache within the bounds of `config`.
    pub fn new(config: PrecompileCacheConfig) -> Self {
        let count = config.shards.clamp(1, 1 << 12).next_power_of_two();
        let share = config.capacity_bytes / count;
        let shards: Box<[Shard]> = (0..count).map(|_| Shard::new(share)).collect();
        let budget = shards[0].table.read().budget();
        Self {
            shards,
            shard_shift: u64::BITS - count.trailing_zeros(),
            max_entry_bytes: config.max_entry_bytes.min(budget),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// The counters now.
    pub fn stats(&self) -> PrecompileCacheStats {
        let mut stats = PrecompileCacheStats::default();
        for shard in &self.shards {
            stats.hits += shard.hits.load(Ordering::Relaxed);
            stats.misses += shard.misses.load(Ordering::Relaxed);
            stats.insertions += shard.insertions.load(Ordering::Relaxed);
            stats.evictions += shard.evictions.load(Ordering::Relaxed);
            stats.oversized += shard.oversized.load(Ordering::Relaxed);
            let table = shard.table.read();
            stats.entries += table.entries() as u64;
            stats.bytes += table.bytes() as u64;
        }
        stats
    }

    /// Runs `precompile`, which must be the one that `rules` put at its address, or answers from an earlier run.
    pub(crate) fn execute(
        &self,
        rules: ForkRules,
        precompile: &Precompile,
        input: &[u8],
        gas_limit: u64,
        reservoir: u64,
    ) -> PrecompileResult {
        let key = Key { rules: rules.discriminant(), address: *precompile.address(), input };
        if key.entry_bytes(0) > self.max_entry_bytes {
            // Not even hashed: the first shard counts it.
            self.shards[0].oversized.fetch_add(1, Ordering::Relaxed);
            return precompile.execute(input, gas_limit, reservoir);
        }

        let tag = self.tag(&key);
        let shard = self.shard(tag);
        let found = shard.table.read().get(tag, &key);
        if let Some(found) = found {
            shard.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(if found.gas_used > gas_limit {
                PrecompileOutput::halt(PrecompileHalt::OutOfGas, reservoir)
            } else {
                PrecompileOutput::new(found.gas_used, found.output, reservoir)
            });
        }
        shard.misses.fetch_add(1, Ordering::Relaxed);

        let output = precompile.execute(input, gas_limit, reservoir)?;
        if depends_on_key_alone(&output, gas_limit, reservoir) && policy::is_worth_keeping(input.len(), output.gas_used)
        {
            self.insert(shard, tag, &key, &output);
        }
        Ok(output)
    }

    fn insert(&self, shard: &Shard, tag: u64, key: &Key<'_>, output: &PrecompileOutput) {
        if key.entry_bytes(output.bytes.len()) > self.max_entry_bytes {
            shard.oversized.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // Copied, so that an entry never keeps alive more than the bytes it is charged for.
        let output = CachedResult { gas_used: output.gas_used, output: Bytes::copy_from_slice(&output.bytes) };
        if let Some(evicted) = shard.table.write().insert(tag, key, output) {
            shard.insertions.fetch_add(1, Ordering::Relaxed);
            shard.evictions.fetch_add(evicted, Ordering::Relaxed);
        }
    }

    /// The hash of a key. Keys are compared in full wherever it matters, so a weak or known hash costs only evictions.
    fn tag(&self, key: &Key<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(key.rules);
        hasher.write(key.address.as_slice());
        hasher.write(key.input);
        // The table hasher may leave some bits poorly mixed; both ends of the tag are used below.
        let hash = hasher.finish();
        (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn shard(&self, tag: u64) -> &Shard {
        &self.shards[tag.checked_shr(self.shard_shift).unwrap_or(0) as usize]
    }
}

/// Whether `output` would be the same for every gas limit that covers its gas, whatever the reservoir.
fn depends_on_key_alone(output: &PrecompileOutput, gas_limit: u64, reservoir: u64) -> bool {
    output.is_success()
        && output.gas_used <= gas_limit
        && output.gas_refunded == 0
        && output.state_gas_used == 0
        && output.state_gas_spilled == 0
        && output.reservoir == reservoir
}
