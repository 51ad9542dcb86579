//! How many files there were of each kind.

use std::fmt;

use bonafide::Label;

use crate::scoring::Outcome;
use crate::text::{counted, duration};

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) spoof: usize,
    pub(crate) bonafide: usize,
    pub(crate) no_speech: usize,
    pub(crate) errors: usize,
    /// Files that are not audio, in folders and among those that a pattern matches.
    pub(crate) skipped: usize,
    /// Of the files that were scored, together.
    pub(crate) seconds: f64,
}

impl Tally {
    pub(crate) fn new(skipped: usize) -> Self {
        Self {
            skipped,
            ..Self::default()
        }
    }

    pub(crate) fn count(&mut self, outcome: &Outcome) {
        let Ok(score) = &outcome.score else {
            self.errors += 1;
            return;
        };
        self.seconds += score.duration_seconds;
        *match score.verdict() {
            Some(Label::Spoof) => &mut self.spoof,
            Some(Label::Bonafide) => &mut self.bonafide,
            None => &mut self.no_speech,
        } += 1;
    }

    pub(crate) fn scored(&self) -> usize {
        self.spoof + self.bonafide + self.no_speech
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} scored, {} of audio: {} spoof, {} bona fide, {} no speech; {}, {} skipped",
            counted(self.scored(), "file"),
            duration(self.seconds),
            self.spoof,
            self.bonafide,
            self.no_speech,
            counted(self.errors, "error"),
            self.skipped
        )
    }
}
