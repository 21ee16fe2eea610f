//! Small states and blocks for tests.

use crate::{Block, ChainSpec, RecoveredBlock, Transaction};
use alloy_consensus::{BlockBody, Header, SignableTransaction, TxLegacy};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use revm::{
    DatabaseRef,
    context::DBErrorMarker,
    database::{CacheDB, EmptyDB},
    state::{AccountInfo, Bytecode},
};

/// Wei of that much ether.
pub(crate) fn ether(amount: u64) -> U256 {
    U256::from(amount) * U256::from(10).pow(U256::from(18))
}

/// A state in which each of the accounts has 1,000 ether.
pub(crate) fn funded(accounts: &[Address]) -> CacheDB<EmptyDB> {
    let mut state = CacheDB::new(EmptyDB::new());
    for account in accounts {
        state.insert_account_info(*account, AccountInfo::from_balance(ether(1000)));
    }
    state
}

/// A contract without balance.
pub(crate) fn contract(code: &Bytes) -> AccountInfo {
    AccountInfo { nonce: 1, ..AccountInfo::from_bytecode(Bytecode::new_raw(code.clone())) }
}

/// A payment with a gas price of 10 wei and enough gas to run a small contract once it has any.
pub(crate) fn pay(nonce: u64, to: Address, value: u64) -> Transaction {
    let tx = TxLegacy {
        nonce,
        gas_price: 10,
        gas_limit: 60_000,
        to: TxKind::Call(to),
        value: if value == u64::MAX { U256::MAX >> 8 } else { U256::from(value) },
        ..Default::default()
    };
    BlockBuilder::sign(tx)
}

/// Builds a block that has all the fields that its fork asks for.
pub(crate) struct BlockBuilder {
    fork: String,
    pub(crate) header: Header,
    pub(crate) ommers: Vec<Header>,
    pub(crate) withdrawals: Option<Vec<Withdrawal>>,
    transactions: Vec<Transaction>,
    senders: Vec<Address>,
}

impl BlockBuilder {
    /// An empty block 1 of a fork of the conformance suites, mined by `0xc0c0…`.
    pub(crate) fn new(fork: &str) -> Self {
        let spec = ChainSpec::from_suite_fork(fork).unwrap();
        let mut header = Header {
            number: 1,
            timestamp: 1000,
            gas_limit: 100_000_000,
            beneficiary: Address::repeat_byte(0xc0),
            ..Default::default()
        };
        let rules = spec.at(&header);
        if !rules.is_merged() {
            header.difficulty = U256::from(131_072);
        }
        let withdrawals = spec.is_shanghai_active_at_timestamp(1000).then(Vec::new);
        header.base_fee_per_gas = spec.is_london_active_at_block(1).then_some(7);
        if spec.is_cancun_active_at_timestamp(1000) {
            header.excess_blob_gas = Some(0);
            header.parent_beacon_block_root = Some(B256::ZERO);
        }
        Self {
            fork: fork.to_owned(),
            header,
            ommers: Vec::new(),
            withdrawals,
            transactions: Vec::new(),
            senders: Vec::new(),
        }
    }

    /// Signs in form only: blocks made here state their senders.
    pub(crate) fn sign<T>(transaction: T) -> Transaction
    where
        T: SignableTransaction<Signature>,
        alloy_consensus::Signed<T>: Into<Transaction>,
    {
        transaction.into_signed(Signature::test_signature()).into()
    }

    pub(crate) fn transaction(mut self, sender: Address, transaction: Transaction) -> Self {
        self.senders.push(sender);
        self.transactions.push(transaction);
        self
    }

    pub(crate) fn spec(&self) -> ChainSpec {
        ChainSpec::from_suite_fork(&self.fork).unwrap()
    }

    pub(crate) fn build(&self) -> RecoveredBlock {
        let body = BlockBody {
            transactions: self.transactions.clone(),
            ommers: self.ommers.clone(),
            withdrawals: self.withdrawals.clone().map(Into::into),
        };
        RecoveredBlock::new_unchecked(Block::new(self.header.clone(), body), self.senders.clone())
    }
}

/// A state that cannot tell anything about one account.
pub(crate) struct FailingSnapshot {
    pub(crate) inner: CacheDB<EmptyDB>,
    pub(crate) missing: Address,
}

#[derive(Debug, thiserror::Error)]
#[error("no such account: {0}")]
pub(crate) struct NoSuchAccount(Address);

impl DBErrorMarker for NoSuchAccount {}

impl DatabaseRef for FailingSnapshot {
    type Error = NoSuchAccount;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, NoSuchAccount> {
        if address == self.missing {
            return Err(NoSuchAccount(address));
        }
        Ok(self.inner.basic_ref(address).unwrap())
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, NoSuchAccount> {
        Ok(self.inner.code_by_hash_ref(code_hash).unwrap())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, NoSuchAccount> {
        Ok(self.inner.storage_ref(address, slot).unwrap())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, NoSuchAccount> {
        Ok(self.inner.block_hash_ref(number).unwrap())
    }
}
