//! Inputs for precompiles: valid ones made from a seed, and ways to spoil them.

use braid_precompiles::BraidPrecompiles;
use proptest::prelude::*;
use revm::{
    precompile::{kzg_point_evaluation::kzg_to_versioned_hash, u64_to_address},
    primitives::{Address, hardfork::SpecId, hex, keccak256},
};

/// Gas that is ample for every input made here and keeps a modexp that is spoilt into a giant from running for long.
pub(crate) const AMPLE_GAS: u64 = 10_000_000;

/// Every fork that revm knows.
pub(crate) fn forks() -> impl Iterator<Item = SpecId> {
    (SpecId::FRONTIER as u8..=SpecId::AMSTERDAM as u8).filter_map(SpecId::try_from_u8)
}

/// The addresses of all precompiles of the latest fork.
pub(crate) fn addresses() -> Vec<Address> {
    (1..=0x11).chain([0x100]).map(u64_to_address).collect()
}

/// What is done to a valid input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spoil {
    Nothing,
    Truncate(u16),
    Extend(u16),
    Flip(u16, u8),
    Replace(u16),
}

/// Mostly valid inputs, some spoilt, for any precompile.
pub(crate) fn any_call() -> impl Strategy<Value = (Address, Vec<u8>)> {
    let spoil = prop_oneof![
        4 => Just(Spoil::Nothing),
        1 => any::<u16>().prop_map(Spoil::Truncate),
        1 => (1..600u16).prop_map(Spoil::Extend),
        2 => (any::<u16>(), 1..=255u8).prop_map(|(at, with)| Spoil::Flip(at, with)),
        1 => (0..1_000u16).prop_map(Spoil::Replace),
    ];
    (prop::sample::select(addresses()), any::<u64>(), spoil)
        .prop_map(|(address, seed, spoil)| (address, spoilt(&address, valid_input(&address, seed), seed, spoil)))
}

fn spoilt(address: &Address, mut input: Vec<u8>, seed: u64, spoil: Spoil) -> Vec<u8> {
    match spoil {
        Spoil::Nothing => {}
        Spoil::Truncate(length) => input.truncate(usize::from(length) % (input.len() + 1)),
        Spoil::Extend(by) => input.resize(input.len() + usize::from(by), seed as u8),
        Spoil::Flip(at, with) => {
            let length = input.len().max(1);
            if let Some(byte) = input.get_mut(usize::from(at) % length) {
                *byte ^= with;
            }
        }
        Spoil::Replace(length) => input = bytes(seed, usize::from(length)),
    }
    // Four thousand million rounds of BLAKE2 would be paid for but not waited for.
    if *address == u64_to_address(9) && input.len() > 2 {
        input[..2].fill(0);
    }
    input
}

/// Pseudo-random bytes.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    (0u64..).flat_map(|block| keccak256([seed.to_be_bytes(), block.to_be_bytes()].concat()).0).take(length).collect()
}

/// A call that succeeds, chosen by `seed`. A few seeds in sixteen give the edges: zeros, points at infinity, no pairs.
pub(crate) fn valid_input(address: &Address, seed: u64) -> Vec<u8> {
    let count = 1 + (seed >> 8) as usize % 2;
    match address.into_word().0[30..] {
        [0, 0x01] => ecrecover(seed),
        [0, 0x02..=0x04] => bytes(seed, (seed >> 4) as usize % 9_000),
        [0, 0x05] => modexp(seed),
        [0, 0x06] => [bn254_g1(seed), bn254_g1(seed ^ 1)].concat(),
        [0, 0x07] => [bn254_g1(seed), bytes(seed, 32)].concat(),
        [0, 0x08] if seed.is_multiple_of(16) => Vec::new(),
        [0, 0x08] => (0..count).flat_map(|pair| [bn254_g1(seed ^ pair as u64), BN254_G2.to_vec()].concat()).collect(),
        [0, 0x09] => blake2f(seed),
        [0, 0x0a] => kzg(seed),
        [0, 0x0b] => [bls12_g1(seed), bls12_g1(seed ^ 1)].concat(),
        [0, 0x0c] => (0..count).flat_map(|pair| [bls12_g1(seed ^ pair as u64), bytes(seed, 32)].concat()).collect(),
        [0, 0x0d] => [bls12_g2(seed), bls12_g2(seed ^ 1)].concat(),
        [0, 0x0e] => (0..count).flat_map(|pair| [bls12_g2(seed ^ pair as u64), bytes(seed, 32)].concat()).collect(),
        [0, 0x0f] => {
            (0..count as u64).flat_map(|pair| [bls12_g1(seed ^ pair), bls12_g2(seed ^ pair)].concat()).collect()
        }
        [0, 0x10] => bls12_field_element(seed),
        [0, 0x11] => [bls12_field_element(seed), bls12_field_element(!seed)].concat(),
        [1, 0x00] if seed.is_multiple_of(2) => P256_VALID.to_vec(),
        [1, 0x00] => bytes(seed, 160),
        _ => panic!("no precompile at {address}"),
    }
}

fn ecrecover(seed: u64) -> Vec<u8> {
    let mut input = bytes(seed, 128);
    input[32..64].fill(0);
    // One in four has a recovery id that is refused.
    input[63] = 26 + (seed % 4) as u8;
    input
}

fn modexp(seed: u64) -> Vec<u8> {
    let lengths = [seed % 130, (seed >> 8) % 70, (seed >> 16) % 130];
    let header = lengths.iter().flat_map(|length| [[0; 24].as_slice(), &length.to_be_bytes()].concat());
    header.chain(bytes(seed, lengths.iter().sum::<u64>() as usize)).collect()
}

fn blake2f(seed: u64) -> Vec<u8> {
    let mut input = bytes(seed, 213);
    input[..4].copy_from_slice(&(seed as u32 % 3_000).to_be_bytes());
    input[212] &= 1;
    input
}

/// A proof for the polynomial that is zero everywhere: commitment and proof are the point at infinity.
fn kzg(seed: u64) -> Vec<u8> {
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    let mut point = bytes(seed, 32);
    point[0] = 0;
    [&kzg_to_versioned_hash(&infinity), &point[..], &[0; 32], &infinity, &infinity].concat()
}

fn output_of(address: u64, input: &[u8]) -> Vec<u8> {
    let output = BraidPrecompiles::new(SpecId::OSAKA, None, None)
        .execute(&u64_to_address(address), input, AMPLE_GAS, 0)
        .expect("the latest fork has the precompile")
        .expect("no fatal error");
    assert!(output.is_success(), "{:?}", output.status);
    output.bytes.to_vec()
}

fn bn254_g1(seed: u64) -> Vec<u8> {
    if seed.is_multiple_of(16) {
        return vec![0; 64];
    }
    let mut generator = [0; 64];
    generator[31] = 1;
    generator[63] = 2;
    output_of(7, &[&generator[..], &bytes(seed, 32)].concat())
}

fn bls12_field_element(seed: u64) -> Vec<u8> {
    let mut element = bytes(seed, 64);
    element[..17].fill(0);
    element
}

fn bls12_g1(seed: u64) -> Vec<u8> {
    if seed.is_multiple_of(16) { vec![0; 128] } else { output_of(0x10, &bls12_field_element(seed)) }
}

fn bls12_g2(seed: u64) -> Vec<u8> {
    if seed.is_multiple_of(16) {
        return vec![0; 256];
    }
    output_of(0x11, &[bls12_field_element(seed), bls12_field_element(!seed)].concat())
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

#[test]
fn valid_inputs_succeed_under_the_latest_fork() {
    let precompiles = BraidPrecompiles::new(SpecId::AMSTERDAM, None, None);
    for address in addresses() {
        for seed in (0..32).chain([u64::MAX]) {
            let output = precompiles.execute(&address, &valid_input(&address, seed), AMPLE_GAS, 0);
            let output = output.expect("a precompile").expect("no fatal error");
            assert!(output.is_success(), "{address} with seed {seed}: {:?}", output.status);
        }
    }
}
