//! The equal error rate, in the three ways that are in use.

use super::Trials;
use super::pav;

/// Where as many bona fide trials are rejected as spoofed ones are accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct EqualErrorRate {
    /// The rate, 0 to 1.
    pub rate: f64,
    /// A score above this is accepted as bona fide; one at or below it is rejected.
    ///
    /// Where trials of both classes tie at the threshold, the official rate counts only some of them as rejected, so no
    /// threshold has exactly that rate.
    pub threshold: f64,
}

/// The first point seen at which the two rates are nearest.
struct Nearest {
    distance: f64,
    eer: EqualErrorRate,
}

impl Nearest {
    /// Everything accepted: the point that both curves start from.
    fn all_accepted() -> Self {
        Self {
            distance: 1.0,
            eer: EqualErrorRate {
                rate: 0.5,
                threshold: f64::NEG_INFINITY,
            },
        }
    }

    fn consider(&mut self, miss: f64, false_alarm: f64, threshold: f64) {
        let distance = (miss - false_alarm).abs();
        if distance < self.distance {
            self.distance = distance;
            self.eer = EqualErrorRate {
                rate: (miss + false_alarm) / 2.0,
                threshold,
            };
        }
    }
}

impl Trials {
    /// Equal error rate as the official ASVspoof scorers compute it (2019, 2021 and 5: `compute_eer`).
    ///
    /// The bona fide scores, then the spoofed ones, are sorted stably in ascending order and passed one trial at a
    /// time, so ties are *not* grouped: among equal scores the bona fide ones are rejected first, which makes ties
    /// count against the detector. After each trial,
    /// miss = bona fide passed / all bona fide, and false alarm = spoofed not yet passed / all spoofed. The rate is
    /// the mean of the two at the first point with the least |miss − false alarm|.
    ///
    /// If all scores are equal, the rate is 1.
    #[must_use]
    pub fn eer_asvspoof(&self) -> EqualErrorRate {
        let (bonafide, spoof) = (self.bonafide() as f64, self.spoof() as f64);
        let (mut missed, mut accepted) = (0_usize, self.spoof());
        let mut nearest = Nearest::all_accepted();
        for step in self.steps() {
            for trial in 0..step.bonafide + step.spoof {
                if trial < step.bonafide {
                    missed += 1;
                } else {
                    accepted -= 1;
                }
                nearest.consider(missed as f64 / bonafide, accepted as f64 / spoof, step.score);
            }
        }
        nearest.eer
    }

    /// Equal error rate from scikit-learn's `roc_curve`, with spoof as the positive class, as much published code
    /// computes it (the original of this crate's model too).
    ///
    /// Equal scores are grouped, and points inside a run of equal steps are dropped (`drop_intermediate=True`), which
    /// can drop the nearest point. The rate is (FPR + FNR)/2 at the first of the points left, from the lowest score
    /// up, with the least |FPR − FNR|, where FNR = 1 − TPR.
    ///
    /// If all scores are equal, the rate is 0.5 and the threshold −∞.
    #[must_use]
    pub fn eer_sklearn(&self) -> EqualErrorRate {
        let (bonafide, spoof) = (self.bonafide() as f64, self.spoof() as f64);
        let mut nearest = Nearest::all_accepted();
        for (step, missed, rejected) in self.corners() {
            // 1 − TPR rather than the spoofed trials left: they differ in the last digit, and that decides which of
            // two near points wins.
            nearest.consider(missed as f64 / bonafide, 1.0 - rejected as f64 / spoof, step.score);
        }
        nearest.eer
    }

    /// Equal error rate on the convex hull of the ROC curve (ROCCH), as in the BOSARIS toolkit: where the hull crosses
    /// miss = false alarm.
    ///
    /// It is the largest expected error rate over priors that the best threshold for each prior has, at most 0.5, and
    /// does not depend on how ties are ordered. It has no threshold: the hull between its corners is reached only by
    /// choosing between two thresholds at random.
    #[must_use]
    pub fn eer_rocch(&self) -> f64 {
        let (bonafide, spoof) = (self.bonafide() as f64, self.spoof() as f64);
        let (mut miss, mut false_alarm) = (0.0, 1.0);
        let (mut missed, mut accepted) = (0, self.spoof());
        for block in pav::blocks(self) {
            missed += block.bonafide;
            accepted -= block.spoof;
            let (next_miss, next_false_alarm) = (missed as f64 / bonafide, accepted as f64 / spoof);
            if next_miss >= next_false_alarm {
                let before = false_alarm - miss;
                let share = before / (before + next_miss - next_false_alarm);
                return miss + share * (next_miss - miss);
            }
            (miss, false_alarm) = (next_miss, next_false_alarm);
        }
        // Not reached: the last block ends at miss 1 and false alarm 0.
        miss
    }
}
