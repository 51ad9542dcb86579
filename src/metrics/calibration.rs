//! Calibration: from scores to log-likelihood ratios.

use super::cllr::softplus;
use super::trials::Step;
use super::{Trials, open_fraction, pav};
use crate::{Error, Result};

/// An affine map from scores to log-likelihood ratios: `llr = scale · score + offset`.
///
/// Fit it on trials that the detector is not evaluated on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogisticCalibration {
    /// Nats per unit of the score. Negative if bona fide trials score lower.
    pub scale: f64,
    /// The log-likelihood ratio of the score 0, in nats.
    pub offset: f64,
}

impl LogisticCalibration {
    /// Prior-weighted logistic regression, without regularisation: the least, with τ = ln(prior / (1 − prior)), of
    ///
    /// prior · mean over bona fide of ln(1 + e^−(llr + τ)) + (1 − prior) · mean over spoofed of ln(1 + e^(llr + τ))
    ///
    /// `prior` is the prior of bona fide at which the log-likelihood ratios should decide best. 0.5 minimises
    /// [`Trials::cllr`]. To weigh in costs, take Cmiss · πbonafide / (Cmiss · πbonafide + Cfa · πspoof), which is
    /// 0.95 / 1.45 for ASVspoof 5. Trials with equal scores throughout say nothing: they give scale 0 and offset 0.
    ///
    /// Source: Brümmer and du Preez, "Application-independent evaluation of speaker detection", 2006.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the prior is not between 0 and 1; [`Error::InvalidScore`] if a score is infinite;
    /// [`Error::Calibration`] if some threshold separates the classes without error, since no finite scale is the best
    /// then; if it all but does, or the scores are too large or too close together, to compute with.
    pub fn fit(trials: &Trials, prior: f64) -> Result<Self> {
        open_fraction("the prior of bona fide", prior)?;
        finite(trials)?;
        if trials.steps().len() == 1 {
            return Ok(Self {
                scale: 0.0,
                offset: 0.0,
            });
        }
        if separable(trials) {
            return Err(Error::Calibration {
                reason: "the scores separate the classes without error, so no finite scale is the best",
            });
        }
        let regression = Regression::new(trials, prior)?;
        let [slope, intercept] = regression.minimise()?;
        let scale = slope / regression.deviation;
        let offset = intercept - scale * regression.mean;
        if scale.is_finite() && offset.is_finite() {
            return Ok(Self { scale, offset });
        }
        Err(Error::Calibration { reason: EXTREME })
    }

    /// The log-likelihood ratio of a score, in nats.
    #[must_use]
    pub fn llr(&self, score: f64) -> f64 {
        self.scale * score + self.offset
    }
}

const EXTREME: &str = "the scores are too large, or too close together, to compute with";

/// The regression on scores of mean 0 and deviation 1, on which Newton's method is well conditioned.
struct Regression<'a> {
    trials: &'a Trials,
    mean: f64,
    deviation: f64,
    /// The log-odds of the prior.
    tau: f64,
    /// The weight of one bona fide and of one spoofed trial.
    weights: (f64, f64),
}

/// The cost at a slope and an intercept, with its derivatives.
#[derive(Default)]
struct Cost {
    value: f64,
    gradient: [f64; 2],
    /// By slope twice, by both, and by intercept twice.
    hessian: [f64; 3],
}

/// Newton's method needs about ten, unless the classes all but separate.
const MAX_STEPS: usize = 100;
/// The cost is not known better than this fraction of it after summing a million terms.
const ROUNDING: f64 = 1e-12;

impl<'a> Regression<'a> {
    fn new(trials: &'a Trials, prior: f64) -> Result<Self> {
        let (mean, deviation) = moments(trials)?;
        Ok(Self {
            trials,
            mean,
            deviation,
            tau: (prior / (1.0 - prior)).ln(),
            weights: (prior / trials.bonafide() as f64, (1.0 - prior) / trials.spoof() as f64),
        })
    }

    /// Newton's method; a step that overshoots is halved. The cost is convex, so this finds its one minimum.
    fn minimise(&self) -> Result<[f64; 2]> {
        let mut point = [0.0; 2];
        let mut cost = self.cost(point);
        for _ in 0..MAX_STEPS {
            let step = cost.newton_step();
            let gain = -(cost.gradient[0] * step[0] + cost.gradient[1] * step[1]);
            if gain <= ROUNDING * cost.value {
                return Ok(moved(point, step, 1.0));
            }
            let Some(better) = self.descend(point, step, &cost, gain) else {
                break;
            };
            (point, cost) = better;
        }
        Err(Error::Calibration {
            reason: "no best scale was found: the scores all but separate the classes, or differ by too little",
        })
    }

    /// The longest of the step, half of it, a quarter of it, … that lowers the cost enough.
    fn descend(&self, point: [f64; 2], step: [f64; 2], cost: &Cost, gain: f64) -> Option<([f64; 2], Cost)> {
        (0..60).find_map(|halvings| {
            let share = 0.5_f64.powi(halvings);
            let there = moved(point, step, share);
            let lower = self.cost(there);
            let enough = cost.value - 1e-4 * share * gain + ROUNDING * cost.value;
            (lower.value <= enough).then_some((there, lower))
        })
    }

    fn cost(&self, [slope, intercept]: [f64; 2]) -> Cost {
        let mut cost = Cost::default();
        for step in self.trials.steps() {
            let x = (step.score - self.mean) / self.deviation;
            let z = slope * x + intercept + self.tau;
            let bonafide = self.weights.0 * step.bonafide as f64;
            let spoof = self.weights.1 * step.spoof as f64;
            // The logistic function and one minus it, neither of which may round to 1 − 1.
            let small = (-z.abs()).exp();
            let (less, more) = (small / (1.0 + small), 1.0 / (1.0 + small));
            let (p_bonafide, p_spoof) = if z < 0.0 { (less, more) } else { (more, less) };

            cost.value += bonafide * softplus(-z) + spoof * softplus(z);
            let slope_of_z = spoof * p_bonafide - bonafide * p_spoof;
            cost.gradient[0] += slope_of_z * x;
            cost.gradient[1] += slope_of_z;
            let curvature = (bonafide + spoof) * p_bonafide * p_spoof;
            cost.hessian[0] += curvature * x * x;
            cost.hessian[1] += curvature * x;
            cost.hessian[2] += curvature;
        }
        cost
    }
}

impl Cost {
    /// Where the quadratic approximation has its minimum, from here.
    fn newton_step(&self) -> [f64; 2] {
        let [g0, g1] = self.gradient;
        let [mut h00, h01, mut h11] = self.hessian;
        if h00 * h11 - h01 * h01 <= 1e-15 * h00 * h11 {
            // Nearly singular: a little on the diagonal keeps the direction downhill.
            let ridge = 1e-12 * (h00 + h11);
            h00 += ridge;
            h11 += ridge;
        }
        let determinant = h00 * h11 - h01 * h01;
        [(h01 * g1 - h11 * g0) / determinant, (h01 * g0 - h00 * g1) / determinant]
    }
}

fn moved(point: [f64; 2], step: [f64; 2], share: f64) -> [f64; 2] {
    [point[0] + share * step[0], point[1] + share * step[1]]
}

/// Mean and standard deviation of the scores.
fn moments(trials: &Trials) -> Result<(f64, f64)> {
    let count = (trials.bonafide() + trials.spoof()) as f64;
    let mean_of = |value: &dyn Fn(f64) -> f64| {
        let sum = trials
            .steps()
            .iter()
            .map(|step| (step.bonafide + step.spoof) as f64 * value(step.score));
        sum.sum::<f64>() / count
    };
    let mean = mean_of(&|score| score);
    let deviation = mean_of(&|score| (score - mean) * (score - mean)).sqrt();
    if mean.is_finite() && deviation.is_normal() {
        return Ok((mean, deviation));
    }
    Err(Error::Calibration { reason: EXTREME })
}

/// Whether some threshold has no error, in either direction, if trials tied at it count as right.
fn separable(trials: &Trials) -> bool {
    let steps = trials.steps();
    let lowest = |has: fn(&Step) -> bool| steps.iter().position(has);
    let highest = |has: fn(&Step) -> bool| steps.iter().rposition(has);
    highest(|step| step.spoof > 0) <= lowest(|step| step.bonafide > 0)
        || highest(|step| step.bonafide > 0) <= lowest(|step| step.spoof > 0)
}

/// Checks that no score is infinite.
fn finite(trials: &Trials) -> Result<()> {
    match trials.steps().iter().position(|step| step.score.is_infinite()) {
        None => Ok(()),
        Some(index) => Err(Error::InvalidScore {
            class: if trials.steps()[index].bonafide > 0 {
                "bonafide"
            } else {
                "spoof"
            },
            index,
            value: trials.steps()[index].score,
            expected: "a finite number",
        }),
    }
}

/// A non-decreasing step function from scores to log-likelihood ratios, by pooling adjacent violators.
///
/// Of all increasing maps it has the least [`Trials::cllr`] on the trials it is fitted on, which is their
/// [`Trials::min_cllr`]. It follows chance in those trials where they are few, so prefer [`LogisticCalibration`] unless
/// there are many.
#[derive(Debug, Clone, PartialEq)]
pub struct PavCalibration {
    /// The lowest score of each block but the first.
    boundaries: Vec<f64>,
    /// The log-likelihood ratio of each block.
    llrs: Vec<f64>,
}

impl PavCalibration {
    /// Isotonic regression of the classes on the scores.
    ///
    /// Between the scores it was fitted on, the step is half-way.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidScore`] if a score is infinite.
    pub fn fit(trials: &Trials) -> Result<Self> {
        finite(trials)?;
        let blocks = pav::blocks(trials);
        Ok(Self {
            boundaries: blocks
                .windows(2)
                .map(|pair| between(pair[0].highest, pair[1].lowest))
                .collect(),
            llrs: blocks.iter().map(|block| block.llr(trials)).collect(),
        })
    }

    /// The log-likelihood ratio of a score, in nats; NaN for NaN.
    ///
    /// It is −∞ below the lowest bona fide score of the trials fitted on, and +∞ above the highest spoofed one, since
    /// those trials set no limit. Clamp it to decide on other trials: one of them on the wrong side would make their
    /// Cllr infinite.
    #[must_use]
    pub fn llr(&self, score: f64) -> f64 {
        if score.is_nan() {
            return f64::NAN;
        }
        // There is one block more than there are boundaries.
        self.llrs[self.boundaries.partition_point(|boundary| *boundary <= score)]
    }
}

/// The middle of two scores, but above the lower one even where no number lies between.
fn between(lower: f64, upper: f64) -> f64 {
    let middle = lower.midpoint(upper);
    if middle > lower { middle } else { upper }
}
