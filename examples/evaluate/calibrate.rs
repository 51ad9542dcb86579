//! Fits a calibration to score files.

use std::io::{self, Write};
use std::path::PathBuf;

use bonafide::metrics::{LogisticCalibration, Trials};
use clap::Parser;

use crate::failure::{Failure, Result};
use crate::scores::{self, Table};

/// Fits the affine map from scores to log-likelihood ratios that decides best, by logistic regression, and prints how well
/// calibrated the scores are with and without it.
///
/// Fit it on other data than it is then judged by: give the scores of a development set, and those of a test set with
/// --test. `bonafide-export --calibration SCALE,OFFSET` puts it into a model.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// The score files to fit on, in any form that `scores` reads
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Score files to apply the calibration to (can be repeated)
    #[arg(long, value_name = "FILE")]
    test: Vec<PathBuf>,
    /// The prior of bona fide at which decisions are to be best, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    prior: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let fitted_on = trials(&arguments.files)?;
    let calibration = LogisticCalibration::fit(&fitted_on, arguments.prior)?;
    let mut sets = vec![("fitted on", fitted_on)];
    if !arguments.test.is_empty() {
        sets.push(("test", trials(&arguments.test)?));
    }
    let mut out = io::stdout().lock();
    let mut rows = Vec::new();
    for (name, trials) in sets {
        let after = trials.map(|score| calibration.llr(score))?;
        rows.push((name, trials.cllr(), after.cllr(), trials.min_cllr()));
    }
    print(&mut out, arguments.json, &calibration, &rows).map_err(Failure::Output)
}

fn print(
    out: &mut impl Write,
    json: bool,
    calibration: &LogisticCalibration,
    rows: &[(&str, f64, f64, f64)],
) -> io::Result<()> {
    let LogisticCalibration { scale, offset } = calibration;
    if json {
        let sets: Vec<_> = rows
            .iter()
            .map(|(name, before, after, least)| {
                serde_json::json!({"set": name, "cllr_before": before, "cllr_after": after, "min_cllr": least})
            })
            .collect();
        let object = serde_json::json!({"scale": scale, "offset": offset, "sets": sets});
        return writeln!(out, "{object}");
    }
    writeln!(out, "llr = {scale:.5} · score + {offset:.5}\n")?;
    writeln!(out, "{:<10}  Cllr before   after   least", "")?;
    for (name, before, after, least) in rows {
        writeln!(out, "{name:<10}  {before:>11.4}  {after:>6.4}  {least:>6.4}")?;
    }
    writeln!(out, "\nbonafide-export … --calibration {scale:.5},{offset:.5}")
}

fn trials(files: &[PathBuf]) -> Result<Trials> {
    let Table { rows, .. } = scores::read_all(files)?;
    Ok(Trials::labelled(rows.iter().map(|row| (row.label, row.score)))?)
}
