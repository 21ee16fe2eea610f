//! Running engine tests.
//!
//! Every call of `engine_newPayload` is answered as a node would answer it: parameters that do not belong to the version or to the fork are an
//! error, a payload that is no block or not the one its hash says is invalid, and everything else is up to the chain. A valid payload becomes
//! the head, as the following call of `engine_forkchoiceUpdated` would have it.

use super::{
    case::{CaseReport, Verdict},
    chain_run,
    options::{CaseMode, SuiteOptions},
    run::Suite,
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip7685::Requests;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_engine::{
    CancunPayloadFields, ExecutionPayload, ExecutionPayloadSidecar, ExecutionPayloadV1, ExecutionPayloadV2,
    ExecutionPayloadV3, ExecutionPayloadV4, PraguePayloadFields,
};
use braid_chain::{
    Chain, ExecutionEngine,
    execution_engine::{ForkChoiceState, PayloadStatus},
};
use braid_fixtures::suites::{CaseText, EngineTest, Format, engine_test::EnginePayload};
use braid_runtime::{Block, ChainSpec, Transaction};
use serde::de::DeserializeOwned;

/// JSON-RPC: the parameters are wrong.
const INVALID_PARAMS: i64 = -32602;
/// Engine API: the payload belongs to a fork that this version of the call does not serve.
const UNSUPPORTED_FORK: i64 = -38005;

/// Runs engine tests.
#[derive(Debug)]
pub(super) struct EngineSuite<'o> {
    options: &'o SuiteOptions,
}

impl<'o> EngineSuite<'o> {
    pub(super) const fn new(options: &'o SuiteOptions) -> Self {
        Self { options }
    }

    fn execute(&self, test: &EngineTest<'_>, spec: &ChainSpec, mode: CaseMode) -> Result<(), String> {
        let chain = chain_run::start(&test.chain(), spec, mode, self.options)?;
        for (index, payload) in test.payloads.iter().enumerate() {
            let what = format!("payload {index} of {}", test.payloads.len());
            let answer = match Call::read(payload, spec) {
                Ok(call) => call.new_payload(&chain)?,
                Err(code) => Answer::Error(code),
            };
            compare_answer(payload, &answer).map_err(|difference| format!("{what}: {difference}"))?;
        }
        chain_run::compare_end(&chain, &test.chain())
    }

    fn verdict(&self, file: &str, test: &EngineTest<'_>, spec: &ChainSpec) -> (Verdict, Option<Result<(), String>>) {
        if test.chain().network.contains("Amsterdam") {
            let execution = self.execute(test, spec, CaseMode::Serial);
            return (Verdict::Skipped("the rules of Amsterdam are not those of the released EVM"), Some(execution));
        }
        (Verdict::of(file, self.options.mode.runs(), |mode| self.execute(test, spec, mode)), None)
    }
}

impl Suite for EngineSuite<'_> {
    type Machine = ();
    const FORMAT: Format = Format::Engine;

    fn machine(&self) -> eyre::Result<()> {
        Ok(())
    }

    fn run(&self, (): &mut (), file: &str, case: &CaseText<'_>, report: &mut dyn FnMut(CaseReport)) {
        let verdict = |test: &EngineTest<'_>, spec: &ChainSpec| self.verdict(file, test, spec);
        if let Some(result) = chain_run::run_case(case, file, self.options, EngineTest::chain, verdict) {
            report(result);
        }
    }
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Valid,
    /// Why.
    Invalid(String),
    Syncing,
    /// A JSON-RPC error.
    Error(i64),
}

fn compare_answer(payload: &EnginePayload<'_>, answer: &Answer) -> Result<(), String> {
    match (payload.error_code, &payload.validation_error, answer) {
        (Some(expected), _, Answer::Error(code)) if *code == expected => Ok(()),
        (Some(expected), _, answer) => Err(format!("expected error {expected}, got {answer:?}")),
        (None, Some(_), Answer::Invalid(_)) | (None, None, Answer::Valid) => Ok(()),
        (None, Some(reason), answer) => Err(format!("expected INVALID ({reason}), got {answer:?}")),
        (None, None, answer) => Err(format!("expected VALID, got {answer:?}")),
    }
}

/// A call of `engine_newPayload` whose parameters are in order.
struct Call {
    payload: ExecutionPayload,
    sidecar: ExecutionPayloadSidecar,
}

impl Call {
    /// Reads the parameters. The error is the code that the call is answered with.
    fn read(payload: &EnginePayload<'_>, spec: &ChainSpec) -> Result<Self, i64> {
        let version = payload.new_payload_version;
        let parameters = match version {
            1 | 2 => 1,
            3 => 3,
            4 | 5 => 4,
            _ => return Err(INVALID_PARAMS),
        };
        if payload.params.len() != parameters {
            return Err(INVALID_PARAMS);
        }
        let block = match version {
            1 => ExecutionPayload::V1(parameter::<ExecutionPayloadV1>(payload, 0)?),
            2 => version_two(payload)?,
            3 | 4 => ExecutionPayload::V3(parameter::<ExecutionPayloadV3>(payload, 0)?),
            _ => ExecutionPayload::V4(parameter::<ExecutionPayloadV4>(payload, 0)?),
        };
        let timestamp = block.timestamp();
        let is_shanghai = spec.is_shanghai_active_at_timestamp(timestamp);
        let is_cancun = spec.is_cancun_active_at_timestamp(timestamp);
        let is_prague = spec.is_prague_active_at_timestamp(timestamp);
        let is_amsterdam = spec.is_amsterdam_active_at_timestamp(timestamp);
        match version {
            1 | 2 if is_cancun => return Err(UNSUPPORTED_FORK),
            2 if block.withdrawals().is_some() != is_shanghai => return Err(INVALID_PARAMS),
            3 if !is_cancun || is_prague => return Err(UNSUPPORTED_FORK),
            4 if !is_prague || is_amsterdam => return Err(UNSUPPORTED_FORK),
            5 if !is_amsterdam => return Err(UNSUPPORTED_FORK),
            _ => {}
        }
        let cancun = || -> Result<CancunPayloadFields, i64> {
            let versioned_hashes = parameter::<Vec<B256>>(payload, 1)?;
            let parent_beacon_block_root = parameter::<B256>(payload, 2)?;
            Ok(CancunPayloadFields { parent_beacon_block_root, versioned_hashes })
        };
        let sidecar = match version {
            1 | 2 => ExecutionPayloadSidecar::none(),
            3 => ExecutionPayloadSidecar::v3(cancun()?),
            _ => {
                let requests = parameter::<Vec<Bytes>>(payload, 3)?;
                // Each has a type and content, and the types rise (EIP-7685).
                let has_content = requests.iter().all(|request| request.len() > 1);
                if !has_content || !requests.is_sorted_by(|left, right| left.first() < right.first()) {
                    return Err(INVALID_PARAMS);
                }
                ExecutionPayloadSidecar::v4(cancun()?, PraguePayloadFields::new(Requests::new(requests)))
            }
        };
        Ok(Self { payload: block, sidecar })
    }

    /// Gives the block to the chain, and makes it the head if it is valid. The error tells that nothing could be said of it.
    fn new_payload(self, chain: &Chain) -> Result<Answer, String> {
        let block = match self.block() {
            Ok(block) => block,
            Err(reason) => return Ok(Answer::Invalid(reason)),
        };
        let hash = block.header.hash_slow();
        match chain.new_payload(block).map_err(|error| error.to_string())? {
            PayloadStatus::Valid => {}
            PayloadStatus::Invalid { reason, .. } => return Ok(Answer::Invalid(reason.to_string())),
            PayloadStatus::Syncing => return Ok(Answer::Syncing),
        }
        let choice = ForkChoiceState { head: hash, ..ForkChoiceState::default() };
        chain.update_fork_choice(choice, None).map_err(|error| error.to_string())?;
        Ok(Answer::Valid)
    }

    /// The block, if it is the one that the hash and the versioned hashes are of.
    fn block(self) -> Result<Block, String> {
        let expected = self.payload.block_hash();
        let versioned_hashes = self.sidecar.versioned_hashes().cloned();
        let block: Block = self
            .payload
            .try_into_block_with_sidecar::<Transaction>(&self.sidecar)
            .map_err(|error| error.to_string())?;
        let actual = block.header.hash_slow();
        if actual != expected {
            return Err(format!("block hash is {actual}, the payload says {expected}"));
        }
        if let Some(expected) = versioned_hashes {
            let hashes = block.body.transactions.iter().filter_map(|transaction| transaction.blob_versioned_hashes());
            if hashes.flatten().ne(&expected) {
                return Err("the versioned hashes are not those of the transactions".to_owned());
            }
        }
        Ok(block)
    }
}

/// With withdrawals it is a payload of Shanghai, without them one of Paris.
fn version_two(payload: &EnginePayload<'_>) -> Result<ExecutionPayload, i64> {
    match parameter::<ExecutionPayloadV2>(payload, 0) {
        Ok(block) => Ok(ExecutionPayload::V2(block)),
        Err(_) => Ok(ExecutionPayload::V1(parameter::<ExecutionPayloadV1>(payload, 0)?)),
    }
}

fn parameter<T: DeserializeOwned>(payload: &EnginePayload<'_>, index: usize) -> Result<T, i64> {
    let text = payload.params.get(index).ok_or(INVALID_PARAMS)?;
    serde_json::from_str(text.get()).map_err(|_| INVALID_PARAMS)
}
