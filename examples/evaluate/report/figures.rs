//! The plots with their legends.

use std::io::{self, Write};

use super::Report;
use super::html::{count, decimal, percent};
use super::plots::{self, Caption};
use super::published::PublishedResult;

pub(super) fn write(out: &mut dyn Write, report: &Report<'_>, result: Option<&PublishedResult>) -> io::Result<()> {
    let (trials, eer) = (report.trials, report.llr.eer_asvspoof);
    let published = result.map(|result| result.eer);
    let mut marks = vec![key("circle", &format!("equal error rate, measured: {}", percent(eer)))];
    if let Some(published) = published {
        let text = format!("equal error rate, published, not measured here: {}", percent(published));
        marks.push(key("triangle", &text));
    }
    marks.push(key("dotted", "where both rates of errors are equal"));

    writeln!(out, "<section>\n<h2>Curves</h2>\n<div class=\"figures\">")?;
    let curve = trials.det_curve();
    let det = plots::det(
        &Caption {
            id: "det",
            title: "DET curve",
            description: &format!(
                "Misses over false alarms on normal deviate axes, as the threshold varies. They are equal at {}.",
                percent(eer)
            ),
        },
        &curve,
        eer,
        published,
    )?;
    let mut det_keys = marks.clone();
    if !plots::det_shows(eer) {
        det_keys.push("<li>The equal error rate is too near to 0 or 1 for these axes.</li>".to_owned());
    }
    figure(
        out,
        "Detection error trade-off (DET)",
        "Nearer to the lower left corner is better. The axes are stretched where errors are rare.",
        &det,
        &det_keys,
    )?;

    let roc = plots::roc(
        &Caption {
            id: "roc",
            title: "ROC curve",
            description: &format!(
                "Hits over false alarms as the threshold varies. The area under the curve is {}.",
                decimal(report.llr.auc)
            ),
        },
        &trials.roc_curve(),
        published,
    )?;
    figure(
        out,
        "Receiver operating characteristic (ROC)",
        "Nearer to the upper left corner is better. The same trade-off on plain axes.",
        &roc,
        &marks,
    )?;

    let threshold = report.llr.threshold_eer;
    let histogram = plots::histogram(
        &Caption {
            id: "scores",
            title: "Histogram of scores",
            description: &format!(
                "Shares of the {} real and of the {} synthetic recordings by score. The threshold of the equal error \
                 rate is {}.",
                count(trials.bonafide()),
                count(trials.spoof()),
                decimal(threshold)
            ),
        },
        &curve,
        threshold,
    )?;
    figure(
        out,
        "Scores of both classes",
        "The less they overlap the better. The bars at the ends hold what is beyond them too, at most 0.1\u{a0}% of a \
         class.",
        &histogram,
        &[
            key("bonafide", "real (bona fide)"),
            key("spoof", "synthetic (spoofed)"),
            key(
                "dotted",
                &format!("threshold of the equal error rate: {}", decimal(threshold)),
            ),
        ],
    )?;
    writeln!(out, "</div>\n</section>")
}

fn figure(out: &mut dyn Write, title: &str, reading: &str, plot: &str, keys: &[String]) -> io::Result<()> {
    writeln!(
        out,
        "<figure>\n<h3>{title}</h3>\n<p>{reading}</p>\n{plot}\
         <figcaption><ul class=\"key\">{}</ul></figcaption>\n</figure>",
        keys.concat()
    )
}

/// An entry of a legend, with a sample of what it explains.
fn key(sample: &str, text: &str) -> String {
    let shape = match sample {
        "circle" => "<circle class=\"fill-curve\" cx=\"14\" cy=\"7\" r=\"5\"/>",
        "triangle" => "<polygon class=\"fill-published\" points=\"14,0 20,11 8,11\"/>",
        "bonafide" => "<line class=\"stroke-bonafide\" x1=\"0\" y1=\"7\" x2=\"28\" y2=\"7\"/>",
        "spoof" => "<line class=\"stroke-spoof\" x1=\"0\" y1=\"7\" x2=\"28\" y2=\"7\"/>",
        _ => "<line class=\"stroke-guide\" x1=\"0\" y1=\"7\" x2=\"28\" y2=\"7\"/>",
    };
    format!("<li><svg viewBox=\"0 0 28 14\" aria-hidden=\"true\">{shape}</svg><span>{text}</span></li>")
}
