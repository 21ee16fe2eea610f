//! Paths through code that was run before: transactions executed without the interpreter.
//!
//! Most transactions of a block do what others did before: the same function of the same code takes the same branches and touches other slots
//! with other values. The interpreter spends most of its time on what never changes from one to the next: moving words on the stack, jumping, copying
//! memory, counting gas. So the engine records how a function went ([`recorder`], beside revm's interpreter, opcode by opcode), and keeps only
//! what depends on the transaction: a list of operations on registers ([`ops`]), across all calls that the transaction makes. Every place
//! where another transaction could go on differently is a *guard* in that list: branches, jump targets, places in memory,
//! the code of a called account. A contract's other deployments, with other immutables, go the same ways ([`model`]). Short branches that only compute are no guards: both sides are computed ([`branches`]). Recordings of one function share their beginnings and part at guards ([`tree`]).
//!
//! [`replay`] runs the list on the worker's journal, the same that the interpreter runs on: each storage access is a real one, is
//! validated by the commit as ever, and costs what the gas schedule says at that moment. When a guard does not hold on any recorded way, or gas
//! might run out, the transaction starts anew in the interpreter. So a path is never a guess: it is either the transaction to the end, or nothing.
//!
//! [`store`] decides which functions are recorded, and when ([`worth`]). Nothing here is needed for a correct result: without paths (`EngineConfig::record_after`)
//! everything runs in the interpreter, and the results are the same.

mod branches;
mod builder;
mod compute;
mod model;
mod ops;
mod recorder;
mod replay;
mod shadow;
mod store;
mod tree;
mod worth;

pub(crate) use recorder::Recorder;
pub(crate) use replay::{Left, replay};
pub(crate) use store::{Candidate, Decision, Key, LocalPaths};
pub use store::{PathStats, Paths};
