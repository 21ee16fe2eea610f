//! A predictor as bytes: magic, format, checksum, then the compressed content.

use super::{
    store::{Store, TemplateKey},
    template::Template,
};
use alloy_primitives::{Address, B256, keccak256, map::HashMap};
use serde::{Deserialize, Serialize};
use std::io::Read;
use thiserror::Error;

const MAGIC: &[u8; 8] = b"BRAIDPRE";
const FORMAT: u32 = 2;
const HEADER: usize = 8 + 4 + 32;
const COMPRESSION_LEVEL: i32 = 3;
/// Bytes beyond which decompressed content is refused: a small file must not fill the memory.
const MAX_CONTENT: u64 = 2 << 30;

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
    /// Its content could not be decoded.
    #[error("saved predictor could not be decoded")]
    Content(#[source] serde_json::Error),
    /// A template refers to something that is not in it.
    #[error("saved predictor has a template that makes no sense")]
    Template,
}

#[derive(Serialize)]
struct Content<'a> {
    templates: Vec<&'a (TemplateKey, Template)>,
    codes: Vec<(&'a Address, &'a B256)>,
    families: Vec<(B256, B256)>,
    homes: Vec<(B256, B256)>,
}

#[derive(Deserialize)]
struct OwnedContent {
    templates: Vec<(TemplateKey, Template)>,
    codes: Vec<(Address, B256)>,
    families: Vec<(B256, B256)>,
    homes: Vec<(B256, B256)>,
}

pub(super) fn save(store: &Store) -> Vec<u8> {
    let mut templates: Vec<_> = store.templates().collect();
    templates.sort_unstable_by_key(|(key, _)| (key.code_hash, key.function));
    let mut codes: Vec<_> = store.codes().iter().collect();
    codes.sort_unstable();
    let sorted = |map: &'_ HashMap<B256, B256>| {
        let mut entries: Vec<(B256, B256)> = map.iter().map(|(key, value)| (*key, *value)).collect();
        entries.sort_unstable();
        entries
    };
    let (families, homes) = store.families();
    let (families, homes) = (sorted(families), sorted(homes));
    let content = Content { templates, codes, families, homes };
    let json = serde_json::to_vec(&content).expect("templates hold nothing that JSON cannot express");
    seal(&json)
}

/// Content as a file: compressed, behind the header.
pub(super) fn seal(content: &[u8]) -> Vec<u8> {
    let compressed = zstd::bulk::compress(content, COMPRESSION_LEVEL).expect("compression into memory");
    let mut bytes = Vec::with_capacity(HEADER + compressed.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(keccak256(&compressed).as_slice());
    bytes.extend_from_slice(&compressed);
    bytes
}

/// The content of a file, checked and decompressed.
pub(super) fn content(bytes: &[u8]) -> Result<Vec<u8>, PredictorError> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(PredictorError::Magic)?;
    if magic != MAGIC {
        return Err(PredictorError::Magic);
    }
    let (format, rest) = rest.split_first_chunk::<4>().ok_or(PredictorError::Checksum)?;
    let found = u32::from_le_bytes(*format);
    if found != FORMAT {
        return Err(PredictorError::Version { found, expected: FORMAT });
    }
    let (checksum, compressed) = rest.split_first_chunk::<32>().ok_or(PredictorError::Checksum)?;
    if keccak256(compressed) != B256::from(*checksum) {
        return Err(PredictorError::Checksum);
    }
    let mut content = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(compressed).map_err(PredictorError::Compression)?;
    decoder.take(MAX_CONTENT).read_to_end(&mut content).map_err(PredictorError::Compression)?;
    Ok(content)
}

pub(super) fn load(bytes: &[u8], max_templates: usize) -> Result<Store, PredictorError> {
    let content: OwnedContent = serde_json::from_slice(&content(bytes)?).map_err(PredictorError::Content)?;
    let mut store = Store::default();
    for (key, template) in content.templates {
        if !template.is_sound() {
            return Err(PredictorError::Template);
        }
        *store.find_or_add(key, max_templates) = template;
    }
    for (address, code_hash) in content.codes {
        store.note_code(address, code_hash);
    }
    store.add_families(content.families, content.homes);
    Ok(store)
}
