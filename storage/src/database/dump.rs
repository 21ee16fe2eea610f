//! The whole state at the head, account by account.

use super::{Database, read};
use crate::{
    AccountRecord, StorageError,
    encoding::{self, key},
    error::at,
    store::{Table, for_each_with_prefix},
};
use alloy_primitives::{Address, Bytes, U256};

/// An account with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpedAccount {
    /// Its address.
    pub address: Address,
    /// Nonce, balance and hash of the code.
    pub record: AccountRecord,
    /// The code; empty without.
    pub code: Bytes,
    /// Slots that are not zero, with their values, in their order.
    pub slots: Vec<(U256, U256)>,
}

impl Database {
    /// Visits every account of the state at the head, in the order of the addresses, until the visitor says to stop.
    pub fn for_each_account(&self, mut visit: impl FnMut(DumpedAccount) -> bool) -> Result<(), StorageError> {
        self.shared.read(|reader| {
            let transaction = &*reader.transaction;
            let mut cursor = transaction.cursor(Table::Accounts)?;
            let mut entry = cursor.first()?;
            while let Some((place, value)) = entry {
                let address = key::parse_address(&place).map_err(at(Table::Accounts, &place))?;
                let record = encoding::decode_account(&value).map_err(at(Table::Accounts, &place))?;
                let code = read::code(transaction, record.code_hash)?.unwrap_or_default();
                let mut slots = Vec::new();
                let mut malformed = None;
                for_each_with_prefix(transaction, Table::Storage, address.as_slice(), |place, value| {
                    match key::parse_slot(place).and_then(|(_, slot)| Ok((slot, encoding::decode_word(value)?))) {
                        Ok(entry) => slots.push(entry),
                        Err(source) => malformed = Some(at(Table::Storage, place)(source)),
                    }
                })?;
                if let Some(error) = malformed {
                    return Err(error);
                }
                if !visit(DumpedAccount { address, record, code, slots }) {
                    break;
                }
                entry = cursor.next()?;
            }
            Ok(())
        })
    }
}
