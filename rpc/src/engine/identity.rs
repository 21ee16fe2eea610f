//! Who we are and what is offered.

use super::call;
use crate::{MethodSet, RpcError};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{B256, U256};
use alloy_rpc_types_engine::TransitionConfiguration;
use serde::Serialize;

/// A client and its version.
#[derive(Debug, Serialize)]
struct ClientVersion {
    /// Two letters.
    code: &'static str,
    name: &'static str,
    version: &'static str,
    /// First four bytes of the commit; zero if it is not known.
    commit: &'static str,
}

pub(super) fn register(methods: &mut MethodSet) {
    call(
        methods,
        "engine_getClientVersionV1(clientVersion?: ClientVersion) -> ClientVersion[]",
        "Name and version of this client.",
        |_, (_theirs,): (Option<serde_json::Value>,)| {
            let version = concat!("v", env!("CARGO_PKG_VERSION"));
            Ok([ClientVersion { code: "BR", name: "Braid", version, commit: "0x00000000" }])
        },
    );
    call(
        methods,
        "engine_exchangeTransitionConfigurationV1(consensusClientConfiguration: TransitionConfiguration) -> TransitionConfiguration",
        "The terminal total difficulty of the chain; it must be that of the consensus client.",
        |backend, (theirs,): (TransitionConfiguration,)| {
            let paris = backend.chain().spec().ethereum_fork_activation(EthereumHardfork::Paris);
            let ours = match paris {
                ForkCondition::TTD { total_difficulty, .. } => total_difficulty,
                ForkCondition::Block(0) | ForkCondition::Timestamp(_) => U256::ZERO,
                _ => U256::MAX,
            };
            if theirs.terminal_total_difficulty != ours {
                return Err(RpcError::server(format!("invalid ttd: execution {ours} consensus {}", {
                    theirs.terminal_total_difficulty
                })));
            }
            Ok(TransitionConfiguration {
                terminal_total_difficulty: ours,
                terminal_block_hash: B256::ZERO,
                terminal_block_number: 0,
            })
        },
    );
    let names = methods.methods().keys().copied();
    let capabilities: Vec<&'static str> = names.filter(|name| name.starts_with("engine_")).collect();
    methods.quick(
        "engine_exchangeCapabilities(capabilities?: String[]) -> String[]",
        "The methods of the Engine API that are offered.",
        move |_, (_theirs,): (Option<Vec<String>>,)| Ok(capabilities.clone()),
    );
}
