//! Reads a checkpoint that `torch.save` wrote, without Python and without trusting it.

mod archive;
mod pickle;
mod tensor;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use archive::Archive;
use pickle::{Failure, Id, Node, Pickle};
pub use tensor::{Dtype, TensorInfo};
pub use value::Value;

use crate::{Error, Result};

/// The most values in a state dict. wav2vec2-base has about 210, and the largest of its kind about 1,000.
const MAX_NAMES: usize = 1 << 16;
/// The longest name of a tensor, in bytes.
const MAX_NAME_BYTES: usize = 512;
/// Where a training script keeps the state dict, in the order looked for.
const STATE_DICT_KEYS: [&str; 3] = ["model_state_dict", "state_dict", "model"];

/// A PyTorch checkpoint, opened, with no tensor read yet.
///
/// It is the zip file that `torch.save` of PyTorch 1.6 or later writes: of a state dict, or of a dict that has one under
/// `model_state_dict`, `state_dict` or `model`. The state of an optimiser or scheduler beside it is passed over.
///
/// # Trust
///
/// The file may come from anywhere. Nothing in it is run: a pickle that names a function or class other than those of
/// tensors and plain values is refused, wherever in the file it does. Every size is checked before use, and each part
/// read against its CRC-32 (unless PyTorch was told to leave them out). The pickle may have 64 MiB and 4 Mi
/// instructions, and takes at most 100 times its size and 400 MiB of memory, until [`open`](Self::open) returns.
///
/// The file is memory-mapped. Nobody may change or truncate it while the `Checkpoint` lives: as with every mapped
/// file, the numbers read could then be anything, or the process be killed by the system.
pub struct Checkpoint {
    archive: Archive,
    tensors: BTreeMap<String, TensorInfo>,
    epoch: Option<i64>,
    best_eer: Option<f64>,
    config: BTreeMap<String, Value>,
}

impl Checkpoint {
    /// Opens a checkpoint and checks the descriptions of all its tensors, but reads none.
    ///
    /// # Errors
    ///
    /// - [`Error::Read`] when the file can't be read.
    /// - [`Error::NotCheckpoint`], [`Error::LegacyCheckpoint`], [`Error::TorchScript`] or [`Error::ByteOrder`] when it is
    ///   of another kind.
    /// - [`Error::Archive`] or [`Error::Damaged`] when it is truncated or damaged.
    /// - [`Error::RefusedGlobal`] when it names a function or class that weights don't need.
    /// - [`Error::Pickle`], [`Error::StateDict`], [`Error::Values`] or [`Error::InvalidTensor`] when its contents aren't
    ///   as expected.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let archive = Archive::open(path)?;
        check_byte_order(&archive)?;
        let text = archive.find("data.pkl").map(|entry| archive.bytes(entry)).transpose()?;
        let text = text.unwrap_or_default();
        if text.len() > pickle::MAX_BYTES {
            return Err(Error::Pickle {
                path: path.to_owned(),
                offset: 0,
                detail: format!("it has {} bytes, expected at most {}", text.len(), pickle::MAX_BYTES),
            });
        }
        // Copied, because text must not change while it is read as such.
        let text = text.to_vec();
        let pickle = Pickle::read(&text).map_err(|failure| match failure {
            Failure::Refused(global) => Error::RefusedGlobal {
                path: path.to_owned(),
                global,
            },
            Failure::Invalid { offset, detail } => Error::Pickle {
                path: path.to_owned(),
                offset,
                detail,
            },
        })?;

        let state_dict_error = |detail| Error::StateDict {
            path: path.to_owned(),
            detail,
        };
        let (state_dict, others) = find_state_dict(&pickle).map_err(state_dict_error)?;
        let mut tensors = BTreeMap::new();
        for (name, id) in named(&pickle, state_dict).map_err(state_dict_error)? {
            if let Node::Tensor(arguments) = *pickle.node(id) {
                let tensor =
                    TensorInfo::check(&pickle, arguments, &archive).map_err(|detail| Error::InvalidTensor {
                        path: path.to_owned(),
                        name: name.to_owned(),
                        detail,
                    })?;
                tensors.insert(name.to_owned(), tensor);
            }
        }
        if tensors.is_empty() {
            return Err(state_dict_error("it has no tensor".to_owned()));
        }

        let mut checkpoint = Self {
            archive,
            tensors,
            epoch: None,
            best_eer: None,
            config: BTreeMap::new(),
        };
        for &(key, id) in others {
            match (pickle.str(key), pickle.node(id)) {
                (Some("epoch"), &Node::Int(epoch)) => checkpoint.epoch = Some(epoch),
                (Some("best_eer"), &Node::Float(eer)) => checkpoint.best_eer = Some(eer),
                (Some("best_eer"), &Node::Int(eer)) => checkpoint.best_eer = Some(eer as f64),
                (Some(key @ "config"), Node::Dict(_)) => {
                    let value = Value::copy(&pickle, id).map_err(|detail| Error::Values {
                        path: path.to_owned(),
                        key: key.to_owned(),
                        detail,
                    })?;
                    if let Value::Map(map) = value {
                        checkpoint.config = map;
                    }
                }
                _ => {}
            }
        }
        Ok(checkpoint)
    }

    /// The tensors of the state dict by name, sorted.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// A tensor of the state dict, and its name as the checkpoint keeps it.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<(&str, &TensorInfo)> {
        self.tensors
            .get_key_value(name)
            .map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The numbers of a tensor in row-major order, whatever their order in the file.
    ///
    /// `float16` and `bfloat16` become `f32` exactly, `float64` is rounded. The CRC-32 of the part of the file that they
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
        let path = || self.archive.path().to_owned();
        let Some(tensor) = self.tensors.get(name) else {
            return Err(Error::NoSuchTensor {
                path: path(),
                name: name.to_owned(),
                count: self.tensors.len(),
            });
        };
        let bytes = self.archive.bytes(tensor.entry())?;
        let mut numbers = Vec::new();
        numbers
            .try_reserve_exact(tensor.elements())
            .map_err(|_| Error::TensorMemory {
                path: path(),
                name: name.to_owned(),
                elements: tensor.elements(),
            })?;
        if !tensor.read(bytes, &mut numbers) {
            return Err(Error::TensorType {
                path: path(),
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
            .field("path", &self.archive.path())
            .field("tensors", &self.tensors.len())
            .field("epoch", &self.epoch)
            .field("best_eer", &self.best_eer)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// PyTorch before 2.1 wrote no byte order, and little-endian in practice.
fn check_byte_order(archive: &Archive) -> Result<()> {
    let Some(entry) = archive.find("byteorder") else {
        return Ok(());
    };
    match archive.bytes(entry)? {
        b"little" => Ok(()),
        other => Err(Error::ByteOrder {
            path: archive.path().to_owned(),
            found: other
                .iter()
                .take(16)
                .flat_map(|byte| byte.escape_ascii())
                .map(char::from)
                .collect(),
        }),
    }
}

type Items<'p> = &'p [(Id, Id)];

/// The items of the state dict, and those of the dict that it is in (none if it is on its own).
fn find_state_dict<'p>(pickle: &'p Pickle<'_>) -> Result<(Items<'p>, Items<'p>), String> {
    let root = pickle.root();
    let Some(top) = pickle.dict(root) else {
        return Err(format!("the checkpoint is {}", pickle.node(root).kind()));
    };
    for wanted in STATE_DICT_KEYS {
        let mut found = top
            .iter()
            .filter(|&&(key, _)| pickle.str(key) == Some(wanted))
            .filter_map(|&(_, value)| pickle.dict(value));
        if let Some(state_dict) = found.next() {
            return match found.next() {
                None => Ok((state_dict, top)),
                Some(_) => Err(format!("there are two under `{wanted}`")),
            };
        }
    }
    if top
        .iter()
        .any(|&(_, value)| matches!(pickle.node(value), Node::Tensor(_)))
    {
        return Ok((top, &[]));
    }
    let keys: Vec<String> = top.iter().take(8).map(|&(key, _)| shown(pickle, key)).collect();
    Err(format!(
        "the checkpoint is a dict with {} keys: {}",
        top.len(),
        keys.join(", ")
    ))
}

/// The items of a state dict with their names, which are unique.
fn named<'a>(pickle: &Pickle<'a>, items: Items<'_>) -> Result<BTreeMap<&'a str, Id>, String> {
    if items.len() > MAX_NAMES {
        return Err(format!(
            "it has {} keys, more than the {MAX_NAMES} expected",
            items.len()
        ));
    }
    let mut named = BTreeMap::new();
    for &(key, value) in items {
        let Some(name) = pickle.str(key) else {
            return Err(format!("one of its keys is {}, not a string", pickle.node(key).kind()));
        };
        if name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
            return Err(format!(
                "its key {} is longer than the {MAX_NAME_BYTES} bytes of a name, or has control characters",
                shown(pickle, key)
            ));
        }
        if named.insert(name, value).is_some() {
            return Err(format!("it has {} twice", shown(pickle, key)));
        }
    }
    Ok(named)
}

/// A key, for a message.
fn shown(pickle: &Pickle<'_>, key: Id) -> String {
    match pickle.str(key) {
        Some(text) => format!("`{}`", text.escape_debug().take(80).collect::<String>()),
        None => pickle.node(key).kind().to_owned(),
    }
}
