//! What would change if fields of the state were others. Computed on the graph, not executed: a contract written in another way would also
//! use other gas.

use super::{Assumption, CriticalPath, Explanation, dependencies, edges, graph};
use crate::{
    AccessKey,
    bounds::{Bounds, Cost, DependencyGraph},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// A block under assumptions.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The most costly chain that is left, by gas.
    pub critical_path: CriticalPath,
    /// The same by time.
    pub critical_time: CriticalPath,
    /// Bounds of the speed-up, by gas.
    pub bounds: Bounds,
    /// Transactions that wait for no other one.
    pub independent: usize,
}

/// One more field without conflicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The field that helped most.
    pub key: AccessKey,
    /// The block when this field and those of all steps before make nobody wait.
    pub what_if: WhatIf,
}

impl Explanation {
    /// The block as it is.
    pub fn as_it_is(&self, threads: usize) -> WhatIf {
        self.under(&self.graph, threads)
    }

    /// The block if the fields were as assumed.
    pub fn what_if(&self, assumptions: &BTreeMap<AccessKey, Assumption>, threads: usize) -> WhatIf {
        let assume = |key: &AccessKey| assumptions.get(key).copied().unwrap_or_default();
        let edges = edges(dependencies(&self.trace, assume));
        self.under(&graph(self.trace.transactions.len(), &edges), threads)
    }

    /// The block if nobody had to wait because of these fields.
    pub fn without(&self, keys: &BTreeSet<AccessKey>, threads: usize) -> WhatIf {
        self.under(&self.graph_without(keys), threads)
    }

    /// Takes away the conflicts of one field after the other, always of the one that shortens the longest chain most, `most` at most. It
    /// stops when no single field shortens it any more.
    ///
    /// Tried are the fields to blame for the chain that is the longest at that point; where two of them do the same, both have to go before anything changes,
    /// so a field that does nothing alone may be taken when it is the most contended of a chain's only link.
    pub fn best_steps(&self, most: usize, threads: usize) -> Vec<Step> {
        let costs = self.trace.costs(Cost::Gas);
        let (mut gone, mut steps) = (BTreeSet::new(), Vec::<Step>::new());
        while steps.len() < most {
            let graph = self.graph_without(&gone);
            let chain = graph.most_costly_chain(&costs);
            let on_chain = self.blamed(&chain.transactions, &gone);
            let better = on_chain.into_iter().map(|(key, times)| {
                let mut keys = gone.clone();
                keys.insert(key);
                let left = self.graph_without(&keys).critical_path(&costs);
                (Reverse(left), times, Reverse(key))
            });
            let Some((Reverse(left), times, Reverse(key))) = better.max() else { break };
            // A link with two reasons stays until both are gone; of those that change nothing only the widespread is worth a step.
            if left == chain.cost && times < 2 {
                break;
            }
            gone.insert(key);
            steps.push(Step { key, what_if: self.without(&gone, threads) });
        }
        // Steps that led nowhere in the end say nothing.
        while let [.., before, last] = &steps[..]
            && before.what_if.critical_path.cost == last.what_if.critical_path.cost
        {
            steps.pop();
        }
        if let [only] = &steps[..]
            && only.what_if.critical_path.cost == self.critical_path(Cost::Gas).cost
        {
            steps.clear();
        }
        steps
    }

    /// The fields to blame for the links of a chain, with the number of links.
    pub fn blamed(&self, chain: &[usize], gone: &BTreeSet<AccessKey>) -> BTreeMap<AccessKey, usize> {
        let links: BTreeSet<(usize, usize)> = chain.windows(2).map(|pair| (pair[0], pair[1])).collect();
        let mut blamed = BTreeMap::new();
        for edge in self.edges.iter().filter(|edge| links.contains(&(edge.from, edge.to))) {
            for field in edge.fields.iter().filter(|field| !gone.contains(field)) {
                *blamed.entry(*field).or_default() += 1;
            }
        }
        blamed
    }

    fn graph_without(&self, keys: &BTreeSet<AccessKey>) -> DependencyGraph {
        let stays = |edge: &&super::Edge| edge.fields.iter().any(|field| !keys.contains(field));
        graph(self.trace.transactions.len(), self.edges.iter().filter(stays))
    }

    fn under(&self, graph: &DependencyGraph, threads: usize) -> WhatIf {
        let (gas, time) = (self.trace.costs(Cost::Gas), self.trace.costs(Cost::Time));
        WhatIf {
            critical_path: graph.most_costly_chain(&gas),
            critical_time: graph.most_costly_chain(&time),
            bounds: graph.bounds(&gas, threads),
            independent: graph.dependencies.iter().filter(|dependencies| dependencies.is_empty()).count(),
        }
    }
}
