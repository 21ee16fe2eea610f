//! The first block of a chain from a genesis file in geth's format.
//!
//! Read it from [`GenesisFile::from_json`] down: the JSON is taken apart field by field, so that an error names the field or
//! the account; [`header`] adds what the forks that are active at genesis demand; [`state`] turns the accounts into the
//! change to nothing with which the database begins.
//!
//! As in geth: without a gas limit above zero it is 4,712,388; accounts exist even if they are empty; from London on the
//! base fee is 1 gwei unless stated; withdrawals, requests and block access list are empty, the beacon root is zero. More
//! lenient is what old files need: an account without `balance` has none, and `wei` is another name for it.

use alloy_consensus::{Header, constants::EMPTY_WITHDRAWALS};
use alloy_eip7928::constants::EMPTY_BLOCK_ACCESS_LIST_HASH;
use alloy_eips::{eip1559::INITIAL_BASE_FEE, eip7685::EMPTY_REQUESTS_HASH};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use braid_runtime::{ChainSpec, ChainSpecError};
use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, SlotChange};
use revm::state::Bytecode;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Gas limit of a genesis that states none, or zero.
const DEFAULT_GAS_LIMIT: u64 = 4_712_388;

/// Why a genesis file gives no chain.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The file is no JSON.
    #[error("the genesis is not valid JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// A field that must be there is not.
    #[error("the genesis has no field \"{0}\"")]
    MissingField(&'static str),
    /// A field does not hold what it should.
    #[error("genesis field \"{field}\": {source}")]
    Field {
        /// Name of the field.
        field: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A key of `alloc` is no address.
    #[error("genesis field \"alloc\": {0:?} is not an address")]
    Address(String),
    /// An account is listed under two spellings of its address.
    #[error("genesis field \"alloc\": account {0} is there twice")]
    DuplicateAccount(Address),
    /// An account does not hold what it should.
    #[error("genesis account {address}: {source}")]
    Account {
        /// The account.
        address: Address,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A base fee that no header can hold.
    #[error("genesis field \"baseFeePerGas\": {0} wei is more than a header can hold")]
    BaseFee(u128),
    /// The fork schedule makes no sense.
    #[error("genesis field \"config\": {0}")]
    Schedule(#[from] ChainSpecError),
}

/// A chain as its genesis file describes it.
#[derive(Clone, Debug)]
pub struct GenesisFile {
    /// The rules of the chain.
    pub spec: ChainSpec,
    /// The first block and the state after it.
    pub genesis: braid_storage::Genesis,
}

impl GenesisFile {
    /// Reads a genesis file: `config` with the chain id and the forks, the fields of the header, and `alloc` with the
    /// accounts.
    pub fn from_json(json: &str) -> Result<Self, GenesisError> {
        Self::new(&parse(json)?)
    }

    /// The chain of a genesis that was read already.
    pub fn new(genesis: &Genesis) -> Result<Self, GenesisError> {
        let spec = ChainSpec::from_genesis(genesis)?;
        Self::with_spec(spec, genesis)
    }

    /// The chain of a genesis under rules that are known from elsewhere; its `config` does not count.
    pub fn with_spec(spec: ChainSpec, genesis: &Genesis) -> Result<Self, GenesisError> {
        let header = header(&spec, genesis)?;
        let withdrawals = header.withdrawals_root.is_some().then(Default::default);
        let body = Body { withdrawals, ..Body::default() };
        let chain_id = spec.chain_id();
        let state = state(&genesis.alloc);
        Ok(Self { spec, genesis: braid_storage::Genesis { chain_id, header, body, state } })
    }

    /// Hash of the first block.
    pub fn hash(&self) -> B256 {
        self.genesis.header.hash_slow()
    }
}

/// Reads the JSON; every error names the field.
fn parse(json: &str) -> Result<Genesis, GenesisError> {
    let mut fields: Map<String, Value> = serde_json::from_str(json).map_err(GenesisError::Json)?;
    let config = fields.get("config").ok_or(GenesisError::MissingField("config"))?;
    if config.is_object() && config.get("chainId").is_none() {
        return Err(GenesisError::MissingField("config.chainId"));
    }
    for required in ["gasLimit", "difficulty"] {
        if !fields.contains_key(required) {
            return Err(GenesisError::MissingField(required));
        }
    }
    let alloc = fields.remove("alloc").ok_or(GenesisError::MissingField("alloc"))?;
    let alloc: Map<String, Value> = read("alloc", alloc)?;
    // Each field alone, so that the error names it.
    for (name, value) in &fields {
        let one = Map::from_iter([(name.clone(), value.clone())]);
        let _: Genesis = read(name, Value::Object(one))?;
    }
    let mut genesis: Genesis = read("genesis", Value::Object(fields))?;
    for (key, account) in alloc {
        let address = key.parse::<Address>().map_err(|_| GenesisError::Address(key.clone()))?;
        if genesis.alloc.insert(address, self::account(address, account)?).is_some() {
            return Err(GenesisError::DuplicateAccount(address));
        }
    }
    Ok(genesis)
}

fn read<T: serde::de::DeserializeOwned>(field: &str, value: Value) -> Result<T, GenesisError> {
    serde_json::from_value(value).map_err(|source| GenesisError::Field { field: field.to_owned(), source })
}

fn account(address: Address, mut account: Value) -> Result<GenesisAccount, GenesisError> {
    if let Value::Object(fields) = &mut account {
        let balance = fields.remove("wei").unwrap_or_else(|| Value::from("0x0"));
        fields.entry("balance").or_insert(balance);
    }
    serde_json::from_value(account).map_err(|source| GenesisError::Account { address, source })
}

/// The header of the first block, with the fields of every fork that is active in it.
fn header(spec: &ChainSpec, genesis: &Genesis) -> Result<Header, GenesisError> {
    let mut header = Header {
        parent_hash: genesis.parent_hash.unwrap_or_default(),
        beneficiary: genesis.coinbase,
        state_root: state_root(&genesis.alloc),
        difficulty: genesis.difficulty,
        number: genesis.number.unwrap_or_default(),
        gas_limit: if genesis.gas_limit == 0 { DEFAULT_GAS_LIMIT } else { genesis.gas_limit },
        timestamp: genesis.timestamp,
        extra_data: genesis.extra_data.clone(),
        mix_hash: genesis.mix_hash,
        nonce: genesis.nonce.into(),
        ..Header::default()
    };
    if spec.is_london_active_at_block(header.number) {
        let base_fee = genesis.base_fee_per_gas.unwrap_or(u128::from(INITIAL_BASE_FEE));
        header.base_fee_per_gas = Some(base_fee.try_into().map_err(|_| GenesisError::BaseFee(base_fee))?);
    }
    let timestamp = header.timestamp;
    if spec.is_shanghai_active_at_timestamp(timestamp) {
        header.withdrawals_root = Some(EMPTY_WITHDRAWALS);
    }
    if spec.is_cancun_active_at_timestamp(timestamp) {
        header.parent_beacon_block_root = Some(B256::ZERO);
        header.blob_gas_used = Some(genesis.blob_gas_used.unwrap_or_default());
        header.excess_blob_gas = Some(genesis.excess_blob_gas.unwrap_or_default());
    }
    if spec.is_prague_active_at_timestamp(timestamp) {
        header.requests_hash = Some(EMPTY_REQUESTS_HASH);
    }
    if spec.is_amsterdam_active_at_timestamp(timestamp) {
        header.block_access_list_hash = Some(EMPTY_BLOCK_ACCESS_LIST_HASH);
        header.slot_number = Some(genesis.slot_number.unwrap_or_default());
    }
    Ok(header)
}

fn record(account: &GenesisAccount) -> AccountRecord {
    AccountRecord {
        nonce: account.nonce.unwrap_or_default(),
        balance: account.balance,
        code_hash: account.code_hash().unwrap_or(KECCAK256_EMPTY),
    }
}

fn slots(account: &GenesisAccount) -> impl Iterator<Item = (U256, U256)> + '_ {
    account.storage_slots().map(|(slot, value)| (slot.into(), value)).filter(|(_, value)| !value.is_zero())
}

fn state_root(accounts: &BTreeMap<Address, GenesisAccount>) -> B256 {
    braid_storage::state_root(accounts.iter().map(|(address, account)| (*address, record(account), slots(account))))
}

/// The accounts as a change to nothing.
fn state(accounts: &BTreeMap<Address, GenesisAccount>) -> BlockChange {
    let mut state = BlockChange::default();
    let mut codes = BTreeMap::new();
    for (&address, account) in accounts {
        state.accounts.push(AccountChange { address, present: Some(record(account)), storage_wiped: false });
        state.slots.extend(slots(account).map(|(slot, present)| SlotChange { address, slot, present }));
        if let Some(code) = account.non_empty_code() {
            codes.entry(keccak256(code)).or_insert_with(|| bytecode(code));
        }
    }
    state.contracts = codes.into_iter().collect();
    state
}

/// Code as the interpreter takes it; what only begins like a delegation (EIP-7702) is code like any other.
fn bytecode(code: &Bytes) -> Bytecode {
    Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{address, b256};
    use braid_storage::Database;

    /// A genesis with this `config` and these accounts.
    fn json(config: &str, alloc: &str) -> String {
        format!(
            r#"{{"config": {config}, "alloc": {alloc}, "difficulty": "0x1", "gasLimit": "0x1c9c380", "timestamp": "0x5"}}"#
        )
    }

    const UNTIL_LONDON: &str = r#""chainId": 9, "homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0,
        "byzantiumBlock": 0, "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0,
        "londonBlock": 0"#;

    fn header(forks: &str) -> Header {
        let config = format!("{{{UNTIL_LONDON}{forks}}}");
        GenesisFile::from_json(&json(&config, "{}")).unwrap().genesis.header
    }

    #[test]
    fn each_fork_adds_its_fields() {
        let london = header("");
        assert_eq!((london.base_fee_per_gas, london.withdrawals_root), (Some(1_000_000_000), None));
        let shanghai = header(r#", "shanghaiTime": 5"#);
        assert_eq!((shanghai.withdrawals_root, shanghai.blob_gas_used), (Some(EMPTY_WITHDRAWALS), None));
        assert_eq!(header(r#", "shanghaiTime": 6"#).withdrawals_root, None, "the fork starts after genesis");
        let cancun = header(r#", "shanghaiTime": 0, "cancunTime": 0"#);
        assert_eq!((cancun.blob_gas_used, cancun.excess_blob_gas), (Some(0), Some(0)));
        assert_eq!((cancun.parent_beacon_block_root, cancun.requests_hash), (Some(B256::ZERO), None));
        let prague = header(r#", "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0"#);
        assert_eq!((prague.requests_hash, prague.block_access_list_hash), (Some(EMPTY_REQUESTS_HASH), None));
        let amsterdam =
            header(r#", "shanghaiTime": 0, "cancunTime": 0, "pragueTime": 0, "osakaTime": 0, "amsterdamTime": 0"#);
        assert_eq!(amsterdam.block_access_list_hash, Some(EMPTY_BLOCK_ACCESS_LIST_HASH));
        assert_eq!(amsterdam.slot_number, Some(0));
    }

    #[test]
    fn mainnet_without_its_accounts_has_its_header() {
        // Everything but the state root is that of the public chain; the root of no accounts is known.
        let json = r#"{"config": {"chainId": 1, "homesteadBlock": 1150000}, "nonce": "0x42", "timestamp": "0x0",
            "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa", "gasLimit": "0x1388",
            "difficulty": "0x400000000", "alloc": {}}"#;
        let file = GenesisFile::from_json(json).unwrap();
        let expected = b256!("0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544");
        let header = Header { state_root: expected, ..file.genesis.header };
        assert_eq!(
            header.hash_slow(),
            b256!("0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"),
            "the genesis hash of the public chain"
        );
    }

    #[test]
    fn accounts_are_the_state_of_a_database() {
        let alloc = r#"{
            "0x00000000000000000000000000000000000000aa": {"balance": "0x5", "nonce": "0x1", "code": "0x6001",
                "storage": {"0x01": "0x02", "0x02": "0x00"}},
            "00000000000000000000000000000000000000bb": {"balance": "1000"},
            "00000000000000000000000000000000000000cc": {"wei": "7"},
            "00000000000000000000000000000000000000dd": {"code": "0x6001"},
            "00000000000000000000000000000000000000ee": {}}"#;
        let file = GenesisFile::from_json(&json(r#"{"chainId": 9}"#, alloc)).unwrap();
        assert_eq!(file.genesis.state.contracts.len(), 1, "code is there once");
        let database = Database::in_memory(&file.genesis, Default::default()).expect("the state root is right");
        let state = database.snapshot().unwrap();
        let first = address!("0x00000000000000000000000000000000000000aa");
        assert_eq!(state.account(first).unwrap().unwrap().nonce, 1);
        assert_eq!(state.slot(first, U256::from(1)).unwrap(), U256::from(2));
        let balance = |last| state.account(Address::with_last_byte(last)).unwrap().map(|account| account.balance);
        assert_eq!(balance(0xbb), Some(U256::from(1000)));
        assert_eq!(balance(0xcc), Some(U256::from(7)));
        assert_eq!(balance(0xee), Some(U256::ZERO), "an empty account exists");
        assert_eq!(balance(0xff), None);
    }

    #[test]
    fn errors_name_the_place() {
        let error = |json: &str| GenesisFile::from_json(json).unwrap_err().to_string();
        assert!(error("{").starts_with("the genesis is not valid JSON: EOF"), "{}", error("{"));
        assert!(error("[]").starts_with("the genesis is not valid JSON"), "{}", error("[]"));
        assert_eq!(error("{}"), "the genesis has no field \"config\"");
        assert_eq!(error(r#"{"config": {}}"#), "the genesis has no field \"config.chainId\"");
        assert_eq!(error(r#"{"config": {"chainId": 1}}"#), "the genesis has no field \"gasLimit\"");
        let with = |alloc: &str| error(&json(r#"{"chainId": 1}"#, alloc));
        assert_eq!(with(r#"{"0x12": {}}"#), "genesis field \"alloc\": \"0x12\" is not an address");
        let account = with(r#"{"00000000000000000000000000000000000000bb": {"balance": "many"}}"#);
        assert!(account.starts_with("genesis account 0x00000000000000000000000000000000000000bb: "), "{account}");
        let unknown = with(r#"{"00000000000000000000000000000000000000bb": {"cod": "0x00"}}"#);
        assert!(unknown.contains("unknown field `cod`"), "{unknown}");
        let twice =
            r#"{"00000000000000000000000000000000000000bb": {}, "0x00000000000000000000000000000000000000BB": {}}"#;
        assert!(with(twice).ends_with("is there twice"));
        let field =
            error(r#"{"config": {"chainId": 1}, "gasLimit": "0x1", "difficulty": "0x1", "alloc": {}, "coinbase": 1}"#);
        assert!(field.starts_with("genesis field \"coinbase\": "), "{field}");
        let schedule = error(&json(r#"{"chainId": 1, "byzantiumBlock": 9, "istanbulBlock": 3}"#, "{}"));
        assert!(schedule.contains("activates before"), "{schedule}");
    }
}
