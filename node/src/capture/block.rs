//! Blocks, headers and receipts from a node.

use super::{
    client::{Client, RpcError},
    error::CaptureError,
};
use alloy_consensus::{BlockBody, Header, TxType};
use alloy_eips::{Decodable2718, Encodable2718, eip4895::Withdrawals};
use alloy_primitives::{Address, B256, Bytes, Log, U64};
use alloy_rlp::Decodable;
use braid_runtime::{Block, Receipt, Transaction};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

const BY_NUMBER: &str = "eth_getBlockByNumber";

/// A number as JSON-RPC wants it.
pub(super) fn quantity(number: u64) -> String {
    format!("{number:#x}")
}

/// The block: in one piece where the node gives it so, else put together from its parts.
pub(super) async fn block(client: &Client, number: u64) -> Result<Block, CaptureError> {
    const RAW: &str = "debug_getRawBlock";
    match client.call::<Option<Bytes>>(RAW, json!([quantity(number)])).await {
        Ok(Some(rlp)) => {
            let block: Block = decode(RAW, &rlp)?;
            match block.header.number == number {
                true => Ok(block),
                false => Err(CaptureError::answer(RAW, format!("this is block {}", block.header.number))),
            }
        }
        // Some nodes refuse what they do not have.
        Ok(None) | Err(RpcError::MethodMissing(_) | RpcError::Refused { .. }) => from_parts(client, number).await,
        Err(error) => Err(error.into()),
    }
}

/// A header as JSON, with the hash that the node states.
#[derive(Deserialize)]
struct StatedHeader {
    #[serde(flatten)]
    header: Header,
    hash: B256,
}

impl StatedHeader {
    fn proved(self) -> Result<Header, CaptureError> {
        let computed = self.header.hash_slow();
        match self.hash == computed {
            true => Ok(self.header),
            false => Err(CaptureError::BlockHash { stated: self.hash, computed }),
        }
    }
}

#[derive(Deserialize)]
struct JsonBody {
    transactions: Vec<Box<RawValue>>,
    #[serde(default)]
    uncles: Vec<B256>,
    withdrawals: Option<Withdrawals>,
}

async fn from_parts(client: &Client, number: u64) -> Result<Block, CaptureError> {
    let text: Option<Box<RawValue>> = client.call(BY_NUMBER, json!([quantity(number), true])).await?;
    let text = text.ok_or(CaptureError::NoBlock)?;
    let malformed = |error: serde_json::Error| CaptureError::answer(BY_NUMBER, error);
    let header = serde_json::from_str::<StatedHeader>(text.get()).map_err(malformed)?.proved()?;
    let body: JsonBody = serde_json::from_str(text.get()).map_err(malformed)?;
    let mut transactions = Vec::with_capacity(body.transactions.len());
    for object in &body.transactions {
        // What comes from JSON believes the hash it states; what comes from its encoding has its own.
        let believing: Transaction = serde_json::from_str(object.get()).map_err(malformed)?;
        let transaction = Transaction::decode_2718_exact(&believing.encoded_2718());
        transactions.push(transaction.map_err(|error| CaptureError::answer(BY_NUMBER, error))?);
    }
    let mut ommers = Vec::new();
    for index in 0..body.uncles.len() {
        const UNCLE: &str = "eth_getUncleByBlockNumberAndIndex";
        let ommer: StatedHeader = client.call(UNCLE, json!([quantity(number), quantity(index as u64)])).await?;
        ommers.push(ommer.proved()?);
    }
    let withdrawals = header.withdrawals_root.map(|_| body.withdrawals.unwrap_or_default());
    Ok(Block { header, body: BlockBody { transactions, ommers, withdrawals } })
}

/// The header of a block.
pub(super) async fn header(client: &Client, number: u64) -> Result<Header, CaptureError> {
    let header: Option<StatedHeader> = client.call(BY_NUMBER, json!([quantity(number), false])).await?;
    header.ok_or(CaptureError::NoBlock)?.proved()
}

/// The number of the block with this hash.
pub(super) async fn number_of(client: &Client, hash: B256) -> Result<u64, CaptureError> {
    let header: Option<StatedHeader> = client.call("eth_getBlockByHash", json!([hash, false])).await?;
    let header = header.ok_or(CaptureError::NoBlock)?.proved()?;
    match header.hash_slow() == hash {
        true => Ok(header.number),
        false => Err(CaptureError::answer("eth_getBlockByHash", "this is another block")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonReceipt {
    r#type: Option<U64>,
    /// Missing before Byzantium.
    status: Option<U64>,
    cumulative_gas_used: U64,
    logs: Vec<JsonLog>,
}

#[derive(Deserialize)]
struct JsonLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

/// The receipts; `None` where the node does not offer them, or they are not of the kind that can be compared.
pub(super) async fn receipts(client: &Client, number: u64) -> Result<Option<Vec<Receipt>>, CaptureError> {
    const METHOD: &str = "eth_getBlockReceipts";
    let receipts: Vec<JsonReceipt> = match client.call(METHOD, json!([quantity(number)])).await {
        Ok(receipts) => receipts,
        Err(RpcError::MethodMissing(_) | RpcError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if receipts.iter().any(|receipt| receipt.status.is_none()) {
        return Ok(None);
    }
    let receipt = |receipt: JsonReceipt| {
        let tx_type = TxType::try_from(receipt.r#type.unwrap_or_default().to::<u64>())
            .map_err(|error| CaptureError::answer(METHOD, error))?;
        let log = |log: JsonLog| {
            Log::new(log.address, log.topics, log.data).ok_or_else(|| CaptureError::answer(METHOD, "too many topics"))
        };
        Ok(Receipt {
            tx_type,
            success: receipt.status.is_some_and(|status| status == U64::from(1)),
            cumulative_gas_used: receipt.cumulative_gas_used.to(),
            logs: receipt.logs.into_iter().map(log).collect::<Result<_, _>>()?,
        })
    };
    receipts.into_iter().map(receipt).collect::<Result<_, _>>().map(Some)
}

/// Decodes the RLP that a method gave.
pub(super) fn decode<T: Decodable>(method: &'static str, rlp: &[u8]) -> Result<T, CaptureError> {
    alloy_rlp::decode_exact(rlp).map_err(|error| CaptureError::answer(method, error))
}
