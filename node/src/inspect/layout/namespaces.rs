//! Structures that lie at the hash of a name (ERC-7201), as in upgradeable contracts. solc leaves them out of storage layouts.
//!
//! Those of OpenZeppelin are known here; others are found in syntax trees, where `@custom:storage-location erc7201:NAME` stands above the structure.

use super::{Layout, Variable, declared::Declarations};
use alloy_primitives::{B256, U256, keccak256};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a comment says before the name.
const MARK: &str = "erc7201:";

/// Structures of OpenZeppelin's contracts, at `openzeppelin.storage.…`.
const OPENZEPPELIN: [(&str, &str); 31] = [
    ("AccessControl", "mapping(bytes32 => struct RoleData) _roles"),
    (
        "AccessControlDefaultAdminRules",
        "address _pendingDefaultAdmin; uint48 _pendingDefaultAdminSchedule; uint48 _currentDelay; address _currentDefaultAdmin; \
         uint48 _pendingDelay; uint48 _pendingDelaySchedule",
    ),
    ("AccessControlEnumerable", "mapping(bytes32 => struct Set) _roleMembers"),
    ("EIP712", "bytes32 _hashedName; bytes32 _hashedVersion; string _name; string _version"),
    (
        "ERC1155",
        "mapping(uint256 => mapping(address => uint256)) _balances; mapping(address => mapping(address => bool)) _operatorApprovals; \
         string _uri",
    ),
    ("ERC1155Supply", "mapping(uint256 => uint256) _totalSupply; uint256 _totalSupplyAll"),
    ("ERC1155URIStorage", "string _baseURI; mapping(uint256 => string) _tokenURIs"),
    (
        "ERC20",
        "mapping(address => uint256) _balances; mapping(address => mapping(address => uint256)) _allowances; uint256 _totalSupply; \
         string _name; string _symbol",
    ),
    ("ERC20Capped", "uint256 _cap"),
    ("ERC20Wrapper", "contract IERC20 _underlying"),
    ("ERC4626", "contract IERC20 _asset; uint8 _underlyingDecimals"),
    (
        "ERC6909",
        "mapping(address => mapping(uint256 => uint256)) _balances; mapping(address => mapping(address => bool)) _operatorApprovals; \
         mapping(address => mapping(address => mapping(uint256 => uint256))) _allowances",
    ),
    ("ERC6909TokenSupply", "mapping(uint256 => uint256) _totalSupplies"),
    (
        "ERC721",
        "string _name; string _symbol; mapping(uint256 => address) _owners; mapping(address => uint256) _balances; \
         mapping(uint256 => address) _tokenApprovals; mapping(address => mapping(address => bool)) _operatorApprovals",
    ),
    (
        "ERC721Enumerable",
        "mapping(address => mapping(uint256 => uint256)) _ownedTokens; mapping(uint256 => uint256) _ownedTokensIndex; \
         uint256[] _allTokens; mapping(uint256 => uint256) _allTokensIndex",
    ),
    ("ERC721URIStorage", "mapping(uint256 => string) _tokenURIs"),
    (
        "Governor",
        "string _name; mapping(uint256 => struct ProposalCore) _proposals; struct Bytes32Deque _governanceCall",
    ),
    ("GovernorCountingSimple", "mapping(uint256 => struct ProposalVote) _proposalVotes"),
    ("GovernorSettings", "uint256 _proposalThreshold; uint48 _votingDelay; uint32 _votingPeriod"),
    ("GovernorStorage", "uint256[] _proposalIds"),
    ("GovernorVotes", "contract IERC5805 _token"),
    ("GovernorVotesQuorumFraction", "struct Trace208 _quorumNumeratorHistory"),
    ("Initializable", "uint64 _initialized; bool _initializing"),
    ("Nonces", "mapping(address => uint256) _nonces"),
    ("NoncesKeyed", "mapping(address => mapping(uint192 => uint64)) _nonces"),
    ("Ownable", "address _owner"),
    ("Ownable2Step", "address _pendingOwner"),
    ("Pausable", "bool _paused"),
    ("ReentrancyGuard", "uint256 _status"),
    ("TimelockController", "mapping(bytes32 => uint256) _timestamps; uint256 _minDelay"),
    (
        "Votes",
        "mapping(address => address) _delegatee; mapping(address => struct Trace208) _delegateCheckpoints; \
         struct Trace208 _totalCheckpoints",
    ),
];
/// What they are made of.
const PARTS: [(&str, &str); 7] = [
    ("RoleData", "mapping(address => bool) hasRole; bytes32 adminRole"),
    ("Set", "bytes32[] _values; mapping(bytes32 => uint256) _positions"),
    (
        "ProposalCore",
        "address proposer; uint48 voteStart; uint32 voteDuration; bool executed; bool canceled; uint48 etaSeconds",
    ),
    ("ProposalVote", "uint256 againstVotes; uint256 forVotes; uint256 abstainVotes; mapping(address => bool) hasVoted"),
    ("Bytes32Deque", "uint128 _begin; uint128 _end; mapping(uint128 => bytes32) _data"),
    ("Trace208", "struct Checkpoint208[] _checkpoints"),
    ("Checkpoint208", "uint48 _key; uint208 _value"),
];

/// Structures by the names at whose hashes they lie.
#[derive(Clone, Debug)]
pub(in crate::inspect) struct Namespaces {
    declared: Declarations,
    /// Name of the structure, by that of the namespace.
    found: BTreeMap<String, String>,
}

impl Namespaces {
    /// Those that many contracts have.
    pub(in crate::inspect) fn well_known() -> Self {
        let mut namespaces = Self { declared: Declarations::default(), found: BTreeMap::new() };
        let members = |text: &str| {
            let member =
                |text: &str| text.trim().rsplit_once(' ').map(|(kind, name)| (kind.to_owned(), name.to_owned()));
            text.split(';').filter_map(member).collect()
        };
        for (name, text) in PARTS {
            namespaces.declared.structure(name, members(text));
        }
        for (name, text) in OPENZEPPELIN {
            let structure = format!("{name}Storage");
            namespaces.declared.structure(&structure, members(text));
            namespaces.found.insert(format!("openzeppelin.storage.{name}"), structure);
        }
        namespaces
    }

    /// Adds those in the syntax trees that are somewhere in a file of a compiler.
    pub(in crate::inspect) fn read(&mut self, file: &Value) {
        match file {
            Value::Array(items) => items.iter().for_each(|item| self.read(item)),
            Value::Object(fields) => {
                self.read_node(file);
                fields.values().for_each(|field| self.read(field));
            }
            _ => {}
        }
    }

    fn read_node(&mut self, node: &Value) {
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let kind = |value: &Value| text(value.get("typeDescriptions")?.get("typeString")?);
        let Some(name) = node.get("canonicalName").and_then(Value::as_str) else { return };
        match node.get("nodeType").and_then(Value::as_str) {
            Some("StructDefinition") => {
                let members = node.get("members").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                let members = members.iter().filter_map(|member| Some((kind(member)?, text(member.get("name")?)?)));
                self.declared.structure(name, members.collect());
                let comment =
                    node.get("documentation").and_then(|comment| comment.get("text").unwrap_or(comment).as_str());
                let place = comment.and_then(|comment| comment.split_once(MARK)).map(|(_, after)| after);
                if let Some(place) = place.and_then(|after| after.split_whitespace().next()) {
                    self.found.insert(place.to_owned(), name.to_owned());
                }
            }
            Some("UserDefinedValueTypeDefinition") => {
                if let Some(is) = node.get("underlyingType").and_then(kind) {
                    self.declared.value(name, &is);
                }
            }
            _ => {}
        }
    }

    /// All of them as one layout: each is a variable with the name of its structure.
    pub(in crate::inspect) fn layout(&self) -> Layout {
        let (mut storage, mut types) = (Vec::new(), BTreeMap::new());
        for (namespace, structure) in &self.found {
            let Some(r#type) = self.declared.add(&format!("struct {structure}"), &mut types) else { continue };
            let label = structure.rsplit('.').next().unwrap_or(structure).to_owned();
            storage.push(Variable { label, offset: 0, slot: place(namespace), r#type });
        }
        Layout { storage, types: Some(types) }
    }
}

/// Where the structure of a namespace begins, by the formula of ERC-7201.
fn place(namespace: &str) -> U256 {
    let hash = U256::from_be_bytes(keccak256(namespace).0);
    U256::from_be_bytes(keccak256(B256::from(hash.wrapping_sub(U256::ONE))).0) & !U256::from(0xff)
}
