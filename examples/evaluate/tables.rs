//! The figures as aligned tables, rates in percent.

use std::io::{self, Write};

use bonafide::metrics::Summary;

use crate::figures::{Figures, Group};

/// Prints the figures in all, and then a table for each column.
pub(crate) fn print(mut out: impl Write, figures: &Figures) -> io::Result<()> {
    let (bonafide, spoof) = (figures.bonafide, figures.spoof);
    writeln!(out, "{} trials: {bonafide} bona fide, {spoof} spoof", bonafide + spoof)?;
    match &figures.summary {
        Some(summary) => all(&mut out, summary, figures.interval_method)?,
        None => writeln!(out, "No figures: they need trials of both classes.")?,
    }
    for group in &figures.groups {
        writeln!(out)?;
        table(&mut out, group)?;
    }
    Ok(())
}

fn all(out: &mut impl Write, summary: &Summary, interval_method: &str) -> io::Result<()> {
    let percent = |rate: f64| format!("{:>9.4} %", 100.0 * rate);
    let plain = |figure: f64| format!("{figure:>9.5}");
    let tandem = |figure: Option<f64>| figure.map_or_else(|| "        - (needs --asv)".to_owned(), plain);
    writeln!(out)?;
    write!(out, "EER, ASVspoof      {}", percent(summary.eer_asvspoof))?;
    match summary.eer_ci95 {
        Some((low, high)) => writeln!(
            out,
            "  95 % from {:.4} to {:.4} % ({interval_method})",
            100.0 * low,
            100.0 * high
        )?,
        None => writeln!(out)?,
    }
    for (name, figure) in [
        ("EER, scikit-learn", percent(summary.eer_sklearn)),
        ("EER, ROCCH", percent(summary.eer_rocch)),
        ("AUC", percent(summary.auc)),
        ("min t-DCF 2019", tandem(summary.min_tdcf_2019)),
        ("min t-DCF 2021", tandem(summary.min_tdcf_2021)),
        ("min DCF", plain(summary.min_dcf)),
        ("act DCF", plain(summary.act_dcf)),
        ("Cllr", format!("{} bits", plain(summary.cllr))),
        ("min Cllr", format!("{} bits", plain(summary.min_cllr))),
        ("EER threshold", plain(summary.threshold_eer)),
    ] {
        writeln!(out, "{name:<19}{figure}")?;
    }
    Ok(())
}

fn table(out: &mut impl Write, group: &Group) -> io::Result<()> {
    let header = [
        "bonafide",
        "spoof",
        "EER %",
        "95 % from",
        "to",
        "sklearn %",
        "AUC %",
        "t-DCF 19",
        "min DCF",
        "Cllr",
    ];
    let rows: Vec<(&str, [String; 10])> = group
        .values
        .iter()
        .map(|value| {
            (
                value.value.as_str(),
                cells(value.bonafide, value.spoof, value.summary.as_ref()),
            )
        })
        .collect();
    let name = if group.spoof_only {
        format!("{} (spoof only)", group.column)
    } else {
        group.column.clone()
    };
    let names = rows.iter().map(|(name, _)| *name).chain([name.as_str()]);
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>9}")).collect();
        format!("{name:<width$}{cells}")
    };
    writeln!(out, "{}", line(&name, &header.map(str::to_owned)))?;
    rows.iter()
        .try_for_each(|(name, cells)| writeln!(out, "{}", line(name, cells)))
}

fn cells(bonafide: usize, spoof: usize, summary: Option<&Summary>) -> [String; 10] {
    let show = |figure: Option<f64>, factor: f64| match figure {
        Some(figure) => format!("{:.4}", factor * figure),
        None => "-".to_owned(),
    };
    let interval = summary.and_then(|summary| summary.eer_ci95);
    [
        bonafide.to_string(),
        spoof.to_string(),
        show(summary.map(|summary| summary.eer_asvspoof), 100.0),
        show(interval.map(|(low, _)| low), 100.0),
        show(interval.map(|(_, high)| high), 100.0),
        show(summary.map(|summary| summary.eer_sklearn), 100.0),
        show(summary.map(|summary| summary.auc), 100.0),
        show(summary.and_then(|summary| summary.min_tdcf_2019), 1.0),
        show(summary.map(|summary| summary.min_dcf), 1.0),
        show(summary.map(|summary| summary.cllr), 1.0),
    ]
}
