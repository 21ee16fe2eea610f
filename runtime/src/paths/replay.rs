//! Running a path on a worker's journal.
//!
//! Everything that touches the state goes through the same functions of the journal as under the interpreter, in the same order, so what is
//! observed, warmed, touched and logged is the same. Gas is counted as the interpreter counts it, frame by frame; only the constant parts come in sums.
//! Being short of gas is noticed later than there, and so is a guard that does not hold after reading ahead of it: therefore nothing of a
//! replay that was [`Left`] is kept, and the transaction begins anew.

use super::{
    compute::compute,
    model::LocalModels,
    ops::{Given, Kind, NOWHERE, Op, Piece, Reg, Span, address_of, bytes_of},
    shadow::word_at,
    tree::Tree,
};
use crate::{
    evm::{Callee, Journal, LeanContext, LeanEvm},
    state::SnapshotError,
};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256};
use revm::{
    context::{Block, Cfg, JournalTr, Transaction, journaled_state::JournalCheckpoint},
    context_interface::{Host, journaled_state::JournalLoadError},
    handler::{FrameResult, PrecompileProvider},
    interpreter::{
        CallInput, CallInputs, CallOutcome, CallScheme, CallValue, Gas, InstructionResult, InterpreterResult,
    },
    primitives::hardfork::SpecId,
};

/// Why a replay came to no end.
#[derive(Debug)]
pub(crate) enum Left {
    /// No recorded way goes where this transaction goes, or its gas is short. The interpreter has to run it.
    Path,
    /// The parent state cannot be read.
    Database(SnapshotError),
}

impl From<JournalLoadError<SnapshotError>> for Left {
    fn from(error: JournalLoadError<SnapshotError>) -> Self {
        match error {
            JournalLoadError::DBError(error) => Self::Database(error),
            JournalLoadError::ColdLoadSkipped => unreachable!("a replay never skips loads"),
        }
    }
}

/// A call that is under way.
#[derive(Debug)]
struct Frame {
    /// Position in the journal's view of the account whose storage is used.
    account: u32,
    address: Address,
    /// Model of its code.
    model: u32,
    gas: u64,
    refund: i64,
    checkpoint: JournalCheckpoint,
}

impl Frame {
    fn spend(&mut self, gas: u64) -> Result<(), Left> {
        self.gas = self.gas.checked_sub(gas).ok_or(Left::Path)?;
        Ok(())
    }
}

/// Gas that depends on what was accessed before.
#[derive(Clone, Copy, Debug)]
struct Costs {
    cold_account: u64,
    cold_slot: u64,
    stipend: u64,
}

/// Runs `tree` for the call that the running transaction makes, of code with this model. `registers` are the tree's, with the constants in them.
pub(crate) fn replay(
    evm: &mut LeanEvm<'_>,
    tree: &Tree,
    registers: &mut [U256],
    models: &mut LocalModels,
    model: u32,
    call: &CallInputs,
) -> Result<FrameResult, Left> {
    let context = &mut evm.ctx;
    let params = context.cfg.gas_params();
    let costs = Costs {
        cold_account: params.cold_account_additional_cost(),
        cold_slot: params.cold_storage_additional_cost(),
        stipend: params.call_stipend(),
    };
    let journal = &mut context.journaled_state;
    let checkpoint = journal.checkpoint();
    let (Some(sender), Some(account)) =
        (journal.account_in_use(call.caller), journal.account_in_use(call.target_address))
    else {
        return Err(Left::Path);
    };
    if journal.move_value(sender, account, context.tx.value()).is_some() {
        return Err(Left::Path);
    }
    let mut replay = Replay {
        evm,
        tree,
        registers,
        models,
        costs,
        frame: Frame { account, address: call.target_address, model, gas: call.gas_limit, refund: 0, checkpoint },
        callers: Vec::with_capacity(tree.depth),
        model,
        buffer: Vec::new(),
    };
    let (result, output) = replay.run()?;
    let Frame { gas: left, refund, .. } = replay.frame;
    let mut gas = Gas::new(call.gas_limit);
    let is_enough = gas.record_regular_cost(call.gas_limit - left);
    debug_assert!(is_enough, "{left} gas left of {}", call.gas_limit);
    gas.record_refund(refund);
    Ok(FrameResult::Call(CallOutcome::new(
        InterpreterResult { result, output, gas },
        call.return_memory_offset.clone(),
    )))
}

struct Replay<'r, 'b> {
    evm: &'r mut LeanEvm<'b>,
    tree: &'r Tree,
    registers: &'r mut [U256],
    models: &'r mut LocalModels,
    costs: Costs,
    frame: Frame,
    callers: Vec<Frame>,
    /// Model of the code of the account called or looked at last.
    model: u32,
    buffer: Vec<u8>,
}

impl<'b> Replay<'_, 'b> {
    fn journal(&mut self) -> &mut Journal<'b> {
        &mut self.evm.ctx.journaled_state
    }

    #[inline]
    fn word(&self, register: Reg) -> U256 {
        self.registers[register as usize]
    }

    #[inline]
    fn set(&mut self, register: Reg, value: U256) {
        self.registers[register as usize] = value;
    }

    fn address(&self, register: Reg) -> Address {
        address_of(&self.registers[register as usize])
    }

    fn run(&mut self) -> Result<(InstructionResult, Bytes), Left> {
        let tree = self.tree;
        let mut at = 0;
        loop {
            let op = tree.ops[at];
            at += 1;
            match op {
                Op::Compute { code, dst, args: [a, b, c] } => {
                    let registers = &mut *self.registers;
                    registers[dst as usize] =
                        compute(code, &registers[a as usize], &registers[b as usize], &registers[c as usize]);
                }
                Op::IfZero { on, other } => {
                    if !self.registers[on as usize].is_zero() {
                        at = elsewhere(other)?;
                    }
                }
                Op::IfNotZero { on, other } => {
                    if self.registers[on as usize].is_zero() {
                        at = elsewhere(other)?;
                    }
                }
                Op::IfEqual { on, to, other } => {
                    if self.registers[on as usize] != self.registers[to as usize] {
                        at = elsewhere(other)?;
                    }
                }
                Op::IfCode { code, other } => {
                    if self.models.get(self.model).id != tree.codes[code as usize] {
                        at = elsewhere(other)?;
                    }
                }
                Op::Charge(gas) => self.frame.spend(gas)?,
                Op::ChargeIf { on, zero, gas } => {
                    if self.registers[on as usize].is_zero() == zero {
                        self.frame.spend(gas)?;
                    }
                }
                Op::Input { dst, offset } => {
                    let word = word_at(self.evm.ctx.tx.input(), offset as usize);
                    self.set(dst, word);
                }
                Op::Immutable { dst, offset } => {
                    let Some(word) = self.models.get(self.frame.model).immutable(offset) else {
                        unreachable!("codes of one model have their immutables at the same offsets, one at {offset}")
                    };
                    self.set(dst, word);
                }
                Op::Given { dst, what } => {
                    let word = given(&self.evm.ctx, what);
                    self.set(dst, word);
                }
                Op::Join { dst, bytes } => {
                    let word = self.join(bytes);
                    self.set(dst, word);
                }
                Op::Hash { dst, bytes } => {
                    self.gather(bytes);
                    let hash = self.evm.ctx.journaled_state.hash(&self.buffer);
                    self.set(dst, hash.into());
                }
                Op::GasLeft { dst } => self.set(dst, U256::from(self.frame.gas)),
                Op::LoadSlot { dst, key } => self.load_slot(dst, key)?,
                Op::StoreSlot { key, value } => self.store_slot(key, value)?,
                Op::LoadTransient { dst, key } => {
                    let (address, key) = (self.frame.address, self.word(key));
                    let word = self.journal().tload(address, key);
                    self.set(dst, word);
                }
                Op::StoreTransient { key, value } => {
                    let (address, key, value) = (self.frame.address, self.word(key), self.word(value));
                    self.journal().tstore(address, key, value);
                }
                Op::Balance { dst, address } => {
                    let address = self.address(address);
                    let load = self.journal().load_account_info_skip_cold_load(address, false, false)?;
                    let (balance, is_cold) = (load.balance, load.is_cold);
                    self.set(dst, balance);
                    self.warm(is_cold)?;
                }
                Op::OwnBalance { dst } => {
                    let address = self.frame.address;
                    let balance = self.journal().load_account_info_skip_cold_load(address, false, false)?.balance;
                    self.set(dst, balance);
                }
                Op::CodeHash { dst, address } => {
                    let address = self.address(address);
                    let load = self.journal().code_hash_of(address, false)?;
                    self.set(dst, load.data.into());
                    self.warm(load.is_cold)?;
                }
                Op::LookAtCode { address } => {
                    let address = self.address(address);
                    let callee = self.journal().load_callee(address)?;
                    self.look_at(&callee)?;
                    self.warm(callee.is_cold)?;
                }
                Op::Log(entry) => self.log(entry),
                Op::Call(site) => self.call(site)?,
                Op::Precompile(site) => self.precompile(site)?,
                Op::Return { success } => self.finish_call(success)?,
                Op::Done { success, is_stop, output } => {
                    self.gather(output);
                    let checkpoint = self.frame.checkpoint;
                    self.end(success, checkpoint);
                    let result = match (success, is_stop) {
                        (true, true) => InstructionResult::Stop,
                        (true, false) => InstructionResult::Return,
                        (false, _) => InstructionResult::Revert,
                    };
                    return Ok((result, Bytes::copy_from_slice(&self.buffer)));
                }
            }
        }
    }

    /// Finds out which model an account's code has.
    fn look_at(&mut self, callee: &Callee) -> Result<(), Left> {
        self.model = match self.models.find(&callee.code_hash) {
            Some(model) => model,
            None => {
                let code = self.evm.ctx.journaled_state.code_of(callee).map_err(Left::Database)?;
                self.models.number(callee.code_hash, &code)
            }
        };
        Ok(())
    }

    fn warm(&mut self, is_cold: bool) -> Result<(), Left> {
        if is_cold { self.frame.spend(self.costs.cold_account) } else { Ok(()) }
    }

    fn join(&self, bytes: Span) -> U256 {
        let mut word = [0; 32];
        let mut at = 0;
        for piece in self.tree.pieces_of(bytes) {
            let (source, range) = bytes_of(*piece, &self.registers[piece.reg as usize]);
            let end = at + range.len();
            word[at..end].copy_from_slice(&source[range]);
            at = end;
        }
        U256::from_be_bytes(word)
    }

    /// Puts bytes together in the buffer.
    fn gather(&mut self, bytes: Span) {
        let Self { tree, registers, buffer, .. } = self;
        buffer.clear();
        for piece @ Piece { reg, .. } in tree.pieces_of(bytes) {
            let (source, range) = bytes_of(*piece, &registers[*reg as usize]);
            buffer.extend_from_slice(&source[range]);
        }
    }

    fn load_slot(&mut self, dst: Reg, key: Reg) -> Result<(), Left> {
        let (account, key) = (self.frame.account, self.word(key));
        let journal = &mut self.evm.ctx.journaled_state;
        let load = journal.load_slot(account, key, false)?;
        let value = journal.view.slots[load.data as usize].slot.present_value;
        if load.is_cold {
            self.frame.spend(self.costs.cold_slot)?;
        }
        self.set(dst, value);
        Ok(())
    }

    fn store_slot(&mut self, key: Reg, value: Reg) -> Result<(), Left> {
        // EIP-2200: no store with no more than the stipend left.
        if self.frame.gas <= self.costs.stipend {
            return Err(Left::Path);
        }
        let (account, key, value) = (self.frame.account, self.word(key), self.word(value));
        let context = &mut self.evm.ctx;
        let store = context.journaled_state.store_slot(account, key, value, false)?;
        let params = context.cfg.gas_params();
        self.frame.spend(params.sstore_dynamic_gas(true, &store.data, store.is_cold))?;
        self.frame.refund += params.sstore_refund(true, &store.data);
        Ok(())
    }

    fn log(&mut self, entry: u32) {
        let entry = self.tree.entries[entry as usize];
        self.gather(entry.data);
        let topics = entry.topics[..usize::from(entry.count)].iter().map(|topic| B256::from(self.word(*topic)));
        let data = LogData::new_unchecked(topics.collect(), Bytes::copy_from_slice(&self.buffer));
        let log = Log { address: self.frame.address, data };
        self.journal().log(log);
    }

    /// What a call costs before it begins, and the gas that it gets. The value's own price is a constant of the path.
    fn begin_call(&mut self, kind: Kind, callee: &Callee, offered: Reg, has_value: bool) -> Result<u64, Left> {
        let offered = self.word(offered);
        let params = self.evm.ctx.cfg.gas_params();
        let mut cost = if callee.is_cold { self.costs.cold_account } else { 0 };
        if kind == Kind::Call && callee.is_empty {
            cost += params.new_account_cost(true, has_value);
        }
        self.frame.spend(cost)?;
        let most = params.call_stipend_reduction(self.frame.gas);
        let limit = u64::try_from(offered).unwrap_or(u64::MAX).min(most);
        self.frame.spend(limit)?;
        Ok(if has_value { limit + self.costs.stipend } else { limit })
    }

    fn call(&mut self, site: u32) -> Result<(), Left> {
        let site = self.tree.sites[site as usize];
        let to = self.address(site.to);
        if self.evm.precompiles.contains(&to) {
            return Err(Left::Path);
        }
        let callee = self.journal().load_callee(to)?;
        self.look_at(&callee)?;
        let gas = self.begin_call(site.kind, &callee, site.gas, site.has_value)?;
        let value = if site.has_value { self.word(site.value) } else { U256::ZERO };
        let caller = self.frame.account;
        let journal = self.journal();
        let checkpoint = journal.checkpoint();
        let (account, address) = match site.kind {
            Kind::Delegate => (caller, self.frame.address),
            Kind::Call | Kind::Static => {
                if journal.move_value(caller, callee.position, value).is_some() {
                    return Err(Left::Path);
                }
                (callee.position, to)
            }
        };
        let frame = Frame { account, address, model: self.model, gas, refund: 0, checkpoint };
        self.callers.push(std::mem::replace(&mut self.frame, frame));
        Ok(())
    }

    fn finish_call(&mut self, success: bool) -> Result<(), Left> {
        let Some(caller) = self.callers.pop() else { unreachable!("a path returns from calls that it made") };
        let Frame { gas, refund, checkpoint, .. } = std::mem::replace(&mut self.frame, caller);
        self.end(success, checkpoint);
        self.frame.gas += gas;
        if success {
            self.frame.refund += refund;
        }
        Ok(())
    }

    fn end(&mut self, success: bool, checkpoint: JournalCheckpoint) {
        if success {
            self.journal().checkpoint_commit();
        } else {
            self.journal().checkpoint_revert(checkpoint);
        }
    }

    fn precompile(&mut self, site: u32) -> Result<(), Left> {
        let site = self.tree.precompiles[site as usize];
        let to = self.address(site.to);
        let callee = self.journal().load_callee(to)?;
        let gas_limit = self.begin_call(site.kind, &callee, site.gas, false)?;
        self.gather(site.input);
        let own = self.frame.address;
        let (target_address, value, scheme) = match site.kind {
            Kind::Call => (to, CallValue::Transfer(U256::ZERO), CallScheme::Call),
            Kind::Static => (to, CallValue::Transfer(U256::ZERO), CallScheme::StaticCall),
            Kind::Delegate => (own, CallValue::Apparent(U256::ZERO), CallScheme::DelegateCall),
        };
        let inputs = CallInputs {
            input: CallInput::Bytes(Bytes::copy_from_slice(&self.buffer)),
            return_memory_offset: 0..0,
            gas_limit,
            reservoir: 0,
            bytecode_address: to,
            known_bytecode: Default::default(),
            target_address,
            caller: own,
            value,
            scheme,
            is_static: site.kind == Kind::Static,
            charged_new_account_state_gas: false,
        };
        let caller = self.frame.account;
        let checkpoint = self.journal().checkpoint();
        if site.kind != Kind::Delegate && self.journal().move_value(caller, callee.position, U256::ZERO).is_some() {
            return Err(Left::Path);
        }
        let LeanEvm { ctx, precompiles, .. } = &mut *self.evm;
        let result = PrecompileProvider::<LeanContext<'b>>::run(precompiles, ctx, &inputs);
        // A precompile that is not there any more, fails or answers at another length is another way.
        let Ok(Some(result)) = result else { return Err(Left::Path) };
        if !result.result.is_ok() || result.output.len() != site.output as usize {
            return Err(Left::Path);
        }
        self.end(true, checkpoint);
        self.frame.gas += result.gas.remaining();
        self.frame.refund += result.gas.refunded();
        for (word, bytes) in result.output.chunks(32).enumerate() {
            self.set(site.dst + word as u32, word_at(bytes, 0));
        }
        Ok(())
    }
}

fn elsewhere(other: u32) -> Result<usize, Left> {
    if other == NOWHERE { Err(Left::Path) } else { Ok(other as usize) }
}

fn given(context: &LeanContext<'_>, what: Given) -> U256 {
    let (tx, block) = (&context.tx, &context.block);
    let word = |address: Address| U256::from_be_bytes(address.into_word().0);
    match what {
        Given::Sender => word(tx.caller()),
        Given::Recipient => tx.kind().to().map_or(U256::ZERO, |to| word(*to)),
        Given::Value => tx.value(),
        Given::GasPrice => context.effective_gas_price(),
        Given::ChainId => context.chain_id(),
        Given::Beneficiary => word(block.beneficiary()),
        Given::Timestamp => context.timestamp(),
        Given::Number => context.block_number(),
        Given::Random if context.cfg.spec().is_enabled_in(SpecId::MERGE) => context.prevrandao().unwrap_or_default(),
        Given::Random => context.difficulty(),
        Given::GasLimit => U256::from(block.gas_limit()),
        Given::BaseFee => context.basefee(),
        Given::BlobBaseFee => context.blob_gasprice(),
    }
}
