//! Each rule of admission.

use super::world::{GWEI, Key, RICH, World, fees, legacy};
use crate::pool::{Origin, PoolError, PoolOptions};
use alloy_consensus::{TxEip1559, TxLegacy};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};

fn world() -> World {
    World::new("Prague", PoolOptions::default())
}

#[test]
fn a_payment_becomes_pending_and_is_mined() {
    let world = world();
    let key = Key::new(0);
    let hash = world.add(&key.pay(0, 2, 1)).unwrap();
    assert_eq!(world.counts(), (1, 0));
    assert_eq!(world.pool.next_nonce(key.address), Some(1));
    assert_eq!(world.refuse(&key.pay(0, 2, 1)), "already known");
    assert_eq!(world.mine(), [hash]);
    assert_eq!(world.counts(), (0, 0));
    assert_eq!(world.pool.next_nonce(key.address), None);
    assert_eq!(world.refuse(&key.pay(0, 3, 1)), "nonce too low: next nonce 1, tx nonce 0");
}
