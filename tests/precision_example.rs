//! The example `precision`: sizes, speeds and scores of all three precisions, on whatever runtime there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::{Command, Output};

use common::{example, fixture};

fn precision(checkpoint: &str, audio: &str) -> Output {
    Command::new(example("precision"))
        .args([fixture(checkpoint), fixture(audio)])
        .args(["--windows", "2"])
        .output()
        .unwrap()
}

#[test]
fn it_compares_the_three_precisions() {
    let output = precision("lite", ".");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = |name: &str| -> Vec<Vec<&str>> {
        text.lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.first() == Some(&name) && words.len() == 8)
            .collect()
    };
    let rten = text
        .lines()
        .any(|line| line.starts_with("rten ") && line.contains("2 windows"));
    assert!(rten, "{text}");
    for name in ["f32", "f16", "int8"] {
        let rows = rows(name);
        assert!(!rows.is_empty(), "{text}");
        for row in rows {
            let changed: f64 = row[3].parse().unwrap();
            assert_eq!(changed == 0.0, name == "f32", "{text}");
            assert!(changed < 0.1, "{text}");
        }
    }
}

#[test]
fn it_says_what_it_lacks() {
    let output = precision("lite", "metrics");
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("expected audio files of 4 s or more"), "{error}");
}
