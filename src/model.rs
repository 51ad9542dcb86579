//! What a model file says about itself.
#![forbid(unsafe_code)]

pub(crate) mod onnx;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Error, Label, Result, SAMPLE_RATE, windows};
use onnx::{Dimension, Header, ValueInfo};

/// Longest window that a model may ask for, 10 minutes: above it a single run would take gigabytes.
const MAX_WINDOW: usize = 600 * SAMPLE_RATE as usize;

/// How a model is to be used, and where it comes from: the entries `bonafide.*` of its ONNX metadata.
///
/// [`Default`] is the published model's: 4 s windows at 16 kHz, bona fide first, no normalisation, threshold 0.5.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ModelMetadata {
    /// The network's family, such as `wav2vec2`.
    pub architecture: Option<String>,
    /// Samples per window, at 16 kHz.
    pub window_samples: NonZeroUsize,
    /// Samples from one window's start to the next one's.
    pub hop_samples: NonZeroUsize,
    /// The meaning of the model's two outputs, in order.
    pub labels: [Label; 2],
    /// What is done to a window's samples before the model sees them.
    pub normalization: Normalization,
    /// The threshold on P(spoof) that the model is meant to be used with, 0 to 1.
    pub threshold: f32,
    /// The file that the model was exported from.
    pub source_file: Option<String>,
    /// SHA-256 of that file.
    pub source_sha256: Option<String>,
    /// The training epoch of the checkpoint.
    pub epoch: Option<i64>,
    /// The equal error rate on its development set, as its training recorded it: a fraction.
    pub dev_eer: Option<f64>,
    /// The version of the exporter.
    pub exporter_version: Option<String>,
}

/// What is done to a window's samples before the model sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Normalization {
    /// Nothing, as the published model wants it.
    #[default]
    None,
    /// `(x − mean) / √(variance + 1e-7)` over the window, which Hugging Face calls `do_normalize`.
    ZeroMeanUnitVariance,
}

impl Default for ModelMetadata {
    fn default() -> Self {
        Self {
            architecture: None,
            window_samples: windows::LENGTH,
            hop_samples: windows::HOP,
            labels: [Label::Bonafide, Label::Spoof],
            normalization: Normalization::None,
            threshold: 0.5,
            source_file: None,
            source_sha256: None,
            epoch: None,
            dev_eer: None,
            exporter_version: None,
        }
    }
}

impl ModelMetadata {
    /// Reads the entries `bonafide.*`. Entries that must be there are those without which a score could be wrong.
    fn from_entries(entries: &BTreeMap<String, String>) -> Result<Self> {
        let get = |key: &'static str| entries.get(&format!("bonafide.{key}")).map(String::as_str);
        let required = |key: &'static str| get(key).ok_or(Error::ModelMetadataMissing { key });

        let version = required("format_version")?;
        check("format_version", "1", version, (version == "1").then_some(()))?;
        let rate = required("sample_rate")?;
        check("sample_rate", "16000", rate, (rate == "16000").then_some(()))?;

        let window = required("window_samples")?;
        let window_samples = window.parse().ok().filter(|n: &NonZeroUsize| n.get() <= MAX_WINDOW);
        let window_samples = check("window_samples", &format!("1 to {MAX_WINDOW}"), window, window_samples)?;
        let hop_samples = match get("hop_samples") {
            None => half(window_samples),
            Some(hop) => check("hop_samples", "a number from 1", hop, hop.parse().ok())?,
        };
        let labels = required("labels")?;
        let order = match labels {
            "bonafide,spoof" => Some([Label::Bonafide, Label::Spoof]),
            "spoof,bonafide" => Some([Label::Spoof, Label::Bonafide]),
            _ => None,
        };
        let normalization = required("normalization")?;
        let known = match normalization {
            "none" => Some(Normalization::None),
            "zero-mean-unit-variance" => Some(Normalization::ZeroMeanUnitVariance),
            _ => None,
        };
        let threshold = match get("threshold") {
            None => Self::default().threshold,
            Some(text) => {
                let threshold = text.parse().ok().filter(|t| (0.0..=1.0).contains(t));
                check("threshold", "a number from 0 to 1", text, threshold)?
            }
        };
        let text = |key| get(key).map(str::to_owned);
        Ok(Self {
            architecture: text("architecture"),
            window_samples,
            hop_samples,
            labels: check("labels", "\"bonafide,spoof\" or \"spoof,bonafide\"", labels, order)?,
            normalization: check(
                "normalization",
                "\"none\" or \"zero-mean-unit-variance\"",
                normalization,
                known,
            )?,
            threshold,
            source_file: text("source_file"),
            source_sha256: text("source_sha256"),
            epoch: get("epoch").and_then(|epoch| epoch.parse().ok()),
            dev_eer: get("dev_eer").and_then(|eer| eer.parse().ok()),
            exporter_version: text("exporter_version"),
        })
    }
}

/// Half a window, at least a sample.
fn half(window: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(window.get().div_ceil(2)).unwrap_or(window)
}

fn check<T>(key: &'static str, expected: &str, found: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::ModelMetadata {
        key,
        expected: expected.to_owned(),
        found: found.to_owned(),
    })
}

/// Where a model is.
#[derive(Debug, Clone)]
pub(crate) enum ModelSource {
    File(PathBuf),
    Bytes(Arc<[u8]>),
    /// In this crate.
    #[cfg_attr(
        not(feature = "embedded-model"),
        expect(dead_code, reason = "this build has no model of its own")
    )]
    Embedded(&'static [u8]),
}

impl ModelSource {
    /// The model that this crate comes with, if this build has it.
    pub(crate) fn embedded() -> Option<Self> {
        #[cfg(feature = "embedded-model")]
        return Some(Self::Embedded(include_bytes!("../models/lite.onnx")));
        #[cfg(not(feature = "embedded-model"))]
        None
    }

    /// A name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(bytes) => format!("{} bytes in memory", bytes.len()),
            Self::Embedded(_) => "the embedded model".to_owned(),
        }
    }

    /// Its size, where it can be told.
    #[cfg(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten"))]
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => Some(path.metadata().ok()?.len()),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Embedded(bytes) => Some(bytes.len() as u64),
        }
    }

    fn header(&self) -> Result<Header> {
        match self {
            Self::File(path) => {
                let open = || -> std::io::Result<(std::fs::File, u64)> {
                    let file = std::fs::File::open(path)?;
                    let metadata = file.metadata()?;
                    if !metadata.is_file() {
                        return Err(std::io::Error::other("it is not a regular file"));
                    }
                    Ok((file, metadata.len()))
                };
                let (file, len) = open().map_err(|source| Error::Read {
                    path: path.clone(),
                    source,
                })?;
                self.scan(file, len)
            }
            Self::Bytes(bytes) => self.scan(Cursor::new(bytes.as_ref()), bytes.len() as u64),
            Self::Embedded(bytes) => self.scan(Cursor::new(bytes), bytes.len() as u64),
        }
    }

    fn scan(&self, file: impl Read + Seek, len: u64) -> Result<Header> {
        onnx::scan(file, len).map_err(|reason| Error::InvalidModel {
            model: self.name(),
            reason,
        })
    }
}

/// A model whose header has been read and fits.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten")),
    expect(dead_code, reason = "there is no runtime in this build to read it")
)]
pub(crate) struct Model {
    pub(crate) source: ModelSource,
    pub(crate) metadata: ModelMetadata,
    pub(crate) input: String,
    pub(crate) output: String,
    /// Windows per run, where the graph fixes them.
    pub(crate) fixed_batch: Option<NonZeroUsize>,
    header: Header,
}

impl Model {
    /// Reads a model's header, without its weights, and checks that the graph takes windows and gives two logits.
    ///
    /// `metadata` is used instead of the file's own, where given.
    pub(crate) fn open(source: ModelSource, metadata: Option<ModelMetadata>) -> Result<Self> {
        let header = source.header()?;
        let misfit = |what: &'static str, expected: String, found: &[ValueInfo]| Error::ModelSignature {
            model: source.name(),
            what,
            expected,
            found: onnx::describe(found),
        };

        let expected_output = || "one f32 output [N, 2]: two logits for each window".to_owned();
        let [output] = header.outputs.as_slice() else {
            return Err(misfit("output", expected_output(), &header.outputs));
        };
        let [windows_out, classes] = output.shape.as_slice() else {
            return Err(misfit("output", expected_output(), &header.outputs));
        };
        if !output.is_f32 || !classes.admits(2) {
            return Err(misfit("output", expected_output(), &header.outputs));
        }

        // A graph that isn't a detector's is told from its shape; only then is its metadata worth asking for.
        let expected_input = |samples: &str| format!("one f32 input [N, {samples}]: windows of mono samples");
        let [input] = header.inputs.as_slice() else {
            return Err(misfit("input", expected_input("samples"), &header.inputs));
        };
        let [windows, samples] = input.shape.as_slice() else {
            return Err(misfit("input", expected_input("samples"), &header.inputs));
        };
        if !input.is_f32 {
            return Err(misfit("input", expected_input("samples"), &header.inputs));
        }
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => ModelMetadata::from_entries(&header.metadata)?,
        };
        let window = metadata.window_samples.get();
        if !samples.admits(window) {
            return Err(misfit("input", expected_input(&window.to_string()), &header.inputs));
        }
        let fixed_batch = match (windows, windows_out) {
            (Dimension::Fixed(n), other) | (other, Dimension::Fixed(n)) => {
                let fits = NonZeroUsize::new(*n).filter(|n| other.admits(n.get()));
                Some(fits.ok_or_else(|| misfit("output", expected_output(), &header.outputs))?)
            }
            _ => None,
        };

        Ok(Self {
            input: input.name.clone(),
            output: output.name.clone(),
            metadata,
            fixed_batch,
            source,
            header,
        })
    }

    /// Checks, once a runtime has loaded the file, that it is still the one whose header was read: with another's labels or
    /// window every score would be wrong.
    pub(crate) fn check_same(&self) -> Result<()> {
        if self.path().is_none() || self.source.header()? == self.header {
            return Ok(());
        }
        Err(Error::InvalidModel {
            model: self.source.name(),
            reason: "it was replaced while it was being loaded; load it again".to_owned(),
        })
    }

    /// The model's file, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.source {
            ModelSource::File(path) => Some(path),
            ModelSource::Bytes(_) | ModelSource::Embedded(_) => None,
        }
    }
}
