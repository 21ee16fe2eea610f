//! Bounds, counters and concurrency of the result cache.

use crate::inputs::{AMPLE_GAS, addresses, bytes, valid_input};
use braid_precompiles::{BraidPrecompiles, PrecompileCache, PrecompileCacheConfig, PrecompileCacheStats};
use revm::{
    precompile::{PrecompileOutput, u64_to_address},
    primitives::{Address, hardfork::SpecId},
};
use std::{sync::Arc, thread};

const ECRECOVER: Address = u64_to_address(1);
const MODEXP: Address = u64_to_address(5);
const BN254_ADD: Address = u64_to_address(6);
const BN254_MUL: Address = u64_to_address(7);
const BN254_PAIRING: Address = u64_to_address(8);

fn cache(capacity_bytes: usize, max_entry_bytes: usize, shards: usize) -> Arc<PrecompileCache> {
    Arc::new(PrecompileCache::new(PrecompileCacheConfig { capacity_bytes, max_entry_bytes, shards }))
}

fn call(
    cache: &Arc<PrecompileCache>,
    spec: SpecId,
    address: &Address,
    input: &[u8],
    gas_limit: u64,
) -> PrecompileOutput {
    BraidPrecompiles::new(spec, Some(cache.clone()), None)
        .execute(address, input, gas_limit, 0)
        .expect("a precompile")
        .expect("no fatal error")
}

/// An input that recovers nothing and takes no time.
fn quick_recovery(number: u64) -> Vec<u8> {
    bytes(number, 64)
}

#[test]
fn hits_misses_and_insertions_are_counted() {
    let cache = cache(1 << 20, 4 << 10, 4);
    let input = valid_input(&ECRECOVER, 1);
    call(&cache, SpecId::OSAKA, &ECRECOVER, &input, 3_000);
    call(&cache, SpecId::OSAKA, &ECRECOVER, &input, 3_000);
    call(&cache, SpecId::OSAKA, &ECRECOVER, &input, 9_000);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.insertions, stats.evictions), (2, 1, 1, 0));
    assert_eq!(stats.entries, 1);
    assert!(stats.bytes > input.len() as u64, "{stats:?}");
}

#[test]
fn failures_are_not_kept() {
    let cache = cache(1 << 20, 4 << 10, 1);
    let not_on_curve = [1; 128];
    for _ in 0..3 {
        assert!(call(&cache, SpecId::OSAKA, &BN254_ADD, &not_on_curve, AMPLE_GAS).is_halt());
    }
    // The limit reaches the first bound, so the call is looked up, but not the cost.
    let pairing = valid_input(&BN254_PAIRING, 1);
    assert!(call(&cache, SpecId::OSAKA, &BN254_PAIRING, &pairing, 45_000).is_halt());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.insertions, stats.entries), (0, 4, 0, 0));
}

#[test]
fn a_hit_with_too_little_gas_is_out_of_gas() {
    let cache = cache(1 << 20, 4 << 10, 1);
    let pairing = valid_input(&BN254_PAIRING, 1);
    let need = call(&cache, SpecId::OSAKA, &BN254_PAIRING, &pairing, AMPLE_GAS).gas_used;
    let short = call(&cache, SpecId::OSAKA, &BN254_PAIRING, &pairing, need - 1);
    assert!(short.halt_reason().is_some_and(|reason| reason.is_oog()), "{short:?}");
    assert!(call(&cache, SpecId::OSAKA, &BN254_PAIRING, &pairing, need).is_success());
    assert_eq!(cache.stats().hits, 2);
}

#[test]
fn the_cache_never_exceeds_its_bytes() {
    let capacity = 128 << 10;
    let cache = cache(capacity, 4 << 10, 4);
    for number in 0..3_000 {
        call(&cache, SpecId::OSAKA, &ECRECOVER, &quick_recovery(number), 3_000);
        let stats = cache.stats();
        assert!(stats.bytes <= capacity as u64, "{stats:?}");
        assert_eq!(stats.insertions - stats.evictions, stats.entries, "{stats:?}");
    }
    let stats = cache.stats();
    assert!(stats.evictions > 1_000 && stats.entries > 100, "{stats:?}");
}

#[test]
fn a_repeated_input_survives_a_flood_of_new_ones() {
    let cache = cache(128 << 10, 4 << 10, 1);
    let popular = valid_input(&ECRECOVER, 1);
    call(&cache, SpecId::OSAKA, &ECRECOVER, &popular, 3_000);
    for number in 0..3_000 {
        call(&cache, SpecId::OSAKA, &ECRECOVER, &quick_recovery(number), 3_000);
        call(&cache, SpecId::OSAKA, &ECRECOVER, &popular, 3_000);
    }
    assert_eq!(cache.stats().hits, 3_000);
}

#[test]
fn large_inputs_are_computed_and_not_kept() {
    let cache = cache(1 << 20, 1 << 10, 1);
    let infinities = vec![0; 192 * 100];
    for _ in 0..2 {
        assert!(call(&cache, SpecId::OSAKA, &BN254_PAIRING, &infinities, AMPLE_GAS).is_success());
    }
    // The input fits and the output does not.
    let mut modexp = [0; 97];
    modexp[94..96].copy_from_slice(&900u16.to_be_bytes());
    assert!(call(&cache, SpecId::BERLIN, &MODEXP, &modexp, AMPLE_GAS).is_success());
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.insertions, stats.entries, stats.bytes), (0, 0, 0, 0), "{stats:?}");
    assert_eq!((stats.misses, stats.oversized), (1, 3), "{stats:?}");
}

#[test]
fn without_capacity_nothing_is_kept() {
    let cache = cache(0, 16 << 10, 64);
    for _ in 0..2 {
        assert!(call(&cache, SpecId::OSAKA, &ECRECOVER, &valid_input(&ECRECOVER, 1), 3_000).is_success());
    }
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.insertions, stats.bytes), (0, 0, 0));
}

#[test]
fn inputs_that_differ_anywhere_are_told_apart() {
    let cache = cache(4 << 20, 4 << 10, 8);
    let input = valid_input(&BN254_MUL, 3);
    let uncached = BraidPrecompiles::new(SpecId::OSAKA, None, None);
    for round in 0..2 {
        // Every bit of the scalar; then the same with zero bytes appended, which means the same but is another key.
        for bit in 0..256 {
            let mut other = input.clone();
            other[64 + bit / 8] ^= 1 << (bit % 8);
            other.resize(96 + round * 16, 0);
            let expected = uncached.execute(&BN254_MUL, &other, 6_000, 0).expect("a precompile");
            assert_eq!(Ok(call(&cache, SpecId::OSAKA, &BN254_MUL, &other, 6_000)), expected);
        }
    }
    assert_eq!((cache.stats().hits, cache.stats().insertions), (0, 512));
}

#[test]
fn forks_with_different_rules_never_share() {
    let cache = cache(4 << 20, 16 << 10, 8);
    let one_kilobyte_operands = {
        let mut input = vec![0; 96];
        for length in [30, 62, 94] {
            input[length..length + 2].copy_from_slice(&256u16.to_be_bytes());
        }
        input.extend(bytes(1, 3 * 256));
        input
    };
    let gas = |spec, address: &Address, input: &[u8]| call(&cache, spec, address, input, u64::MAX >> 1).gas_used;

    // Twice: once computed, once from the cache.
    for _ in 0..2 {
        let modexp = [SpecId::BYZANTIUM, SpecId::ISTANBUL, SpecId::BERLIN, SpecId::PRAGUE, SpecId::OSAKA]
            .map(|spec| gas(spec, &MODEXP, &one_kilobyte_operands));
        assert_eq!(modexp[0], modexp[1]);
        assert_eq!(modexp[2], modexp[3]);
        assert!(modexp[0] != modexp[2] && modexp[2] < modexp[4] && modexp[0] != modexp[4], "{modexp:?}");

        let (add, mul, pair) = (valid_input(&BN254_ADD, 1), valid_input(&BN254_MUL, 1), valid_input(&BN254_PAIRING, 1));
        for (spec, expected) in [(SpecId::BYZANTIUM, [500, 40_000, 180_000]), (SpecId::ISTANBUL, [150, 6_000, 79_000])]
        {
            let actual = [(&BN254_ADD, &add), (&BN254_MUL, &mul), (&BN254_PAIRING, &pair)]
                .map(|(address, input)| gas(spec, address, input));
            assert_eq!(actual, expected, "{spec:?}");
        }
    }
    assert!(cache.stats().hits > 0);
}

#[test]
fn an_input_that_a_fork_forbids_is_not_answered_from_an_older_fork() {
    let cache = cache(4 << 20, 16 << 10, 1);
    // A modulus of 1,025 bytes: free to compute before Osaka, refused from then on (EIP-7823).
    let mut input = vec![0; 97];
    input[94..96].copy_from_slice(&1_025u16.to_be_bytes());
    assert!(call(&cache, SpecId::PRAGUE, &MODEXP, &input, AMPLE_GAS).is_success());
    assert!(call(&cache, SpecId::PRAGUE, &MODEXP, &input, AMPLE_GAS).is_success());
    assert!(call(&cache, SpecId::OSAKA, &MODEXP, &input, AMPLE_GAS).is_halt());
    assert_eq!(cache.stats().hits, 1);
}

#[test]
fn many_threads_agree_with_the_uncached_result() {
    const THREADS: usize = 8;
    const ROUNDS: u64 = 1_500;
    // Less than all results together (some 39 kB), however they spread over the shards: threads evict what others are about to hit.
    let cache = cache(24 << 10, 8 << 10, 2);
    let uncached = BraidPrecompiles::new(SpecId::OSAKA, None, None);
    let calls: Vec<_> = addresses()
        .into_iter()
        .flat_map(|address| (0..6).map(move |seed| (address, valid_input(&address, seed))))
        .map(|(address, input)| {
            let expected = uncached.execute(&address, &input, AMPLE_GAS, 0).expect("a precompile");
            (address, input, expected)
        })
        .collect();

    let looked_up: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS as u64)
            .map(|worker| {
                let (calls, cached) = (&calls, BraidPrecompiles::new(SpecId::OSAKA, Some(cache.clone()), None));
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let index = (round.wrapping_mul(worker * 2 + 1) as usize * 7) % calls.len();
                        let (address, input, expected) = &calls[index];
                        let actual = cached.execute(address, input, AMPLE_GAS, 0).expect("a precompile");
                        assert_eq!(&actual, expected, "{address}");
                    }
                    ROUNDS
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker panicked")).sum()
    });

    let PrecompileCacheStats { hits, misses, insertions, evictions, entries, bytes, .. } = cache.stats();
    assert!(hits + misses <= looked_up && hits > 0 && misses > 0, "{hits} hits, {misses} misses of {looked_up}");
    assert!(insertions <= misses, "{insertions} insertions after {misses} misses");
    assert_eq!(insertions - evictions, entries);
    assert!(evictions > 0 && bytes <= 24 << 10, "{evictions} evictions, {bytes} bytes");
}
