//! What a file is, by what is in it.

use super::{Era1Blocks, FileError, FileErrorKind, RlpBlocks, rlp::stream_error};
use crate::layouts::{self, NamedBundles};
use braid_runtime::Block;
use flate2::read::MultiGzDecoder;
use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes that are read from a file at once.
const BUFFER: usize = 1 << 20;

/// A block and where in its file it begins.
#[derive(Clone, Debug)]
pub struct PlacedBlock {
    /// The block.
    pub block: Block,
    /// Bytes before it, in a compressed file after decompression; `None` where files hold one block each.
    pub offset: Option<u64>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Blocks as RLP.
    Rlp,
    /// An era1 archive.
    Era1,
    /// Bundles or what can be read as such.
    Bundles,
}

/// A file of blocks: an iterator over them that ends with the first error.
pub struct BlockFile {
    name: String,
    kind: FileKind,
    progress: Progress,
    blocks: Blocks,
    ended: bool,
}

enum Blocks {
    Rlp(RlpBlocks<Box<dyn Read + Send>>),
    Era1(Era1Blocks<Box<dyn Read + Send>>),
    Bundles(NamedBundles),
}

impl fmt::Debug for BlockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockFile").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// How much of a file was read; a handle that can be asked from anywhere.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    position: Arc<AtomicU64>,
    length: Option<u64>,
}

impl Progress {
    /// Bytes of the file that were read.
    pub fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Length of the file in bytes; `None` where it says nothing, as of a folder or a pipe.
    pub const fn length(&self) -> Option<u64> {
        self.length
    }
}

impl BlockFile {
    /// Opens a file of blocks, or a folder of bundles. What it is shows in its first bytes, not in its name.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        Self::open_kind(path, &name).map_err(|kind| FileError::new(name, None, kind))
    }

    fn open_kind(path: &Path, name: &str) -> Result<Self, FileErrorKind> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Self::bundles(path, name);
        }
        let progress = Progress { length: metadata.is_file().then_some(metadata.len()), ..Progress::default() };
        let counted = Counted { stream: file, position: Arc::clone(&progress.position) };
        let mut stream = BufReader::with_capacity(BUFFER, counted);
        let (kind, stream): (_, Box<dyn Read + Send>) = match Magic::of(stream.fill_buf()?) {
            Magic::Empty => return Err(FileErrorKind::Empty),
            Magic::Unknown => return Err(FileErrorKind::Unknown),
            Magic::Layout => return Self::bundles(path, name),
            Magic::Kind(kind) => (kind, Box::new(stream)),
            Magic::Gzip => {
                let mut inside = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(stream));
                let first = inside.fill_buf().map_err(|error| stream_error(error, "the compressed stream", 1))?;
                match Magic::of(first) {
                    Magic::Kind(kind) => (kind, Box::new(inside)),
                    Magic::Empty => return Err(FileErrorKind::Empty),
                    _ => return Err(FileErrorKind::Unknown),
                }
            }
        };
        let blocks = match kind {
            FileKind::Era1 => Blocks::Era1(Era1Blocks::new(stream)),
            _ => Blocks::Rlp(RlpBlocks::new(stream)),
        };
        Ok(Self { name: name.to_owned(), kind, progress, blocks, ended: false })
    }

    fn bundles(path: &Path, name: &str) -> Result<Self, FileErrorKind> {
        let blocks = Blocks::Bundles(layouts::open(path)?);
        Ok(Self { name: name.to_owned(), kind: FileKind::Bundles, progress: Progress::default(), blocks, ended: false })
    }

    /// Name of the file, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the file is.
    pub const fn kind(&self) -> FileKind {
        self.kind
    }

    /// How much was read.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

impl Iterator for BlockFile {
    type Item = Result<PlacedBlock, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let placed = |(offset, kind)| FileError::new(self.name.clone(), Some(offset), kind);
        let result = match &mut self.blocks {
            Blocks::Rlp(blocks) => blocks.next()?.map_err(placed),
            Blocks::Era1(blocks) => blocks.next()?.map_err(placed),
            Blocks::Bundles(bundles) => bundles
                .next()?
                .map(|named| PlacedBlock { block: named.bundle.block, offset: None })
                .map_err(|error| FileError::new(self.name.clone(), None, error)),
        };
        self.ended = result.is_err();
        Some(result)
    }
}

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Magic {
    Empty,
    Gzip,
    Kind(FileKind),
    /// Something that [`layouts`] knows: a bundle, JSON, zstd.
    Layout,
    Unknown,
}

impl Magic {
    fn of(first: &[u8]) -> Self {
        match first {
            [] => Self::Empty,
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x65, 0x32, 0, 0, 0, 0, 0, 0, ..] => Self::Kind(FileKind::Era1),
            [0x89, b'B', b'R', b'A', b'I', b'D', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'{', ..] => Self::Layout,
            [first, ..] if *first >= 0xc0 => Self::Kind(FileKind::Rlp),
            _ => Self::Unknown,
        }
    }
}

/// Counts the bytes that were read.
struct Counted<R> {
    stream: R,
    position: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
