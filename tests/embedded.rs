//! The model that comes with the crate.
#![cfg(feature = "embedded-model")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Arc;

use bonafide::{Detector, Label};
use common::{fixture, runtimes, speech};

/// What is published to crates.io must stay small.
const MOST_BYTES: u64 = 6_000_000;

#[test]
fn it_needs_nothing_but_the_crate() {
    let detector = Detector::new().unwrap();
    let info = detector.info();
    assert!(info.embedded_model);
    assert_eq!(info.model_path, None);
    assert_eq!(info.model.labels, [Label::Bonafide, Label::Spoof]);
    assert_eq!(info.model.architecture.as_deref(), Some("bonafide-lite"));
    let score = detector.score_file(fixture("speech.wav")).unwrap();
    assert_eq!(score, detector.score(&speech()).unwrap());
    assert!(score.windows.iter().all(|window| window.llr.is_finite()));
}

#[test]
fn it_is_the_file_in_models_and_small() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/lite.onnx");
    assert!(path.metadata().unwrap().len() <= MOST_BYTES);
    let of_file = Detector::builder().model(&path).build().unwrap();
    let embedded = Detector::new().unwrap();
    assert!(!of_file.info().embedded_model);
    assert_eq!(of_file.info().model, embedded.info().model);
    assert_eq!(of_file.score(&speech()).unwrap(), embedded.score(&speech()).unwrap());
}

#[test]
fn runtimes_and_batches_agree() {
    let speech = speech();
    let score = |runtime, batch| {
        let detector = Detector::builder().runtime(runtime).batch_size(batch).build().unwrap();
        detector.score(&speech).unwrap()
    };
    let runtimes = runtimes();
    let first = score(runtimes[0], 1);
    for runtime in runtimes {
        for batch in [1, 3, 8] {
            let other = score(runtime, batch);
            for (a, b) in first.windows.iter().zip(&other.windows) {
                let difference = (a.spoof_probability - b.spoof_probability).abs();
                assert!(difference < 1e-4, "{runtime}, {batch} windows: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn neither_level_nor_padding_decides() {
    let detector = Detector::new().unwrap();
    let speech = speech();
    let whole = detector.score(&speech[..64_000]).unwrap();
    let quieter: Vec<f32> = speech[..64_000].iter().map(|x| x * 0.5).collect();
    let half = detector.score(&quieter).unwrap();
    // The level is taken off but for the floor under the logarithm.
    assert!((whole.llr - half.llr).abs() < 1.0, "{} and {}", whole.llr, half.llr);
}

#[test]
fn silence_is_no_speech_and_noise_is_finite() {
    let detector = Detector::new().unwrap();
    let silence = detector.score(&[0.0; 80_000]).unwrap();
    assert_eq!(silence.verdict(), None);
    assert!(silence.llr.is_finite());
    let square: Vec<f32> = (0..64_000).map(|n| if n / 7 % 2 == 0 { 1.0 } else { -1.0 }).collect();
    assert!(detector.score(&square).unwrap().llr.is_finite());
}

#[test]
fn one_detector_serves_many_threads() {
    let detector = Arc::new(Detector::new().unwrap());
    let speech = Arc::new(speech());
    let expected = detector.score(&speech).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (detector, speech, expected) = (&detector, &speech, &expected);
            scope.spawn(move || {
                for _ in 0..4 {
                    assert_eq!(detector.score(speech).unwrap(), *expected);
                }
            });
        }
    });
}
