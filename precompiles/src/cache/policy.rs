//! Which calls are worth a look into the cache.
//!
//! A look-up hashes and compares the whole input, so it must be cheap beside the computation it may save *and* beside
//! the gas the call pays whether or not it succeeds. Three rules follow:
//!
//! * only inputs of the precompile's proper length: padded or over-long ones are legal for some precompiles, but no
//!   honest caller repeats them, and they would let a caller buy long hashes for little gas;
//! * only calls whose gas limit reaches a lower bound of the cost: below it the answer is "out of gas", known at once;
//! * only where the computation takes many times as long as a hit and several times as long as what a miss adds (the
//!   example `cache_costs` prints all three). So SHA-256 is never looked up, however long the input: with the
//!   processor's SHA instructions it takes barely three times as long as hashing and comparing the key.
//!
//! A wrong answer here costs time, never correctness.

use revm::{
    precompile::{PrecompileId, calc_linear_cost, modexp::berlin_gas_calc},
    primitives::U256,
};

/// Longest modexp input under EIP-7823: three lengths of 32 bytes and three operands of 1,024 bytes.
const MODEXP_MAX_INPUT: usize = 3 * 32 + 3 * 1024;
/// RIPEMD-160 is slow on any processor: over 4 KiB it takes about seven times what a miss adds, below it less.
const RIPEMD160_MIN_INPUT: usize = 4096;
/// Ordinary BLAKE2b hashing has 12 rounds and takes less time than a look-up; 512 rounds take about ten times as long.
const BLAKE2F_MIN_ROUNDS: u32 = 512;
/// Input length of EIP-152's compression function.
const BLAKE2F_INPUT: usize = 213;

/// Whether the cache should be asked for this call. The gas bounds are those of the cheapest fork.
pub(crate) fn is_worth_a_lookup(id: &PrecompileId, input: &[u8], gas_limit: u64) -> bool {
    let length = input.len();
    let multiple_of = |unit: usize| length != 0 && length.is_multiple_of(unit);
    match id {
        PrecompileId::EcRec => length <= 128 && gas_limit >= 3_000,
        PrecompileId::Ripemd160 => length >= RIPEMD160_MIN_INPUT && gas_limit >= calc_linear_cost(length, 600, 120),
        PrecompileId::ModExp => modexp_gas(input).is_some_and(|gas| gas_limit >= gas && is_worth_keeping(length, gas)),
        PrecompileId::Bn254Add => length <= 128 && gas_limit >= 150,
        // Long-standing pairing libraries pass 128 bytes where 96 suffice.
        PrecompileId::Bn254Mul => length <= 128 && gas_limit >= 6_000,
        PrecompileId::Bn254Pairing => multiple_of(192) && gas_limit >= 45_000,
        PrecompileId::Blake2F => {
            blake2f_rounds(input).is_some_and(|rounds| rounds >= BLAKE2F_MIN_ROUNDS && gas_limit >= u64::from(rounds))
        }
        PrecompileId::KzgPointEvaluation => length == 192 && gas_limit >= 50_000,
        PrecompileId::Bls12G1Add => length == 256 && gas_limit >= 375,
        PrecompileId::Bls12G1Msm => multiple_of(160) && gas_limit >= 12_000,
        PrecompileId::Bls12G2Add => length == 512 && gas_limit >= 600,
        PrecompileId::Bls12G2Msm => multiple_of(288) && gas_limit >= 22_500,
        PrecompileId::Bls12Pairing => multiple_of(384) && gas_limit >= 70_300,
        PrecompileId::Bls12MapFpToGp1 => length == 64 && gas_limit >= 5_500,
        PrecompileId::Bls12MapFp2ToGp2 => length == 128 && gas_limit >= 23_800,
        PrecompileId::P256Verify => length == 160 && gas_limit >= 3_450,
        PrecompileId::Sha256 | PrecompileId::Identity | PrecompileId::Custom(_) => false,
    }
}

/// Whether a result that cost `gas_used` may be stored with its input of `length` bytes.
///
/// Storing copies the input and may evict; at a gas a byte or more, calls that never repeat cannot buy much of it.
pub(crate) const fn is_worth_keeping(length: usize, gas_used: u64) -> bool {
    gas_used >= length as u64
}

/// Gas of a modexp under Berlin's rules, which no other fork undercuts; `None` unless all bytes after the lengths
/// belong to operands.
fn modexp_gas(input: &[u8]) -> Option<u64> {
    if input.len() > MODEXP_MAX_INPUT {
        return None;
    }
    let (header, operands) = input.split_at_checked(96)?;
    let mut lengths = header.as_chunks::<32>().0.iter().map(|word| {
        let (zeros, length) = word.split_last_chunk::<2>()?;
        zeros.iter().all(|&byte| byte == 0).then(|| usize::from(u16::from_be_bytes(*length)))
    });
    let [base, exponent, modulus] = [lengths.next()??, lengths.next()??, lengths.next()??];
    if operands.len() > base + exponent + modulus {
        return None;
    }
    // The gas depends on the exponent's first 32 bytes; what the input lacks counts as zero.
    let head_length = exponent.min(32);
    let mut head = [0; 32];
    for (to, from) in head[32 - head_length..].iter_mut().zip(operands.get(base..).unwrap_or_default()) {
        *to = *from;
    }
    Some(berlin_gas_calc(base as u64, exponent as u64, modulus as u64, &U256::from_be_bytes(head)))
}

fn blake2f_rounds(input: &[u8]) -> Option<u32> {
    let input: &[u8; BLAKE2F_INPUT] = input.try_into().ok()?;
    Some(u32::from_be_bytes([input[0], input[1], input[2], input[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::precompile::modexp::berlin_run;

    #[test]
    fn cheap_precompiles_are_never_looked_up() {
        assert!(!is_worth_a_lookup(&PrecompileId::Identity, &[0; 10_000], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Sha256, &[0; 10_000], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Ripemd160, &[0; 64], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Blake2F, &blake2f(12), u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::custom("own"), &[0; 64], u64::MAX));
    }

    #[test]
    fn costly_calls_are_looked_up() {
        assert!(is_worth_a_lookup(&PrecompileId::EcRec, &[0; 128], 3_000));
        assert!(is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[0; 384], 113_000));
        assert!(is_worth_a_lookup(&PrecompileId::Blake2F, &blake2f(100_000), 100_000));
        assert!(is_worth_a_lookup(&PrecompileId::Ripemd160, &[0; 4096], 600 + 120 * 128));
    }

    #[test]
    fn a_call_that_cannot_pay_is_not_looked_up() {
        assert!(!is_worth_a_lookup(&PrecompileId::EcRec, &[0; 128], 2_999));
        assert!(!is_worth_a_lookup(&PrecompileId::Blake2F, &blake2f(100_000), 99_999));
        assert!(!is_worth_a_lookup(&PrecompileId::KzgPointEvaluation, &[0; 192], 49_999));
    }

    #[test]
    fn inputs_of_improper_length_are_not_looked_up() {
        assert!(!is_worth_a_lookup(&PrecompileId::EcRec, &[0; 16_384], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &modexp([1_024, 1_024, 1_025]), u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &[modexp([32, 32, 32]), vec![0]].concat(), u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &[0; 95], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[0; 191], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Blake2F, &[0xff; 212], u64::MAX));
    }

    /// The gas computed here must be the gas that the precompile takes, or costly calls would be missed.
    #[test]
    fn modexp_gas_is_that_of_berlin() {
        for lengths in [[0, 0, 0], [1, 1, 1], [32, 32, 32], [8, 40, 64], [256, 3, 256], [0, 33, 17], [100, 0, 3]] {
            let whole = modexp(lengths);
            for input in [&whole[..], &whole[..96 + (whole.len() - 96) / 2], &whole[..96]] {
                let output = berlin_run(input, u64::MAX).expect("enough gas");
                assert_eq!(modexp_gas(input), Some(output.gas_used), "{lengths:?}, {} bytes", input.len());
            }
        }
    }

    #[test]
    fn modexp_is_looked_up_only_where_it_pays_for_its_length() {
        let costly = modexp([32, 32, 32]);
        assert!(is_worth_a_lookup(&PrecompileId::ModExp, &costly, 1_360));
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &costly, 1_359));
        // A kilobyte that is only read, and an exponent of zero.
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &modexp([0, 1_024, 0]), u64::MAX));
    }

    fn modexp(lengths: [u16; 3]) -> Vec<u8> {
        let header = lengths.iter().flat_map(|length| [[0; 30].as_slice(), &length.to_be_bytes()].concat());
        header.chain(std::iter::repeat_n(0xff, lengths.iter().map(|&length| usize::from(length)).sum())).collect()
    }

    fn blake2f(rounds: u32) -> Vec<u8> {
        let mut input = vec![0; BLAKE2F_INPUT];
        input[..4].copy_from_slice(&rounds.to_be_bytes());
        input
    }
}
