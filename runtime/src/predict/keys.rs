//! What a prediction says: keys, each with how likely it is.

use super::scratch::Scratch;
use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

/// Fields of an account that a transaction observes or changes, as a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountFields(pub u8);

impl AccountFields {
    /// The exact balance (`BALANCE`, `SELFBALANCE`).
    pub const BALANCE: Self = Self(1);
    /// The nonce.
    pub const NONCE: Self = Self(2);
    /// The code or its hash.
    pub const CODE: Self = Self(4);
    /// A lower bound of the balance: the account pays for a call.
    pub const FUNDS: Self = Self(8);
    /// A blind addition to the balance: commutes with other additions.
    pub const CREDIT: Self = Self(16);
    /// Created or destroyed.
    pub const LIFE: Self = Self(32);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the two sets share a field.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the account is changed otherwise than by an addition that commutes.
    pub const fn writes(self) -> bool {
        self.intersects(Self(Self::FUNDS.0 | Self::LIFE.0))
    }
}

/// A part of the state that a transaction probably touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredictedKey {
    /// Fields of an account.
    Account {
        /// The account.
        address: Address,
        /// The fields that are observed or changed.
        fields: AccountFields,
        /// Whether the account is changed otherwise than by a blind addition to its balance.
        write: bool,
    },
    /// A storage slot.
    Slot {
        /// Owner of the slot.
        address: Address,
        /// Slot number.
        slot: U256,
        /// Whether the slot is written, not only read.
        write: bool,
    },
}

impl PredictedKey {
    /// The account concerned.
    pub const fn address(&self) -> Address {
        match self {
            Self::Account { address, .. } | Self::Slot { address, .. } => *address,
        }
    }
}

/// A key with its likelihood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictedAccess {
    /// The key.
    pub key: PredictedKey,
    /// How often the template's expression held: 255 is always, 0 hardly ever.
    pub likelihood: u8,
    /// The slot number is invented: the code called is unknown, and calls that touch the same invented slot are only
    /// assumed to meet. Good for the schedule; not for reading ahead, and not part of what is scored.
    pub assumed: bool,
}

/// An inner call that a prediction came across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowedCall {
    /// Account whose code runs.
    pub code_address: Address,
    /// Account whose storage is used.
    pub this: Address,
    /// How likely the call is, in 255ths.
    pub likelihood: u8,
}

/// What a transaction will probably touch, and its cost. Reused from call to call: it keeps its buffers.
#[derive(Debug, Default)]
pub struct Prediction {
    /// The keys, each at most once. Sender, recipient and beneficiary as such (the envelope) are not among them.
    pub keys: Vec<PredictedAccess>,
    /// False when there is no template: then the keys are unknown, not absent.
    pub known: bool,
    /// True when a part of the call tree could not be foreseen (a call to code without template, a target that no
    /// expression explains): keys are likely to be missing.
    pub incomplete: bool,
    /// Expected gas, never above the gas limit.
    pub gas: u64,
    /// How much of what such transactions touched was foreseen lately: 255 is all.
    pub confidence: u8,
    pub(super) scratch: Scratch,
}

/// Keys of a declared access list that are believed.
pub const MAX_DECLARED_KEYS: usize = 64;

impl Prediction {
    /// Empties the prediction and keeps its buffers.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.known = false;
        self.incomplete = false;
        self.gas = 0;
        self.confidence = 0;
        self.scratch.clear();
    }

    /// Whether the calls that are followed shall be kept, for [`followed`](Self::followed). It is not usually so.
    pub fn follow_calls(&mut self, keep: bool) {
        self.scratch.followed = keep.then(Vec::new);
    }

    /// The inner calls that the prediction came across, also those of unknown code, in the order of their start.
    pub fn followed(&self) -> &[FollowedCall] {
        self.scratch.followed.as_deref().unwrap_or_default()
    }

    /// Adds the slots of a declared access list (EIP-2930) as a hint: a sender may declare anything, so that only the first
    /// [`MAX_DECLARED_KEYS`] are taken, with middling likelihood. Such a list does not tell reads from writes: the
    /// slots count as written when nothing better is known of the transaction.
    pub fn add_declared(&mut self, slots: impl IntoIterator<Item = (Address, U256)>) {
        let write = !self.known;
        let limit = self.keys.len() + MAX_DECLARED_KEYS;
        for (address, slot) in slots.into_iter().take(MAX_DECLARED_KEYS) {
            let key = PredictedKey::Slot { address, slot, write };
            self.scratch.insert(&mut self.keys, PredictedAccess { key, likelihood: 128, assumed: false }, limit);
        }
    }

    /// The storage slots of the prediction that are not merely assumed: owner, number, whether written.
    pub fn slots(&self) -> impl Iterator<Item = (Address, U256, bool)> + '_ {
        self.keys.iter().filter(|access| !access.assumed).filter_map(|access| match access.key {
            PredictedKey::Slot { address, slot, write } => Some((address, slot, write)),
            PredictedKey::Account { .. } => None,
        })
    }
}
