use crate::{
    AccessHints, ChainSpec, Engine, EngineConfig, Outputs,
    engine::Path,
    oracle::execute_serial,
    test_blocks::{BlockBuilder, FailingSnapshot, funded, pay},
};
use alloy_consensus::TxEip2930;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, TxKind, U256};

const ALICE: Address = Address::repeat_byte(0xa1);
const BOB: Address = Address::repeat_byte(0xb0);
const MISSING: Address = Address::repeat_byte(0x33);

/// A transfer by Alice that declares an account which nobody reads.
fn declaring_what_cannot_be_read() -> BlockBuilder {
    let list = AccessList(vec![AccessListItem { address: MISSING, storage_keys: vec![Default::default()] }]);
    let tx = TxEip2930 {
        chain_id: 1,
        nonce: 0,
        gas_price: 10,
        gas_limit: 60_000,
        to: TxKind::Call(BOB),
        value: U256::from(5),
        access_list: list,
        ..Default::default()
    };
    BlockBuilder::new("Prague").transaction(ALICE, BlockBuilder::sign(tx)).transaction(ALICE, pay(1, BOB, 7))
}

#[test]
fn a_failing_read_ahead_is_no_verdict() {
    let snapshot = FailingSnapshot { inner: funded(&[ALICE, BOB]), missing: MISSING };
    let block = declaring_what_cannot_be_read();
    let (recovered, spec): (_, ChainSpec) = (block.build(), block.spec());
    let serial = execute_serial(&snapshot, &recovered, &spec, Outputs::default()).unwrap();
    for threads in [1, 2, 4, 8] {
        let config = EngineConfig { threads, readers: 3, ..EngineConfig::default() };
        let mut engine = Engine::new(config).unwrap();
        for _ in 0..20 {
            let hints = AccessHints::Predicted;
            let outcome = engine.execute_block(&snapshot, &recovered, &spec, hints, Outputs::default()).unwrap();
            assert_eq!(outcome.report.path, Path::Parallel, "with {threads} threads");
            assert_eq!((&outcome.receipts, outcome.gas_used), (&serial.receipts, serial.gas_used));
        }
    }
}
