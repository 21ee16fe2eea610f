//! `trace_blockOpcodeGas` and `trace_transactionOpcodeGas`: how often each instruction ran and what it cost.

use super::{block, limits};
use crate::{
    MethodSet,
    replay::{Replay, replayed},
};
use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_trace::opcode::{BlockOpcodeGas, TransactionOpcodeGas};
use revm_inspectors::opcode::OpcodeGasInspector;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "trace_transactionOpcodeGas(hash: Hash) -> Object?",
        "How often each instruction ran in a transaction, and its gas in all; `null` if it is in no block.",
        |backend, (hash,): (B256,)| {
            let Some(found) = backend.chain().find_transaction(&hash)? else { return Ok(None) };
            let gas = replayed(|| {
                let mut replay = Replay::at(backend.chain(), &found.block, found.index, limits(backend))?;
                Ok(of(hash, &replay.inspect(OpcodeGasInspector::new())?.inspector))
            });
            gas.map(Some)
        },
    );
    methods.slow(
        "trace_blockOpcodeGas(block: BlockId) -> Object?",
        "How often each instruction ran in the transactions of a block, and its gas in all; `null` if there is no such block.",
        |backend, (id,): (BlockId,)| {
            let Some(block) = block(backend, id)? else { return Ok(None) };
            let mut transactions = Vec::new();
            if !block.transactions().is_empty() {
                transactions = replayed(|| {
                    backend.inspect_block(&block, limits(backend), || Ok(OpcodeGasInspector::new()), |index, done, _, _| {
                        let hash = *block.transactions()[index].tx_hash();
                        Ok((of(hash, &done.inspector), done.outcome.state))
                    })
                })?;
            }
            Ok(Some(BlockOpcodeGas { block_hash: block.hash(), block_number: block.number(), transactions }))
        },
    );
}

/// Most costly first.
fn of(transaction_hash: B256, inspector: &OpcodeGasInspector) -> TransactionOpcodeGas {
    let mut opcode_gas: Vec<_> = inspector.opcode_gas_iter().collect();
    opcode_gas.sort_unstable_by(|a, b| b.gas_used.cmp(&a.gas_used).then_with(|| a.opcode.cmp(&b.opcode)));
    TransactionOpcodeGas { transaction_hash, opcode_gas }
}
