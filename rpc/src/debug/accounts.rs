//! `debug_accountRange`: the accounts of a state, a page at a time, in the order of the trie.

use crate::{
    Backend, MethodSet, RpcError,
    error::LIMIT_EXCEEDED,
    methods::Number,
    replay::{Limits, ReplayError, replayed},
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, hex, keccak256, map::B256Map};
use base64::{Engine, prelude::BASE64_STANDARD};
use braid_storage::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;

/// Most accounts in one answer, as in geth.
const MOST_ACCOUNTS: usize = 256;
/// Most slots of an account.
const MOST_SLOTS: usize = 100_000;
/// Addresses between two looks at the clock.
const INTERVAL: usize = 4096;

type Arguments = (BlockId, Option<Bytes>, Option<Number>, Option<bool>, Option<bool>, Option<bool>);

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_accountRange(block: BlockId, start?: Bytes, most?: Quantity, noCode?: Boolean, noStorage?: Boolean, incompletes?: Boolean) -> AccountRange",
        "Accounts after a block, in the order of the hashes of their addresses, from a hash on; 256 at most. `next` is where to go on, in base64. With `incompletes` also those \
         whose address is not known.",
        accounts,
    );
}

/// As geth writes it: numbers of wei in decimal, the root and values of slots without `0x`.
#[derive(Debug, Serialize)]
struct AccountRange {
    root: String,
    accounts: BTreeMap<String, DumpedAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DumpedAccount {
    balance: String,
    nonce: u64,
    root: B256,
    code_hash: B256,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<BTreeMap<B256, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Address>,
    /// Hash of the address.
    key: B256,
}

fn accounts(
    backend: &Backend,
    (block, start, most, no_code, no_storage, incompletes): Arguments,
) -> Result<AccountRange, RpcError> {
    let start = start.unwrap_or_default();
    if start.len() > 32 {
        return Err(RpcError::invalid_params("invalid argument 1: the start is longer than a hash"));
    }
    let start = B256::right_padding_from(&start);
    let most = most.map_or(0, |most| most.0.saturating_to::<usize>());
    let most = if most == 0 { MOST_ACCOUNTS } else { most.min(MOST_ACCOUNTS) };
    let limits = Limits::new(backend.options().call_timeout);
    replayed(|| {
        let state = backend.state(Some(block))?;
        let root = state.block().state_root;
        let state = state.snapshot()?;
        let mut page = state.accounts_from(start, most + 1)?;
        let next = if page.len() > most { page.pop().map(|(key, _)| BASE64_STANDARD.encode(key)) } else { None };
        let mut addresses = addresses(&state, page.iter().map(|(key, _)| *key), limits)?;
        let mut accounts = BTreeMap::new();
        for (key, account) in page {
            limits.check()?;
            let address = addresses.remove(&key).flatten();
            if address.is_none() && incompletes != Some(true) {
                continue;
            }
            let record = account.record;
            let has_code = record.code_hash != KECCAK256_EMPTY && no_code != Some(true);
            let code = if has_code { Some(state.code(record.code_hash)?.original_bytes()) } else { None };
            let storage = match address {
                Some(address) if no_storage != Some(true) => slots(&state, address)?,
                _ => None,
            };
            let name = address.map_or_else(|| format!("pre({key})"), |address| address.to_checksum(None));
            let dumped = DumpedAccount {
                balance: record.balance.to_string(),
                nonce: record.nonce,
                root: account.storage_root,
                code_hash: record.code_hash,
                code,
                storage,
                address,
                key,
            };
            accounts.insert(name, dumped);
        }
        Ok(AccountRange { root: hex::encode(root), accounts, next })
    })
}

/// Which addresses have these hashes. Nothing leads from a hash to its address, so all are looked at.
fn addresses(
    state: &Snapshot,
    keys: impl Iterator<Item = B256>,
    limits: Limits,
) -> Result<B256Map<Option<Address>>, ReplayError> {
    let mut found: B256Map<Option<Address>> = keys.map(|key| (key, None)).collect();
    let (mut missing, mut seen, mut stopped) = (found.len(), 0, Ok(()));
    state.for_each_address(|address| {
        if let Some(place) = found.get_mut(&keccak256(address)) {
            missing -= usize::from(place.replace(address).is_none());
        }
        seen += 1;
        if seen % INTERVAL == 0 {
            stopped = limits.check();
        }
        missing > 0 && stopped.is_ok()
    })?;
    stopped.map(|()| found)
}

/// The slots of an account that are not zero; none if it has none.
fn slots(state: &Snapshot, address: Address) -> Result<Option<BTreeMap<B256, String>>, ReplayError> {
    let numbers = state.slot_numbers(address, MOST_SLOTS + 1)?;
    if numbers.len() > MOST_SLOTS {
        let message = format!("{address} has more than {MOST_SLOTS} slots: ask without storage");
        return Err(RpcError::new(LIMIT_EXCEEDED, message).into());
    }
    let mut slots = BTreeMap::new();
    for number in numbers {
        let value: U256 = state.slot(address, number)?;
        if !value.is_zero() {
            slots.insert(number.into(), hex::encode(value.to_be_bytes_trimmed_vec()));
        }
    }
    Ok((!slots.is_empty()).then_some(slots))
}

#[cfg(test)]
mod tests {
    use crate::test_node::{ALICE, BOB, Node, transfer};
    use alloy_primitives::{Address, B256, keccak256};
    use base64::{Engine, prelude::BASE64_STANDARD};
    use braid_chain::MiningMode;
    use serde_json::{Value, json};

    const CONTRACT: Address = Address::repeat_byte(0xcc);

    /// All accounts at a block, by pages of so many.
    async fn all(node: &Node, block: &str, most: u64) -> Vec<(String, Value)> {
        let (mut start, mut found) = ("0x".to_owned(), Vec::new());
        loop {
            let page = node.call("debug_accountRange", json!([block, start, most, false, false, false])).await;
            let accounts = page["accounts"].as_object().unwrap();
            assert!(accounts.len() as u64 <= most);
            found.extend(accounts.iter().map(|(name, account)| (name.clone(), account.clone())));
            let Some(next) = page["next"].as_str() else { break };
            start = B256::from_slice(&BASE64_STANDARD.decode(next).unwrap()).to_string();
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    #[tokio::test]
    async fn every_account_is_on_one_page_at_every_block() {
        let node = Node::new(MiningMode::Manual);
        node.call("anvil_setCode", json!([CONTRACT, "0x6001600055"])).await;
        node.call("evm_mine", json!([])).await;
        for _ in 0..2 {
            node.call("eth_sendTransaction", json!([{"from": ALICE, "to": CONTRACT, "gas": "0xffff"}])).await;
            node.call("eth_sendTransaction", json!([transfer(BOB, Address::repeat_byte(0x44))])).await;
            node.call("evm_mine", json!([])).await;
        }
        // In memory, and from the tables.
        for written in [false, true] {
            if written {
                node.backend.chain().flush().unwrap();
            }
            for (block, count) in [("0x1", 0_usize), ("latest", 1)] {
                let accounts = all(&node, block, 256).await;
                assert_eq!(accounts, all(&node, block, 2).await, "{block}");
                let by_name = |address: Address| {
                    let name = address.to_checksum(None);
                    accounts.iter().find(|(known, _)| *known == name).map(|(_, account)| account.clone())
                };
                let alice = by_name(ALICE).unwrap();
                assert_eq!((&alice["nonce"], &alice["key"]), (&json!(2 * count), &json!(keccak256(ALICE))));
                let balance = node.call("eth_getBalance", json!([ALICE, block])).await;
                let balance: alloy_primitives::U256 = serde_json::from_value(balance).unwrap();
                assert_eq!(alice["balance"], json!(balance.to_string()));
                let contract = by_name(CONTRACT).unwrap();
                assert_eq!(contract["code"], json!("0x6001600055"));
                let slot = contract["storage"].get(B256::ZERO.to_string()).cloned();
                assert_eq!(slot, (count == 1).then(|| json!("01")), "{block}");
                assert_eq!(by_name(Address::repeat_byte(0x44)).is_some(), count == 1);
                let header = node.call("eth_getBlockByNumber", json!([block])).await;
                let root = node.call("debug_accountRange", json!([block])).await["root"].clone();
                if block == "latest" {
                    assert_eq!(format!("0x{}", root.as_str().unwrap()), header["stateRoot"].as_str().unwrap());
                }
            }
        }
        let short = node.call("debug_accountRange", json!(["latest", "0x", 1, true, true])).await;
        let (_, account) = short["accounts"].as_object().unwrap().iter().next().unwrap();
        assert!(account.get("code").is_none() && account.get("storage").is_none());
        assert_eq!(node.error("debug_accountRange", json!(["0x99"])).await.1, "header not found");
    }
}
