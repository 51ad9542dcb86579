//! A calibration in the graph does to the log-likelihood ratio what it says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use bonafide_export::{Calibration, Options, Precision};
use common::{Model, runtimes, speech};

#[test]
fn a_calibrated_model_gives_the_affine_map_of_the_others_ratio() {
    let calibration = Calibration {
        scale: 0.4,
        offset: -1.25,
    };
    for precision in [Precision::F32, Precision::Int8] {
        let mut options = Options::default();
        options.precision = precision;
        let raw = Model::export("tiny.pt", &options);
        options.calibration = Some(calibration);
        let calibrated = Model::export("tiny.pt", &options);
        for runtime in runtimes() {
            let [raw, calibrated] =
                [&raw, &calibrated].map(|model| model.detector(runtime).build().unwrap().score(&speech()).unwrap());
            for (raw, calibrated) in raw.windows.iter().zip(&calibrated.windows) {
                let expected = calibration.scale * raw.llr + calibration.offset;
                assert!((calibrated.llr - expected).abs() < 1e-4, "{raw:?} {calibrated:?}");
            }
        }
    }
}

#[test]
fn a_calibration_is_two_numbers_and_keeps_the_order() {
    let parsed: Calibration = "0.5, -1.25".parse().unwrap();
    assert_eq!(
        parsed,
        Calibration {
            scale: 0.5,
            offset: -1.25
        }
    );
    assert_eq!(parsed.to_string().parse(), Ok(parsed));
    for text in ["", "1", "0,0", "-1,0", "nan,0", "1,inf", "1,2,3", "a,b"] {
        assert!(text.parse::<Calibration>().is_err(), "{text}");
    }
}
