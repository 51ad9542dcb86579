//! What a clip's score says.

use std::fmt;

use crate::quality::Listener;
use crate::windows::seconds;
use crate::{Note, Quality};

/// What the voice is called: made by a person or by a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Label {
    /// Real speech.
    Bonafide,
    /// Synthetic, converted or otherwise machine-made speech.
    Spoof,
}

impl Label {
    /// `bonafide` or `spoof`, as the field's protocols spell them.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bonafide => "bonafide",
            Self::Spoof => "spoof",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict on a clip.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Score {
    /// P(spoof) of the clip, 0 to 1: the mean over its windows.
    pub spoof_probability: f32,
    /// P(bonafide) of the clip: 1 − `spoof_probability`.
    pub bonafide_probability: f32,
    /// [`Label::Spoof`] if `spoof_probability` exceeds `threshold`.
    pub label: Label,
    /// The probability of `label`, 0 to 1.
    pub confidence: f32,
    /// The threshold that `label` was decided with.
    pub threshold: f32,
    /// The clip's length in seconds.
    pub duration_seconds: f64,
    /// Mean over the windows of logit(bonafide) − logit(spoof), in nats: higher is more bona fide, 0 is undecided.
    ///
    /// The probabilities of a confident model round to 0 or 1 and then tie; this does not, so rank and calibrate with
    /// it. It is an uncalibrated log-likelihood ratio, up to the prior that the model was trained with.
    pub llr: f32,
    /// The score of each window, in the clip's order.
    pub windows: Vec<WindowScore>,
    /// What the clip is like as a signal.
    pub quality: Quality,
    /// Reasons to trust the score less.
    pub notes: Vec<Note>,
}

/// The score of one window.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WindowScore {
    /// Where the window starts in the clip, in seconds.
    pub start_seconds: f64,
    /// Where it ends, in seconds, zero-padding not counted.
    pub end_seconds: f64,
    /// P(spoof), 0 to 1.
    pub spoof_probability: f32,
    /// logit(bonafide) − logit(spoof), in nats: higher is more bona fide.
    pub llr: f32,
}

impl WindowScore {
    /// The score of a window from its two logits.
    ///
    /// The softmax of two logits is the logistic function of their difference, which unlike two exponentials cannot
    /// overflow.
    pub(crate) fn new(start_seconds: f64, end_seconds: f64, bonafide: f32, spoof: f32) -> Self {
        let llr = bonafide - spoof;
        Self {
            start_seconds,
            end_seconds,
            spoof_probability: 1.0 / (1.0 + llr.exp()),
            llr,
        }
    }
}

impl Score {
    /// Sums up the windows of a clip. There is at least one window.
    pub(crate) fn new(windows: Vec<WindowScore>, threshold: f32, heard: &Listener) -> Self {
        let quality = heard.quality();
        let mean = |value: fn(&WindowScore) -> f32| {
            let sum: f64 = windows.iter().map(|window| f64::from(value(window))).sum();
            (sum / windows.len() as f64) as f32
        };
        let spoof_probability = mean(|window| window.spoof_probability);
        let bonafide_probability = 1.0 - spoof_probability;
        let (label, confidence) = if spoof_probability > threshold {
            (Label::Spoof, spoof_probability)
        } else {
            (Label::Bonafide, bonafide_probability)
        };
        Self {
            spoof_probability,
            bonafide_probability,
            label,
            confidence,
            threshold,
            duration_seconds: seconds(heard.samples()),
            llr: mean(|window| window.llr),
            windows,
            notes: Note::of(&quality, heard.samples()),
            quality,
        }
    }

    /// The label, unless there is no speech in the clip: of silence, a tone or noise a model says something too, but it
    /// means nothing.
    #[must_use]
    pub fn verdict(&self) -> Option<Label> {
        (!self.notes.contains(&Note::NoSpeech)).then_some(self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bonafide: f32, spoof: f32) -> WindowScore {
        WindowScore::new(0.0, 4.0, bonafide, spoof)
    }

    #[test]
    fn probabilities_are_the_softmax_of_the_logits() {
        for (bonafide, spoof) in [(0.0_f32, 0.0_f32), (1.5, -0.5), (-3.0, 2.0), (0.25, 0.5)] {
            let softmax = spoof.exp() / (bonafide.exp() + spoof.exp());
            assert!((window(bonafide, spoof).spoof_probability - softmax).abs() < 1e-6);
        }
    }

    #[test]
    fn extreme_logits_saturate_the_probability_and_not_the_llr() {
        let sure = window(500.0, -500.0);
        assert_eq!((sure.spoof_probability, sure.llr), (0.0, 1000.0));
        let surer = window(-600.0, 500.0);
        assert_eq!((surer.spoof_probability, surer.llr), (1.0, -1100.0));
    }

    #[test]
    fn a_clip_is_spoof_above_the_threshold_only() {
        let undecided = Score::new(vec![window(0.0, 0.0)], 0.5, &Listener::new());
        assert_eq!((undecided.spoof_probability, undecided.label), (0.5, Label::Bonafide));
        assert_eq!(undecided.confidence, 0.5);

        let low = Score::new(vec![window(0.0, 0.0)], 0.4, &Listener::new());
        assert_eq!((low.label, low.confidence, low.threshold), (Label::Spoof, 0.5, 0.4));
    }

    #[test]
    fn a_clips_score_is_the_mean_of_its_windows() {
        let windows = vec![window(2.0, 0.0), window(-1.0, 1.0), window(0.5, 0.0)];
        let expected = windows.iter().map(|w| w.spoof_probability).sum::<f32>() / 3.0;
        let mut listener = Listener::new();
        listener.hear(&[0.1; 1_000]);
        let score = Score::new(windows, 0.5, &listener);
        assert!((score.spoof_probability - expected).abs() < 1e-6);
        assert!((score.spoof_probability + score.bonafide_probability - 1.0).abs() < 1e-6);
        assert!((score.llr - 0.5 / 3.0).abs() < 1e-6);
        assert_eq!(score.duration_seconds, 0.0625);
    }
}
