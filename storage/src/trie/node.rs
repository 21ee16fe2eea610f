//! Branches.
//!
//! On disk a branch is
//!
//! ```text
//! flags     1 byte; bit 0: there are extensions, bit 1: there are inline references, bit 2: extension of a root
//! children  2 bytes, one bit for each nibble that has a child
//! branches  2 bytes, the children that are branches, directly or below an extension; the others are leaves
//! extended  2 bytes, only with flag 0: the branches that stand below an extension
//! inline    2 bytes, only with flag 1: the children whose reference is not a hash
//! then for each child, in the order of the nibbles
//!   extension   only if extended: number of nibbles (1 byte) and the nibbles, two to a byte
//!   reference   hash (32 bytes), or if inline, length (1 byte) and RLP; below an extension it is that of the branch
//! ```
//!
//! A root that is an extension is stored at the empty path as flags (4), number of nibbles, nibbles, length of the
//! reference and reference. A root that is a leaf is not stored, nor is an empty one.

use super::key;
use alloy_primitives::B256;
use alloy_rlp::EMPTY_STRING_CODE;
use alloy_trie::{
    Nibbles,
    nodes::{ExtensionNodeRef, RlpNode},
};

const HAS_EXTENSIONS: u8 = 1;
const HAS_INLINE: u8 = 1 << 1;
const ROOT_EXTENSION: u8 = 1 << 2;

/// What stands under one nibble of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Child {
    /// Nothing.
    #[default]
    Empty,
    /// A leaf, by its reference.
    Leaf(RlpNode),
    /// A branch at the end of an extension, which is empty as a rule, by the reference of the branch itself.
    Branch { extension: Nibbles, reference: RlpNode },
}

/// A branch by the references of its children.
///
/// Nearly every child is a hash and nothing else, so these stand by themselves; the others are kept aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Branch {
    /// Nibbles that have a child.
    present: u16,
    /// Children that are branches; the others are leaves.
    branches: u16,
    /// Children with an extension or with a reference that is no hash.
    special: u16,
    /// By nibble, where there is a child that is not special.
    hashes: [B256; 16],
    specials: Vec<(u8, Child)>,
}

/// What is stored under a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// A branch at that path.
    Branch(Box<Branch>),
    /// Only at the empty path: the branch at the end of an extension from the root.
    RootExtension { path: Nibbles, reference: RlpNode },
}

/// Reference to a branch over an extension that may be empty.
pub(super) fn extend(extension: &Nibbles, reference: &RlpNode, buffer: &mut Vec<u8>) -> RlpNode {
    if extension.is_empty() {
        return reference.clone();
    }
    buffer.clear();
    ExtensionNodeRef::new(extension, reference).rlp(buffer)
}

impl Branch {
    /// Number of children.
    pub(super) const fn len(&self) -> u32 {
        self.present.count_ones()
    }

    /// Nibbles that have a child, in order.
    pub(super) fn nibbles(&self) -> impl Iterator<Item = u8> + use<> {
        let present = self.present;
        (0..16).filter(move |nibble| present & 1 << nibble != 0)
    }

    /// The child under a nibble.
    pub(super) fn child(&self, nibble: u8) -> Child {
        let bit = 1 << nibble;
        if self.present & bit == 0 {
            return Child::Empty;
        }
        if self.special & bit != 0 {
            let special = self.specials.iter().find(|(at, _)| *at == nibble);
            return special.map(|(_, child)| child.clone()).unwrap_or_default();
        }
        let reference = RlpNode::word_rlp(&self.hashes[usize::from(nibble)]);
        if self.branches & bit != 0 {
            Child::Branch { extension: Nibbles::new(), reference }
        } else {
            Child::Leaf(reference)
        }
    }

    /// Takes the child under a nibble out.
    pub(super) fn take(&mut self, nibble: u8) -> Child {
        let child = self.child(nibble);
        self.set(nibble, Child::Empty);
        child
    }

    /// Puts a child under a nibble, in the place of what was there.
    pub(super) fn set(&mut self, nibble: u8, child: Child) {
        let bit = 1 << nibble;
        if self.special & bit != 0 {
            self.specials.retain(|(at, _)| *at != nibble);
        }
        self.present &= !bit;
        self.branches &= !bit;
        self.special &= !bit;
        let hash = match &child {
            Child::Empty => return,
            Child::Leaf(reference) => reference.as_hash(),
            Child::Branch { extension, reference } => {
                self.branches |= bit;
                reference.as_hash().filter(|_| extension.is_empty())
            }
        };
        self.present |= bit;
        match hash {
            Some(hash) => self.hashes[usize::from(nibble)] = hash,
            None => {
                self.special |= bit;
                self.specials.push((nibble, child));
            }
        }
    }

    /// Puts a leaf or a branch that is referred to by its hash under a nibble.
    pub(super) fn set_hash(&mut self, nibble: u8, hash: B256, is_branch: bool) {
        if self.special & 1 << nibble != 0 {
            self.set(nibble, Child::Empty);
        }
        self.present |= 1 << nibble;
        self.branches = self.branches & !(1 << nibble) | u16::from(is_branch) << nibble;
        self.hashes[usize::from(nibble)] = hash;
    }

    /// Writes the node as RLP into the buffer and returns its reference.
    pub(super) fn encode_rlp(&self, buffer: &mut Vec<u8>) -> RlpNode {
        buffer.clear();
        self.append_rlp(buffer, &mut Vec::new());
        RlpNode::from_rlp(buffer)
    }

    /// Appends the node as RLP to the buffer.
    pub(super) fn append_rlp(&self, buffer: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        // References to extensions are not stored; there are hardly ever any.
        let specials: Vec<(u8, RlpNode)> = self
            .specials
            .iter()
            .map(|(nibble, child)| {
                let reference = match child {
                    Child::Empty => RlpNode::default(),
                    Child::Leaf(reference) => reference.clone(),
                    Child::Branch { extension, reference } => extend(extension, reference, scratch),
                };
                (*nibble, reference)
            })
            .collect();
        let hashed = (self.present & !self.special).count_ones() as usize;
        let special: usize = specials.iter().map(|(_, reference)| reference.len()).sum();
        let payload_length = 1 + 33 * hashed + special + (16 - self.len() as usize);
        buffer.reserve(payload_length + 3);
        alloy_rlp::Header { list: true, payload_length }.encode(buffer);
        for (nibble, hash) in (0u8..).zip(&self.hashes) {
            if self.present & 1 << nibble == 0 {
                buffer.push(EMPTY_STRING_CODE);
            } else if self.special & 1 << nibble == 0 {
                buffer.push(EMPTY_STRING_CODE + 32);
                buffer.extend_from_slice(hash.as_slice());
            } else if let Some((_, reference)) = specials.iter().find(|(at, _)| *at == nibble) {
                buffer.extend_from_slice(reference);
            }
        }
        buffer.push(EMPTY_STRING_CODE);
    }

    /// Writes the branch as it is stored into the buffer.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let (mut extended, mut inline) = (0u16, 0u16);
        for (nibble, child) in &self.specials {
            let bit = 1 << nibble;
            let reference = match child {
                Child::Empty => continue,
                Child::Leaf(reference) => reference,
                Child::Branch { extension, reference } => {
                    if !extension.is_empty() {
                        extended |= bit;
                    }
                    reference
                }
            };
            if !reference.is_hash() {
                inline |= bit;
            }
        }
        bytes.clear();
        bytes.push(if extended == 0 { 0 } else { HAS_EXTENSIONS } | if inline == 0 { 0 } else { HAS_INLINE });
        bytes.extend_from_slice(&self.present.to_be_bytes());
        bytes.extend_from_slice(&self.branches.to_be_bytes());
        for mask in [extended, inline] {
            if mask != 0 {
                bytes.extend_from_slice(&mask.to_be_bytes());
            }
        }
        for (nibble, hash) in (0u8..).zip(&self.hashes) {
            if self.present & 1 << nibble == 0 {
                continue;
            }
            if self.special & 1 << nibble == 0 {
                bytes.extend_from_slice(hash.as_slice());
                continue;
            }
            let reference = match self.child(nibble) {
                Child::Empty => continue,
                Child::Leaf(reference) => reference,
                Child::Branch { extension, reference } => {
                    if !extension.is_empty() {
                        push_nibbles(&extension, bytes);
                    }
                    reference
                }
            };
            if reference.is_hash() {
                bytes.extend_from_slice(&reference[1..]);
            } else {
                push_inline(&reference, bytes);
            }
        }
    }
}

impl PartialEq for Branch {
    fn eq(&self, other: &Self) -> bool {
        (0..16).all(|nibble| self.child(nibble) == other.child(nibble))
    }
}

impl Eq for Branch {}

impl Stored {
    /// Writes the extension of a root.
    pub(super) fn encode_root_extension(path: &Nibbles, reference: &RlpNode) -> Vec<u8> {
        let mut bytes = vec![ROOT_EXTENSION];
        push_nibbles(path, &mut bytes);
        push_inline(reference, &mut bytes);
        bytes
    }

    /// Reads what was stored at a path of this length; `None` when it cannot have been written.
    pub(super) fn decode(mut bytes: &[u8], depth: usize) -> Option<Self> {
        let bytes = &mut bytes;
        let flags = take(bytes, 1)?[0];
        let stored = if flags == ROOT_EXTENSION && depth == 0 {
            let path = take_nibbles(bytes, depth)?;
            let reference = take_inline(bytes, true)?;
            Self::RootExtension { path, reference }
        } else if flags & !(HAS_EXTENSIONS | HAS_INLINE) == 0 {
            Self::Branch(decode_branch(bytes, flags, depth)?)
        } else {
            return None;
        };
        bytes.is_empty().then_some(stored)
    }
}

fn decode_branch(bytes: &mut &[u8], flags: u8, depth: usize) -> Option<Box<Branch>> {
    let children = take_mask(bytes)?;
    let branches = take_mask(bytes)?;
    let extended = if flags & HAS_EXTENSIONS == 0 { 0 } else { take_mask(bytes)? };
    let inline = if flags & HAS_INLINE == 0 { 0 } else { take_mask(bytes)? };
    let nested = branches & !children == 0 && extended & !branches == 0 && inline & !children == 0;
    if !nested || children.count_ones() < 2 || depth >= key::LENGTH {
        return None;
    }
    let mut branch = Box::<Branch>::default();
    for nibble in 0..16u8 {
        let is = |mask: u16| mask & 1 << nibble != 0;
        if !is(children) {
            continue;
        }
        let extension = if is(extended) { take_nibbles(bytes, depth + 1)? } else { Nibbles::new() };
        if !is(inline) && extension.is_empty() {
            branch.set_hash(nibble, B256::from_slice(take(bytes, 32)?), is(branches));
            continue;
        }
        let reference = if is(inline) {
            take_inline(bytes, false)?
        } else {
            RlpNode::word_rlp(&B256::from_slice(take(bytes, 32)?))
        };
        branch.set(nibble, if is(branches) { Child::Branch { extension, reference } } else { Child::Leaf(reference) });
    }
    Some(branch)
}

fn push_nibbles(nibbles: &Nibbles, bytes: &mut Vec<u8>) {
    bytes.push(nibbles.len() as u8);
    bytes.extend_from_slice(&nibbles.pack());
}

fn push_inline(reference: &RlpNode, bytes: &mut Vec<u8>) {
    bytes.push(reference.len() as u8);
    bytes.extend_from_slice(reference);
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(front)
}

fn take_mask(bytes: &mut &[u8]) -> Option<u16> {
    take(bytes, 2).map(|mask| u16::from_be_bytes([mask[0], mask[1]]))
}

/// Nibbles of an extension at a depth; there is a branch below, so they do not reach the end of a key.
fn take_nibbles(bytes: &mut &[u8], depth: usize) -> Option<Nibbles> {
    let length = usize::from(take(bytes, 1)?[0]);
    if length == 0 || depth + length >= key::LENGTH {
        return None;
    }
    let mut nibbles = Nibbles::unpack(take(bytes, length.div_ceil(2))?);
    nibbles.truncate(length);
    Some(nibbles)
}

fn take_inline(bytes: &mut &[u8], or_hash: bool) -> Option<RlpNode> {
    let length = usize::from(take(bytes, 1)?[0]);
    let hash = length == 33 && or_hash;
    if length == 0 || (length >= 32 && !hash) {
        return None;
    }
    RlpNode::from_raw(take(bytes, length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reference() -> impl Strategy<Value = RlpNode> {
        prop_oneof![
            3 => any::<[u8; 32]>().prop_map(|hash| RlpNode::word_rlp(&B256::new(hash))),
            1 => prop::collection::vec(any::<u8>(), 1..32).prop_map(|raw| RlpNode::from_raw(&raw).unwrap()),
        ]
    }

    fn child() -> impl Strategy<Value = Child> {
        let extension = prop_oneof![
            2 => Just(Nibbles::new()),
            1 => prop::collection::vec(0u8..16, 1..20).prop_map(Nibbles::from_nibbles),
        ];
        prop_oneof![
            Just(Child::Empty),
            reference().prop_map(Child::Leaf),
            (extension, reference()).prop_map(|(extension, reference)| Child::Branch { extension, reference }),
        ]
    }

    proptest! {
        #[test]
        fn branches_read_as_they_were_written(children in prop::array::uniform16(child()), depth in 0usize..40) {
            let mut branch = Branch::default();
            for (nibble, child) in (0u8..).zip(&children) {
                // What was there before leaves nothing behind.
                branch.set(nibble, children[15 - usize::from(nibble)].clone());
                branch.set(nibble, child.clone());
                prop_assert_eq!(&branch.child(nibble), child);
            }
            let enough = children.iter().filter(|child| **child != Child::Empty).count() >= 2;
            let mut bytes = vec![1, 2, 3];
            branch.encode(&mut bytes);
            let stored = Stored::decode(&bytes, depth);
            prop_assert_eq!(stored, enough.then(|| Stored::Branch(Box::new(branch))));
        }

        #[test]
        fn root_extensions_read_as_they_were_written(nibbles in prop::collection::vec(0u8..16, 1..64), reference in reference()) {
            let path = Nibbles::from_nibbles(nibbles);
            let bytes = Stored::encode_root_extension(&path, &reference);
            prop_assert_eq!(Stored::decode(&bytes, 1), None);
            prop_assert_eq!(Stored::decode(&bytes, 0), Some(Stored::RootExtension { path, reference }));
        }

        #[test]
        fn foreign_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..100), depth in 0usize..64) {
            let _ = Stored::decode(&bytes, depth);
        }
    }
}
