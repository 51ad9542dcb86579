//! Verdicts and notes in plain words.

use std::path::Path;

use bonafide::{Label, Note, Score};

use crate::scoring::Outcome;
use crate::text::printable;

/// What a person should take a score for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Spoof,
    Bonafide,
    /// Near the threshold.
    Undecided,
    NoSpeech,
    /// It could not be scored.
    Failed,
}

/// How near is near: a fifth of the way from the threshold to either end.
const NEAR: f32 = 0.2;

impl Verdict {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        outcome.score.as_ref().map_or(Self::Failed, Self::of_score)
    }

    fn of_score(score: &Score) -> Self {
        let Some(label) = score.verdict() else {
            return Self::NoSpeech;
        };
        let (spoof, threshold) = (score.spoof_probability, score.threshold);
        match label {
            Label::Spoof if spoof - threshold >= NEAR * (1.0 - threshold) => Self::Spoof,
            Label::Bonafide if threshold - spoof >= NEAR * threshold => Self::Bonafide,
            Label::Spoof | Label::Bonafide => Self::Undecided,
        }
    }

    pub(super) const ALL: [Self; 5] = [
        Self::Spoof,
        Self::Bonafide,
        Self::Undecided,
        Self::NoSpeech,
        Self::Failed,
    ];

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Spoof => "Probably machine-made",
            Self::Bonafide => "Probably a person",
            Self::Undecided => "Undecided",
            Self::NoSpeech => "No speech found",
            Self::Failed => "Could not be scored",
        }
    }

    /// Its class in the stylesheet, and a shape, since not everyone sees the colours.
    pub(super) const fn look(self) -> (&'static str, char) {
        match self {
            Self::Spoof => ("spoof", '▲'),
            Self::Bonafide => ("bonafide", '●'),
            Self::Undecided => ("undecided", '◆'),
            Self::NoSpeech => ("no-speech", '○'),
            Self::Failed => ("failed", '✕'),
        }
    }
}

/// How sure the detector is.
pub(super) fn confidence(verdict: Verdict, score: &Score) -> String {
    let spoof = score.spoof_probability;
    let threshold = score.threshold;
    match verdict {
        Verdict::NoSpeech => format!("There is no voice to judge, so P(spoof), {spoof:.4}, means nothing."),
        Verdict::Undecided => format!(
            "P(spoof) is {spoof:.4}, near the threshold of {threshold:.2}: take that as no answer. Forced to choose, the \
             detector calls it {}.",
            called(score.label)
        ),
        _ => format!(
            "The detector is {:.1}\u{a0}% confident: P(spoof) is {spoof:.4}, and above {threshold:.2} it calls a voice \
             spoof.",
            100.0 * score.confidence
        ),
    }
}

fn called(label: Label) -> &'static str {
    match label {
        Label::Spoof => "spoof",
        Label::Bonafide => "bona fide",
    }
}

/// Why to trust a score less.
pub(super) fn note(note: Note) -> String {
    match note {
        Note::TooShort => "Too short: under a second, most of what the detector heard is silence that it added.".into(),
        Note::DigitalSilence => "Silence: there is nothing to hear at all.".into(),
        Note::Quiet => "Very quiet: noise may drown the voice.".into(),
        Note::Clipped => "Clipped: the recording is overdriven, which changes the voice.".into(),
        Note::NarrowBand => "Band-limited like a telephone: nothing above 4 kHz, where machines often give themselves \
                             away."
            .into(),
        Note::NoSpeech => "No speech: what is heard is silence, noise, a tone, or too short to tell.".into(),
        // Notes that are newer than these words.
        other => format!("Note: {other}."),
    }
}

/// What a picture shows, for those who do not see it.
pub(crate) fn description(path: &Path, score: &Score) -> String {
    let mut windows = score.windows.iter();
    let first = windows.next();
    let (lowest, highest) = score.windows.iter().fold((first, first), |(lowest, highest), window| {
        (
            lowest
                .filter(|least| least.spoof_probability <= window.spoof_probability)
                .or(Some(window)),
            highest
                .filter(|most| most.spoof_probability >= window.spoof_probability)
                .or(Some(window)),
        )
    });
    let mut text = format!(
        "Waveform, spectrogram and P(spoof) of {}, {:.1} seconds. ",
        printable(path),
        score.duration_seconds
    );
    if let (Some(lowest), Some(highest)) = (lowest, highest) {
        text += &format!(
            "P(spoof) of its {} windows is lowest at {:.1} seconds, {:.4}, and highest at {:.1} seconds, {:.4}. The \
             threshold is {:.2}.",
            score.windows.len(),
            lowest.start_seconds,
            lowest.spoof_probability,
            highest.start_seconds,
            highest.spoof_probability,
            score.threshold
        );
    }
    text
}
