//! The report of a run: one HTML file that needs nothing else, no network and no scripts.

use std::io::{self, Write};

use bonafide::metrics::{Summary, Trials};

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
    /// Windows scored as the published evaluation counts them.
    pub(crate) evaluation_windows: Option<usize>,
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
    pub(crate) bonafide: usize,
    pub(crate) spoof: usize,
    /// None if the value has trials of one class only.
    pub(crate) llr: Option<&'a Summary>,
    pub(crate) probability: Option<&'a Summary>,
}

/// Writes the report.
pub(crate) fn write(_out: &mut impl Write, _report: &Report<'_>) -> io::Result<()> {
    Ok(())
}
