//! `engine_forkchoiceUpdated`: this is the head; build on it.

use super::{
    INVALID_ATTRIBUTES, INVALID_FORK_CHOICE, call, fork_at,
    status::{invalid, status},
    unsupported_fork,
};
use crate::{Backend, MethodSet, RpcError, error::INVALID_PARAMS};
use alloy_hardforks::EthereumHardfork::{Amsterdam, Cancun, Paris, Shanghai};
use alloy_primitives::Bytes;
use alloy_rpc_types_engine::{ForkchoiceState, ForkchoiceUpdated, PayloadAttributes, PayloadId, PayloadStatusEnum};
use braid_chain::{
    ExecutionEngine,
    execution_engine::{ForkChoiceError, ForkChoiceState},
    payload,
};

/// What our blocks have as extra data.
const EXTRA_DATA: Bytes = Bytes::from_static(b"braid");

type Check = fn(&Backend, &PayloadAttributes) -> Result<(), RpcError>;
type Arguments = (ForkchoiceState, Option<PayloadAttributes>);

pub(super) fn register(methods: &mut MethodSet) {
    let mut version = |signature, about, check: Check| {
        call(methods, signature, about, move |backend, (state, attributes): Arguments| {
            update(backend, state, attributes, check)
        });
    };
    version(
        "engine_forkchoiceUpdatedV1(forkchoiceState: ForkchoiceState, payloadAttributes?: PayloadAttributes) -> ForkchoiceUpdated",
        "Moves the head, and builds a block of Paris on it if attributes are given.",
        |backend, attributes| {
            if attributes.withdrawals.is_some() || attributes.parent_beacon_block_root.is_some() {
                return Err(RpcError::invalid_params("withdrawals and beacon root not supported in V1"));
            }
            if fork_at(backend, attributes.timestamp) != Paris {
                return Err(RpcError::invalid_params("forkchoiceUpdatedV1 called for a payload after Paris"));
            }
            Ok(())
        },
    );
    version(
        "engine_forkchoiceUpdatedV2(forkchoiceState: ForkchoiceState, payloadAttributes?: PayloadAttributes) -> ForkchoiceUpdated",
        "Moves the head, and builds a block of Paris or Shanghai on it if attributes are given.",
        |backend, attributes| {
            if attributes.parent_beacon_block_root.is_some() {
                return Err(wrong("unexpected beacon root"));
            }
            match (fork_at(backend, attributes.timestamp), attributes.withdrawals.is_some()) {
                (Paris, true) => Err(wrong("withdrawals before Shanghai")),
                (Shanghai, false) => Err(wrong("missing withdrawals")),
                (Paris | Shanghai, _) => Ok(()),
                _ => Err(unsupported_fork("forkchoiceUpdatedV2")),
            }
        },
    );
    version(
        "engine_forkchoiceUpdatedV3(forkchoiceState: ForkchoiceState, payloadAttributes?: PayloadAttributes) -> ForkchoiceUpdated",
        "Moves the head, and builds a block of Cancun, Prague or Osaka on it if attributes are given.",
        |backend, attributes| {
            has_beacon_fields(attributes)?;
            if attributes.slot_number.is_some() {
                return Err(wrong("unexpected slot number"));
            }
            let fork = fork_at(backend, attributes.timestamp);
            if (Cancun..Amsterdam).contains(&fork) { Ok(()) } else { Err(unsupported_fork("forkchoiceUpdatedV3")) }
        },
    );
    version(
        "engine_forkchoiceUpdatedV4(forkchoiceState: ForkchoiceState, payloadAttributes?: PayloadAttributes) -> ForkchoiceUpdated",
        "Moves the head, and builds a block of Amsterdam on it if attributes are given.",
        |backend, attributes| {
            has_beacon_fields(attributes)?;
            if attributes.slot_number.is_none() {
                return Err(wrong("missing slot number"));
            }
            let is_amsterdam = fork_at(backend, attributes.timestamp) == Amsterdam;
            if is_amsterdam { Ok(()) } else { Err(unsupported_fork("forkchoiceUpdatedV4")) }
        },
    );
}

fn wrong(message: &str) -> RpcError {
    RpcError::new(INVALID_ATTRIBUTES, format!("Invalid payload attributes: {message}"))
}

fn has_beacon_fields(attributes: &PayloadAttributes) -> Result<(), RpcError> {
    match attributes {
        PayloadAttributes { withdrawals: None, .. } => Err(wrong("missing withdrawals")),
        PayloadAttributes { parent_beacon_block_root: None, .. } => Err(wrong("missing beacon root")),
        _ => Ok(()),
    }
}

/// Attributes as the chain takes them.
pub(crate) fn chain_attributes(attributes: PayloadAttributes, extra_data: Bytes) -> payload::PayloadAttributes {
    payload::PayloadAttributes {
        timestamp: attributes.timestamp,
        prev_randao: attributes.prev_randao,
        fee_recipient: attributes.suggested_fee_recipient,
        withdrawals: attributes.withdrawals.map(Into::into),
        parent_beacon_block_root: attributes.parent_beacon_block_root,
        slot_number: attributes.slot_number,
        extra_data,
        gas_limit: attributes.target_gas_limit,
    }
}

/// Attributes that are wrong do not undo the fork choice, which is why it comes first.
fn update(
    backend: &Backend,
    state: ForkchoiceState,
    attributes: Option<PayloadAttributes>,
    check: Check,
) -> Result<ForkchoiceUpdated, RpcError> {
    if state.head_block_hash.is_zero() {
        return Ok(ForkchoiceUpdated::new(invalid("forkchoice requested update to zero hash")));
    }
    let checked = attributes.as_ref().map_or(Ok(()), |attributes| check(backend, attributes));
    // Parameters that the version does not have are no parameters.
    if let Err(error) = &checked
        && error.code == INVALID_PARAMS
    {
        return Err(error.clone());
    }
    let wanted = attributes.filter(|_| checked.is_ok()).map(|attributes| chain_attributes(attributes, EXTRA_DATA));
    let choice = ForkChoiceState {
        head: state.head_block_hash,
        safe: state.safe_block_hash,
        finalized: state.finalized_block_hash,
    };
    let updated = backend.chain().update_fork_choice(choice, wanted).map_err(|error| match error {
        ForkChoiceError::NotAncestor { .. } => {
            RpcError::new(INVALID_FORK_CHOICE, format!("Invalid forkchoice state: {error}"))
        }
        ForkChoiceError::Attributes { .. } => wrong(&error.to_string()),
        ForkChoiceError::Chain(error) => RpcError::from(error),
    })?;
    let payload_status = status(updated.status, state.head_block_hash);
    if payload_status.status == PayloadStatusEnum::Valid {
        checked?;
    }
    Ok(ForkchoiceUpdated { payload_status, payload_id: updated.payload.map(|id| PayloadId(id.0)) })
}
