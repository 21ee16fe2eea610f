//! What precompile calls cost with and without the result cache: the figures behind the cache's choice of calls.
//!
//! `cargo run --release -p braid-precompiles --example cache_costs` prints nanoseconds per call, the best of several
//! rounds: computed, answered from the cache, and the cost that a look-up without an answer adds to the computation.

use braid_precompiles::BraidPrecompiles;
use revm::{
    precompile::{kzg_point_evaluation::kzg_to_versioned_hash, u64_to_address},
    primitives::{Address, hardfork::SpecId, hex, keccak256},
};
use std::{hint::black_box, sync::Arc, time::Instant};

const GAS: u64 = 100_000_000;
const ROUNDS: usize = 7;

fn main() {
    let uncached = BraidPrecompiles::new(SpecId::OSAKA, None, None);
    let cached = BraidPrecompiles::new(SpecId::OSAKA, Some(Arc::default()), None);
    println!("{:<28}{:>12}{:>12}", "call", "computed", "answered");
    for (name, address, input) in calls(&uncached) {
        let computed = nanoseconds(|| run(&uncached, &address, &input));
        let answered = nanoseconds(|| run(&cached, &address, &input));
        println!("{name:<28}{computed:>12.0}{answered:>12.0}");
    }

    println!("\n{:<28}{:>16}", "input bytes", "added by a miss");
    for length in [128, 1_024, 3_072] {
        // A modexp of nothing, with ever new bytes where no operand is read: no work but that of the cache.
        let mut input = vec![0; length];
        let mut number = 0u64;
        let mut costs = [&uncached, &cached].map(|precompiles| {
            nanoseconds(|| {
                number += 1;
                input[length - 8..].copy_from_slice(&number.to_be_bytes());
                run(precompiles, &u64_to_address(5), &input);
            })
        });
        costs[1] -= costs[0];
        println!("{length:<28}{:>16.0}", costs[1]);
    }
}

fn run(precompiles: &BraidPrecompiles, address: &Address, input: &[u8]) {
    let output = precompiles.execute(address, black_box(input), GAS, 0);
    black_box(output.expect("a precompile of Osaka").expect("no fatal error"));
}

/// The best average over a few rounds of about ten milliseconds.
fn nanoseconds(mut call: impl FnMut()) -> f64 {
    call();
    let started = Instant::now();
    call();
    let count = (10_000_000 / started.elapsed().as_nanos().max(1)).clamp(1, 100_000);
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            (0..count).for_each(|_| call());
            started.elapsed().as_nanos() as f64 / count as f64
        })
        .fold(f64::INFINITY, f64::min)
}

fn bytes(seed: u8, length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().flat_map(|block| keccak256([seed, block]).0).take(length).collect()
}

fn calls(precompiles: &BraidPrecompiles) -> Vec<(String, Address, Vec<u8>)> {
    let output = |address: u64, input: &[u8]| {
        let output = precompiles.execute(&u64_to_address(address), input, GAS, 0);
        output.expect("a precompile of Osaka").expect("no fatal error").bytes.to_vec()
    };
    let mut generator = [0; 64];
    (generator[31], generator[63]) = (1, 2);
    let bn254_g1 = |seed| output(7, &[&generator[..], &bytes(seed, 32)].concat());
    let field_element = |seed| [vec![0; 17], bytes(seed, 47)].concat();
    let g1 = |seed| output(0x10, &field_element(seed));
    let g2 = |seed| output(0x11, &[field_element(seed), field_element(seed + 1)].concat());
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;

    let mut calls = vec![
        ("ecrecover".to_owned(), 1, [&bytes(1, 32)[..], &[0; 31], &[27], &bytes(2, 64)].concat()),
        ("bn254 add".to_owned(), 6, [bn254_g1(1), bn254_g1(2)].concat()),
        ("bn254 mul".to_owned(), 7, [bn254_g1(1), bytes(3, 32)].concat()),
        ("bn254 pairing, 2 pairs".to_owned(), 8, [bn254_g1(1), BN254_G2.to_vec()].concat().repeat(2)),
        (
            "kzg point evaluation".to_owned(),
            10,
            [&kzg_to_versioned_hash(&infinity), &[0; 64][..], &infinity, &infinity].concat(),
        ),
        ("bls12 g1 add".to_owned(), 0x0b, [g1(1), g1(2)].concat()),
        ("bls12 g1 msm, 1 point".to_owned(), 0x0c, [g1(1), bytes(1, 32)].concat()),
        ("bls12 g2 add".to_owned(), 0x0d, [g2(1), g2(2)].concat()),
        ("bls12 g2 msm, 1 point".to_owned(), 0x0e, [g2(1), bytes(1, 32)].concat()),
        ("bls12 pairing, 1 pair".to_owned(), 0x0f, [g1(1), g2(1)].concat()),
        ("bls12 map to g1".to_owned(), 0x10, field_element(1)),
        ("bls12 map to g2".to_owned(), 0x11, [field_element(1), field_element(2)].concat()),
        ("p256 verify".to_owned(), 0x100, P256_VALID.to_vec()),
    ];
    for size in [8u8, 32, 128, 255] {
        let header = [[0; 31].as_slice(), &[size], &[0; 31], &[size.min(32)], &[0; 31], &[size]].concat();
        calls.push((format!("modexp, {size}-byte modulus"), 5, [header, bytes(size, 2 * 255 + 32)].concat()));
    }
    for rounds in [12u32, 128, 512, 4_096] {
        let input = [rounds.to_be_bytes().as_slice(), &bytes(1, 208), &[1]].concat();
        calls.push((format!("blake2f, {rounds} rounds"), 9, input));
    }
    for length in [64, 256, 1_024, 2_048, 4_096, 8_192] {
        calls.push((format!("sha256, {length} bytes"), 2, bytes(1, length)));
        calls.push((format!("ripemd160, {length} bytes"), 3, bytes(1, length)));
    }
    calls.into_iter().map(|(name, address, input)| (name, u64_to_address(address), input)).collect()
}

/// The generator of bn254's second group.
const BN254_G2: [u8; 128] = hex!(
    "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
    "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
    "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
    "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
);

/// A valid signature from RIP-7212's test vectors.
const P256_VALID: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);
