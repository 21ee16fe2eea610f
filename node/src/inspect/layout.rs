//! The storage layout that solc writes (`--storage-layout`), and the names it gives to slots.
//!
//! See "Layout of State Variables in Storage" in the documentation of Solidity. A name is found by walking an [`Origin`] down the types: variables by
//! their slots, entries of mappings by their keys, elements of arrays and members of structures by their distance. [`namespaces`] makes layouts of what
//! solc leaves out, by types that are [`declared`].

mod declared;
mod namespaces;

pub(super) use namespaces::Namespaces;

use super::{
    origin::{Hashed, Origin},
    words,
};
use alloy_primitives::{I256, U256};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;

/// Structures within structures that are followed: a layout of a user's making may hold itself.
const DEPTH: usize = 32;
/// Slots of a structure that may be those of arrays.
const MEMBERS: u64 = 64;

/// Variables of a contract.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Layout {
    storage: Vec<Variable>,
    /// `null` when there are no variables.
    types: Option<BTreeMap<String, Type>>,
}

/// A variable, or a member of a structure.
#[derive(Clone, Debug, Deserialize)]
struct Variable {
    label: String,
    /// Distance from the low end of the slot, in bytes.
    offset: u64,
    #[serde(deserialize_with = "number")]
    slot: U256,
    r#type: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Type {
    encoding: Encoding,
    label: String,
    #[serde(deserialize_with = "number")]
    number_of_bytes: U256,
    /// Of a mapping.
    key: Option<String>,
    value: Option<String>,
    /// Of an array.
    base: Option<String>,
    /// Of a structure.
    members: Option<Vec<Variable>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    Inplace,
    Mapping,
    DynamicArray,
    Bytes,
    #[serde(other)]
    Unknown,
}

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a number")))
}

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Names of what is in the slot; several where small variables share it.
    pub(super) names: Vec<String>,
}

impl Place {
    /// For people.
    pub(super) fn text(&self) -> String {
        match &self.names[..] {
            [name] => name.clone(),
            names => format!("{} (one slot)", names.join(" + ")),
        }
    }
}

/// Somewhere within a variable.
struct At<'a> {
    names: Vec<String>,
    /// `None` where several things share the slot.
    inside: Option<&'a Type>,
}

impl Layout {
    /// Whether there are no variables.
    pub(super) fn is_empty(&self) -> bool {
        self.storage.is_empty()
    }

    /// Whether there is a variable of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.storage.iter().any(|variable| variable.label == name)
    }

    /// Slots of variables, from which the slots of arrays are hashed.
    pub(super) fn slots(&self) -> impl Iterator<Item = U256> {
        let slots = |variable: &Variable| {
            let all = self.kind(&variable.r#type).map_or(U256::ONE, Type::slots);
            (0..u64::try_from(all).unwrap_or(MEMBERS).min(MEMBERS)).map(U256::from)
        };
        let of = move |variable| slots(variable).map(|offset: U256| variable.slot.wrapping_add(offset));
        self.storage.iter().flat_map(of)
    }

    /// The name of a slot; `None` if nothing of this layout is there.
    pub(super) fn place(&self, origin: &Origin) -> Option<Place> {
        let At { mut names, inside } = self.at(origin, DEPTH)?;
        if inside.is_some_and(|inside| inside.encoding == Encoding::DynamicArray) {
            names.iter_mut().for_each(|name| name.push_str(".length"));
        }
        Some(Place { names })
    }

    fn kind(&self, name: &str) -> Option<&Type> {
        self.types.as_ref()?.get(name)
    }

    fn at(&self, origin: &Origin, depth: usize) -> Option<At<'_>> {
        let depth = depth.checked_sub(1)?;
        match origin {
            Origin::Number(slot) => self.among(&self.storage, *slot, "", depth),
            Origin::Hash { of: Hashed::Entry { key, mapping }, offset } => {
                let At { names, inside: Some(inside) } = self.at(mapping, depth)? else { return None };
                if inside.encoding != Encoding::Mapping {
                    return None;
                }
                let key = key_text(key, self.kind(inside.key.as_ref()?));
                self.within(format!("{}[{key}]", names.first()?), inside.value.as_ref()?, U256::from(*offset), depth)
            }
            Origin::Hash { of: Hashed::Array(array), offset } => {
                let At { names, inside: Some(inside) } = self.at(array, depth)? else { return None };
                let name = names.first()?;
                match inside.encoding {
                    Encoding::DynamicArray => {
                        self.element(name, inside.base.as_ref()?, U256::from(*offset), None, depth)
                    }
                    // The text goes on in the slots after the hash.
                    Encoding::Bytes => Some(At { names, inside: None }),
                    _ => None,
                }
            }
            Origin::Hash { of: Hashed::Other(_), .. } => None,
        }
    }

    /// What lies `offset` slots into something of this type.
    fn within(&self, name: String, kind: &str, offset: U256, depth: usize) -> Option<At<'_>> {
        let depth = depth.checked_sub(1)?;
        let kind = self.kind(kind)?;
        match (&kind.members, &kind.base) {
            (Some(members), _) => self.among(members, offset, &format!("{name}."), depth),
            (None, Some(base)) if kind.encoding == Encoding::Inplace => {
                self.element(&name, base, offset, Some(length(&kind.label)), depth)
            }
            _ => offset.is_zero().then(|| At { names: vec![name], inside: Some(kind) }),
        }
    }

    /// Which of the variables lie in a slot.
    fn among(&self, variables: &[Variable], slot: U256, prefix: &str, depth: usize) -> Option<At<'_>> {
        let mut found = variables.iter().filter(|variable| {
            let slots = self.kind(&variable.r#type).map_or(U256::ONE, Type::slots);
            slot.checked_sub(variable.slot).is_some_and(|offset| offset < slots)
        });
        let first = found.next()?;
        let name = |variable: &Variable| format!("{prefix}{}", variable.label);
        let mut others: Vec<&Variable> = found.collect();
        if others.is_empty() {
            return self.within(name(first), &first.r#type, slot - first.slot, depth);
        }
        others.insert(0, first);
        others.sort_by_key(|variable| variable.offset);
        Some(At { names: others.into_iter().map(name).collect(), inside: None })
    }

    /// An element of an array, by the distance from the first.
    fn element(&self, name: &str, base: &str, offset: U256, length: Option<u64>, depth: usize) -> Option<At<'_>> {
        let kind = self.kind(base)?;
        let bytes = u64::try_from(kind.number_of_bytes).unwrap_or(u64::MAX).max(1);
        if bytes <= 16 {
            let shared = 32 / bytes;
            let first = offset.saturating_mul(U256::from(shared));
            let last = first.saturating_add(U256::from(shared - 1));
            let last = length.map_or(last, |length| last.min(U256::from(length.saturating_sub(1))));
            return Some(At { names: vec![format!("{name}[{first}..{last}]")], inside: None });
        }
        let slots = kind.slots();
        self.within(format!("{name}[{}]", offset / slots), base, offset % slots, depth)
    }
}

impl Type {
    /// Slots that it takes up; at least one.
    fn slots(&self) -> U256 {
        self.number_of_bytes.div_ceil(U256::from(32)).max(U256::ONE)
    }
}

/// Elements of `uint8[5]`.
fn length(label: &str) -> u64 {
    let digits = label.rsplit_once('[').and_then(|(_, end)| end.strip_suffix(']'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(u64::MAX)
}

/// A key as one would write it in Solidity.
fn key_text(key: &[u8], kind: Option<&Type>) -> String {
    let label = kind.map_or("", |kind| kind.label.as_str());
    let Ok(word) = <[u8; 32]>::try_from(key) else {
        // Only keys of `string` and `bytes` are not padded.
        return match (label, std::str::from_utf8(key)) {
            ("string", Ok(text)) => format!("{text:?}"),
            _ => words::hex(key),
        };
    };
    let number = U256::from_be_bytes(word);
    match label {
        "bool" => (!number.is_zero()).to_string(),
        "string" => std::str::from_utf8(key).map_or_else(|_| words::hex(key), |text| format!("{text:?}")),
        "bytes" => words::hex(key),
        _ if label == "address" || label == "address payable" || label.starts_with("contract ") => {
            words::address(&word)
        }
        _ if label.starts_with("uint") || label.starts_with("enum ") => words::number(number),
        _ if label.starts_with("int") => I256::from_raw(number).to_string(),
        _ if label.starts_with("bytes") => {
            let size = label["bytes".len()..].parse::<usize>().map_or(32, |size| size.min(32));
            words::hex(&word[..size])
        }
        _ => words::guess(&word),
    }
}

#[cfg(test)]
mod tests;
