//! Roots of completely known states, built in one pass over the sorted, hashed keys.

use crate::AccountRecord;
use alloy_primitives::{Address, B256, U256};
use alloy_trie::{TrieAccount, root};

/// Root of a storage trie with these slots and values. Zero values are left out, as in the trie itself; a slot must not
/// come twice.
pub fn storage_root(slots: impl IntoIterator<Item = (U256, U256)>) -> B256 {
    root::storage_root_unhashed(
        slots.into_iter().filter(|(_, value)| !value.is_zero()).map(|(slot, value)| (B256::from(slot), value)),
    )
}

/// Root of the state that consists of exactly these accounts, each with its slots. An address must not come twice.
///
/// Accounts are taken as they are: an account without nonce, balance and code is a leaf like any other, so the caller
/// leaves out what does not exist.
pub fn state_root<S>(accounts: impl IntoIterator<Item = (Address, AccountRecord, S)>) -> B256
where
    S: IntoIterator<Item = (U256, U256)>,
{
    root::state_root_unhashed(accounts.into_iter().map(|(address, record, slots)| {
        (address, TrieAccount::new(record.nonce, record.balance, storage_root(slots), record.code_hash))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY};

    #[test]
    fn nothing_has_the_empty_root() {
        assert_eq!(storage_root([]), EMPTY_ROOT_HASH);
        assert_eq!(state_root::<[(U256, U256); 0]>([]), EMPTY_ROOT_HASH);
    }

    #[test]
    fn zero_slots_do_not_count_and_order_does_not_matter() {
        let one = (U256::from(1), U256::from(7));
        let two = (U256::from(2), U256::from(9));
        let zero = (U256::from(3), U256::ZERO);
        assert_eq!(storage_root([one, two]), storage_root([two, zero, one]));
        assert_ne!(storage_root([one]), storage_root([one, two]));
    }

    #[test]
    fn every_field_counts() {
        let record = AccountRecord { nonce: 1, balance: U256::from(2), code_hash: KECCAK_EMPTY };
        let address = Address::repeat_byte(1);
        let root = |record, slots: Vec<(U256, U256)>| state_root([(address, record, slots)]);
        let base = root(record, vec![]);
        assert_ne!(base, root(AccountRecord { nonce: 2, ..record }, vec![]));
        assert_ne!(base, root(AccountRecord { balance: U256::ZERO, ..record }, vec![]));
        assert_ne!(base, root(AccountRecord { code_hash: B256::ZERO, ..record }, vec![]));
        assert_ne!(base, root(record, vec![(U256::ZERO, U256::from(1))]));
    }
}
