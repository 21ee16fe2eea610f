//! Prediction of access lists: what a transaction will touch, from what transactions like it touched.
//!
//! The order to read it in: [`shape`](TransactionShape) is what is known beforehand, [`keys`](Prediction) what is foretold,
//! [`observe`](ObservedAccesses) what really happened, [`predictor`](Predictor) turns the last into the second.
//! A prediction changes speed, never results: nothing in here is state, and every answer may be wrong.

mod evaluate;
mod keccak_cache;
mod keys;
mod observe;
mod predictor;
mod preimages;
mod shape;

pub use keccak_cache::{KeccakCache, MAX_CACHED_INPUT};
pub use keys::{AccountFields, PredictedAccess, PredictedKey, Prediction};
pub use observe::{CallKind, CallStart, ObservedAccesses, ObservedAccount, ObservedCall, ObservedSlot};
pub use predictor::{Predictor, PredictorConfig, PredictorError};
pub use preimages::{KeccakPreimages, Preimages};
pub use shape::{BlockContext, StateView, TransactionShape};
