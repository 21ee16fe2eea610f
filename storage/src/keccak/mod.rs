//! Keccak-256 of many messages at once.
//!
//! A trie is hashed level by level, and the nodes of a level do not depend on each other. Processors with wide registers compute the
//! permutation of several messages in one go ([`lanes`]): with AVX-512 eight of them, with AVX2 four. Elsewhere, and for what is left over,
//! the messages are hashed one by one.

#[cfg(target_arch = "x86_64")]
mod lanes;

use alloy_primitives::{B256, keccak256};

/// Bytes that a permutation absorbs.
const RATE: usize = 136;

/// Messages that are to be hashed, one after the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    order: Vec<u32>,
}

impl Messages {
    /// The buffer, to which the next message is appended.
    pub(crate) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Where the next message begins.
    pub(crate) fn start(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// Says that the message which was appended is complete.
    pub(crate) fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Forgets what was appended since the last message.
    pub(crate) fn discard(&mut self) {
        self.bytes.truncate(self.start());
    }

    fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    /// Hashes all messages, in their order, and forgets them.
    pub(crate) fn hash(&mut self, hashes: &mut Vec<B256>) {
        hashes.clear();
        hashes.resize(self.ends.len(), B256::ZERO);
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend(0..self.ends.len() as u32);
        let lanes = lanes_at_once();
        if lanes > 1 && order.len() > lanes / 2 {
            // What goes together should take the same number of permutations.
            order.sort_unstable_by_key(|index| self.get(*index).len() / RATE);
        }
        let mut rest = &order[..];
        // With half of the lanes idle the wide permutation is still the quicker one.
        while lanes > 1 && rest.len() > lanes / 2 {
            let (group, others) = rest.split_at(lanes.min(rest.len()));
            self.hash_together(group, hashes);
            rest = others;
        }
        for index in rest {
            hashes[*index as usize] = keccak256(self.get(*index));
        }
        self.order = order;
        self.bytes.clear();
        self.ends.clear();
    }

    #[cfg(target_arch = "x86_64")]
    fn hash_together(&self, group: &[u32], hashes: &mut [B256]) {
        let mut messages: [&[u8]; 8] = [&[]; 8];
        for (message, index) in messages.iter_mut().zip(group) {
            *message = self.get(*index);
        }
        let digests = lanes::hash(&messages);
        for (index, digest) in group.iter().zip(digests) {
            hashes[*index as usize] = digest;
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn hash_together(&self, group: &[u32], hashes: &mut [B256]) {
        for index in group {
            hashes[*index as usize] = keccak256(self.get(*index));
        }
    }
}

/// Messages that the processor hashes in one go.
fn lanes_at_once() -> usize {
    #[cfg(target_arch = "x86_64")]
    return lanes::at_once();
    #[cfg(not(target_arch = "x86_64"))]
    1
}

/// The hashes of keys of one length, in their order.
pub(crate) fn hash_keys<K: AsRef<[u8]>>(keys: impl IntoIterator<Item = K>) -> Vec<B256> {
    let mut messages = Messages::default();
    for key in keys {
        messages.buffer().extend_from_slice(key.as_ref());
        messages.end();
    }
    let mut hashes = Vec::new();
    messages.hash(&mut hashes);
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn many_at_once_hash_like_one_by_one(
            lengths in prop::collection::vec(prop_oneof![0usize..140, 130usize..150, 268usize..276, 500usize..700], 0..40),
            seed in any::<u8>(),
        ) {
            let mut messages = Messages::default();
            let mut expected = Vec::new();
            for (index, length) in lengths.into_iter().enumerate() {
                let message: Vec<u8> =
                    (0..length).map(|at| (at as u8).wrapping_mul(31).wrapping_add(index as u8) ^ seed).collect();
                messages.buffer().extend_from_slice(&message);
                messages.end();
                expected.push(keccak256(&message));
            }
            messages.buffer().extend_from_slice(b"not a whole message");
            messages.discard();
            let mut hashes = Vec::new();
            messages.hash(&mut hashes);
            prop_assert_eq!(hashes, expected);
            prop_assert_eq!(messages.start(), 0);
        }
    }

    #[test]
    fn keys_of_one_length() {
        let keys: Vec<[u8; 20]> = (0u8..19).map(|byte| [byte; 20]).collect();
        let expected: Vec<B256> = keys.iter().map(keccak256).collect();
        assert_eq!(hash_keys(&keys), expected);
    }
}
