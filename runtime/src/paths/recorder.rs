//! Watching revm's interpreter go through a transaction, and writing down its path.
//!
//! The recorder keeps a frame of its own beside each of the interpreter's ([`Frame`]), with registers where that has words. Before an instruction it takes
//! the operands ([`Recorder::before`]); after it, it knows the result and the gas ([`Recorder::after`]). It never influences the execution. Whatever it does not
//! understand (creations, destruction, failures other than a revert) ends the recording, not the transaction.
//!
//! Gas: what an instruction cost, less what depends on the state at that moment (cold accesses, SSTORE, the gas given to calls), is a constant
//! of the path and summed up.

use super::{
    branches::Code,
    builder::Builder,
    compute::arguments,
    model::LocalModels,
    ops::{Given, Kind, NOWHERE, Op, Reg, Site, address_of},
    shadow::{Cell, Frame, Input},
    tree::Tree,
};
use crate::evm::LeanContext;
use alloy_primitives::{Address, B256, U256};
use revm::{
    bytecode::opcode as op,
    context::{Cfg, Transaction},
    interpreter::{
        CallInputs, FrameInput, GasTable, Interpreter, InterpreterAction, InterpreterResult,
        interpreter::EthInterpreter,
        interpreter_types::{Jumps, LegacyBytecode, LoopControl, RuntimeFlag},
    },
    primitives::KECCAK_EMPTY,
};
use std::sync::Arc;

/// Instructions of a transaction that is recorded.
const MAX_STEPS: u32 = 60_000;
/// Bytes that one instruction reads or writes.
const MAX_BYTES: usize = 1 << 14;
/// Where memory ends.
const MAX_MEMORY: usize = 1 << 17;

/// An instruction that is about to run.
#[derive(Debug)]
struct Before {
    code: u8,
    /// Its position in the code.
    at: usize,
    gas: u64,
    args: [Reg; 7],
    /// Gas of this instruction that depends on the state.
    dynamic: u64,
}

/// A call that is about to begin.
#[derive(Debug)]
struct Pending {
    kind: Kind,
    to: Reg,
    gas: Reg,
    value: Reg,
    has_value: bool,
    input: Vec<Cell>,
    output_to: (usize, usize),
    code: B256,
    /// Of the code.
    model: u32,
}

/// A branch whose sides were written down both. The interpreter is on one of them.
#[derive(Debug)]
struct Branch {
    /// Where the sides meet.
    meeting: usize,
    /// The stack there.
    stack: Vec<Reg>,
    /// Gas that must be left there.
    gas: u64,
}

/// The recording of one transaction.
#[derive(Debug)]
pub(crate) struct Recorder<'m> {
    builder: Builder,
    models: &'m mut LocalModels,
    frames: Vec<Frame>,
    before: Option<Before>,
    branch: Option<Branch>,
    gas_table: GasTable,
    pending: Option<Pending>,
    /// Output of the frame that is about to end.
    output: Vec<Cell>,
    stopped: bool,
    steps: u32,
    deepest: usize,
    /// Frames so far.
    count: u32,
    is_new: bool,
}

impl<'m> Recorder<'m> {
    /// Begins with the call that the transaction makes, of code with this model. `gas_table` is the interpreter's.
    pub(crate) fn new(
        tree: Tree,
        models: &'m mut LocalModels,
        model: u32,
        context: &LeanContext<'_>,
        gas_table: GasTable,
        call: &CallInputs,
    ) -> Self {
        let mut builder = Builder::new(tree);
        let tx = &context.tx;
        let word = |address: Address| U256::from_be_bytes(address.into_word().0);
        let this = builder.given(Given::Recipient, word(call.target_address));
        let caller = builder.given(Given::Sender, word(call.caller));
        let value = builder.given(Given::Value, tx.value());
        let frame = Frame::new(Input::Transaction(tx.input().clone()), [this, caller, value], model, 0, (0, 0));
        Self {
            builder,
            models,
            frames: vec![frame],
            before: None,
            branch: None,
            gas_table,
            pending: None,
            output: Vec::new(),
            stopped: false,
            steps: 0,
            deepest: 1,
            count: 1,
            is_new: false,
        }
    }

    /// The tree with the transaction's way, if that could be recorded and is new.
    pub(crate) fn finish(self) -> Option<Tree> {
        let Self { builder, is_new, deepest, .. } = self;
        let mut tree = builder.tree;
        tree.finish(deepest);
        (is_new && !builder.failed).then_some(tree)
    }

    /// Whether there is still something to record.
    pub(crate) const fn is_at_work(&self) -> bool {
        !self.builder.failed
    }

    fn fail(&mut self) {
        self.builder.failed = true;
    }

    /// Takes note of the instruction that runs next.
    pub(crate) fn before(&mut self, interpreter: &Interpreter<EthInterpreter>, context: &mut LeanContext<'_>) {
        if self.builder.failed {
            return;
        }
        self.steps += 1;
        let at = interpreter.bytecode.pc();
        if self.branch.as_ref().is_some_and(|branch| branch.meeting != at) {
            return;
        }
        let Some(frame) = self.frames.last_mut() else { return self.fail() };
        if let Some(Branch { stack, gas, .. }) = self.branch.take() {
            let is_same = |(register, word): (&Reg, &U256)| self.builder.value(*register) == *word;
            let words = interpreter.stack.data();
            if gas != interpreter.gas.remaining() || stack.len() != words.len() || !stack.iter().zip(words).all(is_same)
            {
                return self.fail();
            }
            frame.stack = stack;
        }
        if self.steps > MAX_STEPS || frame.stack.len() != interpreter.stack.len() {
            return self.fail();
        }
        let code = interpreter.bytecode.opcode();
        let inputs = op::OPCODE_INFO[usize::from(code)].map_or(0, |info| usize::from(info.inputs()));
        let takes = if matches!(code, op::DUP1..=op::SWAP16) { 0 } else { inputs };
        let mut args = [0; 7];
        if takes > args.len() || frame.stack.len() < takes {
            return self.fail();
        }
        for argument in &mut args[..takes] {
            *argument = frame.stack.pop().unwrap_or_default();
        }
        let this = self.frames.last().map_or(0, |frame| frame.this);
        let dynamic = self.dynamic(code, &args, this, context);
        self.before = Some(Before { code, at, gas: interpreter.gas.remaining(), args, dynamic });
    }

    /// Gas of the instruction that depends on what the transaction has accessed, as far as that is known before it.
    fn dynamic(&self, code: u8, args: &[Reg; 7], this: Reg, context: &mut LeanContext<'_>) -> u64 {
        let value = |at: usize| self.builder.value(args[at]);
        let params = context.cfg.gas_params();
        let (cold_account, cold_slot) = (params.cold_account_additional_cost(), params.cold_storage_additional_cost());
        let journal = &mut context.journaled_state;
        let account = match code {
            op::SLOAD => {
                let is_cold = journal.is_cold_slot(address_of(&self.builder.value(this)), value(0));
                return if is_cold { cold_slot } else { 0 };
            }
            op::BALANCE | op::EXTCODESIZE | op::EXTCODEHASH => address_of(&value(0)),
            op::CALL | op::DELEGATECALL | op::STATICCALL => address_of(&value(1)),
            _ => return 0,
        };
        if journal.is_cold_account(account) { cold_account } else { 0 }
    }

    /// The instruction has failed, and the frame with it: no path goes there.
    pub(crate) fn halted(&mut self) {
        self.fail();
    }

    /// Writes down the instruction that has run.
    pub(crate) fn after(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut LeanContext<'_>) {
        let Some(before) = self.before.take().filter(|_| !self.builder.failed) else { return };
        let spent = before.gas.saturating_sub(interpreter.gas.remaining());
        if self.record(&before, spent, interpreter, context).is_none() {
            return self.fail();
        }
        if interpreter.bytecode.action().is_some() {
            return;
        }
        // Registers must hold what the stack holds.
        let Some(frame) = self.frames.last() else { return };
        let agrees = frame.stack.len() == interpreter.stack.len()
            && frame.stack.last().map(|top| self.builder.value(*top)) == interpreter.stack.data().last().copied();
        if !agrees {
            self.fail();
        }
    }

    fn record(
        &mut self,
        before: &Before,
        spent: u64,
        interpreter: &mut Interpreter<EthInterpreter>,
        context: &mut LeanContext<'_>,
    ) -> Option<()> {
        let &Before { code, args, dynamic, .. } = before;
        let builder = &mut self.builder;
        let frame = self.frames.last_mut()?;
        let top = || interpreter.stack.data().last().copied();
        if !matches!(code, op::SSTORE | op::CALL | op::DELEGATECALL | op::STATICCALL) {
            builder.spend(spent.checked_sub(dynamic)?);
        }
        match code {
            op::PUSH20 | op::PUSH32
                if let Some(value) = self.models.get(frame.model).immutable(before.at as u32 + 1) =>
            {
                frame.stack.push(builder.immutable(frame.number, before.at as u32 + 1, value));
            }
            op::PUSH0..=op::PUSH32 | op::PC | op::MSIZE | op::CODESIZE | op::CALLDATASIZE | op::RETURNDATASIZE => {
                let register = builder.constant(top()?);
                frame.stack.push(register);
            }
            op::POP | op::JUMPDEST => {}
            op::DUP1..=op::DUP16 => {
                let at = frame.stack.len().checked_sub(usize::from(code - op::DUP1) + 1)?;
                frame.stack.push(frame.stack[at]);
            }
            op::SWAP1..=op::SWAP16 => {
                let last = frame.stack.len().checked_sub(1)?;
                frame.stack.swap(last, last.checked_sub(usize::from(code - op::SWAP1) + 1)?);
            }
            op::JUMP => {
                builder.fix(args[0]);
            }
            op::JUMPI => {
                self.branch = branch(builder, frame, before, self.models, &self.gas_table, interpreter);
                if self.branch.is_none() {
                    builder.guard_zero(args[1]);
                    if !builder.value(args[1]).is_zero() {
                        builder.fix(args[0]);
                    }
                }
            }
            op::GAS => {
                builder.settle();
                frame.stack.push(builder.read(|dst| Op::GasLeft { dst }, top()?));
            }
            op::ADDRESS => frame.stack.push(frame.this),
            op::CALLER => frame.stack.push(frame.caller),
            op::CALLVALUE => frame.stack.push(frame.value),
            op::ORIGIN
            | op::GASPRICE
            | op::CHAINID
            | op::COINBASE
            | op::TIMESTAMP
            | op::NUMBER
            | op::DIFFICULTY
            | op::GASLIMIT
            | op::BASEFEE
            | op::BLOBBASEFEE => {
                let what = match code {
                    op::ORIGIN => Given::Sender,
                    op::GASPRICE => Given::GasPrice,
                    op::CHAINID => Given::ChainId,
                    op::COINBASE => Given::Beneficiary,
                    op::TIMESTAMP => Given::Timestamp,
                    op::NUMBER => Given::Number,
                    op::DIFFICULTY => Given::Random,
                    op::GASLIMIT => Given::GasLimit,
                    op::BASEFEE => Given::BaseFee,
                    _ => Given::BlobBaseFee,
                };
                frame.stack.push(builder.given(what, top()?));
            }
            op::SLOAD => frame.stack.push(builder.read(|dst| Op::LoadSlot { dst, key: args[0] }, top()?)),
            op::SSTORE => {
                // Its gas is a matter of the journal; what was spent before it must be charged, because it asks what is left.
                let fixed = context.cfg.gas_params().sstore_static_gas();
                builder.settle();
                builder.act(Op::StoreSlot { key: args[0], value: args[1] });
                builder.spend(fixed);
            }
            op::TLOAD => frame.stack.push(builder.read(|dst| Op::LoadTransient { dst, key: args[0] }, top()?)),
            op::TSTORE => builder.act(Op::StoreTransient { key: args[0], value: args[1] }),
            op::BALANCE => frame.stack.push(builder.read(|dst| Op::Balance { dst, address: args[0] }, top()?)),
            op::SELFBALANCE => frame.stack.push(builder.read(|dst| Op::OwnBalance { dst }, top()?)),
            op::EXTCODEHASH => frame.stack.push(builder.read(|dst| Op::CodeHash { dst, address: args[0] }, top()?)),
            op::EXTCODESIZE => {
                builder.act(Op::LookAtCode { address: args[0] });
                let address = address_of(&builder.value(args[0]));
                let (hash, code) = context.journaled_state.code_in_use(address)?;
                let model = self.models.number(hash, &code);
                builder.guard_code(self.models.get(model).id);
                let size = builder.constant(top()?);
                frame.stack.push(size);
            }
            op::EXP => {
                // What it costs depends on the exponent.
                builder.fix(args[1]);
                frame.stack.push(builder.compute(code, [args[0], args[1], args[1]]));
            }
            op::CALLDATALOAD => {
                let register = match usize::try_from(builder.fix(args[0])) {
                    Ok(offset) => {
                        let cells = frame.input(builder, offset, 32);
                        builder.word(&cells)
                    }
                    Err(_) => builder.constant(U256::ZERO),
                };
                frame.stack.push(register);
            }
            op::MLOAD..=op::MSTORE8
            | op::MCOPY
            | op::CALLDATACOPY
            | op::CODECOPY
            | op::RETURNDATACOPY
            | op::KECCAK256
            | op::LOG0..=op::LOG4 => memory(builder, frame, before, self.models, interpreter)?,
            op::STOP => {
                self.output.clear();
                self.stopped = true;
            }
            op::RETURN | op::REVERT => {
                let (offset, length) = place(builder, args[0], args[1])?;
                self.output = frame.memory(offset, length);
                self.stopped = false;
            }
            op::CALL | op::DELEGATECALL | op::STATICCALL => {
                self.pending = Some(begin_call(builder, frame, before, spent, self.models, interpreter, context)?);
            }
            code => {
                let [a, b, c, ..] = args;
                frame.stack.push(builder.compute(code, arguments(code, [a, b, c])?));
            }
        }
        Some(())
    }

    /// A call has led to a frame of its own (`None`), or has ended at once with this result.
    pub(crate) fn called(&mut self, at_once: Option<(&InterpreterResult, bool)>) {
        let Some(pending) = self.pending.take().filter(|_| !self.builder.failed) else { return };
        if self.enter(pending, at_once).is_none() {
            self.fail();
        }
    }

    fn enter(&mut self, pending: Pending, at_once: Option<(&InterpreterResult, bool)>) -> Option<()> {
        let Pending { kind, to, gas, value, has_value, input, output_to, code, model } = pending;
        let builder = &mut self.builder;
        let caller = self.frames.last_mut()?;
        if let Some((result, true)) = at_once {
            // Without value: who is paid, and whether he can be, would be more to look at.
            if !result.result.is_ok() || has_value {
                return None;
            }
            builder.fix(to);
            let output = builder.precompile(kind, to, gas, &input, &result.output);
            returned(builder, caller, &output, output_to, true);
            return Some(());
        }
        builder.call(Site { kind, to, gas, value, has_value });
        builder.guard_code(self.models.get(model).id);
        if let Some((result, false)) = at_once {
            // Nobody is there who could answer.
            if !result.result.is_ok() || code != KECCAK_EMPTY {
                return None;
            }
            builder.act(Op::Return { success: true });
            returned(builder, caller, &[], output_to, true);
            return Some(());
        }
        let around = match kind {
            Kind::Delegate => [caller.this, caller.caller, caller.value],
            Kind::Call | Kind::Static => {
                // An address as the called code sees it has 20 bytes.
                let mask = builder.constant(U256::MAX >> 96);
                let this = builder.compute(op::AND, [to, mask, mask]);
                let value = if has_value { value } else { builder.constant(U256::ZERO) };
                [this, caller.this, value]
            }
        };
        self.frames.push(Frame::new(Input::Inner(Arc::from(input)), around, model, self.count, output_to));
        self.count += 1;
        self.deepest = self.deepest.max(self.frames.len());
        Some(())
    }

    /// A frame of its own has ended with this result.
    pub(crate) fn ended(&mut self, result: &InterpreterResult) {
        if self.builder.failed {
            return;
        }
        let (builder, success) = (&mut self.builder, result.result.is_ok());
        let output = std::mem::take(&mut self.output);
        if !result.result.is_ok_or_revert() || builder.bytes(&output) != result.output {
            return self.fail();
        }
        let Some(frame) = self.frames.pop() else { return self.fail() };
        builder.settle();
        match self.frames.last_mut() {
            Some(caller) => {
                builder.act(Op::Return { success });
                returned(builder, caller, &output, frame.output_to, success);
            }
            None => self.is_new = builder.done(success, self.stopped, &output),
        }
    }
}

/// The caller's view of a call that has ended.
fn returned(builder: &mut Builder, caller: &mut Frame, output: &[Cell], (offset, room): (usize, usize), success: bool) {
    caller.write(offset, &output[..room.min(output.len())]);
    caller.returned = output.to_vec();
    caller.stack.push(builder.constant(U256::from(success)));
}

/// An offset and a length in bytes, made certain by guards. Without a length, the offset does not matter.
fn place(builder: &mut Builder, offset: Reg, length: Reg) -> Option<(usize, usize)> {
    let length = usize::try_from(builder.fix(length)).ok().filter(|length| *length <= MAX_BYTES)?;
    if length == 0 {
        return Some((0, 0));
    }
    let offset = usize::try_from(builder.fix(offset)).ok().filter(|offset| *offset <= MAX_MEMORY - length)?;
    Some((offset, length))
}

/// Instructions that move bytes.
fn memory(
    builder: &mut Builder,
    frame: &mut Frame,
    before: &Before,
    models: &LocalModels,
    interpreter: &Interpreter<EthInterpreter>,
) -> Option<()> {
    let Before { code, args, .. } = before;
    let code = *code;
    match code {
        op::MLOAD => {
            let word = builder.constant(U256::from(32));
            let (offset, length) = place(builder, args[0], word)?;
            let cells = frame.memory(offset, length);
            frame.stack.push(builder.word(&cells));
        }
        op::MSTORE => {
            let word = builder.constant(U256::from(32));
            let (offset, _) = place(builder, args[0], word)?;
            let constant = builder.known(args[1]);
            frame.write_word(offset, args[1], constant);
        }
        op::MSTORE8 => {
            let one = builder.constant(U256::ONE);
            let (offset, _) = place(builder, args[0], one)?;
            let cell = builder.known(args[1]).map_or(Cell::Of(args[1], 31), |value| Cell::Byte(value.byte(0)));
            frame.write(offset, &[cell]);
        }
        op::MCOPY => {
            let (to, length) = place(builder, args[0], args[2])?;
            let (from, _) = place(builder, args[1], args[2])?;
            let cells = frame.memory(from, length);
            frame.write(to, &cells);
        }
        op::CALLDATACOPY | op::CODECOPY | op::RETURNDATACOPY => {
            let (to, length) = place(builder, args[0], args[2])?;
            if length == 0 && code != op::RETURNDATACOPY {
                return Some(());
            }
            let from = usize::try_from(builder.fix(args[1])).unwrap_or(usize::MAX);
            let cells = match code {
                op::CALLDATACOPY => frame.input(builder, from, length),
                op::CODECOPY => {
                    if models.get(frame.model).varies_within(from, length) {
                        return None;
                    }
                    let code = interpreter.bytecode.bytecode_slice();
                    let at = |place: usize| from.checked_add(place).and_then(|at| code.get(at)).copied();
                    (0..length).map(|place| Cell::Byte(at(place).unwrap_or(0))).collect()
                }
                _ => frame.returned.get(from..from.checked_add(length)?)?.to_vec(),
            };
            frame.write(to, &cells);
        }
        op::KECCAK256 => {
            let (offset, length) = place(builder, args[0], args[1])?;
            let cells = frame.memory(offset, length);
            let hash = interpreter.stack.data().last().copied()?;
            frame.stack.push(builder.hash(&cells, hash));
        }
        _ => {
            let count = code - op::LOG0;
            let (offset, length) = place(builder, args[0], args[1])?;
            let cells = frame.memory(offset, length);
            let mut topics = [0; 4];
            topics[..usize::from(count)].copy_from_slice(&args[2..2 + usize::from(count)]);
            builder.log(topics, count, &cells);
        }
    }
    Some(())
}

/// Writes down both sides of the branch that was just taken or not, if they only compute.
fn branch(
    builder: &mut Builder,
    frame: &Frame,
    before: &Before,
    models: &LocalModels,
    gas_table: &GasTable,
    interpreter: &Interpreter<EthInterpreter>,
) -> Option<Branch> {
    let [target, on, ..] = before.args;
    let target = usize::try_from(builder.known(target)?).ok()?;
    if builder.known(on).is_some() {
        return None;
    }
    let code = Code {
        bytes: interpreter.bytecode.bytecode_slice(),
        jumps: interpreter.bytecode.legacy_jump_table()?,
        spec: interpreter.runtime_flag.spec_id(),
        gas: gas_table,
        model: models.get(frame.model),
    };
    let known: Vec<Option<U256>> = frame.stack.iter().map(|register| builder.known(*register)).collect();
    let meeting = code.meeting([before.at + 1, target], &known)?;
    let [straight, taken] = &meeting.sides;
    let if_zero = straight.follow(builder, frame.stack.clone())?;
    let if_not_zero = taken.follow(builder, frame.stack.clone())?;
    let pairs = if_not_zero.into_iter().zip(if_zero);
    let stack = pairs.map(|(if_not_zero, if_zero)| builder.select(on, [if_not_zero, if_zero])).collect();
    builder.spend_either(on, [taken.gas, straight.gas]);
    let side = if builder.value(on).is_zero() { straight } else { taken };
    let gas = interpreter.gas.remaining().checked_sub(side.gas)?;
    Some(Branch { meeting: meeting.at, stack, gas })
}

/// Takes apart a call instruction that has just run.
fn begin_call(
    builder: &mut Builder,
    frame: &mut Frame,
    before: &Before,
    spent: u64,
    models: &mut LocalModels,
    interpreter: &mut Interpreter<EthInterpreter>,
    context: &mut LeanContext<'_>,
) -> Option<Pending> {
    let Some(InterpreterAction::NewFrame(FrameInput::Call(inputs))) = interpreter.bytecode.action() else {
        return None;
    };
    let (kind, value, rest) = match before.code {
        op::CALL => (Kind::Call, before.args[2], &before.args[3..7]),
        op::DELEGATECALL => (Kind::Delegate, builder.constant(U256::ZERO), &before.args[2..6]),
        _ => (Kind::Static, builder.constant(U256::ZERO), &before.args[2..6]),
    };
    let [gas, to, ..] = before.args;
    let has_value = !builder.value(value).is_zero();
    builder.guard_zero(value);
    let (from, length) = place(builder, rest[0], rest[1])?;
    let input = frame.memory(from, length);
    let output_to = place(builder, rest[2], rest[3])?;
    // A delegation (EIP-7702) would be two accounts to look at.
    let code = context.journaled_state.code_hash_in_use(inputs.bytecode_address)?;
    if code != inputs.known_bytecode.0 {
        return None;
    }
    let model = models.number(code, &inputs.known_bytecode.1);
    let params = context.cfg.gas_params();
    let forwarded = inputs.gas_limit - if has_value { params.call_stipend() } else { 0 };
    let created = if kind == Kind::Call && context.journaled_state.is_empty_in_use(inputs.bytecode_address) {
        params.new_account_cost(true, has_value)
    } else {
        0
    };
    builder.spend(spent.checked_sub(before.dynamic + forwarded + created)?);
    builder.settle();
    Some(Pending { kind, to, gas, value, has_value, input, output_to, code, model })
}

const _: () = assert!(NOWHERE == u32::MAX && std::mem::size_of::<Op>() <= 24 && MAX_BYTES < MAX_MEMORY);
