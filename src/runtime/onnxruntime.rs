//! ONNX Runtime, through `ort`.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndarray::ArrayView2;
use ort::environment::Environment;
use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorRef;

use super::pool::Pool;
use super::{Engine, ExecutionProvider, Loaded, Runtime, Settings, fall_back_to_cpu};
use crate::model::{Model, ModelSource};
use crate::{Error, Result};

struct OnnxRuntime {
    /// A session runs one batch at a time.
    sessions: Pool<Session>,
    input: String,
    output: String,
}

pub(super) fn load(model: &Model, settings: &Settings) -> Result<Loaded> {
    let process = process(settings.onnxruntime_library.as_deref())?;
    let (count, intra_threads) = settings.sessions_and_threads(model);
    let sessions = |provider: &ExecutionProvider| {
        let one = || session(&process.environment, model, settings, provider, intra_threads);
        (0..count).map(|_| one()).collect::<Result<Vec<_>>>()
    };
    let mut provider = settings.provider.clone();
    let mut fallback = None;
    let sessions = match sessions(&provider) {
        Err(Error::ProviderUnavailable { reason, .. }) => {
            fallback = Some(fall_back_to_cpu(settings, reason)?);
            provider = ExecutionProvider::Cpu;
            sessions(&provider)
        }
        sessions => sessions,
    }?;
    Ok(Loaded {
        engine: Box::new(OnnxRuntime {
            sessions: Pool::new(sessions),
            input: model.input.clone(),
            output: model.output.clone(),
        }),
        runtime: Runtime::OnnxRuntime,
        version: process.version,
        provider,
        library: process.library,
        intra_threads,
        sessions: count,
        fallback,
    })
}

impl Engine for OnnxRuntime {
    fn run(&self, windows: ArrayView2<'_, f32>) -> Result<Vec<[f32; 2]>> {
        let action = "run the model";
        let count = windows.nrows();
        let input = TensorRef::from_array_view(windows).map_err(|error| failed(action, &error))?;
        let mut session = self.sessions.take();
        let outputs = session
            .run(ort::inputs![self.input.as_str() => input])
            .map_err(|error| failed(action, &error))?;
        let (shape, logits) = outputs
            .get(&self.output)
            .ok_or_else(|| failed(action, &"it gave no output"))?
            .try_extract_tensor::<f32>()
            .map_err(|error| failed(action, &error))?;
        let (pairs, rest) = logits.as_chunks::<2>();
        if pairs.len() != count || !rest.is_empty() {
            return Err(failed(action, &format!("it gave an output of {shape:?}")));
        }
        Ok(pairs.to_vec())
    }
}

/// The one ONNX Runtime of the process.
#[derive(Clone)]
struct Process {
    environment: Environment,
    version: String,
    /// The library's path; `None` when it is linked into the program.
    library: Option<PathBuf>,
}

/// Loads ONNX Runtime into the process, unless it is there already. It then stays until the process ends.
fn process(explicit: Option<&Path>) -> Result<Process> {
    static PROCESS: Mutex<Option<Process>> = Mutex::new(None);
    let mut loaded = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(process) = &*loaded {
        if let (Some(requested), Some(library)) = (explicit, &process.library)
            && !same_file(requested, library)
        {
            return Err(Error::OnnxRuntimeLoaded {
                loaded: library.clone(),
                requested: requested.to_owned(),
            });
        }
        return Ok(process.clone());
    }
    forbid_telemetry();
    let process = start(explicit)?;
    *loaded = Some(process.clone());
    Ok(process)
}

/// Keeps ONNX Runtime's builds of Microsoft from reporting to Microsoft.
///
/// Elsewhere than on Windows those of 2026 do so from their first moment on, and look at this variable alone, at that
/// moment: `with_telemetry(false)` comes too late.
#[allow(unsafe_code, reason = "the library can't be told otherwise")]
fn forbid_telemetry() {
    const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";
    if std::env::var_os(VARIABLE).is_some_and(|value| value == "1") {
        return;
    }
    // SAFETY: the caller lets in one thread at a time. What is left is other code that changes or reads the environment at
    // this very moment, and not through Rust: `docs/security.md` tells how to rule that out.
    unsafe { std::env::set_var(VARIABLE, "1") };
}

#[cfg(feature = "load-dynamic")]
fn start(explicit: Option<&Path>) -> Result<Process> {
    // A path that can't be made absolute, such as an empty one, is tried as it is: it must not become a search.
    let explicit = explicit.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let library = super::discovery::find(explicit.as_deref()).map_err(|tried| Error::OnnxRuntimeNotFound { tried })?;
    let environment = ort::init_from(&library.path)
        .map_err(|error| failed("load its library", &error))?
        .with_name(env!("CARGO_PKG_NAME"))
        .with_telemetry(false)
        .build()
        .map_err(|error| failed("start", &error))?;
    tracing::info!("ONNX Runtime {} from {}", library.version, library.path.display());
    Ok(Process {
        environment,
        version: library.version,
        library: Some(library.path),
    })
}

#[cfg(not(feature = "load-dynamic"))]
fn start(_: Option<&Path>) -> Result<Process> {
    let environment = ort::init()
        .with_name(env!("CARGO_PKG_NAME"))
        .with_telemetry(false)
        .build()
        .map_err(|error| failed("start", &error))?;
    Ok(Process {
        environment,
        version: linked_version(),
        library: None,
    })
}

/// The version of the ONNX Runtime that is linked into the program.
#[cfg(not(feature = "load-dynamic"))]
#[allow(unsafe_code, reason = "ONNX Runtime tells its version through its C interface only")]
fn linked_version() -> String {
    // SAFETY: the function takes nothing and returns a pointer to a static table, whose second entry returns a static
    // string that ends in NUL.
    let version = unsafe { std::ffi::CStr::from_ptr(((*ort::sys::OrtGetApiBase()).GetVersionString)()) };
    version.to_string_lossy().into_owned()
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn session(
    environment: &Environment,
    model: &Model,
    settings: &Settings,
    provider: &ExecutionProvider,
    intra_threads: usize,
) -> Result<Session> {
    let unavailable = |error: &dyn std::fmt::Display| Error::ProviderUnavailable {
        provider: provider.clone(),
        reason: error.to_string(),
    };
    let mut builder = options(environment, intra_threads)
        .map_err(|error| failed("be configured", &error))?
        .with_execution_providers(execution_providers(provider, settings)?)
        .map_err(|error| unavailable(&error))?;
    let session = match &model.source {
        ModelSource::File(path) => builder.commit_from_file(path),
        ModelSource::Bytes(bytes) => builder.commit_from_memory(bytes),
        ModelSource::Embedded(bytes) => builder.commit_from_memory(bytes),
    };
    session.map_err(|error| match provider {
        ExecutionProvider::Cpu => failed("load the model", &error),
        // With a GPU a driver or memory is as likely at fault as the model, and the fall-back will tell.
        _ => unavailable(&error),
    })
}

fn options(environment: &Environment, intra_threads: usize) -> ort::Result<SessionBuilder> {
    // The graph is one chain of operators: parallelism lies within an operator, never between two.
    Ok(Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(intra_threads)?
        .with_inter_threads(1)?
        // A plan of memory made in the first run lies beside what that run took: 52 MB of 743 at full size, for no gain in
        // speed that could be measured.
        .with_memory_pattern(false)?)
}

/// What to register for a provider, the preferred first; nothing for the processor. Each must register or fail.
#[cfg_attr(
    not(feature = "cuda"),
    allow(unused_variables, reason = "the settings are for GPUs only")
)]
fn execution_providers(provider: &ExecutionProvider, settings: &Settings) -> Result<Vec<ExecutionProviderDispatch>> {
    match provider {
        ExecutionProvider::Cpu => Ok(Vec::new()),
        #[cfg(feature = "cuda")]
        ExecutionProvider::Cuda { device } => Ok(vec![cuda(device_id(*device, provider)?, settings)]),
        #[cfg(feature = "tensorrt")]
        ExecutionProvider::TensorRt { device, engine_cache } => {
            let device = device_id(*device, provider)?;
            let mut tensorrt = ort::ep::TensorRT::default()
                .with_device_id(device)
                .with_fp16(settings.tensorrt_fp16);
            if let Some(bytes) = settings.gpu_memory_limit {
                tensorrt = tensorrt.with_max_workspace_size(bytes);
            }
            if let Some(folder) = engine_cache {
                tensorrt = tensorrt
                    .with_engine_cache(true)
                    .with_engine_cache_path(folder.display())
                    .with_timing_cache(true)
                    .with_timing_cache_path(folder.display());
            }
            // What TensorRT can't take goes to CUDA, and not to the processor.
            Ok(vec![tensorrt.build().error_on_failure(), cuda(device, settings)])
        }
        #[cfg(not(feature = "cuda"))]
        ExecutionProvider::Cuda { .. } => Err(lacks_feature(provider, "cuda")),
        #[cfg(not(feature = "tensorrt"))]
        ExecutionProvider::TensorRt { .. } => Err(lacks_feature(provider, "tensorrt")),
    }
}

#[cfg(feature = "cuda")]
fn cuda(device: i32, settings: &Settings) -> ExecutionProviderDispatch {
    let mut cuda = ort::ep::CUDA::default().with_device_id(device);
    if let Some(bytes) = settings.gpu_memory_limit {
        cuda = cuda.with_memory_limit(bytes);
    }
    cuda.build().error_on_failure()
}

#[cfg(not(feature = "tensorrt"))]
fn lacks_feature(provider: &ExecutionProvider, feature: &str) -> Error {
    Error::ProviderUnavailable {
        provider: provider.clone(),
        reason: format!("this build lacks the feature `{feature}`"),
    }
}

/// ONNX Runtime counts GPUs in `i32`.
#[cfg(feature = "cuda")]
fn device_id(device: u32, provider: &ExecutionProvider) -> Result<i32> {
    i32::try_from(device).map_err(|error| Error::ProviderUnavailable {
        provider: provider.clone(),
        reason: format!("GPU {device}: {error}"),
    })
}

fn failed(action: &'static str, reason: &dyn std::fmt::Display) -> Error {
    Error::Runtime {
        runtime: "onnxruntime",
        action,
        reason: reason.to_string(),
    }
}
