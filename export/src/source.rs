//! Which file a model was made from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The name and hash of a checkpoint, written into the model so that it can be traced.
pub(crate) struct Source {
    /// The file's name without its folder, which is nobody else's business.
    pub(crate) name: String,
    /// SHA-256 of the whole file, in lower-case hexadecimal.
    pub(crate) sha256: String,
}

impl Source {
    /// Hashes the file. `progress` is told the bytes of each part read.
    pub(crate) fn read(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        Ok(Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: hash(path, progress)?,
        })
    }
}

/// The SHA-256 of a file.
pub(crate) fn hash(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<String> {
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
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The file's size in bytes.
pub(crate) fn file_len(path: &Path) -> Result<u64> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(metadata.len())
}
