//! The state before a block from a node: as a witness, or as what a tracer saw.

use super::{
    block::{self, decode, quantity},
    client::Client,
    error::CaptureError,
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, map::AddressMap};
use braid_chain::Witness;
use braid_runtime::Block;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{json, value::RawValue};
use std::collections::BTreeMap;

const WITNESS: &str = "debug_executionWitness";
const TRACE: &str = "debug_traceBlockByNumber";

/// What nodes answer: clients differ in whether the lists are lists or tables by hash, and in how they write headers.
#[derive(Deserialize)]
struct JsonWitness {
    #[serde(deserialize_with = "list")]
    state: Vec<Bytes>,
    #[serde(default, deserialize_with = "list")]
    codes: Vec<Bytes>,
    #[serde(default, deserialize_with = "list")]
    keys: Vec<Bytes>,
    #[serde(default)]
    headers: Vec<JsonHeader>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonHeader {
    Rlp(Bytes),
    Object(Box<Header>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ListOrTable {
    List(Vec<Bytes>),
    Table(BTreeMap<String, Bytes>),
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Bytes>, D::Error> {
    match Option::<ListOrTable>::deserialize(deserializer)
        .map_err(|_| D::Error::custom("neither a list nor a table of bytes"))?
    {
        None => Ok(Vec::new()),
        Some(ListOrTable::List(list)) => Ok(list),
        Some(ListOrTable::Table(table)) => Ok(table.into_values().collect()),
    }
}

/// The witness of a block, with the parent's header.
pub(super) async fn witness(client: &Client, block: &Block) -> Result<Witness, CaptureError> {
    let number = block.header.number;
    let answer: JsonWitness = client.call(WITNESS, json!([quantity(number)])).await?;
    let mut headers = Vec::with_capacity(answer.headers.len());
    for header in answer.headers {
        headers.push(match header {
            JsonHeader::Rlp(rlp) => decode(WITNESS, &rlp)?,
            JsonHeader::Object(header) => *header,
        });
    }
    let parent = match headers.iter().find(|header| header.hash_slow() == block.header.parent_hash) {
        Some(parent) => parent.clone(),
        None => {
            let parent = block::header(client, number.saturating_sub(1)).await?;
            headers = vec![parent.clone()];
            parent
        }
    };
    Ok(Witness { state_root: parent.state_root, state: answer.state, codes: answer.codes, keys: answer.keys, headers })
}

/// An account before the block.
#[derive(Clone, Debug, Default)]
pub(super) struct TracedAccount {
    pub(super) balance: U256,
    pub(super) nonce: u64,
    pub(super) code: Bytes,
    pub(super) storage: BTreeMap<U256, U256>,
}

#[derive(Deserialize)]
struct TracedTransaction {
    result: Option<AddressMap<JsonAccount>>,
    error: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct JsonAccount {
    #[serde(default)]
    balance: U256,
    #[serde(default)]
    nonce: Nonce,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, U256>,
}

/// Nodes write it as a number or as a quantity.
#[derive(Default, Deserialize)]
#[serde(from = "JsonNonce")]
struct Nonce(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonNonce {
    Number(u64),
    Quantity(alloy_primitives::U64),
}

impl From<JsonNonce> for Nonce {
    fn from(nonce: JsonNonce) -> Self {
        match nonce {
            JsonNonce::Number(nonce) => Self(nonce),
            JsonNonce::Quantity(nonce) => Self(nonce.to()),
        }
    }
}

/// What the transactions of a block found. Each is told what was before itself; so of every account and of every slot the first mention counts.
pub(super) async fn trace(client: &Client, number: u64) -> Result<AddressMap<TracedAccount>, CaptureError> {
    let transactions: Vec<TracedTransaction> =
        client.call(TRACE, json!([quantity(number), { "tracer": "prestateTracer" }])).await?;
    let mut accounts = AddressMap::<TracedAccount>::default();
    for (index, transaction) in transactions.into_iter().enumerate() {
        let Some(result) = transaction.result else {
            let error = transaction.error.map_or_else(|| "no result".to_owned(), |error| error.get().to_owned());
            return Err(CaptureError::answer(TRACE, format!("transaction {index}: {error}")));
        };
        for (address, found) in result {
            merge(&mut accounts, address, found);
        }
    }
    Ok(accounts)
}

fn merge(accounts: &mut AddressMap<TracedAccount>, address: Address, found: JsonAccount) {
    let account = accounts.entry(address).or_insert_with(|| TracedAccount {
        balance: found.balance,
        nonce: found.nonce.0,
        code: found.code,
        storage: BTreeMap::new(),
    });
    for (slot, value) in found.storage {
        account.storage.entry(slot.into()).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn witnesses_come_in_several_shapes() {
        for text in [
            r#"{"state": ["0x01"], "codes": ["0x02"], "keys": [], "headers": ["0xc0"]}"#,
            r#"{"state": {"0xaa": "0x01"}, "codes": {"0xbb": "0x02"}, "headers": []}"#,
            r#"{"state": ["0x01"], "codes": ["0x02"], "keys": null}"#,
        ] {
            let witness: JsonWitness = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((&witness.state[0][..], &witness.codes[0][..]), (&[1][..], &[2][..]));
        }
        assert!(serde_json::from_str::<JsonWitness>(r#"{"state": 5}"#).is_err());
        assert!(serde_json::from_str::<JsonWitness>("{}").is_err());
    }

    #[test]
    fn the_first_mention_counts() {
        let json = |text: &str| serde_json::from_str::<JsonAccount>(text).unwrap();
        let (mut accounts, address) = (AddressMap::default(), Address::repeat_byte(1));
        merge(&mut accounts, address, json(r#"{"balance": "0x5", "nonce": 7}"#));
        let slot = format!("{:?}", B256::with_last_byte(3));
        merge(
            &mut accounts,
            address,
            json(&format!(r#"{{"balance": "0x6", "nonce": "0x9", "storage": {{"{slot}": "0x1"}}}}"#)),
        );
        merge(&mut accounts, address, json(&format!(r#"{{"storage": {{"{slot}": "0x2"}}}}"#)));
        let account = &accounts[&address];
        assert_eq!((account.balance, account.nonce), (U256::from(5), 7));
        assert_eq!(account.storage[&U256::from(3)], U256::from(1));
    }
}
