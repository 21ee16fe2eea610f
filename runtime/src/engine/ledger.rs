//! The ordered commit: one cursor over the transactions of the block.
//!
//! A transaction is final when all before it are and everything it relied on is true. What ran ahead is validated; what fails, and what never ran
//! ahead, runs here on the committed state, where it cannot be wrong. Nobody owns the cursor: whoever finishes something tries to take
//! it and commits as far as it goes.

use super::{
    apply::{apply, pay_fee},
    block_context::BlockContext,
    exact::ListCheck,
    native::{self, TRANSFER_GAS},
    record::TransactionRecord,
    records::Records,
    report::SpanKind,
    slots::Class,
    timeline::Timeline,
    transfer_block, transfer_run,
};
use crate::{
    AccountDiff, Receipt,
    evm::{self, LeanError, LeanEvm},
    state::SnapshotError,
};
use alloy_consensus::Transaction as _;
use alloy_evm::FromRecoveredTx;
use alloy_primitives::U256;
use revm::{
    context::{Cfg, TxEnv, result::EVMError},
    context_interface::result::ExecutionResult,
};
use std::{cmp::min, sync::atomic::Ordering};

/// Why the ordered commit stopped before the end of the block.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The block looks invalid, or something happened that cannot be explained: the serial path decides.
    Doubt(String),
    /// The parent state cannot be read.
    Database(SnapshotError),
}

/// Counters of the commit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Plain transfers done without the EVM.
    pub(crate) native: u32,
    /// Executed on the EVM at their turn, never ahead of it.
    pub(crate) ordered: u32,
    /// Executed ahead and found valid.
    pub(crate) ahead: u32,
    /// Executed ahead, found wrong, executed again.
    pub(crate) retried: u32,
    /// Executed ahead without a result, executed again.
    pub(crate) abandoned: u32,
}

impl Counters {
    /// Executions ahead that came to nothing.
    pub(crate) const fn wrong(&self) -> u32 {
        self.retried + self.abandoned
    }
}

/// State of the ordered commit.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Transactions committed so far.
    pub(crate) next: usize,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) gas_used: u64,
    pub(crate) stop: Option<Stop>,
    pub(crate) counters: Counters,
    /// The comparison with a supplied access list.
    pub(crate) check: Option<ListCheck>,
    /// Changed accounts that are not in the block's state: of a block of plain transfers.
    pub(crate) settled: Vec<AccountDiff>,
    /// Fees of the plain transfers since the last other transaction (wei).
    pending_fees: Option<U256>,
}

impl Ledger {
    pub(crate) fn new(transactions: usize, check: Option<ListCheck>) -> Self {
        Self { receipts: Vec::with_capacity(transactions), check, ..Self::default() }
    }

    /// Commits the next transaction, which must be ready. False when the commit has stopped.
    pub(crate) fn commit_next<'b>(
        &mut self,
        block: &BlockContext<'b>,
        evm: &mut LeanEvm<'b>,
        records: &mut Records<'_>,
    ) -> bool {
        let position = self.next;
        let tx = &block.block.transactions()[position];
        let available = block.env.gas_limit - self.gas_used;
        if min(tx.gas_limit(), block.cfg.tx_gas_limit_cap()) > available {
            self.stop = Some(Stop::Doubt(format!("transaction {position} does not fit into the block")));
            return false;
        }
        let slot = &block.slots[position];
        if slot.class() == Class::Native && !block.keep_records && self.transfer(block, position) {
            self.next += 1;
            return true;
        }
        self.pay_pending_fees(block);
        let mut record = slot.take_record().unwrap_or_else(|| records.take());
        let outcome = self.commit_into(block, evm, position, &mut record);
        if block.keep_records {
            slot.put_record(record);
        } else {
            records.give(record);
        }
        match outcome {
            Ok(()) => {
                self.next += 1;
                true
            }
            Err(stop) => {
                self.stop = Some(stop);
                false
            }
        }
    }

    /// Commits the transaction with `record` as its record, compares it with a supplied access list, and writes the receipt.
    fn commit_into<'b>(
        &mut self,
        block: &BlockContext<'b>,
        evm: &mut LeanEvm<'b>,
        position: usize,
        record: &mut TransactionRecord,
    ) -> Result<(), Stop> {
        self.commit_record(block, evm, position, record)?;
        if let Some(check) = &mut self.check {
            check.transaction(record, block.beneficiary, block.state);
            if let Some(mismatch) = check.mismatch() {
                return Err(Stop::Doubt(format!(
                    "the supplied access list is wrong at transaction {position}: {mismatch}"
                )));
            }
        }
        self.gas_used += record.gas_used;
        self.receipts.push(Receipt {
            tx_type: block.block.transactions()[position].tx_type(),
            success: record.success,
            cumulative_gas_used: self.gas_used,
            logs: std::mem::take(&mut record.logs),
        });
        Ok(())
    }

    /// Does a plain transfer of which nobody wants to know more than its receipt. False when the EVM must decide.
    fn transfer(&mut self, block: &BlockContext<'_>, position: usize) -> bool {
        let Some(accounts) = *block.slots[position].native.lock() else { return false };
        let index = position as u32 + 1;
        if accounts.sender.is(block.beneficiary) || accounts.recipient.is(block.beneficiary) {
            self.pay_pending_fees(block);
        }
        let tx = &block.block.transactions()[position];
        let Some(settled) = native::transfer(tx, accounts, &block.transfers, index) else { return false };
        self.pending_fees = Some(self.pending_fees.unwrap_or_default() + settled.fee);
        self.counters.native += 1;
        self.gas_used += TRANSFER_GAS;
        self.receipts.push(Receipt {
            tx_type: tx.tx_type(),
            success: true,
            cumulative_gas_used: self.gas_used,
            logs: Vec::new(),
        });
        true
    }

    /// Takes over what a long run of plain transfers did.
    pub(crate) fn add_run(&mut self, done: &transfer_run::Done) {
        self.pending_fees = Some(self.pending_fees.unwrap_or_default() + done.fees);
        self.counters.native += done.transfers as u32;
        self.gas_used += TRANSFER_GAS * done.transfers as u64;
        self.next += done.transfers;
    }

    /// Takes over what a block of plain transfers did.
    pub(crate) fn add_block(&mut self, done: transfer_block::Done) {
        self.add_run(&transfer_run::Done { transfers: self.receipts.len(), fees: done.fees });
        self.settled = done.accounts;
    }

    /// Gas used by all but the native transfers.
    pub(crate) const fn evm_gas(&self) -> u64 {
        self.gas_used - TRANSFER_GAS * self.counters.native as u64
    }

    /// Pays the fees of the plain transfers so far in one addition, before anybody can look at the beneficiary.
    pub(crate) fn pay_pending_fees(&mut self, block: &BlockContext<'_>) {
        if let Some(fees) = self.pending_fees.take() {
            // The index of the last transfer among them.
            pay_fee(&block.beneficiary, fees, self.next as u32, block.spec);
        }
    }

    fn commit_record<'b>(
        &mut self,
        block: &BlockContext<'b>,
        evm: &mut LeanEvm<'b>,
        position: usize,
        record: &mut TransactionRecord,
    ) -> Result<(), Stop> {
        let slot = &block.slots[position];
        let started = block.timeline.as_ref().map(Timeline::now);
        let note = |kind| {
            if let (Some(timeline), Some(started)) = (&block.timeline, started) {
                timeline.ran(position, started, kind);
            }
        };
        let mut kind = SpanKind::Ordered;
        match slot.class() {
            Class::Ahead => {
                if !record.abandoned && record.holds() {
                    self.counters.ahead += 1;
                    apply(record, Some(block.beneficiary), block.spec);
                    return Ok(());
                }
                kind = SpanKind::Retry;
                if record.abandoned {
                    self.counters.abandoned += 1;
                } else {
                    self.counters.retried += 1;
                    if !block.is_exact {
                        record.retract_slots();
                    }
                }
            }
            Class::Native => {
                record.clear();
                record.index = position as u32 + 1;
                let tx = &block.block.transactions()[position];
                let accounts = *slot.native.lock();
                let settled =
                    accounts.and_then(|accounts| native::transfer(tx, accounts, &block.transfers, record.index));
                if let Some(settled) = settled {
                    settled.keep(record);
                    record.fee = settled.fee;
                    record.fee_payment = Some(pay_fee(&block.beneficiary, settled.fee, record.index, block.spec));
                    (record.success, record.gas_used) = (true, TRANSFER_GAS);
                    note(SpanKind::Native);
                    self.counters.native += 1;
                    return Ok(());
                }
                self.counters.ordered += 1;
            }
            Class::Ordered => self.counters.ordered += 1,
            Class::Unplanned => unreachable!("transaction {position} was never planned"),
        }
        if slot.is_recorded() && slot.class() == Class::Ordered {
            evm.ctx.journaled_state.lesson = Some(Box::default());
        }
        let result = execute(block, evm, position, false, record);
        if let Some(lesson) = evm.ctx.journaled_state.lesson.take()
            && result.is_ok()
        {
            block.lessons.hand_in(block, position, lesson, record);
        }
        result.map_err(|error| match error {
            EVMError::Database(error) => Stop::Database(error),
            error => Stop::Doubt(format!("transaction {position}: {error}")),
        })?;
        record.publish_slots();
        apply(record, Some(block.beneficiary), block.spec);
        note(kind);
        Ok(())
    }
}

/// Runs a transaction and captures what it did. Nothing is published or committed.
pub(crate) fn execute<'b>(
    block: &BlockContext<'b>,
    evm: &mut LeanEvm<'b>,
    position: usize,
    speculative: bool,
    record: &mut TransactionRecord,
) -> Result<(), LeanError> {
    if let Some(begun) = &block.begun {
        begun[position].store(true, Ordering::Relaxed);
    }
    let env = TxEnv::from_recovered_tx(&block.block.transactions()[position], block.block.senders()[position]);
    let result = evm::run(evm, env, position as u32 + 1, speculative)?;
    record.capture(&mut evm.ctx.journaled_state);
    record.gas_used = result.tx_gas_used();
    record.success = result.is_success();
    record.logs = match result {
        ExecutionResult::Success { logs, .. }
        | ExecutionResult::Revert { logs, .. }
        | ExecutionResult::Halt { logs, .. } => logs,
    };
    Ok(())
}
