//! Methods: each is registered once, with its signature, what it is for and how it runs.
//!
//! ```text
//! methods.quick("eth_getBalance(address: Address, block?: BlockId) -> Quantity", "Balance of an account, in wei.", balance)
//! ```
//!
//! From what is registered here come the dispatch ([`MethodSet::methods`], which `server` calls), the names of the namespaces (`rpc_modules`) and the OpenRPC document
//! (`rpc.discover`), so these cannot disagree. `params` turns what clients send into arguments, `signature` reads the first text.

mod call;
mod number;
mod params;
mod signature;

pub(crate) use call::{InBatch, Later, Method, Reply};
pub(crate) use number::Number;
pub(crate) use params::FromParams;
pub(crate) use signature::MethodDescription;

use crate::{Backend, RpcError};
use call::reply;
use futures::future::BoxFuture;
use jsonrpsee::{Extensions, RpcModule, types::Params};
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Methods that a server offers.
#[derive(Debug)]
pub struct MethodSet {
    backend: Arc<Backend>,
    methods: BTreeMap<&'static str, Method>,
    descriptions: Vec<MethodDescription>,
}

impl MethodSet {
    /// No methods yet.
    pub(crate) const fn new(backend: Arc<Backend>) -> Self {
        Self { backend, methods: BTreeMap::new(), descriptions: Vec::new() }
    }

    /// What the methods work on.
    pub(crate) const fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// A method that is answered at once, on the thread of the connection: it reads a few values at most.
    pub(crate) fn quick<P: FromParams, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Send + Sync + 'static,
    ) {
        let (name, names) = self.describe(signature, about);
        let backend = Arc::clone(&self.backend);
        let call =
            move |params: &Params<'_>| reply(P::from_params(params, &names).and_then(|args| handler(&backend, args)));
        self.insert(name, Method::Quick(Arc::new(call)));
    }

    /// A method that may take long: it runs on the bounded pool for slow calls, so that it cannot keep others waiting.
    pub(crate) fn slow<P: FromParams + Send, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Clone + Send + Sync + 'static,
    ) {
        let (name, names) = self.describe(signature, about);
        let call = on_slow_pool(&self.backend, names, handler);
        self.insert(name, Method::Waiting(Arc::new(call)));
    }

    /// A method that takes a moment as a rule: `attempt` answers on the thread of the connection, or gives up before others have to wait; `handler` then
    /// does the work on the pool for slow calls.
    pub(crate) fn brief<P: FromParams + Send, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        attempt: impl Fn(&Backend, &P) -> Option<Result<R, RpcError>> + Send + Sync + 'static,
        handler: impl Fn(&Backend, &P) -> Result<R, RpcError> + Clone + Send + Sync + 'static,
    ) {
        let (name, names) = self.describe(signature, about);
        let later =
            on_slow_pool(&self.backend, Arc::clone(&names), move |backend, arguments: P| handler(backend, &arguments));
        let backend = Arc::clone(&self.backend);
        let attempt = move |params: &Params<'_>| match P::from_params(params, &names) {
            Ok(arguments) => attempt(&backend, &arguments).map(reply),
            Err(error) => Some(Err(error)),
        };
        self.insert(name, Method::Brief(Arc::new(attempt), Arc::new(later)));
    }

    /// A method that waits for something: another block, a lock, a timer. The extensions say who calls.
    pub(crate) fn waiting<P: FromParams + Send, R: Serialize, F: Future<Output = Result<R, RpcError>> + Send>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        handler: impl Fn(Arc<Backend>, P, Extensions) -> F + Clone + Send + Sync + 'static,
    ) {
        let (name, names) = self.describe(signature, about);
        let backend = Arc::clone(&self.backend);
        let call = move |params: Params<'static>, extensions: Extensions| {
            let (handler, names, backend) = (handler.clone(), Arc::clone(&names), Arc::clone(&backend));
            Box::pin(async move {
                let arguments = P::from_params(&params, &names)?;
                reply(handler(backend, arguments, extensions).await)
            }) as _
        };
        self.insert(name, Method::Waiting(Arc::new(call)));
    }

    /// Another name for a method that is there.
    pub(crate) fn alias(&mut self, alias: &'static str, name: &'static str) {
        let original = self.descriptions.iter().find(|known| known.name == name);
        let original = original.unwrap_or_else(|| panic!("{alias}: there is no method {name}"));
        self.descriptions.push(MethodDescription { name: alias, ..original.clone() });
        let method = self.methods[name].clone();
        self.insert(alias, method);
    }

    /// Everything that is registered, in the order of the names.
    pub(crate) fn descriptions(&self) -> Vec<MethodDescription> {
        let mut descriptions = self.descriptions.clone();
        descriptions.sort_unstable_by_key(|description| description.name);
        descriptions
    }

    /// The methods themselves, by their names.
    pub(crate) const fn methods(&self) -> &BTreeMap<&'static str, Method> {
        &self.methods
    }

    /// The namespaces: what is before the first underscore of each name.
    pub fn namespaces(&self) -> BTreeSet<&'static str> {
        self.descriptions.iter().filter_map(|description| Some(description.name.split_once('_')?.0)).collect()
    }

    /// Keeps only the methods of some namespaces.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        let is_wanted = |name: &str| name.split_once('_').is_none_or(|(namespace, _)| is_wanted(namespace));
        self.methods.retain(|name, _| is_wanted(name));
        self.descriptions.retain(|description| is_wanted(description.name));
    }

    /// The same methods as a module of jsonrpsee, for use without a server.
    pub fn into_module(self) -> RpcModule<Arc<Backend>> {
        let mut module = RpcModule::new(self.backend);
        for (name, method) in self.methods {
            let result = match method {
                Method::Quick(call) => module.register_method(name, move |params, _, _| call(&params)),
                Method::Brief(attempt, call) => {
                    module.register_async_method(name, move |params, _, extensions| match attempt(&params) {
                        Some(reply) => Box::pin(std::future::ready(reply)),
                        None => call(params, extensions),
                    })
                }
                Method::Waiting(call) => {
                    module.register_async_method(name, move |params, _, extensions| call(params, extensions))
                }
            };
            if let Err(error) = result {
                panic!("{name}: {error}");
            }
        }
        module
    }

    /// Adds the description; gives the name and those of the parameters.
    fn describe(&mut self, signature: &'static str, about: &'static str) -> (&'static str, Arc<[&'static str]>) {
        let description = MethodDescription::parse(signature, about);
        let names = (description.name, description.names().into());
        self.descriptions.push(description);
        names
    }

    /// Two methods of one name are a mistake in the program.
    fn insert(&mut self, name: &'static str, method: Method) {
        let before = self.methods.insert(name, method);
        assert!(before.is_none(), "{name} is registered twice");
    }
}

/// A call that runs on the pool for slow calls.
fn on_slow_pool<P: FromParams + Send, R: Serialize>(
    backend: &Arc<Backend>,
    names: Arc<[&'static str]>,
    handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Clone + Send + Sync + 'static,
) -> impl Fn(Params<'static>, Extensions) -> BoxFuture<'static, Reply> + Send + Sync + 'static {
    let backend = Arc::clone(backend);
    move |params, _| {
        let (handler, names, backend) = (handler.clone(), Arc::clone(&names), Arc::clone(&backend));
        let slow = Arc::clone(backend.slow());
        let done = slow.run(move || reply(P::from_params(&params, &names).and_then(|args| handler(&backend, args))));
        Box::pin(async move { done.await.and_then(|result| result) })
    }
}
