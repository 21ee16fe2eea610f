//! Which function of which contract used which field, and what was hashed on the way: what turns numbers of slots into names.

use super::{recorder::Recorder, start};
use crate::{AccessKey, BlockError, ChainSpec, RecoveredBlock, block_checks::check_block};
use alloy_evm::{Evm, block::BlockExecutor};
use alloy_primitives::{Address, B256, Bytes, Selector, U256, keccak256, map::B256Map};
use revm::{
    Database, DatabaseRef, Inspector,
    bytecode::opcode,
    context::{BlockEnv, CfgEnv, Context, TxEnv},
    interpreter::{
        CallInputs, CallOutcome, CreateInputs, CreateOutcome, Interpreter,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps, LoopControl},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Longest input of a hash that is kept, in bytes: longer ones are no keys of mappings.
const LONGEST_INPUT: usize = 1024;
/// Hashes of a block that are kept, at most.
const MOST_HASHES: usize = 1 << 20;

/// A function of a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Function {
    /// Whose code ran: behind a proxy, the implementation.
    pub code: Address,
    /// What was called; `None` for a constructor, and for calls with less than four bytes of data.
    pub selector: Option<Selector>,
}

/// Indices of the transactions in which a function used a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// It was read.
    pub readers: BTreeSet<usize>,
    /// It was written, even if with the same value or if that was reverted.
    pub writers: BTreeSet<usize>,
}

/// What the code of a block did with the state.
#[derive(Clone, Debug, Default)]
pub struct CallTrace {
    /// Of each slot, and of each balance that code looked at, the functions that used it.
    pub uses: BTreeMap<AccessKey, BTreeMap<Function, Uses>>,
    /// Inputs of the hashes that were computed: keys of mappings, numbers of arrays.
    pub preimages: B256Map<Bytes>,
}

/// Executes a block serially and watches its calls.
///
/// # Errors
/// Those of the execution.
pub fn trace_calls<S: DatabaseRef + Sync>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
) -> Result<CallTrace, BlockError> {
    let rules = spec.at(block.header());
    check_block(block, &rules)?;
    let mut recorder = Recorder::new(snapshot, false);
    let mut current = None;
    let result = (|| {
        let mut executor = start(&mut recorder, block, spec, &rules, CallObserver::default())?;
        for (index, transaction) in block.transactions_recovered().enumerate() {
            current = Some(index);
            executor.evm.enable_inspector();
            let observer = executor.evm.inspector_mut();
            observer.transaction = index;
            observer.frames.clear();
            executor.execute_transaction(transaction)?;
        }
        Ok(std::mem::take(&mut executor.evm.inspector_mut().trace))
    })();
    recorder.sort_failure(result, current)
}

/// Collects a [`CallTrace`].
#[derive(Debug, Default)]
struct CallObserver {
    trace: CallTrace,
    transaction: usize,
    frames: Vec<Function>,
}

type EvmContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB>;

impl CallObserver {
    fn uses(&mut self, key: AccessKey) -> Option<&mut Uses> {
        let function = *self.frames.last()?;
        Some(self.trace.uses.entry(key).or_default().entry(function).or_default())
    }

    fn read(&mut self, key: AccessKey) {
        let transaction = self.transaction;
        if let Some(uses) = self.uses(key) {
            uses.readers.insert(transaction);
        }
    }

    fn hash(&mut self, interpreter: &Interpreter<EthInterpreter>, offset: U256, size: U256) {
        let (Ok(offset), Ok(size)) = (usize::try_from(offset), usize::try_from(size)) else { return };
        if !(32..=LONGEST_INPUT).contains(&size) || self.trace.preimages.len() >= MOST_HASHES {
            return;
        }
        // Memory grows when the instruction runs; what is not there yet is zero.
        let mut input = vec![0; size];
        let there = interpreter.memory.len().saturating_sub(offset).min(size);
        if there > 0 {
            input[..there].copy_from_slice(&interpreter.memory.slice_len(offset, there));
        }
        let hash: B256 = keccak256(&input);
        self.trace.preimages.entry(hash).or_insert_with(|| input.into());
    }
}

impl<DB: Database> Inspector<EvmContext<DB>> for CallObserver {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _context: &mut EvmContext<DB>) {
        if !interpreter.bytecode.is_not_end() {
            return;
        }
        let this = interpreter.input.target_address();
        // The n-th word from the top; the instruction fails anyway where there is none.
        let word = |depth: usize| {
            let stack = interpreter.stack.data();
            stack.len().checked_sub(depth + 1).map(|index| stack[index])
        };
        match interpreter.bytecode.opcode() {
            opcode::SLOAD => {
                if let Some(slot) = word(0) {
                    self.read(AccessKey::Storage(this, slot));
                }
            }
            opcode::SSTORE => {
                let transaction = self.transaction;
                if let Some(slot) = word(0)
                    && let Some(uses) = self.uses(AccessKey::Storage(this, slot))
                {
                    uses.writers.insert(transaction);
                }
            }
            opcode::BALANCE => {
                if let Some(account) = word(0) {
                    self.read(AccessKey::Balance(Address::from_word(account.into())));
                }
            }
            opcode::SELFBALANCE => self.read(AccessKey::Balance(this)),
            opcode::KECCAK256 => {
                if let (Some(offset), Some(size)) = (word(0), word(1)) {
                    self.hash(interpreter, offset, size);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, context: &mut EvmContext<DB>, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let data = inputs.input.as_bytes_local(&context.local);
        let selector = data.get(..4).map(Selector::from_slice);
        self.frames.push(Function { code: inputs.bytecode_address, selector });
        None
    }

    fn call_end(&mut self, _context: &mut EvmContext<DB>, _inputs: &CallInputs, _outcome: &mut CallOutcome) {
        self.frames.pop();
    }

    fn create(&mut self, context: &mut EvmContext<DB>, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let nonce = context.journaled_state.inner.state.get(&inputs.caller()).map_or(0, |creator| creator.info.nonce);
        self.frames.push(Function { code: inputs.created_address(nonce), selector: None });
        None
    }

    fn create_end(&mut self, _context: &mut EvmContext<DB>, _inputs: &CreateInputs, _outcome: &mut CreateOutcome) {
        self.frames.pop();
    }
}
