//! What clients send as a transaction, as a transaction for the EVM: the defaults and refusals are those of geth's `TransactionArgs`.

use crate::RpcError;
use alloy_evm::EvmEnv;
use alloy_primitives::{B256, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::{
    context::{TransactionType, TxEnv},
    context_interface::{either::Either, transaction::AccessList},
    primitives::hardfork::SpecId,
};

/// Gas limit without a gas cap, as geth has it: half of the largest, so that sums do not overflow.
pub(crate) const NO_GAS_CAP: u64 = u64::MAX / 2;

/// Prices of a transaction, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fees {
    /// Most per gas.
    pub(crate) cap: u128,
    /// Most per gas for the fee recipient.
    pub(crate) tip: u128,
    /// Most per blob gas, if there are blobs.
    pub(crate) blob_cap: Option<u128>,
    /// Whether cap and tip were given apart (EIP-1559).
    is_dynamic: bool,
}

impl Fees {
    /// The prices in a request; nothing when nothing is given.
    ///
    /// # Errors
    /// Both kinds of prices were given, or a tip above the cap.
    pub(crate) fn of(request: &TransactionRequest, spec: SpecId) -> Result<Self, RpcError> {
        let is_dynamic = request.max_fee_per_gas.is_some() || request.max_priority_fee_per_gas.is_some();
        if request.gas_price.is_some() && is_dynamic {
            return Err(RpcError::server("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
        }
        let has_blobs = request.blob_versioned_hashes.is_some();
        let blob_cap = has_blobs.then(|| request.max_fee_per_blob_gas.unwrap_or_default());
        if !is_dynamic || !spec.is_enabled_in(SpecId::LONDON) {
            let price = request.gas_price.unwrap_or_default();
            return Ok(Self { cap: price, tip: price, blob_cap, is_dynamic: false });
        }
        let cap = request.max_fee_per_gas.unwrap_or_default();
        let tip = request.max_priority_fee_per_gas.unwrap_or_default();
        Ok(Self { cap, tip, blob_cap, is_dynamic })
    }

    /// Whether neither cap nor tip is asked for: then the base fee does not matter.
    pub(crate) const fn is_free(&self) -> bool {
        self.cap == 0 && self.tip == 0
    }

    /// Takes the base fees away that a call without fees does not pay, as geth does: otherwise the EVM would run with a price below the base
    /// fee.
    pub(crate) const fn lower_base_fees(&self, environment: &mut EvmEnv) {
        if self.is_free() {
            environment.block_env.basefee = 0;
        }
        if let (Some(0), Some(blob)) = (self.blob_cap, &mut environment.block_env.blob_excess_gas_and_price) {
            blob.blob_gasprice = 0;
        }
    }
}

/// A call, ready for the EVM.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// For the EVM. Its gas limit is the one that was asked for, below the cap; see [`gas_was_given`](Self::gas_was_given).
    pub(crate) transaction: TxEnv,
    /// Its prices.
    pub(crate) fees: Fees,
    /// Whether the request had a gas limit.
    pub(crate) gas_was_given: bool,
}

impl Call {
    /// Reads a request for the block of `environment`. Without a gas limit the call gets all of the gas cap (zero is no cap); the nonce is zero
    /// if none is given.
    ///
    /// # Errors
    /// Contradictions, and another chain.
    pub(crate) fn new(request: &TransactionRequest, environment: &EvmEnv, gas_cap: u64) -> Result<Self, RpcError> {
        let spec = *environment.spec_id();
        let fees = Fees::of(request, spec)?;
        let chain_id = environment.cfg_env.chain_id;
        if let Some(have) = request.chain_id.filter(|have| *have != chain_id) {
            return Err(RpcError::server(format!("chainId does not match node's (have={have}, want={chain_id})")));
        }
        let input = request.input.unique_input().map_err(|_| {
            RpcError::server(
                "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data",
            )
        })?;
        let kind = request.to.unwrap_or(TxKind::Create);
        let blobs = request.blob_versioned_hashes.as_deref();
        check_blobs(blobs, kind)?;
        let authorizations = request.authorization_list.as_deref();
        check_authorizations(authorizations, kind)?;

        let most = if gas_cap == 0 { NO_GAS_CAP } else { gas_cap };
        let kind_of_transaction = match () {
            () if authorizations.is_some() && spec.is_enabled_in(SpecId::PRAGUE) => TransactionType::Eip7702,
            () if blobs.is_some() && spec.is_enabled_in(SpecId::CANCUN) => TransactionType::Eip4844,
            () if fees.is_dynamic => TransactionType::Eip1559,
            () if request.access_list.is_some() && spec.is_enabled_in(SpecId::BERLIN) => TransactionType::Eip2930,
            () => TransactionType::Legacy,
        };
        let with_tip = !matches!(kind_of_transaction, TransactionType::Legacy | TransactionType::Eip2930);
        let transaction = TxEnv {
            tx_type: kind_of_transaction as u8,
            caller: request.from.unwrap_or_default(),
            gas_limit: request.gas.unwrap_or(most).min(most),
            gas_price: fees.cap,
            gas_priority_fee: with_tip.then_some(fees.tip),
            kind,
            value: request.value.unwrap_or_default(),
            data: input.cloned().unwrap_or_default(),
            nonce: request.nonce.unwrap_or_default(),
            chain_id: Some(chain_id),
            access_list: access_list(request),
            blob_hashes: blobs.unwrap_or_default().to_vec(),
            max_fee_per_blob_gas: fees.blob_cap.unwrap_or_default(),
            authorization_list: authorizations.unwrap_or_default().iter().cloned().map(Either::Left).collect(),
        };
        Ok(Self { transaction, fees, gas_was_given: request.gas.is_some() })
    }

    /// Most gas that the sender's balance pays for beside the value and the blobs; none if there is no price.
    pub(crate) fn affordable_gas(&self, balance: U256) -> Result<Option<u64>, CannotPay> {
        if self.fees.cap == 0 {
            return Ok(None);
        }
        let value = self.transaction.value;
        if value >= balance && !value.is_zero() {
            return Err(CannotPay::Value);
        }
        let left = balance - value;
        let blob_gas = alloy_eips::eip4844::DATA_GAS_PER_BLOB * self.transaction.blob_hashes.len() as u64;
        let blobs = U256::from(blob_gas) * U256::from(self.fees.blob_cap.unwrap_or_default());
        if !blobs.is_zero() && blobs >= left {
            return Err(CannotPay::Blobs);
        }
        Ok(Some(((left - blobs) / U256::from(self.fees.cap)).saturating_to()))
    }

    /// Limits the gas of a call that did not say how much it wants to what its sender can pay for.
    pub(crate) fn limit_gas_to(&mut self, balance: U256) {
        if !self.gas_was_given
            && let Ok(Some(gas)) = self.affordable_gas(balance)
        {
            self.transaction.gas_limit = self.transaction.gas_limit.min(gas);
        }
    }
}

/// What a balance is too small for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotPay {
    Value,
    Blobs,
}

fn check_blobs(hashes: Option<&[B256]>, kind: TxKind) -> Result<(), RpcError> {
    let Some(hashes) = hashes else { return Ok(()) };
    if kind.is_create() {
        return Err(RpcError::server("blob transaction of type create"));
    }
    if hashes.is_empty() {
        return Err(RpcError::server("blob transaction missing blob hashes"));
    }
    match hashes.iter().position(|hash| hash[0] != alloy_eips::eip4844::VERSIONED_HASH_VERSION_KZG) {
        Some(index) => Err(RpcError::server(format!("blob {index} has invalid hash version"))),
        None => Ok(()),
    }
}

fn check_authorizations<T>(list: Option<&[T]>, kind: TxKind) -> Result<(), RpcError> {
    match list {
        Some(_) if kind.is_create() => Err(RpcError::server("EIP-7702 transaction cannot be used to create contract")),
        Some([]) => Err(RpcError::server("EIP-7702 transaction with empty auth list")),
        _ => Ok(()),
    }
}

fn access_list(request: &TransactionRequest) -> AccessList {
    request.access_list.clone().unwrap_or_default()
}
