//! revm on a worker's own records.
//!
//! [`local`] holds the records, [`journal`] puts revm's rules on top of them ([`change`] takes changes back, [`record_account`] is one account of it),
//! [`handler`] replaces the steps of revm's handler that would make transactions depend on each other for no reason. [`LeanEvm`] is the
//! result: the same interpreter, the same gas, the same precompiles.

mod change;
mod handler;
mod instructions;
mod journal;
mod lesson;
mod local;
mod record_account;

pub(crate) use handler::LeanError;
pub(crate) use journal::Journal;
pub(crate) use lesson::Lesson;
pub(crate) use local::{LocalView, Observed};

use crate::{
    predict::{KeccakCache, SharedHashes},
    state::{BlockState, Snapshot, SnapshotDatabase},
};
use braid_precompiles::BraidPrecompiles;
use handler::LeanHandler;
use revm::{
    Context,
    context::{BlockEnv, CfgEnv, Evm, LocalContext, TxEnv},
    context_interface::{FrameStack, result::ExecutionResult},
    handler::{EthFrame, Handler, instructions::EthInstructions},
    interpreter::interpreter::EthInterpreter,
};
use std::sync::Arc;

pub(crate) type LeanContext<'b> = Context<BlockEnv, TxEnv, CfgEnv, SnapshotDatabase<'b>, Journal<'b>, (), LocalContext>;
pub(crate) type LeanFrame = EthFrame<EthInterpreter>;
pub(crate) type LeanEvm<'b> =
    Evm<LeanContext<'b>, (), EthInstructions<EthInterpreter, LeanContext<'b>>, BraidPrecompiles, LeanFrame>;

/// What a worker keeps from block to block.
pub(crate) struct WorkerMemory {
    pub(crate) view: LocalView,
    pub(crate) keccak: KeccakCache,
}

impl WorkerMemory {
    /// Memory of a worker that shares its hashes with others, if `hashes` are given.
    pub(crate) fn new(hashes: Option<Arc<SharedHashes>>) -> Self {
        Self { view: LocalView::default(), keccak: KeccakCache::sharing(hashes) }
    }
}

/// Makes a worker's EVM for one block, on the worker's own memory.
pub(crate) fn lean_evm<'b>(
    snapshot: &'b dyn Snapshot,
    state: &'b BlockState,
    memory: WorkerMemory,
    precompiles: BraidPrecompiles,
    cfg: CfgEnv,
    block: BlockEnv,
) -> LeanEvm<'b> {
    let spec = *cfg.spec();
    let context = Context {
        block,
        tx: TxEnv::default(),
        cfg,
        journaled_state: Journal::over(snapshot, state, memory, spec),
        chain: (),
        local: LocalContext::default(),
        error: Ok(()),
    };
    Evm {
        ctx: context,
        inspector: (),
        instruction: instructions::instructions(spec),
        precompiles,
        // Grows with the depth of calls. Making eight interpreters beforehand, as `Evm::new` does, costs more than a small block.
        frame_stack: FrameStack::new(),
    }
}

/// Runs one transaction. What it accessed is in the journal's view afterwards; nothing is committed.
pub(crate) fn run<'b>(
    evm: &mut LeanEvm<'b>,
    tx: TxEnv,
    index: u32,
    speculative: bool,
) -> Result<ExecutionResult, LeanError> {
    evm.ctx.tx = tx;
    evm.ctx.journaled_state.begin(index, !speculative);
    LeanHandler { speculative, lifetime: std::marker::PhantomData }.run(evm)
}
