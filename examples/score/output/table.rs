//! A table for people.

use std::io::{self, Write};
use std::path::Path;

use bonafide::{Label, Score};

use super::Output;
use crate::model::Model;
use crate::scoring::Outcome;
use crate::tally::Tally;
use crate::text::{one_line, printable};

pub(super) struct Table<'a, W> {
    out: W,
    model: &'a Model,
    begun: bool,
}

impl<'a, W: Write> Table<'a, W> {
    pub(super) fn new(out: W, model: &'a Model) -> Self {
        Self {
            out,
            model,
            begun: false,
        }
    }

    fn scored(&mut self, file: &Path, score: &Score) -> io::Result<()> {
        write!(
            self.out,
            "{:<9}  {:>8.4}  {:>9.1} %  {:>7.2}  {:>7}  {}",
            score.verdict().map_or("no speech", Label::as_str),
            score.spoof_probability,
            100.0 * score.confidence,
            score.duration_seconds,
            score.windows.len(),
            printable(file)
        )?;
        if !score.notes.is_empty() {
            let notes: Vec<String> = score.notes.iter().map(ToString::to_string).collect();
            write!(self.out, "  ({})", notes.join(", "))?;
        }
        writeln!(self.out)
    }
}

impl<W: Write> Output for Table<'_, W> {
    fn row(&mut self, outcome: &Outcome) -> io::Result<()> {
        if !self.begun {
            writeln!(self.out, "{:<9}  P(spoof)  confidence  seconds  windows  file", "label")?;
            self.begun = true;
        }
        match &outcome.score {
            Ok(score) => self.scored(&outcome.path, score)?,
            Err(error) => writeln!(self.out, "{:<9}  {}", "error", one_line(error))?,
        }
        self.out.flush()
    }

    fn end(&mut self, tally: &Tally) -> io::Result<()> {
        let info = self.model.detector.info();
        writeln!(self.out, "\n{tally}")?;
        if self.model.embedded {
            writeln!(
                self.out,
                "model: the embedded default, which is small; for real decisions see models/README.md"
            )?;
        }
        write!(
            self.out,
            "runtime: {info}, {} threads",
            info.sessions * info.intra_threads
        )?;
        match &info.fallback {
            Some(reason) => writeln!(self.out, " ({reason})"),
            None => writeln!(self.out),
        }
    }
}
