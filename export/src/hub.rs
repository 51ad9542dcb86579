//! Fetches a model's files from the Hugging Face Hub into the cache that Python's `huggingface_hub` uses too.
//!
//! ```no_run
//! use bonafide_export::hub::{Hub, Repository};
//!
//! let repository: Repository = "hf://Sara1708/deepfake-audio-wav2vec2".parse()?;
//! let folder = Hub::from_env().fetch(&repository, &mut |_| {})?;
//! # Ok::<(), bonafide_export::Error>(())
//! ```
//!
//! Only what an export needs is fetched: `config.json`, `preprocessor_config.json` or `processor_config.json`, and the
//! weights that [`Checkpoint::open`](crate::checkpoint::Checkpoint::open) would choose in a folder.
#![forbid(unsafe_code)]

mod cache;
mod http;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use cache::{Blob, Cache};
use http::{Client, Location};
use serde::Deserialize;

use crate::checkpoint::folder::{Index, WEIGHT_FILES, is_plain_name, only_weights};
use crate::{Error, Result};

/// How a source on the hub starts.
pub const SCHEME: &str = "hf://";
/// What the weights need beside them, where the repository has it.
const CONFIG_FILES: [&str; 3] = ["config.json", "preprocessor_config.json", "processor_config.json"];
/// The branch that is meant if none is named.
const DEFAULT_REVISION: &str = "main";
/// The most bytes of a file of weights, and of any other. The largest wav2vec2 there is has 9 GB.
const MAX_WEIGHT_BYTES: u64 = 64 << 30;
const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// A model on the hub: `hf://OWNER/NAME[@REVISION][/FILE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `OWNER/NAME`, or just `NAME` for a few old models.
    id: String,
    revision: String,
    /// The weights that are meant, of several.
    file: Option<String>,
}

impl FromStr for Repository {
    type Err = Error;

    /// Parses `hf://OWNER/NAME[@REVISION][/FILE]`, as Python's `huggingface_hub` does.
    ///
    /// A revision is a branch, a tag, or a commit; a slash in it is written `%2F`, but for `refs/pr/NUMBER`. A file is one
    /// at the top of the repository.
    fn from_str(source: &str) -> Result<Self> {
        let parse = || {
            let rest = source.strip_prefix(SCHEME)?;
            let (id, revision, file) = match rest.split_once('@') {
                Some((id, rest)) => {
                    let slashes = if rest.starts_with("refs/") { 3 } else { 1 };
                    let end = rest.match_indices('/').nth(slashes - 1).map(|(end, _)| end);
                    let (revision, file) = rest.split_at(end.unwrap_or(rest.len()));
                    (id, revision.replace("%2F", "/"), file.strip_prefix('/'))
                }
                None => {
                    let end = rest.match_indices('/').nth(1).map(|(end, _)| end);
                    let (id, file) = rest.split_at(end.unwrap_or(rest.len()));
                    (id, DEFAULT_REVISION.to_owned(), file.strip_prefix('/'))
                }
            };
            let names: Vec<&str> = id.split('/').collect();
            let is_name = |name: &&str| {
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                is_plain_name(name) && name.chars().all(allowed) && !name.contains("--")
            };
            let valid = names.len() <= 2
                && names.iter().all(is_name)
                && is_revision(&revision)
                && file.is_none_or(is_plain_name);
            valid.then(|| Self {
                id: id.to_owned(),
                revision,
                file: file.map(str::to_owned),
            })
        };
        parse().ok_or_else(|| Error::HubName {
            found: source.to_owned(),
        })
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.id, self.revision)?;
        match &self.file {
            Some(file) => write!(f, "/{file}"),
            None => Ok(()),
        }
    }
}

impl Repository {
    /// What was asked for in the folder of a revision: the folder, or the file.
    fn within(&self, folder: PathBuf) -> PathBuf {
        match &self.file {
            Some(file) => folder.join(file),
            None => folder,
        }
    }
}

/// Whether a revision can be a path in the cache, as it is for Python: `refs/pr/1` has three parts.
fn is_revision(revision: &str) -> bool {
    revision.split('/').all(is_plain_name)
}

/// Whether a name is the full hash of a commit.
fn is_commit(name: &str) -> bool {
    name.len() == 40 && name.chars().all(|c| c.is_ascii_hexdigit())
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Bytes there, those of an earlier run included.
    pub done: u64,
    /// All its bytes, if the server said.
    pub total: Option<u64>,
}

/// Where to fetch from, and where to keep what was fetched.
#[derive(Clone)]
#[non_exhaustive]
pub struct Hub {
    /// The server, such as `https://huggingface.co`.
    pub endpoint: String,
    /// The folder with `models--OWNER--NAME` folders.
    pub cache: PathBuf,
    /// What private and gated models ask for. It is sent to the endpoint only, never to where that redirects.
    pub token: Option<String>,
    /// Whether only the cache may be used.
    pub offline: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long to wait for the next bytes.
    pub stall_timeout: Duration,
}

impl Hub {
    /// As the variables of Python's `huggingface_hub` say.
    ///
    /// | variable | what | default |
    /// |---|---|---|
    /// | `HF_ENDPOINT` | the server | `https://huggingface.co` |
    /// | `HF_TOKEN` | the token | the contents of `HF_TOKEN_PATH`, or of `token` in `HF_HOME`; or none |
    /// | `HF_HUB_CACHE` | the cache | `hub` in `HF_HOME` |
    /// | `HF_HOME` | the folder of both | `huggingface` in `XDG_CACHE_HOME`, or in `~/.cache` |
    /// | `HF_HUB_OFFLINE` | `1`: the cache only | `0` |
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(
            &|name| std::env::var(name).ok(),
            &std::env::home_dir().unwrap_or_default(),
        )
    }

    /// As the variables say that `get` looks up. An empty one counts as none.
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>, home: &Path) -> Self {
        let text = |name: &str| {
            get(name)
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let path = |name: &str| {
            text(name).map(|value| match value.strip_prefix("~/") {
                Some(rest) => home.join(rest),
                None => PathBuf::from(value),
            })
        };
        let hf_home = path("HF_HOME").unwrap_or_else(|| {
            let caches = path("XDG_CACHE_HOME").unwrap_or_else(|| home.join(".cache"));
            caches.join("huggingface")
        });
        let token_file = path("HF_TOKEN_PATH").unwrap_or_else(|| hf_home.join("token"));
        let from_file = || {
            let token = std::fs::read_to_string(token_file).ok()?;
            Some(token.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let is_true = |value: String| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str());
        Self {
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned()),
            cache: path("HF_HUB_CACHE").unwrap_or_else(|| hf_home.join("hub")),
            token: text("HF_TOKEN").or_else(from_file),
            offline: text("HF_HUB_OFFLINE").is_some_and(is_true),
            connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
        }
    }

    /// Fetches what is not in the cache yet, and gives the folder with the files, or the file that was named. `progress` is told of every part.
    ///
    /// A download that breaks off is kept and continued by the next call. The SHA-256 of weights is checked against the
    /// one that the hub states; small files, of which it states none, have their length checked.
    ///
    /// # Errors
    ///
    /// - [`Error::HubAccess`], [`Error::HubNotFound`] or [`Error::HubStatus`] when the hub refuses.
    /// - [`Error::HubConnection`] when it can't be reached, and [`Error::HubInterrupted`] when a download breaks off.
    /// - [`Error::HubChecksum`] when a file is not what it should be; it is then removed.
    /// - [`Error::HubAnswer`] when the answer makes no sense or is too large.
    /// - [`Error::HubOffline`] when only the cache may be used, and lacks the model.
    /// - [`Error::HubCache`] when the cache can't be written.
    /// - [`Error::NoWeights`], [`Error::Index`] or [`Error::MissingShard`] when the repository has no weights to choose.
    pub fn fetch(&self, repository: &Repository, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf> {
        let cache = Cache::new(&self.cache, &repository.id);
        if self.offline {
            return cache.snapshot(repository);
        }
        let client = Client::new(self)?;
        let listing = client.list(repository)?;
        let fetch = Fetch {
            client,
            cache,
            repository,
            commit: &listing.sha,
            names: listing.siblings.iter().map(|file| file.rfilename.as_str()).collect(),
        };
        let folder = fetch.files(progress)?;
        if !is_commit(&repository.revision) {
            fetch.cache.write_ref(&repository.revision, &listing.sha)?;
        }
        Ok(folder)
    }
}

impl std::fmt::Debug for Hub {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache", &self.cache)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

/// What the hub says of a revision.
#[derive(Deserialize)]
struct Listing {
    /// The commit.
    sha: String,
    siblings: Vec<Sibling>,
}

/// A file of the repository.
#[derive(Deserialize)]
struct Sibling {
    /// Its path.
    rfilename: String,
}

/// One revision's download.
struct Fetch<'a> {
    client: Client,
    cache: Cache,
    repository: &'a Repository,
    commit: &'a str,
    /// The paths of the repository's files.
    names: Vec<&'a str>,
}

impl Fetch<'_> {
    fn files(&self, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf> {
        for name in CONFIG_FILES {
            if self.names.contains(&name) {
                self.file(name, MAX_CONFIG_BYTES, progress)?;
            }
        }
        let weights = self.weights()?;
        let folder = self.cache.folder(self.commit);
        if Index::is_index(Path::new(weights)) {
            let index_path = self.file(weights, MAX_CONFIG_BYTES, progress)?;
            for shard in Index::read(&index_path)?.shards() {
                if !self.names.contains(&shard) {
                    return Err(Error::MissingShard {
                        index: index_path,
                        shard: shard.to_owned(),
                    });
                }
                self.file(shard, MAX_WEIGHT_BYTES, progress)?;
            }
        } else {
            self.file(weights, MAX_WEIGHT_BYTES, progress)?;
        }
        Ok(self.repository.within(folder))
    }

    /// The weights that are meant: a file, or an index of several.
    fn weights(&self) -> Result<&str> {
        if let Some(file) = &self.repository.file {
            return match self.names.contains(&file.as_str()) {
                true => Ok(file),
                false => Err(Error::HubNotFound {
                    what: format!("file `{file}` among those of {}", self.repository),
                    url: self.client.listing_url(self.repository),
                }),
            };
        }
        match WEIGHT_FILES.into_iter().find(|name| self.names.contains(name)) {
            Some(name) => Ok(name),
            None => {
                let top_level = self.names.iter().copied().filter(|name| is_plain_name(name));
                only_weights(top_level).map_err(|found| Error::NoWeights {
                    place: self.repository.to_string(),
                    found,
                })
            }
        }
    }

    /// Makes sure that a file is in the cache, and gives its path there.
    fn file(&self, name: &str, max_bytes: u64, progress: &mut dyn FnMut(Download<'_>)) -> Result<PathBuf> {
        let path = self.cache.folder(self.commit).join(name);
        if path.is_file() {
            return Ok(path);
        }
        let location = Location {
            repository: self.repository,
            commit: self.commit,
            name,
        };
        let described = self.client.describe(&location)?;
        if let Some(bytes) = described.size.filter(|&bytes| bytes > max_bytes) {
            return Err(Error::HubAnswer {
                url: self.client.url(&location),
                detail: format!("the file has {bytes} bytes, expected at most {max_bytes}"),
            });
        }
        let blob = self.cache.blob(&described.etag)?;
        if !blob.exists() {
            self.download(&location, &blob, described.size, max_bytes, progress)?;
        }
        blob.link(&path)?;
        Ok(path)
    }

    /// Downloads a file, from where an earlier download ended.
    fn download(
        &self,
        location: &Location<'_>,
        blob: &Blob,
        total: Option<u64>,
        max_bytes: u64,
        progress: &mut dyn FnMut(Download<'_>),
    ) -> Result<()> {
        let mut part = blob.open_part()?;
        let mut report = |done| {
            progress(Download {
                file: location.name,
                done,
                total,
            });
        };
        // Of a file whose size isn't known, what there is may be all of it, which no server continues.
        if total.is_none_or(|total| part.len() > total) {
            part.restart()?;
        }
        report(part.len());
        if total != Some(part.len()) {
            let (mut body, start) = self.client.get(location, part.len())?;
            if start != part.len() {
                part.restart()?;
            }
            let interrupted = |done, detail: String| Error::HubInterrupted {
                url: self.client.url(location),
                done,
                total,
                detail,
            };
            let mut buffer = vec![0; 1 << 16];
            loop {
                let len = body
                    .read(&mut buffer)
                    .map_err(|error| interrupted(part.len(), http::explain(&error)))?;
                if len == 0 {
                    break;
                }
                part.write(&buffer[..len])?;
                report(part.len());
                if part.len() > total.unwrap_or(max_bytes) {
                    let bytes = part.len();
                    part.remove()?;
                    return Err(Error::HubAnswer {
                        url: self.client.url(location),
                        detail: format!("{bytes} bytes and more came, expected {}", total.unwrap_or(max_bytes)),
                    });
                }
            }
            if total.is_some_and(|total| part.len() < total) {
                return Err(interrupted(part.len(), "the server closed the connection".to_owned()));
            }
        }
        part.finish(blob)
    }
}
