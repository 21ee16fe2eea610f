//! The accounts of one shard: a small table that one thread fills, changes and empties.

use super::{CREDIT, Part};
use crate::{AccountDiff, AccountState, engine::apply::settle, state::Snapshot};
use alloy_primitives::{Address, U256};
use revm::primitives::{KECCAK_EMPTY, hardfork::SpecId};
use std::mem::MaybeUninit;

/// Balance (wei) and nonce of an account without code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    balance: U256,
    nonce: u64,
}

#[derive(Debug)]
struct Entry {
    address: Address,
    before: Option<Plain>,
    now: Option<Plain>,
}

/// Accounts by address. Its memory is used again and again.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    entries: Vec<Entry>,
    /// Hash and number of an entry, plus one; open addressing, a power of two in length.
    index: Vec<(u32, u32)>,
    /// Number of the entry of each part, in the order of the parts.
    places: Vec<u32>,
}

impl Accounts {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.places.clear();
        self.index.fill((0, 0));
    }

    /// Adds the accounts of these parts that are not there yet.
    pub(super) fn meet(&mut self, parts: &[Part]) {
        let needed = (2 * (self.entries.len() + parts.len())).next_power_of_two();
        if self.index.len() < needed {
            self.grow(needed);
        }
        let mask = self.index.len() - 1;
        for part in parts {
            let mut at = part.hash as usize & mask;
            let number = loop {
                let (hash, number) = self.index[at];
                if number == 0 {
                    self.entries.push(Entry { address: part.address, before: None, now: None });
                    self.index[at] = (part.hash, self.entries.len() as u32);
                    break self.entries.len() as u32;
                }
                if hash == part.hash && self.entries[number as usize - 1].address == part.address {
                    break number;
                }
                at = (at + 1) & mask;
            };
            self.places.push(number - 1);
        }
    }

    fn grow(&mut self, length: usize) {
        let old = std::mem::replace(&mut self.index, vec![(0, 0); length]);
        for (hash, number) in old.into_iter().filter(|(_, number)| *number != 0) {
            let mut at = hash as usize & (length - 1);
            while self.index[at].1 != 0 {
                at = (at + 1) & (length - 1);
            }
            self.index[at] = (hash, number);
        }
    }

    /// Whether an account is there.
    pub(super) fn has(&self, hash: u32, address: &Address) -> bool {
        let Some(mask) = self.index.len().checked_sub(1) else { return false };
        let mut at = hash as usize & mask;
        while let Some(number) = self.index[at].1.checked_sub(1) {
            if self.entries[number as usize].address == *address {
                return true;
            }
            at = (at + 1) & mask;
        }
        false
    }

    /// Reads all accounts from the parent state, one right after the other, so that the processor waits for several at a time. `None` when one has code,
    /// exists without having anything (it might have to be deleted), or cannot be read.
    pub(super) fn load(&mut self, snapshot: &dyn Snapshot) -> Option<()> {
        for entry in &mut self.entries {
            let Some(info) = snapshot.account(entry.address).ok()? else { continue };
            if info.code_hash != KECCAK_EMPTY || info.nonce == 0 && info.balance.is_zero() {
                return None;
            }
            entry.before = Some(Plain { balance: info.balance, nonce: info.nonce });
            entry.now = entry.before;
        }
        Some(())
    }

    /// Applies parts in block order; they begin at `place` among all that the table has met. Returns the sum of their fees (wei), or `None` when a
    /// nonce or a balance does not fit.
    pub(super) fn apply(&mut self, parts: &[Part], place: &mut usize, spec: SpecId) -> Option<u128> {
        let mut fees = 0u128;
        let places = &self.places[*place..*place + parts.len()];
        *place += parts.len();
        for (part, number) in parts.iter().zip(places) {
            let now = &mut self.entries[*number as usize].now;
            if part.nonce == CREDIT {
                let Plain { balance, nonce } = now.unwrap_or(Plain { balance: U256::ZERO, nonce: 0 });
                let balance = balance.checked_add(U256::from(part.amount))?;
                *now = settle(AccountState { balance, nonce, code_hash: KECCAK_EMPTY }, spec)
                    .map(|state| Plain { balance: state.balance, nonce: state.nonce });
            } else {
                let state = now.as_mut()?;
                if state.nonce != part.nonce || state.balance < U256::from(part.required) {
                    return None;
                }
                state.balance -= U256::from(part.amount);
                state.nonce += 1;
                fees = fees.checked_add(u128::from(part.tip))?;
            }
        }
        Some(fees)
    }

    /// Number of accounts that have changed.
    pub(super) fn changed(&self) -> usize {
        self.entries.iter().filter(|entry| entry.now != entry.before).count()
    }

    /// Writes the changes to `place`, which is as long as there are changes.
    pub(super) fn write_changes(&self, place: &mut [MaybeUninit<AccountDiff>]) {
        let changed = self.entries.iter().filter(|entry| entry.now != entry.before);
        let state = |plain: Option<Plain>| {
            plain.map(|Plain { balance, nonce }| AccountState { balance, nonce, code_hash: KECCAK_EMPTY })
        };
        let mut written = 0;
        for (entry, place) in changed.zip(&mut *place) {
            place.write(AccountDiff {
                address: entry.address,
                original: state(entry.before),
                present: state(entry.now),
                storage_wiped: false,
            });
            written += 1;
        }
        assert_eq!(written, place.len(), "the changes of a shard fill their place");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::database::{CacheDB, EmptyDB};
    use revm::state::AccountInfo;

    fn part(name: u16, nonce: u64, amount: u128) -> Part {
        let address = Address::left_padding_from(&name.to_be_bytes());
        // Hashes collide on purpose.
        Part { hash: u32::from(name % 7), address, nonce, tip: 3, amount, required: amount }
    }

    fn database(accounts: impl IntoIterator<Item = (u16, u64)>) -> CacheDB<EmptyDB> {
        let mut database = CacheDB::new(EmptyDB::default());
        for (name, balance) in accounts {
            let info = AccountInfo { balance: U256::from(balance), ..AccountInfo::default() };
            database.insert_account_info(part(name, 0, 0).address, info);
        }
        database
    }

    #[test]
    fn accounts_with_equal_hashes_are_told_apart() {
        let database = database((1..=200).map(|name| (name, 1_000)));
        let mut table = Accounts::default();
        let parts: Vec<Part> = (1..=200).map(|name| part(name, 0, 10)).collect();
        let again: Vec<Part> = (1..=200).map(|name| part(name, CREDIT, u128::from(name))).collect();
        table.meet(&parts);
        table.meet(&again);
        table.load(&database).expect("all are plain");
        let mut place = 0;
        assert_eq!(table.apply(&parts, &mut place, SpecId::PRAGUE), Some(600));
        assert_eq!(table.apply(&again, &mut place, SpecId::PRAGUE), Some(0));
        assert_eq!(table.changed(), 200);
        let mut changes: Vec<_> = (0..200).map(|_| MaybeUninit::uninit()).collect();
        table.write_changes(&mut changes);
        for (name, change) in (1..=200u64).zip(changes) {
            // SAFETY: `write_changes` has written them all.
            let change: AccountDiff = unsafe { change.assume_init() };
            assert_eq!(change.address, part(name as u16, 0, 0).address);
            assert_eq!(change.present.map(|state| (state.balance, state.nonce)), Some((U256::from(990 + name), 1)));
        }
        assert!(table.has(part(3, 0, 0).hash, &part(3, 0, 0).address));
        assert!(!table.has(part(3, 0, 0).hash, &Address::repeat_byte(9)));
        table.clear();
        assert!(!table.has(part(3, 0, 0).hash, &part(3, 0, 0).address));
    }

    #[test]
    fn what_is_not_plain_is_refused() {
        let attempt = |balance, parts: &[Part]| {
            let database = database([(1, balance)]);
            let mut table = Accounts::default();
            table.meet(parts);
            table.load(&database).and_then(|()| table.apply(parts, &mut 0, SpecId::PRAGUE))
        };
        assert_eq!(attempt(10, &[part(1, 0, 10)]), Some(3));
        assert_eq!(attempt(10, &[part(1, 0, 11)]), None, "it has not enough");
        assert_eq!(attempt(10, &[part(1, 1, 1)]), None, "the nonce is wrong");
        assert_eq!(attempt(10, &[part(2, 0, 0)]), None, "nobody");
        assert_eq!(attempt(0, &[part(1, CREDIT, 0)]), None, "an empty account may have to be deleted");
        assert_eq!(attempt(10, &[part(2, CREDIT, 0)]), Some(0), "it does not come into being");
        assert_eq!(attempt(10, &[part(2, CREDIT, 5), part(2, 0, 5)]), Some(3), "paid for by what came before");
    }
}
