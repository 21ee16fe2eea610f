//! Forgetting how the state was long ago.
//!
//! To read the state at block N takes the change sets from N + 1 on, so those up to N go, and with them their numbers in
//! the index.

use super::{
    history, read,
    unwind::{account_change_address, slot_change_slot},
    write,
};
use crate::{
    StorageError,
    encoding::key,
    error::at,
    store::{Table, WriteTransaction},
};
use std::collections::BTreeSet;

/// Removes what is needed for reads below block `earliest`, from at most `most` blocks. Gives the first block whose state
/// can be read afterwards.
pub(super) fn prune(transaction: &mut dyn WriteTransaction, earliest: u64, most: u64) -> Result<u64, StorageError> {
    let from = read::history_from(&*transaction)?;
    let through = earliest.min(from.saturating_add(most));
    if through <= from {
        return Ok(from);
    }
    let mut accounts = BTreeSet::new();
    let mut slots = BTreeSet::new();
    for number in from + 1..=through {
        for key in write::keys_with_prefix(&*transaction, Table::AccountChanges, &key::block(number))? {
            accounts.insert(account_change_address(&key).map_err(at(Table::AccountChanges, &key))?);
            transaction.delete(Table::AccountChanges, &key)?;
        }
        for key in write::keys_with_prefix(&*transaction, Table::StorageChanges, &key::block(number))? {
            slots.insert(slot_change_slot(&key).map_err(at(Table::StorageChanges, &key))?);
            transaction.delete(Table::StorageChanges, &key)?;
        }
    }
    for address in accounts {
        history::remove_through(transaction, Table::AccountHistory, address.as_slice(), through)?;
    }
    for (address, slot) in slots {
        history::remove_through(transaction, Table::StorageHistory, &key::slot(address, slot), through)?;
    }
    transaction.put(Table::Metadata, key::metadata::HISTORY_FROM, &through.to_be_bytes())?;
    Ok(through)
}
