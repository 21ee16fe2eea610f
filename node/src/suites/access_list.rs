//! Blocks with access lists (EIP-7928), as they are written: decoded, encoded, hashed, and in order.

use super::{block_test::decode, case::compare};
use alloy_eip7928::{BlockAccessList, compute_block_access_list_hash, validate_block_access_list};
use alloy_rlp::Decodable;
use braid_fixtures::suites::BlockchainTest;

/// Checks every block that must not be refused.
pub(super) fn check(test: &BlockchainTest<'_>) -> Result<(), String> {
    for (index, suite_block) in test.blocks.iter().enumerate() {
        if suite_block.exception.is_some() {
            continue;
        }
        let in_block = |error: String| format!("block {index} of {}: {error}", test.blocks.len());
        let block = decode(&suite_block.rlp).map_err(|error| in_block(error.to_string()))?;
        if alloy_rlp::encode(&block) != suite_block.rlp {
            return Err(in_block("does not encode to the bytes it was decoded from".to_owned()));
        }
        let list = suite_block.access_list().map_err(|error| in_block(format!("access list: {error}")))?;
        match (list, block.header.block_access_list_hash) {
            (None, None) => {}
            (Some(list), Some(expected)) => {
                let transactions = block.body.transactions.len();
                check_list(&list, transactions).map_err(in_block)?;
                compare("access list hash", expected, compute_block_access_list_hash(&list)).map_err(in_block)?;
            }
            (list, hash) => {
                let word = |is_there| if is_there { "one" } else { "none" };
                let (expected, got) = (word(hash.is_some()), word(list.is_some()));
                return Err(in_block(format!("access list: expected {expected}, got {got}")));
            }
        }
    }
    Ok(())
}

/// A list is what its encoding says, sorted, without duplicates, and belongs to a block of so many transactions.
fn check_list(list: &BlockAccessList, transactions: usize) -> Result<(), String> {
    let encoded = alloy_rlp::encode(list);
    let mut rest = encoded.as_slice();
    let decoded = BlockAccessList::decode(&mut rest).map_err(|error| format!("access list: {error}"))?;
    if !rest.is_empty() || decoded != *list || alloy_rlp::encode(&decoded) != encoded {
        return Err("access list: is not the one that its encoding decodes to".to_owned());
    }
    validate_block_access_list(list, transactions).map_err(|error| format!("access list: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_eip7928::{AccountChanges, BalanceChange, BlockAccessIndex};
    use alloy_primitives::{Address, U256};

    #[test]
    fn order_and_indexes() {
        let account = |byte, index| {
            let mut changes = AccountChanges::new(Address::repeat_byte(byte));
            changes.balance_changes.push(BalanceChange::new(BlockAccessIndex::new(index), U256::from(7)));
            changes
        };
        assert_eq!(check_list(&vec![account(1, 0), account(2, 3)], 2), Ok(()));
        assert!(check_list(&vec![account(2, 0), account(1, 0)], 2).is_err(), "not sorted");
        assert!(check_list(&vec![account(1, 0), account(1, 0)], 2).is_err(), "twice");
        assert!(check_list(&vec![account(1, 4)], 2).is_err(), "index beyond the block");
    }
}
