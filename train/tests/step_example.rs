//! The example `step` runs on both kinds of network.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

/// What it prints for a network and batches of two.
fn step(config: &Path) -> Vec<String> {
    // Cargo builds a package's examples beside its tests, unless told to build one test only.
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/step");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    if !program.exists() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--example", "step"])
            .status();
        assert!(built.unwrap().success());
    }
    let output = Command::new(program).arg(config).arg("2").output().unwrap();
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
    // Printed to a millisecond.
    assert!((2.0 / rate - step).abs() < 0.002 + 0.01 * step, "{line}");
    rate
}

#[test]
fn it_times_the_small_network() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("lite.json");
    let lines = step(&config);
    // The numbers in models/lite, less the 1,762 running means and variances, which no gradient changes.
    assert_eq!(lines[0], format!("{} parameters", 445_344 - 1_762));
    assert_eq!(lines.len(), 7);
    assert!(lines[1..].iter().all(|line| rate(line) > 0.0));
}

#[test]
fn it_times_the_top_of_a_wav2vec2() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let shape = serde_json::json!({
        "model_type": "wav2vec2",
        "conv_dim": vec![8; 7],
        "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
        "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        "hidden_size": 16,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 2,
        "classifier_proj_size": 8,
    });
    std::fs::write(&config, shape.to_string()).unwrap();
    let lines = step(&config);
    // Two layers of the three: attention 4 (16 x 16 + 16), the feed-forward part 16 x 32 + 32 + 32 x 16 + 16 and two
    // norms of 2 x 16, and the head's 16 x 2 + 2.
    assert_eq!(lines[0], format!("{} parameters", 2 * (4 * 272 + 1072 + 64) + 34));
    assert_eq!(lines.len(), 7);
    assert!(lines[1..].iter().all(|line| rate(line) > 0.0));
}
