//! A short book: from the first verdict to a service.
//!
//! 1. [Quick start](quick_start): a verdict on a file, on samples, on a stream.
//! 2. [Concepts](concepts): windows, P(spoof), the log-likelihood ratio, the threshold, notes.
//! 3. [Choosing a threshold](choosing_a_threshold), from recordings of your own.
//! 4. [Deploying](deploying): runtimes, threads, memory, containers.
//! 5. [GPUs](gpu): CUDA and TensorRT.
//! 6. [Exporting](exporting): from a PyTorch checkpoint to a model.
//! 7. [Evaluating](evaluating): how good a detector is, and where.
//! 8. [Security](security): what holds for hostile input, and what doesn't.
//! 9. [Questions](questions) that come up again and again.
//!
//! This module has no code: it is there in the documentation only.

#[doc = include_str!("guide/quick_start.md")]
pub mod quick_start {}

#[doc = include_str!("guide/concepts.md")]
pub mod concepts {}

#[doc = include_str!("guide/choosing_a_threshold.md")]
pub mod choosing_a_threshold {}

#[doc = include_str!("guide/deploying.md")]
pub mod deploying {}

#[doc = include_str!("../docs/gpu.md")]
pub mod gpu {}

#[doc = include_str!("guide/exporting.md")]
pub mod exporting {}

#[doc = include_str!("guide/evaluating.md")]
pub mod evaluating {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("guide/questions.md")]
pub mod questions {}
