//! A transaction by itself: could it be in a block of this fork at all?
//!
//! What a sender's account or the rest of a block decides (nonce, balance, base fee, gas left) is not looked at. Execution checks
//! everything again; this is for those who take transactions before there is a block for them.

use alloy_consensus::{Header, Transaction, Typed2718 as _, crypto::RecoveryError, transaction::SignerRecoverable};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, ChainId};
use braid_runtime::ChainSpec;
use revm::{
    context::Cfg,
    context_interface::cfg::gas::calculate_initial_tx_gas,
    primitives::{eip4844::VERSIONED_HASH_VERSION_KZG, hardfork::SpecId},
};

/// Which rule a transaction breaks by itself.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Transactions of this type are not known yet (EIP-2718).
    #[error("transactions of type {0} are not known yet")]
    Type(u8),
    /// The signature is for another chain, or for any chain before EIP-155 brought that.
    #[error("signed for chain {0}")]
    ChainId(ChainId),
    /// No sender follows from the signature, or its `s` is in the upper half of the order of the curve (EIP-2).
    #[error("the signature is invalid")]
    Signature(#[source] RecoveryError),
    /// The nonce has no successor (EIP-2681).
    #[error("the nonce has no successor")]
    Nonce,
    /// The gas limit does not pay for the transaction's data, or for the floor of its fork (EIP-7623).
    #[error("gas limit {limit} is less than the {needed} needed before anything is executed")]
    IntrinsicGas {
        /// Gas limit of the transaction.
        limit: u64,
        /// Gas needed at least.
        needed: u64,
    },
    /// The gas limit is above what a transaction may have (EIP-7825).
    #[error("gas limit {limit} is more than the {cap} of a transaction")]
    GasCap {
        /// Gas limit of the transaction.
        limit: u64,
        /// Most gas of a transaction.
        cap: u64,
    },
    /// The priority fee is more than the whole fee (EIP-1559).
    #[error("the priority fee of {priority} wei per gas is more than the fee of {fee}")]
    PriorityFee {
        /// Wei per gas for the beneficiary.
        priority: u128,
        /// Wei per gas in all.
        fee: u128,
    },
    /// The init code is too long (EIP-3860).
    #[error("{length} bytes of init code, more than {limit}")]
    InitCode {
        /// Bytes of init code.
        length: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A blob transaction without blobs, with too many, or with hashes of an unknown version (EIP-4844, EIP-7594).
    #[error("the blobs are none, too many, or of an unknown version")]
    Blobs,
    /// A transaction that sets code without anybody's authorization (EIP-7702).
    #[error("the list of authorizations is empty")]
    NoAuthorization,
}

/// What is known of a transaction by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedTransaction {
    /// Who signed it.
    pub sender: Address,
    /// Gas that it costs before anything is executed.
    pub intrinsic_gas: u64,
    /// Gas that it costs at least, whatever is executed (EIP-7623); zero before Prague.
    pub floor_gas: u64,
}

/// What a transaction costs before anything is executed, and at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitialGas {
    /// Gas that it costs before anything is executed.
    pub intrinsic: u64,
    /// Gas that it costs at least, whatever is executed (EIP-7623); zero before Prague.
    pub floor: u64,
}

/// The rules for the transactions of one block, found once to check many of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRules {
    rules: SpecId,
    chain_id: ChainId,
    allows_chain_id: bool,
    /// Whether `s` has to be in the lower half (EIP-2).
    is_low_s: bool,
    /// Most gas of a transaction (EIP-7825).
    gas_cap: Option<u64>,
    /// Most bytes of init code (EIP-3860).
    init_code: Option<usize>,
    max_blobs: u64,
}

impl TransactionRules {
    /// The rules in the block of this header, of which only number, timestamp and, for the merge, difficulty count.
    pub fn new(header: &Header, spec: &ChainSpec) -> Self {
        let rules = spec.spec_id(header);
        let environment = spec.evm_env(header).cfg_env;
        Self {
            rules,
            chain_id: spec.chain_id(),
            allows_chain_id: spec.is_spurious_dragon_active_at_block(header.number),
            is_low_s: spec.is_homestead_active_at_block(header.number),
            gas_cap: (!rules.is_enabled_in(SpecId::AMSTERDAM)).then(|| environment.tx_gas_limit_cap()),
            init_code: rules.is_enabled_in(SpecId::SHANGHAI).then(|| environment.max_initcode_size()),
            max_blobs: environment.max_blobs_per_tx().unwrap_or(u64::MAX),
        }
    }

    /// The fork.
    pub const fn spec_id(&self) -> SpecId {
        self.rules
    }

    /// Chain id of the chain.
    pub const fn chain_id(&self) -> ChainId {
        self.chain_id
    }

    /// Everything but the signature.
    ///
    /// # Errors
    /// The first rule that the transaction breaks.
    pub fn check<T: Transaction>(&self, transaction: &T) -> Result<InitialGas, TransactionError> {
        self.check_type(transaction.ty())?;
        self.check_chain_id(transaction)?;
        self.check_content(transaction)
    }

    /// Who signed the transaction.
    ///
    /// # Errors
    /// [`TransactionError::Signature`].
    pub fn recover<T: SignerRecoverable>(&self, transaction: &T) -> Result<Address, TransactionError> {
        let sender = if self.is_low_s { transaction.recover_signer() } else { transaction.recover_signer_unchecked() };
        sender.map_err(TransactionError::Signature)
    }

    fn check_type(&self, type_id: u8) -> Result<(), TransactionError> {
        let first = match type_id {
            0 => return Ok(()),
            1 => SpecId::BERLIN,
            2 => SpecId::LONDON,
            3 => SpecId::CANCUN,
            4 => SpecId::PRAGUE,
            unknown => return Err(TransactionError::Type(unknown)),
        };
        if self.rules.is_enabled_in(first) { Ok(()) } else { Err(TransactionError::Type(type_id)) }
    }

    fn check_chain_id<T: Transaction>(&self, transaction: &T) -> Result<(), TransactionError> {
        match transaction.chain_id() {
            Some(chain_id) if !self.allows_chain_id || chain_id != self.chain_id => {
                Err(TransactionError::ChainId(chain_id))
            }
            _ => Ok(()),
        }
    }

    fn check_content<T: Transaction>(&self, transaction: &T) -> Result<InitialGas, TransactionError> {
        if transaction.nonce() == u64::MAX {
            return Err(TransactionError::Nonce);
        }
        let limit = transaction.gas_limit();
        if let Some(cap) = self.gas_cap.filter(|cap| limit > *cap) {
            return Err(TransactionError::GasCap { limit, cap });
        }
        if let Some(priority) = transaction.max_priority_fee_per_gas()
            && priority > transaction.max_fee_per_gas()
        {
            return Err(TransactionError::PriorityFee { priority, fee: transaction.max_fee_per_gas() });
        }
        let length = transaction.input().len();
        if let Some(most) = self.init_code.filter(|most| length > *most && transaction.is_create()) {
            return Err(TransactionError::InitCode { length, limit: most });
        }
        if let Some(hashes) = transaction.blob_versioned_hashes() {
            let are_known = hashes.iter().all(|hash| hash[0] == VERSIONED_HASH_VERSION_KZG);
            if hashes.is_empty() || !are_known || hashes.len() as u64 > self.max_blobs {
                return Err(TransactionError::Blobs);
            }
        }
        if transaction.authorization_list().is_some_and(<[_]>::is_empty) {
            return Err(TransactionError::NoAuthorization);
        }
        let gas = self.initial_gas(transaction);
        let needed = gas.intrinsic.max(gas.floor);
        if limit < needed {
            return Err(TransactionError::IntrinsicGas { limit, needed });
        }
        Ok(gas)
    }

    /// What the transaction costs before anything is executed, and at least.
    fn initial_gas<T: Transaction>(&self, transaction: &T) -> InitialGas {
        let (accounts, slots) = transaction
            .access_list()
            .map_or((0, 0), |list| (list.len() as u64, list.iter().map(|entry| entry.storage_keys.len() as u64).sum()));
        let authorizations = transaction.authorization_list().map_or(0, <[_]>::len) as u64;
        let (input, is_create) = (transaction.input(), transaction.is_create());
        let gas = calculate_initial_tx_gas(self.rules, input, is_create, accounts, slots, authorizations, None);
        let floor = if self.rules.is_enabled_in(SpecId::PRAGUE) { gas.floor_gas() } else { 0 };
        InitialGas { intrinsic: gas.initial_total_gas(), floor }
    }
}

/// Checks whether a transaction could be in the block of this header, of which only number, timestamp and, for the merge, difficulty
/// count.
///
/// # Errors
/// The first rule that it breaks.
pub fn validate_transaction(
    transaction: &braid_runtime::Transaction,
    header: &Header,
    spec: &ChainSpec,
) -> Result<CheckedTransaction, TransactionError> {
    let rules = TransactionRules::new(header, spec);
    rules.check_type(transaction.ty())?;
    rules.check_chain_id(transaction)?;
    let sender = rules.recover(transaction)?;
    let gas = rules.check_content(transaction)?;
    Ok(CheckedTransaction { sender, intrinsic_gas: gas.intrinsic, floor_gas: gas.floor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
    use alloy_primitives::{B256, Bytes, Signature, TxKind, U256};
    use braid_runtime::Transaction;

    fn signed<T: SignableTransaction<Signature>>(transaction: T) -> Transaction
    where
        Transaction: From<alloy_consensus::Signed<T>>,
    {
        transaction.into_signed(Signature::test_signature()).into()
    }

    fn check(fork: &str, transaction: &Transaction) -> Result<CheckedTransaction, TransactionError> {
        let spec = ChainSpec::from_suite_fork(fork).unwrap();
        let header = Header {
            number: 1,
            timestamp: 1,
            base_fee_per_gas: Some(7),
            excess_blob_gas: Some(0),
            ..Header::default()
        };
        validate_transaction(transaction, &header, &spec)
    }

    fn legacy() -> TxLegacy {
        TxLegacy { gas_limit: 100_000, to: TxKind::Call(Address::ZERO), ..Default::default() }
    }

    fn blobs(count: usize, version: u8) -> TxEip4844 {
        let mut hash = B256::repeat_byte(1);
        hash[0] = version;
        TxEip4844 { chain_id: 1, gas_limit: 100_000, blob_versioned_hashes: vec![hash; count], ..Default::default() }
    }

    #[test]
    fn types_come_with_forks() {
        let access = signed(TxEip2930 { chain_id: 1, gas_limit: 60_000, ..Default::default() });
        let fees = signed(TxEip1559 { chain_id: 1, gas_limit: 60_000, ..Default::default() });
        let code = signed(TxEip7702 {
            chain_id: 1,
            gas_limit: 60_000,
            authorization_list: vec![alloy_eips::eip7702::SignedAuthorization::new_unchecked(
                alloy_eips::eip7702::Authorization { chain_id: U256::ZERO, address: Address::ZERO, nonce: 0 },
                0,
                U256::ZERO,
                U256::ZERO,
            )],
            ..Default::default()
        });
        for (transaction, before, from) in [
            (access, "Istanbul", "Berlin"),
            (fees, "Berlin", "London"),
            (signed(blobs(1, 1)), "Shanghai", "Cancun"),
            (code, "Cancun", "Prague"),
        ] {
            let early = check(before, &transaction);
            assert!(matches!(early, Err(TransactionError::Type(_))), "{before}: {early:?}");
            let result = check(from, &transaction);
            assert!(result.is_ok(), "{from}: {result:?}");
        }
    }

    #[test]
    fn chains_are_named_from_spurious_dragon_on() {
        let bound = |chain_id| signed(TxLegacy { chain_id: Some(chain_id), ..legacy() });
        assert!(check("Frontier", &signed(legacy())).is_ok());
        assert!(matches!(check("Homestead", &bound(1)), Err(TransactionError::ChainId(1))));
        assert!(check("EIP158", &bound(1)).is_ok());
        assert!(matches!(check("EIP158", &bound(2)), Err(TransactionError::ChainId(2))));
    }

    #[test]
    fn gas_for_the_data_and_for_the_floor() {
        let transaction = |gas_limit| signed(TxLegacy { gas_limit, input: Bytes::from(vec![1; 100]), ..legacy() });
        for (fork, intrinsic, needed) in
            [("Homestead", 27_800, 27_800), ("Istanbul", 22_600, 22_600), ("Prague", 22_600, 25_000)]
        {
            let checked = check(fork, &transaction(needed)).unwrap();
            assert_eq!(checked.intrinsic_gas, intrinsic, "{fork}");
            let short = check(fork, &transaction(needed - 1));
            assert!(
                matches!(short, Err(TransactionError::IntrinsicGas { needed: gas, .. }) if gas == needed),
                "{fork}: {short:?}"
            );
        }
        let huge = check("Osaka", &transaction((1 << 24) + 1));
        assert!(matches!(huge, Err(TransactionError::GasCap { .. })), "{huge:?}");
        assert!(check("Prague", &transaction((1 << 24) + 1)).is_ok());
    }

    #[test]
    fn each_other_rule() {
        let nonce = check("London", &signed(TxLegacy { nonce: u64::MAX, ..legacy() }));
        assert!(matches!(nonce, Err(TransactionError::Nonce)), "{nonce:?}");
        let fees = TxEip1559 {
            chain_id: 1,
            gas_limit: 60_000,
            max_priority_fee_per_gas: 2,
            max_fee_per_gas: 1,
            ..Default::default()
        };
        let fees = check("London", &signed(fees));
        assert!(matches!(fees, Err(TransactionError::PriorityFee { .. })), "{fees:?}");
        let create = signed(TxLegacy {
            to: TxKind::Create,
            input: Bytes::from(vec![0; 49_153]),
            gas_limit: 10_000_000,
            ..legacy()
        });
        assert!(matches!(check("Shanghai", &create), Err(TransactionError::InitCode { .. })));
        assert!(check("Paris", &create).is_ok());
        for (fork, count, version) in [("Cancun", 0, 1), ("Cancun", 1, 2), ("Osaka", 7, 1)] {
            let result = check(fork, &signed(blobs(count, version)));
            assert!(matches!(result, Err(TransactionError::Blobs)), "{fork} {count} {version}: {result:?}");
        }
        let nobody = check("Prague", &signed(TxEip7702 { chain_id: 1, gas_limit: 60_000, ..Default::default() }));
        assert!(matches!(nobody, Err(TransactionError::NoAuthorization)), "{nobody:?}");
        let unsigned: Transaction = legacy().into_signed(Signature::new(U256::ZERO, U256::ZERO, false)).into();
        assert!(matches!(check("London", &unsigned), Err(TransactionError::Signature(_))));
    }
}
