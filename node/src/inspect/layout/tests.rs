//! A layout as solc writes it, with one variable of each kind.

use super::*;
use crate::inspect::origin::Preimages;
use alloy_primitives::{Address, B256, Bytes, address, keccak256, map::B256Map};

const LAYOUT: &str = r#"{
  "storage": [
    {"astId": 1, "contract": "A.sol:A", "label": "owner", "offset": 0, "slot": "0", "type": "t_address"},
    {"astId": 2, "contract": "A.sol:A", "label": "paused", "offset": 20, "slot": "0", "type": "t_bool"},
    {"astId": 3, "contract": "A.sol:A", "label": "total", "offset": 0, "slot": "1", "type": "t_uint256"},
    {"astId": 4, "contract": "A.sol:A", "label": "balances", "offset": 0, "slot": "2", "type": "t_mapping(t_address,t_uint256)"},
    {"astId": 5, "contract": "A.sol:A", "label": "allowances", "offset": 0, "slot": "3", "type": "t_mapping(t_address,t_mapping(t_address,t_uint256))"},
    {"astId": 6, "contract": "A.sol:A", "label": "list", "offset": 0, "slot": "4", "type": "t_array(t_struct(Order)7_storage)dyn_storage"},
    {"astId": 7, "contract": "A.sol:A", "label": "small", "offset": 0, "slot": "5", "type": "t_array(t_uint64)6_storage"},
    {"astId": 8, "contract": "A.sol:A", "label": "name", "offset": 0, "slot": "7", "type": "t_string_storage"},
    {"astId": 9, "contract": "A.sol:A", "label": "byName", "offset": 0, "slot": "8", "type": "t_mapping(t_string_memory_ptr,t_struct(Order)7_storage)"},
    {"astId": 10, "contract": "A.sol:A", "label": "ticks", "offset": 0, "slot": "9", "type": "t_mapping(t_int24,t_bool)"}
  ],
  "types": {
    "t_address": {"encoding": "inplace", "label": "address", "numberOfBytes": "20"},
    "t_bool": {"encoding": "inplace", "label": "bool", "numberOfBytes": "1"},
    "t_uint256": {"encoding": "inplace", "label": "uint256", "numberOfBytes": "32"},
    "t_uint64": {"encoding": "inplace", "label": "uint64", "numberOfBytes": "8"},
    "t_uint128": {"encoding": "inplace", "label": "uint128", "numberOfBytes": "16"},
    "t_int24": {"encoding": "inplace", "label": "int24", "numberOfBytes": "3"},
    "t_string_memory_ptr": {"encoding": "bytes", "label": "string", "numberOfBytes": "32"},
    "t_string_storage": {"encoding": "bytes", "label": "string", "numberOfBytes": "32"},
    "t_mapping(t_address,t_uint256)": {"encoding": "mapping", "key": "t_address", "label": "mapping(address => uint256)", "numberOfBytes": "32", "value": "t_uint256"},
    "t_mapping(t_int24,t_bool)": {"encoding": "mapping", "key": "t_int24", "label": "mapping(int24 => bool)", "numberOfBytes": "32", "value": "t_bool"},
    "t_mapping(t_address,t_mapping(t_address,t_uint256))": {"encoding": "mapping", "key": "t_address", "label": "", "numberOfBytes": "32", "value": "t_mapping(t_address,t_uint256)"},
    "t_mapping(t_string_memory_ptr,t_struct(Order)7_storage)": {"encoding": "mapping", "key": "t_string_memory_ptr", "label": "", "numberOfBytes": "32", "value": "t_struct(Order)7_storage"},
    "t_array(t_uint64)6_storage": {"base": "t_uint64", "encoding": "inplace", "label": "uint64[6]", "numberOfBytes": "64"},
    "t_array(t_struct(Order)7_storage)dyn_storage": {"base": "t_struct(Order)7_storage", "encoding": "dynamic_array", "label": "struct Order[]", "numberOfBytes": "32"},
    "t_struct(Order)7_storage": {"encoding": "inplace", "label": "struct A.Order", "numberOfBytes": "96", "members": [
      {"astId": 20, "contract": "A.sol:A", "label": "amount", "offset": 0, "slot": "0", "type": "t_uint256"},
      {"astId": 21, "contract": "A.sol:A", "label": "low", "offset": 0, "slot": "1", "type": "t_uint128"},
      {"astId": 22, "contract": "A.sol:A", "label": "high", "offset": 16, "slot": "1", "type": "t_uint128"},
      {"astId": 23, "contract": "A.sol:A", "label": "paid", "offset": 0, "slot": "2", "type": "t_mapping(t_address,t_uint256)"}
    ]}
  }
}"#;

const SOMEONE: Address = address!("d8dA6BF26964aF9D7eEd9e03E53415D37aA96045");

/// Hashes while it computes slots, as a contract does.
#[derive(Default)]
struct Contract(B256Map<Bytes>);

impl Contract {
    fn hash(&mut self, input: Vec<u8>) -> U256 {
        let hash = keccak256(&input);
        self.0.insert(hash, input.into());
        U256::from_be_bytes(hash.0)
    }

    fn entry(&mut self, key: &[u8], mapping: impl Into<U256>) -> U256 {
        self.hash([key, &mapping.into().to_be_bytes::<32>()].concat())
    }

    fn text(&self, slot: U256) -> Option<String> {
        let layout: Layout = serde_json::from_str(LAYOUT).unwrap();
        let preimages = Preimages::new(&self.0, layout.slots());
        layout.place(&preimages.origin(slot)).map(|place| place.text())
    }
}

fn plain(slot: u64) -> Option<String> {
    Contract::default().text(U256::from(slot))
}

fn array(slot: u64) -> U256 {
    U256::from_be_bytes(keccak256(B256::from(U256::from(slot))).0)
}

#[test]
fn plain_variables_and_those_that_share_a_slot() {
    assert_eq!(plain(0).as_deref(), Some("owner + paused (one slot)"));
    assert_eq!(plain(1).as_deref(), Some("total"));
    assert_eq!(plain(4).as_deref(), Some("list.length"));
    assert_eq!(plain(5).as_deref(), Some("small[0..3]"));
    assert_eq!(plain(6).as_deref(), Some("small[4..5]"));
    assert_eq!(plain(7).as_deref(), Some("name"));
    assert_eq!(plain(10), None);
}

#[test]
fn mappings_tell_their_keys() {
    let mut contract = Contract::default();
    let someone = SOMEONE.into_word();
    let balance = contract.entry(someone.as_slice(), U256::from(2));
    assert_eq!(contract.text(balance).unwrap(), format!("balances[{SOMEONE}]"));
    let inner = contract.entry(someone.as_slice(), U256::from(3));
    let allowance = contract.entry(Address::repeat_byte(1).into_word().as_slice(), inner);
    assert_eq!(contract.text(allowance).unwrap(), format!("allowances[{SOMEONE}][{}]", Address::repeat_byte(1)));
    let minus: U256 = I256::try_from(-887_272).unwrap().into_raw();
    let tick = contract.entry(&minus.to_be_bytes::<32>(), U256::from(9));
    assert_eq!(contract.text(tick).unwrap(), "ticks[-887272]");
    // A value of one word has nothing after it.
    assert_eq!(contract.text(balance + U256::ONE), None);
}

#[test]
fn elements_of_dynamic_arrays_and_members_of_structures() {
    let mut contract = Contract::default();
    let fifth = array(4) + U256::from(5 * 3);
    assert_eq!(contract.text(fifth).unwrap(), "list[5].amount");
    assert_eq!(contract.text(fifth + U256::ONE).unwrap(), "list[5].low + list[5].high (one slot)");
    let paid = contract.entry(SOMEONE.into_word().as_slice(), fifth + U256::from(2));
    assert_eq!(contract.text(paid).unwrap(), format!("list[5].paid[{SOMEONE}]"));
}

#[test]
fn strings_as_values_and_as_keys() {
    let mut contract = Contract::default();
    assert_eq!(contract.text(array(7) + U256::from(2)).unwrap(), "name");
    let entry = contract.entry("a \"key\"".as_bytes(), U256::from(8));
    assert_eq!(contract.text(entry).unwrap(), r#"byName["a \"key\""].amount"#);
    let long = contract.entry("a text of more than thirty-two bytes".as_bytes(), U256::from(8));
    assert_eq!(contract.text(long).unwrap(), r#"byName["a text of more than thirty-two bytes"].amount"#);
}

#[test]
fn a_layout_that_holds_itself_comes_to_an_end() {
    let text = r#"{"storage": [{"label": "a", "offset": 0, "slot": "0", "type": "t"}], "types": {
        "t": {"encoding": "inplace", "label": "t", "numberOfBytes": "32", "members": [
            {"label": "b", "offset": 0, "slot": "0", "type": "t"}]}}}"#;
    let layout: Layout = serde_json::from_str(text).unwrap();
    assert_eq!(layout.place(&Origin::Number(U256::ZERO)), None);
    let none: Layout = serde_json::from_str(r#"{"storage": [], "types": null}"#).unwrap();
    assert!(none.is_empty() && none.place(&Origin::Number(U256::ZERO)).is_none());
}

#[test]
fn declared_structures_lie_as_solc_lays_them_out() {
    // What solc 0.8.28 tells of the same declarations: slot and offset of each member, and the bytes of all.
    let inner = "address payable x; string s; bytes b; function (uint256) external f";
    let order = "uint64 a; Price p; contract I tok; enum E e; uint8[40] small; mapping(address => uint256[]) m; struct L.Inner[] list";
    let main = "struct L.Order o; bytes32 k; string name; mapping(Price => mapping(bytes => bool)) q; struct L.Inner[3] three; bool last";
    let members = |text: &str| {
        text.split("; ").map(|one| one.rsplit_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap()).collect()
    };
    let mut declared = declared::Declarations::default();
    declared.value("Price", "uint96");
    for (name, text) in [("L.Inner", inner), ("L.Order", order), ("L.Main", main)] {
        declared.structure(name, members(text));
    }
    let mut types = BTreeMap::new();
    declared.add("struct L.Main", &mut types).unwrap();
    let places = |name: &str| -> Vec<(String, u64, u64)> {
        let members = types[name].members.as_ref().unwrap();
        members.iter().map(|member| (member.label.clone(), member.slot.to::<u64>(), member.offset)).collect()
    };
    let expected = |places: &[(&str, u64, u64)]| -> Vec<(String, u64, u64)> {
        places.iter().map(|(label, slot, offset)| ((*label).to_owned(), *slot, *offset)).collect()
    };
    assert_eq!(places("struct L.Inner"), expected(&[("x", 0, 0), ("s", 1, 0), ("b", 2, 0), ("f", 3, 0)]));
    let order = [("a", 0, 0), ("p", 0, 8), ("tok", 1, 0), ("e", 1, 20), ("small", 2, 0), ("m", 4, 0), ("list", 5, 0)];
    assert_eq!(places("struct L.Order"), expected(&order));
    let main = [("o", 0, 0), ("k", 6, 0), ("name", 7, 0), ("q", 8, 0), ("three", 9, 0), ("last", 21, 0)];
    assert_eq!(places("struct L.Main"), expected(&main));
    assert_eq!(types["struct L.Inner[3]"].number_of_bytes, U256::from(384));
    assert_eq!(types["struct L.Main"].number_of_bytes, U256::from(22 * 32));
    assert_eq!(declared.add("struct L.Nothing", &mut types), None);
    assert_eq!(declared.add("uint7", &mut types), None);
}

#[test]
fn a_declared_structure_may_lead_back_to_itself() {
    let mut declared = declared::Declarations::default();
    declared.structure("Node", vec![("mapping(address => struct Node)".to_owned(), "below".to_owned())]);
    let mut types = BTreeMap::new();
    assert!(declared.add("struct Node", &mut types).is_some());
    declared.structure("A", vec![("struct A".to_owned(), "itself".to_owned())]);
    declared.add("struct A", &mut types);
}

#[test]
fn namespaces_of_openzeppelin_are_all_understood() {
    let layout = Namespaces::well_known().layout();
    assert_eq!(layout.storage.len(), 31, "no type in them is unknown");
    let place = |slot: U256| layout.place(&Origin::Number(slot)).map(|place| place.text());
    let erc20 =
        U256::from_be_bytes(alloy_primitives::hex!("52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00"));
    assert_eq!(place(erc20 + U256::from(2)).as_deref(), Some("ERC20Storage._totalSupply"));
    assert_eq!(place(erc20 + U256::from(5)), None);
    let mut hashes = Contract::default();
    let role = hashes.entry(
        &[7; 32],
        U256::from_be_bytes(alloy_primitives::hex!("02dd7bc7dec4dceedda775e58dd541e08a116c6c53815c0bd028192f7b626800")),
    );
    let member = hashes.entry(SOMEONE.into_word().as_slice(), role);
    let preimages = Preimages::new(&hashes.0, layout.slots());
    let text = layout.place(&preimages.origin(member)).unwrap().text();
    assert_eq!(text, format!("AccessControlStorage._roles[0x{}].hasRole[{SOMEONE}]", "07".repeat(32)));
}
