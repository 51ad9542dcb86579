//! Reads a checkpoint of PyTorch or Hugging Face, in any of the usual files, without Python and without trusting it.

mod archive;
mod file;
pub(crate) mod folder;
mod legacy;
mod pickle;
mod safetensors;
mod tensor;
mod torch;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use file::{Map, WeightFile};
use folder::Index;
pub use tensor::{Dtype, TensorInfo};
use torch::Contents;
pub use value::Value;

use crate::{Error, Result};

/// The most values in a state dict. wav2vec2-base has about 210, and the largest of its kind about 1,000.
const MAX_NAMES: usize = 1 << 16;
/// The longest name of a tensor, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// The format of a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The zip file that `torch.save` writes since PyTorch 1.6.
    Zip,
    /// What `torch.save` wrote before.
    Legacy,
    /// A safetensors file.
    Safetensors,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zip => "PyTorch zip file",
            Self::Legacy => "PyTorch file of before 1.6",
            Self::Safetensors => "safetensors file",
        })
    }
}

/// A checkpoint, opened, with no tensor read yet.
///
/// | what | which |
/// |---|---|
/// | a file of `torch.save` | a state dict, or a dict that has one under `model_state_dict`, `state_dict` or `model`; the zip file of PyTorch 1.6 and later, or the format before |
/// | a safetensors file | of PyTorch's tensors |
/// | an index, `*.index.json` | of shards beside it, which are files of the two kinds above |
/// | a folder | the first of `model.safetensors`, `model.safetensors.index.json`, `pytorch_model.bin`, `pytorch_model.bin.index.json` in it, or else the only `*.pt`, `*.pth`, `*.ckpt` or `*.safetensors` |
///
/// The state of an optimiser or scheduler beside the state dict is passed over.
///
/// # Trust
///
/// The files may come from anywhere. Nothing in them is run: a pickle that names a function or class other than those of
/// tensors and plain values is refused, wherever in the file it does. (The settings objects of argparse, fairseq and
/// omegaconf are passed over: their names stand for nothing here.) Every size is checked before use, and each part of a
/// zip file read against its CRC-32 (unless PyTorch was told to leave them out); the other formats have no checksum. An
/// index can name files of its own folder only. The pickle may have 64 MiB and 4 Mi instructions, and takes at most 100
/// times its size and 400 MiB of memory, until [`open`](Self::open) returns; the header of a safetensors file may have
/// 8 MiB.
///
/// The files are memory-mapped. Nobody may change or truncate them while the `Checkpoint` lives: as with every mapped
/// file, the numbers read could then be anything, or the process be killed by the system.
pub struct Checkpoint {
    /// The file or index that was opened or found in the folder.
    path: PathBuf,
    files: Vec<WeightFile>,
    /// Each tensor, and in which of the files it is.
    tensors: BTreeMap<String, (usize, TensorInfo)>,
    epoch: Option<i64>,
    best_eer: Option<f64>,
    config: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// Opens a file, index or folder and checks the descriptions of all its tensors, but reads none.
    ///
    /// # Errors
    ///
    /// - [`Error::Read`] when a file can't be read.
    /// - [`Error::NoWeights`] when a folder has no weights, or several.
    /// - [`Error::Index`] or [`Error::MissingShard`] when an index isn't one, or contradicts its shards.
    /// - [`Error::NotCheckpoint`], [`Error::TarCheckpoint`], [`Error::TorchScript`] or [`Error::ByteOrder`] when it is of
    ///   another kind.
    /// - [`Error::Archive`] or [`Error::Damaged`] when it is truncated or damaged.
    /// - [`Error::RefusedGlobal`] when it names a function or class that weights don't need.
    /// - [`Error::Pickle`], [`Error::StateDict`], [`Error::Values`] or [`Error::InvalidTensor`] when its contents aren't
    ///   as expected.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let path = if path.is_dir() {
            folder::find(path)?
        } else {
            path.to_owned()
        };
        if Index::is_index(&path) {
            return Self::open_shards(&Index::read(&path)?);
        }
        let (file, contents) = open_file(&path)?;
        Ok(Self {
            path,
            files: vec![file],
            tensors: contents
                .tensors
                .into_iter()
                .map(|(name, tensor)| (name, (0, tensor)))
                .collect(),
            epoch: contents.epoch,
            best_eer: contents.best_eer,
            config: contents.config,
        })
    }

    /// Opens all shards, which have exactly one tensor of each name among them, those of the index included.
    fn open_shards(index: &Index) -> Result<Self> {
        let index_error = |detail| Error::Index {
            path: index.path().to_owned(),
            detail,
        };
        let mut files: Vec<WeightFile> = Vec::new();
        let mut shards = Vec::new();
        let mut tensors = BTreeMap::new();
        for shard in index.shards() {
            let path = index.path().with_file_name(shard);
            if !path.exists() {
                return Err(Error::MissingShard {
                    index: index.path().to_owned(),
                    shard: shard.to_owned(),
                });
            }
            let (file, contents) = open_file(&path)?;
            if files.first().is_some_and(|first| first.format() != file.format()) {
                return Err(index_error(format!(
                    "`{shard}` is of another format than the shards before"
                )));
            }
            for (name, tensor) in contents.tensors {
                if let Some((first, _)) = tensors.get(&name) {
                    let first: &str = shards[*first];
                    return Err(index_error(format!(
                        "tensor `{name}` is in both `{first}` and `{shard}`"
                    )));
                }
                tensors.insert(name, (files.len(), tensor));
            }
            files.push(file);
            shards.push(shard);
        }
        for (name, shard) in index.tensors() {
            if tensors.get(name).is_none_or(|&(file, _)| shards[file] != shard) {
                return Err(index_error(format!(
                    "it says that tensor `{name}` is in `{shard}`, which lacks it"
                )));
            }
        }
        Ok(Self {
            path: index.path().to_owned(),
            files,
            tensors,
            epoch: None,
            best_eer: None,
            config: BTreeMap::new(),
        })
    }

    /// The file or index that was opened; that of its weights, if a folder was. A `config.json` would be beside it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The index of its shards, if it has shards.
    #[must_use]
    pub fn index(&self) -> Option<&Path> {
        Index::is_index(&self.path).then_some(self.path.as_path())
    }

    /// The format of its files, which is one.
    #[must_use]
    pub fn format(&self) -> Format {
        // `open` leaves at least one file.
        self.files.first().map_or(Format::Zip, WeightFile::format)
    }

    /// The files of weights with their sizes in bytes: one, or the shards sorted by name.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.files.iter().map(|file| (file.path(), file.len() as u64))
    }

    /// The tensors of the state dict by name, sorted.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, (_, tensor))| (name.as_str(), tensor))
    }

    /// A tensor of the state dict, and its name as the checkpoint keeps it.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<(&str, &TensorInfo)> {
        self.tensors
            .get_key_value(name)
            .map(|(name, (_, tensor))| (name.as_str(), tensor))
    }

    /// The numbers of a tensor in row-major order, whatever their order in the file.
    ///
    /// `float16` and `bfloat16` become `f32` exactly, `float64` is rounded. The CRC-32 of the part of a zip file that they
    /// are in is checked when it is first read. The memory taken is that of the result: at most the larger of the
    /// tensor's storage and 2²⁴ elements (a tensor may repeat numbers of its storage), and at most 2³¹ elements.
    ///
    /// # Errors
    ///
    /// - [`Error::NoSuchTensor`] when there is none of that name.
    /// - [`Error::TensorType`] when its numbers aren't floating-point.
    /// - [`Error::Damaged`] when the file is damaged there.
    /// - [`Error::TensorMemory`] when there isn't enough memory.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let Some(&(file, ref tensor)) = self.tensors.get(name) else {
            return Err(Error::NoSuchTensor {
                path: self.path.clone(),
                name: name.to_owned(),
                count: self.tensors.len(),
            });
        };
        let file = &self.files[file];
        let bytes = file.bytes(tensor.part())?;
        let mut numbers = Vec::new();
        numbers
            .try_reserve_exact(tensor.elements())
            .map_err(|_| Error::TensorMemory {
                path: file.path().to_owned(),
                name: name.to_owned(),
                elements: tensor.elements(),
            })?;
        if !tensor.read(bytes, &mut numbers) {
            return Err(Error::TensorType {
                path: file.path().to_owned(),
                name: name.to_owned(),
                found: tensor.dtype,
            });
        }
        Ok(numbers)
    }

    /// The training epoch that the checkpoint is of, under `epoch`.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// The best equal error rate so far, a fraction, under `best_eer`.
    #[must_use]
    pub fn best_eer(&self) -> Option<f64> {
        self.best_eer
    }

    /// The training configuration, under `config`; empty when there is none.
    #[must_use]
    pub fn config(&self) -> &BTreeMap<String, Value> {
        &self.config
    }
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpoint")
            .field("path", &self.path)
            .field("files", &self.files.len())
            .field("tensors", &self.tensors.len())
            .field("epoch", &self.epoch)
            .field("best_eer", &self.best_eer)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Opens a file of weights in the format that its first bytes show.
fn open_file(path: &Path) -> Result<(WeightFile, Contents)> {
    let map = Map::open(path)?;
    let bytes = map.bytes();
    if bytes.starts_with(archive::MAGIC) {
        archive::read(map)
    } else if bytes.starts_with(legacy::MAGIC) {
        legacy::read(map)
    } else if safetensors::is_safetensors(bytes) {
        safetensors::read(map)
    } else if bytes.get(257..262) == Some(b"ustar") {
        Err(Error::TarCheckpoint { path: path.to_owned() })
    } else {
        Err(Error::NotCheckpoint {
            path: path.to_owned(),
            found: describe(bytes),
        })
    }
}

/// Names the kind of a file that is none of weights, from its first bytes.
fn describe(bytes: &[u8]) -> String {
    let starts_with = |magic: &[u8]| bytes.starts_with(magic);
    let kind = if starts_with(b"version https://git-lfs") {
        "a Git LFS pointer: fetch the file itself with `git lfs pull`"
    } else if starts_with(b"PK\x05\x06") {
        "an empty zip file"
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

/// Checks that a tensor's name can be shown. Says what is wrong otherwise.
fn check_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
        return Err(format!(
            "is longer than the {MAX_NAME_BYTES} bytes of a name, or has control characters"
        ));
    }
    Ok(())
}

/// A text that others wrote, for a message: short, and without control characters.
fn shown(text: &str) -> String {
    text.escape_debug().take(80).collect()
}
