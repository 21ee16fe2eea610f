//! Numbers modulo the prime of secp256k1, eight side by side.
//!
//! p = 2²⁵⁶ − C with C = 2³² + 977. A number is five limbs of 52 bits, the size that IFMA multiplies. Between operations it is *tidy*: limbs
//! 0 to 3 are below 2⁵² and limb 4 is below 2⁴⁸ + 2¹⁶, so the number is below 2²⁵⁶ + 2²²⁴ but not always below p. [`Field::canonical`]
//! makes it so. Every operation takes tidy numbers and yields one.

use super::LANES;
use alloy_primitives::U256;
use std::arch::x86_64::*;

/// One 64-bit word in each lane.
pub(super) type Words = __m512i;

/// Bits of a limb.
const LIMB: u64 = (1 << 52) - 1;
/// Bits of the last limb below 2²⁵⁶.
const LAST: u64 = (1 << 48) - 1;
/// 2²⁵⁶ modulo p.
const C: u64 = 0x1_0000_03d1;
/// 2²⁶⁰ modulo p.
const C16: u64 = C << 4;
/// 4·p in limbs none of which is less than that of a tidy number, so that tidy numbers can be taken from it limb by limb.
const FOUR_P: [u64; 5] = [(1 << 53) - 4 * C, (1 << 53) - 2, (1 << 53) - 2, (1 << 53) - 2, (1 << 50) - 2];

/// Eight numbers modulo p: each register holds the same limb of all.
#[derive(Clone, Copy)]
pub(super) struct Field([Words; 5]);

/// Functions that need the instructions of [`super::lanes::is_supported`].
macro_rules! wide {
    ($($(#[$doc:meta])* $visibility:vis fn $name:ident($($argument:tt)*) -> $result:ty $body:block)*) => {
        $($(#[$doc])* #[inline] #[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
        $visibility fn $name($($argument)*) -> $result $body)*
    };
}
pub(super) use wide;

wide! {
    pub(super) fn splat(word: u64) -> Words { _mm512_set1_epi64(word.cast_signed()) }

    pub(super) fn words(words: [u64; LANES]) -> Words {
        // SAFETY: the array has exactly the bytes that are read, at any alignment.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    fn array(words: Words) -> [u64; LANES] {
        let mut array = [0; LANES];
        // SAFETY: the array has exactly the bytes that are written, at any alignment.
        unsafe { _mm512_storeu_si512(array.as_mut_ptr().cast(), words) };
        array
    }

    fn plus(a: Words, b: Words) -> Words { _mm512_add_epi64(a, b) }

    fn minus(a: Words, b: Words) -> Words { _mm512_sub_epi64(a, b) }

    /// `sum` and the low 52 bits of `a · b`.
    fn low(sum: Words, a: Words, b: Words) -> Words { _mm512_madd52lo_epu64(sum, a, b) }

    /// `sum` and the bits of `a · b` above the low 52.
    fn high(sum: Words, a: Words, b: Words) -> Words { _mm512_madd52hi_epu64(sum, a, b) }

    /// Moves what a limb has above 52 bits to the next one.
    fn carry(limb: &mut Words, next: &mut Words) -> () {
        *next = plus(*next, _mm512_srli_epi64::<52>(*limb));
        *limb = _mm512_and_si512(*limb, splat(LIMB));
    }

    /// Makes limbs below 2⁶³ tidy. What is above bit 256 of the last limb returns at the bottom, C times.
    fn tidy(limbs: [Words; 5]) -> Field {
        let [mut c0, mut c1, mut c2, mut c3, mut c4] = limbs;
        let above = _mm512_srli_epi64::<48>(c4);
        c4 = _mm512_and_si512(c4, splat(LAST));
        c0 = low(c0, above, splat(C));
        carry(&mut c0, &mut c1);
        carry(&mut c1, &mut c2);
        carry(&mut c2, &mut c3);
        carry(&mut c3, &mut c4);
        Field([c0, c1, c2, c3, c4])
    }

    /// Makes a product of ten limbs below 2⁵⁸ tidy: the upper five return at the bottom, 16·C times.
    fn reduce(product: [Words; 10]) -> Field {
        let [mut c0, mut c1, mut c2, mut c3, mut c4, mut h0, mut h1, mut h2, mut h3, mut h4] = product;
        let factor = splat(C16);
        carry(&mut h0, &mut h1);
        carry(&mut h1, &mut h2);
        carry(&mut h2, &mut h3);
        carry(&mut h3, &mut h4);
        // The product of two tidy numbers is below 2⁵¹³, so h4 is below 2⁴⁵, and what is left above 2²⁶⁰ is below 2³⁰.
        let rest = high(_mm512_setzero_si512(), h4, factor);
        c0 = low(low(c0, h0, factor), rest, factor);
        c1 = high(low(high(c1, h0, factor), h1, factor), rest, factor);
        c2 = low(high(c2, h1, factor), h2, factor);
        c3 = low(high(c3, h2, factor), h3, factor);
        c4 = low(high(c4, h3, factor), h4, factor);
        tidy([c0, c1, c2, c3, c4])
    }

    /// Numbers of which a lane takes those with its bit in the mask, others where it has none.
    pub(super) fn select(mask: u8, without: Field, with: Field) -> Field {
        Field(std::array::from_fn(|limb| _mm512_mask_mov_epi64(without.0[limb], mask, with.0[limb])))
    }

    /// The number in limbs that are tidy already.
    pub(super) fn from_limbs(limbs: [Words; 5]) -> Field { Field(limbs) }
}

impl Field {
    wide! {
        /// The same number in all lanes.
        pub(super) fn constant(number: U256) -> Self { Self(limbs(number).map(|limb| splat(limb))) }

        /// One number for each lane; any of 256 bits.
        pub(super) fn load(numbers: [U256; LANES]) -> Self {
            let numbers = numbers.map(limbs);
            Self(std::array::from_fn(|limb| words(numbers.map(|number| number[limb]))))
        }

        /// The numbers below p.
        pub(super) fn store(self) -> [U256; LANES] {
            let limbs = self.canonical().0.map(|limb| array(limb));
            std::array::from_fn(|lane| number(limbs.map(|limb| limb[lane])))
        }

        pub(super) fn mul(self, other: Self) -> Self {
            let (a, b) = (self.0, other.0);
            let zero = _mm512_setzero_si512();
            let (mut lows, mut highs) = ([zero; 10], [zero; 10]);
            for i in 0..5 {
                for j in 0..5 {
                    lows[i + j] = low(lows[i + j], a[i], b[j]);
                    highs[i + j + 1] = high(highs[i + j + 1], a[i], b[j]);
                }
            }
            reduce(std::array::from_fn(|limb| plus(lows[limb], highs[limb])))
        }

        pub(super) fn square(self) -> Self {
            let a = self.0;
            let zero = _mm512_setzero_si512();
            let (mut lows, mut highs) = ([zero; 10], [zero; 10]);
            for i in 0..5 {
                for j in i + 1..5 {
                    lows[i + j] = low(lows[i + j], a[i], a[j]);
                    highs[i + j + 1] = high(highs[i + j + 1], a[i], a[j]);
                }
            }
            let mut product: [Words; 10] = std::array::from_fn(|limb| {
                let once = plus(lows[limb], highs[limb]);
                plus(once, once)
            });
            for i in 0..5 {
                product[2 * i] = low(product[2 * i], a[i], a[i]);
                product[2 * i + 1] = high(product[2 * i + 1], a[i], a[i]);
            }
            reduce(product)
        }

        fn square_times(self, times: u32) -> Self {
            let mut power = self;
            for _ in 0..times {
                power = power.square();
            }
            power
        }

        pub(super) fn add(self, other: Self) -> Self {
            tidy(std::array::from_fn(|limb| plus(self.0[limb], other.0[limb])))
        }

        pub(super) fn sub(self, other: Self) -> Self {
            tidy(std::array::from_fn(|limb| minus(plus(self.0[limb], splat(FOUR_P[limb])), other.0[limb])))
        }

        pub(super) fn negate(self) -> Self {
            tidy(std::array::from_fn(|limb| minus(splat(FOUR_P[limb]), self.0[limb])))
        }

        /// `self − 2·other`.
        pub(super) fn sub_twice(self, other: Self) -> Self {
            tidy(std::array::from_fn(|limb| {
                let doubled = plus(other.0[limb], other.0[limb]);
                minus(plus(self.0[limb], splat(2 * FOUR_P[limb])), doubled)
            }))
        }

        /// `self − 8·other`.
        pub(super) fn sub_eight_times(self, other: Self) -> Self {
            tidy(std::array::from_fn(|limb| {
                plus(self.0[limb], _mm512_slli_epi64::<3>(minus(splat(FOUR_P[limb]), other.0[limb])))
            }))
        }

        /// `self − once − 2·twice`.
        pub(super) fn sub_once_and_twice(self, once: Self, twice: Self) -> Self {
            tidy(std::array::from_fn(|limb| {
                let doubled = plus(twice.0[limb], twice.0[limb]);
                minus(minus(plus(self.0[limb], splat(3 * FOUR_P[limb])), once.0[limb]), doubled)
            }))
        }

        pub(super) fn twice(self) -> Self { tidy(self.0.map(|limb| plus(limb, limb))) }

        pub(super) fn three_times(self) -> Self { tidy(self.0.map(|limb| plus(plus(limb, limb), limb))) }

        pub(super) fn four_times(self) -> Self { tidy(self.0.map(|limb| _mm512_slli_epi64::<2>(limb))) }

        /// The same numbers, below p.
        fn canonical(self) -> Self {
            // Of a tidy number at or above 2²⁵⁶ little more than C is left, so this is below 2²⁵⁶, and less than 2·p.
            let below = tidy(self.0);
            let [mut c0, mut c1, mut c2, mut c3, mut c4] = below.0;
            // Minus p is plus C minus 2²⁵⁶: it is due where adding C reaches 2²⁵⁶.
            c0 = plus(c0, splat(C));
            carry(&mut c0, &mut c1);
            carry(&mut c1, &mut c2);
            carry(&mut c2, &mut c3);
            carry(&mut c3, &mut c4);
            let reached = _mm512_cmpgt_epu64_mask(c4, splat(LAST));
            c4 = _mm512_and_si512(c4, splat(LAST));
            select(reached, below, Self([c0, c1, c2, c3, c4]))
        }

        /// Lanes whose number is 0 modulo p.
        pub(super) fn is_zero(self) -> u8 {
            let [c0, c1, c2, c3, c4] = self.canonical().0;
            let bits = _mm512_or_si512(_mm512_or_si512(c0, c1), _mm512_or_si512(_mm512_or_si512(c2, c3), c4));
            _mm512_testn_epi64_mask(bits, bits)
        }

        /// Lanes whose number below p is odd.
        pub(super) fn is_odd(self) -> u8 { _mm512_test_epi64_mask(self.canonical().0[0], splat(1)) }

        /// Powers of which the exponents of roots and inverses are made: their exponents are 2, 22 and 223 ones in binary.
        fn ones(self) -> [Self; 3] {
            let two = self.square().mul(self);
            let three = two.square().mul(self);
            let six = three.square_times(3).mul(three);
            let nine = six.square_times(3).mul(three);
            let eleven = nine.square_times(2).mul(two);
            let twenty_two = eleven.square_times(11).mul(eleven);
            let forty_four = twenty_two.square_times(22).mul(twenty_two);
            let eighty_eight = forty_four.square_times(44).mul(forty_four);
            let all = eighty_eight.square_times(88).mul(eighty_eight);
            let all = all.square_times(44).mul(forty_four);
            [two, twenty_two, all.square_times(3).mul(three)]
        }

        /// A square root, where there is one: the power (p + 1) / 4.
        pub(super) fn square_root(self) -> Self {
            let [two, twenty_two, all] = self.ones();
            let power = all.square_times(23).mul(twenty_two);
            power.square_times(6).mul(two).square_times(2)
        }

        /// The inverse, 0 of 0: the power p − 2.
        pub(super) fn invert(self) -> Self {
            let [two, twenty_two, all] = self.ones();
            let power = all.square_times(23).mul(twenty_two);
            let power = power.square_times(5).mul(self);
            power.square_times(3).mul(two).square_times(2).mul(self)
        }
    }
}

/// The limbs of a number.
pub(super) const fn limbs(number: U256) -> [u64; 5] {
    let [a, b, c, d] = number.into_limbs();
    [a & LIMB, (a >> 52 | b << 12) & LIMB, (b >> 40 | c << 24) & LIMB, (c >> 28 | d << 36) & LIMB, d >> 16]
}

/// The opposite of [`limbs`], for a number below 2²⁵⁶.
const fn number(limbs: [u64; 5]) -> U256 {
    let [a, b, c, d, e] = limbs;
    U256::from_limbs([a | b << 52, b >> 12 | c << 40, c >> 24 | d << 28, d >> 36 | e << 16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::lanes::is_supported;
    use alloy_primitives::uint;
    use proptest::prelude::*;

    const P: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F_U256);

    /// Compares every operation with plain arithmetic, on numbers that are not always below p.
    #[target_feature(enable = "avx512f,avx512ifma,avx512dq")]
    fn compare(x: [U256; LANES], y: [U256; LANES], z: [U256; LANES]) {
        let [a, b, c] = [x, y, z].map(|numbers| Field::load(numbers));
        let check = |name: &str, seen: Field, expected: &dyn Fn(U256, U256, U256) -> U256| {
            let seen = seen.store();
            for lane in 0..LANES {
                let expected = expected(x[lane] % P, y[lane] % P, z[lane] % P);
                assert_eq!(seen[lane], expected, "{name} of {} {} {}", x[lane], y[lane], z[lane]);
            }
        };
        let minus = |number: U256| (P - number % P) % P;
        let times = |factor: u64, number: U256| U256::from(factor).mul_mod(number, P);
        check("load", a, &|x, _, _| x);
        check("mul", a.mul(b), &|x, y, _| x.mul_mod(y, P));
        check("square", a.square(), &|x, _, _| x.mul_mod(x, P));
        check("add", a.add(b), &|x, y, _| x.add_mod(y, P));
        check("sub", a.sub(b), &|x, y, _| x.add_mod(minus(y), P));
        check("negate", a.negate(), &|x, _, _| minus(x));
        check("sub_twice", a.sub_twice(b), &|x, y, _| x.add_mod(minus(times(2, y)), P));
        check("sub_eight_times", a.sub_eight_times(b), &|x, y, _| x.add_mod(minus(times(8, y)), P));
        check("sub_once_and_twice", a.sub_once_and_twice(b, c), &|x, y, z| {
            x.add_mod(minus(y), P).add_mod(minus(times(2, z)), P)
        });
        check("twice", a.twice(), &|x, _, _| times(2, x));
        check("three_times", a.three_times(), &|x, _, _| times(3, x));
        check("four_times", a.four_times(), &|x, _, _| times(4, x));
        check("invert", a.invert(), &|x, _, _| x.inv_mod(P).unwrap_or_default());
        // Operations on what operations left behind.
        let mixed = a.sub(b).mul(c.negate()).sub_eight_times(a).square();
        check("mixed", mixed, &|x, y, z| {
            let inner = x.add_mod(minus(y), P).mul_mod(minus(z), P).add_mod(minus(times(8, x)), P);
            inner.mul_mod(inner, P)
        });
        let root = a.square().square_root();
        let same = root.sub(a).is_zero() | root.add(a).is_zero();
        assert_eq!(same, u8::MAX, "a root of a square");
        for (lane, x) in x.into_iter().enumerate() {
            assert_eq!(a.is_zero() >> lane & 1 == 1, (x % P).is_zero());
            assert_eq!(a.is_odd() >> lane & 1 == 1, (x % P).bit(0));
        }
        let chosen = select(0b1010_0101, a, b).store();
        for lane in 0..LANES {
            assert_eq!(chosen[lane], if 0b1010_0101 >> lane & 1 == 1 { y[lane] % P } else { x[lane] % P });
        }
    }

    fn run(x: [U256; LANES], y: [U256; LANES], z: [U256; LANES]) {
        if is_supported() {
            // SAFETY: the processor has the instructions.
            unsafe { compare(x, y, z) }
        } else {
            println!("skipped: the processor has no AVX-512 IFMA");
        }
    }

    #[test]
    fn numbers_at_their_bounds() {
        let one = U256::from(1);
        let edges = [
            U256::ZERO,
            one,
            P - one,
            P,
            P + one,
            U256::MAX,
            (one << 208) - one,
            U256::MAX << 208,
            U256::MAX << 52,
            U256::from(C),
            P >> 1,
        ];
        for x in edges {
            for pair in edges.chunks(2) {
                let (y, z) = (pair[0], pair[pair.len() - 1]);
                run([x; LANES], [y, z, x, y, z, x, y, z], [z, z, y, y, x, z, x, y]);
            }
        }
    }

    fn numbers() -> impl Strategy<Value = [U256; LANES]> {
        any::<[[u64; 4]; LANES]>().prop_map(|lanes| lanes.map(U256::from_limbs))
    }

    proptest! {
        #[test]
        fn any_numbers(x in numbers(), y in numbers(), z in numbers()) {
            run(x, y, z);
        }
    }
}
