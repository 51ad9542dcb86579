//! The report of a run: one HTML file that needs nothing else, neither a network nor scripts.

mod figures;
mod geometry;
mod html;
mod plots;
mod published;
mod tables;
#[cfg(test)]
mod tests;
mod verdict;

use std::io::{self, Write};

use bonafide::metrics::{Summary, Trials};

use html::Escaped;
use published::Published;

/// What a report shows. Rates are fractions.
pub(crate) struct Report<'a> {
    /// As given to `--dataset`: published figures are looked up by it.
    pub(crate) dataset: &'a str,
    /// As given to `--partition`; empty if the data set has none.
    pub(crate) partition: &'a str,
    /// All trials, scored by mean log-likelihood ratio.
    pub(crate) trials: &'a Trials,
    /// The figures of `trials`.
    pub(crate) llr: &'a Summary,
    /// The figures of the same trials scored by 1 − mean P(spoof), as the published ones are.
    pub(crate) probability: Option<&'a Summary>,
    /// How the 95 % intervals were drawn, as in "bootstrap by speaker".
    pub(crate) interval_method: &'a str,
    /// Windows of the trials as the published evaluation counts them.
    pub(crate) evaluation_windows: Option<usize>,
    /// The trials by the values of each column.
    pub(crate) groups: &'a [Group<'a>],
    /// Name and value, in the order shown: model, its SHA-256, runtime, date, windows, missing and corrupt files, …
    pub(crate) facts: &'a [(&'a str, String)],
}

/// The trials by the values of one column.
pub(crate) struct Group<'a> {
    /// `attack`, `codec`, `channel`, `vocoder`, `source`, …
    pub(crate) column: &'a str,
    /// Only spoofed trials have the column, so each value is set against all bona fide trials.
    pub(crate) spoof_only: bool,
    pub(crate) rows: Vec<Row<'a>>,
}

/// One value of a column.
pub(crate) struct Row<'a> {
    pub(crate) value: &'a str,
    /// Bona fide trials that the figures are of.
    pub(crate) bonafide: usize,
    pub(crate) spoof: usize,
    /// As in the [`Report`]; none if there are trials of one class only.
    pub(crate) llr: Option<&'a Summary>,
    pub(crate) probability: Option<&'a Summary>,
}

impl Report<'_> {
    /// The data set and the partition.
    fn name(&self) -> String {
        match self.partition {
            "" => self.dataset.to_owned(),
            partition => format!("{}, {partition}", self.dataset),
        }
    }
}

/// Writes the report.
pub(crate) fn write(out: &mut impl Write, report: &Report<'_>) -> io::Result<()> {
    let published = Published::load()?;
    let result = published.find(report.dataset, report.partition);
    let name = report.name();
    let name = Escaped(&name);
    let style = include_str!("report/style.css");
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}: evaluation</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
         <header>\n<p>Evaluation of a detector of synthetic speech</p>\n<h1>{name}</h1>\n</header>\n<main>\n"
    )?;
    verdict::write(out, report, &published, result)?;
    figures::write(out, report, result)?;
    tables::groups(out, report, result)?;
    tables::comparison(out, report, &published, result)?;
    tables::metrics(out, report)?;
    tables::facts(out, report)?;
    tables::limits(out, &published)?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}
