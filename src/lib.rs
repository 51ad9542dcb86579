//! Tells real speech from synthetic speech.
mod audio;
mod detector;
mod error;
mod model;
mod runtime;
mod score;
mod windows;

pub use audio::{Audio, SAMPLE_RATE, resample};
pub use detector::{Detector, DetectorBuilder, Info, MIN_SAMPLES};
pub use error::{Error, Result};
pub use model::{ModelMetadata, Normalization};
pub use runtime::{ExecutionProvider, Runtime};
pub use score::{Label, Note, Score, WindowScore};
pub use windows::{Tail, Window, Windowing, Windows};
