//! The state before a random block.

use super::{FORKS, ListPlan};
use crate::{
    blocks::{Key, Kind, ether},
    contracts,
    memory::MemoryState,
};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use std::collections::BTreeMap;

/// The accounts of the world, and the state they are in.
#[derive(Clone, Debug)]
pub struct World {
    fork: usize,
    keys: Vec<Key>,
    addresses: Vec<Address>,
    /// State before the block.
    pub state: MemoryState,
}

const fn contract(number: u8) -> Address {
    let mut bytes = [0xcc; 20];
    bytes[19] = number;
    Address::new(bytes)
}

impl World {
    /// Number of accounts that can send.
    pub const KEYS: u8 = 9;
    /// Number of accounts that [`World::address`] tells apart.
    pub const ADDRESSES: u8 = 40;

    /// [`contracts::counter`].
    pub const COUNTER: Address = contract(1);
    /// [`contracts::token`].
    pub const TOKEN: Address = contract(2);
    /// [`contracts::chain`].
    pub const CHAIN: Address = contract(3);
    /// [`contracts::factory`].
    pub const FACTORY: Address = contract(4);
    /// [`contracts::nursery`].
    pub const NURSERY: Address = contract(5);
    /// [`contracts::destroyer`], three times.
    pub const DESTROYERS: [Address; 3] = [contract(6), contract(7), contract(8)];
    /// [`contracts::payer`].
    pub const PAYER: Address = contract(9);
    /// [`contracts::reader`].
    pub const READER: Address = contract(10);
    /// [`contracts::old_reader`].
    pub const OLD_READER: Address = contract(11);
    /// [`contracts::failer`].
    pub const FAILER: Address = contract(12);
    /// [`contracts::precompile_caller`].
    pub const PRECOMPILE_CALLER: Address = contract(13);
    /// [`contracts::deep`].
    pub const DEEP: Address = contract(14);
    /// [`contracts::router`].
    pub const ROUTER: Address = contract(15);
    /// [`contracts::transient`].
    pub const TRANSIENT: Address = contract(16);
    /// [`contracts::briber`].
    pub const BRIBER: Address = contract(17);
    /// [`contracts::delegate`].
    pub const DELEGATE: Address = contract(18);
    /// An account that exists and is empty.
    pub const EMPTY: Address = contract(0xee);

    /// The world before a block of a fork.
    pub fn new(fork: usize) -> Self {
        let keys: Vec<_> = (0..u64::from(Self::KEYS)).map(Key::new).collect();
        let mut state = MemoryState::default();
        for (number, key) in keys.iter().enumerate() {
            // The sixth is poor, the seventh does not exist.
            match number {
                5 => drop(state.fund(key.address, U256::from(3_000_000))),
                6 => {}
                _ => drop(state.fund(key.address, ether(1000))),
            }
        }
        let mut deploy = |address, code: Bytes, balance: u64, storage: &[(u64, u64)]| {
            state.deploy(address, code, storage);
            let account = state.accounts.get_mut(&address).expect("it was just deployed");
            account.balance = U256::from(balance);
        };
        deploy(Self::COUNTER, contracts::counter(), 0, &[(1, 5)]);
        deploy(Self::TOKEN, contracts::token(), 0, &[]);
        deploy(Self::CHAIN, contracts::chain(), 0, &[(0, 3), (3, 7), (7, 1), (1, 4)]);
        deploy(Self::FACTORY, contracts::factory(), 1000, &[]);
        deploy(Self::NURSERY, contracts::nursery(), 0, &[]);
        deploy(Self::DESTROYERS[0], contracts::destroyer(), 500, &[(1, 10), (5, 6)]);
        deploy(Self::DESTROYERS[1], contracts::destroyer(), 0, &[(1, 20)]);
        deploy(Self::DESTROYERS[2], contracts::destroyer(), 3, &[]);
        deploy(Self::PAYER, contracts::payer(), 300, &[]);
        deploy(Self::READER, contracts::reader(), 7, &[]);
        deploy(Self::OLD_READER, contracts::old_reader(), 0, &[]);
        deploy(Self::FAILER, contracts::failer(), 50, &[]);
        deploy(Self::PRECOMPILE_CALLER, contracts::precompile_caller(), 0, &[]);
        deploy(Self::DEEP, contracts::deep(), 0, &[]);
        deploy(Self::ROUTER, contracts::router(), 0, &[]);
        deploy(Self::TRANSIENT, contracts::transient(), 0, &[]);
        deploy(Self::BRIBER, contracts::briber(), 1000, &[]);
        deploy(Self::DELEGATE, contracts::delegate(), 0, &[]);
        contracts::deploy_system_contracts(&mut state);
        let token = state.accounts.get_mut(&Self::TOKEN).expect("it was just deployed");
        for key in &keys[..4] {
            token.storage.insert(balance_slot(key.address), U256::from(100));
        }
        state.fund(Self::EMPTY, U256::ZERO);
        state.fund(precompile(2), U256::from(9)).fund(precompile(3), U256::ZERO).fund(precompile(4), U256::from(1));
        if Self::knows(fork, "Prague") {
            let code = [&[0xef, 0x01, 0x00][..], Self::DELEGATE.as_slice()].concat();
            let storage = BTreeMap::from([(U256::ZERO, U256::from(3))]);
            state.insert(keys[7].address, ether(1000), 4, code.into(), storage);
        }
        for number in 0..10 {
            state.block_hashes.insert(number, keccak256(number.to_be_bytes()));
        }
        let mut addresses: Vec<_> = keys.iter().map(|key| key.address).collect();
        addresses.extend((1..=18).map(contract));
        addresses.push(Self::EMPTY);
        addresses.extend((1..=4).map(precompile));
        addresses.extend((0..3).map(|salt| contracts::factory_child(Self::FACTORY, salt)));
        addresses.extend([keys[0].address.create(0), keys[1].address.create(1)]);
        addresses.extend((0..3).map(|number| Address::repeat_byte(0x90 + number)));
        assert_eq!(addresses.len(), usize::from(Self::ADDRESSES), "every number has its account");
        Self { fork, keys, addresses, state }
    }

    /// Account number `number`: those with keys, contracts, an empty one, precompiles, contracts that may come to be, and accounts
    /// that do not exist.
    pub fn address(&self, number: u8) -> Address {
        self.addresses[usize::from(number) % self.addresses.len()]
    }

    /// Key number `number`.
    pub fn key(&self, number: u8) -> Key {
        self.keys[usize::from(number) % self.keys.len()]
    }

    /// Nonce of an account with a key, before the block.
    pub fn nonce(&self, number: u8) -> u64 {
        self.state.accounts.get(&self.key(number).address).map_or(0, |account| account.nonce)
    }

    fn knows(fork: usize, name: &str) -> bool {
        FORKS.iter().position(|known| *known == name).is_some_and(|since| fork >= since)
    }

    /// Whether accounts can be delegated (EIP-7702).
    pub fn knows_delegations(&self) -> bool {
        Self::knows(self.fork, "Prague")
    }

    /// A kind of transaction that the fork knows.
    pub(super) fn kind(&self, number: u8) -> Kind {
        match number % 4 {
            1 if Self::knows(self.fork, "Berlin") => Kind::AccessList,
            2 if Self::knows(self.fork, "London") => Kind::DynamicFee,
            3 if Self::knows(self.fork, "Cancun") => Kind::Blob(1),
            _ => Kind::Legacy,
        }
    }

    /// An EIP-2930 list.
    pub(super) fn list(&self, plan: ListPlan, number: u8) -> AccessList {
        let slots = |range: std::ops::Range<u64>| range.map(|slot| B256::from(U256::from(slot))).collect();
        match plan {
            ListPlan::None => AccessList::default(),
            ListPlan::Some => AccessList(vec![
                AccessListItem { address: Self::COUNTER, storage_keys: slots(0..2) },
                AccessListItem { address: self.address(number.wrapping_mul(7)), storage_keys: slots(0..1) },
            ]),
            ListPlan::Huge => AccessList(vec![AccessListItem { address: Self::CHAIN, storage_keys: slots(100..300) }]),
        }
    }
}

/// The slot in which [`contracts::token`] keeps an account's balance.
fn balance_slot(owner: Address) -> U256 {
    let mut key = [0; 64];
    key[12..32].copy_from_slice(owner.as_slice());
    U256::from_be_bytes(keccak256(key).0)
}

fn precompile(number: u8) -> Address {
    Address::with_last_byte(number)
}
