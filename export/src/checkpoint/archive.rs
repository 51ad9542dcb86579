//! The zip file, memory-mapped: its directory, and the bytes of its entries.

use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::Mmap;
use zip::{CompressionMethod, ZipArchive};

use crate::{Error, Result};

/// How a local header, and so the zip file that `torch.save` writes, starts.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";
/// How `torch.save` starts a file in the format before 1.6: a pickle of this magic number.
const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// A zip file of stored entries under one top-level folder, `FOLDER/data.pkl` among them.
///
/// Entries are named without the folder: `data.pkl`, `data/0`.
pub(super) struct Archive {
    path: PathBuf,
    map: Mmap,
    /// Sorted by name.
    entries: Vec<Entry>,
}

/// An entry of the archive that it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryId(usize);

struct Entry {
    name: String,
    /// Where it is in the file, and not beyond.
    range: Range<usize>,
    crc32: u32,
    /// Whether the bytes have been found to have this CRC-32, or there is none.
    verified: AtomicBool,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let not_checkpoint = |found: &str| Error::NotCheckpoint {
            path: path.to_owned(),
            found: found.to_owned(),
        };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Err(not_checkpoint("a folder: give the file in it"));
        }
        if !metadata.is_file() {
            // Opening a pipe could wait forever.
            return Err(not_checkpoint("a device or pipe"));
        }
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(not_checkpoint("an empty file"));
        }
        let map = map(&file).map_err(failed)?;
        if !map.starts_with(ZIP_MAGIC) {
            return Err(if is_legacy(&map) {
                Error::LegacyCheckpoint { path: path.to_owned() }
            } else {
                not_checkpoint(&describe(&map))
            });
        }
        Ok(Self {
            entries: read_directory(path, &map)?,
            path: path.to_owned(),
            map,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn find(&self, name: &str) -> Option<EntryId> {
        let index = self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name));
        index.ok().map(EntryId)
    }

    /// The size of an entry in bytes.
    pub(super) fn size(&self, entry: EntryId) -> usize {
        self.entries[entry.0].range.len()
    }

    /// The bytes of an entry. Their CRC-32 is checked on the first call.
    pub(super) fn bytes(&self, entry: EntryId) -> Result<&[u8]> {
        let entry = &self.entries[entry.0];
        let bytes = &self.map[entry.range.clone()];
        if !entry.verified.load(Ordering::Relaxed) {
            let found = crc32fast::hash(bytes);
            if found != entry.crc32 {
                return Err(Error::Damaged {
                    path: self.path.clone(),
                    entry: entry.name.clone(),
                    expected: entry.crc32,
                    found,
                });
            }
            entry.verified.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }
}

/// Maps the whole file for reading.
#[allow(
    unsafe_code,
    reason = "the operating system's own interface to a large file, without a copy"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only, and private to `Archive`. Its one requirement, that nobody changes or truncates the
    // file meanwhile, can't be enforced and is documented at `Checkpoint`.
    unsafe { Mmap::map(file) }
}

/// Reads the zip file's directory: the entries below the folder of `data.pkl`, all stored and within the file.
fn read_directory(path: &Path, map: &[u8]) -> Result<Vec<Entry>> {
    let archive_error = |detail: String| Error::Archive {
        path: path.to_owned(),
        detail,
    };
    let mut zip =
        ZipArchive::new(Cursor::new(map)).map_err(|error| archive_error(format!("{error} (is it truncated?)")))?;
    if zip.has_duplicate_names() {
        return Err(archive_error("two entries have the same name".to_owned()));
    }
    let names: Vec<String> = zip
        .file_names_raw()
        .map(|name| str::from_utf8(name).map(str::to_owned))
        .collect::<Result<_, _>>()
        .map_err(|_| archive_error("the name of an entry is not UTF-8".to_owned()))?;
    let folder = find_folder(path, &names)?;

    let mut entries = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let Some(name) = name.strip_prefix(&folder).filter(|name| !name.ends_with('/')) else {
            continue;
        };
        let file = zip
            .by_index_raw(index)
            .map_err(|error| archive_error(format!("entry `{name}`: {error}")))?;
        if file.encrypted() || file.compression() != CompressionMethod::Stored {
            return Err(archive_error(format!(
                "entry `{name}` is compressed or encrypted, which `torch.save` never does (was the checkpoint zipped \
                 again?)"
            )));
        }
        let range = (|| {
            let start = usize::try_from(file.data_start()?).ok()?;
            let end = start.checked_add(usize::try_from(file.size()).ok()?)?;
            (file.size() == file.compressed_size() && end <= map.len()).then_some(start..end)
        })();
        let Some(range) = range else {
            return Err(archive_error(format!(
                "entry `{name}` of {} bytes does not fit in the file of {}",
                file.size(),
                map.len()
            )));
        };
        entries.push(Entry {
            name: name.to_owned(),
            range,
            crc32: file.crc32(),
            verified: AtomicBool::new(false),
        });
    }

    // Each byte belongs to one entry, so that what can be read is bounded by the size of the file.
    entries.sort_unstable_by_key(|entry| (entry.range.start, entry.range.end));
    if let Some([entry, next]) = entries
        .array_windows()
        .find(|[entry, next]| next.range.start < entry.range.end)
    {
        return Err(archive_error(format!(
            "entries `{}` and `{}` overlap",
            entry.name, next.name
        )));
    }
    // After `torch.serialization.set_crc32_options(False)`, `torch.save` states 0 for every entry.
    if entries.iter().all(|entry| entry.crc32 == 0) {
        for entry in &mut entries {
            *entry.verified.get_mut() = true;
        }
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The one top-level folder that has a `data.pkl`, with its slash.
fn find_folder(path: &Path, names: &[String]) -> Result<String> {
    let not_checkpoint = |found: String| Error::NotCheckpoint {
        path: path.to_owned(),
        found,
    };
    let mut folders = names.iter().filter_map(|name| match name.split_once('/') {
        Some((folder, "data.pkl")) => Some(folder),
        _ => None,
    });
    let Some(folder) = folders.next().map(|folder| format!("{folder}/")) else {
        let example = names.first().map_or("nothing", String::as_str);
        return Err(not_checkpoint(format!(
            "a zip file without `FOLDER/data.pkl`, but with `{example}`"
        )));
    };
    if folders.next().is_some() {
        return Err(not_checkpoint("a zip file with several `FOLDER/data.pkl`".to_owned()));
    }
    let is_program = |name: &str| name == "constants.pkl" || name.starts_with("code/");
    if names
        .iter()
        .filter_map(|name| name.strip_prefix(&folder))
        .any(is_program)
    {
        return Err(Error::TorchScript { path: path.to_owned() });
    }
    Ok(folder)
}

fn is_legacy(bytes: &[u8]) -> bool {
    // Before 0.1.10 it was a tar file.
    bytes.starts_with(LEGACY_MAGIC) || bytes.get(257..262) == Some(b"ustar")
}

/// Names the kind of a file that isn't a zip file, from its first bytes.
fn describe(bytes: &[u8]) -> String {
    let starts_with = |magic: &[u8]| bytes.starts_with(magic);
    let kind = if starts_with(b"version https://git-lfs") {
        "a Git LFS pointer: fetch the file itself with `git lfs pull`"
    } else if bytes.get(8) == Some(&b'{') && bytes.get(5..8) == Some(&[0; 3]) {
        "a safetensors file"
    } else if starts_with(b"\x80") {
        "a bare pickle"
    } else if starts_with(b"\x1f\x8b") {
        "a gzip file: unpack it"
    } else if starts_with(b"\x93NUMPY") {
        "a NumPy array"
    } else if starts_with(b"\x89HDF") {
        "an HDF5 file"
    } else if starts_with(b"<") {
        "HTML or XML, such as the page of a failed download"
    } else {
        let head: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        return format!("a file that starts with bytes {}", head.join(" "));
    };
    kind.to_owned()
}
