//! Messages and typed data, signed with the keys of the node's accounts.

use crate::{Backend, MethodSet, RpcError};
use alloy_dyn_abi::TypedData;
use alloy_primitives::{Address, Bytes};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use serde_json::Value;

pub(super) fn register(methods: &mut MethodSet) {
    let about = "Signs a message, with the prefix that tells it from a transaction (EIP-191).";
    methods.quick("eth_sign(address: Address, message: Bytes) -> Bytes", about, |backend, (address, message)| {
        sign_message(backend, address, &message)
    });
    methods.quick(
        "personal_sign(message: Bytes, address: Address, password?: String) -> Bytes",
        about,
        |backend, (message, address, _): (Bytes, Address, Option<Value>)| sign_message(backend, address, &message),
    );
    let about = "Signs typed data (EIP-712), given as an object or as its JSON in a string.";
    methods.quick(
        "eth_signTypedData_v4(address: Address, data: TypedData) -> Bytes",
        about,
        |backend, (address, data): (Address, TypedData)| sign_typed_data(backend, address, &data),
    );
    methods.alias("eth_signTypedData", "eth_signTypedData_v4");
    methods.alias("eth_signTypedData_v3", "eth_signTypedData_v4");
}

impl Backend {
    fn required_signer(&self, address: &Address) -> Result<&PrivateKeySigner, RpcError> {
        self.accounts().signer(address).ok_or_else(|| RpcError::server("unknown account"))
    }
}

fn sign_message(backend: &Backend, address: Address, message: &Bytes) -> Result<Bytes, RpcError> {
    let signature = backend.required_signer(&address)?.sign_message_sync(message).map_err(RpcError::internal)?;
    Ok(signature.as_bytes().into())
}

fn sign_typed_data(backend: &Backend, address: Address, data: &TypedData) -> Result<Bytes, RpcError> {
    let signer = backend.required_signer(&address)?;
    let hash = data.eip712_signing_hash().map_err(|error| RpcError::invalid_params(error.to_string()))?;
    let signature = signer.sign_hash_sync(&hash).map_err(RpcError::internal)?;
    Ok(signature.as_bytes().into())
}
