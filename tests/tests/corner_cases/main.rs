//! Cases that broke other engines, one function each. All go through every mode, thread count and prediction, and each also says what
//! must come of it, so that the case is known to have happened.

mod amsterdam;
mod beneficiary;
mod delegation;
mod destruction;
mod envelope;
mod exact_lists;
mod false_lists;
mod predictions;
mod reading_ahead;
mod reads;
mod stage;
mod system;
mod touching;
mod transfer_runs;
