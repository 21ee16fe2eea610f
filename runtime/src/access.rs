//! The units of state that transactions depend on each other through.

use alloy_primitives::{Address, U256};

/// One field of the state. Accounts are split into fields because a dependency exists only on what was observed: a contract
/// that merely receives ether conflicts with nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKey {
    /// Balance of an account.
    Balance(Address),
    /// Nonce of an account.
    Nonce(Address),
    /// Code of an account.
    Code(Address),
    /// A storage slot of an account.
    Storage(Address, U256),
    /// Whether an account exists and is not empty (EIP-161), and whether its storage was wiped.
    Life(Address),
}

impl AccessKey {
    /// The account that the field belongs to.
    pub const fn address(&self) -> Address {
        match *self {
            Self::Balance(address)
            | Self::Nonce(address)
            | Self::Code(address)
            | Self::Storage(address, _)
            | Self::Life(address) => address,
        }
    }
}
