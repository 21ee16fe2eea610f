//! A whole block on a number of cores: its stretches one after the other, with what comes before and after.

use super::{
    costs::{AheadCosts, BlockCosts, ExactCosts},
    graph::Planned,
    parts::{self, Crew, Part},
    planning::Class,
    simulate::{Need, Run, Setting, Transaction, simulate},
};

/// Everything that is known of a block.
#[derive(Clone, Debug)]
pub struct Model {
    /// Costs at the turn.
    pub costs: BlockCosts,
    /// Costs of running ahead.
    pub ahead: AheadCosts,
    /// Planning of one that runs ahead without prediction (ns).
    pub plan_plain: f64,
    /// What is planned, with predictions and without.
    pub predicted: Vec<Planned>,
    /// The same without predictions.
    pub plain: Vec<Planned>,
    /// What is true.
    pub needs: Vec<Vec<Need>>,
    /// Numbers of recipients.
    pub recipients: Vec<Option<u8>>,
    /// Accounts of each transaction as numbers: sender, recipient.
    pub accounts: Vec<[u64; 2]>,
    /// Gas used, by transaction.
    pub gas: Vec<u64>,
    /// Gas limit, by transaction.
    pub limits: Vec<u64>,
    /// Gas that the header says was used; 0 when it does not say.
    pub header_gas: u64,
}

/// A simulated block, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Simulated {
    /// Wall time.
    pub wall: u64,
    /// Core time.
    pub busy: u64,
    /// Where it went and how it went.
    pub workers: Run,
    /// Runs of transfers.
    pub transfers: Part,
    /// Folding and clearing.
    pub fold: Part,
    /// What is done by one thread around all that.
    pub fixed: u64,
}

/// Passes in which the engine finds its pace.
const PASSES: usize = 3;
/// What the engine takes several threads to do, compared with one.
const ASSUMED_SPEED_UP: f64 = 1.5;

impl Model {
    /// Simulates the block. `predicts` tells whether predictions are asked for.
    pub fn simulate(&self, setting: &Setting, predicts: bool) -> Simulated {
        let mut setting = Setting { used: self.header_gas, ..*setting };
        let mut done = Simulated::default();
        for _ in 0..PASSES {
            done = self.pass(&setting, predicts);
            let evm = self.classed(|class| class != Class::Native);
            let factor = if done.workers.on_several { ASSUMED_SPEED_UP } else { 1.0 };
            if done.workers.wall > 0 && evm > 0 {
                setting.pace = (evm as f64 / (done.workers.wall as f64 * factor)).clamp(0.3, 100.0);
            }
        }
        done
    }

    fn classed(&self, of: impl Fn(Class) -> bool) -> u64 {
        self.gas.iter().zip(&self.costs.classes).filter(|(_, class)| of(**class)).map(|(gas, _)| gas).sum()
    }

    fn pass(&self, setting: &Setting, predicts: bool) -> Simulated {
        let crew = || Crew::new(setting.cores, &setting.threads, &setting.contention);
        let costs = &self.costs;
        let mut done = Simulated { fixed: costs.before + costs.after + costs.rest, ..Simulated::default() };
        let mut next = 0;
        for run in &costs.runs {
            self.stretch(next..run.first, setting, predicts, &mut done.workers);
            let accounts: Vec<u64> =
                self.accounts[run.first..run.first + run.count].iter().flatten().copied().collect();
            done.transfers += parts::transfer_run(run.gather, run.apply, &accounts, crew(), setting.cores);
            next = run.first + run.count;
        }
        self.stretch(next..self.gas.len(), setting, predicts, &mut done.workers);
        done.fold += parts::fold(costs.fold, costs.entries, crew());
        done.fold += parts::clear(costs.clear, costs.entries, crew());
        done.wall = done.fixed + done.workers.wall + done.transfers.wall + done.fold.wall;
        done.busy = done.fixed + done.workers.busy + done.transfers.busy + done.fold.busy;
        done
    }

    fn stretch(&self, range: std::ops::Range<usize>, setting: &Setting, predicts: bool, sum: &mut Run) {
        let (first, transactions) = (range.start, self.transactions(range, setting, predicts));
        debug_assert!(
            transactions
                .iter()
                .all(|transaction| transaction.needs.iter().all(|need| (need.on as usize) < self.gas.len() - first))
        );
        let run = simulate(&transactions, setting);
        sum.wall += run.wall;
        sum.busy += run.busy;
        sum.planning += run.planning;
        sum.committing += run.committing;
        sum.waking += run.waking;
        sum.ahead += run.ahead;
        sum.wrong += run.wrong;
        sum.on_several |= run.on_several;
    }

    /// The transactions of a stretch; what they need from before it is there.
    fn transactions(&self, range: std::ops::Range<usize>, setting: &Setting, predicts: bool) -> Vec<Transaction> {
        let first = range.start as u32;
        let plans = if predicts { &self.predicted } else { &self.plain };
        let plan_ahead = match (setting.cores, predicts) {
            (1, _) => self.costs.plan_turn,
            (_, true) => self.ahead.plan_predicted,
            (_, false) => self.plan_plain,
        };
        range
            .map(|index| Transaction {
                class: self.costs.classes[index],
                recipient: self.recipients[index],
                gas: plans[index].gas,
                turn: self.costs.turns[index],
                ahead: self.ahead.ahead[index],
                commit: self.ahead.commits[index],
                plan: match self.costs.classes[index] {
                    Class::Ahead => plan_ahead as u64,
                    _ => self.costs.plan_turn as u64,
                },
                needs: (self.needs[index].iter().filter(|need| need.on >= first))
                    .map(|need| Need { on: need.on - first, ..*need })
                    .collect(),
                edges: (plans[index].edges.iter().filter(|edge| edge.on >= first))
                    .map(|edge| super::simulate::Edge { on: edge.on - first, ..*edge })
                    .collect(),
            })
            .collect()
    }

    /// Simulates the block with its exact list.
    pub fn simulate_exact(&self, exact: &ExactCosts, setting: &Setting) -> Simulated {
        let each: Vec<(u64, u64)> = self.limits.iter().copied().zip(exact.each.iter().copied()).collect();
        let fixed = exact.after + exact.rest;
        let used = if self.header_gas > 0 { self.header_gas } else { 0 };
        let work: u64 = exact.each.iter().sum();
        let limit = if used > 0 { used } else { self.limits.iter().sum() };
        let evm = self.classed(|class| class != Class::Native);
        // The pace at which such blocks go, on one thread.
        let pace = if work > 0 { (evm as f64 / work as f64).clamp(0.3, 100.0) } else { setting.pace };
        let pays = (limit as f64 / pace) as u64 >= setting.min_parallel_nanos;
        let cores = if each.len() > 1 && pays { setting.cores } else { 1 };
        let part =
            parts::exact(&each, used, exact.before, Crew::new(cores, &setting.threads, &setting.contention), cores);
        Simulated {
            wall: part.wall + fixed,
            busy: part.busy + fixed,
            workers: Run { wall: part.wall, busy: part.busy, on_several: cores > 1, ..Run::default() },
            fixed: fixed + exact.before,
            ..Simulated::default()
        }
    }

    /// Time of the longest chain of transactions that rely on each other, and of all of them, when each runs ahead once (ns).
    pub fn chain(&self) -> u64 {
        let cost = |index: usize| match self.costs.classes[index] {
            Class::Ahead => self.ahead.ahead[index],
            _ => self.costs.turns[index],
        };
        let mut ends = Vec::<u64>::with_capacity(self.gas.len());
        for (index, needs) in self.needs.iter().enumerate() {
            let ready = needs.iter().map(|need| ends[need.on as usize]).max().unwrap_or(0);
            ends.push(ready + cost(index));
        }
        ends.into_iter().max().unwrap_or(0)
    }
}
