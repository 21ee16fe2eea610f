//! A `.tar.zst` that holds any of the other layouts, read as a stream.
//!
//! The entries come in the order in which they were put in. A file that is a block by itself is given at once; the two
//! files of a block folder are kept until both are there and `codes.json` and `block_hashes.json` above them have been met,
//! at the latest until the end of the archive.

use super::{
    LayoutError, LayoutErrorKind, NamedBundle,
    block_folder::{self, Shared},
    source,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Window that archives may have been compressed with (log 2 of bytes).
const WINDOW_LOG: u32 = 27;
/// Largest file in an archive that is read.
const MAX_ENTRY_BYTES: u64 = 512 << 20;
const TAR_BLOCK: u64 = 512;

/// The bundles of an archive.
pub(super) struct Archive {
    /// Path of the archive, for names and errors.
    path: String,
    /// `None` after the end.
    stream: Option<Box<dyn Read + Send>>,
    folders: BTreeMap<PathBuf, Folder>,
    shared: BTreeMap<PathBuf, SharedFiles>,
    ready: VecDeque<Result<NamedBundle, LayoutError>>,
}

/// What has been met of a block folder.
#[derive(Default)]
struct Folder {
    block: Option<Vec<u8>>,
    pre_state: Option<Vec<u8>>,
}

/// What has been met of the files that several block folders share.
#[derive(Default)]
struct SharedFiles {
    codes: Option<Vec<u8>>,
    block_hashes: Option<Vec<u8>>,
    decoded: Option<Arc<Shared>>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Archive {
    pub(super) fn new(path: String, file: impl Read + Send + 'static) -> io::Result<Self> {
        let mut stream = zstd::stream::read::Decoder::new(file)?;
        stream.window_log_max(WINDOW_LOG)?;
        Ok(Self {
            path,
            stream: Some(Box::new(stream)),
            folders: BTreeMap::new(),
            shared: BTreeMap::new(),
            ready: VecDeque::new(),
        })
    }

    fn error(&self, entry: &Path, kind: impl Into<LayoutErrorKind>) -> LayoutError {
        LayoutError::new(format!("{}/{}", self.path, entry.display()), kind)
    }

    /// Reads on to the end of the next entry, and puts what it yields among the ready ones.
    fn advance(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        match next_file(stream) {
            Ok(Some((path, Ok(content)))) => self.take(path, content),
            Ok(Some((path, Err(kind)))) => self.ready.push_back(Err(self.error(&path, kind))),
            Ok(None) => {
                self.stream = None;
                self.finish();
            }
            Err(error) => {
                self.stream = None;
                self.ready.push_back(Err(LayoutError::new(self.path.clone(), error)));
                self.finish();
            }
        }
    }

    fn take(&mut self, path: PathBuf, content: Vec<u8>) {
        let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(block_folder::CODES) => {
                self.shared.entry(parent.clone()).or_default().codes = Some(content);
                self.complete_below(&parent);
            }
            Some(block_folder::BLOCK_HASHES) => {
                self.shared.entry(parent.clone()).or_default().block_hashes = Some(content);
                self.complete_below(&parent);
            }
            Some(block_folder::BLOCK) => {
                self.folders.entry(parent.clone()).or_default().block = Some(content);
                self.complete(&parent);
            }
            Some(block_folder::PRE_STATE) => {
                self.folders.entry(parent.clone()).or_default().pre_state = Some(content);
                self.complete(&parent);
            }
            _ => {
                let name = format!("{}/{}", self.path, path.display());
                if let Some(result) = source::decode_file(&name, &content) {
                    self.ready.push_back(result);
                }
            }
        }
    }

    /// Decodes the folders that waited for a file they share.
    fn complete_below(&mut self, parent: &Path) {
        let waiting: Vec<_> =
            self.folders.keys().filter(|folder| shared_above(folder) == Some(parent)).cloned().collect();
        for folder in waiting {
            self.complete(&folder);
        }
    }

    /// Decodes a folder if all that belongs to it has been met.
    fn complete(&mut self, folder: &Path) {
        let own = self.folders.get(folder).is_some_and(|files| files.block.is_some() && files.pre_state.is_some());
        let above = shared_above(folder).and_then(|above| self.shared.get(above));
        if own && above.is_some_and(|shared| shared.codes.is_some() && shared.block_hashes.is_some()) {
            self.give(folder);
        }
    }

    fn give(&mut self, folder: &Path) {
        let Some(files) = self.folders.remove(folder) else { return };
        let result = match files {
            Folder { block: Some(block), pre_state: Some(pre_state) } => {
                self.shared_of(folder).and_then(|shared| block_folder::decode(&block, &pre_state, &shared))
            }
            Folder { block: None, .. } => Err(LayoutErrorKind::MissingFile(block_folder::BLOCK)),
            Folder { pre_state: None, .. } => Err(LayoutErrorKind::MissingFile(block_folder::PRE_STATE)),
        };
        let name = format!("{}/{}", self.path, folder.display());
        self.ready.push_back(match result {
            Ok(bundle) => Ok(NamedBundle { name, bundle }),
            Err(kind) => Err(LayoutError::new(name, kind)),
        });
    }

    fn shared_of(&mut self, folder: &Path) -> Result<Arc<Shared>, LayoutErrorKind> {
        let Some(files) = shared_above(folder).and_then(|above| self.shared.get_mut(above)) else {
            return Err(LayoutErrorKind::MissingFile(block_folder::CODES));
        };
        if let Some(shared) = &files.decoded {
            return Ok(shared.clone());
        }
        let shared = Arc::new(Shared::decode(files.codes.as_deref(), files.block_hashes.as_deref())?);
        files.decoded = Some(shared.clone());
        Ok(shared)
    }

    fn finish(&mut self) {
        for folder in self.folders.keys().cloned().collect::<Vec<_>>() {
            self.give(&folder);
        }
    }
}

impl Iterator for Archive {
    type Item = Result<NamedBundle, LayoutError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && self.stream.is_some() {
            self.advance();
        }
        self.ready.pop_front()
    }
}

/// The folder with the files that block folder `parent/blocks/N` shares with others: `parent`.
fn shared_above(folder: &Path) -> Option<&Path> {
    folder.parent()?.parent()
}

type File = (PathBuf, Result<Vec<u8>, LayoutErrorKind>);

/// The next regular file of a tar stream, and leaves the stream behind it.
///
/// The tar reader takes from the stream just what it needs, so a new one can be set on it for every entry. That keeps the
/// stream in our hands, and the iterator free of borrows.
fn next_file(stream: &mut dyn Read) -> io::Result<Option<File>> {
    loop {
        let mut archive = tar::Archive::new(&mut *stream);
        let mut entries = archive.entries()?;
        let Some(entry) = entries.next() else { return Ok(None) };
        let mut entry = entry?;
        let path: PathBuf = entry.path()?.components().filter(|part| matches!(part, Component::Normal(_))).collect();
        let size = entry.size();
        let is_file = entry.header().entry_type().is_file();
        let mut content = Vec::new();
        let wanted = is_file && size <= MAX_ENTRY_BYTES;
        let read =
            if wanted { entry.read_to_end(&mut content)? as u64 } else { io::copy(&mut entry, &mut io::sink())? };
        if read != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "archive ends inside a file"));
        }
        let padding = size.next_multiple_of(TAR_BLOCK) - size;
        io::copy(&mut stream.take(padding), &mut io::sink())?;
        if is_file {
            let too_large = LayoutErrorKind::TooLarge { found: size, limit: MAX_ENTRY_BYTES };
            return Ok(Some((path, if wanted { Ok(content) } else { Err(too_large) })));
        }
    }
}
