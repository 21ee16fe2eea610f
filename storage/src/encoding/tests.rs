//! Round trips, sizes that the layouts promise, and bytes that nobody wrote.

use super::*;
use crate::{AccountRecord, block::Head};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, Log};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};
use proptest::prelude::*;

fn word() -> impl Strategy<Value = U256> {
    (any::<[u8; 32]>(), 0usize..=256)
        .prop_map(|(bytes, shift)| if shift == 256 { U256::ZERO } else { U256::from_be_bytes(bytes) >> shift })
}

fn record() -> impl Strategy<Value = AccountRecord> {
    (any::<u64>(), 0u32..64, word(), any::<Option<[u8; 32]>>()).prop_map(|(nonce, shift, balance, code)| {
        AccountRecord { nonce: nonce >> shift, balance, code_hash: code.map_or(KECCAK256_EMPTY, B256::new) }
    })
}

proptest! {
    #[test]
    fn words(value in word()) {
        prop_assert_eq!(decode_word(&encode_word(value)), Ok(value));
    }

    #[test]
    fn accounts(record in record(), root in any::<Option<[u8; 32]>>()) {
        prop_assert_eq!(decode_account(&encode_account(&record)), Ok(record));
        let hashed = HashedAccount { record, storage_root: root.map_or(EMPTY_ROOT_HASH, B256::new) };
        prop_assert_eq!(decode_hashed_account(&encode_hashed_account(&hashed)), Ok(hashed));
    }

    #[test]
    fn shards(numbers in prop::collection::btree_set(any::<u64>(), 0..200)) {
        let numbers: Vec<_> = numbers.into_iter().collect();
        prop_assert_eq!(decode_shard(&encode_shard(&numbers)), Ok(numbers));
    }

    #[test]
    fn foreign_bytes_give_an_error_or_a_value_that_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(account) = decode_hashed_account(&bytes)
            && account.storage_root != EMPTY_ROOT_HASH
            && account.record.code_hash != KECCAK256_EMPTY
        {
            prop_assert_eq!(&encode_hashed_account(&account), &bytes);
        }
        if let Ok(word) = decode_word(&bytes) {
            prop_assert_eq!(&encode_word(word), &bytes);
        }
        let _ = (decode_shard(&bytes), decode_head(&bytes), decode_lookup(&bytes), decode_header(&bytes));
        let _ = (decode_body(&bytes), decode_receipts(&bytes));
    }

    #[test]
    fn different_paths_have_different_keys(a in prop::collection::vec(0u8..16, 0..6), b in prop::collection::vec(0u8..16, 0..6)) {
        let key = |nibbles: &[u8]| key::account_node(&Nibbles::from_nibbles(nibbles));
        prop_assert_eq!(key(&a) == key(&b), a == b);
        prop_assert_eq!(decode_path(&key(&a)), Ok(Nibbles::from_nibbles(&a)));
    }
}

#[test]
fn sizes_are_compact() {
    let empty = AccountRecord { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY };
    assert_eq!(encode_account(&empty), [0]);
    let user = AccountRecord { nonce: 300, balance: U256::from(10).pow(U256::from(18)), ..empty };
    assert_eq!(encode_account(&user).len(), 1 + 2 + 8);
    assert!(encode_word(U256::ZERO).is_empty());
    assert_eq!(encode_shard(&[20_000_000, 20_000_001, 20_000_200]).len(), 4 + 1 + 2);
    assert_eq!(key::account_node(&Nibbles::from_nibbles([1, 2, 3])), [0x12, 0x30, 3]);
    assert_eq!(key::account_node(&Nibbles::new()), [0], "no key is empty");
}

#[test]
fn keys_order_by_block_first_and_by_subject_first() {
    let address = Address::repeat_byte(1);
    assert!(key::account_change(1, Address::repeat_byte(9)) < key::account_change(2, address));
    assert!(key::history(address.as_slice(), 7) < key::history(address.as_slice(), u64::MAX));
    assert_eq!(key::parse_slot(&key::slot(address, U256::from(5))), Ok((address, U256::from(5))));
    assert!(key::parse_slot(&[0; 51]).is_err());
}

#[test]
fn heads_and_lookups() {
    let head = Head { number: 7, hash: B256::repeat_byte(1), state_root: B256::repeat_byte(2) };
    assert_eq!(decode_head(&encode_head(&head)), Ok(head));
    assert!(decode_head(&encode_head(&head)[1..]).is_err());
    assert_eq!(decode_lookup(&encode_lookup(7, 3)), Ok((7, 3)));
}

#[test]
fn receipts() {
    let log = Log::new_unchecked(Address::repeat_byte(3), vec![B256::repeat_byte(4)], vec![5; 40].into());
    let receipt = |tx_type| crate::block::Receipt {
        tx_type,
        success: true,
        cumulative_gas_used: 21_000,
        logs: vec![log.clone()],
    };
    let receipts = vec![receipt(alloy_consensus::TxType::Legacy), receipt(alloy_consensus::TxType::Eip7702)];
    let bytes = encode_receipts(&receipts);
    assert!(bytes.len() < 250, "no bloom is stored: {} bytes", bytes.len());
    assert_eq!(decode_receipts(&bytes), Ok(receipts));
    assert!(decode_receipts(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn shards_with_repeated_or_overflowing_numbers_are_refused() {
    assert!(decode_shard(&[5, 0]).is_err(), "a number twice");
    assert!(decode_shard(&[0x80]).is_err(), "cut");
    let mut bytes = encode_shard(&[u64::MAX]);
    bytes.push(1);
    assert!(decode_shard(&bytes).is_err(), "beyond 64 bits");
    assert!(decode_shard(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err(), "beyond 64 bits");
}
