//! Which files a checkpoint consists of: one, or the shards that an index lists.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};

use super::{MAX_NAMES, check_name, shown};
use crate::{Error, Result};

/// The weights of a folder, in the order looked for, which is that of `transformers`.
pub(crate) const WEIGHT_FILES: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];
/// How the name of any other file of weights ends. A folder may have one.
pub(crate) const WEIGHT_EXTENSIONS: [&str; 4] = ["pt", "pth", "ckpt", "safetensors"];
/// The most shards, each of which is mapped. The largest models anywhere have a few hundred.
const MAX_SHARDS: usize = 1024;
/// The largest index read, in bytes. That of a thousand tensors has 0.1 MB.
const MAX_INDEX_BYTES: u64 = 16 << 20;

/// Finds the weights of a folder: a file, or an index of several.
pub(crate) fn find(folder: &Path) -> Result<PathBuf> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    for name in WEIGHT_FILES {
        let path = folder.join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    let weights = only_weights(names.iter().map(String::as_str)).map_err(|found| Error::NoWeights {
        place: folder.display().to_string(),
        found,
    })?;
    Ok(folder.join(weights))
}

/// The one file among `names` that is of weights by its name. Says what there is otherwise.
pub(crate) fn only_weights<'a>(names: impl Iterator<Item = &'a str>) -> Result<&'a str, String> {
    let names: Vec<&str> = names.collect();
    let is_weights = |name: &&&str| {
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| WEIGHT_EXTENSIONS.contains(&extension)) && !name.starts_with('.')
    };
    let weights: Vec<&str> = names.iter().filter(is_weights).copied().collect();
    match weights.as_slice() {
        [] if names.is_empty() => Err("no file".to_owned()),
        [] => Err(listing(&names)),
        [name] => Ok(name),
        several => Err(format!("{}: give the one that is meant", listing(several))),
    }
}

/// The first few of a list of names.
fn listing(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let listed: Vec<String> = names.iter().take(SHOWN).map(|name| shown(name)).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    listed.join(", ") + more
}

/// The file in which each tensor of a sharded checkpoint is.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    /// The shard's name by the tensor's.
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Whether the file is an index, by its name.
    pub(crate) fn is_index(path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "json")
    }

    /// Reads an index. The names of its shards are those of files in its own folder.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let failed = |source| Error::Read {
            path: path.to_owned(),
            source,
        };
        let mut json = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_INDEX_BYTES + 1).read_to_end(&mut json).map_err(failed)?;
        let weight_map = weight_map(&json).map_err(|detail| Error::Index {
            path: path.to_owned(),
            detail,
        })?;
        Ok(Self {
            path: path.to_owned(),
            weight_map,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the shards, sorted.
    pub(crate) fn shards(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }

    /// Each tensor and its shard.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&str, &str)> {
        self.weight_map
            .iter()
            .map(|(name, shard)| (name.as_str(), shard.as_str()))
    }
}

/// The index's `weight_map`. Says what is wrong with it otherwise.
fn weight_map(json: &[u8]) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    struct Contents {
        weight_map: Pairs,
    }

    if json.len() as u64 > MAX_INDEX_BYTES {
        return Err(format!("it has more than the {MAX_INDEX_BYTES} bytes expected"));
    }
    let contents: Contents = serde_json::from_slice(json)
        .map_err(|error| format!("expected an index of shards, with `weight_map` from tensors to files: {error}"))?;
    let mut weight_map = BTreeMap::new();
    for (name, shard) in contents.weight_map.0 {
        check_name(&name).map_err(|detail| format!("its tensor `{}` {detail}", shown(&name)))?;
        if !is_plain_name(&shard) {
            return Err(format!(
                "tensor `{}` is in `{}`, expected the name of a file in the same folder",
                shown(&name),
                shown(&shard)
            ));
        }
        if weight_map.contains_key(&name) {
            return Err(format!("it lists tensor `{}` twice", shown(&name)));
        }
        weight_map.insert(name, shard);
    }
    let shards = weight_map.values().collect::<BTreeSet<_>>().len();
    if weight_map.is_empty() || weight_map.len() > MAX_NAMES || shards > MAX_SHARDS {
        return Err(format!(
            "it lists {} tensors in {shards} files, expected 1 to {MAX_NAMES} in at most {MAX_SHARDS}",
            weight_map.len()
        ));
    }
    Ok(weight_map)
}

/// Whether a name that others chose is that of a file, on any system, and leads to no other folder.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let is_separator = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    (1..=255).contains(&name.len()) && name != "." && name != ".." && !name.contains(is_separator)
}

/// The entries of a JSON object in their order, the same key twice included.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from names of tensors to names of files")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
