//! A template from the code alone: what a function that never ran would touch.
//!
//! [`read`] walks the code from its first instruction with the selector known and everything else symbolic ([`word`], [`memory`]), follows both
//! sides of every branch that it cannot decide ([`machine`]), forgets the sides that revert, and notes slots, accounts and inner calls with
//! the share of the remaining paths that reach them ([`notes`]). That share is the prior of the entry; it gives way to evidence as
//! soon as calls of the function are learned from. Steps, forks and memory are bounded: a code made to be hard to read is read badly and nothing else.

mod machine;
mod memory;
mod notes;
mod word;

use super::{store::Function, template::Template};
use machine::Reader;
use notes::Notes;

/// What a reading says.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) template: Template,
    /// Whether the function hands its whole input on, as proxies do.
    pub(super) hands_on: bool,
}

/// Reads one function of a code. `is_home`: its templates are kept under this very code. `None` when every path fails.
pub(super) fn read(code: &[u8], function: Function, is_home: bool) -> Option<Reading> {
    let selector = match function {
        Function::Selector(selector) | Function::Sized(selector, _) => Some(selector),
        Function::Bare => None,
        Function::Any | Function::Variant(..) => return None,
    };
    let mut reader = Reader::new(code, selector, Notes::new(is_home));
    let outcome = reader.read()?;
    let hands_on = selector.is_some() && reader.notes.hands_on();
    let template = reader.notes.into_template(&outcome)?;
    Some(Reading { template, hands_on })
}

#[cfg(test)]
mod tests;
