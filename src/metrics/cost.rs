//! The detection cost: misses and false alarms, weighed by what they cost and how often they can happen.

use super::{Trials, open_fraction};
use crate::{Error, Result};

/// How often spoofed speech is expected and what mistakes cost.
///
/// The default is ASVspoof 5's: a prior of spoof of 0.05, a miss costs 1, a false alarm 10.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionCost {
    /// Prior · cost of a miss, and of a false alarm.
    miss: f64,
    false_alarm: f64,
}

impl Default for DetectionCost {
    fn default() -> Self {
        Self::weights(0.05, 1.0, 10.0)
    }
}

impl DetectionCost {
    /// Costs of rejecting a bona fide trial (`miss`) and of accepting a spoofed one (`false_alarm`), in any unit, when
    /// the fraction `spoof_prior` of the trials is spoofed.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the prior is not between 0 and 1, or a cost is not a positive number.
    pub fn new(spoof_prior: f64, miss: f64, false_alarm: f64) -> Result<Self> {
        open_fraction("the prior of spoof", spoof_prior)?;
        positive("the cost of a miss", miss)?;
        positive("the cost of a false alarm", false_alarm)?;
        Ok(Self::weights(spoof_prior, miss, false_alarm))
    }

    fn weights(spoof_prior: f64, miss: f64, false_alarm: f64) -> Self {
        Self {
            miss: miss * (1.0 - spoof_prior),
            false_alarm: false_alarm * spoof_prior,
        }
    }

    /// The log-likelihood ratio at which accepting and rejecting cost the same (Bayes): accept at or above it.
    ///
    /// −ln(miss cost · bona fide prior / (false-alarm cost · spoof prior)); −ln 1.9 by default.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        -(self.miss / self.false_alarm).ln()
    }

    /// The cost of two error rates, relative to that of the better of accepting and of rejecting everything.
    fn normalised(&self, miss: f64, false_alarm: f64) -> f64 {
        (self.miss * miss + self.false_alarm * false_alarm) / self.miss.min(self.false_alarm)
    }
}

/// Checks that a cost is a positive, finite number.
fn positive(setting: &'static str, cost: f64) -> Result<()> {
    if cost > 0.0 && cost.is_finite() {
        return Ok(());
    }
    Err(Error::Setting {
        setting,
        expected: "a positive number",
        found: cost.to_string(),
    })
}

impl Trials {
    /// Minimum detection cost: the least over all thresholds of
    ///
    /// (Cmiss · (1 − πspoof) · miss + Cfa · πspoof · false alarm) / min(Cmiss · (1 − πspoof), Cfa · πspoof)
    ///
    /// 0 to 1; 1 is what accepting or rejecting everything costs. Source: ASVspoof 5.
    #[must_use]
    pub fn min_dcf(&self, cost: &DetectionCost) -> f64 {
        self.points()
            .map(|point| cost.normalised(point.miss, point.false_alarm))
            .fold(f64::INFINITY, f64::min)
    }

    /// Actual detection cost: the same cost when a trial is accepted if its score is at or above
    /// [`DetectionCost::threshold`], so the scores are taken for log-likelihood ratios (natural logarithm).
    ///
    /// At least [`min_dcf`](Self::min_dcf); above 1, deciding without the detector would have been cheaper.
    /// Source: ASVspoof 5.
    #[must_use]
    pub fn act_dcf(&self, cost: &DetectionCost) -> f64 {
        let threshold = cost.threshold();
        let (mut missed, mut accepted) = (0, self.spoof());
        for step in self.steps().iter().take_while(|step| step.score < threshold) {
            missed += step.bonafide;
            accepted -= step.spoof;
        }
        cost.normalised(
            missed as f64 / self.bonafide() as f64,
            accepted as f64 / self.spoof() as f64,
        )
    }
}
