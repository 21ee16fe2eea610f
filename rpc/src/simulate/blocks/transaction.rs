//! Simulated transactions as transactions of a block: they have no signature, only zeros in its place.

use alloy_consensus::{
    EthereumTxEnvelope, Signed, TxEip1559, TxEip4844, TxEip7702, TxLegacy, transaction::RlpEcdsaEncodableTx,
};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, U256, keccak256};
use alloy_rlp::{Encodable, Header as RlpHeader};
use alloy_rpc_types_eth::TransactionRequest;
use braid_runtime::Transaction;
use revm::context::TxEnv;

/// A transaction without signature, and its encoding.
#[derive(Clone, Debug)]
pub(super) struct Unsigned {
    pub(super) transaction: Transaction,
    pub(super) encoded: Bytes,
    pub(super) sender: Address,
}

/// The transaction of a request as it was executed. Its type is that of EIP-1559 if nothing in the request says otherwise.
pub(super) fn unsigned(request: &TransactionRequest, executed: &TxEnv) -> Unsigned {
    let signature = Signature::new(U256::ZERO, U256::ZERO, false);
    let chain_id = executed.chain_id.unwrap_or_default();
    let TxEnv { nonce, gas_limit, value, kind, .. } = *executed;
    let (max_fee_per_gas, max_priority_fee_per_gas) =
        (request.max_fee_per_gas.unwrap_or_default(), request.max_priority_fee_per_gas.unwrap_or_default());
    let (input, access_list) = (executed.data.clone(), executed.access_list.clone());
    let to = kind.to().copied().unwrap_or_default();
    let sender = executed.caller;
    if let Some(gas_price) = request.gas_price {
        let legacy = TxLegacy { chain_id: None, nonce, gas_price, gas_limit, to: kind, value, input };
        let encoded = encode_legacy(&legacy);
        let hash = keccak256(&encoded);
        let transaction = EthereumTxEnvelope::Legacy(Signed::new_unchecked(legacy, signature, hash));
        return Unsigned { transaction, encoded, sender };
    }
    let transaction: Transaction = if let Some(authorization_list) = request.authorization_list.clone() {
        let transaction = TxEip7702 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            authorization_list,
            input,
        };
        EthereumTxEnvelope::Eip7702(signed(transaction, signature))
    } else if let Some(blob_versioned_hashes) = request.blob_versioned_hashes.clone() {
        let max_fee_per_blob_gas = request.max_fee_per_blob_gas.unwrap_or_default();
        let transaction = TxEip4844 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to,
            value,
            access_list,
            blob_versioned_hashes,
            max_fee_per_blob_gas,
            input,
        };
        EthereumTxEnvelope::Eip4844(signed(transaction, signature))
    } else {
        let transaction = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
            to: kind,
            value,
            access_list,
            input,
        };
        EthereumTxEnvelope::Eip1559(signed(transaction, signature))
    };
    let encoded = transaction.encoded_2718().into();
    Unsigned { transaction, encoded, sender }
}

fn signed<T: RlpEcdsaEncodableTx>(transaction: T, signature: Signature) -> Signed<T> {
    let hash: B256 = transaction.tx_hash(&signature);
    Signed::new_unchecked(transaction, signature, hash)
}

/// Unlike a signed transaction of the first type, one without signature has a zero as its `v`.
fn encode_legacy(transaction: &TxLegacy) -> Bytes {
    let mut fields = Vec::new();
    transaction.rlp_encode_fields(&mut fields);
    [U256::ZERO; 3].iter().for_each(|zero| zero.encode(&mut fields));
    let mut encoded = Vec::new();
    RlpHeader { list: true, payload_length: fields.len() }.encode(&mut encoded);
    encoded.extend(fields);
    encoded.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::TxKind;

    #[test]
    fn a_legacy_transaction_has_zeros_for_its_signature() {
        let request = TransactionRequest { gas_price: Some(1), ..TransactionRequest::default() };
        let executed = TxEnv { kind: TxKind::Call(Address::repeat_byte(1)), gas_limit: 21_000, ..TxEnv::default() };
        let Unsigned { transaction, encoded, .. } = unsigned(&request, &executed);
        assert!(encoded.ends_with(&[0x80; 3]), "{encoded}");
        assert_eq!(*transaction.tx_hash(), keccak256(&encoded));
        assert_eq!(transaction.encoded_2718().len(), encoded.len());
    }

    #[test]
    fn the_type_follows_from_the_fields() {
        let executed = TxEnv::default();
        let kind = |request: &TransactionRequest| unsigned(request, &executed).transaction.tx_type() as u8;
        let request = TransactionRequest::default();
        assert_eq!(kind(&request), 2);
        assert_eq!(kind(&TransactionRequest { blob_versioned_hashes: Some(Vec::new()), ..request.clone() }), 3);
        assert_eq!(kind(&TransactionRequest { authorization_list: Some(Vec::new()), ..request }), 4);
    }
}
