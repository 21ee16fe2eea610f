//! The pool as its users see it.

mod blobs;
mod following;
mod journaling;
mod limits;
mod random;
mod rules;
mod world;

use super::{
    book::Book,
    index::{FeeIndex, Rank},
};
use alloy_primitives::U256;

impl Book {
    /// Compares every index with what follows from the transactions themselves.
    fn check(&self) {
        let (mut heads, mut tails, mut queued) = (FeeIndex::default(), FeeIndex::default(), FeeIndex::default());
        let (mut pending, mut count, mut bytes) = (0, 0, 0);
        for (address, sender) in self.senders() {
            let mut nonce = sender.account.nonce;
            let (mut cost, mut tip, mut fee) = (U256::ZERO, u128::MAX, u128::MAX);
            let mut last = None;
            for transaction in sender.pending() {
                assert_eq!((transaction.nonce(), transaction.sender()), (nonce, *address), "no gap in {sender:?}");
                cost += transaction.cost();
                tip = tip.min(transaction.max_tip());
                fee = fee.min(transaction.max_fee());
                if last.is_none() {
                    heads.insert(Rank::new(transaction));
                }
                last = Some(Rank { tip, fee, ..Rank::new(transaction) });
                nonce += 1;
                pending += 1;
            }
            tails.extend(last);
            assert_eq!((sender.next_nonce(), sender.pending_cost()), (nonce, cost), "{sender:?}");
            assert!(cost <= sender.account.balance, "{sender:?}");
            if let Some(next) = sender.get(nonce) {
                let is_unaffordable = cost + next.cost() > sender.account.balance;
                assert!(is_unaffordable || sender.pending_len() == self.sender_limit(), "{next:?} could be pending");
            }
            sender.queued().for_each(|transaction| queued.insert(Rank::new(transaction)));
            for transaction in sender.all() {
                assert!(transaction.nonce() >= sender.account.nonce, "{transaction:?} is stale");
                let known = self.get(&transaction.hash()).expect("every transaction has its hash");
                assert_eq!(known.number, transaction.number);
                bytes += transaction.full_size();
                count += 1;
            }
            assert_eq!(sender.blobs, sender.all().filter(|transaction| transaction.is_blob()).count());
        }
        assert_eq!((heads, tails, queued), (self.heads().clone(), self.tails().clone(), self.queued().clone()));
        assert_eq!((pending, count, bytes), (self.pending_len(), self.all().count(), self.bytes()));
        assert_eq!(self.queued_len(), count - pending);
        self.check_idle();
    }
}

impl Extend<Rank> for FeeIndex {
    fn extend<I: IntoIterator<Item = Rank>>(&mut self, ranks: I) {
        ranks.into_iter().for_each(|rank| self.insert(rank));
    }
}
