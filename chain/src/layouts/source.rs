//! Which layout a path has, and the bundles in it.

use super::{
    LayoutError, LayoutErrorKind,
    archive::Archive,
    block_folder::{self, Shared},
    execution_witness, prover_input,
};
use crate::{
    Bundle,
    bundle::{EXTENSION, MAX_PAYLOAD_BYTES},
};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A bundle and where it came from.
#[derive(Clone, Debug)]
pub struct NamedBundle {
    /// Path of the file or folder, inside an archive after the archive's own path.
    pub name: String,
    /// The bundle.
    pub bundle: Bundle,
}

/// Opens whatever holds blocks at this path:
///
/// * a `.braid` file, a `.json` file of a known layout, a `.tar.zst`;
/// * the folder of one block (`block.json`, `pre_state.json`; `codes.json` two levels above);
/// * a folder with any of these, or with a folder `blocks`, in it or up to three levels below. Blocks come in the order
///   of their numbers, files in the order of their names.
///
/// That there is nothing to open is an error at once. What is wrong with one block is an error in its place, and the next
/// block follows.
pub fn open(path: impl AsRef<Path>) -> Result<NamedBundles, LayoutError> {
    let path = path.as_ref();
    let mut sources = VecDeque::new();
    let metadata = fs::metadata(path).map_err(|error| LayoutError::new(path.display().to_string(), error))?;
    if metadata.is_dir() {
        collect(path, 3, &mut sources).map_err(|error| LayoutError::new(path.display().to_string(), error))?;
    } else {
        sources.push_back(Source::File(path.to_path_buf()));
    }
    if sources.is_empty() {
        return Err(LayoutError::new(path.display().to_string(), LayoutErrorKind::Empty));
    }
    Ok(NamedBundles { sources, archive: None, shared: BTreeMap::new() })
}

/// The bundles at a path, read one after the other.
#[derive(Debug)]
pub struct NamedBundles {
    sources: VecDeque<Source>,
    archive: Option<Archive>,
    /// What block folders share, by the folder it lies in. `None` when it could not be read: the first block said so.
    shared: BTreeMap<PathBuf, Option<Arc<Shared>>>,
}

#[derive(Debug)]
enum Source {
    File(PathBuf),
    BlockFolder(PathBuf),
}

impl Iterator for NamedBundles {
    type Item = Result<NamedBundle, LayoutError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(archive) = &mut self.archive {
                if let Some(result) = archive.next() {
                    return Some(result);
                }
                self.archive = None;
            }
            match self.sources.pop_front()? {
                Source::BlockFolder(folder) => return Some(self.block_folder(&folder)),
                Source::File(file) if is_archive(&file) => {
                    let name = file.display().to_string();
                    let archive = fs::File::open(&file).and_then(|stream| Archive::new(name.clone(), stream));
                    match archive {
                        Ok(archive) => self.archive = Some(archive),
                        Err(error) => return Some(Err(LayoutError::new(name, error))),
                    }
                }
                Source::File(file) => return Some(read_file(&file)),
            }
        }
    }
}

impl NamedBundles {
    fn block_folder(&mut self, folder: &Path) -> Result<NamedBundle, LayoutError> {
        let name = folder.display().to_string();
        let read = || {
            let block = read_limited(&folder.join(block_folder::BLOCK))?;
            let pre_state = match read_limited(&folder.join(block_folder::PRE_STATE)) {
                Err(LayoutErrorKind::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(LayoutErrorKind::MissingFile(block_folder::PRE_STATE));
                }
                pre_state => pre_state?,
            };
            let shared = self.shared_of(folder)?;
            block_folder::decode(&block, &pre_state, &shared)
        };
        let mut read = read;
        match read() {
            Ok(bundle) => Ok(NamedBundle { name, bundle }),
            Err(kind) => Err(LayoutError::new(name, kind)),
        }
    }

    fn shared_of(&mut self, folder: &Path) -> Result<Arc<Shared>, LayoutErrorKind> {
        // The parent of a relative path such as `.` is only known of its full form.
        let folder = folder.canonicalize()?;
        let above = folder
            .ancestors()
            .skip(1)
            .take(2)
            .find(|above| above.join(block_folder::CODES).is_file())
            .ok_or(LayoutErrorKind::MissingFile(block_folder::CODES))?;
        if let Some(shared) = self.shared.get(above) {
            return shared.clone().ok_or_else(|| LayoutErrorKind::CompanionFile {
                file: block_folder::CODES,
                reason: "could not be read, see above".to_owned(),
            });
        }
        let result = read_shared(above).map(Arc::new);
        self.shared.insert(above.to_path_buf(), result.as_ref().ok().cloned());
        result
    }
}

fn read_shared(folder: &Path) -> Result<Shared, LayoutErrorKind> {
    let codes = read_limited(&folder.join(block_folder::CODES))?;
    let hashes = folder.join(block_folder::BLOCK_HASHES);
    let hashes = if hashes.is_file() { Some(read_limited(&hashes)?) } else { None };
    Shared::decode(Some(&codes), hashes.as_deref())
}

/// Finds what can be opened in a folder.
fn collect(folder: &Path, depth: usize, sources: &mut VecDeque<Source>) -> io::Result<()> {
    if folder.join(block_folder::BLOCK).is_file() {
        sources.push_back(Source::BlockFolder(folder.to_path_buf()));
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort_by_cached_key(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name.parse::<u64>().unwrap_or(u64::MAX), name)
    });
    for path in entries {
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, sources)?;
            }
        } else if is_archive(&path) || is_single(&path) {
            sources.push_back(Source::File(path));
        }
    }
    Ok(())
}

fn is_archive(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".tar.zst"))
}

/// Whether a file has the name of a block by itself.
fn is_single(path: &Path) -> bool {
    let companion = [block_folder::CODES, block_folder::BLOCK_HASHES, block_folder::PRE_STATE];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !companion.contains(&&*name) && path.extension().is_some_and(|end| end == "json" || end == EXTENSION)
}

fn read_file(path: &Path) -> Result<NamedBundle, LayoutError> {
    let name = path.display().to_string();
    match read_limited(path) {
        Ok(content) => decode_file(&name, &content).unwrap_or_else(|| {
            let kind = LayoutErrorKind::Unknown("its name ends neither in .braid nor .json nor .tar.zst");
            Err(LayoutError::new(name, kind))
        }),
        Err(kind) => Err(LayoutError::new(name, kind)),
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, LayoutErrorKind> {
    // Hexadecimal text takes twice the room of what it says.
    let limit = 2 * MAX_PAYLOAD_BYTES;
    let mut file = fs::File::open(path)?;
    let found = file.metadata()?.len();
    if found > limit {
        return Err(LayoutErrorKind::TooLarge { found, limit });
    }
    let mut content = Vec::new();
    file.by_ref().take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Decodes a file that is a block by itself; `None` when its name says that it is something else.
pub(super) fn decode_file(name: &str, content: &[u8]) -> Option<Result<NamedBundle, LayoutError>> {
    if !is_single(Path::new(name)) {
        return None;
    }
    let bundle =
        if name.ends_with(".json") { decode_json(content) } else { Bundle::decode(content).map_err(Into::into) };
    Some(match bundle {
        Ok(bundle) => Ok(NamedBundle { name: name.to_owned(), bundle }),
        Err(kind) => Err(LayoutError::new(name, kind)),
    })
}

/// The top-level names by which the JSON layouts are told apart.
#[derive(Deserialize)]
struct Outline {
    block: Option<IgnoredAny>,
    blocks: Option<IgnoredAny>,
    witness: Option<IgnoredAny>,
    transactions: Option<IgnoredAny>,
}

fn decode_json(content: &[u8]) -> Result<Bundle, LayoutErrorKind> {
    let outline: Outline = serde_json::from_slice(content)?;
    match outline {
        Outline { blocks: Some(_), witness: Some(_), .. } => prover_input::decode(content),
        Outline { block: Some(_), witness: Some(_), .. } => execution_witness::decode(content),
        Outline { transactions: Some(_), .. } => {
            Err(LayoutErrorKind::Unknown("a block without the state before it; open its folder"))
        }
        _ => Err(LayoutErrorKind::Unknown("no block with a witness in it")),
    }
}
