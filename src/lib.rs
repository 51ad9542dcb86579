//! Tells real speech from synthetic speech.
//!
//! ```
//! use bonafide::Detector;
//!
//! # #[cfg(all(feature = "embedded-model", feature = "rten"))] {
//! let detector = Detector::new()?; // the small model that comes with the crate
//! let score = detector.score_file("tests/fixtures/speech.wav")?; // any supported file, rate and channel count
//! println!("{:.3} {}", score.spoof_probability, score.label);
//!
//! let samples: Vec<f32> = vec![0.0; 64_000]; // or your own: mono, 16 kHz, in [-1, 1]
//! let score = detector.score(&samples)?;
//! # }
//! # Ok::<(), bonafide::Error>(())
//! ```
//!
//! [`Detector::new`] has a small model, for trying things out and for first passes over much audio; the
//! [model card](https://github.com/bonafide-rs/bonafide/blob/main/models/README.md) says how good it is. For verdicts that matter
//! give [`Detector::builder`] a large one: a fine-tuned wav2vec2, exported to ONNX from its PyTorch checkpoint by
//! `bonafide-export`, which needs no Python. A clip is cut into overlapping windows of 4 s, each window is scored, and the
//! clip's P(spoof) is their mean.
//!
//! The `guide` module of the documentation is a short book: concepts, choosing a threshold, deploying, GPUs, exporting,
//! evaluating, security, and questions that come up again and again.
//!
//! # What a score means
//!
//! - [`Score::spoof_probability`] is always P(spoof): 0 is a person, 1 a machine. It is what the model believes, not a
//!   calibrated probability.
//! - [`Score::llr`] runs the other way, as in the field's score files: higher is more bona fide. It does not saturate,
//!   so rank clips by it.
//! - [`Score::notes`] tells when there was little to go by: a very short clip, silence, clipping, a telephone's band. Where
//!   there is no speech at all, [`Score::verdict`] is none.
//! - [`Score::windows`] tells where in the clip the model heard something.
//!
//! # Runtimes
//!
//! A [`Detector`] runs on ONNX Runtime if it finds its library, and else on rten, which is part of this crate. Both give
//! the same probabilities within 1e-4. [`Detector::info`] tells which one is in use. ONNX Runtime is looked for in
//!
//! 1. the path given to [`DetectorBuilder::onnxruntime_library`], and then nowhere else,
//! 2. the environment variable `ORT_DYLIB_PATH`,
//! 3. the folder of the executable,
//! 4. `target/onnxruntime`, where `scripts/onnxruntime.sh` puts it,
//! 5. the system's loader path.
//!
//! Version 1.17 or newer is needed. A process loads it once, and no telemetry is sent. [`DetectorBuilder::runtime`]
//! forces one or the other.
//!
//! A GPU is used when [asked for](DetectorBuilder::execution_provider), never by surprise, and a GPU that can't be had is
//! an error, not a slow success, unless you [allow that](DetectorBuilder::allow_cpu_fallback).
//!
//! # Features
//!
//! | feature | default | what it adds | what it pulls in |
//! |---|---|---|---|
//! | `load-dynamic` | yes | ONNX Runtime, loaded at run time | `ort`, `libloading` |
//! | `rten` | yes | a runtime in pure Rust, for where there is no ONNX Runtime | `rten`, `rten-tensor` |
//! | `formats` | yes | FLAC, MP3, Ogg Vorbis and AAC-LC in M4A; WAV needs no feature | `symphonia` |
//! | `embedded-model` | yes | [`Detector::new`]: a small model inside the program | 5 MB |
//! | `serde` | no | `Serialize` for scores, [`Info`] and [`metrics::Summary`]; scores also `Deserialize` | `serde` |
//! | `cuda` | no | NVIDIA GPUs through CUDA; implies `load-dynamic` | nothing more |
//! | `tensorrt` | no | NVIDIA GPUs through TensorRT; implies `cuda` | nothing more |
//! | `download-binaries` | no | ONNX Runtime linked in: downloads it when building. Turn the default features off, as `load-dynamic` goes first | `ort` with a TLS stack |
//!
//! Without `load-dynamic`, `download-binaries` and `rten` there is no runtime: the [`Windows`] and [`Audio`] utilities
//! work, and building a detector is an error.
//!
//! # Audio
//!
//! [`Detector::score`] takes mono samples at 16 kHz in [-1, 1]; other amplitudes and non-finite samples are errors.
//! [`Audio`] decodes and resamples anything else. [`Windowing`] is the cutting alone, for use without a model.
//!
//! # Metrics
//!
//! [`metrics`] has the field's figures for a set of scored trials: equal error rates, tandem detection costs, `Cllr`,
//! curves, confidence intervals and calibration. It needs no runtime.
//!
//! # Errors and limits
//!
//! Bad input never panics: each [`enum@Error`] says what was expected, what was found and what to do. Audio is decoded
//! within bounds on rate, channels and length, whatever a header claims; [`Limits`] lowers them. A model file is checked
//! from the outside before a runtime sees it, but its graph is a program: run only models you trust.

mod audio;
mod detector;
mod error;
#[cfg(any(doc, doctest))]
pub mod guide;
mod many;
pub mod metrics;
mod model;
mod quality;
mod runtime;
mod score;
mod stream;
mod windows;

pub use audio::{Audio, AudioReader, Limits, Resampler, SAMPLE_RATE, resample};
pub use detector::{Detector, DetectorBuilder, Info, MIN_SAMPLES};
pub use error::{Error, Result};
pub use many::Scores;
pub use model::{ModelMetadata, Normalization};
pub use quality::{Note, Quality};
pub use runtime::{ExecutionProvider, Runtime};
pub use score::{Label, Score, WindowScore};
pub use stream::Stream;
pub use windows::{Tail, Window, Windowing, Windows};

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
