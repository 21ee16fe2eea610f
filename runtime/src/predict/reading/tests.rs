//! Reading small codes.

use super::{
    super::{
        expression::Node,
        store::Function,
        template::{InputShape, Template},
    },
    read,
};
use alloy_primitives::{U256, hex};

fn reading(code: &[u8]) -> Template {
    read(code, Function::Selector([1, 2, 3, 4]), true).expect("a path succeeds").template
}

#[test]
fn a_balance_of_the_caller_is_a_mapping_that_is_written() {
    // mstore(0, caller) mstore(32, 7) h = keccak256(0, 64) sstore(h, sload(h) + 1)
    let template = reading(&hex!("335f52600760205260405f208054600101905500"));
    assert_eq!(template.slots.len(), 1);
    let entry = template.slots[0];
    let Node::Keccak { first, second } = template.nodes[entry.slot as usize] else { panic!("{template:?}") };
    assert_eq!(template.nodes[first as usize], Node::Caller);
    assert_eq!(template.nodes[second as usize], Node::Constant(U256::from(7)));
    assert!(entry.evidence.writes());
    assert_eq!(entry.evidence.likelihood(), 255);
    assert!(template.is_sound());
}

#[test]
fn of_an_undecided_branch_each_side_has_its_share_and_a_side_that_reverts_none() {
    // if sload(1) { sload(2) } else { revert }; if sload(3) { sload(4) }
    let code = hex!("6001546009575f5ffd5b60025450600354601557005b6004545000");
    let template = reading(&code);
    let likelihood = |slot: u64| {
        let constant = template.nodes.iter().position(|node| *node == Node::Constant(U256::from(slot)));
        let entry = template.slots.iter().find(|entry| Some(entry.slot as usize) == constant);
        entry.map(|entry| entry.evidence.likelihood())
    };
    assert_eq!([1, 2, 3].map(likelihood), [Some(255); 3], "{template:?}");
    assert_eq!(likelihood(4), Some(140));
}

#[test]
fn a_proxy_hands_its_input_on_to_what_a_slot_names() {
    // calldatacopy(0, 0, calldatasize) delegatecall(gas, sload(5), 0, calldatasize, 0, 0) stop
    let code = hex!("365f5f375f5f365f6005545af400");
    let reading = read(&code, Function::Selector([1, 2, 3, 4]), true).expect("it succeeds");
    assert!(reading.hands_on);
    let [call] = &reading.template.calls[..] else { panic!("{:?}", reading.template) };
    assert!(matches!(reading.template.nodes[call.target as usize], Node::Load { .. }));
    assert_eq!(call.input, InputShape::Slice { offset: 0, length: 0 });
}

#[test]
fn a_code_that_only_reverts_or_never_ends_says_nothing_or_ends() {
    assert!(read(&hex!("5f5ffd"), Function::Bare, true).is_none());
    assert!(read(&hex!("5b5f56"), Function::Bare, true).is_some(), "an endless loop");
    assert!(read(&hex!("5b5f54155f5755"), Function::Bare, true).is_none(), "the stack runs empty");
    let noise: Vec<u8> = (0..4000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let _ = read(&noise, Function::Selector([9, 9, 9, 9]), false);
}
