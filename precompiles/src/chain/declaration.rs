//! What a chain precompile says it will touch.
//!
//! Keys are fields, not accounts, so that two calls that share an account but no field stay independent.

use revm::primitives::{Address, U256};
use std::fmt;

/// One field of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKey {
    /// The balance of an account, in wei.
    Balance(Address),
    /// One storage slot of an account.
    Storage(Address, U256),
}

impl StateKey {
    /// The account that the field belongs to.
    pub const fn address(&self) -> Address {
        match self {
            Self::Balance(address) | Self::Storage(address, _) => *address,
        }
    }
}

impl fmt::Display for StateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balance(address) => write!(formatter, "balance of {address}"),
            Self::Storage(address, slot) => write!(formatter, "slot {slot:#x} of {address}"),
        }
    }
}

/// What is done with a field. Each mode permits the ones before it in this list except that a credit permits no read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessMode {
    /// The value is observed.
    Read,
    /// The balance is added to without being observed, so credits of several calls commute. Like `CALL` with value, a
    /// credit does observe whether the account is empty, for that decides its gas.
    Credit,
    /// The value is observed and changed.
    Write,
}

impl AccessMode {
    /// Whether a declaration of `self` covers an access in `mode`.
    const fn covers(self, mode: Self) -> bool {
        matches!((self, mode), (Self::Write, _) | (Self::Read, Self::Read) | (Self::Credit, Self::Credit))
    }

    /// Whether the mode changes state, which a static call may not.
    pub const fn changes_state(self) -> bool {
        !matches!(self, Self::Read)
    }
}

impl fmt::Display for AccessMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Read => "read",
            Self::Credit => "credit",
            Self::Write => "write",
        })
    }
}

/// A field and what may be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclaredAccess {
    /// The field.
    pub key: StateKey,
    /// What may be done with it.
    pub mode: AccessMode,
}

impl DeclaredAccess {
    /// A read of `key`.
    pub const fn read(key: StateKey) -> Self {
        Self { key, mode: AccessMode::Read }
    }

    /// A read and change of `key`.
    pub const fn write(key: StateKey) -> Self {
        Self { key, mode: AccessMode::Write }
    }

    /// An addition to the balance of `address`.
    pub const fn credit(address: Address) -> Self {
        Self { key: StateKey::Balance(address), mode: AccessMode::Credit }
    }
}

/// All that a call may touch, sorted and without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredAccesses(Vec<DeclaredAccess>);

impl DeclaredAccesses {
    /// The declaration of a call that touches no state.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether the declaration covers an access to `key` in `mode`. Takes time logarithmic in the declaration's length.
    pub fn covers(&self, key: StateKey, mode: AccessMode) -> bool {
        let start = self.0.partition_point(|access| access.key < key);
        self.0[start..].iter().take_while(|access| access.key == key).any(|access| access.mode.covers(mode))
    }

    /// The declared accesses, ordered by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &DeclaredAccess> {
        self.0.iter()
    }

    /// Number of declared accesses.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is declared.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<DeclaredAccess> for DeclaredAccesses {
    fn from_iter<I: IntoIterator<Item = DeclaredAccess>>(accesses: I) -> Self {
        let mut accesses: Vec<_> = accesses.into_iter().collect();
        accesses.sort_unstable();
        accesses.dedup();
        Self(accesses)
    }
}

impl<const N: usize> From<[DeclaredAccess; N]> for DeclaredAccesses {
    fn from(accesses: [DeclaredAccess; N]) -> Self {
        accesses.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Address = Address::with_last_byte(1);
    const BALANCE: StateKey = StateKey::Balance(ACCOUNT);

    #[test]
    fn each_mode_covers_what_it_says() {
        let write = DeclaredAccesses::from([DeclaredAccess::write(BALANCE)]);
        let read = DeclaredAccesses::from([DeclaredAccess::read(BALANCE)]);
        let credit = DeclaredAccesses::from([DeclaredAccess::credit(ACCOUNT)]);
        let both = DeclaredAccesses::from([DeclaredAccess::credit(ACCOUNT), DeclaredAccess::read(BALANCE)]);
        for (declared, expected) in [
            (&write, [true, true, true]),
            (&read, [true, false, false]),
            (&credit, [false, true, false]),
            (&both, [true, true, false]),
        ] {
            let covered =
                [AccessMode::Read, AccessMode::Credit, AccessMode::Write].map(|m| declared.covers(BALANCE, m));
            assert_eq!(covered, expected, "{declared:?}");
        }
    }

    #[test]
    fn neighbouring_keys_are_not_covered() {
        let slot = |number: u64| StateKey::Storage(ACCOUNT, U256::from(number));
        let declared = DeclaredAccesses::from([DeclaredAccess::write(slot(9)), DeclaredAccess::write(slot(7))]);
        assert!(declared.covers(slot(7), AccessMode::Write) && declared.covers(slot(9), AccessMode::Read));
        assert!(!declared.covers(slot(8), AccessMode::Read));
        assert!(!declared.covers(StateKey::Storage(Address::with_last_byte(2), U256::from(7)), AccessMode::Read));
        assert!(!declared.covers(BALANCE, AccessMode::Read));
        assert!(!DeclaredAccesses::none().covers(slot(7), AccessMode::Read));
    }

    #[test]
    fn duplicates_are_merged() {
        let access = DeclaredAccess::read(BALANCE);
        assert_eq!(DeclaredAccesses::from([access, access]).len(), 1);
    }
}
