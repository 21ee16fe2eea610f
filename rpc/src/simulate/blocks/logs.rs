//! Logs of a simulated transaction, with transfers of ether among them if that is wanted.
//!
//! What a call logged counts only if the call and all above it succeed. Indices are given to every log when it is emitted, so the logs of calls
//! that failed leave gaps, as in geth.

use alloy_primitives::{Address, B256, Log, LogData, U256, address, b256};
use revm::{
    Inspector,
    context_interface::{ContextTr, JournalTr},
    interpreter::{CallInputs, CallOutcome, CreateInputs, CreateOutcome},
};

/// Who seems to emit the logs of transfers (ERC-7528).
const ETHER: Address = address!("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
/// `Transfer(address,address,uint256)`.
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// A log with its index in the block.
pub(super) type IndexedLog = (usize, Log);

/// Watches transactions and keeps what they log.
#[derive(Debug)]
pub(super) struct LogWatcher {
    with_transfers: bool,
    next_index: usize,
    /// Logs of the calls that are open, the outermost first.
    open: Vec<Vec<IndexedLog>>,
    logs: Vec<IndexedLog>,
}

impl LogWatcher {
    pub(super) const fn new(with_transfers: bool) -> Self {
        Self { with_transfers, next_index: 0, open: Vec::new(), logs: Vec::new() }
    }

    /// The logs of the transaction that ended.
    pub(super) fn take(&mut self) -> Vec<IndexedLog> {
        self.open.clear();
        std::mem::take(&mut self.logs)
    }

    fn add(&mut self, log: Log) {
        let index = self.next_index;
        self.next_index += 1;
        if let Some(call) = self.open.last_mut() {
            call.push((index, log));
        }
    }

    fn transfer(&mut self, from: Address, to: Address, value: U256) {
        if self.with_transfers && !value.is_zero() {
            let topics = vec![TRANSFER, from.into_word(), to.into_word()];
            let data = value.to_be_bytes::<32>().into();
            self.add(Log { address: ETHER, data: LogData::new_unchecked(topics, data) });
        }
    }

    fn begin(&mut self) {
        self.open.push(Vec::new());
    }

    fn end(&mut self, succeeded: bool) {
        let Some(logs) = self.open.pop().filter(|_| succeeded) else { return };
        self.open.last_mut().unwrap_or(&mut self.logs).extend(logs);
    }
}

impl<CTX: ContextTr> Inspector<CTX> for LogWatcher {
    fn log(&mut self, _context: &mut CTX, log: Log) {
        self.add(log);
    }

    fn call(&mut self, _context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        self.begin();
        if let Some(value) = inputs.transfer_value() {
            self.transfer(inputs.transfer_from(), inputs.transfer_to(), value);
        }
        None
    }

    fn call_end(&mut self, _context: &mut CTX, _inputs: &CallInputs, outcome: &mut CallOutcome) {
        self.end(outcome.result.is_ok());
    }

    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        self.begin();
        // The sender's nonce is not raised yet. A read that fails will fail again where it counts.
        if self.with_transfers
            && let Ok(creator) = context.journal_mut().load_account(inputs.caller())
        {
            let address = inputs.created_address(creator.data.info.nonce);
            self.transfer(inputs.caller(), address, inputs.value());
        }
        None
    }

    fn create_end(&mut self, _context: &mut CTX, _inputs: &CreateInputs, outcome: &mut CreateOutcome) {
        self.end(outcome.result.is_ok());
    }

    fn selfdestruct(&mut self, contract: Address, target: Address, value: U256) {
        self.transfer(contract, target, value);
    }
}
