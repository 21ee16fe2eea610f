//! The planner, as far as it decides about time: `runtime/src/engine/plan.rs`.

use super::simulate::{Setting, Transaction};

/// How a transaction runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// A plain transfer, without the EVM at its turn.
    #[default]
    Native,
    /// At its turn.
    Ordered,
    /// Ahead of its turn.
    Ahead,
}

/// A batch that was planned.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) classes: Vec<Class>,
    /// Gas of the longest chain behind each, 0 where that is nothing special.
    pub(super) priorities: Vec<u64>,
    /// What planning it takes on one core.
    pub(super) nanos: u64,
}

/// Part of all gas from which on a chain is long.
const LONG: u64 = 16;

pub(super) fn plan_batch(transactions: &[Transaction], first: usize, setting: &Setting, hold_back: bool) -> Batch {
    let planned = &transactions[first..transactions.len().min(first + setting.batch)];
    let all_ordered = setting.cores == 1 || hold_back;
    let mut classes: Vec<Class> = planned
        .iter()
        .map(|transaction| match transaction.class {
            Class::Ahead if all_ordered => Class::Ordered,
            class => class,
        })
        .collect();
    let mut longest: Vec<u64> = planned.iter().map(|transaction| transaction.gas).collect();
    for (to, transaction) in planned.iter().enumerate().rev() {
        for edge in transaction.edges.iter().filter(|_| classes[to] == Class::Ahead) {
            let Some(from) = (edge.on as usize).checked_sub(first) else { continue };
            longest[from] = longest[from].max(planned[from].gas + longest[to]);
        }
    }
    let ahead = || planned.iter().zip(&classes).zip(&longest).filter(|((_, class), _)| **class == Class::Ahead);
    let total: u64 = ahead().map(|((transaction, _), _)| transaction.gas).sum();
    let critical = ahead().map(|(_, longest)| *longest).max().unwrap_or(0);
    let span = (total as f64 / setting.cores as f64).max(critical as f64);
    let used = if setting.used > 0 { setting.used } else { u64::MAX };
    let is_worth_waking = first > 0 || (total.min(used) as f64 / setting.pace) as u64 >= setting.min_parallel_nanos;
    if !(total > 0 && is_worth_waking && total as f64 >= setting.min_parallelism * span) {
        classes.iter_mut().filter(|class| **class == Class::Ahead).for_each(|class| *class = Class::Ordered);
    }
    let priorities = longest.iter().map(|longest| if longest * LONG > total { *longest } else { 0 }).collect();
    Batch { classes, priorities, nanos: planned.iter().map(|transaction| transaction.plan).sum() }
}
