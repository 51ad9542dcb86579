//! The figures that matter most, in plain words.

use std::io::{self, Write};

use super::Report;
use super::html::{Escaped, count, decimal, interval, percent};
use super::published::{Published, PublishedResult};

pub(super) fn write(
    out: &mut dyn Write,
    report: &Report<'_>,
    published: &Published,
    result: Option<&PublishedResult>,
) -> io::Result<()> {
    let figures = report.llr;
    writeln!(out, "<section>\n<h2>Verdict</h2>\n<dl class=\"tiles\">")?;
    let below = figures.eer_ci95.map(|ci| {
        let method = Escaped(report.interval_method);
        format!("95\u{a0}% interval {}, {method}", interval(ci))
    });
    tile(
        out,
        "Equal error rate",
        &percent(figures.eer_asvspoof),
        below.as_deref(),
    )?;
    if let Some(result) = result {
        let model = format!("of {}; not measured here", Escaped(&published.model));
        tile(out, "Published equal error rate", &percent(result.eer), Some(&model))?;
    }
    let auc = decimal(figures.auc);
    tile(
        out,
        "Area under the ROC curve",
        &auc,
        Some("1 is perfect, 0.5 is a coin toss"),
    )?;
    let classes = format!("{} real, {} synthetic", count(figures.bonafide), count(figures.spoof));
    tile(out, "Recordings", &count(figures.trials), Some(&classes))?;
    writeln!(out, "</dl>\n<p>{}</p>", plain_words(figures.eer_asvspoof))?;
    if let Some(note) = result.and_then(|result| other_trials(report, result)) {
        writeln!(out, "<p class=\"warning\">{note}</p>")?;
    }
    writeln!(out, "</section>")
}

fn tile(out: &mut dyn Write, name: &str, figure: &str, below: Option<&str>) -> io::Result<()> {
    write!(out, "<div><dt>{name}</dt><dd><strong>{figure}</strong>")?;
    if let Some(below) = below {
        write!(out, "<small>{below}</small>")?;
    }
    writeln!(out, "</dd></div>")
}

/// What an equal error rate means to someone who has not met one.
fn plain_words(eer: f64) -> String {
    const BALANCE: &str = "At the threshold where both mistakes are equally frequent";
    if eer >= 0.45 {
        let verdict = if eer <= 0.55 { "no better" } else { "worse" };
        return format!(
            "{BALANCE}, {} of the recordings of either kind are taken for the other: {verdict} than a coin toss. If \
             that is a surprise, check that a higher score means more likely real, and that the labels are right.",
            percent(eer)
        );
    }
    if eer == 0.0 {
        return "Some threshold tells all real recordings from all synthetic ones. With more recordings there would be \
                mistakes; how many, neither the rate nor its interval can tell."
            .to_owned();
    }
    let one_in = (1.0 / eer).round() as usize;
    format!(
        "{BALANCE}, about 1 in {0} real recordings is called synthetic, and about 1 in {0} synthetic ones is called \
         real.",
        count(one_in)
    )
}

/// Says so if the published figure is of more or fewer trials, and so of a different test.
fn other_trials(report: &Report<'_>, result: &PublishedResult) -> Option<String> {
    let (bonafide, spoof) = (result.bonafide?, result.spoof?);
    let same = (report.llr.bonafide, report.llr.spoof) == (bonafide, spoof);
    (!same).then(|| {
        format!(
            "The published figures are of {} real and {} synthetic recordings, and this run’s are of {} and {}: \
             compare them with care.",
            count(bonafide),
            count(spoof),
            count(report.llr.bonafide),
            count(report.llr.spoof),
        )
    })
}
