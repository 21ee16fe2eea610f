//! The contracts of a block: whose code ran on whose storage.
//!
//! A proxy has the storage, and its implementation has the code, the interface and the layout. What is known of one is put to the other here, by what really ran:
//! proxies of every kind, clones, contracts in parts (ERC-2535) and accounts that delegate (EIP-7702) need no rules of their own.

use super::{artifact::Code, functions::Functions, gather::Found, words::short};
use crate::replay::ReplayBlock;
use alloy_primitives::{
    Address, Bytes, Selector,
    map::{AddressMap, AddressSet},
};
use braid_runtime::{AccessKey, oracle::CallTrace};
use revm::DatabaseRef;
use std::collections::{BTreeMap, BTreeSet};

/// Code of an account that lets another one's code run for it (EIP-7702): these bytes, and the address.
const DELEGATES: [u8; 3] = [0xef, 0x01, 0x00];

/// The contracts of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct Contracts {
    /// Accounts that the block loaded.
    touched: AddressSet,
    /// Code as it was before the block.
    codes: AddressMap<Bytes>,
    /// Of the owner of storage, whose code used it, with the number of slots.
    ran: BTreeMap<Address, BTreeMap<Address, usize>>,
    /// What was called of each code that used storage.
    called: BTreeMap<Address, BTreeSet<Selector>>,
}

impl Contracts {
    pub(super) fn new(block: &ReplayBlock, found: &Found) -> Self {
        let touched: AddressSet = found.explanation.trace().initial_balances.keys().copied().collect();
        let code = |address: &Address| {
            let account = block.snapshot.basic_ref(*address).ok()??;
            let code = match account.code {
                Some(code) => code,
                None => block.snapshot.code_by_hash_ref(account.code_hash).ok()?,
            };
            (!code.is_empty()).then(|| (*address, code.original_bytes()))
        };
        let codes = touched.iter().filter_map(code).collect();
        Self { touched, codes, ..Self::default() }.with_calls(&found.calls)
    }

    fn with_calls(mut self, calls: &CallTrace) -> Self {
        for (key, functions) in &calls.uses {
            let AccessKey::Storage(owner, _) = key else { continue };
            for function in functions.keys() {
                let code = self.delegate(&function.code).unwrap_or(function.code);
                *self.ran.entry(*owner).or_default().entry(code).or_default() += 1;
                self.called.entry(function.code).or_default().extend(function.selector);
            }
        }
        self
    }

    /// Whose code runs for an account (EIP-7702).
    fn delegate(&self, account: &Address) -> Option<Address> {
        let address = self.codes.get(account)?.strip_prefix(&DELEGATES)?;
        (address.len() == 20).then(|| Address::from_slice(address))
    }

    pub(super) fn are_touched(&self, address: &Address) -> bool {
        self.touched.contains(address)
    }

    /// Whether it has code.
    pub(super) fn have(&self, address: &Address) -> bool {
        self.codes.contains_key(address)
    }

    /// Accounts with this code.
    pub(super) fn with_code(&self, code: &Code) -> Vec<Address> {
        let mut found: Vec<Address> =
            self.codes.iter().filter(|(_, deployed)| code.is(deployed)).map(|(address, _)| *address).collect();
        found.sort_unstable();
        found
    }

    /// Accounts that let this one's code run for them (EIP-7702).
    pub(super) fn delegating_to(&self, address: Address) -> impl Iterator<Item = Address> {
        self.codes.keys().copied().filter(move |account| self.delegate(account) == Some(address))
    }

    /// Whose storage a layout for this contract is about: its own, and that on which its code ran.
    pub(super) fn storages(&self, address: Address) -> Vec<Address> {
        let is_meant =
            |(owner, codes): &(&Address, &BTreeMap<Address, usize>)| **owner == address || codes.contains_key(&address);
        self.ran.iter().filter(is_meant).map(|(owner, _)| *owner).collect()
    }

    /// Names of the contracts that have one, by interfaces and by layouts; no two have the same.
    pub(super) fn names(&self, functions: &Functions, layouts: &AddressMap<String>) -> AddressMap<String> {
        let given = |address: &Address| {
            let name = functions.contract(address).map(ToOwned::to_owned);
            name.or_else(|| layouts.get(address).cloned())
        };
        let mut names = BTreeMap::new();
        for owner in self.codes.keys().chain(self.ran.keys()) {
            let called = self.called.get(owner);
            let knows = |code: &Address| {
                let called = called.into_iter().flatten();
                called.filter(|selector| functions.has(code, **selector)).count()
            };
            // A library also runs on the storage of others, but nobody calls its functions there from outside.
            let others = self.ran.get(owner).into_iter().flatten().filter(|(code, _)| *code != owner);
            let behind = others
                .filter_map(|(code, slots)| Some((knows(code), *slots, given(code)?)))
                .max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
            let name = match (given(owner), behind) {
                (Some(own), None) => own,
                (Some(own), Some((known, ..))) if knows(owner) >= known => own,
                (_, Some((_, _, name))) => format!("{name} (proxy)"),
                (None, None) => continue,
            };
            names.insert(*owner, name);
        }
        let mut count = BTreeMap::<String, usize>::new();
        for name in names.values() {
            *count.entry(name.clone()).or_default() += 1;
        }
        let told = |(owner, name): (Address, String)| match count.get(&name) {
            Some(2..) => (owner, format!("{name} {}", short(&owner.to_string()))),
            _ => (owner, name),
        };
        names.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::artifact::Interface;
    use alloy_primitives::{U256, bytes, fixed_bytes, keccak256};
    use braid_runtime::oracle::{Function, Uses};

    const PROXY: Address = Address::repeat_byte(1);
    const TOKEN: Address = Address::repeat_byte(2);
    const LIBRARY: Address = Address::repeat_byte(3);
    const TRANSFER: Selector = fixed_bytes!("a9059cbb");

    fn contracts(uses: &[(Address, u64, Address, Option<Selector>)], codes: &[(Address, Bytes)]) -> Contracts {
        let mut calls = CallTrace::default();
        for (owner, slot, code, selector) in uses {
            let function = Function { code: *code, selector: *selector };
            let key = AccessKey::Storage(*owner, U256::from(*slot));
            calls.uses.entry(key).or_default().insert(function, Uses::default());
        }
        let codes: AddressMap<Bytes> = codes.iter().cloned().collect();
        let touched = codes.keys().copied().collect();
        Contracts { touched, codes, ..Contracts::default() }.with_calls(&calls)
    }

    fn interface(name: &str, function: &str) -> Interface {
        let abi = format!(
            r#"[{{"type": "function", "name": "{function}", "inputs": [{{"name": "a", "type": "address"}}, {{"name": "b", "type": "uint256"}}], "outputs": [], "stateMutability": "nonpayable"}}]"#
        );
        Interface { name: name.to_owned(), abi: serde_json::from_str(&abi).unwrap(), code: None }
    }

    #[test]
    fn a_layout_is_for_all_storage_on_which_the_code_ran() {
        let other = Address::repeat_byte(9);
        let own = contracts(
            &[
                (PROXY, 7, PROXY, Some(TRANSFER)),
                (PROXY, 0, TOKEN, Some(TRANSFER)),
                (other, 0, TOKEN, None),
                (LIBRARY, 0, LIBRARY, None),
            ],
            &[],
        );
        assert_eq!(own.storages(TOKEN), [PROXY, other]);
        assert_eq!(own.storages(PROXY), [PROXY]);
        assert!(own.storages(Address::ZERO).is_empty());
    }

    #[test]
    fn a_proxy_has_the_name_of_what_it_stands_for_and_a_library_gives_none() {
        let own = contracts(
            &[
                (PROXY, 7, PROXY, Some(TRANSFER)),
                (PROXY, 0, TOKEN, Some(TRANSFER)),
                (PROXY, 1, LIBRARY, None),
                (PROXY, 2, LIBRARY, None),
                (PROXY, 3, LIBRARY, None),
            ],
            &[],
        );
        let mut functions = Functions::new();
        functions.add(interface("ERC1967Proxy", "upgradeTo"), [PROXY]);
        functions.add(interface("Token", "transfer"), [TOKEN]);
        functions.add(interface("Logic", "move"), [LIBRARY]);
        let names = own.names(&functions, &AddressMap::default());
        assert_eq!(names[&PROXY], "Token (proxy)");
        // Its own functions were called: it calls a library.
        let mut functions = Functions::new();
        functions.add(interface("Pool", "transfer"), [PROXY]);
        functions.add(interface("Logic", "move"), [LIBRARY]);
        assert_eq!(own.names(&functions, &AddressMap::default())[&PROXY], "Pool");
        // Nothing but a layout is known.
        let layouts = [(TOKEN, "Token".to_owned())].into_iter().collect();
        assert_eq!(own.names(&Functions::new(), &layouts)[&PROXY], "Token (proxy)");
    }

    #[test]
    fn two_contracts_of_one_name_are_told_apart() {
        let code = bytes!("6001");
        let own = contracts(&[], &[(PROXY, code.clone()), (TOKEN, code)]);
        let mut functions = Functions::new();
        functions.add(interface("Pair", "swap"), [PROXY, TOKEN]);
        let names = own.names(&functions, &AddressMap::default());
        assert_eq!(names[&PROXY], format!("Pair {}", short(&PROXY.to_string())));
        assert_ne!(names[&PROXY], names[&TOKEN]);
    }

    #[test]
    fn accounts_that_delegate_have_the_storage_of_a_wallet() {
        let code: Bytes = [&DELEGATES[..], TOKEN.as_slice()].concat().into();
        let own = contracts(&[(PROXY, 0, PROXY, None)], &[(PROXY, code)]);
        assert_eq!(own.storages(TOKEN), [PROXY]);
        assert_eq!(own.delegating_to(TOKEN).collect::<Vec<_>>(), [PROXY]);
        assert_eq!(keccak256("transfer(address,uint256)")[..4], TRANSFER);
    }
}
