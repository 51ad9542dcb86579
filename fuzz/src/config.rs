//! JSON beside weights: `config.json`, `preprocessor_config.json`, and the index of shards.

use std::fs;
use std::path::{Path, PathBuf};

use bonafide_export::checkpoint::Checkpoint;
use bonafide_export::{Config, Options, export};

/// The first byte says what the rest is.
pub fn config(data: &[u8]) {
    let Some((kind, json)) = data.split_first() else {
        return;
    };
    match kind {
        b'w' => {
            read(json);
            beside("layouts/wav2vec2_base", "config.json", json);
        }
        b'm' => beside("layouts/wavlm_base", "config.json", json),
        b'a' => beside("layouts/antideepfake_base", "config.json", json),
        b'l' => beside("lite", "config.json", json),
        b'p' => beside("layouts/hubert_base", "preprocessor_config.json", json),
        b'i' => {
            let folder = folder("sources/sharded", "model.safetensors.index.json", json);
            if let Ok(checkpoint) = Checkpoint::open(folder.path()) {
                let weights: u64 = checkpoint.tensors().map(|(_, tensor)| tensor.bytes()).sum();
                assert!(weights <= checkpoint.files().map(|(_, len)| len).sum());
            }
        }
        _ => {}
    }
}

/// What is accepted can be written and read again, and its sizes can be asked for.
fn read(json: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), json).unwrap();
    match Config::read(file.path()) {
        Ok(config) => {
            let field = config.receptive_field();
            assert_eq!(
                config.frames(field - 1),
                0,
                "fewer samples than a frame needs make none"
            );
            assert!(
                field == usize::MAX || config.frames(field) == 1,
                "as many as a frame needs make one"
            );
            let written = serde_json::to_vec(&config).unwrap();
            assert_eq!(serde_json::from_slice::<Config>(&written).unwrap(), config);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A checkpoint beside such a file is exported or refused.
fn beside(fixture: &str, name: &str, json: &[u8]) {
    let folder = folder(fixture, name, json);
    let out = folder.path().join("model.onnx");
    match export(folder.path(), &out, &Options::default(), &mut |_| {}) {
        Ok(summary) => {
            assert_eq!(summary.bytes, fs::metadata(&out).unwrap().len());
            assert!(summary.frames > 0, "a window has frames");
        }
        Err(error) => assert!(!error.to_string().is_empty() && !out.exists()),
    }
}

/// A folder with the files of a fixture, and `json` in place of one.
fn folder(fixture: &str, name: &str, json: &[u8]) -> tempfile::TempDir {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(fixture);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), json).unwrap();
    let files: Vec<PathBuf> = fs::read_dir(fixture)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    for file in files.iter().filter(|file| file.file_name().unwrap() != name) {
        std::os::unix::fs::symlink(file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    folder
}
