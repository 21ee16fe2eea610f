//! The table of profiles.

use super::{
    Workload, WorkloadError, allowances, counters, defi_mix, dex, dex_multihop, erc20, lending, mainnet, mispredict,
    transfers,
};
use std::{fmt, str::FromStr};

/// Gas that a generated block should use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Gas, all transactions together.
    pub gas: u64,
}

impl Size {
    /// 30 million gas, a block as mainnet had them for years.
    pub const SMALL: Self = Self { gas: 30_000_000 };
    /// 100 million gas.
    pub const MEDIUM: Self = Self { gas: 100_000_000 };
    /// 1 billion gas.
    pub const LARGE: Self = Self { gas: 1_000_000_000 };

    /// How many transactions of `each` gas fit; at least one.
    pub fn transactions(self, each: u64) -> usize {
        usize::try_from((self.gas / each).max(1)).unwrap_or(usize::MAX)
    }

    /// `count` at 1 Ggas, in proportion at other sizes; at least one.
    pub fn scaled(self, count: u64) -> usize {
        let scaled = u128::from(count) * u128::from(self.gas) / 1_000_000_000;
        usize::try_from(scaled.max(1)).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = match text.as_bytes().last() {
            Some(b'M' | b'm') => (&text[..text.len() - 1], 1_000_000),
            Some(b'G' | b'g') => (&text[..text.len() - 1], 1_000_000_000),
            _ => (text, 1),
        };
        let number: u64 = digits.parse().map_err(|_| format!("{text:?} is not an amount of gas such as 30M or 1G"))?;
        match number.checked_mul(unit) {
            Some(gas) if (1_000_000..=4_000_000_000).contains(&gas) => Ok(Self { gas }),
            _ => Err(format!("{text:?} is outside 1M to 4G gas")),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gas {
            gas if gas % 1_000_000_000 == 0 => write!(formatter, "{}G", gas / 1_000_000_000),
            gas if gas % 1_000_000 == 0 => write!(formatter, "{}M", gas / 1_000_000),
            gas => write!(formatter, "{gas}"),
        }
    }
}

/// A kind of block.
#[derive(Clone, Copy)]
pub struct Profile {
    /// Name on the command line and in reports.
    pub name: &'static str,
    /// Group it is reported with.
    pub group: &'static str,
    /// What is in it.
    pub contents: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// Whether it deploys contracts that are installed from npm.
    pub needs_contracts: bool,
    /// Makes it.
    pub(super) build: fn(&Self, Size, u64) -> Result<Workload, WorkloadError>,
}

impl Profile {
    /// Whether size and seed matter: real blocks are as they are.
    pub fn is_generated(&self) -> bool {
        self.group != "mainnet"
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Profile").field("name", &self.name).finish_non_exhaustive()
    }
}

macro_rules! profile {
    ($name:literal, $group:literal, $contracts:literal, $contents:literal, $shows:literal, $build:expr) => {
        Profile {
            name: $name,
            group: $group,
            contents: $contents,
            shows: $shows,
            needs_contracts: $contracts,
            build: $build,
        }
    };
}

/// All profiles, in the order of reports. The first is the headline.
pub const PROFILES: &[Profile] = &[
    profile!(
        "defi-mix",
        "defi",
        true,
        "the mix measured on mainnet: 40 % ETH transfers, 22 % ERC-20, 7 % approvals, 10 % swaps, 4 % lending, 3 % staking, 3 % NFT, 2 % each Safe, ERC-4337 and channels, other calls and creations; 15 % in nonce chains",
        "the headline",
        defi_mix::build
    ),
    profile!(
        "transfers-independent",
        "transfers",
        false,
        "plain transfers, every account used once",
        "the upper bound",
        transfers::independent
    ),
    profile!(
        "transfers-hot-recipient",
        "transfers",
        false,
        "40 % pay one exchange address, some withdrawals of one sender, the rest independent",
        "blind additions must merge",
        |p, size, seed| transfers::hot_recipient(p, size, seed, false)
    ),
    profile!(
        "transfers-hot-account",
        "transfers",
        false,
        "the same, and the withdrawals come from the exchange address itself",
        "additions to an account that also pays",
        |p, size, seed| transfers::hot_recipient(p, size, seed, true)
    ),
    profile!(
        "nonce-chains",
        "transfers",
        false,
        "senders with 20 transfers each, interleaved",
        "nonce order inside groups",
        transfers::nonce_chains
    ),
    profile!(
        "nonce-chains-zipf",
        "transfers",
        false,
        "15 % of transfers in chains of Zipf lengths up to 16, the rest alone",
        "nonce order among independent work",
        transfers::nonce_chains_zipf
    ),
    profile!(
        "transfers-serial-chain",
        "transfers",
        false,
        "each sender is funded only by the transaction before",
        "no parallelism at all: must stay about 1",
        transfers::serial_chain
    ),
    profile!(
        "erc20-independent",
        "erc20",
        true,
        "one OpenZeppelin token, transfers between existing holders, each used once",
        "slots, not addresses",
        erc20::independent
    ),
    profile!(
        "erc20-hot-0",
        "erc20",
        true,
        "three tokens, one behind a proxy, 100,000 accounts, nobody hot",
        "the contention sweep",
        |p, size, seed| erc20::hot_ratio(p, size, seed, 0)
    ),
    profile!(
        "erc20-hot-10",
        "erc20",
        true,
        "the same, 10 % of transfers touch ten hot accounts",
        "the contention sweep",
        |p, size, seed| erc20::hot_ratio(p, size, seed, 10)
    ),
    profile!(
        "erc20-hot-30",
        "erc20",
        true,
        "the same, 30 %",
        "the contention sweep",
        |p, size, seed| erc20::hot_ratio(p, size, seed, 30)
    ),
    profile!(
        "erc20-hot-50",
        "erc20",
        true,
        "the same, 50 %",
        "the contention sweep",
        |p, size, seed| erc20::hot_ratio(p, size, seed, 50)
    ),
    profile!(
        "erc20-zipf",
        "erc20",
        true,
        "the same accounts, senders and recipients by Zipf 1.0",
        "the contention sweep",
        erc20::zipf
    ),
    profile!(
        "dex-v2-independent",
        "dex",
        true,
        "Uniswap v2, every swap on a pool of its own",
        "independent swaps",
        |p, size, seed| dex::v2(p, size, seed, 0)
    ),
    profile!(
        "dex-v2-64",
        "dex",
        true,
        "Uniswap v2, swaps on 64 pools",
        "between independent and serial",
        |p, size, seed| dex::v2(p, size, seed, 64)
    ),
    profile!(
        "dex-v2-16",
        "dex",
        true,
        "Uniswap v2, swaps on 16 pools",
        "between independent and serial",
        |p, size, seed| dex::v2(p, size, seed, 16)
    ),
    profile!(
        "dex-v2-4",
        "dex",
        true,
        "Uniswap v2, swaps on 4 pools",
        "between independent and serial",
        |p, size, seed| dex::v2(p, size, seed, 4)
    ),
    profile!(
        "dex-v2-1",
        "dex",
        true,
        "Uniswap v2, swaps on 1 pool",
        "serial by nature: should show about 1",
        |p, size, seed| dex::v2(p, size, seed, 1)
    ),
    profile!(
        "dex-v3-independent",
        "dex",
        true,
        "Uniswap v3, every swap on a pool of its own",
        "independent swaps",
        |p, size, seed| dex::v3(p, size, seed, 0)
    ),
    profile!(
        "dex-v3-64",
        "dex",
        true,
        "Uniswap v3, swaps on 64 pools",
        "between independent and serial",
        |p, size, seed| dex::v3(p, size, seed, 64)
    ),
    profile!(
        "dex-v3-16",
        "dex",
        true,
        "Uniswap v3, swaps on 16 pools",
        "between independent and serial",
        |p, size, seed| dex::v3(p, size, seed, 16)
    ),
    profile!(
        "dex-v3-4",
        "dex",
        true,
        "Uniswap v3, swaps on 4 pools",
        "between independent and serial",
        |p, size, seed| dex::v3(p, size, seed, 4)
    ),
    profile!(
        "dex-v3-1",
        "dex",
        true,
        "Uniswap v3, swaps on 1 pool",
        "serial by nature: should show about 1",
        |p, size, seed| dex::v3(p, size, seed, 1)
    ),
    profile!(
        "dex-hot-multihop",
        "dex",
        true,
        "Uniswap v2 with 8 tokens and 12 pools: half the swaps on one pool, 30 % over two, 10 % arbitrage at the top, 10 % slip and fail",
        "order must show",
        dex_multihop::build
    ),
    profile!(
        "lending-cascade",
        "lending",
        true,
        "Aave v3: the oracle drops, liquidations and actions of other users follow",
        "near-serial reality",
        lending::build
    ),
    profile!(
        "counters",
        "counters",
        true,
        "NFT mints, reward accumulators and vote tallies, one contract each",
        "what contract design costs",
        |p, size, seed| counters::build(p, size, seed, 1)
    ),
    profile!(
        "counters-16",
        "counters",
        true,
        "the same, partitioned over 16 contracts each",
        "what contract design buys",
        |p, size, seed| counters::build(p, size, seed, 16)
    ),
    profile!(
        "allowance",
        "allowances",
        true,
        "one spender takes from one wallet, whose allowance is counted down",
        "what contract design costs",
        |p, size, seed| allowances::build(p, size, seed, 1, true)
    ),
    profile!(
        "allowance-endless",
        "allowances",
        true,
        "the same, with an allowance that is not written down",
        "that the balance waits as well",
        |p, size, seed| allowances::build(p, size, seed, 1, false)
    ),
    profile!(
        "allowance-16",
        "allowances",
        true,
        "the same, out of 16 wallets",
        "what more wallets buy",
        |p, size, seed| allowances::build(p, size, seed, 16, false)
    ),
    profile!(
        "mispredict-semantics",
        "mispredict",
        true,
        "keys that depend on state, EIP-7702, CREATE2 and destruction, beneficiary reads, wrong access lists, giants",
        "the worst case for prediction",
        mispredict::build
    ),
    profile!(
        "mainnet",
        "mainnet",
        false,
        "every block of ../shared/data/mainnet, each on its own parent state; size and seed do not apply",
        "reality",
        mainnet::build
    ),
];
