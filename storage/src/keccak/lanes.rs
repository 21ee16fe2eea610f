//! The Keccak permutation of several states side by side, each in a lane of wide registers (FIPS 202, with the padding of Keccak).

use super::RATE;
use alloy_primitives::B256;
use std::arch::x86_64::*;

const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Words of a block.
const WORDS: usize = RATE / 8;
/// Lanes of the widest registers.
const LANES: usize = 8;

/// Words of the same place in the blocks of all lanes.
type Block = [[u64; LANES]; WORDS];

/// Messages that this processor hashes in one go; one if it has no registers for more.
pub(super) fn at_once() -> usize {
    if is_x86_feature_detected!("avx512f") {
        8
    } else if is_x86_feature_detected!("avx2") {
        4
    } else {
        1
    }
}

/// Hashes as many messages as [`at_once`] says; what is behind them is ignored.
pub(super) fn hash(messages: &[&[u8]; LANES]) -> [B256; LANES] {
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the instructions.
        unsafe { hash_avx512(messages) }
    } else {
        assert!(is_x86_feature_detected!("avx2"), "the processor hashes only one message at a time");
        // SAFETY: the processor has the instructions.
        unsafe { hash_avx2(messages) }
    }
}

/// Index of the block with which a message ends.
const fn last_block(message: &[u8]) -> usize {
    message.len() / RATE
}

/// Puts block `index` of a message into a lane; zeros after its end.
fn fill(block: &mut Block, lane: usize, message: &[u8], index: usize) {
    let mut padded = [0; RATE];
    let start = index * RATE;
    let bytes: &[u8] = if index < last_block(message) {
        &message[start..start + RATE]
    } else {
        if index == last_block(message) {
            let rest = &message[start..];
            padded[..rest.len()].copy_from_slice(rest);
            padded[rest.len()] = 0x01;
            padded[RATE - 1] |= 0x80;
        }
        &padded
    };
    for (words, bytes) in block.iter_mut().zip(bytes.as_chunks().0) {
        words[lane] = u64::from_le_bytes(*bytes);
    }
}

/// The first 32 bytes of a lane.
fn digest(words: &[[u64; LANES]; 4], lane: usize) -> B256 {
    let mut digest = B256::ZERO;
    for (bytes, words) in digest.as_chunks_mut().0.iter_mut().zip(words) {
        *bytes = words[lane].to_le_bytes();
    }
    digest
}

/// The steps rho and pi: every word goes to another place, rotated.
macro_rules! move_and_rotate {
    ($state:ident, $moved:ident, $rotate:ident; $($to:literal by $by:literal),*) => {
        $(
            let next = $state[$to];
            $state[$to] = $rotate!($moved, $by);
            $moved = next;
        )*
    };
}

macro_rules! sponge {
    ($name:ident, $feature:literal, $lanes:literal, $vector:ty, $load:ident, $store:ident, $splat:ident,
     xor: $xor:ident, xor3: $xor3:ident, chi: $chi:ident, rotate: $rotate:ident) => {
        #[target_feature(enable = $feature)]
        fn $name(messages: &[&[u8]; LANES]) -> [B256; LANES] {
            let mut state: [$vector; 25] = [$splat(0); 25];
            let mut digests = [B256::ZERO; LANES];
            let messages = &messages[..$lanes];
            let blocks = messages.iter().map(|message| last_block(message)).max().unwrap_or_default() + 1;
            let mut block: Block = [[0; LANES]; WORDS];
            for index in 0..blocks {
                for (lane, message) in messages.iter().enumerate() {
                    fill(&mut block, lane, message, index);
                }
                for (word, words) in state.iter_mut().zip(&block) {
                    // SAFETY: eight words are at least as long as the register, and any alignment is allowed.
                    let words = unsafe { $load(words.as_ptr().cast()) };
                    *word = $xor!(*word, words);
                }
                for constant in ROUND_CONSTANTS {
                    let mut columns = [$splat(0); 5];
                    for x in 0..5 {
                        let upper = $xor3!(state[x], state[x + 5], state[x + 10]);
                        columns[x] = $xor3!(upper, state[x + 15], state[x + 20]);
                    }
                    for x in 0..5 {
                        let next = $rotate!(columns[(x + 1) % 5], 1);
                        for y in 0..5 {
                            state[x + 5 * y] = $xor3!(state[x + 5 * y], columns[(x + 4) % 5], next);
                        }
                    }
                    let mut moved = state[1];
                    move_and_rotate!(
                        state, moved, $rotate;
                        10 by 1, 7 by 3, 11 by 6, 17 by 10, 18 by 15, 3 by 21, 5 by 28, 16 by 36, 8 by 45, 21 by 55, 24 by 2, 4 by 14,
                        15 by 27, 23 by 41, 19 by 56, 13 by 8, 12 by 25, 2 by 43, 20 by 62, 14 by 18, 22 by 39, 9 by 61, 6 by 20, 1 by 44
                    );
                    let _ = moved;
                    for y in 0..5 {
                        let row = [state[5 * y], state[5 * y + 1], state[5 * y + 2], state[5 * y + 3], state[5 * y + 4]];
                        for x in 0..5 {
                            state[5 * y + x] = $chi!(row[x], row[(x + 1) % 5], row[(x + 2) % 5]);
                        }
                    }
                    state[0] = $xor!(state[0], $splat(constant as i64));
                }
                let ended = |message: &&[u8]| last_block(message) == index;
                if messages.iter().any(ended) {
                    let mut words = [[0; LANES]; 4];
                    for (words, register) in words.iter_mut().zip(&state) {
                        // SAFETY: eight words are at least as long as the register, and any alignment is allowed.
                        unsafe { $store(words.as_mut_ptr().cast(), *register) };
                    }
                    for (lane, _) in messages.iter().enumerate().filter(|(_, message)| ended(message)) {
                        digests[lane] = digest(&words, lane);
                    }
                }
            }
            digests
        }
    };
}

macro_rules! xor_512 {
    ($a:expr, $b:expr) => {
        _mm512_xor_si512($a, $b)
    };
}
macro_rules! xor3_512 {
    ($a:expr, $b:expr, $c:expr) => {
        _mm512_ternarylogic_epi64::<0x96>($a, $b, $c)
    };
}
/// `a ^ (!b & c)`.
macro_rules! chi_512 {
    ($a:expr, $b:expr, $c:expr) => {
        _mm512_ternarylogic_epi64::<0xd2>($a, $b, $c)
    };
}
macro_rules! rotate_512 {
    ($a:expr, $by:literal) => {
        _mm512_rol_epi64::<$by>($a)
    };
}
macro_rules! xor_256 {
    ($a:expr, $b:expr) => {
        _mm256_xor_si256($a, $b)
    };
}
macro_rules! xor3_256 {
    ($a:expr, $b:expr, $c:expr) => {
        _mm256_xor_si256(_mm256_xor_si256($a, $b), $c)
    };
}
macro_rules! chi_256 {
    ($a:expr, $b:expr, $c:expr) => {
        _mm256_xor_si256($a, _mm256_andnot_si256($b, $c))
    };
}
macro_rules! rotate_256 {
    ($a:expr, $by:literal) => {
        _mm256_or_si256(_mm256_slli_epi64::<$by>($a), _mm256_srli_epi64::<{ 64 - $by }>($a))
    };
}

sponge!(
    hash_avx512, "avx512f", 8, __m512i, _mm512_loadu_epi64, _mm512_storeu_epi64, _mm512_set1_epi64,
    xor: xor_512, xor3: xor3_512, chi: chi_512, rotate: rotate_512
);
sponge!(
    hash_avx2, "avx2", 4, __m256i, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_set1_epi64x,
    xor: xor_256, xor3: xor3_256, chi: chi_256, rotate: rotate_256
);

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::keccak256;

    #[test]
    fn both_widths_give_the_digests_of_the_messages() {
        let bytes: Vec<u8> = (0..=255).cycle().take(8 * 700).collect();
        for lengths in [[0, 1, 135, 136, 137, 271, 272, 273], [532; 8], [20; 8], [32, 700, 5, 407, 408, 409, 64, 0]] {
            let mut messages: [&[u8]; LANES] = [&[]; LANES];
            for (lane, length) in lengths.into_iter().enumerate() {
                messages[lane] = &bytes[lane * 700..lane * 700 + length];
            }
            let expected = messages.map(keccak256);
            if is_x86_feature_detected!("avx512f") {
                // SAFETY: the processor has the instructions.
                assert_eq!(unsafe { hash_avx512(&messages) }, expected);
            }
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has the instructions.
                assert_eq!(unsafe { hash_avx2(&messages) }[..4], expected[..4]);
            }
        }
    }
}
