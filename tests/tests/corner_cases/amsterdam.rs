//! Amsterdam, which runs on stock revm whatever the mode.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, run, state};
use alloy_primitives::{Address, address};
use braid_runtime::{
    AccessHints, BlockError, Engine, EngineConfig, InvalidBlock, Mode, Outputs, oracle::execute_serial,
};
use braid_tests::{
    assembly::{Assembly, word as instruction},
    blocks::{BlockBuilder, Call},
    contracts::{BUILDER_QUEUES, counter},
    memory::MemoryState,
};
use revm::bytecode::opcode::{CALL, GAS, LOG0};

/// Logs the transfers of ether (EIP-7708).
const SYSTEM: Address = address!("fffffffffffffffffffffffffffffffffffffffe");

fn amsterdam() -> MemoryState {
    let mut state = state();
    for queue in BUILDER_QUEUES {
        state.deploy(queue, vec![0], &[]);
    }
    state
}

#[test]
fn transfer_logs_stand_where_the_transfers_happen() {
    let pay =
        instruction(CALL, [instruction(GAS, []), NOBODY.into(), 1.into(), 0.into(), 0.into(), 0.into(), 0.into()]);
    let code = Assembly::new().op(LOG0, [0.into(), 0.into()]).discard(pay).op(LOG0, [0.into(), 0.into()]).build();
    let mut state = amsterdam();
    state.deploy(CONTRACT, code, &[]);
    let mut block = BlockBuilder::new("Amsterdam");
    for index in 0..5 {
        block = block.call(&key(index), Call::to(CONTRACT).value(3u64));
    }
    let after = run(&state, &block);
    for receipt in &after.outcome.receipts {
        let addresses: Vec<_> = receipt.logs.iter().map(|log| log.address).collect();
        assert_eq!(addresses, [SYSTEM, CONTRACT, SYSTEM, CONTRACT]);
        let recipients: Vec<_> = receipt.logs.iter().filter_map(|log| log.topics().get(2)).copied().collect();
        assert_eq!(recipients, [CONTRACT.into_word(), NOBODY.into_word()]);
    }
}

#[test]
fn false_lists_are_rejected_on_the_serial_path_too() {
    let mut state = amsterdam();
    state.deploy(OTHER, counter(), &[]);
    let block = BlockBuilder::new("Amsterdam")
        .call(&key(0), Call::to(OTHER).words(&[number(1)]))
        .call(&key(1), Call::to(OTHER).words(&[number(1)]));
    let (recovered, spec) = (block.build(), block.spec());
    let serial = execute_serial(&state, &recovered, &spec, Outputs::ALL).unwrap();
    let list = serial.access_list.unwrap();
    let mut wrong = list.clone();
    wrong.retain(|account| account.address != OTHER);
    for mode in [Mode::Serial, Mode::Parallel, Mode::Forced] {
        let mut engine = Engine::new(EngineConfig { mode, threads: 2, ..EngineConfig::default() }).unwrap();
        let mut execute =
            |list, outputs| engine.execute_block(&state, &recovered, &spec, AccessHints::Exact(list), outputs);
        assert_eq!(execute(&list, Outputs::ALL).unwrap().access_list.as_ref(), Some(&list));
        assert_eq!(execute(&list, Outputs::default()).unwrap().access_list, None);
        let error = execute(&wrong, Outputs::default()).unwrap_err();
        assert!(matches!(error, BlockError::Invalid(InvalidBlock::AccessList(_))), "{mode:?}: {error}");
    }
}
