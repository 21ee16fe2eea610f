//! Methods: each is registered once, with its signature, what it is for and how it runs.
//!
//! ```text
//! methods.quick("eth_getBalance(address: Address, block?: BlockId) -> Quantity", "Balance of an account, in wei.", balance)
//! ```
//!
//! From what is registered here come the dispatch ([`MethodSet::into_module`]), the names of the namespaces (`rpc_modules`) and the OpenRPC document
//! (`rpc.discover`), so these cannot disagree. `params` turns what clients send into arguments, `signature` reads the first text.

mod number;
mod params;
mod signature;

pub(crate) use number::Number;
pub(crate) use params::FromParams;
pub(crate) use signature::{MethodDescription, Parameter};

use crate::{Backend, RpcError};
use jsonrpsee::{Extensions, RpcModule, types::Params};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{collections::BTreeSet, sync::Arc};

/// Methods that a server offers.
#[derive(Debug)]
pub struct MethodSet {
    module: RpcModule<Arc<Backend>>,
    descriptions: Vec<MethodDescription>,
}

impl MethodSet {
    /// No methods yet.
    pub(crate) fn new(backend: Arc<Backend>) -> Self {
        Self { module: RpcModule::new(backend), descriptions: Vec::new() }
    }

    /// A method that is answered at once, on the thread of the connection: it reads a few values at most.
    pub(crate) fn quick<P: FromParams, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Send + Sync + 'static,
    ) {
        let description = self.describe(signature, about);
        let names = description.names();
        let result = self.module.register_method(description.name, move |params, backend, _| {
            reply(P::from_params(&params, &names).and_then(|arguments| handler(backend, arguments)))
        });
        registered(signature, result.map(drop));
    }

    /// A method that may take long: it runs on the bounded pool for slow calls, so that it cannot keep others waiting.
    pub(crate) fn slow<P: FromParams + Send, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Clone + Send + Sync + 'static,
    ) {
        let description = self.describe(signature, about);
        let names: Arc<[&'static str]> = description.names().into();
        let result = self.module.register_async_method(description.name, move |params, backend, _| {
            let (handler, names) = (handler.clone(), Arc::clone(&names));
            async move {
                let slow = Arc::clone(backend.slow());
                let done = slow.run(move || {
                    reply(P::from_params(&params, &names).and_then(|arguments| handler(&backend, arguments)))
                });
                done.await.and_then(|result| result)
            }
        });
        registered(signature, result.map(drop));
    }

    /// A method that waits for something: another block, a lock, a timer.
    pub(crate) fn waiting<P: FromParams + Send, R: Serialize, F: Future<Output = Result<R, RpcError>> + Send>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(Arc<Backend>, P, Extensions) -> F + Clone + Send + Sync + 'static,
    ) {
        let description = self.describe(signature, about);
        let names: Arc<[&'static str]> = description.names().into();
        let result =
            self.module.register_async_method(description.name, move |params: Params<'static>, backend, extensions| {
                let (handler, names) = (handler.clone(), Arc::clone(&names));
                async move {
                    let arguments = P::from_params(&params, &names)?;
                    let backend: Arc<Backend> = Arc::clone(&backend);
                    reply(handler(backend, arguments, extensions).await)
                }
            });
        registered(signature, result.map(drop));
    }

    /// Another name for a method that is there.
    pub(crate) fn alias(&mut self, alias: &'static str, name: &'static str) {
        let original = self.descriptions.iter().find(|known| known.name == name);
        let original = original.unwrap_or_else(|| panic!("{alias}: there is no method {name}"));
        self.descriptions.push(MethodDescription { name: alias, ..original.clone() });
        registered(alias, self.module.register_alias(alias, name));
    }

    /// For what does not fit the other ways (subscriptions): adds only the description.
    pub(crate) fn describe(&mut self, signature: &'static str, about: &'static str) -> MethodDescription {
        let description = MethodDescription::parse(signature, about);
        self.descriptions.push(description.clone());
        description
    }

    /// The module behind it, for subscriptions.
    pub(crate) const fn module_mut(&mut self) -> &mut RpcModule<Arc<Backend>> {
        &mut self.module
    }

    /// Everything that is registered, in the order of the names.
    pub(crate) fn descriptions(&self) -> Vec<MethodDescription> {
        let mut descriptions = self.descriptions.clone();
        descriptions.sort_unstable_by_key(|description| description.name);
        descriptions
    }

    /// The namespaces: what is before the first underscore of each name.
    pub(crate) fn namespaces(&self) -> BTreeSet<&'static str> {
        self.descriptions.iter().filter_map(|description| Some(description.name.split_once('_')?.0)).collect()
    }

    /// The methods as jsonrpsee serves them.
    pub(crate) fn into_module(self) -> RpcModule<Arc<Backend>> {
        self.module
    }
}

fn reply<R: Serialize>(result: Result<R, RpcError>) -> Result<Box<RawValue>, RpcError> {
    result.and_then(|value| to_raw_value(&value).map_err(RpcError::internal))
}

/// Two methods of one name are a mistake in the program.
fn registered(signature: &str, result: Result<(), jsonrpsee::core::RegisterMethodError>) {
    if let Err(error) = result {
        panic!("{signature}: {error}");
    }
}
