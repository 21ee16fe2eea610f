//! The first block of a chain that a benchmark builds, from a state.

use crate::workload::TIMESTAMP;
use alloy_consensus::{Header, constants::EMPTY_WITHDRAWALS};
use alloy_eips::{eip4895::Withdrawals, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{B256, U256, map::AddressMap};
use braid_runtime::ChainSpec;
use braid_storage::{BlockChange, Body, Genesis, state_root};

/// A genesis of the Prague fork with this state, which is a change to nothing, and this gas limit.
pub(crate) fn genesis(spec: &ChainSpec, state: BlockChange, gas_limit: u64) -> Genesis {
    let mut slots = AddressMap::<Vec<(U256, U256)>>::default();
    for slot in &state.slots {
        slots.entry(slot.address).or_default().push((slot.slot, slot.present));
    }
    let accounts = state.accounts.iter().filter_map(|account| {
        let slots = slots.get(&account.address).cloned().unwrap_or_default();
        Some((account.address, account.present?, slots))
    });
    let header = Header {
        state_root: state_root(accounts),
        gas_limit,
        timestamp: TIMESTAMP,
        base_fee_per_gas: Some(1_000_000_000),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    };
    let body = Body { withdrawals: Some(Withdrawals::default()), ..Body::default() };
    Genesis { chain_id: spec.chain_id(), header, body, state }
}
