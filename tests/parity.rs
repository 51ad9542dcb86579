//! The scores are those of PyTorch: `fixtures/make_models.py` made the checkpoints and the numbers expected of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use bonafide::{Error, Score, Windowing};
use bonafide_export::{Batch, Options};
use common::{Clip, Model, fixture, runtimes, speech};
use serde::Deserialize;

const PROBABILITY_TOLERANCE: f32 = 1e-4;
const LOGIT_TOLERANCE: f32 = 1e-3;

#[derive(Deserialize)]
struct Fixture {
    clips: Vec<Clip>,
    models: BTreeMap<String, Expected>,
    short_window: ShortWindow,
}

/// What PyTorch gives for checkpoints with the same weights.
#[derive(Deserialize)]
struct Expected {
    checkpoints: Vec<String>,
    clips: BTreeMap<String, ExpectedClip>,
}

#[derive(Deserialize)]
struct ShortWindow {
    window_samples: usize,
    hop_samples: usize,
    #[serde(flatten)]
    expected: Expected,
}

#[derive(Deserialize)]
struct ExpectedClip {
    starts: Vec<usize>,
    logits: Vec<[f32; 2]>,
    p_spoof: Vec<f32>,
    clip_p_spoof: f32,
}

fn read() -> Fixture {
    let json = std::fs::read(fixture("tiny/expected.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn assert_score(score: &Score, expected: &ExpectedClip, what: &str) {
    let seconds = |samples: &usize| *samples as f64 / 16_000.0;
    let starts: Vec<f64> = score.windows.iter().map(|window| window.start_seconds).collect();
    let expected_starts: Vec<f64> = expected.starts.iter().map(seconds).collect();
    assert_eq!(starts, expected_starts, "{what}");

    let close = |found: f32, expected: f32, tolerance: f32, name: &str| {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}: {name} is {found}, PyTorch gives {expected}"
        );
    };
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
fn every_checkpoint_and_clip_scores_as_in_pytorch() {
    let (fixture, speech) = (read(), speech());
    let mut scored = 0;
    for expected in fixture.models.values() {
        for checkpoint in &expected.checkpoints {
            let model = Model::export(checkpoint, &Options::default());
            for runtime in runtimes() {
                let detector = model.detector(runtime).build().unwrap();
                for clip in &fixture.clips {
                    let score = detector.score(&clip.samples(&speech)).unwrap();
                    let what = format!("{checkpoint}, {}, {runtime}", clip.name);
                    assert_score(&score, &expected.clips[&clip.name], &what);
                    scored += 1;
                }
            }
        }
    }
    assert!(scored > 0);
}

#[test]
fn the_expected_probabilities_are_spread_and_not_saturated() {
    // Or else agreement with them would prove little.
    let fixture = read();
    let all: Vec<f32> = fixture.models["f32"]
        .clips
        .values()
        .flat_map(|clip| clip.p_spoof.clone())
        .collect();
    assert!(all.iter().all(|p| (0.02..0.98).contains(p)), "{all:?}");
    let (low, high) = (all.iter().any(|p| *p < 0.25), all.iter().any(|p| *p > 0.75));
    assert!(low && high, "{all:?}");
}

#[test]
fn another_window_scores_as_in_pytorch() {
    let Fixture {
        clips, short_window, ..
    } = read();
    let speech = speech();
    let mut options = Options::default();
    options.window_samples = short_window.window_samples;
    let model = Model::export("tiny.pt", &options);
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        assert_eq!(detector.info().model.hop_samples.get(), short_window.hop_samples);
        for (name, expected) in &short_window.expected.clips {
            let clip = clips.iter().find(|clip| clip.name == *name).unwrap();
            let score = detector.score(&clip.samples(&speech)).unwrap();
            assert_score(&score, expected, &format!("{name}, {runtime}"));
        }
    }
}

#[test]
fn batches_of_any_size_score_alike() {
    let Fixture { clips, models, .. } = read();
    let speech = speech();
    let clip = clips.iter().max_by_key(|clip| clip.len).unwrap();
    let samples = clip.samples(&speech);
    let windows = Windowing::default().count(samples.len());
    assert!(windows > 3);
    let expected = &models["f32"].clips[&clip.name];

    let dynamic = Model::tiny();
    let fixed_by_three = {
        let mut options = Options::default();
        options.batch = Batch::Fixed(NonZeroUsize::new(3).unwrap());
        Model::export("tiny.pt", &options)
    };
    for runtime in runtimes() {
        for batch_size in [1, 2, windows, 100] {
            let detector = dynamic.detector(runtime).batch_size(batch_size).build().unwrap();
            let what = format!("batches of {batch_size}, {runtime}");
            assert_score(&detector.score(&samples).unwrap(), expected, &what);
        }
        let detector = fixed_by_three.detector(runtime).batch_size(2).build().unwrap();
        assert_eq!(detector.info().batch_size, 3, "the graph decides");
        assert_score(
            &detector.score(&samples).unwrap(),
            expected,
            &format!("batches fixed to 3, {runtime}"),
        );
    }
}

#[test]
fn weights_in_a_file_of_their_own_score_alike() {
    let Fixture { clips, models, .. } = read();
    let clip = &clips[0];
    let samples = clip.samples(&speech());
    let mut options = Options::default();
    options.external_data_above = 0;
    let model = Model::export("tiny.pt", &options);
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        let what = format!("external data, {runtime}");
        assert_score(
            &detector.score(&samples).unwrap(),
            &models["f32"].clips[&clip.name],
            &what,
        );
    }
    std::fs::remove_file(model.path().with_file_name("model.onnx.data")).unwrap();
    for runtime in runtimes() {
        let error = model.detector(runtime).build().unwrap_err();
        assert!(matches!(error, Error::Runtime { .. }), "{error}");
    }
}
