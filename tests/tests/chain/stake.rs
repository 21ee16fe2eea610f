//! The door for consensus, as a consensus layer uses it.

use alloy_primitives::B256;
use braid_chain::{
    ChainOptions, ExecutionEngine,
    execution_engine::{ForkChoiceError, ForkChoiceState, PayloadStatus},
    payload::{PayloadAttributes, PayloadId, TransactionSource},
};
use braid_tests::{
    blocks::{Call, Key},
    chains::{COUNTER, Producer, block, chain},
};
use std::sync::{Arc, Mutex};

fn head(hash: B256) -> ForkChoiceState {
    ForkChoiceState { head: hash, ..ForkChoiceState::default() }
}

#[test]
fn the_head_follows_fork_choice_only() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let one = producer.branch(genesis, 3, 1);
    let other = producer.branch(one[0].header.hash_slow(), 1, 9);
    let chain = chain("Osaka", ChainOptions::default());
    for block in one.iter().chain(&other) {
        assert!(matches!(chain.new_payload(block.clone()).unwrap(), PayloadStatus::Valid));
        assert_eq!(chain.head().hash, genesis);
    }
    let third = one[2].header.hash_slow();
    let updated = chain.update_fork_choice(head(third), None).unwrap();
    assert!(matches!(updated.status, PayloadStatus::Valid));
    assert_eq!((updated.reorganisation.removed.len(), updated.reorganisation.added.len()), (0, 3));
    // An ancestor of the head is valid, but does not take blocks back.
    let updated = chain.update_fork_choice(head(one[0].header.hash_slow()), None).unwrap();
    assert!(matches!(updated.status, PayloadStatus::Valid));
    assert_eq!(chain.head().hash, third);
    // The other branch does.
    let switched = chain.update_fork_choice(head(other[0].header.hash_slow()), None).unwrap();
    let removed: Vec<_> = switched.reorganisation.removed.iter().map(|block| block.header.number).collect();
    assert_eq!(removed, [3, 2]);
    assert_eq!(chain.head().hash, other[0].header.hash_slow());
    // What nobody has seen is still to come.
    let updated = chain.update_fork_choice(head(B256::repeat_byte(1)), None).unwrap();
    assert!(matches!(updated.status, PayloadStatus::Syncing));
}

#[test]
fn safe_and_finalized_blocks_are_ancestors_of_the_head() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let one = producer.branch(genesis, 3, 1);
    let other = producer.branch(genesis, 1, 9);
    let chain = chain("Osaka", ChainOptions::default());
    one.iter().chain(&other).for_each(|block| drop(chain.new_payload(block.clone()).unwrap()));
    let [first, second, third] = [0, 1, 2].map(|index: usize| one[index].header.hash_slow());
    let wrong = ForkChoiceState { head: third, safe: other[0].header.hash_slow(), finalized: first };
    let error = chain.update_fork_choice(wrong, None).unwrap_err();
    assert!(matches!(error, ForkChoiceError::NotAncestor { name: "safe", .. }), "{error}");
    assert_eq!(chain.head().hash, genesis);
    let right = ForkChoiceState { head: third, safe: second, finalized: genesis };
    chain.update_fork_choice(right, None).unwrap();
    assert_eq!(chain.fork_choice(), right);
}

#[derive(Debug)]
struct Pool(Mutex<Vec<(u64, u64)>>);

impl TransactionSource for Pool {
    fn best(
        &self,
        _parent: &alloy_consensus::Header,
        base_fee: u64,
        _gas_limit: u64,
    ) -> Vec<alloy_consensus::transaction::Recovered<braid_runtime::Transaction>> {
        let price = u128::from(base_fee) + 7;
        let sign = |(number, nonce): &(u64, u64)| {
            let key = Key::new(*number);
            let call = Call::to(COUNTER).price(price, 7).gas(50_000);
            alloy_consensus::transaction::Recovered::new_unchecked(call.sign(&key, *nonce, Some(1)), key.address)
        };
        self.0.lock().unwrap().iter().map(sign).collect()
    }
}

#[test]
fn a_block_is_built_from_what_can_be_executed() {
    let chain = chain("Osaka", ChainOptions::default());
    // The second and the third of key 1 cannot be executed: a nonce is missing.
    chain.set_transaction_source(Arc::new(Pool(Mutex::new(vec![(1, 0), (1, 2), (1, 3), (2, 0), (2, 1), (3, 9)]))));
    let genesis = chain.head().hash;
    let attributes = PayloadAttributes { timestamp: 12, ..PayloadAttributes::default() };
    let updated = chain.update_fork_choice(head(genesis), Some(attributes.clone())).unwrap();
    let id = updated.payload.unwrap();
    assert_eq!(id, PayloadId::new(genesis, &attributes));
    let built = chain.payload(id).unwrap();
    let senders = [1, 2, 2].map(|number| Key::new(number).address);
    assert_eq!(built.senders, senders);
    assert_eq!(built.value, alloy_primitives::U256::from(7 * built.block.header.gas_used));
    assert_eq!(chain.head().hash, genesis, "to build is not to move the head");
    // Everybody finds it valid.
    let other = braid_tests::chains::chain("Osaka", ChainOptions::default());
    assert!(matches!(other.new_payload(block(&built)).unwrap(), PayloadStatus::Valid));
    chain.update_fork_choice(head(built.block.header.hash_slow()), None).unwrap();
    assert_eq!(chain.head().number, 1);
    assert!(chain.payload(PayloadId::new(B256::ZERO, &attributes)).is_none());
    let late = PayloadAttributes { timestamp: 12, ..PayloadAttributes::default() };
    let error = chain.update_fork_choice(head(chain.head().hash), Some(late)).unwrap_err();
    assert!(matches!(error, ForkChoiceError::Attributes { timestamp: 12, head: 12 }), "{error}");
}
