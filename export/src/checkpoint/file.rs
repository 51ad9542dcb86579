//! A file of weights, memory-mapped, and the parts of it that hold numbers.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::Mmap;

use super::Format;
use crate::{Error, Result};

/// A whole file, mapped for reading.
pub(super) struct Map {
    path: PathBuf,
    bytes: Mmap,
}

impl Map {
    /// Maps a file, which is not empty.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let not_checkpoint = |found: &str| Error::NotCheckpoint {
            path: path.to_owned(),
            found: found.to_owned(),
        };
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            // Opening a pipe could wait forever.
            return Err(not_checkpoint("a folder, device or pipe"));
        }
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(not_checkpoint("an empty file"));
        }
        Ok(Self {
            path: path.to_owned(),
            bytes: map(&file).map_err(failed)?,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Maps the whole file for reading.
#[allow(
    unsafe_code,
    reason = "the operating system's own interface to a large file, without a copy"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only, and private to `Map`. Its one requirement, that nobody changes or truncates the
    // file meanwhile, can't be enforced and is documented at `Checkpoint`.
    unsafe { Mmap::map(file) }
}

/// A mapped file and its parts, which lie within it and do not overlap.
pub(super) struct WeightFile {
    map: Map,
    format: Format,
    /// Sorted by name.
    parts: Vec<Part>,
}

/// A part of the file that it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartId(usize);

/// A range of a file's bytes with a name: an entry of a zip file, a storage, or a tensor.
pub(super) struct Part {
    pub(super) name: String,
    /// Where it is in the file, and not beyond.
    pub(super) range: Range<usize>,
    /// What the bytes' CRC-32 should be, if the file says so.
    pub(super) crc32: Option<u32>,
    /// Whether the bytes have been found to have this CRC-32.
    pub(super) verified: AtomicBool,
}

impl Part {
    /// A part without a checksum.
    pub(super) fn new(name: String, range: Range<usize>) -> Self {
        Self {
            name,
            range,
            crc32: None,
            verified: AtomicBool::new(false),
        }
    }
}

impl WeightFile {
    pub(super) fn new(map: Map, format: Format, mut parts: Vec<Part>) -> Self {
        parts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self { map, format, parts }
    }

    pub(super) fn path(&self) -> &Path {
        &self.map.path
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The size of the whole file in bytes.
    pub(super) fn len(&self) -> usize {
        self.map.bytes.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<PartId> {
        let index = self.parts.binary_search_by(|part| part.name.as_str().cmp(name));
        index.ok().map(PartId)
    }

    /// The size of a part in bytes.
    pub(super) fn size(&self, part: PartId) -> usize {
        self.parts[part.0].range.len()
    }

    /// The bytes of a part. Their CRC-32 is checked on the first call, if there is one.
    pub(super) fn bytes(&self, part: PartId) -> Result<&[u8]> {
        let part = &self.parts[part.0];
        let bytes = &self.map.bytes[part.range.clone()];
        if let Some(expected) = part.crc32
            && !part.verified.load(Ordering::Relaxed)
        {
            let found = crc32fast::hash(bytes);
            if found != expected {
                return Err(Error::Damaged {
                    path: self.path().to_owned(),
                    entry: part.name.clone(),
                    expected,
                    found,
                });
            }
            part.verified.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }
}
