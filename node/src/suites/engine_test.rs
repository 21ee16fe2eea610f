//! Running engine tests.
//!
//! Every call of `engine_newPayload` goes to the very methods that a consensus client calls on the authenticated port, and a valid payload becomes the
//! head by the following call of `engine_forkchoiceUpdated`.

use super::{
    case::{CaseReport, Verdict},
    chain_run,
    options::{CaseMode, SuiteOptions},
    run::Suite,
};
use alloy_primitives::B256;
use braid_chain::{PoolOptions, TransactionPool};
use braid_fixtures::suites::{CaseText, EngineTest, Format, engine_test::EnginePayload};
use braid_rpc::{Accounts, Backend, RpcOptions};
use braid_runtime::ChainSpec;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

/// Room for notifications, of which the Engine API has none.
const NOTIFICATIONS: usize = 1;

/// Runs engine tests.
#[derive(Debug)]
pub(super) struct EngineSuite<'o> {
    options: &'o SuiteOptions,
}

impl<'o> EngineSuite<'o> {
    pub(super) const fn new(options: &'o SuiteOptions) -> Self {
        Self { options }
    }

    fn execute(
        &self,
        runtime: &Runtime,
        test: &EngineTest<'_>,
        spec: &ChainSpec,
        mode: CaseMode,
    ) -> Result<(), String> {
        let chain = Arc::new(chain_run::start(&test.chain(), spec, mode, self.options)?);
        let pool = TransactionPool::new(Arc::clone(&chain), PoolOptions::public());
        let backend = Backend::new(Arc::clone(&chain), pool, None, Accounts::default(), RpcOptions::default());
        let methods = backend.engine_methods().into_module();
        let call = |method: &str, params: &Value| -> Result<Reply, String> {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
            let reply = runtime.block_on(methods.raw_json_request(&request, NOTIFICATIONS));
            let (reply, _) = reply.map_err(|error| format!("{method}: {error}"))?;
            serde_json::from_str(reply.get()).map_err(|error| format!("{method}: {error}: {reply}"))
        };
        for (index, payload) in test.payloads.iter().enumerate() {
            let what = format!("payload {index} of {}", test.payloads.len());
            let version = payload.new_payload_version;
            let reply = call(&format!("engine_newPayloadV{version}"), &json!(payload.params))?;
            let answer = Answer::of(reply).map_err(|error| format!("{what}: {error}"))?;
            compare_answer(payload, &answer).map_err(|difference| format!("{what}: {difference}"))?;
            if let Answer::Valid(Some(hash)) = answer {
                // The version for attributes of any fork will do, since there are none.
                let choice =
                    json!([{ "headBlockHash": hash, "safeBlockHash": B256::ZERO, "finalizedBlockHash": B256::ZERO }]);
                let moved = Answer::of_choice(call("engine_forkchoiceUpdatedV3", &choice)?);
                if moved != Ok(Answer::Valid(Some(hash))) {
                    return Err(format!("{what}: it is valid, and cannot be the head: {moved:?}"));
                }
            }
        }
        chain_run::compare_end(&chain, &test.chain())
    }

    fn verdict(
        &self,
        runtime: &Runtime,
        file: &str,
        test: &EngineTest<'_>,
        spec: &ChainSpec,
    ) -> (Verdict, Option<Result<(), String>>) {
        if test.chain().network.contains("Amsterdam") {
            let execution = self.execute(runtime, test, spec, CaseMode::Serial);
            return (Verdict::Skipped("the rules of Amsterdam are not those of the released EVM"), Some(execution));
        }
        (Verdict::of(file, self.options.mode.runs(), |mode| self.execute(runtime, test, spec, mode)), None)
    }
}

impl Suite for EngineSuite<'_> {
    type Machine = Runtime;
    const FORMAT: Format = Format::Engine;

    fn machine(&self) -> eyre::Result<Runtime> {
        Ok(Builder::new_current_thread().build()?)
    }

    fn run(&self, runtime: &mut Runtime, file: &str, case: &CaseText<'_>, report: &mut dyn FnMut(CaseReport)) {
        let verdict = |test: &EngineTest<'_>, spec: &ChainSpec| self.verdict(runtime, file, test, spec);
        if let Some(result) = chain_run::run_case(case, file, self.options, EngineTest::chain, verdict) {
            report(result);
        }
    }
}

/// The JSON of an answer.
#[derive(Debug, Deserialize)]
struct Reply {
    result: Option<Value>,
    error: Option<ReplyError>,
}

#[derive(Debug, Deserialize)]
struct ReplyError {
    code: i64,
}

/// `PayloadStatusV1` of the Engine API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PayloadStatus {
    status: String,
    latest_valid_hash: Option<B256>,
    validation_error: Option<String>,
}

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// With the hash of the last valid block.
    Valid(Option<B256>),
    /// Why.
    Invalid(Option<String>),
    /// SYNCING or ACCEPTED.
    Undecided(String),
    /// A JSON-RPC error.
    Error(i64),
}

impl Answer {
    fn of(Reply { result, error }: Reply) -> Result<Self, String> {
        if let Some(error) = error {
            return Ok(Self::Error(error.code));
        }
        let status = PayloadStatus::deserialize(result.unwrap_or_default()).map_err(|error| error.to_string())?;
        Ok(match status.status.as_str() {
            "VALID" => Self::Valid(status.latest_valid_hash),
            "INVALID" => Self::Invalid(status.validation_error),
            _ => Self::Undecided(status.status),
        })
    }

    /// What `engine_forkchoiceUpdated` is answered with.
    fn of_choice(Reply { result, error }: Reply) -> Result<Self, String> {
        let result = result.map(|mut result| result["payloadStatus"].take());
        Self::of(Reply { result, error })
    }
}

fn compare_answer(payload: &EnginePayload<'_>, answer: &Answer) -> Result<(), String> {
    match (payload.error_code, &payload.validation_error, answer) {
        (Some(expected), _, Answer::Error(code)) if *code == expected => Ok(()),
        (Some(expected), _, answer) => Err(format!("expected error {expected}, got {answer:?}")),
        (None, Some(_), Answer::Invalid(_)) | (None, None, Answer::Valid(_)) => Ok(()),
        (None, Some(reason), answer) => Err(format!("expected INVALID ({reason}), got {answer:?}")),
        (None, None, answer) => Err(format!("expected VALID, got {answer:?}")),
    }
}
