//! The execution of a transaction's call: in the interpreter, recorded there, or along a path.

use super::{LeanContext, LeanEvm, handler::LeanError};
use crate::paths::{Decision, Key, Left, Recorder, replay};
use revm::{
    context::result::EVMError,
    handler::{EvmTr, FrameResult, ItemOrResult, evm::FrameTr, instructions::InstructionProvider},
    interpreter::{FrameInput, interpreter_action::FrameInit, interpreter_types::LoopControl},
    primitives::hardfork::SpecId,
};
use std::sync::Arc;

/// Executes the transaction's own call or creation, and all that it leads to.
pub(super) fn execute(evm: &mut LeanEvm<'_>, first: FrameInit) -> Result<FrameResult, LeanError> {
    let Some((key, model)) = key_of(evm, &first) else { return interpret(evm, first) };
    let FrameInput::Call(call) = &first.frame_input else { return interpret(evm, first) };
    // The paths are taken out of the journal meanwhile, which they run on.
    let mut paths = std::mem::take(&mut evm.ctx.journaled_state.paths);
    // The predictor learns calls and hashes, which only the interpreter shows.
    let is_lesson = evm.ctx.journaled_state.lesson.is_some();
    let result = match paths.decide(&key, is_lesson) {
        Decision::Interpret => interpret(evm, first),
        Decision::Replay(tree, mut registers) => {
            let result = replay(evm, &tree, &mut registers, &mut paths.models, model, call);
            paths.replayed(&key, registers, !matches!(result, Err(Left::Path)));
            result.map_err(|left| match left {
                // `super::run` has asked the paths before anybody reads this.
                Left::Path => EVMError::Custom(String::new()),
                Left::Database(error) => EVMError::Database(error),
            })
        }
        Decision::Record(tree) => {
            let mut recorder =
                Recorder::new((*tree).clone(), &mut paths.models, model, &evm.ctx, *evm.instruction.gas_table(), call);
            let result = record(evm, first, &mut recorder);
            if let (Ok(_), Some(with_way)) = (&result, recorder.finish()) {
                paths.recorded(key, Arc::clone(&tree), with_way);
            }
            result
        }
    };
    evm.ctx.journaled_state.paths = paths;
    result
}

/// The function that the transaction calls, if there can be a path for it, and the number of its code's model.
fn key_of(evm: &mut LeanEvm<'_>, first: &FrameInit) -> Option<(Key, u32)> {
    let journal = &mut evm.ctx.journaled_state;
    let FrameInput::Call(call) = &first.frame_input else { return None };
    if !journal.paths.are_in_use() {
        return None;
    }
    let (hash, code) = &call.known_bytecode;
    let spec = *evm.ctx.cfg.spec();
    // A delegation (EIP-7702) brings the code of another account.
    let is_own = journal.code_hash_in_use(call.target_address) == Some(*hash);
    let is_suited = is_own
        && !code.is_empty()
        && spec.is_enabled_in(SpecId::BERLIN)
        && !evm.precompiles.contains(&call.target_address);
    is_suited.then_some(())?;
    let models = &mut evm.ctx.journaled_state.paths.models;
    let model = models.number(*hash, code);
    Some((Key::new(models.get(model).id, &evm.ctx.tx.data, spec), model))
}

/// The interpreter's loop.
fn interpret(evm: &mut LeanEvm<'_>, first: FrameInit) -> Result<FrameResult, LeanError> {
    if let ItemOrResult::Result(result) = evm.frame_init(first)? {
        return Ok(result);
    }
    loop {
        let result = match evm.frame_run()? {
            ItemOrResult::Result(result) => result,
            ItemOrResult::Item(init) => {
                enter(evm, &init);
                match evm.frame_init(init)? {
                    ItemOrResult::Item(_) => continue,
                    ItemOrResult::Result(result) => result,
                }
            }
        };
        leave(evm, &result);
        if let Some(result) = evm.frame_return_result(result)? {
            return Ok(result);
        }
    }
}

/// The same loop with a recorder beside it.
fn record(evm: &mut LeanEvm<'_>, first: FrameInit, recorder: &mut Recorder<'_>) -> Result<FrameResult, LeanError> {
    if let ItemOrResult::Result(result) = evm.frame_init(first)? {
        return Ok(result);
    }
    loop {
        let result = match record_frame(evm, recorder)? {
            ItemOrResult::Result(result) => {
                recorder.ended(result.interpreter_result());
                result
            }
            ItemOrResult::Item(init) => {
                enter(evm, &init);
                match evm.frame_init(init)? {
                    ItemOrResult::Item(_) => {
                        recorder.called(None);
                        continue;
                    }
                    ItemOrResult::Result(result) => {
                        let is_precompile = matches!(&result, FrameResult::Call(call) if call.was_precompile_called);
                        recorder.called(Some((result.interpreter_result(), is_precompile)));
                        result
                    }
                }
            }
        };
        leave(evm, &result);
        if let Some(result) = evm.frame_return_result(result)? {
            return Ok(result);
        }
    }
}

type NextStep<'b> = ItemOrResult<<super::LeanFrame as FrameTr>::FrameInit, <super::LeanFrame as FrameTr>::FrameResult>;

/// Runs the innermost frame until it ends or calls, instruction by instruction.
fn record_frame<'b>(evm: &mut LeanEvm<'b>, recorder: &mut Recorder<'_>) -> Result<NextStep<'b>, LeanError> {
    if !recorder.is_at_work() {
        return Ok(evm.frame_run()?);
    }
    let LeanEvm { ctx, instruction, frame_stack, .. } = evm;
    let frame = frame_stack.get();
    loop {
        recorder.before(&frame.interpreter, ctx);
        let step = frame.interpreter.step(instruction.instruction_table(), instruction.gas_table(), ctx);
        if step.is_err_and(|end| end.is_halt()) {
            recorder.halted();
        } else {
            recorder.after(&mut frame.interpreter, ctx);
        }
        if let Err(end) = step {
            if frame.interpreter.bytecode.action().is_none() {
                frame.interpreter.halt(end);
            }
            break;
        }
    }
    let action = frame.interpreter.take_next_action();
    let next = frame.process_next_action::<LeanContext<'b>, LeanError>(ctx, action)?;
    if next.is_result() {
        frame.set_finished(true);
    }
    Ok(next)
}

/// Notes an inner call that begins, if the transaction is recorded for the predictor.
fn enter(evm: &mut LeanEvm<'_>, init: &FrameInit) {
    if let Some(mut lesson) = evm.ctx.journaled_state.lesson.take() {
        let input = match &init.frame_input {
            FrameInput::Call(inputs) => inputs.input.bytes(&evm.ctx),
            _ => Default::default(),
        };
        lesson.enter(&init.frame_input, &input);
        evm.ctx.journaled_state.lesson = Some(lesson);
    }
}

/// Notes that a call ended, likewise. For the transaction itself no call is open, so this does nothing.
fn leave(evm: &mut LeanEvm<'_>, result: &FrameResult) {
    if let Some(lesson) = &mut evm.ctx.journaled_state.lesson {
        let result = result.interpreter_result();
        lesson.observed.leave(&result.output, result.is_ok());
    }
}
