//! The one error type of the crate.

use std::path::{Path, PathBuf};

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
    /// A file could not be written, for example because the disk is full.
    #[error(
        "cannot write {}: {source}; what was there before is untouched: make room and run the same command again, \
         which goes on where this run stopped",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line of a list is not as its format has it.
    #[error("{}:{line}: {fault}", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was expected and found.
        fault: String,
    },
    /// A list lacks something that training needs.
    #[error("{}: {fault}", path.display())]
    Data {
        /// The list.
        path: PathBuf,
        /// What is missing.
        fault: String,
    },
    /// Too many clips of a list can't be used.
    #[error(
        "{bad} of the {total} clips in {} can't be used, more than the {allowed} allowed; the first: {first}; mend the \
         list, or allow more with --max-bad",
        path.display()
    )]
    BadClips {
        /// The list.
        path: PathBuf,
        /// How many can't be used.
        bad: usize,
        /// How many clips there are.
        total: usize,
        /// How many may be unusable.
        allowed: usize,
        /// What is wrong with the first.
        first: String,
    },
    /// A `config.json`, a state or a list of noises is not as it should be.
    #[error("{}: {fault}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        fault: String,
    },
    /// A field of a network's shape has a value that can't be trained.
    #[error("config.json: {field} is {found}, expected {expected}")]
    Config {
        /// The field.
        field: &'static str,
        /// What is supported.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The weights lack a tensor, or one has another shape.
    #[error("{}: tensor `{name}` {fault}", path.display())]
    Tensor {
        /// The file of weights.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What was expected and found.
        fault: String,
    },
    /// The network has another number of trainable parameters than the recipe.
    #[error("{found} parameters would be trained, the recipe trains {expected}: the network is not wav2vec2-base's")]
    TrainableCount {
        /// What the recipe says.
        expected: usize,
        /// What the network has.
        found: usize,
    },
    /// The loss, a gradient or a score stopped being a number.
    #[error("{what} became {value} in epoch {epoch}, step {step}: lower the learning rate")]
    Diverged {
        /// What it was.
        what: &'static str,
        /// NaN or an infinity.
        value: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// The step within it, from 0.
        step: usize,
    },
    /// The folder holds the run of another command.
    #[error(
        "{} holds a run with other settings ({field}: {found} there, {expected} now); give another --out, or delete it",
        path.display()
    )]
    OtherRun {
        /// The folder.
        path: PathBuf,
        /// The setting that differs.
        field: String,
        /// What it is now.
        expected: String,
        /// What it is in the folder.
        found: String,
    },
    /// The folder holds a run on other data than there is now.
    #[error(
        "{} holds a run that began on other data: {what} changed since; put it back, give another --out, or delete the \
         folder",
        path.display()
    )]
    OtherData {
        /// The folder.
        path: PathBuf,
        /// What is not what it was.
        what: String,
    },
    /// A setting is out of range.
    #[error("{setting} is {found}, expected {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The run was asked to stop, and can be resumed.
    #[error("stopped after {0} steps, as asked; run the same command again to go on")]
    Stopped(usize),
    /// Audio could not be read.
    #[error(transparent)]
    Audio(#[from] bonafide::Error),
    /// A checkpoint could not be read or exported.
    #[error(transparent)]
    Export(#[from] bonafide_export::Error),
    /// The frozen part of the network could not be run.
    #[error("{runtime} could not run the frozen part: {reason}")]
    Runtime {
        /// The runtime.
        runtime: &'static str,
        /// What it said.
        reason: String,
    },
    /// The tensor library failed.
    #[error("tensors: {0}")]
    Candle(#[from] candle_core::Error),
    /// A plot could not be drawn.
    #[error("cannot draw the curves: {0}")]
    Plot(String),
}

impl Error {
    /// An error about reading a file.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// An error about writing a file.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }
}

/// `std::result::Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
