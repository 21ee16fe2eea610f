//! Which calls are worth a look into the cache.
//!
//! A look-up hashes and compares the whole input, so it must be cheap beside the computation it may save *and* beside
//! the gas the call pays whether or not it succeeds. Three rules follow:
//!
//! * only inputs of the precompile's proper length: padded or over-long ones are legal for some precompiles, but no
//!   honest caller repeats them, and they would let a caller buy long hashes for little gas;
//! * only calls whose gas limit reaches a lower bound of the cost: below it the answer is "out of gas", known at once;
//! * only where the computation takes several times as long as a hit (the example `cache_costs` prints both).
//!
//! A wrong answer here costs time, never correctness.

use revm::precompile::{PrecompileId, calc_linear_cost};

/// Longest modexp input under EIP-7823: three lengths of 32 bytes and three operands of 1,024 bytes.
const MODEXP_MAX_INPUT: usize = 3 * 32 + 3 * 1024;
/// SHA-256 runs at about 1.5 ns a byte with the processor's SHA instructions; shorter inputs take less than a miss adds.
const SHA256_MIN_INPUT: usize = 4096;
/// RIPEMD-160 takes about 5 ns a byte on any processor.
const RIPEMD160_MIN_INPUT: usize = 1024;
/// A BLAKE2b round takes about 12 ns, so ordinary hashing (12 rounds) is quicker than a look-up.
const BLAKE2F_MIN_ROUNDS: u32 = 128;
/// Input length of EIP-152's compression function.
const BLAKE2F_INPUT: usize = 213;

/// Whether the cache should be asked for this call. The gas bounds are those of the cheapest fork.
pub(crate) fn is_worth_a_lookup(id: &PrecompileId, input: &[u8], gas_limit: u64) -> bool {
    let length = input.len();
    let multiple_of = |unit: usize| length != 0 && length.is_multiple_of(unit);
    match id {
        PrecompileId::EcRec => length <= 128 && gas_limit >= 3_000,
        PrecompileId::Sha256 => length >= SHA256_MIN_INPUT && gas_limit >= calc_linear_cost(length, 60, 12),
        PrecompileId::Ripemd160 => length >= RIPEMD160_MIN_INPUT && gas_limit >= calc_linear_cost(length, 600, 120),
        PrecompileId::ModExp => length > 96 && length <= MODEXP_MAX_INPUT && gas_limit >= 200,
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
        PrecompileId::Identity | PrecompileId::Custom(_) => false,
    }
}

fn blake2f_rounds(input: &[u8]) -> Option<u32> {
    let input: &[u8; BLAKE2F_INPUT] = input.try_into().ok()?;
    Some(u32::from_be_bytes([input[0], input[1], input[2], input[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_precompiles_are_never_looked_up() {
        assert!(!is_worth_a_lookup(&PrecompileId::Identity, &[0; 10_000], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Sha256, &[0; 64], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Ripemd160, &[0; 64], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Blake2F, &blake2f(12), u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::custom("own"), &[0; 64], u64::MAX));
    }

    #[test]
    fn costly_calls_are_looked_up() {
        assert!(is_worth_a_lookup(&PrecompileId::EcRec, &[0; 128], 3_000));
        assert!(is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[0; 384], 113_000));
        assert!(is_worth_a_lookup(&PrecompileId::Blake2F, &blake2f(100_000), 100_000));
        assert!(is_worth_a_lookup(&PrecompileId::Sha256, &[0; 4096], 60 + 12 * 128));
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
        assert!(!is_worth_a_lookup(&PrecompileId::ModExp, &[0; MODEXP_MAX_INPUT + 1], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Bn254Pairing, &[0; 191], u64::MAX));
        assert!(!is_worth_a_lookup(&PrecompileId::Blake2F, &[0xff; 212], u64::MAX));
    }

    fn blake2f(rounds: u32) -> Vec<u8> {
        let mut input = vec![0; BLAKE2F_INPUT];
        input[..4].copy_from_slice(&rounds.to_be_bytes());
        input
    }
}
