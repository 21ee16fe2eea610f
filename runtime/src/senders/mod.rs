//! Senders of many transactions at once: public keys recovered from signatures, eight side by side where the processor can.
//!
//! [`recover_signers`] is the door. `lanes` recovers eight keys with the wide integer multiplier of AVX-512 (IFMA), a quarter of the time that
//! libsecp256k1 takes for them; read `field` and `point` for the arithmetic, `scalar` for what happens before it. Whatever is out of the
//! ordinary – a signature that no key made, a sum that the short formulas do not cover – is left to libsecp256k1, which alone decides
//! which signatures are valid. Nothing here is secret, so nothing takes constant time.

#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod generator;
#[cfg(target_arch = "x86_64")]
mod lanes;
#[cfg(target_arch = "x86_64")]
mod point;
#[cfg(target_arch = "x86_64")]
mod scalar;

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction, crypto::secp256k1::recover_signer_unchecked,
    transaction::RlpEcdsaEncodableTx,
};
use alloy_primitives::{Address, B256, Signature};
use rayon::prelude::*;

/// Signatures that are recovered side by side.
pub const LANES: usize = 8;
/// From so many signatures on, eight lanes take less time than libsecp256k1 does for each, even if most of them are empty.
#[cfg(target_arch = "x86_64")]
const WORTH_IT: usize = 3;

/// A hash and a signature of it.
#[derive(Clone, Copy, Debug)]
pub struct SignedHash {
    /// What was signed.
    pub hash: B256,
    /// The signature; its `s` may be in the upper half.
    pub signature: Signature,
}

impl SignedHash {
    /// What the sender of a transaction signed.
    pub fn of<T>(transaction: &EthereumTxEnvelope<T>) -> Self
    where
        T: SignableTransaction<Signature> + RlpEcdsaEncodableTx,
    {
        Self { hash: transaction.signature_hash(), signature: *transaction.signature() }
    }
}

/// Who made each signature, on this thread; nothing where no key could have made it.
///
/// Whether `s` may be in the upper half (EIP-2) is for the caller to check.
pub fn recover_signers(signed: &[SignedHash]) -> Vec<Option<Address>> {
    let mut signers = Vec::with_capacity(signed.len());
    for group in signed.chunks(LANES) {
        #[cfg(target_arch = "x86_64")]
        if group.len() >= WORTH_IT && lanes::is_supported() {
            let found = lanes::recover(group);
            signers.extend(group.iter().zip(found).map(|(signed, signer)| signer.or_else(|| recover_signer(signed))));
            continue;
        }
        signers.extend(group.iter().map(recover_signer));
    }
    signers
}

/// The same on all threads of the current rayon pool.
pub fn recover_signers_parallel(signed: &[SignedHash]) -> Vec<Option<Address>> {
    signed.par_chunks(LANES).flat_map_iter(recover_signers).collect()
}

fn recover_signer(signed: &SignedHash) -> Option<Address> {
    recover_signer_unchecked(&signed.signature, signed.hash).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::crypto::secp256k1::sign_message;
    use alloy_primitives::{U256, keccak256, uint};

    const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

    fn sample(number: u64) -> SignedHash {
        let hash = keccak256(number.to_le_bytes());
        SignedHash { hash, signature: sign_message(keccak256(hash), hash).unwrap() }
    }

    /// What is recovered is what libsecp256k1 says.
    fn check(signed: &[SignedHash]) {
        let expected: Vec<_> = signed.iter().map(recover_signer).collect();
        assert_eq!(recover_signers(signed), expected);
    }

    #[test]
    fn many_signatures() {
        let signed: Vec<_> = (0..300).map(sample).collect();
        check(&signed);
        assert!(recover_signers(&signed).iter().all(Option::is_some));
        assert_eq!(recover_signers_parallel(&signed), recover_signers(&signed));
    }

    /// For changes to the arithmetic: takes a minute with optimisation.
    #[test]
    #[ignore = "takes long"]
    fn a_million_signatures() {
        (0..1_000_000_u64 / 4000).into_par_iter().for_each(|part| {
            check(&(part * 4000..(part + 1) * 4000).map(sample).collect::<Vec<_>>());
        });
    }

    #[test]
    fn groups_of_every_size() {
        for length in 0..=2 * LANES as u64 + 1 {
            check(&(0..length).map(sample).collect::<Vec<_>>());
        }
    }

    #[test]
    fn mirrored_signatures_have_the_same_signer() {
        let signed: Vec<_> = (0..64).map(sample).collect();
        let mirrored: Vec<_> = signed
            .iter()
            .map(|SignedHash { hash, signature }| {
                let signature = Signature::new(signature.r(), ORDER - signature.s(), !signature.v());
                SignedHash { hash: *hash, signature }
            })
            .collect();
        check(&mirrored);
        assert_eq!(recover_signers(&mirrored), recover_signers(&signed));
    }

    #[test]
    fn numbers_at_their_bounds() {
        let edges = [
            U256::ZERO,
            U256::from(1),
            U256::from(2),
            U256::from(5),
            U256::from(128),
            U256::from(1) << 128,
            (U256::from(1) << 128) - U256::from(1),
            ORDER >> 1,
            (ORDER >> 1) + U256::from(1),
            ORDER - U256::from(1),
            ORDER,
            ORDER + U256::from(1),
            U256::MAX - (U256::from(1) << 32) - U256::from(977),
            U256::MAX,
        ];
        let mut signed = Vec::new();
        for r in edges {
            for s in edges {
                for hash in [U256::ZERO, ORDER - U256::from(1), U256::MAX] {
                    for odd in [false, true] {
                        signed.push(SignedHash { hash: B256::from(hash), signature: Signature::new(r, s, odd) });
                    }
                }
            }
        }
        check(&signed);
    }

    #[test]
    fn sums_that_short_formulas_do_not_cover() {
        // The nonce point R is a small multiple of the generator, so the two products can be equal or opposite.
        let mut signed = Vec::new();
        for number in 1..=64_u64 {
            let nonce = B256::from(U256::from(number));
            // The signature of a message has r of its nonce only by chance: take r from the public key of the nonce.
            let point = k256::ProjectivePoint::GENERATOR
                * <k256::Scalar as k256::elliptic_curve::PrimeField>::from_repr(nonce.0.into()).unwrap();
            let encoded = k256::elliptic_curve::sec1::ToEncodedPoint::to_encoded_point(&point.to_affine(), false);
            let r = U256::from_be_slice(encoded.x().unwrap());
            let odd = encoded.y().unwrap()[31] & 1 == 1;
            for s in [U256::from(number), U256::from(1), ORDER - U256::from(number)] {
                // The key is (s·k·G − z·G) / r: infinite for z = s·k, a doubling for z = −s·k.
                let product = s.mul_mod(U256::from(number), ORDER);
                for z in [product, ORDER - product, U256::ZERO, U256::from(number)] {
                    signed.push(SignedHash { hash: B256::from(z), signature: Signature::new(r, s, odd) });
                }
            }
        }
        check(&signed);
        assert!(recover_signers(&signed).iter().any(Option::is_none));
    }

    #[test]
    fn bad_signatures_do_not_disturb_their_neighbours() {
        let mut signed: Vec<_> = (0..LANES as u64).map(sample).collect();
        let good = recover_signers(&signed);
        for lane in 0..LANES {
            let kept = signed[lane];
            for (r, s) in
                [(U256::ZERO, U256::from(1)), (U256::from(5), U256::from(1)), (ORDER, ORDER), (U256::MAX, U256::ZERO)]
            {
                signed[lane].signature = Signature::new(r, s, true);
                check(&signed);
                let found = recover_signers(&signed);
                assert!((0..LANES).all(|other| other == lane || found[other] == good[other]));
            }
            signed[lane] = kept;
        }
    }
}
