//! What the integration tests share: the fixtures, and the runtimes there are.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(unreachable_pub, reason = "a module of test programs, which nothing else can reach")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod example;
#[cfg(unix)]
mod full_disk;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bonafide::{Audio, Detector, DetectorBuilder, Error, Runtime};
use bonafide_export::{Options, export};
use serde::Deserialize;
use tempfile::TempDir;

#[allow(unused_imports, reason = "each test uses its part")]
pub(crate) use example::example;
#[cfg(unix)]
#[allow(unused_imports, reason = "each test uses its part")]
pub(crate) use full_disk::on_a_full_disk;

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Ten seconds of real speech, mono, 16 kHz.
pub fn speech() -> Vec<f32> {
    Audio::read(fixture("speech.wav")).unwrap().to_model_input().unwrap()
}

/// A piece of [`speech`], as the scripts that make fixtures cut it.
#[derive(Deserialize)]
pub struct Clip {
    pub name: String,
    pub start: usize,
    pub len: usize,
    pub gain: f32,
    pub reverse: bool,
}

impl Clip {
    pub fn samples(&self, speech: &[f32]) -> Vec<f32> {
        let mut samples: Vec<f32> = speech[self.start..][..self.len].iter().map(|s| s * self.gain).collect();
        if self.reverse {
            samples.reverse();
        }
        samples
    }
}

/// A model exported from a checkpoint, in a folder that goes when it does.
pub struct Model {
    folder: TempDir,
}

impl Model {
    pub fn export(checkpoint: &str, options: &Options) -> Self {
        Self::export_from(&fixture("tiny").join(checkpoint), options)
    }

    /// A model exported from any checkpoint.
    pub fn export_from(checkpoint: &Path, options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        export(checkpoint, folder.path().join("model.onnx"), options, &mut |_| {}).unwrap();
        Self { folder }
    }

    /// The model that most tests use.
    pub fn tiny() -> Self {
        Self::export("tiny.pt", &Options::default())
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    pub fn detector(&self, runtime: Runtime) -> DetectorBuilder {
        Detector::builder().model(self.path()).runtime(runtime)
    }
}

/// The runtimes that this build and this machine have.
///
/// Where `BONAFIDE_REQUIRE_ONNXRUNTIME` is set, as in the second run of CI, ONNX Runtime must be among them.
pub fn runtimes() -> Vec<Runtime> {
    static RUNTIMES: LazyLock<Vec<Runtime>> = LazyLock::new(|| {
        let model = Model::tiny();
        let has = |runtime| match model.detector(runtime).build() {
            Ok(_) => true,
            Err(Error::OnnxRuntimeNotFound { .. } | Error::RuntimeDisabled { .. }) => false,
            Err(error) => panic!("{runtime}: {error}"),
        };
        let runtimes: Vec<Runtime> = [Runtime::OnnxRuntime, Runtime::Rten]
            .into_iter()
            .filter(|r| has(*r))
            .collect();
        if std::env::var_os("BONAFIDE_REQUIRE_ONNXRUNTIME").is_some() {
            assert!(runtimes.contains(&Runtime::OnnxRuntime), "ONNX Runtime was not found");
        } else if !runtimes.contains(&Runtime::OnnxRuntime) {
            eprintln!("ONNX Runtime was not found, so it is not tested; scripts/onnxruntime.sh fetches it");
        }
        runtimes
    });
    RUNTIMES.clone()
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Memory in use.
    pub kilobytes: usize,
    /// Open files and the like.
    pub files: usize,
}

#[cfg(target_os = "linux")]
impl Held {
    /// What it holds now; `None` once it has ended.
    pub fn by(pid: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(Self {
            kilobytes: resident.trim().strip_suffix(" kB")?.parse().ok()?,
            files: std::fs::read_dir(folder.join("fd")).ok()?.count(),
        })
    }
}
