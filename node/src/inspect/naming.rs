//! Names of fields of the state: by a layout where there is one, else by what was hashed.

use super::{
    functions::Functions,
    layout::Layout,
    options::FieldName,
    origin::{Hashed, Origin, Preimages, well_known},
    words,
};
use alloy_primitives::map::AddressMap;
use braid_runtime::AccessKey;

/// Everything that has a name.
#[derive(Debug)]
pub(super) struct Naming {
    pub(super) functions: Functions,
    /// Layouts, all of them.
    pub(super) layouts: Vec<Layout>,
    /// Positions in `layouts` of those for an account's storage; the first that knows a slot names it.
    pub(super) layouts_of: AddressMap<Vec<usize>>,
    /// What may lie in the storage of every contract.
    pub(super) common: Layout,
    /// Names of the contracts that have one.
    pub(super) contracts: AddressMap<String>,
    pub(super) preimages: Preimages,
}

/// A field with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// For people.
    pub(super) text: String,
    /// Names of the variables in it, if a layout tells.
    pub(super) variables: Vec<String>,
    /// The same in other words, if no layout tells: which mapping or array it belongs to.
    pub(super) about: Option<String>,
}

impl Named {
    fn only(text: impl Into<String>) -> Self {
        Self { text: text.into(), variables: Vec::new(), about: None }
    }
}

impl Naming {
    /// The name of a field, without the account that it belongs to.
    pub(super) fn field(&self, key: &AccessKey) -> Named {
        let (address, slot) = match key {
            AccessKey::Balance(_) => return Named::only("ether balance"),
            AccessKey::Nonce(_) => return Named::only("nonce"),
            AccessKey::Code(_) => return Named::only("code"),
            AccessKey::Life(_) => return Named::only("existence of the account"),
            AccessKey::Storage(address, slot) => (address, *slot),
        };
        let origin = self.preimages.origin(slot);
        let own = self.layouts_of.get(address).into_iter().flatten().map(|index| &self.layouts[*index]);
        if let Some(place) = own.chain([&self.common]).find_map(|layout| layout.place(&origin)) {
            return Named { text: place.text(), variables: place.names, about: None };
        }
        let text = match &origin {
            Origin::Number(number) => well_known(*number).unwrap_or_else(|| format!("slot {}", words::number(*number))),
            hash => formula(hash),
        };
        Named { text, variables: Vec::new(), about: about(&origin) }
    }

    /// Whether the user means this field.
    pub(super) fn is_meant(&self, meant: &FieldName, key: &AccessKey) -> bool {
        match meant {
            FieldName::Slot(address, slot) => *key == AccessKey::Storage(*address, *slot),
            FieldName::Variable(name) => self.field(key).variables.iter().any(|variable| {
                variable.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
            }),
        }
    }

    /// Whether a layout has a variable of this name.
    pub(super) fn has_variable(&self, name: &str) -> bool {
        let root = name.split(['[', '.']).next().unwrap_or_default();
        self.layouts.iter().chain([&self.common]).any(|layout| layout.has(root))
    }
}

/// `keccak(key . 3) + 1`, as the documentation of Solidity writes it.
fn formula(origin: &Origin) -> String {
    match origin {
        Origin::Number(number) => well_known(*number).unwrap_or_else(|| words::number(*number)),
        Origin::Hash { of, offset } => {
            let hash = match of {
                Hashed::Array(array) => format!("keccak({})", formula(array)),
                Hashed::Entry { key, mapping } => format!("keccak({} . {})", key_text(key), formula(mapping)),
                Hashed::Other(input) => format!("keccak({})", words::hex(input)),
            };
            if *offset == 0 { hash } else { format!("{hash} + {offset}") }
        }
    }
}

fn key_text(key: &[u8]) -> String {
    match (<&[u8; 32]>::try_from(key), std::str::from_utf8(key)) {
        (Ok(word), _) => words::guess(word),
        (Err(_), Ok(text)) if !text.chars().any(char::is_control) => format!("{text:?}"),
        _ => words::hex(key),
    }
}

fn about(origin: &Origin) -> Option<String> {
    let Origin::Hash { of, .. } = origin else { return None };
    match of {
        Hashed::Array(array) => Some(format!("in the array at {}", root(array))),
        Hashed::Entry { mapping, .. } => Some(format!("in the mapping at {}", root(mapping))),
        Hashed::Other(_) => None,
    }
}

/// The slot of the variable in which it lies.
fn root(origin: &Origin) -> String {
    match origin {
        Origin::Number(number) => well_known(*number).unwrap_or_else(|| format!("slot {}", words::number(*number))),
        Origin::Hash { of: Hashed::Array(within) | Hashed::Entry { mapping: within, .. }, .. } => root(within),
        Origin::Hash { of: Hashed::Other(_), .. } => "a hashed slot".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::layout::Namespaces;
    use alloy_primitives::{Address, Bytes, U256, hex, keccak256, map::B256Map};

    fn naming(recorded: &B256Map<Bytes>, layouts: Vec<Layout>) -> Naming {
        let common = Namespaces::well_known().layout();
        Naming {
            functions: Functions::new(),
            layouts_of: [(Address::ZERO, (0..layouts.len()).collect())].into_iter().collect(),
            preimages: Preimages::new(recorded, layouts.iter().chain([&common]).flat_map(Layout::slots)),
            layouts,
            common,
            contracts: AddressMap::default(),
        }
    }

    #[test]
    fn without_a_layout_the_hashes_are_written_out() {
        let someone = Address::repeat_byte(0xcd);
        let outer = [someone.into_word(), U256::from(3).into()].concat();
        let inner = [U256::from(8).to_be_bytes(), keccak256(&outer).0].concat();
        let recorded: B256Map<Bytes> =
            [outer, inner].into_iter().map(|input| (keccak256(&input), input.into())).collect();
        let inner = recorded.keys().copied().find(|hash| recorded[hash][..32] == U256::from(8).to_be_bytes::<32>());
        let slot = U256::from_be_bytes(inner.unwrap().0) + U256::ONE;
        let named = naming(&recorded, Vec::new()).field(&AccessKey::Storage(Address::ZERO, slot));
        assert_eq!(named.text, format!("keccak(8 . keccak({someone} . 3)) + 1"));
        assert_eq!(named.about.as_deref(), Some("in the mapping at slot 3"));
    }

    #[test]
    fn a_name_stands_for_everything_in_the_variable() {
        let layout: Layout = serde_json::from_str(
            r#"{"storage": [{"label": "total", "offset": 0, "slot": "0", "type": "t"}, {"label": "a", "offset": 0, "slot": "1", "type": "m"}],
                "types": {"t": {"encoding": "inplace", "label": "uint256", "numberOfBytes": "32"}, "m": {"encoding": "mapping", "label": "", "numberOfBytes": "32", "key": "t", "value": "t"}}}"#,
        )
        .unwrap();
        let input = [U256::from(9).to_be_bytes::<32>(), U256::from(1).to_be_bytes()].concat();
        let entry = U256::from_be_bytes(keccak256(&input).0);
        let recorded: B256Map<Bytes> = [(keccak256(&input), input.into())].into_iter().collect();
        let naming = naming(&recorded, vec![layout]);
        let meant =
            |name: &str, slot: U256| naming.is_meant(&name.parse().unwrap(), &AccessKey::Storage(Address::ZERO, slot));
        assert!(meant("total", U256::ZERO) && !meant("tot", U256::ZERO) && !meant("total", entry));
        assert!(meant("a", entry) && meant("a[9]", entry) && !meant("a[8]", entry));
        assert!(!naming.is_meant(&"total".parse().unwrap(), &AccessKey::Balance(Address::ZERO)));
        assert!(naming.has_variable("a[8]") && !naming.has_variable("b"));
    }

    #[test]
    fn what_every_contract_may_have_is_named_after_what_its_own_layout_tells() {
        let base = U256::from_be_bytes(hex!("52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00"));
        let someone = Address::repeat_byte(0xcd);
        let balance = [someone.into_word().0, base.to_be_bytes()].concat();
        let recorded: B256Map<Bytes> = [(keccak256(&balance), balance.clone().into())].into_iter().collect();
        let own: Layout = serde_json::from_str(&format!(
            r#"{{"storage": [{{"label": "supply", "offset": 0, "slot": "{}", "type": "t"}}],
                "types": {{"t": {{"encoding": "inplace", "label": "uint256", "numberOfBytes": "32"}}}}}}"#,
            base + U256::from(2)
        ))
        .unwrap();
        let naming = naming(&recorded, vec![own]);
        let text = |owner: Address, slot: U256| naming.field(&AccessKey::Storage(owner, slot)).text;
        let entry = U256::from_be_bytes(keccak256(&balance).0);
        assert_eq!(text(Address::ZERO, entry), format!("ERC20Storage._balances[{someone}]"));
        assert_eq!(text(Address::ZERO, base + U256::from(2)), "supply");
        assert_eq!(text(someone, base + U256::from(2)), "ERC20Storage._totalSupply");
        assert!(naming.has_variable("ERC20Storage._totalSupply"));
    }
}
