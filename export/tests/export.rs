//! What is exported, and what is refused. That the graphs compute what PyTorch does is shown by `tests/parity.rs` of
//! the workspace's root package.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide_export::{Batch, Error, Options, Summary, export};
use tempfile::TempDir;

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/tiny")
        .join(name)
}

/// Exports into a new folder.
fn export_tiny(name: &str, options: &Options) -> Result<(TempDir, Vec<u8>, Summary), Error> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    let summary = export(tiny(name), &out, options, &mut |_| {})?;
    let bytes = std::fs::read(&out).unwrap();
    Ok((folder, bytes, summary))
}

/// Options with the tiny network's config, one field of it changed.
fn with_config(folder: &TempDir, field: &str, value: serde_json::Value) -> Options {
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(tiny("config.json")).unwrap()).unwrap();
    config[field] = value;
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let mut options = Options::default();
    options.config = Some(path);
    options
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let (_, first, summary) = export_tiny("tiny.pt", &Options::default()).unwrap();
    let (_, second, _) = export_tiny("tiny.pt", &Options::default()).unwrap();
    assert_eq!(first, second);
    assert_eq!(summary.bytes, first.len() as u64);
    assert_eq!(summary.parameters, 12_778);
    assert_eq!(summary.frames, 199);
}

#[test]
fn how_the_weights_are_stored_does_not_matter() {
    // The same weights, so the same file but for the entries that name the source.
    let weights = |name: &str| {
        let (_, bytes, _) = export_tiny(name, &Options::default()).unwrap();
        let graph = bytes.windows(8).position(|window| window == b"waveform").unwrap();
        bytes[graph..].to_vec()
    };
    let expected = weights("tiny.pt");
    for name in [
        "tiny_weight_norm.pt",
        "tiny_strided.pt",
        "tiny_bare.pt",
        "tiny_numpy.pt",
    ] {
        assert!(weights(name) == expected, "{name}");
    }
    assert!(weights("tiny_f16.pt") != expected);
}

#[test]
fn metadata_says_how_to_use_the_model_and_where_it_is_from() {
    let (_, _, summary) = export_tiny("tiny.pt", &Options::default()).unwrap();
    let get = |key: &str| {
        let found = summary.metadata.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.as_str())
    };
    for (key, value) in [
        ("bonafide.format_version", "1"),
        ("bonafide.architecture", "wav2vec2"),
        ("bonafide.sample_rate", "16000"),
        ("bonafide.window_samples", "64000"),
        ("bonafide.hop_samples", "32000"),
        ("bonafide.labels", "bonafide,spoof"),
        ("bonafide.normalization", "none"),
        ("bonafide.threshold", "0.5"),
        ("bonafide.source_file", "tiny.pt"),
        ("bonafide.epoch", "9"),
        ("bonafide.dev_eer", "0.5"),
        ("bonafide.exporter_version", env!("CARGO_PKG_VERSION")),
    ] {
        assert_eq!(get(key), Some(value), "{key}");
    }
    let sha256sum = Command::new("sha256sum").arg(tiny("tiny.pt")).output();
    if let Ok(output) = sha256sum {
        let expected = String::from_utf8(output.stdout).unwrap();
        assert_eq!(get("bonafide.source_sha256"), expected.split(' ').next());
    }

    let (_, _, bare) = export_tiny("tiny_bare.pt", &Options::default()).unwrap();
    assert!(
        bare.metadata
            .iter()
            .all(|(key, _)| key != "bonafide.epoch" && key != "bonafide.dev_eer")
    );
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut reports = Vec::new();
    let out = folder.path().join("model.onnx");
    export(tiny("tiny.pt"), out, &Options::default(), &mut |progress| {
        reports.push(progress);
    })
    .unwrap();
    assert!(reports.windows(2).all(|pair| pair[0].done <= pair[1].done));
    let last = reports.last().unwrap();
    assert_eq!(last.done, last.total);
}

#[test]
fn weights_can_go_to_a_file_of_their_own() {
    let inline = export_tiny("tiny.pt", &Options::default()).unwrap().1;
    let mut options = Options::default();
    options.external_data_above = 1000;
    let (folder, bytes, summary) = export_tiny("tiny.pt", &options).unwrap();
    let data = std::fs::read(folder.path().join("model.onnx.data")).unwrap();
    assert_eq!(summary.bytes, (bytes.len() + data.len()) as u64);
    assert!(data.len() > 40_000 && bytes.len() < inline.len());
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 2, "no temporary file is left");
}

#[test]
fn a_config_that_does_not_fit_the_tensors_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (field, value, actual) in [
        ("num_hidden_layers", 3, "2"),
        ("num_hidden_layers", 1, "2"),
        ("intermediate_size", 41, "40"),
    ] {
        let options = with_config(&folder, field, value.into());
        let error = export_tiny("tiny.pt", &options).unwrap_err();
        assert!(
            matches!(&error, Error::Config { field: f, found, expected, .. }
                if *f == field && *found == value.to_string() && expected.starts_with(actual)),
            "{error}"
        );
    }
}

#[test]
fn without_a_config_base_is_assumed_and_a_misfit_asks_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("tiny.pt");
    std::fs::copy(tiny("tiny.pt"), &alone).unwrap();
    let error = export(&alone, folder.path().join("out.onnx"), &Options::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, Error::TensorShape { assumed: true, .. }), "{error}");
    assert!(error.to_string().contains("--config"), "{error}");

    // The config beside the checkpoint is found.
    std::fs::copy(tiny("config.json"), folder.path().join("config.json")).unwrap();
    let summary = export(&alone, folder.path().join("out.onnx"), &Options::default(), &mut |_| {}).unwrap();
    assert_eq!(summary.config_path, Some(folder.path().join("config.json")));
}

#[test]
fn a_config_that_is_not_supported_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (field, value) in [
        ("model_type", "whisper".into()),
        ("hidden_act", "snake".into()),
        ("feat_extract_norm", "batch".into()),
        ("feat_extract_norm", "layer".into()),
        ("add_adapter", true.into()),
        ("num_attention_heads", 5.into()),
        ("num_attention_heads", 0.into()),
        ("num_hidden_layers", 1_000_000.into()),
        ("conv_stride", serde_json::json!([5, 2])),
        ("conv_kernel", serde_json::json!([10, 3, 3, 3, 3, 2, 0])),
        ("layer_norm_eps", serde_json::json!(-1.0)),
    ] {
        let options = with_config(&folder, field, value);
        let error = export_tiny("tiny.pt", &options).unwrap_err();
        assert!(
            matches!(&error, Error::Config { field: f, .. } if *f == field),
            "{field}: {error}"
        );
    }
    let options = with_config(&folder, "hidden_size", "wide".into());
    assert!(matches!(
        export_tiny("tiny.pt", &options),
        Err(Error::ConfigSyntax { .. })
    ));
    std::fs::write(folder.path().join("config.json"), "{").unwrap();
    assert!(matches!(
        export_tiny("tiny.pt", &options),
        Err(Error::ConfigSyntax { .. })
    ));
}

#[test]
fn a_window_that_gives_no_frame_is_refused() {
    let mut options = Options::default();
    for window_samples in [0, 399, usize::MAX] {
        options.window_samples = window_samples;
        let error = export_tiny("tiny.pt", &options).unwrap_err();
        assert!(
            matches!(error, Error::Window { found, .. } if found == window_samples),
            "{error}"
        );
    }
    options.window_samples = 400;
    assert_eq!(export_tiny("tiny.pt", &options).unwrap().2.frames, 1);
}

#[test]
fn a_failed_export_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    std::fs::write(&out, "an earlier model").unwrap();

    // A byte of the last weight is damaged, which is found only when that weight is written.
    let mut bytes = std::fs::read(tiny("tiny_bare.pt")).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 0x40;
    let damaged = folder.path().join("damaged.pt");
    std::fs::write(&damaged, bytes).unwrap();
    std::fs::copy(tiny("config.json"), folder.path().join("config.json")).unwrap();
    assert!(export(&damaged, &out, &Options::default(), &mut |_| {}).is_err());
    assert_eq!(std::fs::read(&out).unwrap(), b"an earlier model");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        3,
        "no temporary file is left"
    );

    let nowhere = folder.path().join("missing/model.onnx");
    let error = export(tiny("tiny.pt"), nowhere, &Options::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
}

/// A limit on the size of files stands in for a full disk: both make a write fail.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    std::fs::write(&out, "an earlier model").unwrap();
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_bonafide-export"))
        .args([&tiny("tiny.pt"), &out])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.starts_with("error: cannot write") && error.contains("model.onnx"),
        "{error}"
    );
    assert_eq!(std::fs::read(&out).unwrap(), b"an earlier model");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

/// Where killed, it leaves what was there, too. The limit kills where it isn't caught.
#[cfg(unix)]
#[test]
fn who_is_killed_while_writing_leaves_what_was_there() {
    use std::os::unix::process::ExitStatusExt as _;

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    std::fs::write(&out, "an earlier model").unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -c 0; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_bonafide-export"))
        .args([&tiny("tiny.pt"), &out])
        .output()
        .unwrap();
    assert!(output.status.signal().is_some(), "{}", output.status);
    assert_eq!(std::fs::read(&out).unwrap(), b"an earlier model");
}

/// Not even root can make a file in `/proc`.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_an_error() {
    let out = Path::new("/proc/self/model.onnx");
    let error = export(tiny("tiny.pt"), out, &Options::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if path == out), "{error}");
}

#[test]
fn the_program_exports_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide-export"));
        command.arg(tiny("tiny.pt")).arg(&out).args(arguments).output().unwrap()
    };
    let output = run(&["--window-samples", "16000", "--batch", "4"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("bonafide.window_samples = 16000"),
        "{text}"
    );
    let mut options = Options::default();
    options.window_samples = 16_000;
    options.batch = Batch::Fixed(NonZeroUsize::new(4).unwrap());
    assert!(std::fs::read(&out).unwrap() == export_tiny("tiny.pt", &options).unwrap().1);

    assert_eq!(run(&["--batch", "0"]).status.code(), Some(2));
    assert_eq!(run(&["--unknown"]).status.code(), Some(2));
    let failed = run(&["--config", "/nonexistent"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        String::from_utf8(failed.stderr)
            .unwrap()
            .starts_with("error: cannot read /nonexistent")
    );
}
