//! What the transactions of the mix do, and how many do what.

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    EtherTransfer,
    TokenTransfer,
    Approval,
    Swap,
    Lending,
    Staking,
    Collectible,
    Multisig,
    AccountAbstraction,
    Channel,
    WrappedEther,
    Vault,
    Vote,
    Creation,
}

/// Shares of the mix in thousandths, with the names that the notes give them.
pub(super) const SHARES: [(Kind, &str, usize); 14] = [
    (Kind::EtherTransfer, "ETH transfers", 400),
    (Kind::TokenTransfer, "ERC-20 transfers", 220),
    (Kind::Approval, "approvals", 70),
    (Kind::Swap, "swaps", 100),
    (Kind::Lending, "lending", 40),
    (Kind::Staking, "staking", 30),
    (Kind::Collectible, "NFT", 30),
    (Kind::Multisig, "Safe", 20),
    (Kind::AccountAbstraction, "ERC-4337", 20),
    (Kind::Channel, "channels", 20),
    (Kind::WrappedEther, "WETH", 12),
    (Kind::Vault, "vaults", 12),
    (Kind::Vote, "votes", 10),
    (Kind::Creation, "creations", 16),
];

/// The kinds of `count` transactions, as near to the shares as whole numbers come, in the order of the table.
pub(super) fn kinds(count: usize) -> Vec<Kind> {
    let mut counts = SHARES.map(|(_, _, share)| count * share / 1000);
    let mut by_remainder: Vec<usize> = (0..SHARES.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(count * SHARES[*index].2 % 1000));
    let left = count - counts.iter().sum::<usize>();
    by_remainder[..left].iter().for_each(|index| counts[*index] += 1);
    SHARES.iter().zip(counts).flat_map(|((kind, _, _), count)| std::iter::repeat_n(*kind, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_within_one_of_its_share() {
        assert_eq!(SHARES.iter().map(|(_, _, share)| share).sum::<usize>(), 1000);
        for total in [1, 14, 99, 441, 1470, 14_705] {
            let kinds = kinds(total);
            assert_eq!(kinds.len(), total);
            for (kind, name, share) in SHARES {
                let count = kinds.iter().filter(|other| **other == kind).count();
                assert!((count * 1000).abs_diff(total * share) < 1000, "{count} {name} of {total}");
            }
        }
    }
}
