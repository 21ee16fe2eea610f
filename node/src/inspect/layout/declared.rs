//! Types from their declarations in Solidity, laid out as solc lays them out: members one after the other, small ones in one slot as long as they fit.
//!
//! solc writes layouts of state variables only. Structures at slots of their own choice (ERC-7201) are known by their declarations alone.

use super::{DEPTH, Encoding, Type, Variable};
use alloy_primitives::U256;
use std::collections::BTreeMap;

/// Bytes of a slot.
const SLOT: u64 = 32;

/// What was declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Declarations {
    /// Type and name of each member, by the name of the structure.
    structures: BTreeMap<String, Vec<(String, String)>>,
    /// What `type Price is uint96` stands for.
    values: BTreeMap<String, String>,
}

impl Declarations {
    /// Adds a structure, by its name with that of its contract: `Token.Order`.
    pub(super) fn structure(&mut self, name: &str, members: Vec<(String, String)>) {
        self.structures.insert(name.to_owned(), members);
    }

    /// Adds a type that stands for another one.
    pub(super) fn value(&mut self, name: &str, is: &str) {
        self.values.insert(name.to_owned(), is.to_owned());
    }

    /// Puts a type, as compilers write it (`mapping(address => struct Token.Order[])`), with all that it is made of, into `types`. Its name
    /// there; `None` if something in it was not declared.
    pub(super) fn add(&self, declared: &str, types: &mut BTreeMap<String, Type>) -> Option<String> {
        self.add_within(declared, types, DEPTH)
    }

    fn add_within(&self, declared: &str, types: &mut BTreeMap<String, Type>, depth: usize) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let declared = declared.trim();
        let text = self.values.get(declared).map_or(declared, String::as_str);
        if types.contains_key(text) {
            return Some(text.to_owned());
        }
        let kind = if let Some(array) = text.strip_suffix(']') {
            let (base, length) = array.rsplit_once('[')?;
            let base = self.add_within(base, types, depth)?;
            let bytes = match length {
                "" => U256::from(SLOT),
                length => types.get(&base)?.times(length.parse().ok()?),
            };
            let encoding = if length.is_empty() { Encoding::DynamicArray } else { Encoding::Inplace };
            Type { base: Some(base), ..Type::new(text, encoding, bytes) }
        } else if let Some(inner) = text.strip_prefix("mapping(") {
            // No key is a mapping itself.
            let (key, value) = inner.strip_suffix(')')?.split_once("=>")?;
            let key = Some(self.add_within(key, types, depth)?);
            let value = Some(self.add_within(value, types, depth)?);
            Type { key, value, ..Type::new(text, Encoding::Mapping, U256::from(SLOT)) }
        } else if let Some(name) = text.strip_prefix("struct ") {
            let members = self.structures.get(name)?;
            // A mapping in it may lead back to it.
            types.insert(text.to_owned(), Type::new(text, Encoding::Inplace, U256::from(SLOT)));
            let Some((members, bytes)) = self.pack(members, types, depth) else {
                types.remove(text);
                return None;
            };
            Type { members: Some(members), ..Type::new(text, Encoding::Inplace, bytes) }
        } else if matches!(text, "string" | "bytes") {
            Type::new(text, Encoding::Bytes, U256::from(SLOT))
        } else {
            Type::new(text, Encoding::Inplace, U256::from(width(text)?))
        };
        types.insert(text.to_owned(), kind);
        Some(text.to_owned())
    }

    /// Members in their slots, and the bytes that they take up: whole slots.
    fn pack(
        &self,
        members: &[(String, String)],
        types: &mut BTreeMap<String, Type>,
        depth: usize,
    ) -> Option<(Vec<Variable>, U256)> {
        let (mut slot, mut used) = (U256::ZERO, 0);
        let mut variables = Vec::with_capacity(members.len());
        for (declared, label) in members {
            let name = self.add_within(declared, types, depth)?;
            let kind = types.get(&name)?;
            let bytes = u64::try_from(kind.number_of_bytes).unwrap_or(SLOT);
            if used > 0 && (kind.has_own_slots() || used + bytes > SLOT) {
                (slot, used) = (slot + U256::ONE, 0);
            }
            variables.push(Variable { label: label.clone(), offset: used, slot, r#type: name.clone() });
            if kind.has_own_slots() {
                slot = slot.checked_add(kind.slots())?;
            } else {
                used += bytes;
            }
        }
        let slots = slot + U256::from(u64::from(used > 0));
        Some((variables, slots.checked_mul(U256::from(SLOT))?))
    }
}

impl Type {
    fn new(label: &str, encoding: Encoding, number_of_bytes: U256) -> Self {
        let label = label.to_owned();
        Self { encoding, label, number_of_bytes, key: None, value: None, base: None, members: None }
    }

    /// Whether nothing else shares its slots.
    fn has_own_slots(&self) -> bool {
        self.encoding != Encoding::Inplace || self.members.is_some() || self.base.is_some()
    }

    /// Bytes of an array of this many.
    fn times(&self, length: u64) -> U256 {
        let bytes = u64::try_from(self.number_of_bytes).unwrap_or(u64::MAX).max(1);
        let slots = if bytes <= SLOT / 2 && !self.has_own_slots() {
            U256::from(length.div_ceil(SLOT / bytes))
        } else {
            U256::from(length).saturating_mul(self.slots())
        };
        slots.saturating_mul(U256::from(SLOT))
    }
}

/// Bytes of a type that fits into a slot.
fn width(text: &str) -> Option<u64> {
    let bits = |digits: &str| digits.parse::<u64>().ok().filter(|bits| bits % 8 == 0 && (8..=256).contains(bits));
    match text {
        "bool" => Some(1),
        "address" | "address payable" => Some(20),
        _ if text.starts_with("contract ") => Some(20),
        // Nobody has more than 256 of them since Solidity 0.8.
        _ if text.starts_with("enum ") => Some(1),
        _ if text.starts_with("function ") => Some(if text.contains(" external") { 24 } else { 8 }),
        _ => match (text.strip_prefix("uint").or_else(|| text.strip_prefix("int")), text.strip_prefix("bytes")) {
            (Some(digits), _) => bits(digits).map(|bits| bits / 8),
            (None, Some(digits)) => digits.parse().ok().filter(|bytes| (1..=SLOT).contains(bytes)),
            (None, None) => None,
        },
    }
}
