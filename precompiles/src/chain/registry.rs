//! The set of a chain's precompiles.

use super::{declaration::DeclaredAccesses, precompile::ChainPrecompile};
use crate::set::PrecompileSet;
use revm::{
    precompile::PrecompileSpecId,
    primitives::{Address, AddressMap, AddressSet, hardfork::SpecId},
};
use std::sync::{Arc, OnceLock};

/// Number of different Ethereum sets.
const RULE_SETS: usize = PrecompileSpecId::NEXT as usize + 1;

/// Why precompiles do not form a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainPrecompilesError {
    /// Two precompiles for one address.
    #[error("two precompiles at {0}")]
    Duplicate(Address),
    /// The address is an Ethereum precompile under this or a later fork.
    #[error("{0} belongs to an Ethereum precompile")]
    EthereumAddress(Address),
}

/// A chain's precompiles by address.
///
/// The set is fixed; where a chain activates a precompile at a block, it gives the blocks from there on a provider with
/// another set. While active their addresses are warm from the start of a transaction, as Ethereum's are.
#[derive(Debug)]
pub struct ChainPrecompiles {
    precompiles: AddressMap<Arc<dyn ChainPrecompile>>,
    /// Own and Ethereum addresses together, one set for each of Ethereum's, made when first asked for.
    warm: [OnceLock<AddressSet>; RULE_SETS],
}

impl ChainPrecompiles {
    /// A set of precompiles and their addresses.
    ///
    /// # Errors
    /// When an address occurs twice or is one of Ethereum's under any fork.
    pub fn new(
        precompiles: impl IntoIterator<Item = (Address, Arc<dyn ChainPrecompile>)>,
    ) -> Result<Self, ChainPrecompilesError> {
        let mut by_address = AddressMap::default();
        for (address, precompile) in precompiles {
            if PrecompileSet::latest().contains(&address) {
                return Err(ChainPrecompilesError::EthereumAddress(address));
            }
            if by_address.insert(address, precompile).is_some() {
                return Err(ChainPrecompilesError::Duplicate(address));
            }
        }
        Ok(Self { precompiles: by_address, warm: [const { OnceLock::new() }; RULE_SETS] })
    }

    /// The precompile at `address`.
    pub fn get(&self, address: &Address) -> Option<&Arc<dyn ChainPrecompile>> {
        self.precompiles.get(address)
    }

    /// Whether `address` is one of these precompiles.
    pub fn contains(&self, address: &Address) -> bool {
        self.precompiles.contains_key(address)
    }

    /// The addresses of these precompiles.
    pub fn addresses(&self) -> impl ExactSizeIterator<Item = &Address> {
        self.precompiles.keys()
    }

    /// What a call of `address` with `input` by `caller` may touch, for a scheduler; `None` if there is no such
    /// precompile. The value sent with the call is not part of it, nor is what the caller itself touches.
    pub fn declared_accesses(&self, address: &Address, input: &[u8], caller: Address) -> Option<DeclaredAccesses> {
        self.get(address).map(|precompile| precompile.declared_accesses(input, caller))
    }

    /// Addresses of these and of Ethereum's precompiles under `spec`.
    pub fn warm_addresses(&self, spec: SpecId) -> &AddressSet {
        self.warm[PrecompileSpecId::from_spec_id(spec) as usize]
            .get_or_init(|| PrecompileSet::addresses(spec).iter().chain(self.addresses()).copied().collect())
    }
}
