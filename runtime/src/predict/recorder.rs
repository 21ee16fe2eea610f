//! Recording what a transaction touches, as an inspector for revm.
//!
//! It slows the transaction down to about half its speed, so it is for those that
//! [`Predictor::wants`](super::Predictor::wants) to see. Anything else that can observe storage, hashes and calls may drive
//! [`ObservedAccesses`] and [`KeccakPreimages`] in the same way.

use super::{AccountFields, CallKind, CallStart, KeccakPreimages, MAX_CACHED_INPUT, ObservedAccesses};
use alloy_primitives::{Address, B256, U256, keccak256};
use revm::{
    Inspector,
    bytecode::opcode,
    context_interface::{ContextTr, JournalTr},
    inspector::JournalExt,
    interpreter::{
        CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, Interpreter,
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, Jumps, MemoryTr},
    },
};

/// What the instruction that is running will have touched when it ends.
#[derive(Clone, Copy, Debug)]
enum Pending {
    Nothing,
    Load { slot: U256 },
    Store { slot: U256, value: U256 },
    Hash { offset: usize, length: usize },
}

/// Records accesses, hashes and calls of one transaction after the other.
#[derive(Clone, Debug)]
pub struct AccessRecorder {
    /// What the transaction touched. Gas used and success are for the caller to fill in.
    pub observed: ObservedAccesses,
    /// The hashes it computed.
    pub preimages: KeccakPreimages,
    pending: Pending,
    depth: usize,
}

impl Default for AccessRecorder {
    fn default() -> Self {
        Self {
            observed: ObservedAccesses::default(),
            preimages: KeccakPreimages::default(),
            pending: Pending::Nothing,
            depth: 0,
        }
    }
}

impl AccessRecorder {
    /// Forgets the last transaction, keeps the buffers.
    pub fn clear(&mut self) {
        self.observed.clear();
        self.preimages.clear();
        self.pending = Pending::Nothing;
        self.depth = 0;
    }
}

impl<CTX: ContextTr<Journal: JournalExt>> Inspector<CTX, EthInterpreter> for AccessRecorder {
    fn step(&mut self, interpreter: &mut Interpreter<EthInterpreter>, _: &mut CTX) {
        let stack = |index| interpreter.stack.peek(index).ok();
        self.pending = match interpreter.bytecode.opcode() {
            opcode::SLOAD => stack(0).map_or(Pending::Nothing, |slot| Pending::Load { slot }),
            opcode::SSTORE => match (stack(0), stack(1)) {
                (Some(slot), Some(value)) => Pending::Store { slot, value },
                _ => Pending::Nothing,
            },
            opcode::KECCAK256 => match (stack(0), stack(1)) {
                (Some(offset), Some(length)) if length <= U256::from(MAX_CACHED_INPUT) && !length.is_zero() => {
                    usize::try_from(offset)
                        .map_or(Pending::Nothing, |offset| Pending::Hash { offset, length: length.to::<usize>() })
                }
                _ => Pending::Nothing,
            },
            opcode::SELFBALANCE => {
                self.observed.touch_account(interpreter.input.target_address(), AccountFields::BALANCE);
                Pending::Nothing
            }
            instruction @ (opcode::BALANCE
            | opcode::EXTCODEHASH
            | opcode::EXTCODESIZE
            | opcode::EXTCODECOPY
            | opcode::SELFDESTRUCT) => {
                if let Some(word) = stack(0) {
                    let address = Address::from_word(B256::from(word));
                    let fields = match instruction {
                        opcode::BALANCE => AccountFields::BALANCE,
                        opcode::SELFDESTRUCT => AccountFields::CREDIT,
                        _ => AccountFields::CODE,
                    };
                    self.observed.touch_account(address, fields);
                    if instruction == opcode::SELFDESTRUCT {
                        let fields = AccountFields::LIFE.union(AccountFields::BALANCE);
                        self.observed.touch_account(interpreter.input.target_address(), fields);
                    }
                }
                Pending::Nothing
            }
            _ => Pending::Nothing,
        };
    }

    fn step_end(&mut self, interpreter: &mut Interpreter<EthInterpreter>, context: &mut CTX) {
        let this = interpreter.input.target_address();
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Load { slot } => {
                if let Ok(value) = interpreter.stack.peek(0) {
                    self.observed.read_slot(this, slot, value);
                }
            }
            Pending::Store { slot, value } => {
                let journal = context.journal_ref().evm_state();
                let loaded = journal.get(&this).and_then(|account| account.storage.get(&slot));
                // A store that ran out of gas before the slot was loaded touched nothing.
                if let Some(loaded) = loaded {
                    self.observed.write_slot(this, slot, loaded.original_value, value);
                }
            }
            Pending::Hash { offset, length } => {
                if let Some(end) = offset.checked_add(length)
                    && end <= interpreter.memory.size()
                {
                    let input = interpreter.memory.slice(offset..end);
                    self.preimages.record(&input, keccak256(&*input));
                }
            }
        }
    }

    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.depth += 1;
        if inputs.transfers_value() && self.depth > 1 {
            self.observed.touch_account(inputs.caller, AccountFields::FUNDS);
            self.observed.touch_account(inputs.target_address, AccountFields::CREDIT);
        }
        let (code_hash, code) = &inputs.known_bytecode;
        self.observed.note_code(*code_hash, || code.original_bytes());
        if self.depth > 1 {
            let input = inputs.input.as_bytes(context);
            self.observed.enter(CallStart {
                kind: match inputs.scheme {
                    CallScheme::Call | CallScheme::StaticCall => CallKind::Call,
                    CallScheme::DelegateCall | CallScheme::CallCode => CallKind::Delegate,
                },
                code_address: inputs.bytecode_address,
                code_hash: inputs.known_bytecode.0,
                this: inputs.target_address,
                caller: inputs.caller,
                value: inputs.call_value(),
                input: &input,
            });
        }
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        if self.depth > 1 {
            self.observed.leave(&outcome.result.output, outcome.result.is_ok());
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.depth += 1;
        if self.depth > 1 {
            let caller = inputs.caller();
            self.observed.touch_account(caller, AccountFields::NONCE.union(AccountFields::FUNDS));
            self.observed.enter(CallStart {
                kind: CallKind::Create,
                code_address: Address::ZERO,
                code_hash: B256::ZERO,
                this: Address::ZERO,
                caller,
                value: inputs.value(),
                input: &[],
            });
        }
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        if self.depth > 1 {
            self.observed.leave(&[], outcome.result.is_ok());
        }
        self.depth = self.depth.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{BlockContext, KeccakCache, Prediction, Predictor, TransactionShape},
        *,
    };
    use revm::{
        Context, InspectEvm, MainBuilder, MainContext,
        bytecode::Bytecode,
        context::TxEnv,
        database::{CacheDB, EmptyDB},
        primitives::{TxKind, hardfork::SpecId, hex},
        state::{AccountInfo, EvmState},
    };
    use std::collections::BTreeSet;

    const OUTER: Address = Address::repeat_byte(0xaa);
    const INNER: Address = Address::repeat_byte(0xbb);

    /// Counts in a mapping from the caller to a number, at slot 0; with `target`, calls it and asks for the balance of the caller.
    fn counter(target: Option<Address>) -> Bytecode {
        // mstore(0, caller) mstore(32, 0) h = keccak256(0, 64) sstore(h, sload(h) + 1)
        let mut code = hex!("335f525f60205260405f2080546001019055").to_vec();
        if let Some(target) = target {
            // call(gas, target, 0, 0, 0, 0, 0) then balance(caller)
            code.extend_from_slice(&hex!("5f5f5f5f5f73"));
            code.extend_from_slice(target.as_slice());
            code.extend_from_slice(&hex!("5af15033315000"));
        }
        Bytecode::new_raw(code.into())
    }

    /// Runs a call of `OUTER` and gives what was recorded and what revm loaded.
    fn run(sender: Address) -> (AccessRecorder, EvmState, B256) {
        let mut database = CacheDB::new(EmptyDB::default());
        let mut outer_hash = B256::ZERO;
        for (address, code) in [(OUTER, counter(Some(INNER))), (INNER, counter(None))] {
            let info = AccountInfo::from_bytecode(code);
            if address == OUTER {
                outer_hash = info.code_hash;
            }
            database.insert_account_info(address, info);
        }
        let mut evm = Context::mainnet()
            .with_db(database)
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::CANCUN))
            .build_mainnet_with_inspector(AccessRecorder::default());
        let transaction = TxEnv { caller: sender, kind: TxKind::Call(OUTER), gas_limit: 200_000, ..TxEnv::default() };
        let outcome = evm.inspect_tx(transaction).expect("a valid transaction");
        assert!(outcome.result.is_success(), "{:?}", outcome.result);
        let mut recorder = evm.inspector;
        recorder.observed.success = true;
        recorder.observed.gas_used = outcome.result.tx_gas_used();
        (recorder, outcome.state, outer_hash)
    }

    fn recorded(recorder: &AccessRecorder) -> BTreeSet<(Address, U256)> {
        recorder.observed.slots.iter().map(|slot| (slot.address, slot.slot)).collect()
    }

    #[test]
    fn what_revm_loaded_is_recorded_in_its_call() {
        let (recorder, state, _) = run(Address::repeat_byte(1));
        let loaded: BTreeSet<_> =
            state.iter().flat_map(|(address, account)| account.storage.keys().map(|slot| (*address, *slot))).collect();
        assert_eq!(recorded(&recorder), loaded);
        assert_eq!(loaded.len(), 2);
        let calls: Vec<_> = recorder.observed.slots.iter().map(|slot| (slot.call, slot.written)).collect();
        assert_eq!(calls, [(0, true), (1, true)]);
        assert_eq!(recorder.observed.calls[0].caller, OUTER);
        let balance = recorder.observed.accounts.iter().find(|account| account.address == Address::repeat_byte(1));
        assert_eq!(balance.map(|account| account.fields), Some(AccountFields::BALANCE));
    }

    #[test]
    fn what_is_recorded_once_is_foreseen_for_another_sender() {
        let shape = |sender, code_hash| TransactionShape {
            sender,
            to: Some(OUTER),
            code_hash,
            input: &[],
            value: U256::ZERO,
            gas_limit: 200_000,
            block: BlockContext::default(),
        };
        let mut predictor = Predictor::default();
        let (first, _, code_hash) = run(Address::repeat_byte(1));
        predictor.learn(&shape(Address::repeat_byte(1), code_hash), &first.observed, &first.preimages);
        let (second, ..) = run(Address::repeat_byte(2));
        let mut prediction = Prediction::default();
        let other = shape(Address::repeat_byte(2), code_hash);
        predictor.predict(&other, &(), &mut KeccakCache::default(), &mut prediction);
        let foreseen: BTreeSet<_> = prediction.slots().map(|(address, slot, _)| (address, slot)).collect();
        assert_eq!(foreseen, recorded(&second));
        assert_eq!(prediction.gas, second.observed.gas_used);
    }
}
