//! What is missing in a request for a transaction: nonce, fees, gas limit, chain id; as geth fills them.

use crate::{Backend, RpcError, simulate};
use alloy_consensus::{TxType, TypedTransaction};
use alloy_primitives::Address;
use alloy_rpc_types_eth::{TransactionInput, TransactionRequest};

impl Backend {
    /// A transaction out of a request, with its sender. Without one it is from the first account of the node.
    ///
    /// # Errors
    /// Contradictions in the request, and whatever the estimate of the gas says if there is no gas limit.
    pub(crate) fn fill(&self, mut request: TransactionRequest) -> Result<(Address, TypedTransaction), RpcError> {
        let from = request.from.or_else(|| self.accounts().addresses().first().copied());
        let from = from.ok_or_else(|| RpcError::server("no sender given, and the node has no accounts"))?;
        request.from = Some(from);
        check(&request)?;
        let chain_id = self.chain().spec().chain_id();
        if let Some(have) = request.chain_id.filter(|have| *have != chain_id) {
            return Err(RpcError::server(format!("chainId does not match node's (have={have}, want={chain_id})")));
        }
        request.chain_id = Some(chain_id);
        request.input = TransactionInput::maybe_input(request.input.into_input());
        request.to.get_or_insert_default();
        if request.nonce.is_none() {
            request.nonce = Some(self.next_nonce(from)?);
        }
        self.fill_fees(&mut request)?;
        if request.sidecar.is_some() && request.blob_versioned_hashes.is_none() {
            request.populate_blob_hashes();
        }
        if request.gas.is_none() {
            request.gas = Some(simulate::estimate_request(self, request.clone())?);
        }
        let value = request.value.get_or_insert_default();
        tracing::trace!(%from, %value, "filled a transaction");
        let transaction = request.build_typed_tx().map_err(|request| {
            let missing = request.missing_keys().err().map(|(_, keys)| keys.join(", ")).unwrap_or_default();
            RpcError::invalid_params(format!("the transaction is incomplete: {missing}"))
        })?;
        Ok((from, transaction))
    }

    fn fill_fees(&self, request: &mut TransactionRequest) -> Result<(), RpcError> {
        let suggestion = self.suggested_fees()?;
        let wants_price = matches!(request.transaction_type, Some(ty) if ty <= TxType::Eip2930 as u8);
        let is_dynamic = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
        if request.gas_price.is_none() && !is_dynamic && (suggestion.base_fee.is_none() || wants_price) {
            request.gas_price = Some(suggestion.gas_price());
        }
        if request.gas_price.is_some() {
            return Ok(());
        }
        if suggestion.base_fee.is_none() {
            return Err(RpcError::server(
                "maxFeePerGas and maxPriorityFeePerGas are not valid before London is active",
            ));
        }
        // A cap that is given bounds the tip that is not.
        let tip = request
            .max_priority_fee_per_gas
            .unwrap_or_else(|| suggestion.tip.min(request.max_fee_per_gas.unwrap_or(u128::MAX)));
        request.max_priority_fee_per_gas = Some(tip);
        request.max_fee_per_gas.get_or_insert(suggestion.max_fee(tip));
        if (request.sidecar.is_some() || request.blob_versioned_hashes.is_some())
            && request.max_fee_per_blob_gas.is_none()
        {
            let price = self.blob_gas_price(&self.pending_header()?).unwrap_or(1);
            request.max_fee_per_blob_gas = Some(2 * price);
        }
        Ok(())
    }
}

/// What contradicts itself.
fn check(request: &TransactionRequest) -> Result<(), RpcError> {
    if request.input.unique_input().is_err() {
        let message =
            "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data";
        return Err(RpcError::server(message));
    }
    if request.to.is_none_or(|to| to.is_create()) && request.input.input().is_none_or(|input| input.is_empty()) {
        return Err(RpcError::server("contract creation without any data provided"));
    }
    let TransactionRequest { gas_price, max_fee_per_gas: cap, max_priority_fee_per_gas: tip, .. } = request;
    if gas_price.is_some() && (cap.is_some() || tip.is_some()) {
        return Err(RpcError::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
    }
    if let (Some(cap), Some(tip)) = (cap, tip)
        && cap < tip
    {
        return Err(RpcError::server(format!("maxFeePerGas ({cap}) < maxPriorityFeePerGas ({tip})")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{Bytes, TxKind};

    fn to(address: Address) -> TransactionRequest {
        TransactionRequest { to: Some(TxKind::Call(address)), ..TransactionRequest::default() }
    }

    #[test]
    fn contradictions_are_told_in_the_words_of_geth() {
        let ok = to(Address::ZERO);
        assert!(check(&ok).is_ok());
        let both = TransactionRequest { gas_price: Some(1), max_fee_per_gas: Some(1), ..ok.clone() };
        assert!(check(&both).unwrap_err().message.starts_with("both gasPrice and"));
        let above = TransactionRequest { max_fee_per_gas: Some(1), max_priority_fee_per_gas: Some(2), ..ok.clone() };
        assert_eq!(check(&above).unwrap_err().message, "maxFeePerGas (1) < maxPriorityFeePerGas (2)");
        let error = check(&TransactionRequest::default()).unwrap_err();
        assert_eq!(error.message, "contract creation without any data provided");
        let same = TransactionInput { input: Some(Bytes::from([1])), data: Some(Bytes::from([1])) };
        assert!(check(&TransactionRequest { input: same, ..ok.clone() }).is_ok(), "cast sends both");
        let other = TransactionInput { input: Some(Bytes::from([1])), data: Some(Bytes::from([2])) };
        assert!(check(&TransactionRequest { input: other, ..ok }).is_err());
    }
}
