//! revm on a worker's own records.
//!
//! [`local`] holds the records, [`journal`] puts revm's rules on top of them ([`change`] takes changes back, [`record_account`] is one account of it),
//! [`handler`] replaces the steps of revm's handler that would make transactions depend on each other for no reason. [`LeanEvm`] is the
//! result: the same interpreter, the same gas, the same precompiles.

mod call_loop;
mod callee;
mod change;
mod footprint;
mod handler;
mod instructions;
mod journal;
mod lesson;
mod local;
mod record_account;

pub(crate) use callee::Callee;
pub(crate) use handler::LeanError;
pub(crate) use journal::Journal;
pub(crate) use lesson::Lesson;
pub(crate) use local::{LocalView, Observed};

use crate::{
    paths::{Candidate, LocalPaths, Paths},
    predict::{KeccakCache, SharedHashes},
    state::{BlockState, Snapshot, SnapshotDatabase},
};
use braid_precompiles::BraidPrecompiles;
use footprint::Footprint;
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
    pub(crate) paths: LocalPaths,
}

impl WorkerMemory {
    /// Memory of a worker that shares its hashes and its paths with others, if any are given.
    pub(crate) fn new(hashes: Option<Arc<SharedHashes>>, paths: Option<Arc<Paths>>) -> Self {
        Self { view: LocalView::default(), keccak: KeccakCache::sharing(hashes), paths: LocalPaths::new(paths) }
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
    let mut result = attempt(evm, index, speculative);
    if result.is_err() && evm.ctx.journaled_state.paths.has_left() {
        evm.ctx.journaled_state.paths.interpret_next();
        result = attempt(evm, index, speculative);
        evm.ctx.journaled_state.paths.choose_next();
    }
    if let Some(candidate) = evm.ctx.journaled_state.paths.candidate() {
        result = try_path(evm, index, speculative, candidate, result);
    }
    result
}

/// Runs the transaction that has just been recorded along its own path. Only a path that leaves exactly what the interpreter left is used again.
fn try_path(
    evm: &mut LeanEvm<'_>,
    index: u32,
    speculative: bool,
    candidate: Candidate,
    result: Result<ExecutionResult, LeanError>,
) -> Result<ExecutionResult, LeanError> {
    let Ok(interpreted) = result else { return result };
    // What the predictor is to learn, it has seen already.
    let lesson = evm.ctx.journaled_state.lesson.take();
    let result = compare_path(evm, index, speculative, candidate, interpreted);
    evm.ctx.journaled_state.lesson = lesson;
    result
}

fn compare_path(
    evm: &mut LeanEvm<'_>,
    index: u32,
    speculative: bool,
    candidate: Candidate,
    interpreted: ExecutionResult,
) -> Result<ExecutionResult, LeanError> {
    let footprint = Footprint::of(&evm.ctx.journaled_state);
    evm.ctx.journaled_state.paths.try_next(&candidate);
    let replayed = attempt(evm, index, speculative);
    let paths = &mut evm.ctx.journaled_state.paths;
    let has_left = paths.has_left();
    paths.choose_next();
    let is_same = !has_left
        && replayed.is_ok_and(|replayed| replayed == interpreted)
        && Footprint::of(&evm.ctx.journaled_state) == footprint;
    if is_same {
        evm.ctx.journaled_state.paths.publish(candidate);
        return Ok(interpreted);
    }
    // The view must be what the result says, so once more.
    evm.ctx.journaled_state.paths.reject(candidate);
    evm.ctx.journaled_state.paths.interpret_next();
    let result = attempt(evm, index, speculative);
    let paths = &mut evm.ctx.journaled_state.paths;
    paths.choose_next();
    drop(paths.candidate());
    result
}

fn attempt(evm: &mut LeanEvm<'_>, index: u32, speculative: bool) -> Result<ExecutionResult, LeanError> {
    evm.ctx.journaled_state.begin(index, !speculative);
    LeanHandler { speculative, lifetime: std::marker::PhantomData }.run(evm)
}
