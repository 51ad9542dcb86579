//! What made the report.

use std::io::{self, Write};

use bonafide::SAMPLE_RATE;

use crate::markup::Escaped;
use crate::model::Model;

pub(super) fn write(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let info = model.detector.info();
    let known = &info.model;
    let seconds = |samples: usize| samples as f64 / f64::from(SAMPLE_RATE);
    let facts = [
        ("Model", Some(model.name())),
        ("Architecture", known.architecture.clone()),
        ("Labels", Some(format!("{}, {}", known.labels[0], known.labels[1]))),
        (
            "Windows",
            Some(format!(
                "{} s, one every {} s unless set otherwise",
                seconds(known.window_samples.get()),
                seconds(known.hop_samples.get())
            )),
        ),
        ("Exported from", known.source_file.clone()),
        ("SHA-256 of that", known.source_sha256.clone()),
        ("Runtime", Some(format!("{} {}", info.runtime, info.runtime_version))),
        ("Provider", Some(info.provider.to_string())),
        ("Not the preferred one because", info.fallback.clone()),
        ("Program", Some(format!("bonafide {}", env!("CARGO_PKG_VERSION")))),
    ];
    writeln!(
        out,
        "<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">What made this report</h2>\n<dl class=\"facts\">"
    )?;
    for (name, fact) in facts {
        if let Some(fact) = fact {
            writeln!(out, "<div><dt>{name}</dt><dd><bdi>{}</bdi></dd></div>", Escaped(&fact))?;
        }
    }
    writeln!(out, "</dl>\n</section>")
}
