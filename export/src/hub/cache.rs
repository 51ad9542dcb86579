//! The cache's folders, which are those of Python's `huggingface_hub`.
//!
//! ```text
//! models--OWNER--NAME/
//!   blobs/ETAG                 a file's bytes
//!   blobs/ETAG.incomplete      what an unfinished download has of them
//!   refs/REVISION              the commit that a branch or tag was at
//!   snapshots/COMMIT/NAME      a link to the file's bytes
//! ```

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Repository, is_commit};
use crate::checkpoint::folder::{self, Index};
use crate::{Error, Result};

/// The cache of one repository.
pub(super) struct Cache {
    folder: PathBuf,
}

/// An error about a path in the cache.
fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::HubCache {
        path: path.clone(),
        source,
    }
}

impl Cache {
    pub(super) fn new(cache: &Path, id: &str) -> Self {
        Self {
            folder: cache.join(format!("models--{}", id.replace('/', "--"))),
        }
    }

    /// The folder of a commit's files.
    pub(super) fn folder(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// What [`Fetch`](super::Fetch) would give, without asking the hub, if all weights are there.
    pub(super) fn snapshot(&self, repository: &Repository) -> Result<PathBuf> {
        let not_cached = |path: &Path, detail: String| Error::HubOffline {
            repository: repository.to_string(),
            path: path.to_owned(),
            detail,
        };
        let commit = if is_commit(&repository.revision) {
            repository.revision.clone()
        } else {
            let path = self.folder.join("refs").join(&repository.revision);
            let text = std::fs::read_to_string(&path).map_err(|error| not_cached(&path, error.to_string()))?;
            text.trim().to_owned()
        };
        if !is_commit(&commit) {
            return Err(not_cached(&self.folder, "the revision's commit is damaged".to_owned()));
        }
        let snapshot = self.folder(&commit);
        if !snapshot.is_dir() {
            return Err(not_cached(&snapshot, "there is no such folder".to_owned()));
        }
        let weights = match &repository.file {
            Some(file) => snapshot.join(file),
            None => folder::find(&snapshot).map_err(|error| not_cached(&snapshot, error.to_string()))?,
        };
        if !weights.is_file() {
            return Err(not_cached(&weights, "there is no such file".to_owned()));
        }
        if Index::is_index(&weights) {
            let index = Index::read(&weights)?;
            if let Some(missing) = index.shards().into_iter().find(|shard| !snapshot.join(shard).is_file()) {
                return Err(not_cached(&snapshot, format!("`{missing}` is missing")));
            }
        }
        Ok(repository.within(snapshot))
    }

    /// Notes the commit that a branch or tag is at.
    pub(super) fn write_ref(&self, revision: &str, commit: &str) -> Result<()> {
        let path = self.folder.join("refs").join(revision);
        create_parent(&path)?;
        appear(&path, |part| std::fs::write(part, commit))
    }

    /// The bytes with this `ETag`, which is a plain name.
    pub(super) fn blob(&self, etag: &str) -> Result<Blob> {
        let path = self.folder.join("blobs").join(etag);
        create_parent(&path)?;
        let is_sha256 = etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit());
        Ok(Blob {
            path,
            sha256: is_sha256.then(|| etag.to_lowercase()),
        })
    }
}

fn create_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(parent) => std::fs::create_dir_all(parent).map_err(failed(parent)),
        None => Ok(()),
    }
}

/// Has a file written under another name, and moves it into place.
fn appear(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let part = path.with_added_extension("incomplete");
    let written = write(&part).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| {
        // It is of no use, and in the way on a full disk.
        let _ = std::fs::remove_file(&part);
        failed(path)(error)
    })
}

/// A file's bytes in the cache, there or not.
pub(super) struct Blob {
    path: PathBuf,
    /// Their SHA-256, which is the `ETag` of large files.
    sha256: Option<String>,
}

impl Blob {
    pub(super) fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Makes the bytes a file of the snapshot.
    pub(super) fn link(&self, path: &Path) -> Result<()> {
        create_parent(path)?;
        // A link to bytes that are gone would be in the way.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(path)(error)),
            _ => {}
        }
        let name = self.path.file_name().unwrap_or_default();
        let relative = Path::new("../../blobs").join(name);
        match symlink(&relative, path) {
            Ok(()) => Ok(()),
            // A file system without links.
            Err(_) => appear(path, |part| std::fs::copy(&self.path, part).map(drop)),
        }
    }

    /// Opens what there is of the bytes, for this process alone.
    pub(super) fn open_part(&self) -> Result<Part> {
        let mut path = self.path.clone().into_os_string();
        path.push(".incomplete");
        let path = PathBuf::from(path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed(&path))?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => failed(&path)(std::io::Error::new(
                std::io::ErrorKind::ResourceBusy,
                "another process is downloading it; wait for that one",
            )),
            std::fs::TryLockError::Error(error) => failed(&path)(error),
        })?;
        let mut part = Part {
            file,
            path,
            len: 0,
            hasher: Sha256::new(),
        };
        part.read_again()?;
        Ok(part)
    }
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// The first bytes of a file that is being downloaded.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    len: u64,
    hasher: Sha256,
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Hashes what an earlier download left.
    fn read_again(&mut self) -> Result<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let len = self.file.read(&mut buffer).map_err(failed(&self.path))?;
            if len == 0 {
                return Ok(());
            }
            self.hasher.update(&buffer[..len]);
            self.len += len as u64;
        }
    }

    pub(super) fn restart(&mut self) -> Result<()> {
        let emptied = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        emptied.map_err(failed(&self.path))?;
        self.len = 0;
        self.hasher = Sha256::new();
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(failed(&self.path))?;
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(failed(&self.path))
    }

    /// Checks the bytes, all of which are there, and gives them their name.
    pub(super) fn finish(mut self, blob: &Blob) -> Result<()> {
        let hasher = std::mem::take(&mut self.hasher);
        let found: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(expected) = blob.sha256.as_ref().filter(|expected| **expected != found) {
            let path = self.path.clone();
            self.remove()?;
            return Err(Error::HubChecksum {
                path,
                expected: expected.clone(),
                found,
            });
        }
        self.file.sync_all().map_err(failed(&self.path))?;
        std::fs::rename(&self.path, &blob.path).map_err(failed(&blob.path))
    }
}
