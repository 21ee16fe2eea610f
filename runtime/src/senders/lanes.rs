//! Recovers eight keys side by side.

use super::{
    LANES, SignedHash,
    field::{Field, Words, from_limbs, select, splat, wide, words},
    generator::{self, MULTIPLES, POINT_WORDS},
    point::Jacobian,
    scalar::{BETA, Digits, GENERATOR_DIGITS, HALF_DIGITS, digits},
};
use alloy_primitives::{Address, U256, keccak256};
use std::arch::x86_64::*;

/// Whether the processor has the instructions.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("avx512dq")
}

/// The signers of up to eight signatures. Nothing says that there may be none, or that the short formulas do not cover the case.
///
/// The processor must be [supported](is_supported).
pub(super) fn recover(signed: &[SignedHash]) -> [Option<Address>; LANES] {
    assert!(is_supported() && signed.len() <= LANES, "{} signatures in {LANES} lanes", signed.len());
    // SAFETY: the processor has the instructions.
    unsafe { recover_wide(signed) }
}

/// Sums whose start, infinity, the formulas do not cover: a lane's first point is taken as it is.
struct Sum {
    point: Jacobian,
    /// Lanes without any point so far.
    empty: u8,
    one: Field,
}

impl Sum {
    wide! {
        fn new() -> Self {
            let (zero, one) = (Field::constant(U256::ZERO), Field::constant(U256::from(1)));
            Self { point: Jacobian { x: zero, y: zero, z: zero }, empty: u8::MAX, one }
        }

        /// Adds points in the lanes of a mask.
        fn add(&mut self, lanes: u8, x: Field, y: Field) -> () {
            let (sum, _) = self.point.add_affine(x, y);
            let (first, later) = (self.empty & lanes, !self.empty & lanes);
            let place = |old: Field, sum: Field, new: Field| select(first, select(later, old, sum), new);
            self.point.x = place(self.point.x, sum.x, x);
            self.point.y = place(self.point.y, sum.y, y);
            self.point.z = place(self.point.z, sum.z, self.one);
            self.empty &= !lanes;
        }
    }
}

/// One digit of each lane: lanes where it is negative, where it is not 0, and its absolute values.
struct Column {
    negative: u8,
    nonzero: u8,
    magnitude: Words,
}

wide! {
    fn column(digit: [i64; LANES]) -> Column {
        let digit = words(digit.map(i64::cast_unsigned));
        let magnitude = _mm512_abs_epi64(digit);
        Column {
            negative: _mm512_movepi64_mask(digit),
            nonzero: _mm512_test_epi64_mask(magnitude, magnitude),
            magnitude,
        }
    }

    fn recover_wide(signed: &[SignedHash]) -> [Option<Address>; LANES] {
        let digits = digits(signed);
        let lanes = |holds: &dyn Fn(usize) -> bool| (0..LANES).filter(|lane| holds(*lane)).fold(0, |mask, lane| mask | 1 << lane);
        let present = lanes(&|lane| digits[lane].is_some());
        let x = Field::load(std::array::from_fn(|lane| match digits[lane] {
            Some(_) => signed[lane].signature.r(),
            // Any number will do for a lane that is not looked at.
            None => U256::from(1),
        }));
        let cubic = x.square().mul(x).add(Field::constant(U256::from(7)));
        let root = cubic.square_root();
        let on_curve = root.square().sub(cubic).is_zero();
        let odd = lanes(&|lane| signed.get(lane).is_some_and(|signed| signed.signature.v()));
        let y = select(root.is_odd() ^ odd, root, root.negate());

        let nonce_part = times_nonce_point(x, y, &digits);
        let generator_part = times_generator(&digits);
        let key = nonce_part.point.add(generator_part.point);
        let usual = present & on_curve & !nonce_part.empty & !generator_part.empty & !key.z.is_zero();

        let inverse = key.z.invert();
        let square = inverse.square();
        let (x, y) = (key.x.mul(square).store(), key.y.mul(square.mul(inverse)).store());
        std::array::from_fn(|lane| {
            (usual >> lane & 1 == 1).then(|| {
                let mut key = [0; 64];
                key[..32].copy_from_slice(&x[lane].to_be_bytes::<32>());
                key[32..].copy_from_slice(&y[lane].to_be_bytes::<32>());
                Address::from_word(keccak256(key))
            })
        })
    }

    /// u₂·R: one walk through the digits of both halves, with the multiples 1 to 8 of R and of λ·R.
    fn times_nonce_point(x: Field, y: Field, digits: &[Option<Digits>; LANES]) -> Sum {
        // All multiples get the Z of the last one, which then need not be looked at: the curve with x / Z² and y / Z³ has the same formulas.
        let mut multiples = [Jacobian { x, y, z: Field::constant(U256::from(1)) }; 8];
        let mut growth = [y.twice(); 8];
        multiples[1] = multiples[0].double();
        for index in 2..8 {
            (multiples[index], growth[index]) = multiples[index - 1].add_affine(x, y);
        }
        let common_z = multiples[7].z;
        let mut ratio = growth[7];
        for index in (0..7).rev() {
            let square = ratio.square();
            multiples[index].x = multiples[index].x.mul(square);
            multiples[index].y = multiples[index].y.mul(square.mul(ratio));
            ratio = ratio.mul(growth[index]);
        }
        let beta = Field::constant(BETA);
        let mut turned = multiples.map(|multiple| multiple.x);
        for x in &mut turned {
            *x = x.mul(beta);
        }

        let mut sum = Sum::new();
        for place in (0..HALF_DIGITS).rev() {
            if place + 1 < HALF_DIGITS {
                for _ in 0..4 {
                    sum.point = sum.point.double();
                }
            }
            for half in 0..2 {
                let column = column(std::array::from_fn(|lane| digits[lane].map_or(0, |digits| digits.halves[half][place].into())));
                let opposite = (0..LANES).filter(|lane| digits[*lane].is_some_and(|digits| digits.negative[half]));
                let negative = column.negative ^ opposite.fold(0, |mask, lane| mask | 1 << lane);
                let (mut x, mut y) = (if half == 0 { multiples[0].x } else { turned[0] }, multiples[0].y);
                for ((multiple, turned), digit) in multiples.iter().zip(&turned).zip(1..).skip(1) {
                    let here = _mm512_cmpeq_epi64_mask(column.magnitude, splat(digit));
                    let place = if half == 0 { multiple.x } else { *turned };
                    (x, y) = (select(here, x, place), select(here, y, multiple.y));
                }
                sum.add(column.nonzero, x, select(negative, y, y.negate()));
            }
        }
        sum.point.z = sum.point.z.mul(common_z);
        sum
    }

    /// u₁·G: a multiple from the table for each digit, and no doublings.
    fn times_generator(digits: &[Option<Digits>; LANES]) -> Sum {
        let table = generator::multiples();
        let mut sum = Sum::new();
        for place in 0..GENERATOR_DIGITS {
            let column = column(std::array::from_fn(|lane| digits[lane].map_or(0, |digits| digits.generator[place].into())));
            if column.nonzero == 0 {
                continue;
            }
            let first = splat((place * MULTIPLES) as u64);
            let words = _mm512_mullo_epi64(_mm512_add_epi64(column.magnitude, first), splat(POINT_WORDS as u64));
            let mut limbs = [words; POINT_WORDS];
            for (word, limb) in limbs.iter_mut().enumerate() {
                let table = &table[word..];
                // SAFETY: digits are at most 128, so that the last word of a point at `words` is inside of the table.
                *limb = unsafe { _mm512_i64gather_epi64::<8>(words, table.as_ptr().cast()) };
            }
            let [x0, x1, x2, x3, x4, y0, y1, y2, y3, y4] = limbs;
            let (x, y) = (from_limbs([x0, x1, x2, x3, x4]), from_limbs([y0, y1, y2, y3, y4]));
            sum.add(column.nonzero, x, select(column.negative, y, y.negate()));
        }
        sum
    }
}
