//! ROC and DET curves, the area under the former, and thresholds at a given rate.

use super::Trials;
use super::trials::Step;
use crate::{Error, Result};

/// A threshold and its two error rates.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperatingPoint {
    /// A score above this is accepted as bona fide; one at or below it is rejected. −∞ accepts everything.
    pub threshold: f64,
    /// Bona fide trials rejected / all bona fide trials, 0 to 1. On a ROC curve, 1 − `miss` is the hit rate.
    pub miss: f64,
    /// Spoofed trials accepted / all spoofed trials, 0 to 1.
    pub false_alarm: f64,
}

impl Trials {
    /// Every operating point there is, from accepting everything (threshold −∞) to rejecting everything.
    pub(super) fn points(&self) -> impl Iterator<Item = OperatingPoint> {
        let all_accepted = OperatingPoint {
            threshold: f64::NEG_INFINITY,
            miss: 0.0,
            false_alarm: 1.0,
        };
        let (mut missed, mut accepted) = (0, self.spoof());
        std::iter::once(all_accepted).chain(self.steps().iter().map(move |step| {
            missed += step.bonafide;
            accepted -= step.spoof;
            OperatingPoint {
                threshold: step.score,
                miss: missed as f64 / self.bonafide() as f64,
                false_alarm: accepted as f64 / self.spoof() as f64,
            }
        }))
    }

    /// The steps that are left when those inside a run of equal steps are dropped, each with the bona fide and spoofed
    /// trials up to and including it: scikit-learn's `drop_intermediate`.
    pub(super) fn corners(&self) -> impl Iterator<Item = (&Step, usize, usize)> {
        let steps = self.steps();
        let (mut bonafide, mut spoof) = (0, 0);
        steps.iter().enumerate().filter_map(move |(index, step)| {
            bonafide += step.bonafide;
            spoof += step.spoof;
            let inside = index > 0
                && steps
                    .get(index + 1)
                    .is_some_and(|next| (next.bonafide, next.spoof) == (step.bonafide, step.spoof));
            (!inside).then_some((step, bonafide, spoof))
        })
    }

    /// The detection error trade-off: one point for each distinct score and one that accepts everything, in ascending
    /// order of thresholds, so `miss` rises from 0 to 1 and `false_alarm` falls from 1 to 0.
    ///
    /// A DET plot draws `probit(miss)` over `probit(false_alarm)` ([`probit`]).
    /// Source: Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.
    #[must_use]
    pub fn det_curve(&self) -> Vec<OperatingPoint> {
        self.points().collect()
    }

    /// The receiver operating characteristic, in ascending order of false alarms, from rejecting everything to
    /// accepting everything: a plot draws 1 − `miss` over `false_alarm`.
    ///
    /// Unlike in [`det_curve`](Self::det_curve), points inside a run of equal steps are left out, as by scikit-learn's
    /// `drop_intermediate`. That changes no plot, and leaves far fewer points where the classes hardly overlap.
    #[must_use]
    pub fn roc_curve(&self) -> Vec<OperatingPoint> {
        let corners = self.corners().map(|(step, missed, rejected)| OperatingPoint {
            threshold: step.score,
            miss: missed as f64 / self.bonafide() as f64,
            false_alarm: (self.spoof() - rejected) as f64 / self.spoof() as f64,
        });
        let mut curve: Vec<OperatingPoint> = self.points().take(1).chain(corners).collect();
        curve.reverse();
        curve
    }

    /// Area under the ROC curve, 0 to 1: the probability that a bona fide trial scores higher than a spoofed one, ties
    /// counting half (Mann–Whitney U / (bona fide · spoof)).
    #[must_use]
    pub fn auc(&self) -> f64 {
        let mut below = 0_u128;
        // In halves of a pair, so that ties stay whole numbers and the sum is exact.
        let mut halves = 0_u128;
        for step in self.steps() {
            halves += step.bonafide as u128 * (2 * below + step.spoof as u128);
            below += step.spoof as u128;
        }
        halves as f64 / (2.0 * self.bonafide() as f64 * self.spoof() as f64)
    }

    /// The lowest threshold that accepts at most the fraction `rate` of the spoofed trials.
    ///
    /// `rate` is 0 to 1. There is always such a threshold: at worst the highest score, which rejects everything.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `rate` is not in 0 to 1.
    pub fn threshold_at_false_alarm(&self, rate: f64) -> Result<OperatingPoint> {
        fraction("the false-alarm rate", rate)?;
        let mut points = self.points();
        let mut point = first(&mut points);
        for next in points {
            if point.false_alarm <= rate {
                break;
            }
            point = next;
        }
        Ok(point)
    }

    /// The highest threshold, among the scores and −∞, that rejects at most the fraction `rate` of the bona fide trials.
    ///
    /// `rate` is 0 to 1. There is always such a threshold: at worst −∞, which accepts everything.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if `rate` is not in 0 to 1.
    pub fn threshold_at_miss(&self, rate: f64) -> Result<OperatingPoint> {
        fraction("the miss rate", rate)?;
        let mut points = self.points();
        let start = first(&mut points);
        Ok(points.take_while(|point| point.miss <= rate).last().unwrap_or(start))
    }
}

/// The quantile function of the standard normal distribution, which scales the axes of a DET plot: −∞ at 0, 0 at 0.5,
/// +∞ at 1, and NaN outside of 0 to 1.
///
/// Algorithm AS 241 (PPND16) of Wichura, "The percentage points of the normal distribution", 1988, which is accurate to
/// about 1 part in 10¹⁶.
#[must_use]
pub fn probit(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let tail = p.min(1.0 - p);
    if tail == 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-tail.ln()).sqrt();
    let (r, (above, below)) = if r <= 5.0 { (r - 1.6, &MIDDLE) } else { (r - 5.0, &TAIL) };
    (polynomial(above, r) / polynomial(below, r)).copysign(q)
}
