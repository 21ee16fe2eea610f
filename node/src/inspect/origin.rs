//! Where the number of a slot comes from: a plain number, or hashes of keys and of other numbers (the storage layout of Solidity).
//!
//! The inputs of the hashes were recorded while the block was executed, so the way back is a look-up. Compilers hash constant numbers in advance; those hashes
//! are made here.

use alloy_primitives::{B256, Bytes, U256, keccak256, map::B256Map};
use std::collections::{BTreeMap, BTreeSet};

/// Slots of this number and below may be those of arrays whose hash the compiler has computed.
const ARRAYS: u64 = 512;
/// Largest distance between a hash and a slot number that counts as a relation: elements of an array, members of a structure.
const REACH: u64 = 1 << 48;
/// Hashes of hashes that are followed.
const DEPTH: usize = 12;

/// Where the number of a slot comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is what it is.
    Number(U256),
    /// It is `offset` slots after a hash.
    Hash { of: Hashed, offset: u64 },
}

/// What was hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hashed {
    /// The slot of an array, or of bytes: the elements begin at the hash.
    Array(Box<Origin>),
    /// A key and the slot of a mapping.
    Entry { key: Bytes, mapping: Box<Origin> },
    /// Something else.
    Other(Bytes),
}

/// The inputs of hashes, by hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Preimages {
    by_hash: BTreeMap<U256, Bytes>,
    /// Slots of variables that layouts tell.
    slots: BTreeSet<U256>,
}

impl Preimages {
    /// What was recorded, and what compilers compute in advance. `slots` are those of arrays that are known from layouts.
    pub(super) fn new(recorded: &B256Map<Bytes>, slots: impl IntoIterator<Item = U256>) -> Self {
        let slots: BTreeSet<U256> = slots.into_iter().collect();
        let known = (0..ARRAYS).map(U256::from).chain(slots.iter().copied()).map(|slot| {
            let input = B256::from(slot);
            (U256::from_be_bytes(keccak256(input).0), Bytes::copy_from_slice(input.as_slice()))
        });
        let recorded = recorded.iter().map(|(hash, input)| (U256::from_be_bytes(hash.0), input.clone()));
        let by_hash = known.chain(recorded).collect();
        Self { by_hash, slots }
    }

    /// Where this number comes from.
    pub(super) fn origin(&self, slot: U256) -> Origin {
        self.follow(slot, DEPTH)
    }

    fn follow(&self, slot: U256, depth: usize) -> Origin {
        let Some(depth) = depth.checked_sub(1) else { return Origin::Number(slot) };
        // Small numbers are no hashes, and the nearest hash below a number is the only one it can belong to.
        let near = self.by_hash.range(..=slot).next_back().filter(|_| slot >= U256::from(REACH));
        let near = near.and_then(|(hash, input)| Some((u64::try_from(slot - hash).ok()?, input)));
        let Some((offset, input)) = near.filter(|(offset, _)| *offset < REACH) else { return Origin::Number(slot) };
        let word = |bytes: &[u8]| U256::from_be_slice(bytes);
        let of = match input.len() {
            32 => match self.follow(word(input), depth) {
                Origin::Number(number) if !self.is_slot(number) => Hashed::Other(input.clone()),
                array => Hashed::Array(Box::new(array)),
            },
            length if length > 32 => {
                let (key, mapping) = input.split_at(length - 32);
                // Vyper hashes the slot first and the key after it. No mapping of Solidity lies at a slot that looks like an address.
                let is_vyper = length == 64 && is_address(mapping) && !is_address(key);
                let (key, mapping) = if is_vyper { (mapping, key) } else { (key, mapping) };
                Hashed::Entry { key: key.to_vec().into(), mapping: Box::new(self.follow(word(mapping), depth)) }
            }
            _ => Hashed::Other(input.clone()),
        };
        Origin::Hash { of, offset }
    }

    /// Whether a compiler may have put a variable there.
    fn is_slot(&self, number: U256) -> bool {
        number < U256::from(REACH) || self.slots.contains(&number)
    }
}

/// Whether a word looks like an address.
pub(super) fn is_address(word: &[u8]) -> bool {
    word.len() == 32 && word[..12].iter().all(|byte| *byte == 0) && word[12..18].iter().any(|byte| *byte != 0)
}

/// Slots of proxies (ERC-1967), and the older ones of OpenZeppelin.
const PROXY_SLOTS: [(&str, &str, u64); 5] = [
    ("implementation (ERC-1967)", "eip1967.proxy.implementation", 1),
    ("admin (ERC-1967)", "eip1967.proxy.admin", 1),
    ("beacon (ERC-1967)", "eip1967.proxy.beacon", 1),
    ("implementation (zeppelinos)", "org.zeppelinos.proxy.implementation", 0),
    ("admin (zeppelinos)", "org.zeppelinos.proxy.admin", 0),
];

/// The name of a slot that a standard gives a number far away from others.
pub(super) fn well_known(slot: U256) -> Option<String> {
    let hash = |text: &str| U256::from_be_bytes(keccak256(text).0);
    let proxy = PROXY_SLOTS.iter().find(|(_, text, less)| hash(text) - U256::from(*less) == slot);
    proxy.map(|(name, ..)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, address, b256};

    fn hashed(inputs: &[&[u8]]) -> Preimages {
        Preimages::new(&inputs.iter().map(|input| (keccak256(input), Bytes::copy_from_slice(input))).collect(), [])
    }

    fn word(number: u64) -> B256 {
        U256::from(number).into()
    }

    fn number(word: B256) -> U256 {
        U256::from_be_bytes(word.0)
    }

    const OWNER: Address = address!("d8da6bf26964af9d7eed9e03e53415d37aa96045");

    #[test]
    fn entries_of_nested_mappings_lead_back_to_their_keys() {
        let first = [OWNER.into_word(), word(3)].concat();
        let second = [word(77).to_vec(), keccak256(&first).to_vec()].concat();
        let preimages = hashed(&[&first, &second]);
        let inner = Origin::Hash {
            of: Hashed::Entry {
                key: OWNER.into_word().to_vec().into(),
                mapping: Box::new(Origin::Number(U256::from(3))),
            },
            offset: 0,
        };
        assert_eq!(preimages.origin(number(keccak256(&first))), inner);
        let slot = number(keccak256(&second)) + U256::from(2);
        let of = Hashed::Entry { key: word(77).to_vec().into(), mapping: Box::new(inner) };
        assert_eq!(preimages.origin(slot), Origin::Hash { of, offset: 2 });
    }

    #[test]
    fn elements_of_arrays_are_found_without_a_recorded_hash() {
        let slot = number(keccak256(word(5))) + U256::from(9);
        let of = Hashed::Array(Box::new(Origin::Number(U256::from(5))));
        assert_eq!(hashed(&[]).origin(slot), Origin::Hash { of, offset: 9 });
    }

    #[test]
    fn what_is_no_slot_is_not_made_one() {
        let input = keccak256("seed");
        let preimages = hashed(&[input.as_slice(), b"a text that is longer than thirty-two bytes, as a key"]);
        let of = Hashed::Other(Bytes::copy_from_slice(input.as_slice()));
        assert_eq!(preimages.origin(number(keccak256(input))), Origin::Hash { of, offset: 0 });
        for slot in [U256::ZERO, U256::from(7), U256::MAX, number(keccak256("nobody hashed this"))] {
            assert_eq!(preimages.origin(slot), Origin::Number(slot));
        }
    }

    #[test]
    fn vyper_hashes_the_slot_before_the_key() {
        let input = [word(3), OWNER.into_word()].concat();
        let Origin::Hash { of: Hashed::Entry { key, mapping }, .. } =
            hashed(&[&input]).origin(number(keccak256(&input)))
        else {
            panic!("an entry of a mapping")
        };
        assert_eq!((&key[..], *mapping), (OWNER.into_word().as_slice(), Origin::Number(U256::from(3))));
    }

    #[test]
    fn hashes_in_a_circle_come_to_an_end() {
        // Nobody can make such hashes; who claims to have them must not stop the program.
        let looped: B256Map<Bytes> =
            [(B256::repeat_byte(9), B256::repeat_byte(9).to_vec().into())].into_iter().collect();
        Preimages::new(&looped, []).origin(number(B256::repeat_byte(9)));
    }

    #[test]
    fn standards_have_slots_of_their_own() {
        let known = |slot: B256| well_known(number(slot));
        let implementation = b256!("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
        assert_eq!(known(implementation).as_deref(), Some("implementation (ERC-1967)"));
        assert_eq!(known(B256::ZERO), None);
    }
}
