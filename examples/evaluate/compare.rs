//! Compares two score files of the same trials.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bonafide::Label;
use bonafide::metrics::{Bootstrap, DetectionCost, Trials};
use clap::Parser;
use serde::Serialize;

use crate::failure::{Failure, Result};
use crate::scores::{self, Table};
use crate::threads;

/// Compares two score files of the same trials: how much each figure differs, and whether that could be chance.
///
/// Of two systems, or of one system as the trials are and through a codec. The intervals are by drawing the same trials for
/// both a thousand times (paired bootstrap): where one has 0 inside, other trials might have shown the opposite.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Scores in any form that `scores` reads
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// The scores of the same utterances by another system
    #[arg(value_name = "SECOND")]
    second: PathBuf,
    /// Print one JSON object, with fractions instead of percent
    #[arg(long)]
    json: bool,
    /// Higher scores mean spoof in both, as P(spoof) does: change their sign before anything else
    #[arg(long)]
    higher_is_spoof: bool,
}

/// A trial's label and both scores.
type Pair = (Label, f64, f64);

/// What is compared.
struct Metric {
    field: &'static str,
    name: &'static str,
    of: fn(&Trials) -> f64,
    in_percent: bool,
}

const METRICS: [Metric; 4] = [
    Metric {
        field: "eer_asvspoof",
        name: "EER, ASVspoof",
        of: |trials| trials.eer_asvspoof().rate,
        in_percent: true,
    },
    Metric {
        field: "auc",
        name: "AUC",
        of: Trials::auc,
        in_percent: true,
    },
    Metric {
        field: "min_dcf",
        name: "min DCF",
        of: |trials| trials.min_dcf(&DetectionCost::default()),
        in_percent: false,
    },
    Metric {
        field: "cllr",
        name: "Cllr",
        of: Trials::cllr,
        in_percent: false,
    },
];

/// A figure of both; null in JSON where it is infinite.
#[derive(Serialize)]
struct Compared {
    first: f64,
    second: f64,
    /// Second less first.
    difference: f64,
    ci95: (f64, f64),
}

#[derive(Serialize)]
struct Comparison {
    trials: usize,
    bonafide: usize,
    spoof: usize,
    #[serde(flatten)]
    metrics: BTreeMap<&'static str, Compared>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let [first, second] =
        [&arguments.first, &arguments.second].map(|path| scores::read_all(std::slice::from_ref(path)));
    let (mut first, mut second) = (first?, second?);
    if arguments.higher_is_spoof {
        first.negate();
        second.negate();
    }
    let pairs = pairs((&arguments.first, &first), (&arguments.second, &second))?;
    let comparison = Comparison::of(&pairs)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &comparison)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        comparison.print(&mut out)
    }
    .map_err(Failure::Output)
}

/// The trials of both files, in the first's order.
fn pairs((first_path, first): (&Path, &Table), (second_path, second): (&Path, &Table)) -> Result<Vec<Pair>> {
    let mut others: HashMap<&str, (Label, f64)> = HashMap::new();
    others.extend(
        second
            .rows
            .iter()
            .map(|row| (row.utterance.as_str(), (row.label, row.score))),
    );
    let lacking = |utterance: &str, there: &Path, lacks: &Path| {
        Failure::Failed(format!(
            "{utterance} is in {} and not in {}; expected two score files of the same trials",
            there.display(),
            lacks.display()
        ))
    };
    let mut pairs = Vec::with_capacity(first.rows.len());
    for row in &first.rows {
        let other = others.remove(row.utterance.as_str());
        let (label, score) = other.ok_or_else(|| lacking(&row.utterance, first_path, second_path))?;
        if label != row.label {
            return Err(Failure::Failed(format!(
                "{} is {} in {} and {label} in {}; expected the same",
                row.utterance,
                row.label,
                first_path.display(),
                second_path.display()
            )));
        }
        pairs.push((label, row.score, score));
    }
    match others.keys().min() {
        Some(utterance) => Err(lacking(utterance, second_path, first_path)),
        None => Ok(pairs),
    }
}

impl Comparison {
    fn of(pairs: &[Pair]) -> Result<Self> {
        let by = |score: fn(&Pair) -> f64| Trials::labelled(pairs.iter().map(|pair| (pair.0, score(pair))));
        let (first, second) = (by(|pair| pair.1)?, by(|pair| pair.2)?);
        let compared = threads::map(&METRICS, |metric| -> Result<_> {
            let (one, other) = ((metric.of)(&first), (metric.of)(&second));
            let compared = Compared {
                first: one,
                second: other,
                difference: other - one,
                ci95: Bootstrap::default().interval_of_difference(pairs, metric.of)?,
            };
            Ok((metric.field, compared))
        });
        Ok(Self {
            trials: pairs.len(),
            bonafide: first.bonafide(),
            spoof: first.spoof(),
            metrics: compared.into_iter().collect::<Result<_>>()?,
        })
    }

    fn print(&self, mut out: impl Write) -> io::Result<()> {
        let Self {
            trials,
            bonafide,
            spoof,
            ..
        } = self;
        writeln!(out, "{trials} trials: {bonafide} bona fide, {spoof} spoof\n")?;
        writeln!(
            out,
            "{:<13}  {:>11}  {:>11}  {:>11}  {:>11}  {:>11}",
            "", "first", "second", "difference", "95 % from", "to"
        )?;
        for metric in &METRICS {
            let Compared {
                first,
                second,
                difference,
                ci95: (low, high),
            } = &self.metrics[metric.field];
            let show = |figure: &f64, sign: bool| match (metric.in_percent, sign) {
                (true, false) => format!("{:.4} %", 100.0 * figure),
                (true, true) => format!("{:+.4} %", 100.0 * figure),
                (false, false) => format!("{figure:.5}"),
                (false, true) => format!("{figure:+.5}"),
            };
            let cells = [
                (first, false),
                (second, false),
                (difference, true),
                (low, true),
                (high, true),
            ];
            let cells: String = cells
                .map(|(figure, sign)| format!("  {:>11}", show(figure, sign)))
                .concat();
            writeln!(out, "{:<13}{cells}", metric.name)?;
        }
        Ok(())
    }
}
