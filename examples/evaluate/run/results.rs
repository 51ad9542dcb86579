//! What a run leaves behind besides its scores: `trials.csv`, `metrics.json` and `report.html`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bonafide::metrics::AsvOperatingPoint;
use bonafide::{Detector, Tail, Windowing};
use serde::Serialize;

use super::Arguments;
use super::clip::Clip;
use super::journal::{quoted, replace};
use super::settings::Settings;
use crate::datasets::{Corpus, Trial};
use crate::failure::{Failure, Result};
use crate::figures::{self, Figures};
use crate::scores::{Row, Table};
use crate::{groups, json, report, tables};

/// A run that is done.
pub(super) struct Run<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) settings: &'a Settings,
    pub(super) detector: &'a Detector,
    pub(super) model: &'a Path,
    pub(super) corpus: &'a Corpus,
    /// One for each of the corpus's trials; none for those that could not be scored.
    pub(super) clips: &'a [Option<Clip>],
    pub(super) missing: usize,
    pub(super) skipped: usize,
    pub(super) asv: Option<&'a AsvOperatingPoint>,
}

/// `metrics.json`.
#[derive(Serialize)]
struct Metrics<'a> {
    /// By mean log-likelihood ratio.
    llr: json::Object<'a>,
    /// By 1 − mean P(spoof), as the original ranks clips.
    probability: json::Object<'a>,
    trials: TrialCounts,
    windows: WindowCounts,
    run: Facts<'a>,
}

#[derive(Serialize)]
struct TrialCounts {
    /// In the whole list, before any limit or shard.
    listed: usize,
    scored: usize,
    missing: usize,
    skipped: usize,
}

/// Windows in the clips that were scored, counted as the original scores a file and as its evaluation counts them.
#[derive(Serialize)]
struct WindowCounts {
    scoring: usize,
    evaluation: usize,
    /// Which of the two were scored.
    scored: String,
}

#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    settings: &'a Settings,
    root: String,
    model: String,
    runtime: String,
    interval_method: &'a str,
    /// UTC, when the run was finished.
    date: String,
    arguments: Vec<String>,
    version: &'a str,
}

/// Writes the results, and prints the figures.
pub(super) fn write(run: &Run<'_>) -> Result<()> {
    let scored: Vec<(&Trial, &Clip)> = run
        .corpus
        .trials
        .iter()
        .zip(run.clips)
        .filter_map(|(trial, clip)| Some((trial, clip.as_ref()?)))
        .collect();
    if scored.is_empty() {
        return Err(Failure::Failed(format!(
            "none of {} files could be scored",
            run.corpus.trials.len()
        )));
    }
    let out = &run.arguments.out;
    replace(&out.join("trials.csv"), trials_csv(run.corpus, &scored).as_bytes())?;

    let by_llr = table(run.corpus, &scored, |clip| clip.llr.to_string())?;
    let by_probability = table(run.corpus, &scored, |clip| clip.bonafide_probability.to_string())?;
    let columns = groups::columns(&by_llr, &[])?;
    let llr = Figures::of(&by_llr, &columns, run.asv)?;
    let probability = Figures::of(&by_probability, &columns, run.asv)?;

    let metadata = &run.detector.info().model;
    let windowing = Windowing::new(metadata.window_samples, metadata.hop_samples);
    let count = |tail| -> usize {
        let windowing = windowing.tail(tail);
        scored.iter().map(|(_, clip)| windowing.count(clip.samples())).sum()
    };
    let metrics = Metrics {
        llr: (&llr).into(),
        probability: (&probability).into(),
        trials: TrialCounts {
            listed: run.settings.listed,
            scored: scored.len(),
            missing: run.missing,
            skipped: run.skipped,
        },
        windows: WindowCounts {
            scoring: count(Tail::Pad),
            evaluation: count(Tail::PadIfNeeded),
            scored: run.settings.windows.clone(),
        },
        run: Facts {
            settings: run.settings,
            root: run.arguments.root.display().to_string(),
            model: run.model.display().to_string(),
            runtime: run.detector.info().to_string(),
            interval_method: llr.interval_method,
            date: date(SystemTime::now()),
            arguments: std::env::args_os()
                .skip(1)
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            version: env!("CARGO_PKG_VERSION"),
        },
    };
    write_report(run, &by_llr, &llr, &probability, &metrics)?;
    // Last, because it says that the run is finished.
    let text = serde_json::to_string_pretty(&metrics).map_err(|error| Failure::Failed(error.to_string()))?;
    replace(&out.join("metrics.json"), (text + "\n").as_bytes())?;
    tables::print(std::io::stdout().lock(), &llr).map_err(Failure::Output)?;
    eprintln!("results are in {}", out.display());
    Ok(())
}

/// The scored trials with one of their scores: the number that the score file has, so that it gives the same figures.
fn table(corpus: &Corpus, scored: &[(&Trial, &Clip)], score: fn(&Clip) -> String) -> Result<Table> {
    let rows = scored.iter().map(|(trial, clip)| {
        let score = score(clip);
        Ok(Row {
            utterance: trial.utterance.clone(),
            label: trial.label,
            score: crate::scores::number(&score).map_err(Failure::Failed)?,
            values: trial.values.clone(),
        })
    });
    Ok(Table {
        columns: corpus.columns.clone(),
        rows: rows.collect::<Result<_>>()?,
    })
}

/// The scores with all that is known of the trials, for figures by any column.
fn trials_csv(corpus: &Corpus, scored: &[(&Trial, &Clip)]) -> String {
    let line = |fields: &mut dyn Iterator<Item = &str>| {
        let fields: Vec<String> = fields.map(quoted).collect();
        fields.join(",") + "\n"
    };
    let fixed = ["utterance", "key", "score"].into_iter();
    let mut text = line(&mut fixed.chain(corpus.columns.iter().map(String::as_str)));
    for (trial, clip) in scored {
        let score = clip.llr.to_string();
        let fixed = [trial.utterance.as_str(), trial.label.as_str(), &score].into_iter();
        text += &line(&mut fixed.chain(trial.values.iter().map(String::as_str)));
    }
    text
}

fn write_report(
    run: &Run<'_>,
    by_llr: &Table,
    llr: &Figures,
    probability: &Figures,
    metrics: &Metrics<'_>,
) -> Result<()> {
    let path = run.arguments.out.join("report.html");
    let rows: Vec<&Row> = by_llr.rows.iter().collect();
    let (Some(trials), Some(summary)) = (figures::trials(&rows)?, &llr.summary) else {
        eprintln!("no report: it needs trials of both classes");
        return Ok(());
    };
    let groups: Vec<report::Group<'_>> = llr
        .groups
        .iter()
        .zip(&probability.groups)
        .map(|(llr, probability)| report::Group {
            column: &llr.column,
            spoof_only: llr.spoof_only,
            rows: llr
                .values
                .iter()
                .zip(&probability.values)
                .map(|(llr, probability)| row(llr, probability))
                .collect(),
        })
        .collect();
    let facts = facts(run, metrics);
    let report = report::Report {
        dataset: &run.settings.dataset,
        partition: &run.settings.partition,
        trials: &trials,
        llr: summary,
        probability: probability.summary.as_ref(),
        interval_method: llr.interval_method,
        evaluation_windows: Some(metrics.windows.evaluation),
        groups: &groups,
        facts: &facts,
    };
    let mut html = Vec::new();
    report::write(&mut html, &report).map_err(Failure::file("write", &path))?;
    replace(&path, &html)
}

fn row<'a>(llr: &'a figures::Value, probability: &'a figures::Value) -> report::Row<'a> {
    report::Row {
        value: &llr.value,
        bonafide: llr.bonafide,
        spoof: llr.spoof,
        llr: llr.summary.as_ref(),
        probability: probability.summary.as_ref(),
    }
}

fn facts(run: &Run<'_>, metrics: &Metrics<'_>) -> Vec<(&'static str, String)> {
    let (facts, settings) = (&metrics.run, run.settings);
    let mut list = vec![
        ("Model", facts.model.clone()),
        ("Model SHA-256", settings.model_sha256.clone()),
        ("Runtime", facts.runtime.clone()),
        ("Date", facts.date.clone()),
        (
            "Data set",
            format!("{} {}", settings.dataset, settings.partition).trim().to_owned(),
        ),
        ("Trials in the list", settings.listed.to_string()),
        ("Trials scored", metrics.trials.scored.to_string()),
        ("Missing files", metrics.trials.missing.to_string()),
        ("Corrupt files", metrics.trials.skipped.to_string()),
        ("Windows, scoring", metrics.windows.scoring.to_string()),
        ("Windows, evaluation", metrics.windows.evaluation.to_string()),
        ("Windows scored", settings.windows.clone()),
        (
            "Silence",
            if settings.trim_silence {
                "trimmed"
            } else {
                "as recorded"
            }
            .to_owned(),
        ),
    ];
    list.extend(settings.limit.map(|limit| ("Limit", limit.to_string())));
    list.extend(
        settings
            .shard
            .map(|(part, parts)| ("Shard", format!("{part} of {parts}"))),
    );
    list.push(("Arguments", facts.arguments.join(" ")));
    list.push(("bonafide", facts.version.to_owned()));
    list
}

/// A time as ISO 8601 in UTC, to the second.
fn date(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Howard Hinnant's civil_from_days: years begin in March, so that the leap day comes last.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
