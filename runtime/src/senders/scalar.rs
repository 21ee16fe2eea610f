//! What happens before the points: from a signature to the digits by which they are multiplied.
//!
//! The key is u₁·G + u₂·R with u₁ = −z / r and u₂ = s / r modulo the order n of the curve. u₂ is split in two numbers of 128 bits with the
//! endomorphism λ (Gallant, Lambert and Vanstone), so that half of the doublings are enough.

use super::{LANES, SignedHash};
use alloy_primitives::{U256, aliases::U512, uint};
use k256::{
    Scalar,
    elliptic_curve::{PrimeField, ops::Reduce},
};

/// Order of the curve.
const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);
const LAMBDA: U256 = uint!(0x5363AD4CC05C30E0A5261C028812645A122E22EA20816678DF02967C1B23BD72_U256);
/// β of the endomorphism: λ·(x, y) = (β·x, y).
pub(super) const BETA: U256 = uint!(0x7AE96A2B657C07106E64479EAC3434E99CF0497512F58995C1396C28719501EE_U256);
/// 2³⁸⁴·b₂ / n and 2³⁸⁴·(−b₁) / n, rounded.
const G1: U256 = uint!(0x3086D221A7D46BCDE86C90E49284EB153DAA8A1471E8CA7FE893209A45DBB031_U256);
const G2: U256 = uint!(0xE4437ED6010E88286F547FA90ABFE4C4221208AC9DF506C61571B4AE8AC47F71_U256);
/// −b₁ and −b₂ of the short basis.
const MINUS_B1: U256 = uint!(0xE4437ED6010E88286F547FA90ABFE4C3_U256);
const MINUS_B2: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE8A280AC50774346DD765CDA83DB1562C_U256);

/// Digits of a half of u₂, lowest first: 4 bits each, from −8 to 7.
pub(super) const HALF_DIGITS: usize = 33;
/// Digits of u₁, lowest first: 8 bits each, from −128 to 128.
pub(super) const GENERATOR_DIGITS: usize = 33;

/// The digits of one signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    pub(super) halves: [[i8; HALF_DIGITS]; 2],
    /// Whether the halves are negative, beside the signs of their digits.
    pub(super) negative: [bool; 2],
    pub(super) generator: [i16; GENERATOR_DIGITS],
}

/// The digits of up to eight signatures, with one inversion for all; nothing where r or s is 0 or not below the order. Lanes without a
/// signature have none either.
pub(super) fn digits(signed: &[SignedHash]) -> [Option<Digits>; LANES] {
    let parts: [Option<[Scalar; 3]>; LANES] = std::array::from_fn(|lane| {
        let SignedHash { hash, signature } = signed.get(lane)?;
        let (r, s) = (nonzero(signature.r())?, nonzero(signature.s())?);
        let message = <Scalar as Reduce<k256::U256>>::reduce_bytes(&hash.0.into());
        Some([message, r, s])
    });
    let mut products = [Scalar::ONE; LANES];
    let mut product = Scalar::ONE;
    for (lane, part) in parts.iter().enumerate() {
        products[lane] = product;
        if let Some([_, r, _]) = part {
            product *= r;
        }
    }
    // A product of numbers that are not 0 modulo a prime has an inverse.
    let mut inverse: Scalar = Option::from(product.invert()).unwrap_or(Scalar::ONE);
    let mut digits = [None; LANES];
    for lane in (0..LANES).rev() {
        let Some([message, r, s]) = parts[lane] else { continue };
        let own = inverse * products[lane];
        inverse *= r;
        let (halves, negative) = split(s * own);
        digits[lane] =
            Some(Digits { halves: halves.map(half_digits), negative, generator: generator_digits(-(message * own)) });
    }
    digits
}

fn scalar(number: U256) -> Option<Scalar> {
    Option::from(Scalar::from_repr(number.to_be_bytes::<32>().into()))
}

fn nonzero(number: U256) -> Option<Scalar> {
    scalar(number).filter(|_| !number.is_zero())
}

fn number(scalar: Scalar) -> U256 {
    U256::from_be_bytes::<32>(scalar.to_bytes().into())
}

/// Halves k₁ and k₂ with k = k₁ + λ·k₂ modulo n: their absolute values, below 2¹²⁸, and whether they are negative.
fn split(k: Scalar) -> ([u128; 2], [bool; 2]) {
    let wide = number(k);
    let share = |factor: U256| {
        let product: U512 = wide.widening_mul(factor);
        let limbs = product.into_limbs();
        // Bit 383 rounds.
        U256::from_limbs([limbs[6], limbs[7], 0, 0]) + U256::from(limbs[5] >> 63)
    };
    let known = |number: U256| scalar(number).unwrap_or_else(|| panic!("{number} is not below the order"));
    let second = known(share(G1)) * known(MINUS_B1) + known(share(G2)) * known(MINUS_B2);
    let first = k - second * known(LAMBDA);
    let signed = [first, second].map(|half| {
        let half = number(half);
        if half > ORDER >> 1 { (ORDER - half, true) } else { (half, false) }
    });
    let absolute = signed.map(|(half, _)| {
        assert!(half >> 128 == U256::ZERO, "a half of {wide} has more than 128 bits: {half}");
        half.to::<u128>()
    });
    (absolute, signed.map(|(_, negative)| negative))
}

fn half_digits(half: u128) -> [i8; HALF_DIGITS] {
    let (mut digits, mut carry) = ([0; HALF_DIGITS], 0);
    for (place, digit) in digits.iter_mut().enumerate().take(HALF_DIGITS - 1) {
        let value = (half >> (4 * place) & 15) as i8 + carry;
        carry = i8::from(value > 7);
        *digit = value - 16 * carry;
    }
    digits[HALF_DIGITS - 1] = carry;
    digits
}

fn generator_digits(scalar: Scalar) -> [i16; GENERATOR_DIGITS] {
    let bytes = scalar.to_bytes();
    let (mut digits, mut carry) = ([0; GENERATOR_DIGITS], 0);
    for (digit, byte) in digits.iter_mut().zip(bytes.iter().rev()) {
        let value = i16::from(*byte) + carry;
        carry = i16::from(value > 128);
        *digit = value - 256 * carry;
    }
    digits[GENERATOR_DIGITS - 1] = carry;
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The number that digits stand for.
    fn value(digits: impl DoubleEndedIterator<Item = i64>, base: u64) -> Scalar {
        digits.rev().fold(Scalar::ZERO, |sum, digit| {
            let magnitude = Scalar::from(digit.unsigned_abs());
            sum * Scalar::from(base) + if digit < 0 { -magnitude } else { magnitude }
        })
    }

    fn check(k: Scalar) {
        assert_eq!(value(generator_digits(k).into_iter().map(i64::from), 256), k);
        let (halves, negative) = split(k);
        let [first, second] = [0, 1].map(|half| {
            let digits = half_digits(halves[half]);
            assert!(digits.iter().all(|digit| (-8..=7).contains(digit)), "{digits:?}");
            let half_value = value(digits.into_iter().map(i64::from), 16);
            if negative[half] { -half_value } else { half_value }
        });
        assert_eq!(first + scalar(LAMBDA).unwrap() * second, k);
    }

    #[test]
    fn digits_at_the_bounds() {
        for number in [0, 1, 7, 8, 127, 128, 129, 255, 256] {
            check(Scalar::from(number as u64));
            check(-Scalar::from(number as u64));
        }
        check(scalar(ORDER >> 1).unwrap());
        check(scalar(LAMBDA).unwrap());
        check(scalar(U256::MAX >> 1).unwrap());
        assert_eq!(half_digits(u128::MAX)[HALF_DIGITS - 1], 1);
    }

    proptest! {
        #[test]
        fn digits_of_any_number(bytes: [u8; 32]) {
            check(<Scalar as Reduce<k256::U256>>::reduce_bytes(&bytes.into()));
        }
    }
}
