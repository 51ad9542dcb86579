//! Turns the checkpoint of a wav2vec2, HuBERT or WavLM anti-spoofing model into an ONNX graph, without Python.
//!
//! ```no_run
//! use bonafide_export::{Options, export};
//!
//! let summary = export("stage2_best.pt", "model.onnx", &Options::default(), &mut |_| {})?;
//! println!("{} parameters, {} bytes", summary.parameters, summary.bytes);
//! # Ok::<(), bonafide_export::Error>(())
//! ```
//!
//! The checkpoint's [`Layout`] is found from its tensors' names: the published model's, Hugging Face's, AntiDeepfake's.
//!
//! The graph takes `waveform`, f32 `[N, 64000]` (mono, 16 kHz), and gives `logits`, f32 `[N, 2]` (bona fide, spoof). It
//! uses standard `ai.onnx` operators of opset 17 only, unless [`Options::target`] allows others. Its `metadata_props`,
//! under `bonafide.`, say how to use it: sample rate, window, hop, labels, normalisation, threshold, precision, and where
//! it comes from.
//!
//! [`inspect()`] tells what a checkpoint or an ONNX file is, without loading its weights. With the feature `verify` (on by
//! default), `verify` runs an exported graph and a plain forward pass of its checkpoint on the same audio, and compares
//! them layer by layer.
//!
//! The checkpoint is not trusted: its pickle can name nothing but tensors and plain values, nothing in it is executed,
//! and every size is checked against the file.

mod activation;
mod calibration;
pub mod checkpoint;
mod config;
mod error;
#[cfg(feature = "verify")]
mod forward;
#[cfg(feature = "hub")]
pub mod hub;
mod inspect;
mod labels;
mod layout;
mod lite;
mod measure;
mod names;
mod onnx;
mod precision;
mod preprocessor;
mod source;
#[cfg(feature = "verify")]
mod verify;
mod wav2vec2;
mod wavlm;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use calibration::Calibration;
use checkpoint::Checkpoint;
pub use config::Config;
pub use error::{Error, Result};
pub use inspect::{ExternalData, FileInfo, Inspection, Kind, OnnxInfo, Port, Size, TensorSummary, inspect};
pub use labels::{LabelSource, Labels};
pub use layout::Layout;
use layout::{Recognised, recognise};
pub use lite::{Block, LiteConfig, Removed, SILENT_FRAMES, Stage};
use onnx::{Dimension, EXTERNAL_DATA_ABOVE, Model};
pub use precision::{Precision, Target};
pub use preprocessor::Normalization;
use source::Source;
#[cfg(feature = "verify")]
pub use verify::{
    ClipReport, LayerReport, Tolerance, Verification, VerifyOptions, VerifyProgress, WindowReport, verify,
};

/// Samples per second that the network was trained on.
const SAMPLE_RATE: u32 = 16_000;
/// The window of the published model, 4 s.
const WINDOW_SAMPLES: usize = 64_000;
/// A clip is called spoof above this probability, unless its user chooses otherwise.
const THRESHOLD: f32 = 0.5;

/// What to export and how.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The network's `config.json`. Without it, one beside the checkpoint is used. Where there is none, [`Layout`] says
    /// how the shape is known.
    pub config: Option<PathBuf>,
    /// Which of the checkpoint's two classes is spoof, 0 or 1. Must be given where the names of the classes don't tell,
    /// and wins over all else.
    pub spoof_index: Option<usize>,
    /// Samples per window, at 16 kHz: 64,000 by default.
    pub window_samples: usize,
    /// Windows per run.
    pub batch: Batch,
    /// The numbers that the weights are stored in, and what is computed with.
    pub precision: Precision,
    /// What the model is to run on, which matters for [`Precision::Int8`] only.
    pub target: Target,
    /// Calibrates the logits. By default they are the checkpoint's own.
    pub calibration: Option<Calibration>,
    /// The node to end the graph at instead of the logits, and whose value is then its output: a part of the network,
    /// for training. What comes after it is left out. Such a graph is no detector.
    pub end_at: Option<String>,
    /// Weights of more bytes than this in all go to a file of their own, `OUT.onnx.data`. By default, and at most, as
    /// many as fit into protobuf's 2 GiB.
    pub external_data_above: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: None,
            spoof_index: None,
            window_samples: WINDOW_SAMPLES,
            batch: Batch::Dynamic,
            precision: Precision::default(),
            target: Target::default(),
            calibration: None,
            end_at: None,
            external_data_above: EXTERNAL_DATA_ABOVE,
        }
    }
}

/// How many windows the graph takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// Any number, chosen at each run.
    Dynamic,
    /// Always the same number, which some accelerators need.
    Fixed(NonZeroUsize),
}

impl std::str::FromStr for Batch {
    type Err = String;

    /// Parses `dynamic` or a number from 1.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dynamic" => Ok(Self::Dynamic),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| format!("expected `dynamic` or a number from 1, found `{number}`")),
        }
    }
}

/// Where an export is: `done` of `total` bytes read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the checkpoint hashed and of the weights written so far.
    pub done: u64,
    /// `done` at the end.
    pub total: u64,
}

/// A network's shape.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// wav2vec2, HuBERT or WavLM.
    Wav2vec2(Box<Config>),
    /// The small spectral network.
    Lite(LiteConfig),
}

/// What was exported.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// Which layout the checkpoint has.
    pub layout: Layout,
    /// The order of the classes in the checkpoint. In the graph it is always bona fide, spoof.
    pub labels: Labels,
    /// What happens to a window's samples before the network sees them.
    pub normalization: Normalization,
    /// The network's shape.
    pub shape: Shape,
    /// The file that states the shape; `None` when that of `facebook/wav2vec2-base` was assumed, or when it was found
    /// from the tensors (AntiDeepfake's layout).
    pub config_path: Option<PathBuf>,
    /// Numbers in the checkpoint's tensors.
    pub parameters: u64,
    /// Frames that the network makes of a window.
    pub frames: usize,
    /// Bytes written.
    pub bytes: u64,
    /// The entries of `metadata_props`, in the file's order.
    pub metadata: Vec<(String, String)>,
}

/// Reads the checkpoint at `checkpoint` and writes an ONNX model to `out`.
///
/// `out` appears complete or not at all; a model of nearly 2 GiB or more gets a file `out` + `.data` for its weights.
/// The same checkpoint, config and options give the same bytes. `progress` is called after each tensor.
///
/// # Errors
///
/// [`Error`] says what is wrong with the checkpoint, its tensors, the config or the options, or what failed in reading
/// and writing.
pub fn export(
    checkpoint: impl AsRef<Path>,
    out: impl AsRef<Path>,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let (checkpoint, out) = (Checkpoint::open(checkpoint)?, out.as_ref());
    let batch = match options.batch {
        Batch::Dynamic => Dimension::Named("N"),
        Batch::Fixed(windows) => Dimension::Fixed(windows.get()),
    };
    let recognised;
    let (mut graph, about) = if let Some(config) = lite::find(&checkpoint, options.config.as_deref())? {
        (
            lite::build(&checkpoint, &config, &batch)?,
            About::lite(config, &checkpoint, options),
        )
    } else {
        recognised = recognise(&checkpoint, options)?;
        let graph = wav2vec2::build(&recognised, options.window_samples, &batch)?;
        (graph, About::wav2vec2(&recognised, options))
    };
    if let Some(name) = &options.end_at
        && !graph.end_at(name)
    {
        return Err(Error::NoNode { name: name.clone() });
    }
    let mut graph = precision::apply(graph, options.precision, options.target);
    // A part of the network has no logits.
    if let Some(calibration) = options.calibration.filter(|_| options.end_at.is_none()) {
        calibration.apply(&mut graph);
    }

    let mut report = Progress {
        done: 0,
        total: graph.weight_bytes() + source::total_bytes(&checkpoint)?,
    };
    let mut advance = |bytes: u64| {
        report.done += bytes;
        progress(report);
    };
    let source = Source::read(&checkpoint, &mut advance)?;
    let metadata = metadata(&checkpoint, &about, &source, options);
    let model = Model {
        graph,
        metadata: &metadata,
    };
    let bytes = model.write(out, options.external_data_above.min(EXTERNAL_DATA_ABOVE), &mut advance)?;

    Ok(Summary {
        parameters: checkpoint.tensors().map(|(_, tensor)| tensor.elements() as u64).sum(),
        frames: about.frames,
        bytes,
        metadata,
        layout: about.layout,
        labels: about.labels,
        normalization: about.normalization,
        config_path: about.config_path,
        shape: about.shape,
    })
}

/// What there is to say of a network besides its weights.
struct About {
    layout: Layout,
    shape: Shape,
    config_path: Option<PathBuf>,
    labels: Labels,
    normalization: Normalization,
    window_samples: usize,
    frames: usize,
}

impl About {
    fn wav2vec2(network: &Recognised<'_>, options: &Options) -> Self {
        Self {
            layout: network.layout,
            shape: Shape::Wav2vec2(Box::new(network.config.clone())),
            config_path: network.config_path.clone(),
            labels: network.labels.clone(),
            normalization: network.normalization,
            window_samples: options.window_samples,
            frames: network.config.frames(options.window_samples),
        }
    }

    fn lite(config: LiteConfig, checkpoint: &Checkpoint, options: &Options) -> Self {
        let beside = || checkpoint.path().with_file_name("config.json");
        Self {
            layout: Layout::Lite,
            config_path: Some(options.config.clone().unwrap_or_else(beside)),
            labels: Labels {
                spoof_index: 1,
                source: LabelSource::Layout,
            },
            normalization: Normalization::None,
            window_samples: config.window_samples,
            frames: config.frames(),
            shape: Shape::Lite(config),
        }
    }

    fn architecture(&self) -> &str {
        match &self.shape {
            Shape::Wav2vec2(config) => &config.model_type,
            Shape::Lite(config) => &config.model_type,
        }
    }
}

/// What a user of the model must know, under keys that `bonafide` reads. `models/README.md` documents them.
fn metadata(checkpoint: &Checkpoint, about: &About, source: &Source, options: &Options) -> Vec<(String, String)> {
    let mut entries = vec![
        ("format_version", "1".to_owned()),
        ("architecture", about.architecture().to_owned()),
        ("sample_rate", SAMPLE_RATE.to_string()),
        ("window_samples", about.window_samples.to_string()),
        ("hop_samples", about.window_samples.div_ceil(2).to_string()),
        ("labels", "bonafide,spoof".to_owned()),
        ("normalization", about.normalization.metadata().to_owned()),
        ("threshold", THRESHOLD.to_string()),
        ("precision", options.precision.to_string()),
        ("source_file", source.name.clone()),
        ("source_sha256", source.sha256.clone()),
    ];
    if let Some(calibration) = options.calibration {
        entries.push(("calibration", calibration.to_string()));
    }
    if let Some(epoch) = checkpoint.epoch() {
        entries.push(("epoch", epoch.to_string()));
    }
    if let Some(eer) = checkpoint.best_eer() {
        entries.push(("dev_eer", eer.to_string()));
    }
    entries.push(("exporter_version", env!("CARGO_PKG_VERSION").to_owned()));
    let keyed = |(key, value)| (format!("bonafide.{key}"), value);
    entries.into_iter().map(keyed).collect()
}
