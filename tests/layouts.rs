//! Every layout of checkpoint scores as in PyTorch: `fixtures/layouts/make_layouts.py` made the checkpoints and the
//! numbers expected of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bonafide::Score;
use bonafide_export::Options;
use common::{Model, fixture, runtimes, speech};
use serde::Deserialize;

const PROBABILITY_TOLERANCE: f32 = 1e-4;
const LOGIT_TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Fixture {
    window_samples: usize,
    clips: Vec<Clip>,
    layouts: BTreeMap<String, Layout>,
}

/// A piece of `speech.wav`.
#[derive(Deserialize)]
struct Clip {
    name: String,
    start: usize,
    len: usize,
    gain: f32,
    reverse: bool,
}

/// What PyTorch gives for the checkpoint in the folder of the layout's name.
#[derive(Deserialize)]
struct Layout {
    /// The index of spoof in the checkpoint, and whether its names of the classes tell.
    spoof_index: usize,
    named: bool,
    clips: BTreeMap<String, ExpectedClip>,
    /// What `transformers` before 5.16 gives.
    before_5_16: Option<BTreeMap<String, ExpectedClip>>,
    /// For the clip `short`, with another `hidden_act`.
    #[serde(default)]
    activations: BTreeMap<String, ExpectedClip>,
}

#[derive(Deserialize)]
struct ExpectedClip {
    /// Bona fide, spoof.
    logits: Vec<[f32; 2]>,
    p_spoof: Vec<f32>,
    clip_p_spoof: f32,
}

impl Clip {
    fn samples(&self, speech: &[f32]) -> Vec<f32> {
        let mut samples: Vec<f32> = speech[self.start..][..self.len].iter().map(|s| s * self.gain).collect();
        if self.reverse {
            samples.reverse();
        }
        samples
    }
}

fn read() -> Fixture {
    let json = std::fs::read(fixture("layouts/expected.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn options(fixture: &Fixture, layout: &Layout) -> Options {
    let mut options = Options::default();
    options.window_samples = fixture.window_samples;
    options.spoof_index = (!layout.named).then_some(layout.spoof_index);
    options
}

/// The one file of weights in a layout's folder.
fn weights(folder: &str) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixture(folder))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.retain(|path| path.extension().unwrap() != "json");
    assert_eq!(files.len(), 1, "{folder}");
    files.remove(0)
}

fn assert_score(score: &Score, expected: &ExpectedClip, what: &str) {
    let close = |found: f32, expected: f32, tolerance: f32, name: &str| {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}: {name} is {found}, PyTorch gives {expected}"
        );
    };
    assert_eq!(score.windows.len(), expected.logits.len(), "{what}");
    for ((window, [bonafide, spoof]), p_spoof) in score.windows.iter().zip(&expected.logits).zip(&expected.p_spoof) {
        close(window.spoof_probability, *p_spoof, PROBABILITY_TOLERANCE, "P(spoof)");
        close(window.llr, bonafide - spoof, LOGIT_TOLERANCE, "LLR");
    }
    close(
        score.spoof_probability,
        expected.clip_p_spoof,
        PROBABILITY_TOLERANCE,
        "the clip's P(spoof)",
    );
}

#[test]
fn every_layout_scores_as_in_pytorch() {
    let (fixture, speech) = (read(), speech());
    assert_eq!(fixture.layouts.len(), 8);
    for (name, layout) in &fixture.layouts {
        let model = Model::export_from(&weights(&format!("layouts/{name}")), &options(&fixture, layout));
        for runtime in runtimes() {
            let detector = model.detector(runtime).build().unwrap();
            for clip in &fixture.clips {
                let score = detector.score(&clip.samples(&speech)).unwrap();
                assert_score(
                    &score,
                    &layout.clips[&clip.name],
                    &format!("{name}, {}, {runtime}", clip.name),
                );
            }
        }
    }
}

/// A layout's weights exported with one field of its config changed.
fn with_config(name: &str, options: &Options, field: &str, value: &str) -> Model {
    let weights = weights(&format!("layouts/{name}"));
    let json = std::fs::read(weights.with_file_name("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&json).unwrap();
    config[field] = value.into();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let mut options = options.clone();
    options.config = Some(path);
    Model::export_from(&weights, &options)
}

#[test]
fn every_activation_scores_as_in_pytorch() {
    let (fixture, speech) = (read(), speech());
    let clip = fixture.clips.iter().find(|clip| clip.name == "short").unwrap();
    let has_some = |(_, layout): &(&String, &Layout)| !layout.activations.is_empty();
    let (name, layout) = fixture.layouts.iter().find(has_some).unwrap();
    for (activation, expected) in &layout.activations {
        let model = with_config(name, &options(&fixture, layout), "hidden_act", activation);
        for runtime in runtimes() {
            let detector = model.detector(runtime).build().unwrap();
            let score = detector.score(&clip.samples(&speech)).unwrap();
            assert_score(&score, expected, &format!("{activation}, {runtime}"));
        }
    }
}

#[test]
fn a_sum_of_layers_goes_by_the_version_of_transformers() {
    let (fixture, speech) = (read(), speech());
    let (name, layout) = fixture
        .layouts
        .iter()
        .find(|(_, layout)| layout.before_5_16.is_some())
        .unwrap();
    let expected = layout.before_5_16.as_ref().unwrap();
    for version in ["4.57.3", "5.15.0"] {
        let model = with_config(name, &options(&fixture, layout), "transformers_version", version);
        for runtime in runtimes() {
            let detector = model.detector(runtime).build().unwrap();
            for clip in &fixture.clips {
                let score = detector.score(&clip.samples(&speech)).unwrap();
                assert_score(&score, &expected[&clip.name], &format!("{name}, {version}, {runtime}"));
            }
        }
    }
}

#[test]
fn any_batch_scores_alike() {
    let (fixture, speech) = (read(), speech());
    let clip = fixture.clips.iter().max_by_key(|clip| clip.len).unwrap();
    let samples = clip.samples(&speech);
    for name in ["wavlm_large", "hubert_base", "antideepfake_large"] {
        let layout = &fixture.layouts[name];
        let model = Model::export_from(&weights(&format!("layouts/{name}")), &options(&fixture, layout));
        for runtime in runtimes() {
            let detector = model.detector(runtime).batch_size(3).build().unwrap();
            let score = detector.score(&samples).unwrap();
            assert!(score.windows.len() > 3);
            assert_score(
                &score,
                &layout.clips[&clip.name],
                &format!("{name} in batches, {runtime}"),
            );
        }
    }
}

#[test]
fn the_expected_probabilities_are_spread_and_not_saturated() {
    // Or else agreement with them would prove little.
    for (name, layout) in &read().layouts {
        let all: Vec<f32> = layout.clips.values().flat_map(|clip| clip.p_spoof.clone()).collect();
        assert!(all.iter().all(|p| (0.02..0.98).contains(p)), "{name}: {all:?}");
        let (low, high) = (all.iter().any(|p| *p < 0.4), all.iter().any(|p| *p > 0.6));
        assert!(low && high, "{name}: {all:?}");
    }
}
