//! The tables: by column, beside published figures, all figures, and the facts of the run.

use std::io::{self, Write};

use bonafide::metrics::Summary;

use super::html::{Escaped, NONE, Table, count, decimal, interval, percent};
use super::published::{Published, PublishedResult};
use super::{Group, Report, Row};

/// Rows of a column that a report shows. Columns such as the speaker can have thousands of values.
pub(super) const MOST_ROWS: usize = 100;

pub(super) fn groups(out: &mut dyn Write, report: &Report<'_>, result: Option<&PublishedResult>) -> io::Result<()> {
    for group in report.groups {
        let column = Escaped(group.column);
        writeln!(out, "<section>\n<h2>By {column}</h2>")?;
        let classes = if group.spoof_only {
            "Synthetic recordings of each value against all real ones."
        } else {
            "Recordings of each value, of both classes."
        };
        writeln!(
            out,
            "<p>{classes} EER is the equal error rate; the bars compare it.</p>"
        )?;
        let rows = worst(&group.rows);
        if rows.len() < group.rows.len() {
            let (shown, all) = (count(rows.len()), count(group.rows.len()));
            writeln!(
                out,
                "<p>The {shown} values with the highest EER of {all}; metrics.json has all.</p>"
            )?;
        }
        writeln!(out, "{}</section>", group_table(group, &rows, result))?;
    }
    Ok(())
}

/// All rows, or those with the highest EER if there are too many, in the order given.
fn worst<'a>(rows: &'a [Row<'a>]) -> Vec<&'a Row<'a>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if rows.len() > MOST_ROWS {
        let eer = |index: &usize| rows[*index].llr.map_or(-1.0, |figures| figures.eer_asvspoof);
        order.sort_by(|a, b| eer(b).total_cmp(&eer(a)));
        order.truncate(MOST_ROWS);
        order.sort_unstable();
    }
    order.into_iter().map(|index| &rows[index]).collect()
}

fn group_table(group: &Group<'_>, rows: &[&Row<'_>], result: Option<&PublishedResult>) -> Table {
    let published = |row: &Row<'_>| result.and_then(|result| result.group_eer(group.column, row.value));
    // A column that would be empty throughout is left out.
    let with_interval = rows
        .iter()
        .any(|row| row.llr.is_some_and(|figures| figures.eer_ci95.is_some()));
    let with_tdcf = rows
        .iter()
        .any(|row| row.llr.is_some_and(|figures| figures.min_tdcf_2019.is_some()));
    let with_probability = rows.iter().any(|row| row.probability.is_some());
    let with_published = rows.iter().any(|row| published(row).is_some());
    let highest = rows
        .iter()
        .filter_map(|row| row.llr)
        .map(|figures| figures.eer_asvspoof);
    let highest = highest.fold(f64::MIN_POSITIVE, f64::max);

    let column = Escaped(group.column).to_string();
    let columns = [
        (true, column.as_str()),
        (true, "Measured EER"),
        (with_interval, "95\u{a0}% interval"),
        (with_probability, "EER by P(spoof)"),
        (with_published, "Published EER, not measured here"),
        (true, "AUC"),
        (with_tdcf, "min t-DCF"),
        (true, "Real"),
        (true, "Synthetic"),
    ];
    let columns = columns.into_iter().filter_map(|(shown, name)| shown.then_some(name));
    let mut table = Table::new(&format!("Equal error rate by {}", group.column), columns);
    for row in rows {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
        let cells = [
            (true, or_none(row.llr.map(|figures| bar(figures.eer_asvspoof, highest)))),
            (
                with_interval,
                or_none(row.llr.and_then(|figures| figures.eer_ci95).map(interval)),
            ),
            (
                with_probability,
                or_none(row.probability.map(|figures| percent(figures.eer_sklearn))),
            ),
            (with_published, or_none(published(row).map(percent))),
            (true, or_none(row.llr.map(|figures| decimal(figures.auc)))),
            (
                with_tdcf,
                or_none(row.llr.and_then(|figures| figures.min_tdcf_2019).map(decimal)),
            ),
            (true, count(row.bonafide)),
            (true, count(row.spoof)),
        ];
        let cells = cells.into_iter().filter_map(|(shown, cell)| shown.then_some(cell));
        table.row(Escaped(row.value).to_string(), cells);
    }
    table
}

/// A rate with a bar as long as its share of the highest.
fn bar(rate: f64, highest: f64) -> String {
    let share = (100.0 * rate / highest).clamp(0.0, 100.0);
    format!(
        "{}<span class=\"bar\" style=\"width:{share:.0}%\"></span>",
        percent(rate)
    )
}

/// The whole run beside the published one.
pub(super) fn comparison(
    out: &mut dyn Write,
    report: &Report<'_>,
    published: &Published,
    result: Option<&PublishedResult>,
) -> io::Result<()> {
    let Some(result) = result else {
        return Ok(());
    };
    let (figures, name) = match report.probability {
        Some(figures) => (figures, "Measured, by P(spoof)"),
        None => (report.llr, "Measured, by log-likelihood ratio"),
    };
    let or_none = |number: Option<usize>| number.map_or_else(|| NONE.to_owned(), count);
    let trials = result
        .bonafide
        .zip(result.spoof)
        .map(|(bonafide, spoof)| bonafide + spoof);
    let mut table = Table::new(
        "This run beside the published one",
        ["Figure", name, "Published, not measured here"],
    );
    let mut row = |name: &str, measured: String, published: String| table.row(name, [measured, published]);
    row(
        "Equal error rate (scikit-learn’s)",
        percent(figures.eer_sklearn),
        percent(result.eer),
    );
    row("Area under the ROC curve", decimal(figures.auc), decimal(result.auc));
    row("Recordings", count(figures.trials), or_none(trials));
    row("Real", count(figures.bonafide), or_none(result.bonafide));
    row("Synthetic", count(figures.spoof), or_none(result.spoof));
    row(
        "Windows, as the original counts them",
        or_none(report.evaluation_windows),
        or_none(result.windows),
    );
    for (system, eer) in &result.baselines {
        row(&format!("EER of {}", Escaped(system)), NONE.to_owned(), percent(*eer));
    }
    writeln!(
        out,
        "<section>\n<h2>Beside the published figures</h2>\n<p>Published figures are of {}. They rank recordings by the \
         mean of P(spoof), where confident scores tie; all else in this report ranks by the mean log-likelihood ratio. \
         To the digit they compare only with the same windows (<code>--windows evaluation</code>) and the same \
         model.</p>\n{table}<p class=\"source\">Source: {}.</p>\n</section>",
        Escaped(&published.model),
        Escaped(&published.source)
    )
}

/// A figure of a [`Summary`]: its name, what it is, and itself as text, if there is one.
struct Metric {
    name: &'static str,
    meaning: &'static str,
    /// Takes scores for log-likelihood ratios, which probabilities are not.
    of_llrs: bool,
    text: fn(&Summary) -> Option<String>,
}

const METRICS: [Metric; 11] = [
    Metric {
        name: "EER, ASVspoof",
        meaning: "Equal error rate as the official scorers compute it, one trial at a time.",
        of_llrs: false,
        text: |figures| Some(percent(figures.eer_asvspoof)),
    },
    Metric {
        name: "EER, scikit-learn",
        meaning: "Equal error rate from roc_curve, equal scores taken together: what much published code reports.",
        of_llrs: false,
        text: |figures| Some(percent(figures.eer_sklearn)),
    },
    Metric {
        name: "EER, convex hull",
        meaning: "Equal error rate on the convex hull of the ROC curve: does not depend on the order of ties.",
        of_llrs: false,
        text: |figures| Some(percent(figures.eer_rocch)),
    },
    Metric {
        name: "AUC",
        meaning: "How often a real recording scores higher than a synthetic one; 1 is perfect.",
        of_llrs: false,
        text: |figures| Some(decimal(figures.auc)),
    },
    Metric {
        name: "min t-DCF, 2019",
        meaning: "Cost in tandem with a speaker verifier, ASVspoof 2019’s formula, at the best threshold. Needs the \
                  verifier’s scores.",
        of_llrs: false,
        text: |figures| figures.min_tdcf_2019.map(decimal),
    },
    Metric {
        name: "min t-DCF, 2021",
        meaning: "The same by ASVspoof 2021’s formula.",
        of_llrs: false,
        text: |figures| figures.min_tdcf_2021.map(decimal),
    },
    Metric {
        name: "min DCF",
        meaning: "Detection cost at the best threshold, ASVspoof 5’s prior (5\u{a0}% spoofed) and costs; 1 is no \
                  better than not listening.",
        of_llrs: false,
        text: |figures| Some(decimal(figures.min_dcf)),
    },
    Metric {
        name: "act DCF",
        meaning: "The same cost at the threshold that the costs imply. Far above min DCF: calibrate the scores.",
        of_llrs: true,
        text: |figures| Some(decimal(figures.act_dcf)),
    },
    Metric {
        name: "Cllr",
        meaning: "What the scores cost as log-likelihood ratios, over all priors, in bits; 0 is best, and 1 says \
                  nothing.",
        of_llrs: true,
        text: |figures| Some(decimal(figures.cllr)),
    },
    Metric {
        name: "min Cllr",
        meaning: "The same after the best possible calibration. What Cllr has above it is miscalibration.",
        of_llrs: false,
        text: |figures| Some(decimal(figures.min_cllr)),
    },
    Metric {
        name: "Threshold of the EER",
        meaning: "A score above it is called real.",
        of_llrs: false,
        text: |figures| Some(decimal(figures.threshold_eer)),
    },
];

pub(super) fn metrics(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let columns = ["Figure", "By log-likelihood ratio", "By probability"];
    let shown = 2 + usize::from(report.probability.is_some());
    let mut table = Table::new("All figures of all recordings", columns.into_iter().take(shown));
    for metric in METRICS {
        let text = |figures| (metric.text)(figures).unwrap_or_else(|| NONE.to_owned());
        let mut cells = vec![text(report.llr)];
        if let Some(figures) = report.probability {
            cells.push(if metric.of_llrs { NONE.to_owned() } else { text(figures) });
        }
        table.row(format!("{}<small>{}</small>", metric.name, metric.meaning), cells);
    }
    writeln!(
        out,
        "<section class=\"explained\">\n<h2>All figures</h2>\n<p>Lower is better, but for AUC. “By probability” ranks \
         recordings by 1 − mean P(spoof).</p>\n{table}</section>"
    )
}

pub(super) fn facts(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>This run</h2>\n<dl class=\"facts\">")?;
    for (name, value) in report.facts {
        writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", Escaped(name), Escaped(value))?;
    }
    writeln!(out, "</dl>\n</section>")
}

/// What holds for every report.
const LIMITS: [&str; 5] = [
    "The figures are of these recordings. Detectors do far worse on synthesisers, codecs, languages and microphones \
     that they have not met.",
    "The threshold of the EER was found on the recordings that it is judged on. To decide with, choose a threshold on \
     others.",
    "The scores are log-likelihood ratios only up to calibration: compare act DCF with min DCF, and Cllr with min \
     Cllr.",
    "The interval covers the chance in which recordings were drawn, not other conditions.",
    "The length of silence at the beginning and end tells the classes of the ASVspoof sets apart to some extent. Run \
     with --trim-silence to see what is left without it.",
];

pub(super) fn limits(out: &mut dyn Write, published: &Published) -> io::Result<()> {
    writeln!(out, "<section>\n<h2>Known limits</h2>\n<ul>")?;
    for limit in LIMITS {
        writeln!(out, "<li>{limit}</li>")?;
    }
    let model = Escaped(&published.model);
    writeln!(out, "</ul>\n<p>Published of {model}, not measured here:</p>\n<ul>")?;
    for weakness in &published.weaknesses {
        writeln!(out, "<li>{}</li>", Escaped(weakness))?;
    }
    writeln!(out, "</ul>\n</section>")
}
