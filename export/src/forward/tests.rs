//! The stages are PyTorch's: `tests/fixtures/make_stages.py` made the numbers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;
use crate::layout::recognise;
use crate::{Error, Options};

#[derive(Deserialize)]
struct Fixture {
    start: usize,
    len: usize,
    stages: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    shape: [usize; 2],
    rms: f64,
    /// Frame, channel and value.
    values: Vec<(usize, usize, f64)>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(name)
}

/// The samples of `speech.wav`.
fn speech() -> Vec<f32> {
    let audio = bonafide::Audio::read(fixture("speech.wav")).unwrap();
    audio.to_model_input().unwrap()
}

#[test]
fn every_stage_is_pytorchs() {
    let fixture_json = std::fs::read(fixture("tiny/stages.json")).unwrap();
    let expected: Fixture = serde_json::from_slice(&fixture_json).unwrap();
    let speech = speech();
    let window = &speech[expected.start..][..expected.len];
    for name in ["tiny.pt", "tiny_weight_norm.pt"] {
        let path = fixture("tiny").join(name);
        let checkpoint = Checkpoint::open(&path).unwrap();
        let network = recognise(&checkpoint, &Options::default()).unwrap();
        let mut visited = Vec::new();
        forward(&checkpoint, &network, window, &mut |stage, values| {
            let expected = &expected.stages[&stage.to_string()];
            assert_eq!(values.dim(), expected.shape.into(), "{stage}");
            let rms = (values.fold(0.0, |sum, v| sum + v * v) / values.len() as f64).sqrt();
            assert!((rms - expected.rms).abs() < 1e-9, "{stage}: {rms}");
            for &(frame, channel, value) in &expected.values {
                let found = values[[frame, channel]];
                assert!(
                    (found - value).abs() < 1e-9,
                    "{stage} [{frame}, {channel}] is {found}, PyTorch gives {value}"
                );
            }
            visited.push(stage);
            Ok(())
        })
        .unwrap();
        assert_eq!(visited, stages(&network.config));
        assert_eq!(visited.len(), expected.stages.len());
    }
}

#[test]
fn an_error_of_the_visitor_ends_the_pass() {
    let path = fixture("tiny/tiny.pt");
    let checkpoint = Checkpoint::open(&path).unwrap();
    let network = recognise(&checkpoint, &Options::default()).unwrap();
    let mut visited = 0;
    let result = forward(&checkpoint, &network, &[0.1; 4000], &mut |_, _| {
        visited += 1;
        Err(Error::NoSuchTensor {
            path: path.clone(),
            name: String::new(),
            count: 0,
        })
    });
    assert!(result.is_err() && visited == 1);
}
