//! Small graphs by hand, and what must hold for all of them.

use super::{
    parts::{Crew, transfer_run},
    planning::Class,
    simulate::{Contention, Edge, Need, NeedKind, Run, Setting, ThreadCosts, Transaction, simulate},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

fn setting(cores: usize) -> Setting {
    Setting {
        cores,
        batch: 256,
        min_parallelism: 1.15,
        min_parallel_nanos: 0,
        max_retry_share: 0.3,
        pace: 1.0,
        used: 0,
        threads: ThreadCosts::default(),
        contention: Contention::default(),
        remote_commit: 1.0,
    }
}

fn transaction(ahead: u64, on: &[u32]) -> Transaction {
    Transaction {
        class: Class::Ahead,
        recipient: None,
        gas: ahead.max(1),
        turn: ahead,
        ahead,
        commit: 0,
        plan: 0,
        needs: on.iter().map(|on| Need { on: *on, kind: NeedKind::Slot }).collect(),
        edges: on.iter().map(|on| Edge { on: *on, until_committed: false }).collect(),
    }
}

fn run(transactions: &[Transaction], cores: usize) -> Run {
    simulate(transactions, &setting(cores))
}

#[test]
fn independent_transactions_scale_to_the_number_of_cores() {
    let transactions = vec![transaction(1_000, &[]); 2_048];
    for cores in [1, 2, 4, 8, 16, 32, 64] {
        let run = run(&transactions, cores);
        let speed_up = 2_048_000.0 / run.wall as f64;
        assert!(speed_up > 0.95 * cores as f64 && speed_up <= cores as f64, "{cores} cores: {speed_up}");
        assert_eq!(run.wrong, 0);
    }
}

#[test]
fn one_chain_gives_one() {
    let transactions: Vec<_> =
        (0..500_u32).map(|index| transaction(1_000, &index.checked_sub(1).into_iter().collect::<Vec<_>>())).collect();
    for cores in [1, 2, 8, 64] {
        assert_eq!(run(&transactions, cores).wall, 500_000, "{cores} cores");
    }
}

#[test]
fn a_diamond_by_hand() {
    // 0 before 1 and 2, both before 3; and 4 beside them, which starts with 0.
    let transactions = [
        transaction(10, &[]),
        transaction(20, &[0]),
        transaction(30, &[0]),
        transaction(10, &[1, 2]),
        transaction(50, &[]),
    ];
    // Three cores: 10 + 30 + 10. Two: 4 has the second core until 50, so 0, 2, 1 and 3 follow each other on the first: 10 + 30, then 1 until 60, then 3.
    assert_eq!(run(&transactions, 3).wall, 50);
    assert_eq!(run(&transactions, 2).wall, 70);
    assert_eq!(run(&transactions, 1).wall, 120);
}

#[test]
fn what_nobody_foresaw_runs_again_at_its_turn() {
    let mut second = transaction(100, &[0]);
    second.edges.clear();
    (second.commit, second.turn) = (5, 80);
    let run = run(&[transaction(100, &[]), second, transaction(100, &[])], 3);
    assert_eq!((run.ahead, run.wrong), (3, 1));
    // Both ran at once; then the second is validated, and run once more.
    assert_eq!(run.wall, 100 + 5 + 80);
}

#[test]
fn what_was_published_in_time_is_right_without_an_edge() {
    let mut late = transaction(100, &[0]);
    late.edges.clear();
    // The slot is read in the middle of the execution: at 50, when the first has published it at 30.
    let run = run(&[transaction(30, &[]), late, transaction(100, &[])], 3);
    assert_eq!(run.wrong, 0);
    assert_eq!(run.wall, 100);
}

#[test]
fn accounts_are_there_at_the_commit_only() {
    // The longest go first; so the second runs long before it is committed, and on the same core the third, which relies on its balance.
    let mut third = transaction(10, &[]);
    third.needs = vec![Need { on: 1, kind: NeedKind::Account }];
    let run = run(&[transaction(100, &[]), transaction(10, &[]), third.clone(), transaction(90, &[])], 3);
    assert_eq!(run.wrong, 1);
    third.edges = vec![Edge { on: 1, until_committed: true }];
    let run = simulate(&[transaction(100, &[]), transaction(10, &[]), third, transaction(90, &[])], &setting(3));
    assert_eq!(run.wrong, 0);
}

#[test]
fn contracts_that_are_wrong_too_often_wait_for_their_turn() {
    let transactions: Vec<_> = (0..1_000_u32)
        .map(|index| {
            let on: Vec<u32> = index.checked_sub(1).into_iter().collect();
            Transaction { edges: Vec::new(), recipient: Some(7), ..transaction(1_000, &on) }
        })
        .collect();
    let run = run(&transactions, 4);
    assert!(run.wrong > 0 && run.wrong < 50, "{} of 1,000 were wrong", run.wrong);
    assert!(run.wall < 1_100_000, "{} ns", run.wall);
}

#[test]
fn plain_transfers_at_their_turn_use_one_core() {
    let transfer = Transaction { class: Class::Native, turn: 400, plan: 100, ..Transaction::default() };
    let run = run(&vec![transfer; 100], 8);
    assert_eq!((run.wall, run.ahead), (50_000, 0));
    assert!(!run.on_several);
}

#[test]
fn planning_that_takes_longer_than_running_bounds_everything() {
    let transactions = vec![Transaction { plan: 1_000, ..transaction(1_000, &[]) }; 4_096];
    let few = run(&transactions, 2);
    let many = run(&transactions, 64);
    assert!(few.wall >= 4_096_000 && many.wall >= 4_096_000, "{} {}", few.wall, many.wall);
    assert_eq!(many.planning, 4_096_000);
}

#[test]
fn threads_are_not_woken_for_less_than_they_cost() {
    let setting = Setting { min_parallel_nanos: 300_000, ..setting(4) };
    assert!(!simulate(&vec![transaction(1_000, &[]); 200], &setting).on_several);
    assert!(simulate(&vec![transaction(1_000, &[]); 400], &Setting { batch: 512, ..setting }).on_several);
}

#[test]
fn waking_and_company_cost_time() {
    let transactions = vec![transaction(10_000, &[]); 200];
    let free = run(&transactions, 2);
    let threads = ThreadCosts { pool_wake: 50_000, spawn: 3_000, wake: 40_000, notify: 2_000, look: 3_000 };
    let woken = simulate(&transactions, &Setting { threads, ..setting(2) });
    assert!(woken.wall > free.wall + 20_000 && woken.wall < free.wall + 120_000, "{} {}", free.wall, woken.wall);
    let contention = Contention { second: 0.5, further: 0.0 };
    let slowed = simulate(&transactions, &Setting { contention, ..setting(2) });
    assert!(slowed.wall > free.wall * 14 / 10 && slowed.wall <= free.wall * 3 / 2, "{} {}", free.wall, slowed.wall);
}

/// Random blocks in which everybody waits for some of those before.
fn random(seed: u64) -> Vec<Transaction> {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    (0..400_u32)
        .map(|index| {
            let on: Vec<u32> = (0..random.random_range(0..3))
                .filter(|_| index > 0)
                .map(|_| random.random_range(index.saturating_sub(60)..index))
                .collect();
            transaction(random.random_range(1_000..20_000), &on)
        })
        .collect()
}

#[test]
fn never_better_than_the_conflict_bound_where_nothing_is_skipped() {
    for seed in 0..10 {
        let transactions = random(seed);
        let mut ends = Vec::<u64>::new();
        for transaction in &transactions {
            let ready = transaction.needs.iter().map(|need| ends[need.on as usize]).max().unwrap_or(0);
            ends.push(ready + transaction.ahead);
        }
        let (chain, work) = (ends.into_iter().max().unwrap(), transactions.iter().map(|it| it.ahead).sum::<u64>());
        for cores in [1, 2, 4, 16, 64] {
            let wall = run(&transactions, cores).wall;
            assert!(wall >= chain.max(work / cores as u64), "seed {seed}, {cores} cores: {wall} {chain} {work}");
        }
    }
}

#[test]
fn more_cores_are_not_slower() {
    for seed in 0..10 {
        let transactions = random(seed);
        let walls: Vec<u64> = [1, 2, 4, 8, 16, 32, 64].iter().map(|cores| run(&transactions, *cores).wall).collect();
        for pair in walls.windows(2) {
            // List schedules have anomalies; nothing more than that.
            assert!(pair[1] <= pair[0] * 105 / 100, "seed {seed}: {walls:?}");
        }
    }
}

#[test]
fn the_same_block_gives_the_same_run() {
    let transactions = random(3);
    assert_eq!(run(&transactions, 8), run(&transactions, 8));
}

#[test]
fn a_run_of_transfers_is_shared_and_a_hot_account_is_not() {
    let crew = |cores| Crew::new(cores, &ThreadCosts::default(), &Contention::default());
    let apart: Vec<u64> = (0..16_384).collect();
    let alone = transfer_run(4_000_000, 2_000_000, &apart, crew(1), 1);
    assert_eq!(alone.wall, 6_000_000);
    let eight = transfer_run(4_000_000, 2_000_000, &apart, crew(8), 8);
    assert!(eight.wall < 6_000_000 / 6, "{}", eight.wall);
    // Half of all parts are those of one account: they are applied by one thread.
    let hot: Vec<u64> = (0..16_384).map(|part| if part % 2 == 0 { 7 } else { part }).collect();
    let hot = transfer_run(4_000_000, 2_000_000, &hot, crew(8), 8);
    assert!(hot.wall >= 4_000_000 / 8 + 1_000_000, "{}", hot.wall);
}
