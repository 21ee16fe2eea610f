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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) children: [Child; 16],
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
    /// Writes the node as RLP into the buffer and returns its reference.
    pub(super) fn encode_rlp(&self, buffer: &mut Vec<u8>) -> RlpNode {
        buffer.clear();
        self.append_rlp(buffer, &mut Vec::new());
        RlpNode::from_rlp(buffer)
    }

    /// Appends the node as RLP to the buffer.
    pub(super) fn append_rlp(&self, buffer: &mut Vec<u8>, scratch: &mut Vec<u8>) {
        // References to extensions are not stored; there are hardly ever any.
        let mut extensions = Vec::new();
        let mut payload_length = 1;
        for child in &self.children {
            payload_length += match child {
                Child::Empty => 1,
                Child::Leaf(reference) => reference.len(),
                Child::Branch { extension, reference } if extension.is_empty() => reference.len(),
                Child::Branch { extension, reference } => {
                    let reference = extend(extension, reference, scratch);
                    extensions.push(reference);
                    extensions[extensions.len() - 1].len()
                }
            };
        }
        let mut extensions = extensions.iter();
        alloy_rlp::Header { list: true, payload_length }.encode(buffer);
        for child in &self.children {
            match child {
                Child::Empty => buffer.push(EMPTY_STRING_CODE),
                Child::Leaf(reference) => buffer.extend_from_slice(reference),
                Child::Branch { extension, reference } if extension.is_empty() => buffer.extend_from_slice(reference),
                Child::Branch { .. } => {
                    if let Some(reference) = extensions.next() {
                        buffer.extend_from_slice(reference);
                    }
                }
            }
        }
        buffer.push(EMPTY_STRING_CODE);
    }

    /// Writes the branch as it is stored into the buffer.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        let (mut children, mut branches, mut extended, mut inline) = (0u16, 0u16, 0u16, 0u16);
        for (index, child) in self.children.iter().enumerate() {
            let bit = 1 << index;
            let reference = match child {
                Child::Empty => continue,
                Child::Leaf(reference) => reference,
                Child::Branch { extension, reference } => {
                    branches |= bit;
                    if !extension.is_empty() {
                        extended |= bit;
                    }
                    reference
                }
            };
            children |= bit;
            if !reference.is_hash() {
                inline |= bit;
            }
        }
        bytes.clear();
        bytes.push(if extended == 0 { 0 } else { HAS_EXTENSIONS } | if inline == 0 { 0 } else { HAS_INLINE });
        bytes.extend_from_slice(&children.to_be_bytes());
        bytes.extend_from_slice(&branches.to_be_bytes());
        for mask in [extended, inline] {
            if mask != 0 {
                bytes.extend_from_slice(&mask.to_be_bytes());
            }
        }
        for child in &self.children {
            let reference = match child {
                Child::Empty => continue,
                Child::Leaf(reference) => reference,
                Child::Branch { extension, reference } => {
                    if !extension.is_empty() {
                        push_nibbles(extension, bytes);
                    }
                    reference
                }
            };
            if reference.is_hash() {
                bytes.extend_from_slice(&reference[1..]);
            } else {
                push_inline(reference, bytes);
            }
        }
    }
}

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
    for (index, child) in branch.children.iter_mut().enumerate() {
        let is = |mask: u16| mask & 1 << index != 0;
        if !is(children) {
            continue;
        }
        let extension = if is(extended) { take_nibbles(bytes, depth + 1)? } else { Nibbles::new() };
        let reference = if is(inline) {
            take_inline(bytes, false)?
        } else {
            RlpNode::word_rlp(&B256::from_slice(take(bytes, 32)?))
        };
        *child = if is(branches) { Child::Branch { extension, reference } } else { Child::Leaf(reference) };
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
            let branch = Branch { children };
            let enough = branch.children.iter().filter(|child| **child != Child::Empty).count() >= 2;
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
