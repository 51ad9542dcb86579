//! Lower precisions score nearly as f32 does, on both runtimes, without the caller doing anything.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide::{Detector, Runtime, Score};
use bonafide_export::{Options, Precision, Target};
use common::{Model, runtimes, speech};

/// The differences of P(spoof) from f32's that the tiny model may show: on average over all windows, and at most.
///
/// Halves have 11 significant bits, and the quantised weights 7. The tiny model's sums are of some 20 products, so that
/// errors hardly average out, and its probabilities are spread: a real, trained model differs by a tenth of this. A
/// graph that is wrong somewhere differs by several tenths.
const F16: [f32; 2] = [2e-3, 5e-3];
const INT8: [f32; 2] = [0.05, 0.15];
/// A value that falls on another side of a rounding boundary, or into another range, is a step off.
const ANOTHER_ROUNDING: [f32; 2] = [0.015, 0.05];

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

/// The mean and the largest difference of P(spoof) over all windows.
fn differences(a: &[Score], b: &[Score]) -> [f32; 2] {
    let probabilities = |scores: &[Score]| -> Vec<f32> {
        let windows = scores.iter().flat_map(|score| &score.windows);
        windows.map(|window| window.spoof_probability).collect()
    };
    let (a, b) = (probabilities(a), probabilities(b));
    assert!(a.len() == b.len() && a.len() > 12);
    let differences: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect();
    let largest = differences.iter().copied().fold(0.0, f32::max);
    [differences.iter().sum::<f32>() / differences.len() as f32, largest]
}

fn assert_within(found: [f32; 2], limits: [f32; 2], what: &str) {
    eprintln!("{what}: mean {:.1e}, largest {:.1e}", found[0], found[1]);
    let within = found.iter().zip(limits).all(|(found, limit)| *found <= limit);
    assert!(within, "{what}: {found:?}, expected at most {limits:?}");
}

#[test]
fn lower_precisions_score_nearly_as_f32() {
    for runtime in runtimes() {
        let exact = scores(&model(Precision::F32, Target::Any).detector(runtime).build().unwrap());
        for (precision, limits) in [(Precision::F16, F16), (Precision::Int8, INT8)] {
            let model = model(precision, Target::Any);
            let found = differences(&exact, &scores(&model.detector(runtime).build().unwrap()));
            assert!(found[1] > 1e-5, "{precision} on {runtime} gives what f32 does");
            assert_within(found, limits, &format!("{precision}, {runtime}"));
        }
    }
}

#[test]
fn both_runtimes_agree_in_every_precision() {
    if runtimes().len() < 2 {
        return;
    }
    for (precision, limits) in [(Precision::F16, F16), (Precision::Int8, ANOTHER_ROUNDING)] {
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
        assert_within(
            differences(&of(1), &of(4)),
            ANOTHER_ROUNDING,
            &format!("batches, {runtime}"),
        );
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
            assert!(difference <= INT8[1], "{precision}, {runtime}: {difference}");
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
            assert_within(differences(&a, &b), [1e-6, 1e-6], &format!("{precision}, {runtime}"));
        }
    }
}
