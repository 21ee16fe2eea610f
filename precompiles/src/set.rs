//! The Ethereum precompiles that are active under a fork.
//!
//! Several forks share one set; [`ForkRules`] names the set, so two forks with equal rules can share cached results
//! and two with different rules never do.

use revm::{
    precompile::{Precompile, PrecompileSpecId, Precompiles},
    primitives::{Address, AddressSet, hardfork::SpecId},
};

/// Identity of a set of precompile rules: equal exactly when all precompiles of two forks have the same
/// implementation and gas schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ForkRules(PrecompileSpecId);

impl ForkRules {
    /// The rules in force under `spec`.
    pub const fn of(spec: SpecId) -> Self {
        Self(PrecompileSpecId::from_spec_id(spec))
    }

    /// A number that is different for different rules.
    pub(crate) const fn discriminant(self) -> u8 {
        self.0 as u8
    }
}

/// The Ethereum precompiles under one fork. A pair of words; copy it freely.
#[derive(Clone, Copy, Debug)]
pub struct PrecompileSet {
    rules: ForkRules,
    precompiles: &'static Precompiles,
}

impl PrecompileSet {
    /// The set that is active under `spec`.
    pub fn of(spec: SpecId) -> Self {
        let rules = ForkRules::of(spec);
        Self { rules, precompiles: Precompiles::new(rules.0) }
    }

    /// The union of all sets, which is that of the latest fork: no fork ever removed a precompile.
    pub(crate) fn latest() -> Self {
        Self { rules: ForkRules(PrecompileSpecId::NEXT), precompiles: Precompiles::latest() }
    }

    /// Addresses of the precompiles active under `spec`. They are warm from the start of a transaction (EIP-2929).
    pub fn addresses(spec: SpecId) -> &'static AddressSet {
        Self::of(spec).address_set()
    }

    /// Addresses of the precompiles in this set.
    pub fn address_set(&self) -> &'static AddressSet {
        self.precompiles.addresses_set()
    }

    /// The rules which this set implements.
    pub const fn rules(&self) -> ForkRules {
        self.rules
    }

    /// Whether `address` is a precompile of this set.
    pub fn contains(&self, address: &Address) -> bool {
        self.precompiles.contains(address)
    }

    /// The precompile at `address`, if there is one.
    #[inline]
    pub fn get(&self, address: &Address) -> Option<&'static Precompile> {
        self.precompiles.get(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::precompile::u64_to_address;

    #[test]
    fn sets_grow_with_the_forks_that_added_precompiles() {
        let counts = [
            (SpecId::FRONTIER, 4),
            (SpecId::SPURIOUS_DRAGON, 4),
            (SpecId::BYZANTIUM, 8),
            (SpecId::PETERSBURG, 8),
            (SpecId::ISTANBUL, 9),
            (SpecId::BERLIN, 9),
            (SpecId::SHANGHAI, 9),
            (SpecId::CANCUN, 10),
            (SpecId::PRAGUE, 17),
            (SpecId::OSAKA, 18),
            (SpecId::AMSTERDAM, 18),
        ];
        for (spec, count) in counts {
            assert_eq!(PrecompileSet::addresses(spec).len(), count, "{spec:?}");
        }
    }

    #[test]
    fn latest_holds_every_address_of_every_fork() {
        for spec in (0..=SpecId::AMSTERDAM as u8).filter_map(SpecId::try_from_u8) {
            for address in PrecompileSet::addresses(spec) {
                assert!(PrecompileSet::latest().contains(address), "{address} of {spec:?}");
            }
        }
    }

    #[test]
    fn rules_differ_exactly_where_a_fork_changed_a_precompile() {
        assert_eq!(ForkRules::of(SpecId::FRONTIER), ForkRules::of(SpecId::SPURIOUS_DRAGON));
        assert_eq!(ForkRules::of(SpecId::BERLIN), ForkRules::of(SpecId::SHANGHAI));
        assert_eq!(ForkRules::of(SpecId::OSAKA), ForkRules::of(SpecId::AMSTERDAM));
        assert_ne!(ForkRules::of(SpecId::BYZANTIUM), ForkRules::of(SpecId::ISTANBUL));
        assert_ne!(ForkRules::of(SpecId::ISTANBUL), ForkRules::of(SpecId::BERLIN));
        assert_ne!(ForkRules::of(SpecId::PRAGUE), ForkRules::of(SpecId::OSAKA));
    }

    #[test]
    fn p256_is_found_at_its_two_byte_address() {
        assert!(PrecompileSet::of(SpecId::OSAKA).get(&u64_to_address(0x100)).is_some());
        assert!(PrecompileSet::of(SpecId::PRAGUE).get(&u64_to_address(0x100)).is_none());
    }
}
