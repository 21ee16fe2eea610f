//! What a transaction really touched, recorded call by call for learning.
//!
//! The recorder drives [`ObservedAccesses`] while the transaction runs: [`enter`](ObservedAccesses::enter) and
//! [`leave`](ObservedAccesses::leave) around every inner call, and one method per kind of access in between. Calls
//! matter because templates are learned per call: `transferFrom` of a token is learned once, whichever router calls it.
//! A recorder that knows nothing of calls may attribute all accesses to the transaction itself; it then learns less.

use super::AccountFields;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Entries per transaction after which recording stops: what is learned from a giant transaction stays bounded.
const MAX_ENTRIES: usize = 4096;
/// Inner calls per transaction that are recorded.
const MAX_CALLS: usize = 512;
/// Codes per transaction that are noted.
const MAX_CODES: usize = 64;
/// Bytes of call data and return data kept per transaction.
const MAX_BYTES: usize = 256 * 1024;
/// Bytes of return data kept per call.
const MAX_OUTPUT: usize = 256;

/// A storage slot that was read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedSlot {
    /// The call that touched it: 0 is the transaction itself, `i` is `calls[i - 1]`.
    pub call: u32,
    /// Owner of the slot.
    pub address: Address,
    /// Slot number.
    pub slot: U256,
    /// Value before the access.
    pub value: U256,
    /// Whether it was written.
    pub written: bool,
    /// Value after a write.
    pub new_value: U256,
}

/// An account of which fields were observed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObservedAccount {
    /// The call that touched it, as in [`ObservedSlot::call`].
    pub call: u32,
    /// The account.
    pub address: Address,
    /// What was observed or changed.
    pub fields: AccountFields,
}

/// How an inner call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CallKind {
    /// `CALL` or `STATICCALL`: the callee works on its own storage.
    Call,
    /// `DELEGATECALL` or `CALLCODE`: the callee's code works on the caller's storage.
    Delegate,
    /// `CREATE` or `CREATE2`.
    Create,
}

/// An inner call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedCall {
    /// The call that made it, as in [`ObservedSlot::call`].
    pub parent: u32,
    /// How it was made.
    pub kind: CallKind,
    /// Account whose code runs.
    pub code_address: Address,
    /// Hash of that code (of the init code for a creation).
    pub code_hash: B256,
    /// Account whose storage is used.
    pub this: Address,
    /// `msg.sender` inside.
    pub caller: Address,
    /// `msg.value` inside, in wei.
    pub value: U256,
    /// Call data, as a range of [`ObservedAccesses::bytes`].
    pub input: Range<u32>,
    /// Start of the return data, as a range of [`ObservedAccesses::bytes`].
    pub output: Range<u32>,
    /// Whether it ended without a revert.
    pub success: bool,
}

/// What an inner call is made with; see [`ObservedCall`] for the fields.
#[derive(Clone, Copy, Debug)]
pub struct CallStart<'a> {
    /// How it is made.
    pub kind: CallKind,
    /// Account whose code runs.
    pub code_address: Address,
    /// Hash of that code.
    pub code_hash: B256,
    /// Account whose storage is used.
    pub this: Address,
    /// `msg.sender` inside.
    pub caller: Address,
    /// `msg.value` inside, in wei.
    pub value: U256,
    /// Call data.
    pub input: &'a [u8],
}

/// Everything that one transaction touched, in order; reused from transaction to transaction.
#[derive(Clone, Debug, Default)]
pub struct ObservedAccesses {
    /// Slots in order of first access within each call.
    pub slots: Vec<ObservedSlot>,
    /// Accounts.
    pub accounts: Vec<ObservedAccount>,
    /// Inner calls in order of their start.
    pub calls: Vec<ObservedCall>,
    /// Call data and return data of `calls`.
    pub bytes: Vec<u8>,
    /// Codes that ran, by hash.
    pub codes: Vec<(B256, Bytes)>,
    /// Gas used by the transaction.
    pub gas_used: u64,
    /// Whether the transaction succeeded.
    pub success: bool,
    /// Open calls, innermost last; `u32::MAX` for one that is not recorded.
    open: Vec<u32>,
}

impl ObservedAccesses {
    /// Forgets everything, keeps the buffers.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.accounts.clear();
        self.calls.clear();
        self.bytes.clear();
        self.codes.clear();
        self.open.clear();
        self.gas_used = 0;
        self.success = false;
    }

    /// The call that is running, or `None` when it is beyond the bounds of the recording.
    fn current(&self) -> Option<u32> {
        match self.open.last() {
            None => Some(0),
            Some(&u32::MAX) => None,
            Some(&call) => Some(call),
        }
    }

    /// A code that runs, if it was not noted already.
    pub fn note_code(&mut self, hash: B256, code: impl FnOnce() -> Bytes) {
        if self.codes.len() < MAX_CODES && !self.codes.iter().any(|(seen, _)| *seen == hash) {
            self.codes.push((hash, code()));
        }
    }

    /// The code with this hash, if it was noted.
    pub fn code(&self, hash: B256) -> Option<&Bytes> {
        self.codes.iter().find(|(seen, _)| *seen == hash).map(|(_, code)| code)
    }

    /// An inner call begins.
    pub fn enter(&mut self, start: CallStart<'_>) {
        let parent = self.current();
        let (Some(parent), true) =
            (parent, self.calls.len() < MAX_CALLS && self.bytes.len() + start.input.len() <= MAX_BYTES)
        else {
            self.open.push(u32::MAX);
            return;
        };
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(start.input);
        self.calls.push(ObservedCall {
            parent,
            kind: start.kind,
            code_address: start.code_address,
            code_hash: start.code_hash,
            this: start.this,
            caller: start.caller,
            value: start.value,
            input: from..self.bytes.len() as u32,
            output: 0..0,
            success: false,
        });
        self.open.push(self.calls.len() as u32);
    }

    /// The innermost call ends.
    pub fn leave(&mut self, output: &[u8], success: bool) {
        let Some(call) = self.open.pop() else { return };
        if call == u32::MAX {
            return;
        }
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&output[..output.len().min(MAX_OUTPUT)]);
        let range = from..self.bytes.len() as u32;
        if let Some(call) = self.calls.get_mut(call as usize - 1) {
            call.output = range;
            call.success = success;
        }
    }

    /// A slot is read.
    pub fn read_slot(&mut self, address: Address, slot: U256, value: U256) {
        let Some(call) = self.current() else { return };
        if self.slots.len() < MAX_ENTRIES && !self.seen_lately(call, address, slot) {
            self.slots.push(ObservedSlot { call, address, slot, value, written: false, new_value: value });
        }
    }

    /// A slot is written; `value` is what it held before.
    pub fn write_slot(&mut self, address: Address, slot: U256, value: U256, new_value: U256) {
        let Some(call) = self.current() else { return };
        let seen = self
            .slots
            .iter_mut()
            .rev()
            .take(64)
            .find(|seen| seen.call == call && seen.slot == slot && seen.address == address);
        if let Some(seen) = seen {
            seen.written = true;
            seen.new_value = new_value;
        } else if self.slots.len() < MAX_ENTRIES {
            self.slots.push(ObservedSlot { call, address, slot, value, written: true, new_value });
        }
    }

    /// Fields of an account are observed or changed.
    pub fn touch_account(&mut self, address: Address, fields: AccountFields) {
        let Some(call) = self.current() else { return };
        if let Some(seen) =
            self.accounts.iter_mut().rev().take(64).find(|seen| seen.call == call && seen.address == address)
        {
            seen.fields = seen.fields.union(fields);
        } else if self.accounts.len() < MAX_ENTRIES {
            self.accounts.push(ObservedAccount { call, address, fields });
        }
    }

    fn seen_lately(&self, call: u32, address: Address, slot: U256) -> bool {
        let lately = self.slots.iter().rev().take(64);
        lately.into_iter().any(|seen| seen.call == call && seen.slot == slot && seen.address == address)
    }
}
