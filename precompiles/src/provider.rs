//! The precompile provider that an EVM is built with.
//!
//! [`BraidPrecompiles`] follows revm's `EthPrecompiles` line by line for Ethereum's precompiles; what it adds is the
//! cache in front of the costly ones and the chain's own set behind them.

use crate::{
    cache::{self, PrecompileCache},
    chain::{self, ChainPrecompiles},
    set::PrecompileSet,
};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr, LocalContextTr},
    handler::{PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::{Precompile, PrecompileResult},
    primitives::{Address, AddressSet, hardfork::SpecId},
};
use std::sync::Arc;

/// Precompiles of one fork, with an optional shared result cache and optional precompiles of the chain's own.
///
/// A clone copies a few words and two reference counts, so every worker holds its own. The set follows the fork of
/// the context: when `set_spec` brings another one, the same cache goes on serving, keyed by the new rules.
#[derive(Clone, Debug)]
pub struct BraidPrecompiles {
    spec: SpecId,
    ethereum: PrecompileSet,
    cache: Option<Arc<PrecompileCache>>,
    chain: Option<Arc<ChainPrecompiles>>,
}

impl BraidPrecompiles {
    /// Precompiles under `spec`. Without `cache` every call is computed; without `chain` only Ethereum's exist.
    pub fn new(spec: SpecId, cache: Option<Arc<PrecompileCache>>, chain: Option<Arc<ChainPrecompiles>>) -> Self {
        Self { spec, ethereum: PrecompileSet::of(spec), cache, chain }
    }

    /// The fork whose precompiles are active.
    pub const fn spec(&self) -> SpecId {
        self.spec
    }

    /// Makes the precompiles of `spec` active and returns whether that is another fork than before.
    pub fn set_spec_id(&mut self, spec: SpecId) -> bool {
        if spec == self.spec {
            return false;
        }
        self.ethereum = PrecompileSet::of(spec);
        self.spec = spec;
        true
    }

    /// Ethereum's precompiles under the active fork.
    pub const fn ethereum(&self) -> PrecompileSet {
        self.ethereum
    }

    /// The shared result cache, if there is one.
    pub const fn cache(&self) -> Option<&Arc<PrecompileCache>> {
        self.cache.as_ref()
    }

    /// The chain's own precompiles, if there are any.
    pub const fn chain(&self) -> Option<&Arc<ChainPrecompiles>> {
        self.chain.as_ref()
    }

    /// Addresses of all active precompiles, which a transaction finds warm (EIP-2929).
    pub fn warm_addresses(&self) -> &AddressSet {
        match &self.chain {
            Some(chain) => chain.warm_addresses(self.spec),
            None => self.ethereum.address_set(),
        }
    }

    /// Whether `address` is an active precompile.
    pub fn contains(&self, address: &Address) -> bool {
        self.ethereum.contains(address) || self.chain.as_ref().is_some_and(|chain| chain.contains(address))
    }

    /// Runs the Ethereum precompile at `address` without an EVM; `None` when the active fork has none there.
    ///
    /// `gas_limit` is regular gas, `reservoir` state gas that passes through untouched (EIP-8037).
    ///
    /// # Errors
    /// Only what the precompile itself calls fatal. Running out of gas and malformed input are halts inside the output.
    pub fn execute(&self, address: &Address, input: &[u8], gas_limit: u64, reservoir: u64) -> Option<PrecompileResult> {
        self.ethereum.get(address).map(|precompile| self.execute_precompile(precompile, input, gas_limit, reservoir))
    }

    fn execute_precompile(
        &self,
        precompile: &Precompile,
        input: &[u8],
        gas_limit: u64,
        reservoir: u64,
    ) -> PrecompileResult {
        match &self.cache {
            Some(cache) if cache::is_worth_a_lookup(precompile.id(), input, gas_limit) => {
                cache.execute(self.ethereum.rules(), precompile, input, gas_limit, reservoir)
            }
            _ => precompile.execute(input, gas_limit, reservoir),
        }
    }
}

impl<CTX> PrecompileProvider<CTX> for BraidPrecompiles
where
    CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>,
{
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: SpecId) -> bool {
        self.set_spec_id(spec)
    }

    fn run(&mut self, context: &mut CTX, inputs: &CallInputs) -> Result<Option<InterpreterResult>, String> {
        let Some(precompile) = self.ethereum.get(&inputs.bytecode_address) else {
            return match &self.chain {
                Some(chain) => Ok(chain::run(chain, context, inputs)),
                None => Ok(None),
            };
        };

        let output = self
            .execute_precompile(precompile, &inputs.input.as_bytes(context), inputs.gas_limit, inputs.reservoir)
            .map_err(|error| error.to_string())?;

        // A top-level call reports why a precompile halted; out of gas has a reason of its own.
        if let Some(reason) = output.halt_reason()
            && !reason.is_oog()
            && context.journal().depth() == 1
        {
            context.local_mut().set_precompile_error_context(reason.to_string());
        }
        Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)))
    }

    fn warm_addresses(&self) -> &AddressSet {
        Self::warm_addresses(self)
    }

    fn contains(&self, address: &Address) -> bool {
        Self::contains(self, address)
    }
}
