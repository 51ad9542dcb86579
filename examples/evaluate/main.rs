//! Evaluates a detector as the field does: figures of score files, and runs over the official data sets.
//!
//! ```sh
//! cargo run --release --example evaluate -- scores scores.txt --asv asv.scores.txt
//! cargo run --release --example evaluate -- run --dataset asvspoof2019-la --root LA --model model.onnx --out results
//! ```
#![forbid(unsafe_code)]

mod calibrate;
mod compare;
mod datasets;
mod failure;
mod figures;
mod gaps;
mod groups;
mod json;
mod report;
mod run;
mod scores;
mod tables;
mod threads;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bonafide::metrics::AsvOperatingPoint;
use clap::{Parser, Subcommand};

use failure::{Failure, Result};
use figures::Figures;

/// Evaluates a detector as the field does.
///
/// The exit code is 1 if something failed, 2 for bad usage.
#[derive(Parser)]
#[command(name = "evaluate", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints the figures of score files
    Scores(ScoresArguments),
    /// Compares two score files of the same trials
    Compare(compare::Arguments),
    /// Fits a calibration to score files
    Calibrate(calibrate::Arguments),
    /// Scores a data set, and writes scores, figures and a report
    Run(Box<run::Arguments>),
}

/// Prints the figures of score files: equal error rates, detection costs and calibration, in all and by attack, codec, …
///
/// A score file has lines of utterance, attack, key and score, separated by spaces (official), or is CSV or TSV with a
/// header that names at least `utterance` (or `file`), `key` (or `label`) and `score`. Keys are `bonafide` and `spoof`.
/// Several files are merged: the same utterance twice is an error, and so are missing shards and unfinished runs.
#[derive(Parser)]
struct ScoresArguments {
    /// Score files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The speaker verification scores for t-DCF: lines of source, key (target, nontarget, spoof) and score
    #[arg(long, value_name = "ASV_SCORES")]
    asv: Option<PathBuf>,
    /// Print one JSON object, with fractions instead of percent
    #[arg(long)]
    json: bool,
    /// Higher scores mean spoof, as P(spoof) does: change their sign before anything else
    #[arg(long)]
    higher_is_spoof: bool,
    /// Group by this column only, which may be any (can be repeated) [default: every column but the speaker]
    #[arg(long, value_name = "COLUMN")]
    by: Vec<String>,
    /// Accept merged files that lack a shard, or the scores of a run that is not finished
    #[arg(long)]
    allow_missing: bool,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Scores(arguments) => print_figures(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}

fn print_figures(arguments: &ScoresArguments) -> Result<()> {
    let mut table = scores::read_all(&arguments.files)?;
    if !arguments.allow_missing {
        gaps::check(&arguments.files)?;
    }
    if arguments.higher_is_spoof {
        table.negate();
    }
    let columns = groups::columns(&table, &arguments.by)?;
    let asv = operating_point(arguments.asv.as_deref())?;
    let figures = Figures::of(&table, &columns, asv.as_ref())?;
    if figures.summary.is_none() {
        let (found, lacking) = if figures.spoof == 0 {
            ("bonafide", "spoof")
        } else {
            ("spoof", "bonafide")
        };
        return Err(Failure::Failed(format!(
            "all {} trials are {found}; figures need at least one that is {lacking}",
            figures.bonafide + figures.spoof
        )));
    }
    let out = io::stdout().lock();
    if arguments.json {
        json::print(out, &figures)
    } else {
        tables::print(out, &figures)
    }
    .map_err(Failure::Output)
}

/// What the speaker verification system of a score file gets wrong.
fn operating_point(asv: Option<&Path>) -> Result<Option<AsvOperatingPoint>> {
    asv.map(|path| {
        let scores = scores::read_asv(path)?;
        scores
            .operating_point()
            .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    })
    .transpose()
}
