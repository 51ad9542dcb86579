//! Comma-separated values, a row for each file, with a header.

use std::io::{self, Write};

use bonafide::Label;
use serde::Serialize;

use super::Output;
use crate::scoring::Outcome;
use crate::tally::Tally;

pub(super) struct Csv<W: Write> {
    out: csv::Writer<W>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out: csv::Writer::from_writer(out),
        }
    }
}

/// Names as in the JSON. Of a file that could not be scored there are only `file` and `error`.
#[derive(Serialize, Default)]
struct Row {
    file: String,
    /// The label, or `no_speech`.
    verdict: Option<&'static str>,
    label: Option<&'static str>,
    spoof_probability: Option<f32>,
    bonafide_probability: Option<f32>,
    confidence: Option<f32>,
    threshold: Option<f32>,
    llr: Option<f32>,
    duration_seconds: Option<f64>,
    /// How many.
    windows: Option<usize>,
    level_dbfs: Option<f32>,
    clipped: Option<f32>,
    bandwidth_hz: Option<f32>,
    voiced_seconds: Option<f32>,
    /// Separated by semicolons.
    notes: String,
    error: String,
}

impl Row {
    fn new(outcome: &Outcome) -> Self {
        let file = outcome.path.display().to_string();
        match &outcome.score {
            Err(error) => Self {
                file,
                error: error.clone(),
                ..Self::default()
            },
            Ok(score) => Self {
                file,
                verdict: Some(score.verdict().map_or("no_speech", Label::as_str)),
                label: Some(score.label.as_str()),
                spoof_probability: Some(score.spoof_probability),
                bonafide_probability: Some(score.bonafide_probability),
                confidence: Some(score.confidence),
                threshold: Some(score.threshold),
                llr: Some(score.llr),
                duration_seconds: Some(score.duration_seconds),
                windows: Some(score.windows.len()),
                level_dbfs: Some(score.quality.level_dbfs),
                clipped: Some(score.quality.clipped),
                bandwidth_hz: Some(score.quality.bandwidth_hz),
                voiced_seconds: Some(score.quality.voiced_seconds),
                notes: score
                    .notes
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
                error: String::new(),
            },
        }
    }
}

impl<W: Write> Output for Csv<W> {
    fn row(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.out.serialize(Row::new(outcome)).map_err(io_error)?;
        self.out.flush()
    }

    fn end(&mut self, _: &Tally) -> io::Result<()> {
        Ok(())
    }
}

/// What can go wrong is the writing; its kind tells whether the reader has gone.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
