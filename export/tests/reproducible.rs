//! A checkpoint gives the same bytes in every process, on any number of threads, from any folder.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What a process of its own exports.
fn exported(checkpoint: &Path, threads: usize, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    let output = Command::new(env!("CARGO_BIN_EXE_bonafide-export"))
        .arg(checkpoint)
        .arg(&out)
        .args(arguments)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .env("RTEN_NUM_THREADS", threads.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(out).unwrap()
}

#[test]
fn runs_threads_and_folders_change_no_byte() {
    for checkpoint in [
        "tests/fixtures/tiny",
        "tests/fixtures/layouts/wavlm_large",
        "tests/fixtures/layouts/antideepfake_base",
        "models/lite",
    ] {
        let folder = repository(checkpoint);
        // The published layout's folder has many checkpoints.
        let file = if checkpoint.ends_with("tiny") { "tiny.pt" } else { "" };
        let elsewhere = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), elsewhere.path().join(entry.file_name())).unwrap();
        }
        let mut models = Vec::new();
        for precision in ["f32", "f16", "int8"] {
            let arguments = ["--precision", precision];
            let first = exported(&folder.join(file), 1, &arguments);
            for threads in [1, 2, 7] {
                let again = exported(&elsewhere.path().join(file), threads, &arguments);
                assert!(first == again, "{checkpoint} in {precision} on {threads} threads");
            }
            models.push(first);
        }
        assert!(models[0] != models[1] && models[1] != models[2], "{checkpoint}");
    }
}

/// A model's bytes before and after the version of the exporter that wrote it, which a release may change.
fn around_version(model: &[u8]) -> (&[u8], &[u8]) {
    let key = b"bonafide.exporter_version";
    let start = model.windows(key.len()).position(|bytes| bytes == key).unwrap();
    // Tags and lengths of protobuf: four bytes of the entry before the key, two before the value.
    let (value, length) = (start + key.len() + 2, usize::from(model[start + key.len() + 1]));
    (&model[..start - 4], &model[value + length..])
}

#[test]
fn the_model_inside_bonafide_is_that_of_its_checkpoint() {
    let card = fs::read_to_string(repository("models/README.md")).unwrap();
    let (_, rest) = card.split_once("llr = ").unwrap();
    let (scale, rest) = rest.split_once(" · score + ").unwrap();
    let (offset, _) = rest.split_once(',').unwrap();
    let model = exported(
        &repository("models/lite"),
        1,
        &["--calibration", &format!("{scale},{offset}")],
    );
    let shipped = fs::read(repository("models/lite.onnx")).unwrap();
    assert!(around_version(&model) == around_version(&shipped));
}
