//! `braid_getConflicts`.

use super::{
    analysis::Analysis,
    types::{Conflict, Conflicts, FieldValue, Value},
};
use crate::{
    Backend, RpcError,
    replay::{Limits, Replay, ReplayError, ReplayState, replayed},
};
use alloy_primitives::{B256, U256};
use braid_runtime::{AccessKey, explain::Edge};
use revm::{Database, DatabaseRef};

pub(super) fn of_transaction(backend: &Backend, hash: B256) -> Result<Conflicts, RpcError> {
    let (block, index) = backend.traced_transaction(&hash)?;
    let limits = Limits::new(backend.options().call_timeout);
    replayed(|| {
        let analysis = Analysis::of(backend, &block)?;
        let (mut depends_on, mut dependents) = (Vec::new(), Vec::new());
        let mut replay = Replay::new(backend.chain(), &block, limits)?;
        // In the order of the later transactions, so that one way through the block finds all values.
        for Edge { from, to, fields } in analysis.explanation().edges().iter().cloned() {
            if from != index && to != index {
                continue;
            }
            replay.skip_to(to)?;
            let fields = fields.into_iter().map(|key| {
                let value = value(replay.state_mut(), key)?;
                Ok(FieldValue { field: key.into(), value })
            });
            let fields = fields.collect::<Result<_, ReplayError>>()?;
            let other = if to == index { from } else { to };
            let conflict = Conflict { index: other, hash: *block.transactions()[other].tx_hash(), fields };
            if to == index { depends_on.push(conflict) } else { dependents.push(conflict) }
        }
        Ok(Conflicts {
            place: analysis.place,
            transaction: analysis.transaction(index),
            is_critical: analysis.critical_path().transactions.contains(&index),
            depends_on,
            dependents,
        })
    })
}

fn value(state: &mut ReplayState, key: AccessKey) -> Result<Option<Value>, ReplayError> {
    let account = |state: &mut ReplayState| state.basic(key.address());
    Ok(match key {
        AccessKey::Balance(_) => Some(Value::Number(account(state)?.map_or(U256::ZERO, |account| account.balance))),
        AccessKey::Nonce(_) => Some(Value::Number(account(state)?.map_or(U256::ZERO, |it| U256::from(it.nonce)))),
        AccessKey::Code(_) => {
            let account = account(state)?.unwrap_or_default();
            let code = match account.code {
                Some(code) => code,
                None => state.code_by_hash_ref(account.code_hash)?,
            };
            Some(Value::Code(code.original_bytes()))
        }
        AccessKey::Storage(address, slot) => {
            // An account has to be loaded before its storage.
            state.basic(address)?;
            Some(Value::Number(state.storage(address, slot)?))
        }
        AccessKey::Life(_) => None,
    })
}
