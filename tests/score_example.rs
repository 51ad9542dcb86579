//! The example `score`, as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bonafide::{Detector, Runtime};
use common::{Model, example, fixture, speech};
use serde_json::Value;
use tempfile::TempDir;

fn score(model: &Path, arguments: &[&str]) -> Output {
    Command::new(example("score"))
        .arg("--model")
        .arg(model)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn speech_path() -> String {
    shown(&fixture("speech.wav"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A folder with copies of half a second of speech, and other files, by their names.
fn folder(audio: &[&str], others: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in audio.iter().chain(others) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if audio.contains(name) {
            fs::copy(half_a_second(), path).unwrap();
        } else {
            fs::write(path, "not audio").unwrap();
        }
    }
    folder
}

/// Half a second of speech.
fn half_a_second() -> PathBuf {
    fixture("audio/speech_24000.wav")
}

/// The files of JSON lines, below a folder.
fn files(output: Output, folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    json(output)
        .iter()
        .map(|line| {
            let file = line["file"].as_str().unwrap();
            let below = file.strip_prefix(&folder).unwrap_or(file);
            below.trim_start_matches('/').to_owned()
        })
        .collect()
}

fn json(output: Output) -> Vec<Value> {
    let text = text(output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_table_shows_each_file_and_then_the_runtime() {
    let model = Model::tiny();
    let output = score(&model.path(), &[&speech_path()]);
    assert!(output.status.success());
    let text = text(output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("label      P(spoof)  confidence  seconds  windows"),
        "{text}"
    );
    assert!(
        lines[1].starts_with("spoof        0.5466       54.7 %    10.09        5"),
        "{text}"
    );
    let count = lines.len();
    assert_eq!(
        lines[count - 2],
        "1 file scored, 10.1 s of audio: 1 spoof, 0 bona fide, 0 no speech; 0 errors, 0 skipped"
    );
    let info = model.detector(Runtime::Auto).build().unwrap();
    assert!(
        lines.last().unwrap().starts_with(&format!("runtime: {}", info.info())),
        "{text}"
    );
}

#[test]
fn json_has_one_object_a_line_with_the_librarys_numbers() {
    let model = Model::tiny();
    let output = score(
        &model.path(),
        &[
            "--json",
            "--threshold",
            "0.9",
            &speech_path(),
            "missing.wav",
            &speech_path(),
        ],
    );
    assert_eq!(output.status.code(), Some(1), "a file failed");
    let text = text(output.stdout);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "the files after the bad one are scored");

    let detector = model.detector(Runtime::Auto).threshold(0.9).build().unwrap();
    let expected = detector.score(&speech()).unwrap();
    for line in [&lines[0], &lines[2]] {
        assert_eq!(line["file"], speech_path());
        assert_eq!(line["label"], "bonafide");
        assert_eq!(line["threshold"].as_f64().unwrap() as f32, 0.9);
        assert_eq!(line["duration_seconds"], 10.09);
        assert_eq!(line["runtime"], detector.info().to_string());
        assert_eq!(line["model"], model.path().display().to_string());
        for (field, value) in [
            ("spoof_probability", expected.spoof_probability),
            ("bonafide_probability", expected.bonafide_probability),
            ("confidence", expected.confidence),
            ("llr", expected.llr),
        ] {
            assert!((line[field].as_f64().unwrap() as f32 - value).abs() < 1e-5, "{field}");
        }
        let windows = line["windows"].as_array().unwrap();
        assert_eq!(windows.len(), expected.windows.len());
        for (window, expected) in windows.iter().zip(&expected.windows) {
            assert_eq!(window["start_seconds"], expected.start_seconds);
            assert_eq!(window["end_seconds"], expected.end_seconds);
            assert!((window["llr"].as_f64().unwrap() as f32 - expected.llr).abs() < 1e-5);
            let probability = window["spoof_probability"].as_f64().unwrap() as f32;
            assert!((probability - expected.spoof_probability).abs() < 1e-5);
        }
    }
    assert_eq!(lines[1]["file"], "missing.wav");
    assert!(lines[1]["error"].as_str().unwrap().contains("missing.wav"));
    assert_eq!(lines[1].as_object().unwrap().len(), 2);
}

#[test]
fn bad_files_do_not_stop_the_others() {
    let model = Model::tiny();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.wav"), "").unwrap();
    fs::write(folder.path().join("text.mp3"), "not audio\nat all").unwrap();
    let output = score(&model.path(), &[&shown(folder.path()), &speech_path()]);
    assert_eq!(output.status.code(), Some(1));
    let text = text(output.stdout);
    assert_eq!(
        text.lines().filter(|line| line.starts_with("error")).count(),
        2,
        "{text}"
    );
    assert_eq!(
        text.lines().filter(|line| line.starts_with("spoof")).count(),
        1,
        "{text}"
    );
}

#[test]
fn bad_usage_and_bad_models_have_exit_codes_of_their_own() {
    let model = Model::tiny();
    for arguments in [
        &[][..],
        &["--threshold", "2", "a.wav"],
        &["--threshold", "nan", "a.wav"],
        &["--no", "a.wav"],
    ] {
        assert_eq!(score(&model.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    let output = score(&fixture("speech.wav"), &[&speech_path()]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(output.stderr);
    assert!(
        error.starts_with("error: ") && error.contains("bonafide-export"),
        "{error}"
    );
}
