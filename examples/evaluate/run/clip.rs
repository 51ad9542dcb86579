//! One clip: decoded, trimmed if asked for, scored.

use std::path::Path;

use bonafide::{Audio, Detector, Error, SAMPLE_RATE, Score};

use super::trim;
use crate::failure::Failure;

/// What is kept of a clip's score.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clip {
    pub(super) llr: f32,
    /// 1 − P(spoof), in `f64`: as `f32` it would tie the surest bona fide clips, which P(spoof) itself tells apart.
    pub(super) bonafide_probability: f64,
    /// At least one.
    pub(super) windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) start_seconds: f64,
    pub(super) end_seconds: f64,
    pub(super) spoof_probability: f32,
    pub(super) llr: f32,
}

impl Clip {
    /// The samples that were scored: the last window reaches to the end of the clip.
    pub(super) fn samples(&self) -> usize {
        let end = self.windows.iter().map(|window| window.end_seconds).fold(0.0, f64::max);
        (end * f64::from(SAMPLE_RATE)).round() as usize
    }
}

impl From<Score> for Clip {
    fn from(score: Score) -> Self {
        let windows = score.windows.iter().map(|window| Window {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            spoof_probability: window.spoof_probability,
            llr: window.llr,
        });
        Self {
            llr: score.llr,
            bonafide_probability: 1.0 - f64::from(score.spoof_probability),
            windows: windows.collect(),
        }
    }
}

/// What became of a clip.
pub(super) enum Outcome {
    Scored(Clip),
    /// The file is at fault: the others can be scored all the same.
    Skipped(String),
    /// The model or the runtime is at fault, which every clip would meet.
    Failed(Failure),
}

pub(super) fn score(detector: &Detector, path: &Path, trim_silence: bool) -> Outcome {
    let samples = Audio::read(path).and_then(|audio| audio.to_model_input());
    let scored = samples.and_then(|samples| {
        let samples = if trim_silence { trim::trim(&samples) } else { &samples };
        detector.score(samples)
    });
    match scored {
        Ok(score) => Outcome::Scored(score.into()),
        Err(error @ (Error::Runtime { .. } | Error::FormatDisabled { .. })) => {
            Outcome::Failed(Failure::Failed(format!("{}: {error}", path.display())))
        }
        Err(error) => Outcome::Skipped(format!("{}\t{error}", path.display())),
    }
}
