//! Lower precisions score nearly as f32 does, on both runtimes, without the caller doing anything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide::{Detector, Runtime, Score};
use bonafide_export::{Options, Precision, Target};
use common::{Model, runtimes, speech};

/// The largest differences from f32 that the tiny model may show, of P(spoof) and of the log-likelihood ratio.
///
/// Halves have 11 significant bits, and the quantised weights 7. The tiny model's sums are short, so that errors hardly
/// average out, and its probabilities are spread: a real model differs less.
const F16: [f32; 2] = [1e-3, 5e-3];
const INT8: [f32; 2] = [0.05, 0.25];

fn model(precision: Precision, target: Target) -> Model {
    let mut options = Options::default();
    (options.precision, options.target) = (precision, target);
    Model::export("tiny.pt", &options)
}

/// Speech as it is, quiet, and loud and backwards.
fn clips() -> Vec<Vec<f32>> {
    let speech = speech();
    let quiet = speech.iter().map(|sample| sample / 16.0).collect();
    let backwards = speech.iter().rev().map(|sample| sample * 1.5).collect();
    vec![speech, quiet, backwards]
}

fn scores(detector: &Detector) -> Vec<Score> {
    clips().iter().map(|clip| detector.score(clip).unwrap()).collect()
}

/// The largest differences of P(spoof) and of the log-likelihood ratio over all windows.
fn differences(a: &[Score], b: &[Score]) -> [f32; 2] {
    let windows = |scores: &[Score]| {
        scores
            .iter()
            .flat_map(|score| score.windows.clone())
            .collect::<Vec<_>>()
    };
    let (a, b) = (windows(a), windows(b));
    assert!(a.len() == b.len() && a.len() > 12);
    a.iter().zip(&b).fold([0.0_f32; 2], |[p, llr], (a, b)| {
        [
            p.max((a.spoof_probability - b.spoof_probability).abs()),
            llr.max((a.llr - b.llr).abs()),
        ]
    })
}

fn assert_within(found: [f32; 2], limits: [f32; 2], what: &str) {
    eprintln!("{what}: P(spoof) {:.1e}, LLR {:.1e}", found[0], found[1]);
    assert!(
        found[0] <= limits[0] && found[1] <= limits[1],
        "{what}: {found:?}, expected at most {limits:?}"
    );
}

#[test]
fn lower_precisions_score_nearly_as_f32() {
    for runtime in runtimes() {
        let exact = scores(&model(Precision::F32, Target::Any).detector(runtime).build().unwrap());
        for (precision, limits) in [(Precision::F16, F16), (Precision::Int8, INT8)] {
            let model = model(precision, Target::Any);
            let found = differences(&exact, &scores(&model.detector(runtime).build().unwrap()));
            assert!(found[1] > 1e-5, "{precision} on {runtime} is f32");
            assert_within(found, limits, &format!("{precision}, {runtime}"));
        }
    }
}

#[test]
fn both_runtimes_agree_in_every_precision() {
    if runtimes().len() < 2 {
        return;
    }
    // A value that falls on another side of a rounding boundary is a whole step off.
    for (precision, limits) in [(Precision::F16, F16), (Precision::Int8, [0.02, 0.1])] {
        let model = model(precision, Target::Any);
        let [a, b] = [Runtime::OnnxRuntime, Runtime::Rten].map(|r| scores(&model.detector(r).build().unwrap()));
        assert_within(
            differences(&a, &b),
            limits,
            &format!("{precision}, one runtime and the other"),
        );
    }
}

#[test]
fn onnxruntimes_own_operators_score_nearly_as_f32() {
    if !runtimes().contains(&Runtime::OnnxRuntime) {
        return;
    }
    let of = |precision, target| {
        let detector = model(precision, target).detector(Runtime::OnnxRuntime).build().unwrap();
        scores(&detector)
    };
    let exact = of(Precision::F32, Target::OnnxRuntime);
    let found = differences(&exact, &of(Precision::Int8, Target::OnnxRuntime));
    assert_within(found, INT8, "int8 for onnxruntime");
}

#[test]
fn batches_of_int8_score_nearly_alike() {
    let model = model(Precision::Int8, Target::Any);
    for runtime in runtimes() {
        let of = |batch_size| scores(&model.detector(runtime).batch_size(batch_size).build().unwrap());
        // One range serves for all windows of a batch.
        assert_within(differences(&of(1), &of(4)), [0.02, 0.1], &format!("batches, {runtime}"));
    }
}

#[test]
fn silence_scores_in_every_precision() {
    for runtime in runtimes() {
        let of = |precision| {
            let detector = model(precision, Target::Any).detector(runtime).build().unwrap();
            detector.score(&[0.0; 64_000]).unwrap()
        };
        let exact = of(Precision::F32);
        for precision in [Precision::F16, Precision::Int8] {
            let found = of(precision);
            let difference = (found.spoof_probability - exact.spoof_probability).abs();
            assert!(difference <= INT8[0], "{precision}, {runtime}: {difference}");
        }
    }
}

#[test]
fn weights_in_a_file_of_their_own_load_in_every_precision() {
    for precision in [Precision::F16, Precision::Int8] {
        let inline = model(precision, Target::Any);
        let mut options = Options::default();
        (options.precision, options.external_data_above) = (precision, 0);
        let external = Model::export("tiny.pt", &options);
        for runtime in runtimes() {
            let [a, b] = [&inline, &external].map(|model| scores(&model.detector(runtime).build().unwrap()));
            assert_within(differences(&a, &b), [1e-6, 1e-5], &format!("{precision}, {runtime}"));
        }
    }
}
