//! Prediction of access lists: what a transaction will touch, from what transactions like it touched.
//!
//! The order to read it in: `shape` is what is known beforehand, `keys` what is foretold, `observe` what really happened;
//! `predictor` turns the last into the second. Inside, `expression` and `template` are what is learned, `learn` and
//! `derive` how, `assume` what stands in where nothing is, `evaluate` and `walk` what is made of it, `store` and `saved` where it is kept,
//! `family` for which codes in common; `meetings` tells where transactions meet, so that only that can be foretold where time is short; `reading` makes a template of a function that never ran, from its code alone, and `study` decides of which.
//! A prediction changes speed, never results: nothing in here is state, and every answer may be wrong.

mod assume;
mod derive;
mod evaluate;
mod expression;
mod family;
mod keccak_cache;
mod keys;
mod learn;
mod meetings;
mod observe;
mod predictor;
mod preimages;
mod reading;
mod recorder;
mod saved;
mod score;
mod scratch;
mod shape;
mod shared_hashes;
mod store;
mod study;
mod template;
mod walk;

#[cfg(test)]
mod tests;

pub use keccak_cache::{KeccakCache, MAX_CACHED_INPUT};
pub use keys::{AccountFields, FollowedCall, MAX_DECLARED_KEYS, PredictedAccess, PredictedKey, Prediction};
pub use observe::{CallKind, CallStart, ObservedAccesses, ObservedAccount, ObservedCall, ObservedSlot};
pub use predictor::{Outline, Predictor, PredictorConfig};
pub use preimages::{KeccakPreimages, Preimages};
pub use recorder::AccessRecorder;
pub use saved::PredictorError;
pub use score::{PredictionScore, Score, ScoreReport};
pub use shape::{BlockContext, StateView, TransactionShape};
pub(crate) use shared_hashes::SharedHashes;
pub use study::Studied;
