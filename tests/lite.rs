//! The small spectral network's scores are those of PyTorch, and so are those of two such networks beside one another:
//! `fixtures/lite/make_lite.py` made the checkpoints and the numbers expected of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide_export::{Options, Precision};
use common::{Model, fixture, runtimes, speech};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    clips: Vec<Clip>,
}

#[derive(Deserialize)]
struct Clip {
    name: String,
    start: usize,
    len: usize,
    gain: f32,
    logits: [f32; 2],
}

const NETWORKS: [&str; 2] = ["lite", "lite/beside"];

fn clips(network: &str) -> Vec<(Clip, Vec<f32>)> {
    let json = std::fs::read(fixture(network).join("expected.json")).unwrap();
    let fixture: Fixture = serde_json::from_slice(&json).unwrap();
    let speech = speech();
    let samples = |clip: &Clip| speech[clip.start..][..clip.len].iter().map(|x| x * clip.gain).collect();
    fixture
        .clips
        .into_iter()
        .map(|clip| {
            let samples = samples(&clip);
            (clip, samples)
        })
        .collect()
}

/// The largest difference of a clip's P(spoof) from PyTorch's.
fn difference(network: &str, precision: Precision) -> f32 {
    let mut options = Options::default();
    options.precision = precision;
    let model = Model::export_from(&fixture(network), &options);
    let mut largest = 0.0_f32;
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        for (clip, samples) in clips(network) {
            let score = detector.score(&samples).unwrap();
            let llr = clip.logits[0] - clip.logits[1];
            let difference = (score.windows[0].spoof_probability - 1.0 / (1.0 + llr.exp())).abs();
            eprintln!(
                "{network}, {runtime} {precision} {}: {} v {llr}",
                clip.name, score.windows[0].llr
            );
            largest = largest.max(difference);
        }
    }
    largest
}

#[test]
fn scores_are_those_of_pytorch() {
    for network in NETWORKS {
        assert!(difference(network, Precision::F32) < 1e-4);
    }
}

#[test]
fn lower_precisions_stay_near() {
    for network in NETWORKS {
        assert!(difference(network, Precision::F16) < 0.01);
        assert!(difference(network, Precision::Int8) < 0.1);
    }
}

#[test]
fn the_expected_scores_differ_and_are_not_saturated() {
    for network in NETWORKS {
        let llrs: Vec<f32> = clips(network)
            .iter()
            .map(|(clip, _)| clip.logits[0] - clip.logits[1])
            .collect();
        assert!(llrs.iter().all(|llr| llr.abs() < 4.0), "{llrs:?}");
        assert!(
            (llrs[0] - llrs[1]).abs() > 1e-3 && (llrs[0] - llrs[3]).abs() > 1e-3,
            "{llrs:?}"
        );
    }
}
