//! The tandem detection cost (t-DCF): a spoofing countermeasure in front of a speaker verification (ASV) system.
//!
//! Source: Kinnunen et al., "Tandem assessment of spoofing countermeasures and automatic speaker verification:
//! fundamentals", 2020, and the evaluation plans of ASVspoof 2019 and 2021.

use super::Trials;
use super::trials::number;
use crate::{Error, Result};

/// Priors of a target speaker, another speaker and a spoofed target: both evaluation plans.
const TARGET: f64 = 0.9405;
const NONTARGET: f64 = 0.0095;
const SPOOF: f64 = 0.05;
/// What rejecting a target, and accepting a non-target or a spoof, costs: both evaluation plans.
const MISS: f64 = 1.0;
const FALSE_ALARM: f64 = 10.0;

/// The scores of a speaker verification system; higher = more like the claimed speaker.
///
/// ASVspoof publishes them, as lines of source, key (`target`, `nontarget` or `spoof`) and score.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AsvScores {
    /// The claimed speaker's own voice.
    pub target: Vec<f64>,
    /// Another speaker's voice.
    pub nontarget: Vec<f64>,
    /// A spoof of the claimed speaker's voice.
    pub spoof: Vec<f64>,
}

impl AsvScores {
    /// The error rates at the threshold of the equal error rate of targets against non-targets, computed as the
    /// official scorers do ([`Trials::eer_asvspoof`]). A score at or above the threshold is accepted.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyClass`] if any of the three has no scores; [`Error::InvalidScore`] if a score is NaN.
    pub fn operating_point(&self) -> Result<AsvOperatingPoint> {
        let trials = Trials::of_classes(("target", &self.target), ("nontarget", &self.nontarget))?;
        if self.spoof.is_empty() {
            return Err(Error::EmptyClass { class: "spoof" });
        }
        for (index, &score) in self.spoof.iter().enumerate() {
            number(score, "spoof", index)?;
        }
        let threshold = trials.eer_asvspoof().threshold;
        Ok(AsvOperatingPoint {
            threshold,
            miss: fraction_of(&self.target, |score| score < threshold),
            false_alarm: fraction_of(&self.nontarget, |score| score >= threshold),
            spoof_false_alarm: fraction_of(&self.spoof, |score| score >= threshold),
        })
    }
}

fn fraction_of(scores: &[f64], holds: impl Fn(f64) -> bool) -> f64 {
    scores.iter().filter(|score| holds(**score)).count() as f64 / scores.len() as f64
}

/// What a speaker verification system gets wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct AsvOperatingPoint {
    /// A score at or above this is accepted.
    pub threshold: f64,
    /// Targets rejected / all targets, 0 to 1.
    pub miss: f64,
    /// Non-targets accepted / all non-targets, 0 to 1.
    pub false_alarm: f64,
    /// Spoofs accepted / all spoofs, 0 to 1.
    pub spoof_false_alarm: f64,
}

/// A cost that is linear in the countermeasure's error rates: `floor + miss · Pmiss + false_alarm · Pfa`.
struct TandemCost {
    floor: f64,
    miss: f64,
    false_alarm: f64,
}

impl Trials {
    /// Minimum t-DCF as in ASVspoof 2019 ("legacy"), 0 to 1: the least over all thresholds of
    ///
    /// (C₁ · miss + C₂ · false alarm) / min(C₁, C₂), where
    ///
    /// - C₁ = πtar (1 − ASV miss) − πnon · 10 · ASV false alarm
    /// - C₂ = 10 · πspoof · ASV spoof false alarm
    ///
    /// with πtar = 0.9405, πnon = 0.0095 and πspoof = 0.05. 1 is what accepting or rejecting everything costs.
    ///
    /// # Errors
    ///
    /// [`Error::TandemCost`] if C₁ or C₂ is not positive: the ASV system accepts no spoof, or is so bad that rejecting
    /// everyone is cheaper.
    pub fn min_tdcf_2019(&self, asv: &AsvOperatingPoint) -> Result<f64> {
        let cost = TandemCost {
            floor: 0.0,
            miss: TARGET * (MISS - MISS * asv.miss) - NONTARGET * FALSE_ALARM * asv.false_alarm,
            false_alarm: FALSE_ALARM * SPOOF * asv.spoof_false_alarm,
        };
        self.min_tandem(&cost)
    }

    /// Minimum t-DCF as in ASVspoof 2021, up to 1: the least over all thresholds of
    ///
    /// (C₀ + C₁ · miss + C₂ · false alarm) / (C₀ + min(C₁, C₂)), where
    ///
    /// - C₀ = πtar · ASV miss + πnon · 10 · ASV false alarm, what the ASV system costs without spoofs
    /// - C₁ = πtar − C₀
    /// - C₂ = πspoof · 10 · ASV spoof false alarm
    ///
    /// with the priors of [`min_tdcf_2019`](Self::min_tdcf_2019). It cannot fall below C₀ / (C₀ + min(C₁, C₂)), which a
    /// perfect countermeasure has.
    ///
    /// # Errors
    ///
    /// [`Error::TandemCost`] if C₁ is negative, or C₀ + min(C₁, C₂) is 0.
    pub fn min_tdcf_2021(&self, asv: &AsvOperatingPoint) -> Result<f64> {
        let floor = TARGET * MISS * asv.miss + NONTARGET * FALSE_ALARM * asv.false_alarm;
        let cost = TandemCost {
            floor,
            miss: TARGET * MISS - floor,
            false_alarm: SPOOF * FALSE_ALARM * asv.spoof_false_alarm,
        };
        self.min_tandem(&cost)
    }

    fn min_tandem(&self, cost: &TandemCost) -> Result<f64> {
        let default = cost.floor + cost.miss.min(cost.false_alarm);
        if cost.miss < 0.0 || cost.false_alarm < 0.0 || default <= 0.0 {
            return Err(Error::TandemCost {
                miss: cost.miss,
                false_alarm: cost.false_alarm,
            });
        }
        let least = self
            .points()
            .map(|point| cost.floor + cost.miss * point.miss + cost.false_alarm * point.false_alarm)
            .fold(f64::INFINITY, f64::min);
        Ok(least / default)
    }
}
