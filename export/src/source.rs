//! Which files a model was made from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;
use crate::{Error, Result};

/// The name and hash of a checkpoint, written into the model so that it can be traced.
pub(crate) struct Source {
    /// The name of the file, or of the index of several, without its folder, which is nobody else's business.
    pub(crate) name: String,
    /// SHA-256 in lower-case hexadecimal: of the one file's bytes; or, of an index and its shards, of the lines that
    /// `sha256sum` prints for them (hash, two spaces, name, line feed), sorted by name.
    pub(crate) sha256: String,
}

impl Source {
    /// Hashes all files of the checkpoint. `progress` is told the bytes of each part read.
    pub(crate) fn read(checkpoint: &Checkpoint, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let index = checkpoint.index();
        let mut hashes = Vec::new();
        for path in index.into_iter().chain(checkpoint.files().map(|(path, _)| path)) {
            hashes.push((name(path), hash(path, progress)?));
        }
        hashes.sort_unstable();
        let sha256 = match hashes.as_slice() {
            [(_, sha256)] => sha256.clone(),
            several => {
                let lines: String = several.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect();
                hex(&Sha256::digest(lines))
            }
        };
        Ok(Self {
            name: name(checkpoint.path()),
            sha256,
        })
    }
}

/// The SHA-256 of a file.
fn hash(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<String> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut part = vec![0; 1 << 20];
    loop {
        let len = file.read(&mut part).map_err(failed)?;
        if len == 0 {
            break;
        }
        hasher.update(&part[..len]);
        progress(len as u64);
    }
    Ok(hex(&hasher.finalize()))
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The size in bytes of all the checkpoint's files that are hashed.
pub(crate) fn total_bytes(checkpoint: &Checkpoint) -> Result<u64> {
    let index = match checkpoint.index() {
        Some(path) => std::fs::metadata(path)
            .map_err(|source| Error::Read {
                path: path.to_owned(),
                source,
            })?
            .len(),
        None => 0,
    };
    Ok(index + checkpoint.files().map(|(_, bytes)| bytes).sum::<u64>())
}
