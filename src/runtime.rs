//! What runs a model: ONNX Runtime or rten, behind one small trait.

#[cfg(feature = "load-dynamic")]
mod discovery;
#[cfg(any(feature = "load-dynamic", feature = "download-binaries"))]
mod onnxruntime;
#[cfg(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten"))]
mod pool;
#[cfg(feature = "rten")]
mod rten;

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ndarray::ArrayView2;

use crate::model::Model;
use crate::{Error, Result};

/// Which runtime executes the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Runtime {
    /// ONNX Runtime if its library is found, else rten.
    #[default]
    Auto,
    /// ONNX Runtime, through `ort`: the fastest, and the only one that can use a GPU.
    OnnxRuntime,
    /// rten, in pure Rust: no library needed, processor only.
    Rten,
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Auto => "auto",
            Self::OnnxRuntime => "onnxruntime",
            Self::Rten => "rten",
        })
    }
}

/// The hardware that runs the model. All but the processor need ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ExecutionProvider {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU through CUDA. Needs the feature `cuda` and a CUDA build of ONNX Runtime.
    Cuda {
        /// Which GPU, from 0.
        device: u32,
    },
    /// An NVIDIA GPU through TensorRT. Needs the feature `tensorrt` and a TensorRT build of ONNX Runtime.
    TensorRt {
        /// Which GPU, from 0.
        device: u32,
        /// A folder where built engines are kept: building one takes minutes, loading it seconds.
        engine_cache: Option<PathBuf>,
    },
}

impl fmt::Display for ExecutionProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.pad("cpu"),
            Self::Cuda { device } => f.pad(&format!("cuda:{device}")),
            Self::TensorRt { device, .. } => f.pad(&format!("tensorrt:{device}")),
        }
    }
}

/// What a model is to be run with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) runtime: Runtime,
    pub(crate) provider: ExecutionProvider,
    pub(crate) allow_cpu_fallback: bool,
    pub(crate) onnxruntime_library: Option<PathBuf>,
    pub(crate) intra_threads: Option<NonZeroUsize>,
    pub(crate) sessions: Option<NonZeroUsize>,
    pub(crate) gpu_memory_limit: Option<usize>,
    pub(crate) tensorrt_fp16: bool,
}

/// A model of fewer bytes is small: its products are too small to be shared out. Measured on two cores, with one thread in
/// each of two sessions instead of two threads in one: 3 MB, 1.15 times as fast on ONNX Runtime and 1.08 times on rten;
/// 378 MB, no difference.
#[cfg(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten"))]
const SMALL: u64 = 32 << 20;

/// Most sessions that are made unasked: on ONNX Runtime each takes its time to make.
#[cfg(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten"))]
const MOST_SESSIONS: usize = 8;

impl Settings {
    /// How many runs may go on at once, and threads for each of them.
    #[cfg(any(feature = "load-dynamic", feature = "download-binaries", feature = "rten"))]
    fn sessions_and_threads(&self, model: &Model) -> (usize, usize) {
        // Hyper-threads only get in each other's way in matrix products.
        let available = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = available.min(num_cpus::get_physical()).max(1);
        let asked_for = (
            self.sessions.map(NonZeroUsize::get),
            self.intra_threads.map(NonZeroUsize::get),
        );
        let small = self.provider == ExecutionProvider::Cpu && model.source.bytes().is_some_and(|bytes| bytes < SMALL);
        let sessions = match asked_for {
            (Some(sessions), _) => sessions,
            (None, None) if small => cores.min(MOST_SESSIONS),
            (None, _) => 1,
        };
        (sessions, asked_for.1.unwrap_or((cores / sessions).max(1)))
    }
}

/// A loaded model.
pub(crate) trait Engine: Send + Sync {
    /// The logits of each window, in the model's order. `windows` is `[n, window_samples]` in standard layout; the
    /// number of windows is one that the model takes.
    fn run(&self, windows: ArrayView2<'_, f32>) -> Result<Vec<[f32; 2]>>;
}

/// A loaded model, and what it really runs on.
pub(crate) struct Loaded {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) runtime: Runtime,
    pub(crate) version: String,
    pub(crate) provider: ExecutionProvider,
    pub(crate) library: Option<PathBuf>,
    pub(crate) intra_threads: usize,
    pub(crate) sessions: usize,
    /// Why this is not what would have been preferred.
    pub(crate) fallback: Option<String>,
}

/// Loads `model` on the runtime and the provider that `settings` ask for.
pub(crate) fn load(model: &Model, settings: &Settings) -> Result<Loaded> {
    let fallback = match settings.runtime {
        Runtime::OnnxRuntime => return onnxruntime(model, settings),
        Runtime::Rten => provider_without_onnxruntime(settings, "the runtime rten runs on the processor only")?,
        Runtime::Auto => match onnxruntime(model, settings) {
            // A library that the caller names is not replaced behind their back.
            Err(Error::OnnxRuntimeNotFound { tried })
                if cfg!(feature = "rten") && settings.onnxruntime_library.is_none() =>
            {
                let mut reason = "ONNX Runtime was not found".to_owned();
                // The first place is the environment's, if it names one; the others are only guesses.
                if let Some((path, why)) = tried.first().filter(|_| std::env::var_os("ORT_DYLIB_PATH").is_some()) {
                    reason = format!("{reason}: {}: {why}", path.display());
                }
                provider_without_onnxruntime(settings, &reason)?;
                tracing::warn!("using rten: {}", Error::OnnxRuntimeNotFound { tried });
                Some(reason)
            }
            Err(Error::RuntimeDisabled { .. }) => {
                provider_without_onnxruntime(settings, "ONNX Runtime is not in this build")?
            }
            loaded => return loaded,
        },
    };
    let mut loaded = rten(model, settings)?;
    loaded.fallback = fallback;
    Ok(loaded)
}

/// A GPU needs ONNX Runtime. Without it, this is an error, or the reason for the fall-back that the caller allowed.
fn provider_without_onnxruntime(settings: &Settings, reason: &str) -> Result<Option<String>> {
    if settings.provider == ExecutionProvider::Cpu {
        return Ok(None);
    }
    fall_back_to_cpu(settings, reason.to_owned()).map(Some)
}

/// The provider asked for can't be had: an error, unless the caller allowed the processor instead.
fn fall_back_to_cpu(settings: &Settings, reason: String) -> Result<String> {
    let provider = settings.provider.clone();
    if !settings.allow_cpu_fallback {
        return Err(Error::ProviderUnavailable { provider, reason });
    }
    tracing::warn!("using the processor: {provider} can't be used: {reason}");
    Ok(format!("{provider} can't be used: {reason}"))
}

#[cfg(any(feature = "load-dynamic", feature = "download-binaries"))]
fn onnxruntime(model: &Model, settings: &Settings) -> Result<Loaded> {
    onnxruntime::load(model, settings)
}

#[cfg(not(any(feature = "load-dynamic", feature = "download-binaries")))]
fn onnxruntime(_: &Model, _: &Settings) -> Result<Loaded> {
    Err(Error::RuntimeDisabled {
        runtime: "onnxruntime",
        feature: "`load-dynamic` or `download-binaries`",
    })
}

#[cfg(feature = "rten")]
fn rten(model: &Model, settings: &Settings) -> Result<Loaded> {
    rten::load(model, settings)
}

#[cfg(not(feature = "rten"))]
fn rten(_: &Model, _: &Settings) -> Result<Loaded> {
    Err(Error::RuntimeDisabled {
        runtime: "rten",
        feature: "`rten`",
    })
}
