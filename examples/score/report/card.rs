//! What there is to see and to know of one file.

use std::io::{self, Write};

use bonafide::Score;

use super::words::{self, Verdict};
use crate::markup::Escaped;
use crate::picture::{Picture, Step};
use crate::scoring::Outcome;
use crate::text::{one_line, printable};

pub(super) fn write(out: &mut impl Write, index: usize, outcome: &Outcome) -> io::Result<()> {
    let id = format!("file-{}", index + 1);
    let verdict = Verdict::of(outcome);
    let (class, shape) = verdict.look();
    write!(
        out,
        "<article class=\"card\" id=\"{id}\" aria-labelledby=\"{id}-name\">\n\
         <h3 id=\"{id}-name\"><bdi>{}</bdi></h3>\n\
         <p class=\"verdict\"><span class=\"{class}\" aria-hidden=\"true\">{shape}</span> {}</p>\n",
        Escaped(&printable(&outcome.path)),
        verdict.words()
    )?;
    match &outcome.score {
        Err(error) => writeln!(out, "<p>{}</p>", Escaped(&one_line(error)))?,
        Ok(score) => scored(out, outcome, verdict, score)?,
    }
    writeln!(out, "</article>")
}

fn scored(out: &mut impl Write, outcome: &Outcome, verdict: Verdict, score: &Score) -> io::Result<()> {
    writeln!(out, "<p>{}</p>", words::confidence(verdict, score))?;
    if !score.notes.is_empty() {
        writeln!(out, "<div class=\"warning\">\n<p>Trust this less:</p>\n<ul>")?;
        for note in &score.notes {
            writeln!(out, "<li>{}</li>", Escaped(&words::note(*note)))?;
        }
        writeln!(out, "</ul>\n</div>")?;
    }
    match Picture::of(&outcome.path, score) {
        Ok(picture) => {
            out.write_all(
                picture
                    .svg_element(&words::description(&outcome.path, score))
                    .as_bytes(),
            )?;
            numbers(out, &picture.steps)?;
            figures(out, score, Some(picture.peak()))
        }
        Err(reason) => {
            writeln!(out, "<p>There is no picture: {}.</p>", Escaped(&one_line(&reason)))?;
            figures(out, score, None)
        }
    }
}

/// The bars of P(spoof) as numbers.
fn numbers(out: &mut impl Write, steps: &[Step]) -> io::Result<()> {
    let several = steps.iter().any(|step| step.windows > 1);
    let spoof = if several { "Highest P(spoof)" } else { "P(spoof)" };
    writeln!(
        out,
        "<details>\n<summary>P(spoof) in numbers</summary>\n<table>\n<thead><tr>\
         <th scope=\"col\">From</th><th scope=\"col\">To</th><th scope=\"col\">{spoof}</th></tr></thead>\n<tbody>"
    )?;
    for step in steps {
        writeln!(
            out,
            "<tr><td>{:.2} s</td><td>{:.2} s</td><td>{:.4}</td></tr>",
            step.start_seconds, step.end_seconds, step.spoof_probability
        )?;
    }
    writeln!(out, "</tbody>\n</table>\n</details>")
}

fn figures(out: &mut impl Write, score: &Score, peak: Option<f32>) -> io::Result<()> {
    let quality = &score.quality;
    writeln!(
        out,
        "<details>\n<summary>Quality of the recording</summary>\n<dl class=\"facts\">"
    )?;
    let mut fact = |name: &str, value: String| writeln!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    fact("Length", format!("{:.2} s", score.duration_seconds))?;
    fact(
        "Voice heard for",
        format!("{:.2} s (of speech, about half is voiced)", quality.voiced_seconds),
    )?;
    fact(
        "Level",
        format!("{:.1} dB of full scale (speech is at −35 to −15)", quality.level_dbfs).replace("-", "−"),
    )?;
    if let Some(peak) = peak {
        fact("Loudest sample", format!("{:.1} % of full scale", 100.0 * peak))?;
    }
    fact("Clipped samples", format!("{:.3} %", 100.0 * quality.clipped))?;
    fact(
        "Something to hear up to",
        format!("{:.2} kHz (of 8)", quality.bandwidth_hz / 1000.0),
    )?;
    fact(
        "Log-likelihood ratio",
        format!("{:.3} (higher: more likely a person)", score.llr).replace("-", "−"),
    )?;
    writeln!(out, "</dl>\n</details>")
}
