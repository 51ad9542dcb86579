//! The report: one HTML file that needs nothing else, neither a network nor scripts.

mod card;
mod facts;
mod limits;
mod overview;
pub(crate) mod words;

use std::io::{self, Write};
use std::path::Path;

use crate::failure::Result;
use crate::model::Model;
use crate::progress;
use crate::replace;
use crate::scoring::Outcome;
use crate::tally::Tally;

/// Writes the report. Each file is read once more, for its picture, and forgotten when its card is written.
pub(crate) fn write(path: &Path, outcomes: &[Outcome], tally: &Tally, model: &Model) -> Result<()> {
    replace::replace(path, |out| page(out, outcomes, tally, model))
}

fn page(out: &mut impl Write, outcomes: &[Outcome], tally: &Tally, model: &Model) -> io::Result<()> {
    // Whatever might slip into the page, a browser then neither runs nor fetches it.
    let policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
    let style = include_str!("report/style.css");
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Was this voice made by a machine?</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
         <header>\n<h1>Was this voice made by a machine?</h1>\n\
         <p>What a program believes, by the sound alone. It is a hint and no evidence: \
         <a href=\"#limits\">what it can’t do</a>.</p>\n</header>\n<main>\n"
    )?;
    overview::write(out, outcomes, tally)?;
    writeln!(
        out,
        "<section aria-labelledby=\"recordings\">\n<h2 id=\"recordings\">Recordings</h2>"
    )?;
    let bar = progress::bar(outcomes.len(), "drawing");
    for (index, outcome) in outcomes.iter().enumerate() {
        card::write(out, index, outcome)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    writeln!(out, "</section>")?;
    limits::write(out, model)?;
    facts::write(out, model)?;
    out.write_all(b"</main>\n</body>\n</html>\n")
}
