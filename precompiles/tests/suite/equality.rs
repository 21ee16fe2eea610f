//! The cache changes no result.

use crate::inputs::{AMPLE_GAS, addresses, any_call, forks, valid_input};
use braid_precompiles::{BraidPrecompiles, PrecompileCache, PrecompileCacheConfig};
use proptest::prelude::*;
use revm::{
    precompile::{PrecompileOutput, PrecompileSpecId, Precompiles},
    primitives::{Address, hardfork::SpecId},
};
use std::sync::{Arc, LazyLock};

/// One small cache for every case of every fork, so that entries meet and push each other out.
static CACHE: LazyLock<Arc<PrecompileCache>> = LazyLock::new(|| {
    Arc::new(PrecompileCache::new(PrecompileCacheConfig {
        capacity_bytes: 256 << 10,
        ..PrecompileCacheConfig::default()
    }))
});

/// What revm itself gives.
fn plain(spec: SpecId, address: &Address, input: &[u8], gas_limit: u64, reservoir: u64) -> Option<PrecompileOutput> {
    let precompile = Precompiles::new(PrecompileSpecId::from_spec_id(spec)).get(address)?;
    Some(precompile.execute(input, gas_limit, reservoir).expect("no fatal error"))
}

fn assert_same_for_all_limits(cache: &Arc<PrecompileCache>, address: &Address, input: &[u8], reservoir: u64) {
    for spec in forks() {
        let cached = BraidPrecompiles::new(spec, Some(cache.clone()), None);
        let uncached = BraidPrecompiles::new(spec, None, None);
        let need = plain(spec, address, input, AMPLE_GAS, reservoir).map_or(0, |output| output.gas_used);
        // Upwards first: the limits below the need come before anything is kept, and again after it is.
        let up = [0, need / 2, need.saturating_sub(1), need, need + 1, 100_000, AMPLE_GAS];
        for gas_limit in up.into_iter().chain(up.into_iter().rev()) {
            let expected = plain(spec, address, input, gas_limit, reservoir);
            for precompiles in [&cached, &uncached] {
                let actual = precompiles.execute(address, input, gas_limit, reservoir).transpose();
                let actual = actual.expect("no fatal error");
                assert_eq!(actual, expected, "{address} under {spec:?} with {gas_limit} gas");
            }
        }
    }
}

#[test]
fn every_precompile_of_every_fork_on_valid_inputs() {
    let cache = Arc::new(PrecompileCache::default());
    for address in addresses() {
        for seed in 0..3 {
            assert_same_for_all_limits(&cache, &address, &valid_input(&address, seed), seed);
        }
    }
    let stats = cache.stats();
    assert!(stats.hits > 1_000 && stats.insertions > 100, "the cache took part: {stats:?}");
}

#[test]
fn every_precompile_of_every_fork_on_edge_inputs() {
    let cache = Arc::new(PrecompileCache::default());
    for address in addresses() {
        for length in [0, 1, 31, 32, 63, 64, 96, 127, 128, 129, 159, 160, 192, 213, 256, 288, 384, 512, 4_096, 20_000] {
            assert_same_for_all_limits(&cache, &address, &vec![0; length], 7);
            let ones = if address.0[19] == 9 { vec![0; length] } else { vec![0xff; length] };
            assert_same_for_all_limits(&cache, &address, &ones, 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_precompile_of_every_fork_on_random_inputs((address, input) in any_call(), reservoir in any::<u64>()) {
        assert_same_for_all_limits(&CACHE, &address, &input, reservoir);
    }

    /// Calls as they come, forks and limits mixed, so that a hit meets what another fork or limit left behind.
    #[test]
    fn interleaved_calls(
        calls in prop::collection::vec(
            ((0..18usize), (0..4u64), 0..=SpecId::AMSTERDAM as u8, prop_oneof![Just(AMPLE_GAS), 0..200_000u64]),
            1..40,
        )
    ) {
        let addresses = addresses();
        for (address, seed, spec, gas_limit) in calls {
            let spec = SpecId::try_from_u8(spec).expect("a fork");
            let (address, input) = (&addresses[address], valid_input(&addresses[address], seed));
            let cached = BraidPrecompiles::new(spec, Some(CACHE.clone()), None);
            let actual = cached.execute(address, &input, gas_limit, 0).transpose().expect("no fatal error");
            prop_assert_eq!(actual, plain(spec, address, &input, gas_limit, 0));
        }
    }
}
