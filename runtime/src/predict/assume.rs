//! What to assume of calls to code of which nothing was learned.
//!
//! Two calls of the same unknown contract usually meet in some slot, so they are assumed to; the functions
//! of tokens are an exception, since their standards say whose balance they change. The slot numbers are invented: they serve
//! only to find out which transactions touch the same thing, and are marked so
//! ([`PredictedAccess::assumed`](super::PredictedAccess::assumed)).

use super::expression::word_of;
use alloy_primitives::{Address, U256};

/// Keys assumed of one call.
pub(super) type Assumed = [Option<(U256, bool)>; 3];

/// Kinds of invented slots.
const WHOLE: u64 = 1;
const BALANCE: u64 = 2;
const ALLOWANCE: u64 = 3;

/// The invented slots that a call touches, each with whether it writes it.
pub(super) fn assume(selector: Option<[u8; 4]>, caller: Address, word: impl Fn(usize) -> Option<U256>) -> Assumed {
    let caller = word_of(caller);
    let whole = [Some((slot(WHOLE, U256::ZERO, U256::ZERO), true)), None, None];
    let balance = |owner: Option<U256>, write| owner.map(|owner| (slot(BALANCE, owner, U256::ZERO), write));
    let allowance =
        |owner: Option<U256>, spender: Option<U256>, write| Some((slot(ALLOWANCE, owner?, spender?), write));
    match selector {
        // transfer(address,uint256)
        Some([0xa9, 0x05, 0x9c, 0xbb]) => [balance(Some(caller), true), balance(word(4), true), None],
        // transferFrom(address,address,uint256), safeTransferFrom with and without data
        Some([0x23, 0xb8, 0x72, 0xdd] | [0x42, 0x84, 0x2e, 0x0e] | [0xb8, 0x8d, 0x4f, 0xde]) => {
            [balance(word(4), true), balance(word(36), true), allowance(word(4), Some(caller), true)]
        }
        // approve, increaseAllowance, decreaseAllowance (address,uint256), setApprovalForAll(address,bool)
        Some(
            [0x09, 0x5e, 0xa7, 0xb3] | [0x39, 0x50, 0x93, 0x51] | [0xa4, 0x57, 0xc2, 0xd7] | [0xa2, 0x2c, 0xb4, 0x65],
        ) => [allowance(Some(caller), word(4), true), None, None],
        // balanceOf(address)
        Some([0x70, 0xa0, 0x82, 0x31]) => [balance(word(4), false), None, None],
        // allowance(address,address)
        Some([0xdd, 0x62, 0xed, 0x3e]) => [allowance(word(4), word(36), false), None, None],
        // decimals, symbol, name
        Some([0x31, 0x3c, 0xe5, 0x67] | [0x95, 0xd8, 0x9b, 0x41] | [0x06, 0xfd, 0xde, 0x03]) => [None; 3],
        _ => whole,
    }
}

/// An invented slot number: no contract has one of this form except by design, and then it costs precision only.
fn slot(kind: u64, first: U256, second: U256) -> U256 {
    const TAG: u64 = 0xb1a1_d000_0000_0000;
    let [low, middle, high, _] = *first.as_limbs();
    let [other_low, other_middle, other_high, _] = *second.as_limbs();
    let mixed = other_low ^ other_middle.rotate_left(17) ^ other_high.rotate_left(41);
    U256::from_limbs([low, middle, high ^ mixed.rotate_left(32), TAG ^ kind])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFER: Option<[u8; 4]> = Some([0xa9, 0x05, 0x9c, 0xbb]);
    const TRANSFER_FROM: Option<[u8; 4]> = Some([0x23, 0xb8, 0x72, 0xdd]);

    fn slots(assumed: Assumed) -> Vec<U256> {
        assumed.into_iter().flatten().map(|(slot, _)| slot).collect()
    }

    #[test]
    fn token_transfers_meet_only_in_a_common_account() {
        let account = Address::repeat_byte;
        let to = |recipient: u8| move |offset| (offset == 4).then(|| word_of(account(recipient)));
        let first = slots(assume(TRANSFER, account(1), to(2)));
        let apart = slots(assume(TRANSFER, account(3), to(4)));
        let meets = slots(assume(TRANSFER, account(5), to(2)));
        assert_eq!(first.len(), 2);
        assert!(!first.iter().any(|slot| apart.contains(slot)));
        assert!(first.iter().any(|slot| meets.contains(slot)));
        let words = |offset| match offset {
            4 => Some(word_of(account(1))),
            36 => Some(word_of(account(9))),
            _ => None,
        };
        let from = slots(assume(TRANSFER_FROM, account(7), words));
        assert!(first.iter().any(|slot| from.contains(slot)));
    }

    #[test]
    fn anything_else_meets() {
        let none = |_| None;
        let first = assume(Some([1, 2, 3, 4]), Address::repeat_byte(1), none);
        assert_eq!(first, assume(None, Address::repeat_byte(2), none));
        assert_eq!(slots(first).len(), 1);
    }
}
