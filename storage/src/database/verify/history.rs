//! Change sets and the index over them.

use super::{Verifier, disagree};
use crate::{StorageError, encoding::key, store::Table};

impl Verifier<'_> {
    /// Every block in the index has its change set entry, and the other way round.
    pub(super) fn history(&mut self, index: Table, changes: Table) -> Result<(), StorageError> {
        let mut indexed = 0;
        let mut cursor = self.transaction.cursor(index)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            let Some(subject) = key.len().checked_sub(8).map(|length| &key[..length]) else {
                return disagree(index, &key);
            };
            for number in crate::encoding::decode_shard(&value).map_err(crate::error::at(index, &key))? {
                if !self.count() {
                    return Ok(());
                }
                indexed += 1;
                let change = [&key::block(number), subject].concat();
                match self.transaction.get(changes, &change)? {
                    Some(before) if self.is_well_formed(changes, &before) => {}
                    _ => return disagree(changes, &change),
                }
            }
            entry = cursor.next()?;
        }
        if self.transaction.table_size(changes)?.entries == indexed { Ok(()) } else { disagree(changes, &[]) }
    }

    fn is_well_formed(&self, changes: Table, before: &[u8]) -> bool {
        match changes {
            Table::AccountChanges => crate::database::history::decode_account_before(before).is_ok(),
            _ => crate::encoding::decode_word(before).is_ok(),
        }
    }
}
