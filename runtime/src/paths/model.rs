//! What codes with other immutables have in common.
//!
//! A contract that is deployed several times has other immutables in each code, and so another code hash: a pool of Uniswap v3 keeps its tokens, its
//! fee and its tick spacing there. A path through one is a path through all, if it takes those words from the code that runs. So guards and trees
//! go by *models*: a code's model is the first code that was seen which differs from it in immutables only.
//!
//! An immutable is a word behind `PUSH32` that begins with a zero byte (compilers push what is really constant with the shortest instruction that
//! holds it, and leave room for 32 bytes where a constructor writes), and the target of a minimal proxy (EIP-1167). Everything else must be the
//! same, byte for byte: two codes of one model run the same instructions at the same positions.

use alloy_primitives::{B256, U256, map::HashMap};
use parking_lot::RwLock;
use revm::{bytecode::opcode as op, state::Bytecode};
use std::sync::Arc;

/// Codes whose models are remembered.
const MOST_CODES: usize = 16_384;
/// Families that look alike at first sight.
const MOST_ALIKE: usize = 8;
/// A minimal proxy (EIP-1167) is this, an address, and [`PROXY_END`].
const PROXY_START: [u8; 10] = [0x36, 0x3d, 0x3d, 0x37, 0x3d, 0x3d, 0x3d, 0x36, 0x3d, op::PUSH20];
const PROXY_END: [u8; 15] = [0x5a, 0xf4, 0x3d, 0x82, 0x80, 0x3e, 0x90, 0x3d, 0x91, 0x60, 0x2b, 0x57, 0xfd, 0x5b, 0xf3];

/// Where an immutable stands in a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u32,
    /// Bytes.
    width: u8,
}

impl Place {
    const fn end(self) -> usize {
        self.offset as usize + self.width as usize
    }

    /// The immutable in `code`, if one can stand there.
    fn read(self, code: &[u8]) -> Option<U256> {
        let bytes = code.get(self.offset as usize..self.end())?;
        (self.width < 32 || bytes[0] == 0).then(|| U256::from_be_slice(bytes))
    }
}

/// A code, seen as one of its family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Model {
    /// Hash of the family's first code; the code's own when it has no immutables.
    pub(crate) id: B256,
    /// Immutables by their offset in the code.
    immutables: Vec<(Place, U256)>,
}

impl Model {
    /// The immutable whose bytes begin at `offset`.
    pub(super) fn immutable(&self, offset: u32) -> Option<U256> {
        let found = self.immutables.binary_search_by_key(&offset, |(place, _)| place.offset).ok()?;
        Some(self.immutables[found].1)
    }

    /// Whether any of these bytes of the code belongs to an immutable.
    pub(super) fn varies_within(&self, from: usize, length: usize) -> bool {
        let end = from.saturating_add(length);
        self.immutables.iter().any(|(place, _)| (place.offset as usize) < end && place.end() > from)
    }
}

/// Codes that differ in immutables only.
#[derive(Debug)]
struct Family {
    id: B256,
    /// The first of them.
    home: Bytecode,
    places: Vec<Place>,
}

impl Family {
    /// The immutables of `code`, if it belongs here.
    fn read(&self, code: &[u8]) -> Option<Vec<(Place, U256)>> {
        let home = self.home.original_byte_slice();
        if home.len() != code.len() {
            return None;
        }
        let mut start = 0;
        let mut found = Vec::with_capacity(self.places.len());
        for place in &self.places {
            let common = start..place.offset as usize;
            if home[common.clone()] != code[common] {
                return None;
            }
            found.push((*place, place.read(code)?));
            start = place.end();
        }
        (home[start..] == code[start..]).then_some(found)
    }
}

/// What the codes of a family have in common at first sight: the length, and the end, where compilers put a hash of the sources. No immutable reaches
/// into it, not even a proxy's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Outline {
    length: usize,
    end: [u8; 14],
}

impl Outline {
    fn of(code: &[u8]) -> Option<Self> {
        Some(Self { length: code.len(), end: *code.last_chunk()? })
    }
}

/// The models of all codes that were met, shared by workers.
#[derive(Debug, Default)]
pub(super) struct Models {
    known: HashMap<B256, Arc<Model>>,
    families: HashMap<Outline, Vec<Family>>,
}

impl Models {
    /// Finds out which model a code has that was not met before.
    fn add(&mut self, hash: B256, code: &Bytecode) -> Arc<Model> {
        if self.known.len() >= MOST_CODES {
            *self = Self::default();
        }
        let model = Arc::new(self.model(hash, code));
        self.known.insert(hash, Arc::clone(&model));
        model
    }

    fn model(&mut self, hash: B256, bytecode: &Bytecode) -> Model {
        let own = Model { id: hash, immutables: Vec::new() };
        let code = bytecode.original_byte_slice();
        let Some(outline) = Outline::of(code) else { return own };
        let alike = self.families.get(&outline).map_or(&[][..], Vec::as_slice);
        let known = alike.iter().find_map(|family| Some(Model { id: family.id, immutables: family.read(code)? }));
        if let Some(known) = known {
            return known;
        }
        let places = places(code);
        if places.is_empty() {
            return own;
        }
        let family = Family { id: hash, home: bytecode.clone(), places };
        let Some(immutables) = family.read(code) else {
            unreachable!("a code belongs to the family that begins with it")
        };
        let alike = self.families.entry(outline).or_default();
        if alike.len() < MOST_ALIKE {
            alike.push(family);
        }
        Model { id: hash, immutables }
    }
}

/// Where the immutables of a code stand.
fn places(code: &[u8]) -> Vec<Place> {
    let is_proxy = code.len() == 45 && code.starts_with(&PROXY_START) && code.ends_with(&PROXY_END);
    if is_proxy {
        return vec![Place { offset: PROXY_START.len() as u32, width: 20 }];
    }
    if memchr::memmem::find(code, &[op::PUSH32, 0]).is_none() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(opcode) = code.get(at) {
        at += 1;
        if *opcode == op::PUSH32 {
            let place = Place { offset: at as u32, width: 32 };
            found.extend(place.read(code).map(|_| place));
        }
        if (op::PUSH1..=op::PUSH32).contains(opcode) {
            at += usize::from(opcode - op::PUSH0);
        }
    }
    found
}

/// A worker's models, by short numbers.
#[derive(Debug, Default)]
pub(crate) struct LocalModels {
    shared: Arc<RwLock<Models>>,
    numbers: HashMap<B256, u32>,
    models: Vec<Arc<Model>>,
}

impl LocalModels {
    pub(super) fn new(shared: Arc<RwLock<Models>>) -> Self {
        Self { shared, ..Self::default() }
    }

    /// Makes room, while no number is in use.
    pub(super) fn limit(&mut self) {
        if self.models.len() > MOST_CODES {
            self.models.clear();
            self.numbers.clear();
        }
    }

    /// The number of a code's model, if the code was met before.
    #[inline]
    pub(super) fn find(&self, hash: &B256) -> Option<u32> {
        self.numbers.get(hash).copied()
    }

    /// The number of a code's model.
    pub(crate) fn number(&mut self, hash: B256, code: &Bytecode) -> u32 {
        if let Some(number) = self.find(&hash) {
            return number;
        }
        let known = self.shared.read().known.get(&hash).map(Arc::clone);
        let model = known.unwrap_or_else(|| self.shared.write().add(hash, code));
        self.insert(hash, model)
    }

    fn insert(&mut self, hash: B256, model: Arc<Model>) -> u32 {
        let number = self.models.len() as u32;
        self.models.push(model);
        self.numbers.insert(hash, number);
        number
    }

    /// The model with this number.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> &Model {
        &self.models[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Address, keccak256};

    /// Code with `immutable` behind a PUSH32 and `constant` behind another, and a PUSH32 that is itself pushed.
    fn code(immutable: U256, constant: U256) -> Vec<u8> {
        let mut code = vec![op::PUSH2, op::PUSH32, 0, op::PUSH32];
        code.extend(immutable.to_be_bytes::<32>());
        code.push(op::PUSH32);
        code.extend(constant.to_be_bytes::<32>());
        code.extend([op::STOP; 16]);
        code
    }

    fn number(models: &mut LocalModels, code: &[u8]) -> u32 {
        models.number(keccak256(code), &Bytecode::new_legacy(code.to_vec().into()))
    }

    #[test]
    fn codes_that_differ_in_immutables_have_one_model() {
        let mut models = LocalModels::default();
        let mask = U256::MAX;
        let one = number(&mut models, &code(U256::from(1), mask));
        let two = number(&mut models, &code(U256::from(2), mask));
        assert_ne!(one, two, "each has its own immutables");
        assert_eq!(models.get(one).id, models.get(two).id);
        assert_eq!(models.get(one).id, keccak256(code(U256::from(1), mask)), "the first code gives the name");
        assert_eq!(models.get(one).immutable(4), Some(U256::from(1)));
        assert_eq!(models.get(two).immutable(4), Some(U256::from(2)));
        assert_eq!(models.get(two).immutable(2), None, "what is pushed is no instruction");
        assert_eq!(models.get(two).immutable(37), None, "a mask is a constant");
        assert_eq!(number(&mut models, &code(U256::from(2), mask)), two);
    }

    #[test]
    fn anything_else_that_differs_makes_another_model() {
        let mut models = LocalModels::default();
        let first = code(U256::from(1), U256::MAX);
        let mut others = vec![code(U256::from(1), U256::MAX << 1), code(U256::MAX, U256::MAX)];
        for at in [0, 36, first.len() - 1] {
            let mut other = first.clone();
            other[at] ^= 1;
            others.push(other);
        }
        others.push([&first[..], &[op::STOP]].concat());
        let first = number(&mut models, &first);
        for other in others {
            let number = number(&mut models, &other);
            assert_ne!(models.get(number).id, models.get(first).id, "{other:?}");
        }
    }

    #[test]
    fn minimal_proxies_have_one_model_whatever_their_target() {
        let mut models = LocalModels::default();
        let [one, two] = [1, 2].map(|byte| {
            let target = Address::repeat_byte(byte);
            number(&mut models, &[&PROXY_START[..], target.as_slice(), &PROXY_END].concat())
        });
        assert_eq!(models.get(one).id, models.get(two).id);
        assert_eq!(models.get(two).immutable(10), Some(U256::from_be_slice(&[2; 20])));
    }

    #[test]
    fn bytes_of_immutables_are_told_from_others() {
        let mut models = LocalModels::default();
        let number = number(&mut models, &code(U256::from(1), U256::MAX));
        let model = models.get(number);
        assert!(model.varies_within(0, 5) && model.varies_within(35, 1) && model.varies_within(0, usize::MAX));
        assert!(!model.varies_within(0, 4) && !model.varies_within(36, 40));
    }

    #[test]
    fn a_constant_that_the_code_ends_within_is_none() {
        assert_eq!(places(&[op::PUSH32, 0, 1]), []);
        assert_eq!(places(&[]), []);
    }
}
