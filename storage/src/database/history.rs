//! Which blocks changed what: the index over the change sets.

use crate::{
    AccountRecord, StorageError,
    encoding::{self, DecodeError, MAX_SHARD, decode_account, encode_account, encode_shard, key},
    error::at,
    store::{ReadTransaction, Table, WriteTransaction},
};

/// Highest block number of the shard that new blocks are appended to.
const OPEN: u64 = u64::MAX;

/// An account before a block as it stands in a change set: empty if it did not exist.
pub(crate) fn encode_account_before(account: Option<AccountRecord>) -> Vec<u8> {
    account.map_or_else(Vec::new, |account| encode_account(&account))
}

/// Reads what [`encode_account_before`] writes.
pub(crate) fn decode_account_before(bytes: &[u8]) -> Result<Option<AccountRecord>, DecodeError> {
    if bytes.is_empty() { Ok(None) } else { decode_account(bytes).map(Some) }
}

/// The first block after `number` that changed the subject.
pub(crate) fn next_change(
    transaction: &dyn ReadTransaction,
    table: Table,
    subject: &[u8],
    number: u64,
) -> Result<Option<u64>, StorageError> {
    let Some(after) = number.checked_add(1) else { return Ok(None) };
    let mut cursor = transaction.cursor(table)?;
    match cursor.seek(&key::history(subject, after))? {
        Some((key, value)) if is_shard_of(&key, subject) => {
            let numbers = encoding::decode_shard(&value).map_err(at(table, &key))?;
            Ok(numbers.get(numbers.partition_point(|changed| *changed <= number)).copied())
        }
        _ => Ok(None),
    }
}

fn is_shard_of(key: &[u8], subject: &[u8]) -> bool {
    key.len() == subject.len() + 8 && key.starts_with(subject)
}

/// Appends ascending block numbers, all above those that are there.
pub(super) fn append(
    transaction: &mut dyn WriteTransaction,
    table: Table,
    subject: &[u8],
    numbers: &[u64],
) -> Result<(), StorageError> {
    let open = key::history(subject, OPEN);
    let stored = transaction.get(table, &open)?;
    let mut all = match stored {
        None => Vec::new(),
        Some(value) => encoding::decode_shard(&value).map_err(at(table, &open))?,
    };
    all.extend_from_slice(numbers);
    let mut rest = all.as_slice();
    while rest.len() > MAX_SHARD {
        let (closed, more) = rest.split_at(MAX_SHARD);
        transaction.put(table, &key::history(subject, closed[MAX_SHARD - 1]), &encode_shard(closed))?;
        rest = more;
    }
    Ok(transaction.put(table, &open, &encode_shard(rest))?)
}

/// Removes all block numbers above `last`.
pub(super) fn remove_after(
    transaction: &mut dyn WriteTransaction,
    table: Table,
    subject: &[u8],
    last: u64,
) -> Result<(), StorageError> {
    let shards = shards_from(&*transaction, table, subject, last.saturating_add(1), usize::MAX)?;
    let mut left = Vec::new();
    for (key, numbers) in shards {
        // The first of these shards may hold numbers that stay; it becomes the open one.
        left.extend(numbers.into_iter().filter(|number| *number <= last));
        transaction.delete(table, &key)?;
    }
    if left.is_empty() {
        // What was closed below stays closed; the open shard is made anew with the next block.
        return Ok(());
    }
    Ok(transaction.put(table, &key::history(subject, OPEN), &encode_shard(&left))?)
}

/// Removes all block numbers up to and including `last`.
pub(super) fn remove_through(
    transaction: &mut dyn WriteTransaction,
    table: Table,
    subject: &[u8],
    last: u64,
) -> Result<(), StorageError> {
    while let Some((key, numbers)) = shards_from(&*transaction, table, subject, 0, 1)?.pop() {
        let left = &numbers[numbers.partition_point(|number| *number <= last)..];
        if left.is_empty() {
            transaction.delete(table, &key)?;
            continue;
        }
        if left.len() < numbers.len() {
            transaction.put(table, &key, &encode_shard(left))?;
        }
        break;
    }
    Ok(())
}

type Shards = Vec<(Vec<u8>, Vec<u64>)>;

/// The shards of a subject that may hold numbers from `first` on, at most so many.
fn shards_from(
    transaction: &dyn ReadTransaction,
    table: Table,
    subject: &[u8],
    first: u64,
    most: usize,
) -> Result<Shards, StorageError> {
    let mut shards = Vec::new();
    let mut cursor = transaction.cursor(table)?;
    let mut entry = cursor.seek(&key::history(subject, first))?;
    while let Some((key, value)) = entry {
        if !is_shard_of(&key, subject) || shards.len() == most {
            break;
        }
        shards.push((key.to_vec(), encoding::decode_shard(&value).map_err(at(table, &key))?));
        entry = cursor.next()?;
    }
    Ok(shards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MemoryStore, Store};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const SUBJECT: &[u8] = b"subject";

    #[derive(Clone, Debug)]
    enum Operation {
        Append(Vec<u64>),
        Unwind(u64),
        Prune(u64),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        prop_oneof![
            4 => prop::collection::vec(1u64..9, 1..200).prop_map(Operation::Append),
            1 => (0u64..400).prop_map(Operation::Unwind),
            1 => (0u64..200).prop_map(Operation::Prune),
        ]
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_set(operations in prop::collection::vec(operation(), 1..12), asked in prop::collection::vec(0u64..3000, 20)) {
            let store = MemoryStore::new();
            let mut transaction = store.begin_write().unwrap();
            // Neighbours in the order of keys, which must never be touched or found.
            for neighbour in [b"subjecs", b"subjecu"] {
                append(&mut *transaction, Table::AccountHistory, neighbour, &[1, 2, 3]).unwrap();
            }
            let mut expected = BTreeSet::new();
            let mut last = 0;
            for operation in operations {
                match operation {
                    Operation::Append(steps) => {
                        let numbers: Vec<_> = steps.iter().map(|step| { last += step; last }).collect();
                        append(&mut *transaction, Table::AccountHistory, SUBJECT, &numbers).unwrap();
                        expected.extend(numbers);
                    }
                    Operation::Unwind(distance) => {
                        last -= distance.min(last);
                        remove_after(&mut *transaction, Table::AccountHistory, SUBJECT, last).unwrap();
                        expected.retain(|number| *number <= last);
                    }
                    Operation::Prune(distance) => {
                        let through = last - distance.min(last);
                        remove_through(&mut *transaction, Table::AccountHistory, SUBJECT, through).unwrap();
                        expected.retain(|number| *number > through);
                    }
                }
                for number in &asked {
                    let found = next_change(&*transaction, Table::AccountHistory, SUBJECT, *number).unwrap();
                    prop_assert_eq!(found, expected.range(number + 1..).next().copied());
                }
            }
            for neighbour in [b"subjecs", b"subjecu"] {
                prop_assert_eq!(next_change(&*transaction, Table::AccountHistory, neighbour, 2).unwrap(), Some(3));
            }
        }
    }
}
