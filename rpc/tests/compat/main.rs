//! The cases of the execution-apis suite, in one process: its chain is imported, its fork choice set, and what the methods answer is judged as
//! hive does (see `judge`). Cases of methods that are not in [`METHODS`] are not run.
//!
//! The suite is looked for beside the repository; without it the test says so and passes.

mod judge;
mod pattern;
mod schema;
mod suite;

use std::collections::BTreeSet;
use suite::Suite;

/// Methods whose cases must pass.
const METHODS: &[&str] = &[
    "eth_baseFee",
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_capabilities",
    "eth_chainId",
    "eth_config",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getStorageValues",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionByHash",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
    "eth_sendRawTransaction",
    "eth_simulateV1",
    "eth_syncing",
    "net_version",
    "txpool_content",
    "txpool_contentFrom",
    "txpool_status",
];

#[tokio::test]
async fn the_cases_of_the_suite_pass() {
    let Some(suite) = Suite::unpack() else { return };
    let module = suite.backend().methods().into_module();
    let cases = suite.cases();
    let (mut failed, mut passed) = (Vec::new(), 0);
    let methods: BTreeSet<_> = METHODS.iter().copied().collect();
    for case in cases.iter().filter(|case| methods.contains(case.method())) {
        match judge::run(&module, case, suite.schemas()).await {
            Ok(()) => passed += 1,
            Err(reason) => failed.push(format!("{}: {reason}", case.name)),
        }
    }
    println!(
        "{passed} of {} cases passed, {} were not run",
        passed + failed.len(),
        cases.len() - passed - failed.len()
    );
    assert!(failed.is_empty(), "{} cases failed:\n{}", failed.len(), failed.join("\n"));
    for method in methods {
        assert!(cases.iter().any(|case| case.method() == method), "there are no cases of {method}");
    }
}
