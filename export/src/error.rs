//! The one error type of the crate.

use std::path::PathBuf;

use crate::Precision;
use crate::checkpoint::folder::{WEIGHT_EXTENSIONS, WEIGHT_FILES};
use crate::checkpoint::{Dtype, Format};

/// What went wrong: what was expected, what was found, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    // The checkpoint.
    /// The file is of another kind.
    #[error(
        "{} is not a checkpoint: expected a file that `torch.save` writes, a safetensors file or a folder with one, \
         found {found}",
        path.display()
    )]
    NotCheckpoint {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        found: String,
    },
    /// The file was written by PyTorch before 0.1.10.
    #[error(
        "{} is a tar file, the format of PyTorch before 0.1.10, which only Python can read: load it and `torch.save` \
         it again with PyTorch 1 or later",
        path.display()
    )]
    TarCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A folder or repository has no weights, or several.
    #[error(
        "{place} has no weights to choose: expected {}, or a single file named *.{}; found {found}",
        WEIGHT_FILES.join(", "), WEIGHT_EXTENSIONS.join(", *.")
    )]
    NoWeights {
        /// The folder, or the repository.
        place: String,
        /// The files in it.
        found: String,
    },
    /// The index of a sharded checkpoint isn't one, or contradicts its shards.
    #[error("{}: {detail}; download the index and its shards again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What was expected and found.
        detail: String,
    },
    /// The index of a sharded checkpoint names a file that isn't there.
    #[error("{} names the file `{shard}`, which is not beside it; download that too", index.display())]
    MissingShard {
        /// The index.
        index: PathBuf,
        /// The missing file.
        shard: String,
    },
    /// The file holds a compiled program, not a state dict.
    #[error(
        "{} is a TorchScript program: expected a checkpoint with a state dict; load it with `torch.jit.load` and \
         `torch.save` its `state_dict()`",
        path.display()
    )]
    TorchScript {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be used: truncated, damaged, compressed, or with parts outside the file.
    #[error("{} cannot be read as a {format}: {detail}; download or copy it again", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What its first bytes say that it is.
        format: Format,
        /// What is wrong.
        detail: String,
    },
    /// The bytes of an entry aren't those that were written.
    #[error(
        "{} is damaged: entry `{entry}` has CRC-32 {found:08x}, expected {expected:08x}; download or copy it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The zip entry.
        entry: String,
        /// The CRC-32 that the zip file states.
        expected: u32,
        /// The CRC-32 of the bytes.
        found: u32,
    },
    /// The checkpoint was written on a machine with another byte order.
    #[error(
        "{} has byte order `{found}`, expected `little`: load it and `torch.save` it again on a little-endian machine",
        path.display()
    )]
    ByteOrder {
        /// The file.
        path: PathBuf,
        /// What its `byteorder` says.
        found: String,
    },
    /// The pickle names a function or class that a checkpoint of plain weights doesn't need. It was not run.
    #[error(
        "{} names `{global}`, which this reader refuses (nothing was run): expected tensors and plain values only; if \
         you trust where the file comes from, load it in Python and `torch.save` its `state_dict()` alone",
        path.display()
    )]
    RefusedGlobal {
        /// The file.
        path: PathBuf,
        /// Module and name, such as `os.system`.
        global: String,
    },
    /// The pickle isn't one that `torch.save` writes.
    #[error(
        "{}: the pickle is not as `torch.save` writes it: {detail} (at byte {offset} of {part}); save the checkpoint \
         again",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What has the pickle: `data.pkl` in a zip file, or the file itself.
        part: &'static str,
        /// Where in that.
        offset: usize,
        /// What was expected and found.
        detail: String,
    },
    /// The checkpoint has no state dict, or one that isn't a map of names to tensors.
    #[error(
        "{} has no usable state dict: {detail}; expected a dict of names and tensors, alone or under \
         `model_state_dict`, `state_dict` or `model`",
        path.display()
    )]
    StateDict {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The plain values beside the weights are too many or too deeply nested.
    #[error("{}: `{key}` is {detail}; remove it from the checkpoint and save it again", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// Which value of the checkpoint.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A tensor's description contradicts itself or the file.
    #[error("{}: tensor `{name}` is invalid: {detail}; save the checkpoint again", path.display())]
    InvalidTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What was expected and found.
        detail: String,
    },
    /// A tensor was asked for that the checkpoint doesn't have.
    #[error("{} has no tensor `{name}` among its {count}", path.display())]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// How many tensors there are.
        count: usize,
    },
    /// A tensor of numbers that aren't floating-point was to be read as `f32`.
    #[error(
        "{}: tensor `{name}` has type {found}, expected float32, float16, bfloat16 or float64",
        path.display()
    )]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: Dtype,
    },
    /// There isn't the memory for a tensor.
    #[error("{}: no memory for the {elements} elements of tensor `{name}`; free some and try again", path.display())]
    TensorMemory {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// How many `f32` were asked for.
        elements: usize,
    },

    // The layout.
    /// The tensors have the names of no layout that is known.
    #[error(
        "the checkpoint has no known layout: expected the tensors of a `backbone.`, `wav2vec2.`, `hubert.`, `wavlm.` or \
         `m_ssl.model.` with `feature_extractor.conv_layers.0` among them, and found {}",
        listing(names)
    )]
    Layout {
        /// All tensors.
        names: Vec<String>,
    },
    /// The checkpoint is a network without a classifier.
    #[error(
        "the checkpoint has no `{expected}`: it is a backbone without a head that tells bona fide from spoof, so there \
         is nothing to export; give a checkpoint that was fine-tuned for detection"
    )]
    NoHead {
        /// The tensor that was looked for.
        expected: String,
    },
    /// A checkpoint of Hugging Face's has no `config.json`.
    #[error(
        "{} is missing, which states the network's shape and the names of the classes: put it there, or give it with \
         --config config.json",
        path.display()
    )]
    NoConfig {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A checkpoint of Hugging Face's has no `preprocessor_config.json`.
    #[error(
        "{} is missing, which states whether the samples are to be normalised: put it there; if the model was trained \
         without one, write {{\"do_normalize\": true}} or {{\"do_normalize\": false}} into it, as the training did",
        path.display()
    )]
    NoPreprocessor {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The names of the classes don't tell which is spoof.
    #[error(
        "config.json: id2label doesn't tell which class is spoof: 0 is `{}` and 1 is `{}`; say it with --spoof-index 0 \
         or 1, from the model's card or by scoring a recording that you know",
        names[0].escape_debug(), names[1].escape_debug()
    )]
    Labels {
        /// The names of class 0 and 1.
        names: [String; 2],
    },
    /// There are two classes, 0 and 1.
    #[error("the spoof index is {found}, expected 0 or 1")]
    SpoofIndex {
        /// What was given.
        found: usize,
    },

    // The network.
    /// `config.json` is not JSON, or a field is of another kind.
    #[error("{} is not a config.json of Hugging Face's form: {source}", path.display())]
    ConfigSyntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// The network is of a form that can't be exported, or its files contradict each other.
    #[error("{file}: {field} is {found}, expected {expected}")]
    Config {
        /// `config.json`, `preprocessor_config.json` or `processor_config.json`.
        file: &'static str,
        /// The field of it.
        field: &'static str,
        /// What is supported.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The window is too short for the network to make a frame of it, or too long.
    #[error("a window of {found} samples can't be exported: expected {expected}")]
    Window {
        /// The window's length in samples.
        found: usize,
        /// What is supported.
        expected: String,
    },
    /// The network has a tensor that the checkpoint lacks.
    #[error("the checkpoint has no tensor `{name}`, expected with shape {expected:?}{}", hint(*assumed))]
    MissingTensor {
        /// The tensor.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
        /// Whether the network's shape was assumed, for lack of a `config.json`.
        assumed: bool,
    },
    /// A tensor has another shape than the network's.
    #[error("tensor `{name}` has shape {found:?}, expected {expected:?}{}", hint(*assumed))]
    TensorShape {
        /// The tensor.
        name: String,
        /// The shape that the network needs.
        expected: Vec<usize>,
        /// The shape that it has.
        found: Vec<usize>,
        /// Whether the network's shape was assumed, for lack of a `config.json`.
        assumed: bool,
    },
    /// The checkpoint has tensors that the network has no place for.
    #[error(
        "the checkpoint has {} the network has no place for: {}{}",
        plural(names.len()), listing(names), hint(*assumed)
    )]
    UnknownTensors {
        /// The tensors.
        names: Vec<String>,
        /// Whether the network's shape was assumed, for lack of a `config.json`.
        assumed: bool,
    },

    // The hub.
    /// A source starts like one on the hub, and isn't one.
    #[error("`{found}` is no model on the hub: expected hf://OWNER/NAME[@REVISION][/FILE]")]
    HubName {
        /// What was given.
        found: String,
    },
    /// This build can't fetch from the hub.
    #[error(
        "{name} is on the hub, and this build can't fetch from there: install with `--features hub`, or download its \
         files and give their folder"
    )]
    HubFeature {
        /// The model.
        name: String,
    },
    /// The hub doesn't let this user have the model.
    #[error(
        "{url} answers {status}: {}",
        if *sent_token {
            "the token in use may not read it; accept the model's terms on its page, or set HF_TOKEN to another"
        } else {
            "it is private, gated or does not exist; check its name, accept its terms on its page and set HF_TOKEN"
        }
    )]
    HubAccess {
        /// 401 or 403.
        status: u16,
        /// What was asked.
        url: String,
        /// Whether it was asked with a token.
        sent_token: bool,
    },
    /// There is no such model, revision or file.
    #[error("the hub has no {what} (asked {url})")]
    HubNotFound {
        /// What was wanted.
        what: String,
        /// What was asked.
        url: String,
    },
    /// The hub answers with another status than success.
    #[error("{url} answers {status}, expected 200; try again later")]
    HubStatus {
        /// The status.
        status: u16,
        /// What was asked.
        url: String,
    },
    /// The hub can't be reached, or did not answer.
    #[error("{url} can't be reached: {detail}; try again, or set HF_HUB_OFFLINE=1 to use what is cached")]
    HubConnection {
        /// What was asked.
        url: String,
        /// What happened.
        detail: String,
    },
    /// A download broke off. What came is kept.
    #[error("{url} broke off after {done} bytes{}: {detail}; run it again to continue from there", of(*total))]
    HubInterrupted {
        /// What was downloaded.
        url: String,
        /// Bytes that came, those of earlier runs included.
        done: u64,
        /// All its bytes, if known.
        total: Option<u64>,
        /// What happened.
        detail: String,
    },
    /// A downloaded file isn't the one that the hub described. It was removed.
    #[error(
        "{} was downloaded with SHA-256 {found}, expected {expected}, and removed; run it again",
        path.display()
    )]
    HubChecksum {
        /// The file in the cache.
        path: PathBuf,
        /// What the hub says.
        expected: String,
        /// What came.
        found: String,
    },
    /// The hub's answer makes no sense, or is too large.
    #[error("{url}: {detail}")]
    HubAnswer {
        /// What was asked.
        url: String,
        /// What was expected and found.
        detail: String,
    },
    /// Only the cache may be used, and it lacks the model.
    #[error(
        "{repository} is not in the cache ({}: {detail}), and HF_HUB_OFFLINE is set; run it once without that",
        path.display()
    )]
    HubOffline {
        /// The model.
        repository: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What is missing.
        detail: String,
    },
    /// The cache can't be written.
    #[error("the cache file {} can't be used: {source}; set HF_HUB_CACHE to another folder if need be", path.display())]
    HubCache {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file isn't an ONNX model, or a damaged one.
    #[error("{} is not a usable ONNX model: {detail}; export it again, or download it again", path.display())]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        detail: String,
    },
    /// The audio, the model or the runtime failed when the model was to be scored with.
    #[cfg(feature = "verify")]
    #[error(transparent)]
    Detector(#[from] bonafide::Error),
    /// A weight has a value that the precision asked for can't hold.
    #[error("tensor `{name}` holds {found}, expected at most {limit} in {precision}; export it with --precision f32")]
    WeightRange {
        /// The tensor, by its name in the graph.
        name: String,
        /// The value.
        found: f32,
        /// The precision asked for.
        precision: Precision,
        /// The largest value that can be held, of either sign.
        limit: f32,
    },
    /// The graph was to end at a node that it doesn't have.
    #[error("the graph has no node `{name}` to end at")]
    NoNode {
        /// The node's name.
        name: String,
    },

    /// The model could not be written.
    #[error("cannot write {}: {source}; nothing was left behind", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// What to do about a misfit between tensors and an assumed shape.
fn hint(assumed: bool) -> &'static str {
    if assumed {
        "; the shape of facebook/wav2vec2-base was assumed: give the network's own with --config config.json"
    } else {
        ""
    }
}

fn of(total: Option<u64>) -> String {
    total.map_or_else(String::new, |total| format!(" of {total}"))
}

fn plural(count: usize) -> String {
    match count {
        1 => "a tensor that".to_owned(),
        count => format!("{count} tensors that"),
    }
}

/// The first few of a list of names.
fn listing(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

/// `std::result::Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
