//! Small bundles for tests.

use crate::{Bundle, ChainReference, PlainAccount, PlainState, PreState, Witness};
use alloy_consensus::{
    BlockBody, Header, SignableTransaction, TxEip1559, TxLegacy,
    proofs::{calculate_ommers_root, calculate_transaction_root, calculate_withdrawals_root},
};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{Address, B256, Bytes, Log, Signature, TxKind, U256, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{KECCAK_EMPTY, Nibbles, TrieAccount, nodes::LeafNode};
use braid_runtime::{Block, Receipt, Transaction};
use std::collections::BTreeMap;

/// Code of the contract at [`CONTRACT`].
pub(crate) const CODE: Bytes = Bytes::from_static(&[0x60, 0x01, 0x00]);
pub(crate) const CONTRACT: Address = Address::repeat_byte(0xc0);
pub(crate) const OWNER: Address = Address::repeat_byte(0x0e);

pub(crate) fn legacy() -> Transaction {
    let transaction = TxLegacy { chain_id: Some(1), gas_limit: 21_000, to: TxKind::Call(OWNER), ..TxLegacy::default() };
    transaction.into_signed(Signature::test_signature()).into()
}

pub(crate) fn dynamic_fee() -> Transaction {
    let transaction = TxEip1559 { chain_id: 1, nonce: 3, gas_limit: 50_000, ..TxEip1559::default() };
    transaction.into_signed(Signature::test_signature()).into()
}

/// A block that commits to this body.
pub(crate) fn block(
    number: u64,
    transactions: Vec<Transaction>,
    ommers: Vec<Header>,
    withdrawals: Option<Withdrawals>,
) -> Block {
    let header = Header {
        number,
        parent_hash: B256::repeat_byte(9),
        transactions_root: calculate_transaction_root(&transactions),
        ommers_hash: calculate_ommers_root(&ommers),
        base_fee_per_gas: Some(7),
        withdrawals_root: withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals)),
        ..Header::default()
    };
    Block { header, body: BlockBody { transactions, ommers, withdrawals } }
}

pub(crate) fn plain_state() -> PlainState {
    let owner = PlainAccount {
        balance: U256::from(10).pow(U256::from(18)),
        nonce: 4,
        code_hash: KECCAK_EMPTY,
        storage: BTreeMap::new(),
    };
    let contract = PlainAccount {
        balance: U256::ZERO,
        nonce: 1,
        code_hash: keccak256(&CODE),
        storage: BTreeMap::from([(U256::from(1), U256::from(5)), (U256::from(300), U256::MAX)]),
    };
    PlainState { accounts: BTreeMap::from([(OWNER, owner), (CONTRACT, contract)]), codes: vec![CODE], complete: false }
}

/// A block of one transaction on a plain state.
pub(crate) fn plain() -> Bundle {
    Bundle {
        chain: ChainReference::MAINNET,
        block: block(15_000_000, vec![legacy()], Vec::new(), None),
        ommers_missing: false,
        senders: None,
        pre_state: PreState::Plain(plain_state()),
        block_hashes: BTreeMap::new(),
        receipts: None,
        access_list: None,
    }
}

/// An empty block on a state of one contract with one slot, as a witness with two ancestors.
pub(crate) fn witness() -> Bundle {
    let leaf = |key: B256, value: Vec<u8>| {
        let mut rlp = Vec::new();
        LeafNode::new(Nibbles::unpack(key), value).encode(&mut rlp);
        Bytes::from(rlp)
    };
    let storage = leaf(keccak256(B256::with_last_byte(1)), alloy_rlp::encode(5u64));
    let account = TrieAccount::new(1, U256::from(77), keccak256(&storage), keccak256(&CODE));
    let accounts = leaf(keccak256(CONTRACT), alloy_rlp::encode(account));
    let state_root = keccak256(&accounts);

    let grandparent = Header { number: 98, ..Header::default() };
    let parent = Header { number: 99, parent_hash: grandparent.hash_slow(), state_root, ..Header::default() };
    let mut block = block(100, Vec::new(), Vec::new(), None);
    block.header.parent_hash = parent.hash_slow();
    block.header.state_root = state_root;
    let witness = Witness {
        state_root,
        state: vec![storage, accounts],
        codes: vec![CODE],
        keys: vec![Bytes::copy_from_slice(CONTRACT.as_slice()), Bytes::copy_from_slice(&[0; 32])],
        headers: vec![parent, grandparent],
    };
    Bundle { block, pre_state: PreState::Witness(witness), ..plain() }
}

/// A bundle in which every optional part is there.
pub(crate) fn with_everything() -> Bundle {
    let withdrawal = Withdrawal { index: 8, validator_index: 9, address: OWNER, amount: 10 };
    let config = alloy_genesis::ChainConfig {
        chain_id: 1,
        london_block: Some(0),
        terminal_total_difficulty: Some(U256::from(10).pow(U256::from(22))),
        ..Default::default()
    };
    let log = Log::new_unchecked(CONTRACT, vec![B256::repeat_byte(4)], CODE);
    let receipt = |transaction: &Transaction| Receipt {
        tx_type: transaction.tx_type(),
        success: true,
        cumulative_gas_used: 21_000,
        logs: vec![log.clone()],
    };
    let transactions = vec![legacy(), dynamic_fee()];
    let receipts = transactions.iter().map(receipt).collect();
    let ommers = vec![Header { number: 41, ..Header::default() }];
    Bundle {
        chain: ChainReference::Config(Box::new(config)),
        block: block(42, transactions, ommers, Some(Withdrawals::new(vec![withdrawal]))),
        senders: Some(vec![OWNER, CONTRACT]),
        pre_state: PreState::Plain(PlainState { complete: true, ..plain_state() }),
        block_hashes: BTreeMap::from([(40, B256::repeat_byte(40)), (41, B256::repeat_byte(41))]),
        receipts: Some(receipts),
        access_list: Some(vec![alloy_eip7928::AccountChanges::new(OWNER)]),
        ..plain()
    }
}
