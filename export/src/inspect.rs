//! What a checkpoint or an ONNX file is, without loading its weights.
#![forbid(unsafe_code)]

mod checkpoint;
mod layers;
mod onnx;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::onnx::Description;
use crate::source;
use crate::{Config, Layout, LiteConfig, Result};

/// What [`inspect`] finds. Serialised, it is what `bonafide-export inspect --json` prints; fields that don't apply are
/// `null` or empty, and later versions may add some.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// A checkpoint or an ONNX model.
    pub kind: Kind,
    /// The files that it is made of: of a checkpoint in shards, the index too.
    pub files: Vec<FileInfo>,
    /// A checkpoint's format, such as `safetensors file`.
    pub format: Option<String>,
    /// A checkpoint's layout; `null` when it isn't one that can be exported.
    pub layout: Option<Layout>,
    /// Why it can't be exported or used, or what contradicts itself in it: a sentence each.
    pub problems: Vec<String>,
    /// Numbers in all tensors of floating-point and quantised weights.
    pub parameters: u64,
    /// Bytes of all tensors, as stored.
    pub bytes: u64,
    /// The precision that an ONNX model was exported with: `f32`, `f16` or `int8`.
    pub precision: Option<String>,
    /// The types of numbers, the one with the most bytes first.
    pub dtypes: Vec<Size>,
    /// The parts of the network, in its order.
    pub layers: Vec<Size>,
    /// What the classes mean, in the order of the file: `bonafide` and `spoof`; empty where it doesn't say.
    pub labels: Vec<String>,
    /// What is done to a window's samples: `none`, `zero-mean-unit-variance` or `layer-norm`. Of an ONNX model, what its
    /// caller has to do.
    pub normalization: Option<String>,
    /// A checkpoint's network, of all layouts but the small one.
    pub config: Option<Config>,
    /// A small network.
    pub lite_config: Option<LiteConfig>,
    /// An ONNX model's `metadata_props`, or what a checkpoint says of its training.
    pub metadata: BTreeMap<String, serde_json::Value>,
    /// What only ONNX models have.
    pub onnx: Option<OnnxInfo>,
    /// Every tensor: in a checkpoint by name, in an ONNX model in its order.
    pub tensors: Vec<TensorSummary>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Weights with which training can go on.
    Checkpoint,
    /// A graph to run.
    Onnx,
}

/// A file on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileInfo {
    /// Its name without its folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash, in lower-case hexadecimal.
    pub sha256: String,
}

/// How much of something there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Size {
    /// Of what: a type or a layer.
    pub name: String,
    /// How many tensors.
    pub tensors: usize,
    /// How many numbers are in them.
    pub parameters: u64,
    /// How many bytes these have, as stored.
    pub bytes: u64,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// The type of its numbers: `float32`, `float16`, `int8` and so on.
    pub dtype: String,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Its bytes, as stored.
    pub bytes: u64,
}

/// What an ONNX model says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OnnxInfo {
    /// The version of the file format.
    pub ir_version: Option<i64>,
    /// Versions of the operator sets, by domain; the standard one is `ai.onnx`.
    pub opsets: BTreeMap<String, i64>,
    /// The program that wrote it, and its version.
    pub producer: String,
    /// What the graph takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// How often each operator is used; those outside `ai.onnx` are preceded by their domain.
    pub operators: BTreeMap<String, usize>,
    /// Files beside it that hold weights.
    pub external_data: Vec<ExternalData>,
}

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Port {
    /// Its name.
    pub name: String,
    /// The type of its numbers.
    pub dtype: String,
    /// Its sizes; those that may vary as a name.
    pub shape: Vec<serde_json::Value>,
}

/// A file of weights beside an ONNX model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExternalData {
    /// Its name, relative to the model's folder.
    pub location: String,
    /// Its size; `null` when it is missing or outside of the folder.
    pub bytes: Option<u64>,
    /// The size that the model needs it to have.
    pub needed_bytes: u64,
}

/// Finds out what is in a checkpoint or an ONNX model, without loading its weights.
///
/// A file whose name ends in `.onnx` is read as an ONNX model, everything else as a checkpoint. The files are read once to
/// hash them; `progress` is told the bytes of each part.
///
/// # Errors
///
/// [`Error::Read`](crate::Error::Read) when a file can't be read, [`Error::Onnx`](crate::Error::Onnx) when it isn't ONNX,
/// and those of [`Checkpoint::open`].
pub fn inspect(path: impl AsRef<Path>, progress: &mut dyn FnMut(u64)) -> Result<Inspection> {
    let path = path.as_ref();
    if is_onnx(path) {
        let description = Description::read(path)?;
        onnx::inspect(path, &description, progress)
    } else {
        let checkpoint = Checkpoint::open(path)?;
        checkpoint::inspect(&checkpoint, progress)
    }
}

fn is_onnx(path: &Path) -> bool {
    path.is_file()
        && path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

impl FileInfo {
    fn read(path: &Path, progress: &mut dyn FnMut(u64)) -> Result<Self> {
        let mut bytes = 0;
        let sha256 = source::hash(path, &mut |read| {
            bytes += read;
            progress(read);
        })?;
        Ok(Self {
            name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            bytes,
            sha256,
        })
    }
}

impl TensorSummary {
    fn parameters(&self) -> u64 {
        self.shape.iter().fold(1, |count, &size| count.saturating_mul(size))
    }

    /// Whether its numbers are weights, and not shapes, indices or counters.
    fn is_weight(&self) -> bool {
        !matches!(self.dtype.as_str(), "int64" | "int32" | "bool" | "string")
    }
}

/// Sums up tensors under names, in the order in which a name first comes.
fn sizes<'t>(tensors: impl IntoIterator<Item = (String, &'t TensorSummary)>) -> Vec<Size> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut sizes: Vec<Size> = Vec::new();
    for (name, tensor) in tensors {
        let place = *places.entry(name.clone()).or_insert_with(|| {
            sizes.push(Size {
                name,
                tensors: 0,
                parameters: 0,
                bytes: 0,
            });
            sizes.len() - 1
        });
        let size = &mut sizes[place];
        size.tensors += 1;
        size.parameters = size.parameters.saturating_add(tensor.parameters());
        size.bytes = size.bytes.saturating_add(tensor.bytes);
    }
    sizes
}

impl Inspection {
    /// With all that follows from the tensors.
    fn of_tensors(kind: Kind, files: Vec<FileInfo>, tensors: Vec<TensorSummary>) -> Self {
        let mut dtypes = sizes(tensors.iter().map(|tensor| (tensor.dtype.clone(), tensor)));
        dtypes.sort_by_key(|size| std::cmp::Reverse(size.bytes));
        let weights = tensors.iter().filter(|tensor| tensor.is_weight());
        Self {
            kind,
            files,
            format: None,
            layout: None,
            problems: Vec::new(),
            parameters: weights.fold(0, |sum, tensor| sum.saturating_add(tensor.parameters())),
            bytes: tensors.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.bytes)),
            precision: None,
            dtypes,
            layers: layers::sizes_by_layer(&tensors),
            labels: Vec::new(),
            normalization: None,
            config: None,
            lite_config: None,
            metadata: BTreeMap::new(),
            onnx: None,
            tensors,
        }
    }
}
