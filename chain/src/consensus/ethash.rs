//! Seals of proof of work, verified as a light client does: ethash, as the Yellow Paper has it in appendix J.
//!
//! A chain does not ask for this: blocks of proof of work come out of archives by now, and their hashes are known. But the conformance
//! suites have blocks of which the seal alone is wrong.

use alloy_consensus::Header;
use alloy_primitives::{B256, U256, keccak256};
use alloy_rlp::Encodable;
use keccak_asm::Keccak512;

/// Blocks of an epoch, which share a cache.
const EPOCH_BLOCKS: u64 = 30_000;
/// Numbers of 32 bits in a node.
const NODE_WORDS: usize = 16;
/// Bytes of a node.
const NODE_BYTES: u64 = 64;
/// Numbers of 32 bits that are mixed at a time.
const MIX_WORDS: usize = 32;
/// Rounds in which the cache is mixed.
const CACHE_ROUNDS: usize = 3;
/// Nodes of the cache that a node of the large data set depends on.
const PARENTS: u32 = 256;
/// Looks at the large data set.
const ACCESSES: u32 = 64;

type Node = [u32; NODE_WORDS];

/// A seal that proves no work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The block belongs to another epoch.
    #[error("block {number} is not of epoch {epoch}")]
    Epoch {
        /// Number of the block.
        number: u64,
        /// The epoch that can be verified.
        epoch: u64,
    },
    /// The mix hash is not what follows from header and nonce.
    #[error("the mix hash is {actual}, not {expected}")]
    MixHash {
        /// What follows.
        expected: B256,
        /// In the header.
        actual: B256,
    },
    /// Too little work was done for the difficulty.
    #[error("the seal is above the boundary of difficulty {0}")]
    Work(U256),
}

/// Verifies the seals of one epoch. It holds 16 MiB and more, which take about a second to make.
#[derive(Debug)]
pub struct Ethash {
    epoch: u64,
    cache: Vec<Node>,
    /// Nodes of the large data set.
    full_nodes: u64,
}

impl Ethash {
    /// Verifies the seals of the epoch to which a block belongs.
    pub fn of_block(number: u64) -> Self {
        let epoch = number / EPOCH_BLOCKS;
        let seed = (0..epoch).fold(B256::ZERO, |seed, _| keccak256(seed));
        let nodes = largest_prime((1 << 24) + (1 << 17) * epoch - NODE_BYTES, NODE_BYTES);
        // The large data set is counted in pairs of nodes.
        let pairs = largest_prime((1 << 30) + (1 << 23) * epoch - 2 * NODE_BYTES, 2 * NODE_BYTES);
        Self { epoch, cache: cache(seed, nodes as usize), full_nodes: 2 * pairs }
    }

    /// Whether the nonce of a header proves the work that its difficulty asks for.
    ///
    /// # Errors
    /// If it does not, or if the block belongs to another epoch.
    pub fn verify(&self, header: &Header) -> Result<(), SealError> {
        if header.number / EPOCH_BLOCKS != self.epoch {
            return Err(SealError::Epoch { number: header.number, epoch: self.epoch });
        }
        let (expected, result) = self.hash(unsealed_hash(header), header.nonce.into());
        if header.mix_hash != expected {
            return Err(SealError::MixHash { expected, actual: header.mix_hash });
        }
        // result <= 2^256 / difficulty, without numbers of more than 256 bits.
        let is_enough = match header.difficulty.checked_mul(result.into()) {
            Some(_) => !header.difficulty.is_zero(),
            None => false,
        };
        if is_enough { Ok(()) } else { Err(SealError::Work(header.difficulty)) }
    }

    /// The mix hash and the hash that has to be small.
    fn hash(&self, unsealed: B256, nonce: u64) -> (B256, B256) {
        let mut start = [0; 40];
        start[..32].copy_from_slice(unsealed.as_slice());
        start[32..].copy_from_slice(&nonce.to_le_bytes());
        let seed = keccak512(&start);
        let mut mix = [0; MIX_WORDS];
        for (index, word) in mix.iter_mut().enumerate() {
            *word = seed[index % NODE_WORDS];
        }
        let pairs = (self.full_nodes / 2) as u32;
        for access in 0..ACCESSES {
            let pair = fnv(access ^ seed[0], mix[access as usize % MIX_WORDS]) % pairs;
            let (low, high) = mix.split_at_mut(NODE_WORDS);
            mix_in(low, &self.node(2 * pair));
            mix_in(high, &self.node(2 * pair + 1));
        }
        let mut mix_hash = [0; 32];
        for (bytes, words) in mix_hash.chunks_exact_mut(4).zip(mix.chunks_exact(4)) {
            let word = words[1..].iter().fold(words[0], |folded, word| fnv(folded, *word));
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut last = bytes(&seed).to_vec();
        last.extend_from_slice(&mix_hash);
        (B256::from(mix_hash), keccak256(last))
    }

    /// A node of the large data set.
    fn node(&self, index: u32) -> Node {
        let size = self.cache.len() as u32;
        let mut mix = self.cache[(index % size) as usize];
        mix[0] ^= index;
        mix = keccak512(&bytes(&mix));
        for parent in 0..PARENTS {
            let from = fnv(index ^ parent, mix[parent as usize % NODE_WORDS]) % size;
            let from = self.cache[from as usize];
            mix_in(&mut mix, &from);
        }
        keccak512(&bytes(&mix))
    }
}

fn cache(seed: B256, nodes: usize) -> Vec<Node> {
    let mut cache = Vec::with_capacity(nodes);
    let mut node = keccak512(seed.as_slice());
    for _ in 0..nodes {
        cache.push(node);
        node = keccak512(&bytes(&node));
    }
    for _ in 0..CACHE_ROUNDS {
        for index in 0..nodes {
            let before = cache[(index + nodes - 1) % nodes];
            let other = cache[cache[index][0] as usize % nodes];
            let mixed: Node = std::array::from_fn(|word| before[word] ^ other[word]);
            cache[index] = keccak512(&bytes(&mixed));
        }
    }
    cache
}

/// Hash of a header without its seal.
fn unsealed_hash(header: &Header) -> B256 {
    let mut fields = Vec::with_capacity(512);
    header.parent_hash.encode(&mut fields);
    header.ommers_hash.encode(&mut fields);
    header.beneficiary.encode(&mut fields);
    header.state_root.encode(&mut fields);
    header.transactions_root.encode(&mut fields);
    header.receipts_root.encode(&mut fields);
    header.logs_bloom.encode(&mut fields);
    header.difficulty.encode(&mut fields);
    header.number.encode(&mut fields);
    header.gas_limit.encode(&mut fields);
    header.gas_used.encode(&mut fields);
    header.timestamp.encode(&mut fields);
    header.extra_data.encode(&mut fields);
    if let Some(base_fee) = header.base_fee_per_gas {
        base_fee.encode(&mut fields);
    }
    let mut encoded = Vec::with_capacity(fields.len() + 3);
    alloy_rlp::Header { list: true, payload_length: fields.len() }.encode(&mut encoded);
    encoded.extend(fields);
    keccak256(encoded)
}

/// The hash function of Fowler, Noll and Vo, as ethash has it.
const fn fnv(left: u32, right: u32) -> u32 {
    left.wrapping_mul(0x0100_0193) ^ right
}

fn mix_in(mix: &mut [u32], node: &Node) {
    for (word, other) in mix.iter_mut().zip(node) {
        *word = fnv(*word, *other);
    }
}

fn keccak512(message: &[u8]) -> Node {
    let hash = Keccak512::digest(message);
    let mut words = hash.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

fn bytes(node: &Node) -> [u8; NODE_BYTES as usize] {
    let mut bytes = [0; NODE_BYTES as usize];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(node) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The largest prime number of units in so many bytes.
fn largest_prime(bytes: u64, unit: u64) -> u64 {
    let mut units = bytes / unit;
    while !is_prime(units) {
        units -= 2;
    }
    units
}

fn is_prime(number: u64) -> bool {
    number % 2 == 1
        && (3..)
            .step_by(2)
            .take_while(|divisor| divisor * divisor <= number)
            .all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, b64, b256, bytes};

    #[test]
    fn sizes_of_the_first_epochs() {
        let nodes = |epoch: u64| largest_prime((1 << 24) + (1 << 17) * epoch - 64, 64) * 64;
        assert_eq!([nodes(0), nodes(1), nodes(2)], [16_776_896, 16_907_456, 17_039_296]);
        let full = |epoch: u64| largest_prime((1 << 30) + (1 << 23) * epoch - 128, 128) * 128;
        assert_eq!([full(0), full(1), full(2)], [1_073_739_904, 1_082_130_304, 1_090_514_816]);
    }

    /// Block 1 of mainnet.
    fn first() -> Header {
        Header {
            parent_hash: b256!("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
            ommers_hash: alloy_consensus::EMPTY_OMMER_ROOT_HASH,
            beneficiary: address!("0x05a56e2d52c817161883f50c441c3228cfe54d9f"),
            state_root: b256!("0xd67e4d450343046425ae4271474353857ab860dbc0a1dde64b41b5cd3a532bf3"),
            transactions_root: alloy_consensus::EMPTY_ROOT_HASH,
            receipts_root: alloy_consensus::EMPTY_ROOT_HASH,
            difficulty: U256::from(17_171_480_576_u64),
            number: 1,
            gas_limit: 5000,
            timestamp: 1_438_269_988,
            extra_data: bytes!("0x476574682f76312e302e302f6c696e75782f676f312e342e32"),
            mix_hash: b256!("0x969b900de27b6ac6a67742365dd65f55a0526c41fd18e1b16f1a1215c2e66f59"),
            nonce: b64!("0x539bd4979fef1ec4"),
            ..Header::default()
        }
    }

    #[test]
    fn the_first_seal_of_mainnet_and_what_is_none() {
        let header = first();
        assert_eq!(header.hash_slow(), b256!("0x88e96d4537bea4d9c05d12549907b32561d3bf31f45aae734cdc119f13406cb6"));
        let ethash = Ethash::of_block(1);
        assert_eq!(ethash.verify(&header), Ok(()));
        let mix_hash = Header { mix_hash: B256::ZERO, ..header.clone() };
        assert!(matches!(ethash.verify(&mix_hash), Err(SealError::MixHash { .. })));
        let nonce = Header { nonce: b64!("0x539bd4979fef1ec5"), ..header.clone() };
        assert!(matches!(ethash.verify(&nonce), Err(SealError::MixHash { .. })));
        let late = Header { number: 30_000, ..header };
        assert_eq!(ethash.verify(&late), Err(SealError::Epoch { number: 30_000, epoch: 0 }));
    }

    #[test]
    fn the_boundary_follows_from_the_difficulty() {
        let ethash = Ethash { epoch: 0, cache: cache(B256::ZERO, 31), full_nodes: 62 };
        let mut header = Header { difficulty: U256::from(1), ..Header::default() };
        header.mix_hash = ethash.hash(unsealed_hash(&header), 0).0;
        assert_eq!(ethash.verify(&header), Ok(()), "any seal will do");
        header.difficulty = U256::MAX;
        header.mix_hash = ethash.hash(unsealed_hash(&header), 0).0;
        assert_eq!(ethash.verify(&header), Err(SealError::Work(U256::MAX)));
    }
}
