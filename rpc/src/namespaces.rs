//! Which methods a node offers.

use crate::{
    Backend, MethodSet, admin, braid, debug, dev, engine, erigon, eth, filters, net, ots, rpc_info, simulate, testing,
    trace, txpool, web3,
};
use std::sync::Arc;

impl Backend {
    /// The methods of the open port. Those that change the chain at will are among them only on a development node.
    pub fn methods(self: &Arc<Self>) -> MethodSet {
        self.methods_of(|_| true)
    }

    /// Those of [`methods`](Self::methods) whose namespaces are wanted, and `rpc_`, which tells what there is.
    pub fn methods_of(self: &Arc<Self>, is_wanted: impl Fn(&str) -> bool) -> MethodSet {
        let mut methods = self.common();
        txpool::register(&mut methods);
        debug::register(&mut methods);
        trace::register(&mut methods);
        ots::register(&mut methods);
        erigon::register(&mut methods);
        admin::register(&mut methods);
        braid::register(&mut methods);
        testing::register(&mut methods);
        if self.options().development {
            dev::register(&mut methods);
        }
        methods.retain(is_wanted);
        rpc_info::register(&mut methods);
        methods
    }

    /// The methods of the authenticated port: the Engine API, and the `eth_` methods that it wants beside it.
    pub fn engine_methods(self: &Arc<Self>) -> MethodSet {
        let mut methods = self.common();
        engine::register(&mut methods);
        testing::register(&mut methods);
        rpc_info::register(&mut methods);
        methods
    }

    fn common(self: &Arc<Self>) -> MethodSet {
        let mut methods = MethodSet::new(Arc::clone(self));
        eth::register(&mut methods);
        simulate::register(&mut methods);
        filters::register(&mut methods);
        net::register(&mut methods);
        web3::register(&mut methods);
        methods
    }
}
