//! The figures of scored trials, in all and by group.

use bonafide::Label;
use bonafide::metrics::{AsvOperatingPoint, Bootstrap, Summary, Trials};

use crate::failure::Result;
use crate::groups::{self, SPEAKER};
use crate::scores::{Row, Table};
use crate::threads;

/// The figures of a table.
pub(crate) struct Figures {
    pub(crate) bonafide: usize,
    pub(crate) spoof: usize,
    /// None if the trials are of one class only.
    pub(crate) summary: Option<Summary>,
    /// How the confidence intervals were drawn.
    pub(crate) interval_method: &'static str,
    pub(crate) groups: Vec<Group>,
}

/// The figures by one column.
pub(crate) struct Group {
    pub(crate) column: String,
    /// Only spoofed trials have the column, so each value is set against all bona fide trials.
    pub(crate) spoof_only: bool,
    pub(crate) values: Vec<Value>,
}

/// The figures of one value of a column.
pub(crate) struct Value {
    pub(crate) value: String,
    pub(crate) bonafide: usize,
    pub(crate) spoof: usize,
    /// None if the trials are of one class only.
    pub(crate) summary: Option<Summary>,
}

impl Figures {
    /// The figures in all and by the given columns. The speaker verification system is the same for every group.
    pub(crate) fn of(table: &Table, columns: &[usize], asv: Option<&AsvOperatingPoint>) -> Result<Self> {
        let all: Vec<&Row> = table.rows.iter().collect();
        let (bonafide, spoof) = count(&all);
        let groupings: Vec<_> = columns.iter().map(|&column| groups::by(table, column)).collect();

        // All sets of trials at once, because a thousand resamples of each take a while.
        let in_groups = groupings.iter().flat_map(|grouping| grouping.values.values());
        let sets: Vec<&[&Row]> = std::iter::once(&all).chain(in_groups).map(Vec::as_slice).collect();
        let speaker = speakers(table);
        let summaries = threads::map(&sets, |rows| summarise(rows, speaker, asv));
        let mut summaries = summaries.into_iter();
        let mut next = || summaries.next().unwrap_or(Ok(None));

        let summary = next()?;
        let mut groups = Vec::new();
        for grouping in &groupings {
            let mut values = Vec::new();
            for (value, rows) in &grouping.values {
                let (bonafide, spoof) = count(rows);
                values.push(Value {
                    value: (*value).to_owned(),
                    bonafide,
                    spoof,
                    summary: next()?,
                });
            }
            groups.push(Group {
                column: grouping.column.to_owned(),
                spoof_only: grouping.spoof_only,
                values,
            });
        }
        Ok(Self {
            bonafide,
            spoof,
            summary,
            interval_method: if speaker.is_some() {
                "bootstrap by speaker"
            } else {
                "bootstrap by trial"
            },
            groups,
        })
    }
}

/// The trials for the metrics; none if they are of one class only.
pub(crate) fn trials(rows: &[&Row]) -> Result<Option<Trials>> {
    let (bonafide, spoof) = count(rows);
    if bonafide == 0 || spoof == 0 {
        return Ok(None);
    }
    Ok(Some(Trials::labelled(rows.iter().map(|row| (row.label, row.score)))?))
}

fn count(rows: &[&Row]) -> (usize, usize) {
    let bonafide = rows.iter().filter(|row| row.label == Label::Bonafide).count();
    (bonafide, rows.len() - bonafide)
}

fn summarise(rows: &[&Row], speaker: Option<usize>, asv: Option<&AsvOperatingPoint>) -> Result<Option<Summary>> {
    let Some(trials) = trials(rows)? else { return Ok(None) };
    let mut summary = Summary::new(&trials, asv)?;
    summary.eer_ci95 = Some(interval(rows, &trials, speaker)?);
    Ok(Some(summary))
}

/// The column of speakers, if it says anything.
fn speakers(table: &Table) -> Option<usize> {
    let column = table.column(SPEAKER)?;
    let known = table.rows.iter().any(|row| is_known(&row.values[column]));
    known.then_some(column)
}

fn is_known(speaker: &str) -> bool {
    !matches!(speaker, "" | "-")
}

/// The confidence interval of the equal error rate, by speaker where that is known.
fn interval(rows: &[&Row], trials: &Trials, speaker: Option<usize>) -> Result<(f64, f64)> {
    let bootstrap = Bootstrap::default();
    let eer = |trials: &Trials| trials.eer_asvspoof().rate;
    let Some(column) = speaker else {
        return Ok(bootstrap.interval(trials, eer));
    };
    // A trial of an unknown speaker is by a speaker of its own.
    let of_speakers = rows.iter().map(|&row| {
        let speaker = row.values[column].as_str();
        let known = is_known(speaker);
        let name = if known { speaker } else { &row.utterance };
        ((known, name), row.label, row.score)
    });
    let of_speakers: Vec<_> = of_speakers.collect();
    if of_speakers.windows(2).all(|pair| pair[0].0 == pair[1].0) {
        return Ok(bootstrap.interval(trials, eer)); // a single speaker can't be drawn from
    }
    Ok(bootstrap.interval_by_speaker(&of_speakers, eer)?)
}
