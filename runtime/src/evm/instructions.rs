//! The two instructions that differ from revm's, in speed and bookkeeping only.
//!
//! KECCAK256 asks the worker's cache: Solidity hashes the same mapping keys again and again, and the predictor has hashed most of them
//! already. EXTCODEHASH notes that it relied on the code and on emptiness, not on the balance as revm's shared load would have it.

use super::LeanContext;
use alloy_primitives::{B256, U256};
use revm::{
    context_interface::{Host, host::LoadError},
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult, instructions::gas_table_spec,
        interpreter::EthInterpreter, interpreter_types::RuntimeFlag,
    },
    primitives::{Address, KECCAK_EMPTY, hardfork::SpecId},
};

type Context<'a, 'b> = InstructionContext<'a, LeanContext<'b>, EthInterpreter>;

/// The instruction set of a worker.
pub(super) fn instructions<'b>(spec: SpecId) -> EthInstructions<EthInterpreter, LeanContext<'b>> {
    const KECCAK256: u8 = revm::bytecode::opcode::KECCAK256;
    const EXTCODEHASH: u8 = revm::bytecode::opcode::EXTCODEHASH;
    let gas = gas_table_spec(spec);
    let mut set = EthInstructions::new_mainnet_with_spec(spec);
    set.insert_instruction(KECCAK256, Instruction::new(keccak256), gas[usize::from(KECCAK256)]);
    set.insert_instruction(EXTCODEHASH, Instruction::new(extcodehash), gas[usize::from(EXTCODEHASH)]);
    set
}

fn keccak256(context: Context<'_, '_>) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    let Some([offset, length]) = interpreter.stack.popn::<2>() else {
        return Err(InstructionResult::StackUnderflow);
    };
    let length = usize::try_from(length).map_err(|_| InstructionResult::InvalidOperandOOG)?;
    if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    let hash = if length == 0 {
        KECCAK_EMPTY
    } else {
        let offset = usize::try_from(offset).map_err(|_| InstructionResult::InvalidOperandOOG)?;
        interpreter.resize_memory(host.gas_params(), offset, length)?;
        host.journaled_state.hash(&interpreter.memory.slice_len(offset, length))
    };
    // Two words were taken, so there is room for one.
    let has_room = interpreter.stack.push(hash.into());
    debug_assert!(has_room, "the stack lost room for a word");
    Ok(())
}

fn extcodehash(context: Context<'_, '_>) -> InstructionExecResult {
    let InstructionContext { interpreter, host } = context;
    if !interpreter.runtime_flag.spec_id().is_enabled_in(SpecId::PETERSBURG) {
        return Err(InstructionResult::NotActivated);
    }
    let Some(([], top)) = interpreter.stack.popn_top::<0>() else {
        return Err(InstructionResult::StackUnderflow);
    };
    let address = Address::from_word(B256::from(*top));
    let cold_cost = host.gas_params().cold_account_additional_cost();
    let skip_cold_load = interpreter.gas.remaining() < cold_cost;
    let load = match host.journaled_state.code_hash_of(address, skip_cold_load) {
        Ok(load) => load,
        Err(error) => {
            let (kind, source) = error.into_parts();
            if let Some(source) = source {
                host.error = Err(source.into());
            }
            return Err(kind.into());
        }
    };
    if load.is_cold && !interpreter.gas.record_regular_cost(cold_cost) {
        return Err(LoadError::ColdLoadSkipped.into());
    }
    *top = U256::from_be_bytes(load.data.0);
    Ok(())
}
