//! How many there are of each kind, and which.

use std::io::{self, Write};

use super::words::Verdict;
use crate::markup::Escaped;
use crate::scoring::Outcome;
use crate::tally::Tally;
use crate::text::{counted, duration, printable};

pub(super) fn write(out: &mut impl Write, outcomes: &[Outcome], tally: &Tally) -> io::Result<()> {
    writeln!(
        out,
        "<section aria-labelledby=\"overview\">\n<h2 id=\"overview\">Overview</h2>"
    )?;
    writeln!(
        out,
        "<p>{} scored, {} of audio. {}; {} skipped that {} no audio.</p>",
        counted(tally.scored(), "file"),
        duration(tally.seconds),
        counted(tally.errors, "error"),
        counted(tally.skipped, "file"),
        if tally.skipped == 1 { "is" } else { "are" }
    )?;
    // A single file's verdict is just below.
    if outcomes.len() > 1 {
        tiles(out, outcomes)?;
        table(out, outcomes)?;
    }
    writeln!(out, "</section>")
}

fn tiles(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    writeln!(out, "<dl class=\"tiles\">")?;
    for verdict in Verdict::ALL {
        let count = outcomes
            .iter()
            .filter(|outcome| Verdict::of(outcome) == verdict)
            .count();
        if count > 0 {
            let (class, shape) = verdict.look();
            writeln!(
                out,
                "<div><dt><span class=\"{class}\" aria-hidden=\"true\">{shape}</span> {}</dt><dd>{count}</dd></div>",
                verdict.words()
            )?;
        }
    }
    writeln!(out, "</dl>")
}

fn table(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    writeln!(
        out,
        "<nav class=\"table\" aria-label=\"All files\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">File</th>\
         <th scope=\"col\">Verdict</th><th scope=\"col\" class=\"number\">P(spoof)</th>\
         <th scope=\"col\" class=\"number\">Length</th></tr></thead>\n<tbody>"
    )?;
    for (index, outcome) in outcomes.iter().enumerate() {
        let verdict = Verdict::of(outcome);
        let (class, shape) = verdict.look();
        let (spoof, length) = match &outcome.score {
            Ok(score) => (
                format!("{:.4}", score.spoof_probability),
                duration(score.duration_seconds),
            ),
            Err(_) => ("–".to_owned(), "–".to_owned()),
        };
        writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"#file-{}\"><bdi>{}</bdi></a></th>\
             <td><span class=\"{class}\" aria-hidden=\"true\">{shape}</span> {}</td>\
             <td class=\"number\">{spoof}</td><td class=\"number\">{length}</td></tr>",
            index + 1,
            Escaped(&printable(&outcome.path)),
            verdict.words()
        )?;
    }
    writeln!(out, "</tbody>\n</table>\n</nav>")
}
