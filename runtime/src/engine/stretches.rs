//! A block's transactions as stretches: long runs of plain transfers, which need no schedule, and what lies between, which the workers
//! plan, run ahead and commit.

use super::{
    ledger::Stop,
    transfer_block,
    transfer_run::{self, LEAST, NotPlain, RunMemory},
    worker::{self, Shared},
};
use crate::evm::WorkerMemory;
use rayon::ThreadPool;
use std::time::Instant;

/// Memory for transfers, kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct TransferMemory {
    blocks: transfer_block::Memory,
    runs: RunMemory,
}

/// Executes and commits all transactions, or as far as the ledger's `stop`.
pub(crate) fn execute(
    shared: &mut Shared<'_>,
    pool: Option<&ThreadPool>,
    memory: &mut TransferMemory,
    worker_memories: &mut [Option<WorkerMemory>],
) {
    let total = shared.block.len();
    loop {
        let ledger = shared.ledger.get_mut();
        // Where readers are at work, accounts are on their way into the block's state.
        if shared.block.takes_runs && shared.block.begun.is_none() && ledger.next == 0 {
            let done = transfer_block::execute(&shared.block, &mut ledger.receipts, &mut memory.blocks, pool);
            if let Some(done) = done {
                ledger.add_block(done);
            }
        }
        if shared.block.takes_runs && transfer_run::starts_at(&shared.block, ledger.next) {
            let (first, gas_used) = (ledger.next, ledger.gas_used);
            match transfer_run::execute(&shared.block, first, gas_used, &mut ledger.receipts, &mut memory.runs, pool) {
                Ok(done) => {
                    ledger.add_run(&done);
                    // Transfers to contracts look plain from outside. Where they are many, looking for runs is a waste.
                    shared.block.takes_runs = done.transfers >= LEAST / 2;
                }
                Err(NotPlain) => {
                    let reason = format!("a transfer after transaction {first} cannot be paid or has a wrong nonce");
                    ledger.stop = Some(Stop::Doubt(reason));
                }
            }
        }
        if ledger.next == total || ledger.stop.is_some() {
            ledger.pay_pending_fees(&shared.block);
            return;
        }
        shared.begin();
        let gas_before = shared.ledger.get_mut().evm_gas();
        let started = Instant::now();
        let on_several = run_workers(shared, pool, worker_memories);
        let gas = shared.ledger.get_mut().evm_gas() - gas_before;
        shared.block.pace.measured(gas, started.elapsed(), on_several);
    }
}

/// Runs the workers, one of them on this thread. Tells whether there were others.
fn run_workers(shared: &Shared<'_>, pool: Option<&ThreadPool>, memories: &mut [Option<WorkerMemory>]) -> bool {
    let Some((own, others)) = memories.split_first_mut() else { return false };
    let Some(pool) = pool.filter(|_| shared.plan_first()) else {
        run_worker(shared, own, false);
        return false;
    };
    pool.in_place_scope(|scope| {
        for memory in others.iter_mut().take(pool.current_num_threads()) {
            scope.spawn(move |_| run_worker(shared, memory, true));
        }
        run_worker(shared, own, false);
    });
    true
}

fn run_worker(shared: &Shared<'_>, memory: &mut Option<WorkerMemory>, is_helper: bool) {
    let own =
        memory.take().unwrap_or_else(|| WorkerMemory::new(shared.block.hashes.clone(), shared.block.paths.clone()));
    *memory = Some(worker::work(shared, own, is_helper));
}
