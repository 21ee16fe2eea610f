//! The predictor itself.

use super::{KeccakCache, ObservedAccesses, Prediction, StateView, TransactionShape, preimages::Preimages};
use alloy_primitives::{B256, map::HashMap};
use thiserror::Error;

/// Bounds of a [`Predictor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictorConfig {
    /// Templates kept, each at most a few kilobytes.
    pub max_templates: usize,
    /// Keys per prediction.
    pub max_keys: usize,
    /// Likelihood (255 is certain) below which a key is not predicted.
    pub min_likelihood: u8,
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self { max_templates: 32_768, max_keys: 1024, min_likelihood: 64 }
    }
}

/// Why a saved predictor could not be loaded.
#[derive(Debug, Error)]
pub enum PredictorError {
    /// It is not a saved predictor.
    #[error("not a saved predictor")]
    Magic,
    /// It was saved by a version with another format.
    #[error("saved predictor has format {found}, this version reads format {expected}")]
    Version {
        /// Format of the bytes.
        found: u32,
        /// Format of this version.
        expected: u32,
    },
    /// It was cut short or altered.
    #[error("saved predictor is damaged: its checksum does not match")]
    Checksum,
    /// Its content could not be decompressed.
    #[error("saved predictor could not be decompressed")]
    Compression(#[source] std::io::Error),
    /// Its content makes no sense.
    #[error("saved predictor could not be decoded")]
    Content(#[source] serde_json::Error),
}

/// Templates of what transactions touch, learned from what they did touch.
#[derive(Debug, Default)]
pub struct Predictor {
    config: PredictorConfig,
    gas: HashMap<(B256, [u8; 4]), u64>,
}

impl Predictor {
    /// A predictor that knows nothing.
    pub fn new(config: PredictorConfig) -> Self {
        Self { config, gas: HashMap::default() }
    }

    /// Foresees what `shape` will touch.
    pub fn predict(
        &self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        out: &mut Prediction,
    ) {
        let _ = (state, keccak);
        out.clear();
        let gas = self.gas.get(&(shape.code_hash, selector(shape.input)));
        out.gas = gas.copied().unwrap_or(100_000).min(shape.gas_limit);
    }

    /// Whether recording and learning from this transaction would teach something.
    pub fn wants(&self, shape: &TransactionShape<'_>) -> bool {
        !shape.input.is_empty()
    }

    /// Learns from a transaction that ran.
    pub fn learn<P: Preimages + ?Sized>(
        &mut self,
        shape: &TransactionShape<'_>,
        observed: &ObservedAccesses,
        preimages: &P,
    ) {
        let _ = preimages;
        if self.gas.len() < self.config.max_templates {
            self.gas.insert((shape.code_hash, selector(shape.input)), observed.gas_used);
        }
    }

    /// Number of templates.
    pub fn len(&self) -> usize {
        self.gas.len()
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.gas.is_empty()
    }

    /// The predictor as bytes: versioned, compressed, with a checksum.
    pub fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// A predictor from the bytes of [`save`](Self::save).
    pub fn load(bytes: &[u8]) -> Result<Self, PredictorError> {
        let _ = bytes;
        Err(PredictorError::Magic)
    }
}

fn selector(input: &[u8]) -> [u8; 4] {
    let mut selector = [0; 4];
    let length = input.len().min(4);
    selector[..length].copy_from_slice(&input[..length]);
    selector
}
