//! Points of secp256k1 in Jacobian coordinates, eight side by side.
//!
//! (X, Y, Z) stands for (X / Z², Y / Z³). The sums are the short formulas: they do not cover infinity, nor adding a point to itself or to
//! its opposite. In the two latter cases Z becomes 0, and every later operation keeps it 0; so one look at the end finds them all.

use super::field::{Field, wide};

/// Points with coordinates of their own in each lane.
#[derive(Clone, Copy)]
pub(super) struct Jacobian {
    pub(super) x: Field,
    pub(super) y: Field,
    pub(super) z: Field,
}

impl Jacobian {
    wide! {
        pub(super) fn double(self) -> Self {
            let a = self.x.square();
            let b = self.y.square();
            let d = self.x.mul(b).four_times();
            let e = a.three_times();
            let x = e.square().sub_twice(d);
            let y = e.mul(d.sub(x)).sub_eight_times(b.square());
            Self { x, y, z: self.y.mul(self.z).twice() }
        }

        /// The sum with a point whose Z is 1, and the factor by which Z grew.
        pub(super) fn add_affine(self, other_x: Field, other_y: Field) -> (Self, Field) {
            let zz = self.z.square();
            let h = other_x.mul(zz).sub(self.x);
            let r = other_y.mul(zz.mul(self.z)).sub(self.y);
            (self.finish(self.y, self.x, h, r, self.z.mul(h)), h)
        }

        pub(super) fn add(self, other: Self) -> Self {
            let (zz, other_zz) = (self.z.square(), other.z.square());
            let x = self.x.mul(other_zz);
            let y = self.y.mul(other_zz.mul(other.z));
            let h = other.x.mul(zz).sub(x);
            let r = other.y.mul(zz.mul(self.z)).sub(y);
            self.finish(y, x, h, r, self.z.mul(other.z).mul(h))
        }

        fn finish(self, y: Field, x: Field, h: Field, r: Field, z: Field) -> Self {
            let hh = h.square();
            let hhh = hh.mul(h);
            let v = x.mul(hh);
            let x = r.square().sub_once_and_twice(hhh, v);
            let y = r.mul(v.sub(x)).sub(y.mul(hhh));
            Self { x, y, z }
        }
    }
}
