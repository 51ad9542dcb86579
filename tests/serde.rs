//! With the feature `serde`, scores go to JSON and back.
#![cfg(feature = "serde")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide::{Runtime, Score};
use common::{Model, speech};

#[test]
fn a_score_survives_json() {
    let detector = Model::tiny().detector(Runtime::Auto).build().unwrap();
    let score = detector.score(&speech()).unwrap();
    let json = serde_json::to_value(&score).unwrap();
    assert_eq!(json["label"], score.label.to_string());
    assert_eq!(json["windows"].as_array().unwrap().len(), 5);
    assert_eq!(serde_json::from_value::<Score>(json).unwrap(), score);

    let info = serde_json::to_value(detector.info()).unwrap();
    assert_eq!(info["provider"], "cpu");
    assert_eq!(info["model"]["labels"], serde_json::json!(["bonafide", "spoof"]));
    assert_eq!(info["model"]["window_samples"], 64_000);
}
