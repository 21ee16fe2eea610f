//! `eth_config`: the forks of the chain (EIP-7910).

use crate::{Backend, MethodSet, RpcError};
use alloy_consensus::Header;
use alloy_eips::{
    eip2124::ForkHash,
    eip7910::{EthConfig, EthForkConfig, SystemContract},
};
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, Bytes};
use braid_chain::Chain;
use revm::precompile::{PrecompileSpecId, Precompiles};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "eth_config() -> ForkConfig",
        "The fork that holds now, the next one and the last one that is planned (EIP-7910).",
        |backend, ()| config(backend),
    );
}

fn config(backend: &Backend) -> Result<EthConfig, RpcError> {
    let chain = backend.chain();
    let head = chain.head_block()?;
    let now = head.header().timestamp;
    let genesis = chain.canonical_header(0)?.ok_or_else(|| RpcError::server("no genesis"))?;
    let times: BTreeSet<u64> = EthereumHardfork::VARIANTS
        .iter()
        .filter_map(|fork| chain.spec().ethereum_fork_activation(*fork).as_timestamp())
        .filter(|time| *time > genesis.timestamp)
        .collect();
    // What is active at genesis counts as a fork at zero, if blobs are there already.
    let current = times.range(..=now).next_back().copied().unwrap_or(0);
    let coming = || times.range((Bound::Excluded(now), Bound::Unbounded)).copied();
    let (next, last) = (coming().next(), coming().next_back());
    let at = |time: u64| fork_config(chain, &genesis, time);
    let current = at(current).ok_or_else(|| RpcError::server("the current fork has no blobs, so no configuration"))?;
    Ok(EthConfig { current, next: next.and_then(at), last: last.and_then(at) })
}

/// The configuration of the fork that is activated at `time` (zero: at genesis); none before Cancun.
fn fork_config(chain: &Chain, genesis: &Header, time: u64) -> Option<EthForkConfig> {
    let spec = chain.spec();
    // Any block of that time will do to ask for the rules.
    let header = Header { timestamp: time.max(genesis.timestamp), number: u64::MAX, ..Header::default() };
    let blob_schedule = spec.blob_params(header.timestamp)?;
    let precompiles = Precompiles::new(PrecompileSpecId::from_spec_id(spec.spec_id(&header)));
    let precompiles = precompiles.inner().values().map(|precompile| {
        let address = *precompile.address();
        (precompile.id().name().to_owned(), address)
    });
    Some(EthForkConfig {
        activation_time: time,
        blob_schedule,
        chain_id: spec.chain_id(),
        fork_id: Bytes::copy_from_slice(&fork_hash(chain, genesis, header.timestamp).0),
        precompiles: precompiles.collect(),
        system_contracts: system_contracts(chain, header.timestamp),
    })
}

fn system_contracts(chain: &Chain, time: u64) -> BTreeMap<SystemContract, Address> {
    let spec = chain.spec();
    let mut contracts = BTreeMap::new();
    if spec.is_cancun_active_at_timestamp(time) {
        contracts.extend(SystemContract::cancun());
    }
    if spec.is_prague_active_at_timestamp(time) {
        contracts.extend(SystemContract::prague(spec.deposit_contract_address()));
    }
    if spec.is_amsterdam_active_at_timestamp(time) {
        contracts.extend(SystemContract::amsterdam());
    }
    contracts
}

/// The hash over the first block and every fork up to a time (EIP-2124): forks by block first, then those by time, each place once.
fn fork_hash(chain: &Chain, genesis: &Header, time: u64) -> ForkHash {
    let (mut blocks, mut times) = (BTreeSet::from_iter(chain.spec().more_id_blocks().iter().copied()), BTreeSet::new());
    for fork in EthereumHardfork::VARIANTS {
        match chain.spec().ethereum_fork_activation(*fork) {
            ForkCondition::Block(number) => blocks.insert(number),
            ForkCondition::Timestamp(at) if at <= time && at > genesis.timestamp => times.insert(at),
            _ => false,
        };
    }
    blocks.remove(&0);
    let mut hash = ForkHash::from(chain.database().identity().genesis_hash);
    blocks.into_iter().chain(times).for_each(|place| hash += place);
    hash
}
