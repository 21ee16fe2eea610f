//! Multiples of the generator of secp256k1, made once.

use super::{field::limbs, scalar::GENERATOR_DIGITS};
use alloy_primitives::U256;
use k256::{
    AffinePoint, ProjectivePoint,
    elliptic_curve::{BatchNormalize, sec1::ToEncodedPoint},
};
use std::sync::OnceLock;

/// Multiples for one digit: 0, which is never looked at, to 128.
pub(super) const MULTIPLES: usize = 129;
/// Words of a point: five limbs of x, five of y.
pub(super) const POINT_WORDS: usize = 10;

/// d·256ⁱ·G at place (i · [`MULTIPLES`] + d) · [`POINT_WORDS`], 332 KiB in all. It takes some milliseconds to make.
pub(super) fn multiples() -> &'static [u64] {
    static TABLE: OnceLock<Vec<u64>> = OnceLock::new();
    TABLE.get_or_init(make)
}

fn make() -> Vec<u64> {
    let mut table = Vec::with_capacity(GENERATOR_DIGITS * MULTIPLES * POINT_WORDS);
    let mut base = ProjectivePoint::GENERATOR;
    for _ in 0..GENERATOR_DIGITS {
        let mut points = Vec::with_capacity(MULTIPLES);
        let mut point = base;
        for _ in 1..MULTIPLES {
            points.push(point);
            point += base;
        }
        let affine: Vec<AffinePoint> = <ProjectivePoint as BatchNormalize<[_]>>::batch_normalize(&points);
        table.extend([0; POINT_WORDS]);
        for point in affine {
            let encoded = point.to_encoded_point(false);
            for coordinate in [encoded.x(), encoded.y()] {
                let coordinate = coordinate.expect("no small multiple of the generator is infinite");
                table.extend(limbs(U256::from_be_slice(coordinate)));
            }
        }
        for _ in 0..8 {
            base = base.double();
        }
    }
    table
}
