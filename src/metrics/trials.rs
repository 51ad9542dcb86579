//! The scores that every metric starts from.

use crate::{Error, Label, Result};

/// Scores of bona fide and spoofed trials, sorted. A higher score is more bona fide.
///
/// At least one trial of each class, no score NaN. Infinite scores are allowed: they rank first or last, and a metric
/// that sums scores, such as Cllr, may then be infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    steps: Vec<Step>,
    bonafide: usize,
    spoof: usize,
}

/// All the trials of one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) score: f64,
    pub(super) bonafide: usize,
    pub(super) spoof: usize,
}

impl Trials {
    /// Sorts the scores, which may come in any order.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyClass`] if either class has no scores; [`Error::InvalidScore`] if a score is NaN.
    pub fn new(bonafide: &[f64], spoof: &[f64]) -> Result<Self> {
        Self::of_classes(("bonafide", bonafide), ("spoof", spoof))
    }

    /// The same from the label and the score of each trial.
    ///
    /// # Errors
    ///
    /// As in [`new`](Self::new); a NaN's index is that among all trials.
    pub fn labelled(trials: impl IntoIterator<Item = (Label, f64)>) -> Result<Self> {
        let (mut bonafide, mut spoof) = (Vec::new(), Vec::new());
        for (index, (label, score)) in trials.into_iter().enumerate() {
            let class = match label {
                Label::Bonafide => &mut bonafide,
                Label::Spoof => &mut spoof,
            };
            class.push(number(score, label.as_str(), index)?);
        }
        Self::new(&bonafide, &spoof)
    }

    /// The same for two classes of other names, which errors then call by them.
    pub(super) fn of_classes(accept: (&'static str, &[f64]), reject: (&'static str, &[f64])) -> Result<Self> {
        Ok(Self::from_steps(merge(&sorted(accept)?, &sorted(reject)?)))
    }

    /// Steps in ascending order of scores; those without trials are left out. There is a trial of each class.
    pub(super) fn from_steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: Vec<Step> = steps
            .into_iter()
            .filter(|step| step.bonafide + step.spoof > 0)
            .collect();
        Self {
            bonafide: steps.iter().map(|step| step.bonafide).sum(),
            spoof: steps.iter().map(|step| step.spoof).sum(),
            steps,
        }
    }

    /// Bona fide trials, at least 1.
    #[must_use]
    pub fn bonafide(&self) -> usize {
        self.bonafide
    }

    /// Spoofed trials, at least 1.
    #[must_use]
    pub fn spoof(&self) -> usize {
        self.spoof
    }

    /// The distinct scores in ascending order, with their trials.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The trials with other scores, for example calibrated ones.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidScore`] if `score` returns NaN.
    pub fn map(&self, score: impl Fn(f64) -> f64) -> Result<Self> {
        let mut steps = Vec::with_capacity(self.steps.len());
        for (index, step) in self.steps.iter().enumerate() {
            let class = if step.bonafide > 0 { "bonafide" } else { "spoof" };
            let score = number(score(step.score), class, index)?;
            steps.push(Step { score, ..*step });
        }
        steps.sort_by(|a, b| a.score.total_cmp(&b.score));
        steps.dedup_by(|later, kept| {
            let same = later.score == kept.score;
            if same {
                kept.bonafide += later.bonafide;
                kept.spoof += later.spoof;
            }
            same
        });
        Ok(Self { steps, ..*self })
    }
}

/// The scores of one class in ascending order.
fn sorted((class, scores): (&'static str, &[f64])) -> Result<Vec<f64>> {
    if scores.is_empty() {
        return Err(Error::EmptyClass { class });
    }
    let mut sorted = scores
        .iter()
        .enumerate()
        .map(|(index, &score)| number(score, class, index))
        .collect::<Result<Vec<f64>>>()?;
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

/// A score that is not NaN, and not -0.0 either, which the total order would tell from 0.0.
pub(super) fn number(score: f64, class: &'static str, index: usize) -> Result<f64> {
    if score.is_nan() {
        return Err(Error::InvalidScore {
            class,
            index,
            value: score,
            expected: "a number",
        });
    }
    Ok(score + 0.0)
}

/// Groups equal scores of two sorted classes.
fn merge(bonafide: &[f64], spoof: &[f64]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(bonafide.len() + spoof.len());
    let (mut b, mut s) = (0, 0);
    loop {
        let score = match (bonafide.get(b), spoof.get(s)) {
            (Some(&x), Some(&y)) => x.min(y),
            (Some(&only), None) | (None, Some(&only)) => only,
            (None, None) => return steps,
        };
        let step = Step {
            score,
            bonafide: run(&bonafide[b..], score),
            spoof: run(&spoof[s..], score),
        };
        b += step.bonafide;
        s += step.spoof;
        steps.push(step);
    }
}

/// How many scores at the beginning equal `score`.
fn run(scores: &[f64], score: f64) -> usize {
    scores.iter().take_while(|&&other| other == score).count()
}
