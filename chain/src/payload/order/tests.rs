//! Random pools: what ordering may never do. Small pools by hand: what it does.

use super::{
    items::{Item, Items, Touch},
    options::WHOLE,
    select::{Room, bands, by_fees, earnings, fits},
    *,
};
use proptest::prelude::*;

/// A transaction of a random pool: sender, tip, gas, keys with whether they are written, whether it is known, blobs.
type Drawn = (u8, u8, u16, Vec<(u8, bool)>, bool, bool);

const SENDERS: u32 = 24;
const KEYS: usize = 12;

fn transactions() -> impl Strategy<Value = Vec<Drawn>> {
    let keys = prop::collection::vec((0..KEYS as u8, any::<bool>()), 0..4);
    // Squared, so that a few keys and tips are frequent.
    let drawn = (0..SENDERS as u8, 0..6_u8, 21..400_u16, keys, prop::bool::weighted(0.9), prop::bool::weighted(0.05));
    prop::collection::vec(drawn, 1..120)
}

/// Puts transactions into the order of fees: the best tip of all that are next for their senders, the first sent among equal ones.
fn items(drawn: &[Drawn]) -> Items {
    let mut left: Vec<usize> = (0..drawn.len()).collect();
    let mut items = Items { keys: KEYS + SENDERS as usize, senders: SENDERS as usize, ..Items::default() };
    while !left.is_empty() {
        let mut seen = [false; SENDERS as usize];
        let heads = left.iter().enumerate().filter(|(_, index)| {
            let sender = usize::from(drawn[**index].0);
            !std::mem::replace(&mut seen[sender], true)
        });
        let (position, _) = heads.max_by_key(|(position, index)| (drawn[**index].1, usize::MAX - position)).unwrap();
        let (sender, tip, gas, keys, is_known, has_blob) = &drawn[left.remove(position)];
        let from = items.touches.len() as u32;
        let own = Touch { key: KEYS as u32 + u32::from(*sender), reads: true, writes: true };
        items.touches.push(own);
        if *is_known {
            let mut keys = keys.clone();
            keys.sort_unstable();
            keys.dedup_by_key(|(key, _)| *key);
            items.touches.extend(keys.iter().map(|(key, writes)| {
                let key = u32::from(*key) * u32::from(*key) / KEYS as u32;
                Touch { key, reads: true, writes: *writes }
            }));
        }
        let gas = u64::from(*gas) * 1000;
        items.list.push(Item {
            sender: u32::from(*sender),
            gas_limit: gas + gas / 2,
            blob_gas: if *has_blob { 131_072 } else { 0 },
            room: gas + gas / 8,
            gas,
            is_measured: true,
            // Steps of two percent, so that tolerances matter.
            tip: 1_000_000_000 + u128::from(*tip) * 20_000_000,
            is_known: *is_known,
            touches: (from, items.touches.len() as u32),
        });
    }
    items
}

fn hash(index: usize) -> B256 {
    B256::with_last_byte(index as u8)
}

/// The order of fees and the order of a block with this room.
fn arranged(items: &Items, room: Room, options: &OrderOptions, waits: &mut Waits, number: u64) -> [Vec<usize>; 2] {
    let plain = by_fees(items, room);
    let (order, passed_over) = decide(items, plain.clone(), room, options, waits, number, hash);
    assert_eq!(passed_over, plain.iter().filter(|index| !order.contains(index)).count());
    [plain, order]
}

fn every_option() -> impl Strategy<Value = OrderOptions> {
    (any::<bool>(), any::<bool>(), prop::sample::select(vec![0, 100, 250, 1000, WHOLE]), 1..32_u16).prop_map(
        |(selection, spreading, tip_tolerance, cores)| OrderOptions {
            selection,
            spreading,
            tip_tolerance,
            cores,
            least: 0,
            ..OrderOptions::FEES
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn rules_hold_whatever_the_pool(drawn in transactions(), options in every_option(), room in 1..20_u64) {
        let items = items(&drawn);
        let room = Room { gas: room * 1_000_000, blob_gas: 3 * 131_072 };
        let [plain, order] = arranged(&items, room, &options, &mut Waits::default(), 7);
        // The same pool gives the same block.
        prop_assert_eq!(&order, &arranged(&items, room, &options, &mut Waits::default(), 7)[1]);

        let mut sorted = order.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted.len(), order.len(), "each at most once");
        if plain.len() == items.list.len() {
            prop_assert_eq!(&sorted, &plain, "whoever fits is taken");
        }

        // Nonces: of each sender a prefix, in order.
        for sender in 0..SENDERS {
            let of = |index: &&usize| items.list[**index].sender == sender;
            let taken: Vec<usize> = order.iter().filter(of).copied().collect();
            let all = (0..items.list.len()).filter(|index| of(&index));
            prop_assert_eq!(&taken, &all.take(taken.len()).collect::<Vec<_>>());
        }

        // Gas and blobs.
        let blobs: u64 = order.iter().map(|index| items.list[*index].blob_gas).sum();
        prop_assert!(fits(&items, &order, room) && blobs <= room.blob_gas);

        // Tips.
        let (before, after) = (earnings(&items, &plain), earnings(&items, &order));
        prop_assert!(after * u128::from(WHOLE) >= before * u128::from(WHOLE - options.tip_tolerance));
        // Within the block nobody is overtaken by somebody who pays less by more than the tolerance.
        for (position, index) in order.iter().enumerate() {
            for later in &order[position + 1..] {
                if later < index {
                    let (here, there) = (items.list[*index].tip, items.list[*later].tip);
                    prop_assert!(here.min(there) * u128::from(WHOLE)
                        >= here.max(there) * u128::from(WHOLE - options.tip_tolerance));
                }
            }
        }
        prop_assert!(items.longest_chain(&order) <= items.longest_chain(&plain));
    }

    #[test]
    fn what_nothing_is_known_about_keeps_its_place(drawn in transactions(), tolerance in 0..WHOLE) {
        let items = items(&drawn);
        let options =
            OrderOptions { spreading: true, tip_tolerance: tolerance, least: 0, ..OrderOptions::FEES };
        let room = Room { gas: u64::MAX, blob_gas: u64::MAX };
        let [plain, order] = arranged(&items, room, &options, &mut Waits::default(), 7);
        for (before, now) in plain.iter().zip(&order) {
            if !items.list[*before].is_known {
                prop_assert_eq!(before, now);
            }
        }
        let mut unknown = drawn.clone();
        unknown.iter_mut().for_each(|drawn| drawn.4 = false);
        let items = self::items(&unknown);
        let [plain, order] = arranged(&items, room, &OrderOptions { selection: true, ..options }, &mut Waits::default(), 7);
        prop_assert_eq!(plain, order, "where nothing is known the order is that of fees");
    }

    #[test]
    fn nobody_makes_way_for_longer_than_told(drawn in transactions(), longest_wait in 1..4_u64) {
        let items = items(&drawn);
        let options =
            OrderOptions { selection: true, tip_tolerance: WHOLE, longest_wait, least: 0, ..OrderOptions::FEES };
        let room = Room { gas: 3_000_000, blob_gas: u64::MAX };
        let mut waits = Waits::default();
        let mut passed_over = vec![0; items.list.len()];
        // The same candidates again and again, as if better ones came with every block.
        for number in 0..10 {
            let [plain, order] = arranged(&items, room, &options, &mut waits, number);
            // A block that is built anew does not make it longer.
            prop_assert_eq!(&order, &arranged(&items, room, &options, &mut waits, number)[1]);
            plain.iter().filter(|index| !order.contains(index)).for_each(|index| passed_over[*index] += 1);
        }
        prop_assert!(passed_over.iter().all(|times| *times <= longest_wait), "{passed_over:?}");
    }
}

/// Transactions that pay the same: members of the chain of key 0 where told.
fn equals(is_chained: impl Iterator<Item = bool>) -> Items {
    let mut items = Items { keys: 1, ..Items::default() };
    for is_chained in is_chained {
        let from = items.touches.len() as u32;
        if is_chained {
            items.touches.push(Touch { key: 0, reads: true, writes: true });
        }
        let touches = (from, items.touches.len() as u32);
        let sender = items.list.len() as u32;
        let (gas_limit, room, gas) = (100_000, 100_000, 100_000);
        items.list.push(Item { sender, gas_limit, room, gas, tip: 1, is_known: true, touches, ..Item::default() });
        items.senders += 1;
    }
    items
}

#[test]
fn a_burst_of_one_contract_shares_blocks_with_those_that_wait_behind_it() {
    // A hundred mints were sent before two hundred transfers; a block has room for a hundred.
    let items = equals((0..300).map(|index| index < 100));
    let room = Room { gas: 10_000_000, blob_gas: 0 };
    let options = OrderOptions { least: 0, ..OrderOptions::PARALLEL };
    let mut waits = Waits::default();
    let [plain, order] = arranged(&items, room, &options, &mut waits, 1);
    assert_eq!(items.longest_chain(&plain), 10_000_000);
    assert_eq!(items.longest_chain(&order), 3_300_000, "its share of what waits");
    assert_eq!(order.len(), 100);
    assert_eq!(order[..33], plain[..33], "who was sent first comes first");
    assert_eq!(order[33], 100);
}

#[test]
fn chains_that_keep_no_core_waiting_make_way_for_nobody() {
    let items = equals((0..300).map(|index| index < 6));
    let room = Room { gas: 10_000_000, blob_gas: 0 };
    let [plain, order] = arranged(&items, room, &OrderOptions::PARALLEL, &mut Waits::default(), 1);
    assert_eq!(plain, order);
}

#[test]
fn members_of_a_chain_stand_apart() {
    let items = equals((0..100).map(|index| index >= 75));
    let options = OrderOptions { spreading: true, least: 0, ..OrderOptions::FEES };
    let room = Room { gas: u64::MAX, blob_gas: 0 };
    let [_, order] = arranged(&items, room, &options, &mut Waits::default(), 1);
    let members: Vec<usize> = (0..100).filter(|place| order[*place] >= 75).collect();
    assert_eq!(members, (0..25).map(|member| member * 4).collect::<Vec<_>>());
}

#[test]
fn bands_are_of_tips_that_count_as_equal() {
    let mut items = equals((0..6).map(|_| false));
    let tips = [1000, 1000, 995, 990, 989, 2000];
    items.list.iter_mut().zip(tips).for_each(|(item, tip)| item.tip = tip);
    let order: Vec<usize> = (0..6).collect();
    assert_eq!(bands(&items, &order, 0), [0..2, 2..3, 3..4, 4..5, 5..6]);
    assert_eq!(bands(&items, &order, 100), [0..4, 4..5, 5..6]);
    assert_eq!(bands(&items, &order, WHOLE).as_slice(), std::slice::from_ref(&(0..6)));
    assert_eq!(bands(&items, &[], 0), []);
}
