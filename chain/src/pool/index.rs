//! Transactions in the order of what they offer.
//!
//! What a beneficiary gets from a transaction depends on the base fee: it is the smaller one of its tip and of what its fee leaves above the
//! base fee. So there is no order that holds from block to block. But the two numbers by themselves do not change, and the smaller of two
//! is found from both orders: the worst transaction is the first one of either, and the best ones are met soon by going down in both.

use super::PoolTransaction;
use alloy_primitives::Address;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, btree_set},
};

/// Where a transaction stands in one order: what it offers, newer before older, and what leads to it.
type Place = (u128, Reverse<u64>, Address, u64);

/// What one transaction offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    /// Wei per gas for the beneficiary at most.
    pub(super) tip: u128,
    /// Wei per gas in all at most.
    pub(super) fee: u128,
    /// The order in which transactions came.
    pub(super) number: u64,
    pub(super) sender: Address,
    pub(super) nonce: u64,
}

impl Rank {
    pub(super) fn new(transaction: &PoolTransaction) -> Self {
        Self {
            tip: transaction.max_tip(),
            fee: transaction.max_fee(),
            number: transaction.number,
            sender: transaction.sender(),
            nonce: transaction.nonce(),
        }
    }

    fn by_tip(&self) -> Place {
        (self.tip, Reverse(self.number), self.sender, self.nonce)
    }

    fn by_fee(&self) -> Place {
        (self.fee, Reverse(self.number), self.sender, self.nonce)
    }
}

/// Transactions in both orders, from the worst to the best.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FeeIndex {
    by_tip: BTreeSet<Place>,
    by_fee: BTreeSet<Place>,
}

impl FeeIndex {
    pub(super) fn insert(&mut self, rank: Rank) {
        self.by_tip.insert(rank.by_tip());
        self.by_fee.insert(rank.by_fee());
    }

    pub(super) fn remove(&mut self, rank: Rank) {
        let known = self.by_tip.remove(&rank.by_tip()) & self.by_fee.remove(&rank.by_fee());
        debug_assert!(known, "{rank:?} is not in the index");
    }

    pub(super) fn len(&self) -> usize {
        self.by_tip.len()
    }

    pub(super) fn clear(&mut self) {
        self.by_tip.clear();
        self.by_fee.clear();
    }

    /// Sender and nonce of the transaction that offers least at this base fee; of several the newest.
    pub(super) fn worst(&self, base_fee: u64) -> Option<(Address, u64)> {
        let (by_tip, by_fee) = self.by_tip.first().zip(self.by_fee.first())?;
        let left = by_fee.0.saturating_sub(base_fee.into());
        let (_, _, sender, nonce) = if left < by_tip.0 { by_fee } else { by_tip };
        Some((*sender, *nonce))
    }

    /// The highest fee of all, in wei per gas.
    pub(super) fn highest_fee(&self) -> Option<u128> {
        self.by_fee.last().map(|place| place.0)
    }

    /// Senders and nonces of all, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Address, u64)> + '_ {
        self.by_tip.iter().map(|(_, _, sender, nonce)| (*sender, *nonce))
    }

    /// Goes down both orders at once.
    pub(super) fn descend(&self, base_fee: u64) -> Descent<'_> {
        let (mut by_tip, mut by_fee) = (self.by_tip.iter().rev(), self.by_fee.iter().rev());
        let next = by_tip.next().zip(by_fee.next());
        Descent { by_tip, by_fee, next, base_fee: base_fee.into() }
    }
}

type Downwards<'a> = std::iter::Rev<btree_set::Iter<'a, Place>>;

/// A way through an index on which whatever was not met yet offers no more than [`Descent::bound`].
#[derive(Debug)]
pub(super) struct Descent<'a> {
    by_tip: Downwards<'a>,
    by_fee: Downwards<'a>,
    /// The next place in either order, until one of them is through.
    next: Option<(&'a Place, &'a Place)>,
    base_fee: u128,
}

impl Descent<'_> {
    /// The most that a transaction not met yet offers, in wei per gas; `None` if there is none that pays the base fee.
    pub(super) fn bound(&self) -> Option<u128> {
        let (by_tip, by_fee) = self.next?;
        Some(by_fee.0.checked_sub(self.base_fee)?.min(by_tip.0))
    }

    /// The next transaction of the order that sets the bound. It may have been met in the other order.
    pub(super) fn next(&mut self) -> Option<(Address, u64)> {
        let (by_tip, by_fee) = self.next?;
        let left = by_fee.0.checked_sub(self.base_fee)?;
        let (_, _, sender, nonce) = if by_tip.0 <= left {
            self.next = self.by_tip.next().map(|next| (next, by_fee));
            by_tip
        } else {
            self.next = self.by_fee.next().map(|next| (by_tip, next));
            by_fee
        };
        Some((*sender, *nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(tip: u128, fee: u128, number: u64) -> Rank {
        Rank { tip, fee, number, sender: Address::with_last_byte(number as u8), nonce: number }
    }

    #[test]
    fn the_order_changes_with_the_base_fee() {
        let mut index = FeeIndex::default();
        let ranks = [rank(5, 100, 1), rank(50, 55, 2), rank(8, 60, 3), rank(1, 54, 4)];
        ranks.iter().for_each(|rank| index.insert(*rank));
        assert_eq!(index.worst(0).unwrap().1, 4);
        assert_eq!(index.worst(52).unwrap().1, 4, "a tip of 1, and 2 are left");
        assert_eq!(index.worst(54).unwrap().1, 4, "nothing is left");
        assert_eq!(index.highest_fee(), Some(100));

        for base_fee in [0, 10, 52, 54, 58, 99, 101] {
            let offer = |number: u64| {
                let rank = ranks[number as usize - 1];
                rank.fee.checked_sub(base_fee.into()).map(|left: u128| left.min(rank.tip))
            };
            let mut descent = index.descend(base_fee);
            let mut unmet: Vec<u64> = vec![1, 2, 3, 4];
            while let Some(bound) = descent.bound() {
                assert!(unmet.iter().all(|number| offer(*number) <= Some(bound)), "{base_fee}: {unmet:?} {bound}");
                let (_, nonce) = descent.next().unwrap();
                unmet.retain(|number| *number != nonce);
            }
            assert!(unmet.iter().all(|number| offer(*number).is_none()), "{base_fee}: {unmet:?}");
        }
        index.remove(ranks[3]);
        assert_eq!(index.worst(0).unwrap().1, 1);
        assert_eq!(index.worst(54).unwrap().1, 2);
    }

    #[test]
    fn among_equals_the_older_is_better() {
        let mut index = FeeIndex::default();
        [7, 3, 5].into_iter().for_each(|number| index.insert(rank(1, 1, number)));
        assert_eq!(index.worst(0).unwrap().1, 7);
        assert_eq!(index.descend(0).next().unwrap().1, 3);
        assert_eq!((index.len(), index.iter().count()), (3, 3));
    }
}
