//! The zip file that `torch.save` of PyTorch 1.6 or later writes: its directory, and the pickle in it.
#![forbid(unsafe_code)]

use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use zip::{CompressionMethod, ZipArchive};

use super::Format;
use super::file::{Map, Part, WeightFile};
use super::pickle::{self, Pickle};
use super::torch::{self, Contents};
use crate::{Error, Result};

/// How a local header, and so the file, starts.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Reads a zip file of stored entries under one top-level folder, `FOLDER/data.pkl` among them.
///
/// Entries are named without the folder: `data.pkl`, `data/0`.
pub(super) fn read(map: Map) -> Result<(WeightFile, Contents)> {
    let parts = read_directory(map.path(), map.bytes())?;
    let file = WeightFile::new(map, Format::Zip, parts);
    check_byte_order(&file)?;
    let text = file.find("data.pkl").map(|entry| file.bytes(entry)).transpose()?;
    let text = text.unwrap_or_default();
    let part = "data.pkl";
    if text.len() > pickle::MAX_BYTES {
        return Err(Error::Pickle {
            path: file.path().to_owned(),
            part,
            offset: 0,
            detail: format!("it has {} bytes, expected at most {}", text.len(), pickle::MAX_BYTES),
        });
    }
    // Copied, because text must not change while it is read as such.
    let text = text.to_vec();
    let pickle = Pickle::read(&text).map_err(|failure| failure.into_error(file.path(), part, 0))?;
    let contents = torch::contents(&pickle, &file)?;
    Ok((file, contents))
}

/// PyTorch before 2.1 wrote no byte order, and little-endian in practice.
fn check_byte_order(file: &WeightFile) -> Result<()> {
    let Some(entry) = file.find("byteorder") else {
        return Ok(());
    };
    match file.bytes(entry)? {
        b"little" => Ok(()),
        other => Err(Error::ByteOrder {
            path: file.path().to_owned(),
            found: other
                .iter()
                .take(16)
                .flat_map(|byte| byte.escape_ascii())
                .map(char::from)
                .collect(),
        }),
    }
}

/// Reads the zip file's directory: the entries below the folder of `data.pkl`, all stored and within the file.
fn read_directory(path: &Path, map: &[u8]) -> Result<Vec<Part>> {
    let archive_error = |detail: String| Error::Archive {
        path: path.to_owned(),
        format: Format::Zip,
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
        entries.push(Part {
            name: name.to_owned(),
            range,
            crc32: Some(file.crc32()),
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
    if entries.iter().all(|entry| entry.crc32 == Some(0)) {
        for entry in &mut entries {
            entry.crc32 = None;
        }
    }
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
