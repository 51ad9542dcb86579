//! One JSON object a line.

use std::io::{self, Write};
use std::path::Path;

use bonafide::{Label, Score};
use serde::Serialize;

use super::Output;
use crate::model::Model;
use crate::scoring::Outcome;
use crate::tally::Tally;

pub(super) struct Json<'a, W> {
    out: W,
    model: &'a Model,
}

impl<'a, W: Write> Json<'a, W> {
    pub(super) fn new(out: W, model: &'a Model) -> Self {
        Self { out, model }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        writeln!(self.out)?;
        self.out.flush()
    }
}

impl<W: Write> Output for Json<'_, W> {
    fn row(&mut self, outcome: &Outcome) -> io::Result<()> {
        match &outcome.score {
            Ok(score) => self.line(&Scored::new(&outcome.path, score, self.model)),
            Err(error) => self.line(&Failed {
                file: outcome.path.display().to_string(),
                error,
            }),
        }
    }

    fn end(&mut self, _: &Tally) -> io::Result<()> {
        Ok(())
    }
}

/// The JSON of a file that was scored.
#[derive(Serialize)]
struct Scored {
    file: String,
    label: String,
    /// The label, or `no_speech`.
    verdict: &'static str,
    spoof_probability: f32,
    bonafide_probability: f32,
    confidence: f32,
    threshold: f32,
    duration_seconds: f64,
    llr: f32,
    windows: Vec<ScoredWindow>,
    quality: ScoredQuality,
    notes: Vec<String>,
    /// The model's file, or `embedded default`.
    model: String,
    runtime: String,
}

#[derive(Serialize)]
struct ScoredWindow {
    start_seconds: f64,
    end_seconds: f64,
    spoof_probability: f32,
    llr: f32,
}

#[derive(Serialize)]
struct ScoredQuality {
    level_dbfs: f32,
    clipped: f32,
    bandwidth_hz: f32,
    voiced_seconds: f32,
}

impl Scored {
    fn new(file: &Path, score: &Score, model: &Model) -> Self {
        let windows = score.windows.iter().map(|window| ScoredWindow {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            spoof_probability: window.spoof_probability,
            llr: window.llr,
        });
        Self {
            file: file.display().to_string(),
            label: score.label.to_string(),
            verdict: score.verdict().map_or("no_speech", Label::as_str),
            spoof_probability: score.spoof_probability,
            bonafide_probability: score.bonafide_probability,
            confidence: score.confidence,
            threshold: score.threshold,
            duration_seconds: score.duration_seconds,
            llr: score.llr,
            windows: windows.collect(),
            quality: ScoredQuality {
                level_dbfs: score.quality.level_dbfs,
                clipped: score.quality.clipped,
                bandwidth_hz: score.quality.bandwidth_hz,
                voiced_seconds: score.quality.voiced_seconds,
            },
            notes: score.notes.iter().map(ToString::to_string).collect(),
            model: model.name(),
            runtime: model.detector.info().to_string(),
        }
    }
}

/// The JSON of a file that could not be scored.
#[derive(Serialize)]
struct Failed<'a> {
    file: String,
    error: &'a str,
}
