//! The cost of log-likelihood ratios.

use std::f64::consts::LN_2;

use super::Trials;
use super::pav;

impl Trials {
    /// Cllr, the cost of the scores as log-likelihood ratios (natural logarithm), in bits:
    ///
    /// ½ (mean over bona fide of log₂(1 + e^−score) + mean over spoofed of log₂(1 + e^score))
    ///
    /// 0 is perfect; 1 is what a detector gets that says nothing (score 0 for every trial); a badly calibrated one gets
    /// more, up to +∞ for a trial scored infinite with the wrong sign.
    ///
    /// Source: Brümmer and du Preez, "Application-independent evaluation of speaker detection", 2006; ASVspoof 5.
    #[must_use]
    pub fn cllr(&self) -> f64 {
        let costs = self.steps().iter().map(|step| (step.score, step.bonafide, step.spoof));
        mean_bits(self, costs)
    }

    /// The Cllr that the scores would have under the best increasing calibration of these very trials (PAV), in bits,
    /// 0 to 1: what [`cllr`](Self::cllr) would be if only the order of the scores mattered.
    #[must_use]
    pub fn min_cllr(&self) -> f64 {
        let blocks = pav::blocks(self);
        let costs = blocks
            .iter()
            .map(|block| (block.llr(self), block.bonafide, block.spoof));
        mean_bits(self, costs)
    }
}

/// Cllr of groups of trials: the log-likelihood ratio, the bona fide trials and the spoofed trials of each.
fn mean_bits(trials: &Trials, groups: impl Iterator<Item = (f64, usize, usize)>) -> f64 {
    let (mut bonafide, mut spoof) = (0.0, 0.0);
    for (llr, bonafide_trials, spoof_trials) in groups {
        // A count of 0 must not meet an infinite cost: 0 · ∞ is NaN.
        if bonafide_trials > 0 {
            bonafide += bonafide_trials as f64 * softplus(-llr);
        }
        if spoof_trials > 0 {
            spoof += spoof_trials as f64 * softplus(llr);
        }
    }
    (bonafide / trials.bonafide() as f64 + spoof / trials.spoof() as f64) / (2.0 * LN_2)
}

/// ln(1 + eˣ), which unlike the formula does not overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
