//! `debug_`: tracers in the format of geth, raw encodings, witnesses.
//!
//! * `trace`: `debug_trace*` of blocks, `call` of calls; `tracer` is one tracer as a client asks for it, `duration` reads its time limit.
//! * `raw`: encodings of blocks, headers, receipts and transactions.
//! * `witness`: what is needed to execute a block without the rest of the state.
//! * `state`: storage in the order of the trie, accounts that changed, roots between transactions; `accounts`: the accounts themselves.

mod accounts;
mod call;
mod duration;
mod raw;
mod state;
#[cfg(test)]
mod tests;
mod trace;
mod tracer;
mod witness;

use tracer::Tracer;

use crate::{Backend, MethodSet, RpcError};
use alloy_primitives::{B256, Bytes};
use braid_chain::ChainBlock;
use serde_json::Value;
use std::sync::Arc;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    raw::register(methods);
    trace::register(methods);
    call::register(methods);
    witness::register(methods);
    state::register(methods);
    accounts::register(methods);
    methods.quick("debug_chainConfig() -> Object", "Chain id and forks, as a genesis file has them.", |backend, ()| {
        Ok(chain_config(backend))
    });
    methods.quick(
        "debug_codeByHash(hash: Hash) -> Bytes?",
        "Code of any account by its Keccak-256 hash, `null` if it is not known.",
        |backend, (hash,): (B256,)| code_by_hash(backend, hash),
    );
    methods.quick(
        "debug_getBadBlocks() -> Object[]",
        "Blocks that were refused. They are not kept, so there are none.",
        |_, ()| Ok(Vec::<Value>::new()),
    );
}

fn code_by_hash(backend: &Backend, hash: B256) -> Result<Option<Bytes>, RpcError> {
    let state = backend.chain().state(&backend.chain().head().hash)?;
    match state.code(hash) {
        Ok(code) => Ok(Some(code.original_bytes())),
        Err(braid_storage::StorageError::MissingCode(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The fork schedule in the words of a genesis file. Only forks that the chain has are listed.
fn chain_config(backend: &Backend) -> Value {
    use alloy_hardforks::{EthereumHardfork as Fork, EthereumHardforks, ForkCondition};
    let spec = backend.chain().spec();
    let mut config = serde_json::Map::new();
    config.insert("chainId".to_owned(), spec.chain_id().into());
    let blocks = [
        ("homesteadBlock", Fork::Homestead),
        ("daoForkBlock", Fork::Dao),
        ("eip150Block", Fork::Tangerine),
        ("eip155Block", Fork::SpuriousDragon),
        ("eip158Block", Fork::SpuriousDragon),
        ("byzantiumBlock", Fork::Byzantium),
        ("constantinopleBlock", Fork::Constantinople),
        ("petersburgBlock", Fork::Petersburg),
        ("istanbulBlock", Fork::Istanbul),
        ("muirGlacierBlock", Fork::MuirGlacier),
        ("berlinBlock", Fork::Berlin),
        ("londonBlock", Fork::London),
        ("arrowGlacierBlock", Fork::ArrowGlacier),
        ("grayGlacierBlock", Fork::GrayGlacier),
        ("shanghaiTime", Fork::Shanghai),
        ("cancunTime", Fork::Cancun),
        ("pragueTime", Fork::Prague),
        ("osakaTime", Fork::Osaka),
        ("bpo1Time", Fork::Bpo1),
        ("bpo2Time", Fork::Bpo2),
        ("bpo3Time", Fork::Bpo3),
        ("bpo4Time", Fork::Bpo4),
        ("bpo5Time", Fork::Bpo5),
        ("amsterdamTime", Fork::Amsterdam),
    ];
    for (name, fork) in blocks {
        let at = match spec.ethereum_fork_activation(fork) {
            ForkCondition::Block(number) => number,
            ForkCondition::Timestamp(time) => time,
            ForkCondition::TTD { .. } | ForkCondition::Never => continue,
        };
        config.insert(name.to_owned(), at.into());
    }
    if let Some(total) = spec.terminal_total_difficulty() {
        // As geth writes it: a number, which may be larger than 64 bits.
        let number = serde_json::from_str(&total.to_string()).unwrap_or(Value::Null);
        config.insert("terminalTotalDifficulty".to_owned(), number);
    }
    if let Some(address) = alloy_evm::eth::spec::EthExecutorSpec::deposit_contract_address(spec) {
        config.insert("depositContractAddress".to_owned(), address.to_string().into());
    }
    let mut schedule = serde_json::Map::new();
    for (name, fork) in [
        ("cancun", Fork::Cancun),
        ("prague", Fork::Prague),
        ("osaka", Fork::Osaka),
        ("bpo1", Fork::Bpo1),
        ("bpo2", Fork::Bpo2),
        ("bpo3", Fork::Bpo3),
        ("bpo4", Fork::Bpo4),
        ("bpo5", Fork::Bpo5),
        ("amsterdam", Fork::Amsterdam),
    ] {
        let Some(time) = spec.ethereum_fork_activation(fork).as_timestamp() else { continue };
        let Some(blobs) = spec.blob_params(time) else { continue };
        let entry = serde_json::json!({
            "target": blobs.target_blob_count,
            "max": blobs.max_blob_count,
            "baseFeeUpdateFraction": blobs.update_fraction,
        });
        schedule.insert(name.to_owned(), entry);
    }
    if !schedule.is_empty() {
        config.insert("blobSchedule".to_owned(), schedule.into());
    }
    config.into()
}

/// The block, or the error of geth's tracers.
fn block_by_hash(backend: &Backend, hash: B256) -> Result<Arc<ChainBlock>, RpcError> {
    backend.chain().block(&hash)?.ok_or_else(|| RpcError::server(format!("block {hash} not found")))
}
