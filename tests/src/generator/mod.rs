//! Random blocks over a small world in which everybody is in everybody's way.
//!
//! A [`BlockPlan`] says in small numbers what happens, so that a failing block shrinks to what matters; [`plans`] is the strategy that
//! makes plans. [`World`] is the state before the block and knows what the numbers mean. [`BlockPlan::realize`] makes the block. Since a
//! transaction that is invalid makes the whole block invalid, it is mended or taken out, unless the plan wants to keep it.

mod plan;
mod strategy;
mod world;

pub use plan::{BlockPlan, Fault, ListPlan, TransactionPlan};
pub use strategy::plans;
pub use world::World;

use crate::{blocks::BlockBuilder, memory::MemoryState};
use braid_runtime::{BlockError, ChainSpec, Outputs, RecoveredBlock, error::InvalidBlock, oracle::execute_serial};
use revm::context_interface::result::InvalidTransaction;

/// The forks that blocks are made for, oldest first.
pub const FORKS: [&str; 15] = [
    "Frontier",
    "Homestead",
    "EIP150",
    "EIP158",
    "Byzantium",
    "ConstantinopleFix",
    "Istanbul",
    "Berlin",
    "London",
    "Paris",
    "Shanghai",
    "Cancun",
    "Prague",
    "Osaka",
    "BPO2",
];

/// A block and what it runs on.
#[derive(Clone, Debug)]
pub struct RandomBlock {
    /// State before the block.
    pub parent: MemoryState,
    /// The block; invalid if the plan wanted that.
    pub block: RecoveredBlock,
    /// Its chain.
    pub spec: ChainSpec,
}

impl BlockPlan {
    /// Makes the block.
    pub fn realize(&self) -> RandomBlock {
        let world = World::new(self.fork);
        let mut calls = self.transactions.iter().map(|plan| plan.call(&world, self.base_fee)).collect::<Vec<_>>();
        loop {
            let mut builder = BlockBuilder::new(FORKS[self.fork])
                .beneficiary(world.address(self.beneficiary))
                .base_fee(self.base_fee);
            for (to, gwei) in &self.withdrawals {
                builder = builder.withdrawal(world.address(*to), *gwei);
            }
            for (key, call) in &calls {
                builder = builder.call(key, call.clone());
            }
            let random = RandomBlock { parent: world.state.clone(), block: builder.build(), spec: builder.spec() };
            match execute_serial(&random.parent, &random.block, &random.spec, Outputs::default()) {
                Ok(_) => return random,
                Err(_) if self.keeps_invalid => return random,
                Err(BlockError::Invalid(InvalidBlock::Transaction { index, reason, .. })) => match *reason {
                    InvalidTransaction::NonceTooHigh { state, .. } | InvalidTransaction::NonceTooLow { state, .. }
                        if calls[index].1.nonce.is_none() =>
                    {
                        calls[index].1.nonce = Some(state);
                    }
                    _ => drop(calls.remove(index)),
                },
                Err(BlockError::Invalid(InvalidBlock::BlockGasExceeded { index, .. })) => drop(calls.remove(index)),
                Err(BlockError::Invalid(InvalidBlock::BlobGasExceeded { .. })) => {
                    let is_blob = |call: &crate::blocks::Call| matches!(call.kind, crate::blocks::Kind::Blob(_));
                    let last = calls.iter().rposition(|(_, call)| is_blob(call)).expect("only blobs use blob gas");
                    calls.remove(last);
                }
                Err(error) => panic!("a generated block cannot be executed: {error}"),
            }
        }
    }
}
