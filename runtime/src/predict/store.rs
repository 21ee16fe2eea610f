//! The templates, found by code and function, bounded in number.

use super::{
    StateView,
    family::{Fingerprints, fingerprint},
    template::Template,
};
use alloy_primitives::{Address, B256, map::HashMap};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;

/// Accounts whose code hash is remembered.
const MAX_CODES: usize = 1 << 16;
/// Calls that a template of a variant must have seen to be believed.
const TRUSTED: u32 = 2;
/// Templates looked at when one has to leave.
const EVICTION_SAMPLE: usize = 16;

/// Which function of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Function {
    /// By selector.
    Selector([u8; 4]),
    /// Called with less than four bytes.
    Bare,
    /// By selector and length of the input: where lengths vary, they tell apart what the function is made to do.
    Sized([u8; 4], u32),
    /// By selector and traits of the input: where calls of a function differ in what they touch, these often tell apart which branch
    /// they take.
    Variant([u8; 4], u64),
    /// Any function of a code that hands its whole input on, as proxies do.
    Any,
}

impl Function {
    pub(super) fn of(input: &[u8]) -> Self {
        input.first_chunk().map_or(Self::Bare, |selector| Self::Selector(*selector))
    }
}

/// Code and function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct TemplateKey {
    pub(super) code_hash: B256,
    pub(super) function: Function,
}

/// An input, and which of its bytes are known: one byte for each, 1 where it is; empty when all are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartlyKnown<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) mask: &'a [u8],
}

impl<'a> PartlyKnown<'a> {
    pub(super) const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, mask: &[] }
    }
}

/// What tells calls of one function apart that may take different branches: the length of the input, which of its first words are zero or one, and
/// the order of those that look like accounts. What is not known is taken for a large number.
pub(super) fn traits(input: PartlyKnown<'_>) -> u64 {
    const WORDS: usize = 10;
    let mut traits = input.bytes.len() as u64;
    let mut before: Option<&[u8; 32]> = None;
    for index in 0..WORDS {
        let at = 4 + 32 * index;
        let Some(word) = input.bytes.get(at..at + 32).and_then(|word| <&[u8; 32]>::try_from(word).ok()) else { break };
        let is_known = input.mask.is_empty() || input.mask.get(at..at + 32) == Some(&[1; 32]);
        let is_small = is_known && word[..31] == [0; 31] && word[31] <= 1;
        let is_account = is_known && word[..12] == [0; 12] && word[12..20] != [0; 8];
        let mut kind = if is_small { u64::from(word[31]) } else { 2 };
        if is_account {
            kind = 3 + u64::from(before.is_some_and(|before| before < word));
            before = Some(word);
        }
        traits = (traits ^ kind).wrapping_mul(0x0000_0100_0000_01b3);
    }
    traits
}

impl TemplateKey {
    /// The key of the function, whatever the length or the traits of the input.
    pub(super) const fn general(self) -> Self {
        match self.function {
            Function::Sized(selector, _) | Function::Variant(selector, _) => {
                Self { function: Function::Selector(selector), ..self }
            }
            _ => self,
        }
    }
}

/// A template that was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) template: &'a Template,
    /// Whether it is kept under the very code that was asked for, not under another of its family.
    pub(super) is_home: bool,
}

/// All templates, and the codes of the accounts they were learned at.
#[derive(Debug, Default)]
pub(super) struct Store {
    index: HashMap<TemplateKey, u32>,
    templates: Vec<(TemplateKey, Template)>,
    codes: HashMap<Address, B256>,
    /// The member of each family under which templates are kept.
    families: HashMap<B256, B256>,
    /// The same for each code that ran.
    homes: HashMap<B256, B256>,
    /// Where the next search for a template to evict starts.
    hand: usize,
    /// Counts learned transactions; templates note it when used.
    pub(super) now: u32,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// The template for a call of the code at `address`, or of another code of its family.
    pub(super) fn find_for_account(
        &self,
        address: Address,
        code_hash: B256,
        input: PartlyKnown<'_>,
        state: &dyn StateView,
        fingerprints: &mut Fingerprints,
    ) -> Option<Found<'_>> {
        if let Some(template) = self.find_for(code_hash, input) {
            return Some(Found { template, is_home: true });
        }
        let home = match self.homes.get(&code_hash) {
            Some(home) => *home,
            None => *self.families.get(&fingerprints.of(address, code_hash, state)?)?,
        };
        if home == code_hash {
            return None;
        }
        Some(Found { template: self.find_for(home, input)?, is_home: false })
    }

    /// The template for a call of a code or of its family, if that was met while learning. Nothing is read for it.
    pub(super) fn find_for_code(&self, code_hash: B256, input: PartlyKnown<'_>) -> Option<&Template> {
        self.find_for(code_hash, input).or_else(|| self.find_for(*self.homes.get(&code_hash)?, input))
    }

    /// The template for a function of a code or of its family, if that is known.
    pub(super) fn find_in_family(&self, code_hash: B256, function: Function) -> Option<&Template> {
        let of_family = || self.find(*self.homes.get(&code_hash)?, function);
        self.find(code_hash, function).or_else(of_family)
    }

    /// Gas of transactions that begin with a call of this template: their average; where none did (the calls learned from were made by other contracts), that of
    /// the function, whatever its input; else what it touches costs, if that is all it does.
    pub(super) fn usual_gas(&self, template: &Template, code_hash: B256, input: &[u8]) -> Option<u64> {
        let average = |template: &Template| (template.gas > 0).then_some(template.gas);
        let of_function = || average(self.find_in_family(code_hash, Function::of(input))?);
        average(template).or_else(of_function).or_else(|| template.gas_of_touching())
    }

    /// The code under which templates of this code are kept: the one of its family that was seen first.
    pub(super) fn home_of(&mut self, code_hash: B256, code: &[u8]) -> B256 {
        if let Some(home) = self.homes.get(&code_hash) {
            return *home;
        }
        let Some(family) = fingerprint(code) else { return code_hash };
        make_room(&mut self.families);
        make_room(&mut self.homes);
        let home = *self.families.entry(family).or_insert(code_hash);
        self.homes.insert(code_hash, home);
        home
    }

    /// Families and the codes that belong to them, as [`add_families`](Self::add_families) takes them.
    pub(super) const fn families(&self) -> (&HashMap<B256, B256>, &HashMap<B256, B256>) {
        (&self.families, &self.homes)
    }

    /// Remembers families that were saved.
    pub(super) fn add_families(&mut self, families: Vec<(B256, B256)>, homes: Vec<(B256, B256)>) {
        self.families.extend(families.into_iter().take(MAX_CODES));
        self.homes.extend(homes.into_iter().take(MAX_CODES));
    }

    /// The template for a call of a code: that for inputs with the same traits, where calls differ and it saw some of them; that for inputs of this length, where lengths vary and it is known; else that for
    /// the function; else that for any function of the code.
    pub(super) fn find_for(&self, code_hash: B256, input: PartlyKnown<'_>) -> Option<&Template> {
        let function = Function::of(input.bytes);
        let template = self.find(code_hash, function)?;
        if let (true, Function::Selector(selector)) = (template.mixed, function)
            && let Some(index) =
                self.index.get(&TemplateKey { code_hash, function: Function::Variant(selector, traits(input)) })
            && self.templates[*index as usize].1.observations >= TRUSTED
        {
            let variant = &self.templates[*index as usize].1;
            variant.touch(self.now);
            return Some(variant);
        }
        let input = input.bytes;
        if let (true, Function::Selector(selector)) = (template.varied, function)
            && let Some(index) =
                self.index.get(&TemplateKey { code_hash, function: Function::Sized(selector, input.len() as u32) })
        {
            let sized = &self.templates[*index as usize].1;
            sized.touch(self.now);
            return Some(sized);
        }
        Some(template)
    }

    /// The template for a function of a code, or that for any function of it.
    pub(super) fn find(&self, code_hash: B256, function: Function) -> Option<&Template> {
        let index = self.index.get(&TemplateKey { code_hash, function });
        let index = index.or_else(|| self.index.get(&TemplateKey { code_hash, function: Function::Any }))?;
        let template = &self.templates[*index as usize].1;
        template.touch(self.now);
        Some(template)
    }

    /// Whether there is a template for any function of a code.
    pub(super) fn knows_code(&self, code_hash: B256) -> bool {
        self.homes.contains_key(&code_hash) || self.templates.iter().any(|(key, _)| key.code_hash == code_hash)
    }

    /// Whether a code is of a family of which something was learned.
    pub(super) fn knows_family(&self, code: &[u8]) -> bool {
        fingerprint(code).is_some_and(|family| self.families.contains_key(&family))
    }

    /// Whether there is a template of exactly this key.
    pub(super) fn holds(&self, key: &TemplateKey) -> bool {
        self.index.contains_key(key)
    }

    /// The template of exactly this key, made when missing; one that was not used for long leaves for it.
    pub(super) fn find_or_add(&mut self, key: TemplateKey, limit: usize) -> &mut Template {
        let index = match self.index.get(&key) {
            Some(index) => *index as usize,
            None if self.templates.len() < limit.max(1) => {
                self.templates.push((key, Template::default()));
                self.index.insert(key, self.templates.len() as u32 - 1);
                self.templates.len() - 1
            }
            None => {
                let count = self.templates.len();
                let sample = (0..EVICTION_SAMPLE.min(count)).map(|step| (self.hand + step) % count);
                let now = self.now;
                let age = |index: &usize| now.wrapping_sub(self.templates[*index].1.used.load(Ordering::Relaxed));
                let oldest = sample.max_by_key(age).unwrap_or(0);
                self.hand = (self.hand + EVICTION_SAMPLE) % count;
                self.index.remove(&self.templates[oldest].0);
                self.templates[oldest] = (key, Template::default());
                self.index.insert(key, oldest as u32);
                oldest
            }
        };
        let template = &mut self.templates[index].1;
        template.touch(self.now);
        template
    }

    pub(super) fn code_of(&self, address: Address) -> Option<B256> {
        self.codes.get(&address).copied()
    }

    pub(super) fn note_code(&mut self, address: Address, code_hash: B256) {
        if !self.codes.contains_key(&address) {
            make_room(&mut self.codes);
        }
        self.codes.insert(address, code_hash);
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = &(TemplateKey, Template)> {
        self.templates.iter()
    }

    pub(super) const fn codes(&self) -> &HashMap<Address, B256> {
        &self.codes
    }
}

/// Drops some of what a map holds when it is full.
fn make_room<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MAX_CODES {
        let mut count = 0u32;
        map.retain(|_, _| {
            count += 1;
            !count.is_multiple_of(8)
        });
    }
}
