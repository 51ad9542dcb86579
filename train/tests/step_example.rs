//! The example `step` runs on both kinds of network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "../../tests/common/example.rs"]
mod example;

use std::path::Path;
use std::process::Command;

use common::small_wav2vec2;
use example::example;

/// What it prints for a network and batches of two.
fn step(config: &Path) -> Vec<String> {
    let output = Command::new(example("step")).arg(config).arg("2").output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let output = String::from_utf8(output.stdout).unwrap();
    output.lines().map(str::to_owned).collect()
}

/// The windows a second that a line tells of, and that they follow from the seconds beside them.
fn rate(line: &str) -> f64 {
    let numbers: Vec<f64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [forward, step, rate] = numbers[..] else {
        panic!("{line}");
    };
    assert!(forward <= step, "{line}");
    // Printed to a millisecond, and to a tenth of a window.
    let (least, most) = (2.0 / (step + 0.0006), 2.0 / (step - 0.0006).max(1e-9));
    assert!((least - 0.06..=most + 0.06).contains(&rate), "{line}");
    rate
}

#[test]
fn it_times_the_small_network() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("lite.json");
    let lines = step(&config);
    // The numbers of that network, less the 1,762 running means and variances, which no gradient changes.
    assert_eq!(lines[0], format!("{} parameters", 445_344 - 1_762));
    assert_eq!(lines.len(), 7);
    assert!(lines[1..].iter().all(|line| rate(line) > 0.0));
}

#[test]
fn it_times_the_top_of_a_wav2vec2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(&config, small_wav2vec2().to_string()).unwrap();
    let lines = step(&config);
    // Two layers of the three: attention 4 (16 x 16 + 16), the feed-forward part 16 x 24 + 24 + 24 x 16 + 16 and two
    // norms of 2 x 16, and the head's 16 x 2 + 2.
    assert_eq!(lines[0], format!("{} parameters", 2 * (4 * 272 + 808 + 64) + 34));
    assert_eq!(lines.len(), 7);
    assert!(lines[1..].iter().all(|line| rate(line) > 0.0));
}
