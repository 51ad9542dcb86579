//! ROC and DET curves, the area under the former, and thresholds at a given rate.

use std::iter;

use super::trials::Step;
use super::{Trials, fraction};
use crate::Result;

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

/// Where every curve starts.
const ALL_ACCEPTED: OperatingPoint = OperatingPoint {
    threshold: f64::NEG_INFINITY,
    miss: 0.0,
    false_alarm: 1.0,
};

impl Trials {
    /// Every operating point there is, from accepting everything (threshold −∞) to rejecting everything.
    pub(super) fn points(&self) -> impl Iterator<Item = OperatingPoint> {
        let (mut missed, mut accepted) = (0, self.spoof());
        iter::once(ALL_ACCEPTED).chain(self.steps().iter().map(move |step| {
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
    /// `roc_curve` with spoof as the positive class. That changes no plot, and leaves far fewer points where the classes hardly overlap.
    #[must_use]
    pub fn roc_curve(&self) -> Vec<OperatingPoint> {
        let corners = self.corners().map(|(step, missed, rejected)| OperatingPoint {
            threshold: step.score,
            miss: missed as f64 / self.bonafide() as f64,
            false_alarm: (self.spoof() - rejected) as f64 / self.spoof() as f64,
        });
        let mut curve: Vec<OperatingPoint> = iter::once(ALL_ACCEPTED).chain(corners).collect();
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
    /// [`Error::Setting`](crate::Error::Setting) if `rate` is not in 0 to 1.
    pub fn threshold_at_false_alarm(&self, rate: f64) -> Result<OperatingPoint> {
        fraction("the false-alarm rate", rate)?;
        let mut lowest = ALL_ACCEPTED;
        for point in self.points() {
            lowest = point;
            if point.false_alarm <= rate {
                break;
            }
        }
        Ok(lowest)
    }

    /// The highest threshold, among the scores and −∞, that rejects at most the fraction `rate` of the bona fide trials.
    ///
    /// `rate` is 0 to 1. There is always such a threshold: at worst −∞, which accepts everything.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`](crate::Error::Setting) if `rate` is not in 0 to 1.
    pub fn threshold_at_miss(&self, rate: f64) -> Result<OperatingPoint> {
        fraction("the miss rate", rate)?;
        let allowed = self.points().take_while(|point| point.miss <= rate);
        Ok(allowed.last().unwrap_or(ALL_ACCEPTED))
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

/// A polynomial by its coefficients, the constant first.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// AS 241: the coefficients above and below the fraction line, for |p − ½| ≤ 0.425.
#[allow(clippy::excessive_precision, reason = "the digits are as published")]
const CENTRE: ([f64; 8], [f64; 8]) = (
    [
        3.387_132_872_796_366_608,
        1.331_416_678_917_843_774_5e2,
        1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4,
        4.592_195_393_154_987_145_7e4,
        6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4,
        2.509_080_928_730_122_672_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091_125_2e1,
        6.871_870_074_920_579_083e2,
        5.394_196_021_424_751_107_7e3,
        2.121_379_430_158_659_586_7e4,
        3.930_789_580_009_271_061e4,
        2.872_908_573_572_194_267_4e4,
        5.226_495_278_852_854_561e3,
    ],
);

/// AS 241: further out, down to a tail of about 1.4e-11.
#[allow(clippy::excessive_precision, reason = "the digits are as published")]
const MIDDLE: ([f64; 8], [f64; 8]) = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_9,
        5.769_497_221_460_691_405_5,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        2.417_807_251_774_506_117_7e-1,
        2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_4e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_4,
        6.897_673_349_851_000_045_5e-1,
        1.481_039_764_274_800_745_9e-1,
        1.519_866_656_361_645_719_66e-2,
        5.475_938_084_995_344_946e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);

/// AS 241: the far tail.
#[allow(clippy::excessive_precision, reason = "the digits are as published")]
const TAIL: ([f64; 8], [f64; 8]) = (
    [
        6.657_904_643_501_103_777_2,
        5.463_784_911_164_114_369_9,
        1.784_826_539_917_291_335_8,
        2.965_605_718_285_048_912_3e-1,
        2.653_218_952_657_612_309_3e-2,
        1.242_660_947_388_078_438_6e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879_376_9e-1,
        1.369_298_809_227_358_053_1e-1,
        1.487_536_129_085_061_485_25e-2,
        7.868_691_311_456_132_591e-4,
        1.846_318_317_510_054_681_8e-5,
        1.421_511_758_316_445_888_7e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);
