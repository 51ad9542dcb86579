//! What the integration tests share: the fixtures, and the runtimes there are.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(unreachable_pub, reason = "a module of test programs, which nothing else can reach")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use bonafide::{Audio, Detector, DetectorBuilder, Error, Runtime};
use bonafide_export::{Options, export};
use tempfile::TempDir;

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

/// The program of an example. `cargo test` builds the examples anew; a single test that is run without them takes the one
/// there is, or builds it.
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile
        .join("examples")
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !program.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", name])
            .status()
            .unwrap();
        assert!(built.success());
    }
    program
}
