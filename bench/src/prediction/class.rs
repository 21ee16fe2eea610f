//! What kind of contract a transaction calls.
//!
//! The first rule that fits decides: no code at the recipient → plain transfer; EIP-4337 entry points, EIP-7702 transactions and
//! recipients that delegate → account abstraction; the functions of Safe and of the older multi-signature wallets → multisig; those of nitro-protocol's
//! adjudicator → state channel; those that only Aave has, whose pools are proxies all → lending; a recipient that hands its whole
//! input on with `DELEGATECALL`, or is a minimal proxy (EIP-1167) or names the slots of EIP-1967 in its code → proxy, whatever lies behind it;
//! the code of ERC-721 or ERC-1155 or a function of an NFT market → NFT; the functions of other lending markets; those of exchanges; those of ERC-20; and for
//! a function that none of these lists know, the first pool of Uniswap's kind that it calls. A function is known by its selector, so that
//! a contract which uses a standard function for something else is in the wrong class, and one with functions of its own that calls no pool
//! is among the others, as are creations.

use super::RanTransaction;
use crate::snapshot::Snapshot;
use alloy_primitives::{U256, hex, map::HashMap};
use braid_runtime::predict::{CallKind, StateView};
use revm::primitives::KECCAK_EMPTY;
use serde::Serialize;
use std::fmt;

/// A kind of contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The recipient has no code.
    EthTransfer,
    /// A token.
    Erc20,
    /// An exchange of Uniswap v2's kind: its routers, its pairs, and what swaps there first.
    AmmV2,
    /// An exchange of Uniswap v3's or v4's kind, and routers over both.
    AmmV3,
    /// A lending market.
    Lending,
    /// A token of ERC-721 or ERC-1155, or a market for them.
    Nft,
    /// A proxy, whatever is behind it.
    Proxy,
    /// A wallet with several owners.
    Multisig,
    /// EIP-4337 entry points, and EIP-7702.
    AccountAbstraction,
    /// Adjudicators of state channels.
    StateChannel,
    /// Everything else: creations too.
    Other,
}

impl Class {
    /// All classes, in the order of tables.
    pub const ALL: [Self; 11] = [
        Self::EthTransfer,
        Self::Erc20,
        Self::AmmV2,
        Self::AmmV3,
        Self::Lending,
        Self::Nft,
        Self::Proxy,
        Self::Multisig,
        Self::AccountAbstraction,
        Self::StateChannel,
        Self::Other,
    ];

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EthTransfer => "ETH transfer",
            Self::Erc20 => "ERC-20",
            Self::AmmV2 => "AMM v2",
            Self::AmmV3 => "AMM v3",
            Self::Lending => "lending",
            Self::Nft => "NFT",
            Self::Proxy => "proxy",
            Self::Multisig => "multisig",
            Self::AccountAbstraction => "account abstraction",
            Self::StateChannel => "state channel",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// What a code says of itself.
#[derive(Clone, Copy, Debug, Default)]
struct Features {
    delegates_account: bool,
    is_proxy: bool,
    is_nft: bool,
}

/// Finds the classes of transactions and remembers what codes say.
#[derive(Debug, Default)]
pub(super) struct Classifier(HashMap<alloy_primitives::B256, Features>);

const V2_SWAP: [u8; 4] = hex!("022c0d9f");
const V3_SWAP: [u8; 4] = hex!("128acb08");
const V4_SWAP: [u8; 4] = hex!("f3cd914c");

/// handleOps of entry points 0.6 and 0.7, and handleAggregatedOps.
const ENTRY_POINT: [[u8; 4]; 4] = [hex!("1fad948c"), hex!("765e827f"), hex!("4b1d7cf5"), hex!("dbed18e0")];
/// execTransaction of Safe; submitTransaction, confirmTransaction, executeTransaction of the Gnosis wallet; execute, confirm of the
/// first multi-signature wallets; sendMultiSig and sendMultiSigToken of BitGo.
const MULTISIG: [[u8; 4]; 9] = [
    hex!("6a761202"),
    hex!("c6427474"),
    hex!("c01a8c84"),
    hex!("ee22610b"),
    hex!("b61d27f6"),
    hex!("797af627"),
    hex!("39125215"),
    hex!("0dcd7a6c"),
    hex!("2625e38b"),
];
/// Seaport, Wyvern, Blur, LooksRare, X2Y2; safeMint, mint and safeTransferFrom of ERC-721 and ERC-1155.
const NFT: [[u8; 4]; 20] = [
    hex!("fb0f3ee1"),
    hex!("00000000"),
    hex!("b3a34c4c"),
    hex!("87201b41"),
    hex!("e7acab24"),
    hex!("f2d12b12"),
    hex!("ed98a574"),
    hex!("55944a42"),
    hex!("a8174404"),
    hex!("ab834bab"),
    hex!("a8a41c70"),
    hex!("9a1fc3a7"),
    hex!("b3be57f8"),
    hex!("b4e4b296"),
    hex!("357a150b"),
    hex!("42842e0e"),
    hex!("b88d4fde"),
    hex!("f242432a"),
    hex!("2eb2c2d6"),
    hex!("a22cb465"),
];
/// Pools of Aave v1, v2, v3: supply, deposit, borrow, repay, withdraw, liquidate, and flash loans.
const AAVE: [[u8; 4]; 12] = [
    hex!("617ba037"),
    hex!("e8eda9df"),
    hex!("a415bcad"),
    hex!("573ade81"),
    hex!("69328dec"),
    hex!("00a718a9"),
    hex!("02c205f0"),
    hex!("5a3b74b9"),
    hex!("d2878eac"),
    hex!("5ceae9c4"),
    hex!("ab9c4b5d"),
    hex!("42b0b77c"),
];
/// Other lending markets, as Compound v2 and v3: supply, mint, borrow, repay, liquidate, redeem, claim, enter.
const LENDING: [[u8; 4]; 14] = [
    hex!("a0712d68"),
    hex!("1249c58b"),
    hex!("db006a75"),
    hex!("852a12e3"),
    hex!("c5ebeaec"),
    hex!("0e752702"),
    hex!("4e4d9fea"),
    hex!("f5e3c462"),
    hex!("aae40a2a"),
    hex!("e9c714f2"),
    hex!("c2998238"),
    hex!("f2b9fdb8"),
    hex!("f3fef3a3"),
    hex!("474cf53d"),
];
/// deposit, concludeAndTransferAllAssets, challenge, respond, checkpoint, transferAllAssets of nitro-protocol's adjudicator.
const CHANNEL: [[u8; 4]; 6] =
    [hex!("2fb1d270"), hex!("e03cdb0c"), hex!("f198bea9"), hex!("da4cdf73"), hex!("0149b762"), hex!("6c365522")];
/// Routers and pairs of Uniswap v2: swaps, liquidity, and the functions of a pair.
const AMM_V2: [[u8; 4]; 23] = [
    hex!("7ff36ab5"),
    hex!("18cbafe5"),
    hex!("38ed1739"),
    hex!("8803dbee"),
    hex!("fb3bdb41"),
    hex!("4a25d94a"),
    hex!("b6f9de95"),
    hex!("791ac947"),
    hex!("5c11d795"),
    hex!("e8e33700"),
    hex!("f305d719"),
    hex!("baa2abde"),
    hex!("02751cec"),
    hex!("af2979eb"),
    hex!("ded9382a"),
    hex!("2195995c"),
    hex!("5b0d5984"),
    V2_SWAP,
    hex!("6a627842"),
    hex!("89afcb44"),
    hex!("fff6cae9"),
    hex!("bc25cf77"),
    hex!("472b43f3"),
];
/// Routers, position manager and pools of Uniswap v3, the universal router, and aggregators that go there.
const AMM_V3: [[u8; 4]; 22] = [
    hex!("414bf389"),
    hex!("c04b8d59"),
    hex!("db3e2198"),
    hex!("f28c0498"),
    hex!("04e45aaf"),
    hex!("b858183f"),
    hex!("5023b4df"),
    hex!("09b81346"),
    hex!("5ae401dc"),
    hex!("1f0464d1"),
    hex!("ac9650d8"),
    hex!("3593564c"),
    hex!("24856bc3"),
    hex!("88316456"),
    hex!("219f5d17"),
    hex!("0c49ccbe"),
    hex!("fc6f7865"),
    V3_SWAP,
    V4_SWAP,
    hex!("12aa3caf"),
    hex!("0502b1c5"),
    hex!("e449022e"),
];
/// ERC-20 with what most tokens add: permit, mint and burn, wrapped ether.
const ERC20: [[u8; 4]; 12] = [
    hex!("a9059cbb"),
    hex!("23b872dd"),
    hex!("095ea7b3"),
    hex!("39509351"),
    hex!("a457c2d7"),
    hex!("d505accf"),
    hex!("40c10f19"),
    hex!("42966c68"),
    hex!("79cc6790"),
    hex!("d0e30db0"),
    hex!("2e1a7d4d"),
    hex!("cae9ca51"),
];

impl Classifier {
    /// The class of a transaction on the state before its block.
    pub(super) fn of(&mut self, ran: &RanTransaction, parent: &Snapshot) -> Class {
        let Some(to) = ran.to else { return Class::Other };
        let features = *self
            .0
            .entry(ran.code_hash)
            .or_insert_with(|| parent.code(to).map_or_else(Features::default, |code| features(&code)));
        let selector: Option<[u8; 4]> = ran.input.first_chunk().copied();
        let is = |list: &[[u8; 4]]| selector.is_some_and(|selector| list.contains(&selector));
        if ran.sets_code || features.delegates_account || is(&ENTRY_POINT) {
            return Class::AccountAbstraction;
        }
        if ran.code_hash == KECCAK_EMPTY {
            return Class::EthTransfer;
        }
        let hands_on = ran.observed.calls.iter().any(|call| {
            call.parent == 0
                && call.kind == CallKind::Delegate
                && ran.observed.bytes[call.input.start as usize..call.input.end as usize] == ran.input[..]
        });
        match () {
            () if is(&MULTISIG) => Class::Multisig,
            () if is(&CHANNEL) => Class::StateChannel,
            () if is(&AAVE) => Class::Lending,
            () if features.is_proxy || hands_on => Class::Proxy,
            () if features.is_nft || is(&NFT) => Class::Nft,
            () if is(&LENDING) && ran.observed.calls.iter().any(|call| call.kind != CallKind::Create) => Class::Lending,
            () if is(&AMM_V2) => Class::AmmV2,
            () if is(&AMM_V3) => Class::AmmV3,
            () if is(&ERC20) => Class::Erc20,
            () => first_pool(ran),
        }
    }
}

/// The kind of the first pool that a transaction of unknown purpose calls.
fn first_pool(ran: &RanTransaction) -> Class {
    let pools = ran.observed.calls.iter().find_map(|call| {
        match ran.observed.bytes[call.input.start as usize..call.input.end as usize].first_chunk() {
            Some(&V2_SWAP) => Some(Class::AmmV2),
            Some(&V3_SWAP | &V4_SWAP) => Some(Class::AmmV3),
            _ => None,
        }
    });
    pools.unwrap_or(Class::Other)
}

fn features(code: &[u8]) -> Features {
    const MINIMAL: [u8; 10] = hex!("363d3d373d3d3d363d73");
    const IMPLEMENTATION: [u8; 32] = hex!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
    const BEACON: [u8; 32] = hex!("a3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6cb3582b35133d50");
    // PUSH4 ownerOf(uint256), PUSH4 safeBatchTransferFrom.
    const OWNER_OF: [u8; 5] = hex!("636352211e");
    const BATCH: [u8; 5] = hex!("632eb2c2d6");
    let holds = |needle: &[u8]| memchr::memmem::find(code, needle).is_some();
    let pushes = |word: &[u8; 32]| holds(&U256::from_be_bytes(*word).to_be_bytes::<32>());
    Features {
        delegates_account: code.starts_with(&[0xef, 0x01, 0x00]),
        is_proxy: code.starts_with(&MINIMAL) || pushes(&IMPLEMENTATION) || pushes(&BEACON),
        is_nft: holds(&OWNER_OF) || holds(&BATCH),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_they_are() {
        let minimal = [&hex!("363d3d373d3d3d363d73")[..], &[7; 20], &hex!("5af43d82803e903d91602b57fd5bf3")].concat();
        assert!(features(&minimal).is_proxy);
        assert!(features(&[&[0xef, 0x01, 0x00][..], &[7; 20]].concat()).delegates_account);
        assert!(features(&hex!("80636352211e14")).is_nft);
        let plain = features(&hex!("6001600201"));
        assert!(!plain.is_proxy && !plain.is_nft && !plain.delegates_account);
    }

    #[test]
    fn no_selector_is_in_two_lists() {
        let lists: [&[[u8; 4]]; 9] =
            [&ENTRY_POINT, &MULTISIG, &CHANNEL, &AAVE, &NFT, &LENDING, &AMM_V2, &AMM_V3, &ERC20];
        let all: Vec<_> = lists.concat();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
