//! Plain serial revm on a cold state, alone or with threads that read ahead by running ahead.

use super::DelayedSnapshot;
use crate::{
    baseline::{block, map_state::MapState},
    side::{Execution, MergedDiff, Side, SideError},
    workload::Case,
};
use alloy_evm::{Evm as _, FromRecoveredTx};
use revm::{context::TxEnv, database::WrapDatabaseRef};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

/// Baseline (b), flat maps written in place, over a [`DelayedSnapshot`].
///
/// Reader threads take the transactions in block order and run each on the parent state, with the nonce taken for granted. What they read is in
/// memory afterwards, their results are dropped: how nodes warm their caches for a block.
#[derive(Debug)]
pub struct SerialSide {
    disks: Vec<Arc<DelayedSnapshot>>,
    readers: Option<rayon::ThreadPool>,
    memory: MapState<'static>,
}

impl SerialSide {
    /// A serial executor with so many reader threads, which may be none. One disk for each block.
    pub fn new(disks: Vec<Arc<DelayedSnapshot>>, readers: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(readers).build();
        Ok(Self { disks, readers: (readers > 0).then(pool).transpose()?, memory: MapState::default() })
    }
}

/// Runs transactions on the parent state until there are none left or the block is over.
fn run_ahead(disk: &DelayedSnapshot, case: &Case, next: &AtomicUsize, is_over: &AtomicBool) {
    let block = case.block.block();
    let mut environment = case.chain.evm_env(&block.header);
    environment.cfg_env.disable_nonce_check = true;
    let mut evm = block::evm(WrapDatabaseRef(disk), environment);
    while !is_over.load(Ordering::Relaxed) {
        let position = next.fetch_add(1, Ordering::Relaxed);
        let Some(transaction) = block.body.transactions.get(position) else { return };
        // Whether it could be executed does not matter here.
        let _ = evm.transact_raw(TxEnv::from_recovered_tx(transaction, case.block.senders()[position]));
    }
}

impl Side for SerialSide {
    fn name(&self) -> String {
        match &self.readers {
            None => "serial".to_owned(),
            Some(pool) => format!("serial, {} run ahead to read", pool.current_num_threads()),
        }
    }

    fn prepare(&mut self, position: usize) -> Result<(), SideError> {
        self.disks[position].forget();
        Ok(())
    }

    fn execute(&mut self, position: usize, case: &Case) -> Result<Execution, SideError> {
        let disk = &*self.disks[position];
        let memory = std::mem::take(&mut self.memory);
        let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let started = Instant::now();
        let run = || {
            let state = memory.over(disk);
            let mut kept = Vec::with_capacity(case.block.senders().len());
            let (mut state, receipts) = block::execute(state, case, Some(&mut kept))?;
            let diff = MergedDiff::Plain(state.take_diff());
            // Whoever is still running ahead is not waited for on the clock.
            let elapsed = started.elapsed();
            Ok::<_, SideError>((Execution { elapsed, receipts, diff }, state.cleared()))
        };
        let result = match &self.readers {
            None => run(),
            Some(pool) => pool.in_place_scope(|scope| {
                for _ in 0..pool.current_num_threads() {
                    scope.spawn(|_| run_ahead(disk, case, &next, &is_over));
                }
                let result = run();
                is_over.store(true, Ordering::Relaxed);
                result
            }),
        };
        let (execution, memory) = result?;
        self.memory = memory;
        Ok(execution)
    }
}
