//! Reading the code of functions that were never seen, before they run.
//!
//! A template is learned from calls. Of a function that nobody called yet, the code itself tells most of it:
//! [`Predictor::study`] reads the functions that a transaction will call, one level of inner calls after the other, and keeps what they say as
//! templates, which learning then corrects. A reading costs about as much as an execution, so it is for whoever has time before the block: a pool,
//! a builder, an importer that waits for its database.

use super::{
    KeccakCache, Prediction, Predictor, StateView, TransactionShape,
    reading::read,
    store::{Function, TemplateKey},
};

/// Levels of inner calls that are read in one go.
const MAX_LEVELS: usize = 8;
/// Functions that are read for one transaction.
const MAX_READINGS: usize = 64;
/// Functions that are remembered as saying nothing.
const MAX_UNREADABLE: usize = 1 << 14;
/// First byte of a delegation designator, which has no functions of its own.
const RESERVED: u8 = 0xef;

/// What a study did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Studied {
    /// Functions that were read.
    pub functions: u32,
    /// Those that said nothing.
    pub unreadable: u32,
}

impl Predictor {
    /// Reads the code of the functions that the transaction will probably call and that have no template yet. `keccak` and
    /// `scratch` are buffers.
    pub fn study(
        &mut self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        scratch: &mut Prediction,
    ) -> Studied {
        let mut studied = Studied::default();
        for _ in 0..MAX_LEVELS {
            let unknown = self.unknown(shape, state, keccak, scratch);
            let before = studied.functions;
            for (address, code_hash, function) in unknown {
                let key = TemplateKey { code_hash, function };
                if studied.functions as usize >= MAX_READINGS || self.unreadable.contains(&key) {
                    continue;
                }
                let Some(code) = state.code(address).filter(|code| code.first() != Some(&RESERVED)) else { continue };
                let home = self.store.home_of(code_hash, &code);
                studied.functions += 1;
                match read(&code, function, home == code_hash) {
                    Some(reading) => {
                        let function = if reading.hands_on { Function::Any } else { function };
                        let key = TemplateKey { code_hash: home, function };
                        *self.store.find_or_add(key, self.config.max_templates) = reading.template;
                    }
                    None => {
                        studied.unreadable += 1;
                        if self.unreadable.len() >= MAX_UNREADABLE {
                            self.unreadable.clear();
                        }
                        self.unreadable.insert(key);
                    }
                }
            }
            if studied.functions == before {
                break;
            }
        }
        studied
    }

    /// The functions without template that a prediction comes across.
    fn unknown(
        &self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        scratch: &mut Prediction,
    ) -> Vec<(alloy_primitives::Address, alloy_primitives::B256, Function)> {
        scratch.scratch.unknown = Some(Vec::new());
        self.predict(shape, state, keccak, scratch);
        let mut unknown = scratch.scratch.unknown.take().unwrap_or_default();
        unknown.sort_unstable_by_key(|(_, code_hash, function)| (*code_hash, *function));
        unknown.dedup_by_key(|(_, code_hash, function)| (*code_hash, *function));
        unknown
    }
}
