//! Recording a transaction for the predictor: which call touched which slot, and how slot numbers were hashed.
//!
//! Only transactions that the predictor wants to learn from are recorded; for all others this costs a branch.

use crate::predict::{AccountFields, CallKind, CallStart, KeccakPreimages, ObservedAccesses};
use alloy_primitives::{Address, B256};
use revm::interpreter::{CallScheme, FrameInput};

/// What the predictor learns from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lesson {
    pub(crate) observed: ObservedAccesses,
    pub(crate) preimages: KeccakPreimages,
}

impl Lesson {
    /// Notes an inner call or creation that begins. `input` is the call data.
    pub(super) fn enter(&mut self, frame: &FrameInput, input: &[u8]) {
        match frame {
            FrameInput::Call(inputs) => {
                if inputs.transfers_value() {
                    self.observed.touch_account(inputs.caller, AccountFields::FUNDS);
                    self.observed.touch_account(inputs.target_address, AccountFields::CREDIT);
                }
                let (code_hash, code) = &inputs.known_bytecode;
                self.observed.note_code(*code_hash, || code.original_bytes());
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
                    input,
                });
            }
            FrameInput::Create(inputs) => {
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
            FrameInput::Empty => {}
        }
    }
}
