//! How well scores tell bona fide from spoofed trials: the field's metrics, and calibration.
//!
//! Everything starts from [`Trials`]: the scores of the bona fide and of the spoofed trials, where **a higher score is
//! more bona fide** (negate scores of the other sign, such as P(spoof)). They are sorted once; each metric is then one
//! pass.
//!
//! ```
//! use bonafide::metrics::{DetectionCost, LogisticCalibration, Trials};
//!
//! let bonafide = [2.9, 1.1, 3.5, 0.2, 2.2];
//! let spoof = [-1.7, 0.4, -2.0, -0.3, -3.1, -0.8];
//! let trials = Trials::new(&bonafide, &spoof)?;
//! assert!((trials.eer_asvspoof().rate - 11.0 / 60.0).abs() < 1e-12); // 1 of 5 missed, 1 of 6 let through
//! assert!((trials.auc() - 29.0 / 30.0).abs() < 1e-12);
//!
//! // Scores that are to be decided with, and not only ranked, are calibrated first, on trials of their own.
//! let calibration = LogisticCalibration::fit(&trials, 0.5)?;
//! let calibrated = trials.map(|score| calibration.llr(score))?;
//! assert!(calibrated.cllr() < trials.cllr());
//! assert!(calibrated.min_dcf(&DetectionCost::default()) <= calibrated.act_dcf(&DetectionCost::default()));
//! # Ok::<(), bonafide::Error>(())
//! ```
//!
//! # Which figure is which
//!
//! | figure | method | range | ties between the classes | all scores equal |
//! |---|---|---|---|---|
//! | equal error rate, ASVspoof's scorer | [`Trials::eer_asvspoof`] | 0 to 1 | not grouped: bona fide counts as the lower | 1 |
//! | equal error rate, scikit-learn's `roc_curve` | [`Trials::eer_sklearn`] | 0 to 1 | grouped | 0.5 |
//! | equal error rate, convex hull | [`Trials::eer_rocch`] | 0 to 0.5 | grouped | 0.5 |
//! | area under the ROC curve | [`Trials::auc`] | 0 to 1, best 1 | count half | 0.5 |
//! | min t-DCF, ASVspoof 2019 and 2021 | [`Trials::min_tdcf_2019`], [`Trials::min_tdcf_2021`] | 0 to 1 | make no difference | 1 |
//! | min DCF | [`Trials::min_dcf`] | 0 to 1 | make no difference | 1 |
//! | act DCF | [`Trials::act_dcf`] | 0 and up | make no difference | by the score |
//! | Cllr, in bits | [`Trials::cllr`] | 0 and up | make no difference | by the score; 1 at score 0 |
//! | min Cllr, in bits | [`Trials::min_cllr`] | 0 to 1 | grouped | 1 |
//!
//! All are fractions, not percent, and lower is better but for the area. Equal error rates, the area, t-DCF, min DCF and
//! min Cllr depend on the order of the scores only; act DCF and Cllr take the score for a log-likelihood ratio (natural
//! logarithm), and so judge its scale too. The three equal error rates are close in large sets with few ties and apart
//! in others: compare only figures of one kind, and say which kind a figure is.
//!
//! # Input
//!
//! Both classes need at least one trial, and no score may be NaN: [`Trials::new`] refuses the rest with a typed error.
//! Infinite scores are allowed, except for calibration. Only t-DCF can fail afterwards, with an ASV system that leaves
//! it undefined.

mod bootstrap;
mod calibration;
mod cllr;
mod cost;
mod curve;
mod eer;
mod pav;
mod summary;
mod tandem;
mod trials;

pub use bootstrap::Bootstrap;
pub use calibration::{LogisticCalibration, PavCalibration};
pub use cost::DetectionCost;
pub use curve::{OperatingPoint, probit};
pub use eer::EqualErrorRate;
pub use summary::Summary;
pub use tandem::{AsvOperatingPoint, AsvScores};
pub use trials::Trials;

use crate::{Error, Result};

/// Checks that a setting is a fraction.
fn fraction(setting: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        expected: "0 to 1",
        found: value.to_string(),
    })
}

/// Checks that a setting is a fraction, and neither 0 nor 1.
fn open_fraction(setting: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        expected: "more than 0 and less than 1",
        found: value.to_string(),
    })
}
