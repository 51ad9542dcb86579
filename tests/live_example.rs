//! The example `live`: what goes through its pipe scores as the same file does.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use bonafide::Runtime;
use common::{Model, example, fixture, speech};
use serde_json::Value;

fn live(model: &Model, options: &[&str]) -> Child {
    Command::new(example("live"))
        .arg("--model")
        .arg(model.path())
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Pipes `bytes` in, and waits for the end.
fn pipe(model: &Model, options: &[&str], bytes: Vec<u8>) -> Output {
    let mut child = live(model, options);
    let mut stdin = child.stdin.take().unwrap();
    // The program may end before it has read everything, which breaks the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn json(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn raw(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[test]
fn wav_and_raw_samples_score_as_the_file_does() {
    let model = Model::tiny();
    let expected = model
        .detector(Runtime::Auto)
        .build()
        .unwrap()
        .score_file(fixture("speech.wav"))
        .unwrap();
    let wav = std::fs::read(fixture("speech.wav")).unwrap();
    let integers: Vec<u8> = speech()
        .iter()
        .flat_map(|sample| ((sample * 32_768.0) as i16).to_le_bytes())
        .collect();
    for (options, bytes) in [
        (vec!["--json"], wav),
        (vec!["--json"], integers),
        (vec!["--json", "--input", "f32"], raw(&speech())),
    ] {
        let lines = json(&pipe(&model, &options, bytes));
        let (clip, windows) = lines.split_last().unwrap();
        // The padded window comes with the end, in the clip's score.
        assert_eq!(windows.len() + 1, expected.windows.len());
        for (line, window) in windows.iter().zip(&expected.windows) {
            assert_eq!(line["type"], "window");
            assert_eq!(line["end_seconds"], window.end_seconds);
            assert!((line["llr"].as_f64().unwrap() - f64::from(window.llr)).abs() < 1e-4);
        }
        assert_eq!(clip["type"], "clip");
        assert_eq!(clip["label"], expected.label.as_str());
        assert!((clip["llr"].as_f64().unwrap() - f64::from(expected.llr)).abs() < 1e-4);
    }
}

#[test]
fn an_alert_goes_on_above_its_threshold_and_off_well_below() {
    let model = Model::tiny();
    let lines = json(&pipe(
        &model,
        &["--json", "--input", "f32", "--hop", "8000", "--smooth", "2"],
        raw(&speech()),
    ));
    let of = |line: &Value, key: &str| line[key].as_f64().unwrap();
    let windows = &lines[..lines.len() - 1];
    for pair in windows.windows(2) {
        let mean = (of(&pair[0], "spoof_probability") + of(&pair[1], "spoof_probability")) / 2.0;
        assert!((of(&pair[1], "smoothed") - mean).abs() < 1e-6);
        assert!(pair[1].get("alert").is_none());
    }
    // A threshold that some windows exceed and others don't.
    let mut sorted: Vec<f64> = windows.iter().map(|line| of(line, "smoothed")).collect();
    sorted.sort_by(f64::total_cmp);
    let (threshold, hysteresis) = (sorted[sorted.len() / 2], (sorted[sorted.len() / 2] - sorted[0]) / 2.0);
    let options = [
        "--json",
        "--input",
        "f32",
        "--hop",
        "8000",
        "--smooth",
        "2",
        "--alert",
        &threshold.to_string(),
        "--hysteresis",
        &hysteresis.to_string(),
    ];
    let lines = json(&pipe(&model, &options, raw(&speech())));
    let mut on = false;
    let mut seen = [false; 2];
    for line in &lines[..lines.len() - 1] {
        let smoothed = of(line, "smoothed");
        on = if on {
            smoothed > threshold - hysteresis
        } else {
            smoothed > threshold
        };
        assert_eq!(line["alert"], on, "{line}");
        seen[usize::from(on)] = true;
    }
    assert_eq!(seen, [true; 2], "the fixture no longer crosses the threshold");
}

#[test]
fn garbage_and_too_little_are_errors() {
    let model = Model::tiny();
    for (options, bytes, named) in [
        (vec![], vec![], "no audio"),
        (vec![], vec![0; 200], "400"),
        (vec!["--input", "wav"], b"not a wav file at all".to_vec(), "not a wav"),
        (vec!["--input", "f32"], raw(&[f32::NAN; 500]), "NaN"),
        (vec!["--rate", "3"], vec![0; 9000], "3 Hz"),
    ] {
        let output = pipe(&model, &options, bytes);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{options:?}: {error}");
        assert!(
            error.contains("error: ") && error.contains(named),
            "{options:?}: {error}"
        );
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_the_score_so_far() {
    let model = Model::tiny();
    let mut child = live(&model, &["--json", "--input", "f32"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&raw(&speech()[..70_000])).unwrap();
    // The pipe stays open: only the signal can end it.
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("\"window\""), "{line}");
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    line.clear();
    stdout.read_line(&mut line).unwrap();
    let clip: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&clip["type"], &clip["windows"]), (&"clip".into(), &2.into()), "{clip}");
    assert!(child.wait().unwrap().success());
    drop(stdin);
}
