//! The one error type of the crate.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Audio, ExecutionProvider};

/// The oldest ONNX Runtime that can be used: the feature `api-17` of `ort`.
const MINIMUM: &str = "1.17";

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

    /// The content is of no format this crate decodes.
    #[error(
        "cannot decode {}: {found} is not supported; WAV is, and with the feature `formats` FLAC, MP3, \
         Ogg Vorbis and AAC-LC: convert it, for example with `ffmpeg -i INPUT OUTPUT.wav`",
        Named(path.as_deref())
    )]
    UnsupportedAudio {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The format or codec, or how the content begins.
        found: String,
    },

    /// The format is known, but this build has no decoder for it.
    #[error(
        "cannot decode {}: {format} needs the feature `formats`, which this build leaves out; \
         enable it, or convert the file to WAV",
        Named(path.as_deref())
    )]
    FormatDisabled {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The format that was found.
        format: &'static str,
    },

    /// The content contradicts its own format.
    #[error("cannot decode {}: not valid {format}: {reason}", Named(path.as_deref()))]
    InvalidAudio {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The format that was found.
        format: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The audio ends before the length its header promises.
    #[error(
        "{} is cut short: its header promises {expected} frames and {found} are there; \
         get the whole file, or re-encode it if the rest is lost",
        Named(path.as_deref())
    )]
    TruncatedAudio {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// Frames (samples per channel) the header promises.
        expected: u64,
        /// Frames there are.
        found: u64,
    },

    /// The audio is larger than this crate takes in.
    #[error("{} holds more than {limit} {unit}; cut it into shorter clips", Named(path.as_deref()))]
    AudioTooLong {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The most there may be.
        limit: u64,
        /// What is counted: `seconds`, `samples` (of all channels together) or `bytes` of the file.
        unit: &'static str,
    },

    /// The audio has no frames.
    #[error("{} holds no audio; give at least one frame", Named(path.as_deref()))]
    EmptyAudio {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
    },

    /// The sample rate is outside the range this crate takes.
    #[error(
        "{} has a sample rate of {found} Hz; {} to {limit} Hz is accepted: resample it",
        Named(path.as_deref()),
        Audio::MIN_SAMPLE_RATE
    )]
    SampleRate {
        /// The file, if the rate came from one.
        path: Option<PathBuf>,
        /// The highest rate accepted, in Hz.
        limit: u32,
        /// The rate, in Hz.
        found: u32,
    },

    /// The number of channels is outside the range this crate takes.
    #[error("{} has {found} channels; 1 to {limit} are accepted: mix them down", Named(path.as_deref()))]
    Channels {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The most accepted.
        limit: u16,
        /// The number of channels.
        found: usize,
    },

    /// The resampler refused rates and lengths it should take.
    #[error("cannot resample from {from} Hz to {to} Hz: {reason}; please report this")]
    Resample {
        /// The rate of the samples, in Hz.
        from: u32,
        /// The rate asked for, in Hz.
        to: u32,
        /// What the resampler said.
        reason: String,
    },

    /// The clip has fewer samples than a score could be based on.
    #[error(
        "{} has {found} samples at 16 kHz; at least {expected} are needed: score longer clips",
        Named(path.as_deref())
    )]
    AudioTooShort {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// The fewest samples accepted.
        expected: usize,
        /// Samples in the clip.
        found: usize,
    },

    /// A sample is NaN or infinite.
    #[error(
        "sample {index} of {} is {value}; every sample must be a finite number: check what produced the audio",
        Named(path.as_deref())
    )]
    NotFinite {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// Where the sample is in the clip.
        index: usize,
        /// NaN or an infinity.
        value: f32,
    },

    /// A sample is so far beyond full scale that the samples can't be in [-1, 1].
    #[error(
        "sample {index} of {} is {value}; samples are expected in [-1, 1]: divide integer samples by their full \
         scale, 32768 for 16 bits",
        Named(path.as_deref())
    )]
    Amplitude {
        /// The file, if the audio came from one.
        path: Option<PathBuf>,
        /// Where the sample is in the clip.
        index: usize,
        /// The sample.
        value: f32,
    },

    /// No model was given to the builder, and this build has none of its own.
    #[error(
        "no model was given: call `.model(\"model.onnx\")`, with a model made by bonafide-export, or build with the feature \
         `embedded-model`"
    )]
    NoModel,

    /// The model's file is damaged or is no ONNX.
    #[error("{model} is not a model that can be used: {reason}; export it again with bonafide-export")]
    InvalidModel {
        /// The model's file, or its size if it came from memory.
        model: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The graph's inputs or outputs are not those of a detector.
    #[error(
        "{model} is not a detector: expected {expected}, found {what} {found}; export a model with bonafide-export"
    )]
    ModelSignature {
        /// The model's file, or its size if it came from memory.
        model: String,
        /// `input` or `output`.
        what: &'static str,
        /// What a detector has.
        expected: String,
        /// What the graph has.
        found: String,
    },

    /// The model doesn't say something without which its scores could be wrong.
    #[error(
        "the model's metadata lacks `bonafide.{key}`: export it with bonafide-export, or say how the model is to be \
         used with `.metadata(..)`"
    )]
    ModelMetadataMissing {
        /// The entry, without its prefix `bonafide.`.
        key: &'static str,
    },

    /// The model says something that this version doesn't know.
    #[error(
        "the model's metadata has `bonafide.{key}` = {found:?}; expected {expected}: use a version of this crate that \
         knows the model, or export it again"
    )]
    ModelMetadata {
        /// The entry, without its prefix `bonafide.`.
        key: &'static str,
        /// The values that are known.
        expected: String,
        /// The value found.
        found: String,
    },

    /// A builder's setting is outside its range.
    #[error("{setting} is {found}; expected {expected}")]
    Setting {
        /// The builder's method.
        setting: &'static str,
        /// Its range.
        expected: &'static str,
        /// The value given.
        found: String,
    },

    /// ONNX Runtime was asked for, or is the only runtime of this build, and none could be loaded.
    #[error(
        "ONNX Runtime {MINIMUM} or newer was not found; tried{}\nrun scripts/onnxruntime.sh, or install it \
         (`pip install onnxruntime`) and set ORT_DYLIB_PATH to its library, or enable the feature `rten`, which needs \
         no library",
        Tried(tried)
    )]
    OnnxRuntimeNotFound {
        /// Every library tried, in order, and why it wouldn't do.
        tried: Vec<(PathBuf, String)>,
    },

    /// Another ONNX Runtime is already loaded: a process can have only one.
    #[error(
        "ONNX Runtime is already loaded from {}; a process can't load {} as well: give every detector the same path",
        loaded.display(), requested.display()
    )]
    OnnxRuntimeLoaded {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        requested: PathBuf,
    },

    /// The runtime asked for is not part of this build.
    #[error("the runtime {runtime} is not in this build: enable the feature {feature}")]
    RuntimeDisabled {
        /// The runtime asked for.
        runtime: &'static str,
        /// The features that provide it.
        feature: &'static str,
    },

    /// The execution provider asked for can't be had.
    #[error(
        "the execution provider {provider} can't be used: {reason}; fix that, or accept the processor with \
         `.allow_cpu_fallback()`"
    )]
    ProviderUnavailable {
        /// The execution provider asked for.
        provider: ExecutionProvider,
        /// Why it can't be had.
        reason: String,
    },

    /// A runtime failed to load or run the model.
    #[error("{runtime} could not {action}: {reason}")]
    Runtime {
        /// The runtime.
        runtime: &'static str,
        /// What it was asked to do.
        action: &'static str,
        /// What it said.
        reason: String,
    },

    /// A metric was asked for without trials of one of its classes.
    #[error("there are no {class} scores; every class needs at least one")]
    EmptyClass {
        /// `bonafide`, `spoof`, `target` or `nontarget`.
        class: &'static str,
    },

    /// A score can't be ranked or computed with.
    #[error("{class} score {index} is {value}; expected {expected}: check what produced the scores")]
    InvalidScore {
        /// `bonafide`, `spoof`, `target` or `nontarget`.
        class: &'static str,
        /// Where the score is among those given, or among the distinct ones in ascending order once they are sorted.
        index: usize,
        /// NaN or an infinity.
        value: f64,
        /// What is allowed.
        expected: &'static str,
    },

    /// The speaker verification scores leave t-DCF without meaning.
    #[error(
        "t-DCF is undefined with these ASV scores: the countermeasure's misses weigh {miss} and its false alarms \
         {false_alarm}; both must be positive: check the keys and the sign of the ASV scores"
    )]
    TandemCost {
        /// The weight of the countermeasure's misses.
        miss: f64,
        /// The weight of its false alarms.
        false_alarm: f64,
    },

    /// Scores have no best calibration.
    #[error("cannot calibrate: {reason}; use more trials, or other ones")]
    Calibration {
        /// What is wrong with the scores.
        reason: &'static str,
    },
}

impl Error {
    /// Names the file an audio error is about.
    pub(crate) fn in_file(mut self, file: &Path) -> Self {
        match &mut self {
            Self::UnsupportedAudio { path, .. }
            | Self::FormatDisabled { path, .. }
            | Self::InvalidAudio { path, .. }
            | Self::TruncatedAudio { path, .. }
            | Self::AudioTooLong { path, .. }
            | Self::EmptyAudio { path }
            | Self::AudioTooShort { path, .. }
            | Self::NotFinite { path, .. }
            | Self::Amplitude { path, .. }
            | Self::SampleRate { path, .. }
            | Self::Channels { path, .. } => *path = Some(file.to_owned()),
            Self::Read { path, .. } => file.clone_into(path),
            _ => {}
        }
        self
    }

    /// Moves the index of a sample that is in the way: that many samples came before.
    pub(crate) fn after(mut self, samples: u64) -> Self {
        if let Self::NotFinite { index, .. } | Self::Amplitude { index, .. } = &mut self {
            *index = index.saturating_add(usize::try_from(samples).unwrap_or(usize::MAX));
        }
        self
    }
}

/// A file by its path, and audio from memory as "the audio".
struct Named<'a>(Option<&'a Path>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => path.display().fmt(f),
            None => f.write_str("the audio"),
        }
    }
}

/// The libraries tried, one a line.
struct Tried<'a>(&'a [(PathBuf, String)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|(path, reason)| write!(f, "\n  {}: {reason}", path.display()))
    }
}

/// `std::result::Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
