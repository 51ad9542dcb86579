//! Scores a data set.

mod clip;
mod journal;
mod results;
mod settings;
mod trim;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bonafide::{Detector, ExecutionProvider, Runtime, Tail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::datasets::{Corpus, Dataset, Trial, evenly};
use crate::failure::{Failure, Result};
use crate::threads;
use clip::Outcome;
use journal::Journal;
pub(crate) use settings::Settings;

/// A session has its own copy of the model's weights: by default no more of them than this.
const MOST_SESSIONS: usize = 4;
/// Missing and corrupt files shown on screen; the files in the output folder have them all.
const SHOWN: usize = 10;

/// Scores a data set with a model, and writes scores, figures and a report.
///
/// The output folder gets `scores.txt` (official format, higher is more bona fide), `scores_probability.txt`
/// (1 − P(spoof)), `trials.csv` (scores with everything known of the trials), `windows.csv`, `metrics.json` and
/// `report.html`, and where there are such files `missing.txt` and `skipped.txt`. Scores are written as they come: a run
/// that was stopped goes on with `--resume`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The data set
    #[arg(long, value_name = "NAME")]
    dataset: Dataset,
    /// The folder that the data set was unpacked into
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// The part of the data set [default: the data set's own]
    #[arg(long, value_name = "P")]
    partition: Option<String>,
    /// The model, as made by `bonafide-export`
    #[arg(long, value_name = "M.onnx")]
    model: Option<PathBuf>,
    /// Score this many trials only, spread evenly over the list
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Score the K-th of N parts: every N-th trial of the list, from the K-th
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Cut silence off both ends first: frames of 25 ms that are 40 dB below the clip's loudest
    #[arg(long)]
    trim_silence: bool,
    /// How the end of a clip is cut into windows
    #[arg(long, value_enum, default_value = "scoring")]
    windows: Windows,
    /// The folder for the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with a run that was stopped; begins a new one if there is none
    #[arg(long)]
    resume: bool,
    /// The speaker verification scores for t-DCF: lines of source, key (target, nontarget, spoof) and score
    #[arg(long, value_name = "ASV_SCORES")]
    asv: Option<PathBuf>,
    /// Score the files that are there, though others are missing
    #[arg(long)]
    allow_missing: bool,
    /// Clips scored at once, each with a copy of the model [default: the cores, but at most 4, which share them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// What runs the model
    #[arg(long, value_enum, default_value = "auto")]
    runtime: RuntimeName,
    /// Run the model on this NVIDIA GPU (needs `--features cuda`)
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, default_missing_value = "0")]
    cuda: Option<u32>,
}

/// How the end of a clip is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Windows {
    /// As the original scores a file: a clip longer than a window ends in a padded one
    Scoring,
    /// As the original's evaluation does: the last window is padded only where samples would be left over
    Evaluation,
}

impl Windows {
    fn tail(self) -> Tail {
        match self {
            Self::Scoring => Tail::Pad,
            Self::Evaluation => Tail::PadIfNeeded,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Scoring => "scoring",
            Self::Evaluation => "evaluation",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RuntimeName {
    /// ONNX Runtime if its library is found, else rten
    Auto,
    /// ONNX Runtime
    Onnxruntime,
    /// rten, which is built in
    Rten,
}

/// `K/N` with K from 1 to N.
fn shard(text: &str) -> Result<(usize, usize), String> {
    let parts = text
        .split_once('/')
        .and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
    let parts = parts.filter(|(k, n)| (1..=*n).contains(k));
    parts.ok_or_else(|| "expected K/N, such as 1/8, with K from 1 to N".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let model = arguments.model.as_deref().ok_or_else(|| {
        Failure::Usage("no model was given: use --model M.onnx, with a model made by bonafide-export".to_owned())
    })?;
    let corpus = arguments
        .dataset
        .read(&arguments.root, arguments.partition.as_deref())?;
    let settings = Settings::new(arguments, model, &corpus)?;
    let mut corpus = part(corpus, arguments);
    let missing = drop_missing(&mut corpus, arguments)?;
    let asv = crate::operating_point(arguments.asv.as_deref())?;

    let detector = detector(model, arguments)?;

    fs::create_dir_all(&arguments.out).map_err(Failure::file("create", &arguments.out))?;
    let _lock = settings.claim(&arguments.out, arguments.resume)?;
    write_list(&arguments.out.join("missing.txt"), &missing)?;
    let mut journal = Journal::open(&arguments.out, &corpus.trials)?;
    let skipped = score_all(&corpus.trials, &detector, arguments, &mut journal)?;
    journal.finish()?;
    write_list(&arguments.out.join("skipped.txt"), &skipped)?;

    results::write(&results::Run {
        arguments,
        settings: &settings,
        detector: &detector,
        model,
        corpus: &corpus,
        clips: journal.clips(),
        missing: missing.len(),
        skipped: skipped.len(),
        asv: asv.as_ref(),
    })
}

/// The trials that this run is to score: the limit's of the list, and of these the shard's.
fn part(mut corpus: Corpus, arguments: &Arguments) -> Corpus {
    if let Some(limit) = arguments.limit {
        corpus.trials = evenly(corpus.trials, usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if let Some((part, parts)) = arguments.shard {
        corpus.trials = corpus.trials.into_iter().skip(part - 1).step_by(parts).collect();
    }
    corpus
}

/// Takes the trials without audio out, if that is allowed, and lists them.
fn drop_missing(corpus: &mut Corpus, arguments: &Arguments) -> Result<Vec<String>> {
    let all = corpus.trials.len();
    let is_there = threads::map(&corpus.trials, |trial| trial.path.is_file());
    let mut missing = Vec::new();
    let mut is_there = is_there.into_iter();
    corpus.trials.retain(|trial| {
        let keep = is_there.next().unwrap_or(false);
        if !keep {
            missing.push(format!(
                "{}\t{}\t{}",
                trial.utterance,
                trial.label,
                trial.path.display()
            ));
        }
        keep
    });
    if missing.is_empty() {
        return Ok(missing);
    }
    eprintln!("{} of {all} audio files are missing:", missing.len());
    show(&missing);
    if !arguments.allow_missing {
        fs::create_dir_all(&arguments.out).map_err(Failure::file("create", &arguments.out))?;
        write_list(&arguments.out.join("missing.txt"), &missing)?;
        return Err(Failure::Failed(format!(
            "{} of {all} audio files are missing (all are in {}); get them, or score the others with --allow-missing",
            missing.len(),
            arguments.out.join("missing.txt").display()
        )));
    }
    if corpus.trials.is_empty() {
        return Err(Failure::Failed("no audio file is there: check --root".to_owned()));
    }
    Ok(missing)
}

fn show(list: &[String]) {
    list.iter().take(SHOWN).for_each(|line| eprintln!("  {line}"));
    if list.len() > SHOWN {
        eprintln!("  … and {} more", list.len() - SHOWN);
    }
}

/// Writes a list of files, or removes the one of an earlier try if there is nothing to list any more.
fn write_list(path: &Path, list: &[String]) -> Result<()> {
    if !list.is_empty() {
        return journal::replace(path, (list.join("\n") + "\n").as_bytes());
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::file("remove", path)(error)),
        _ => Ok(()),
    }
}

fn detector(model: &Path, arguments: &Arguments) -> Result<Detector> {
    let mut builder = Detector::builder()
        .model(model)
        .tail(arguments.windows.tail())
        .sessions(jobs(arguments))
        .runtime(match arguments.runtime {
            RuntimeName::Auto => Runtime::Auto,
            RuntimeName::Onnxruntime => Runtime::OnnxRuntime,
            RuntimeName::Rten => Runtime::Rten,
        });
    if let Some(device) = arguments.cuda {
        builder = builder.execution_provider(ExecutionProvider::Cuda { device });
    }
    let detector = builder.build()?;
    let info = detector.info();
    eprintln!("{info}: {} at once, {} threads each", info.sessions, info.intra_threads);
    if let Some(reason) = &info.fallback {
        eprintln!("  ({reason})");
    }
    Ok(detector)
}

fn jobs(arguments: &Arguments) -> usize {
    arguments
        .jobs
        .map_or_else(|| threads::cores().min(MOST_SESSIONS), usize::from)
}

/// Scores the trials that are not in the journal yet, and lists the files that can't be scored.
fn score_all(
    trials: &[Trial],
    detector: &Detector,
    arguments: &Arguments,
    journal: &mut Journal<'_>,
) -> Result<Vec<String>> {
    let pending: Vec<usize> = (0..trials.len()).filter(|&index| !journal.has(index)).collect();
    if pending.len() < trials.len() {
        eprintln!(
            "{} of {} trials are scored already",
            trials.len() - pending.len(),
            trials.len()
        );
    }
    let progress = progress_bar(pending.len());
    let begun = Instant::now();
    let (mut scored, mut windows) = (0, 0);
    let mut skipped = Vec::new();
    let mut failure = None;
    threads::each(
        &pending,
        jobs(arguments),
        |_, &index| {
            (
                index,
                clip::score(detector, &trials[index].path, arguments.trim_silence),
            )
        },
        |(index, outcome)| {
            progress.inc(1);
            let result = match outcome {
                Outcome::Scored(clip) => {
                    scored += 1;
                    windows += clip.windows.len();
                    journal.append(index, clip)
                }
                Outcome::Skipped(reason) => {
                    skipped.push((index, reason));
                    Ok(())
                }
                Outcome::Failed(error) => Err(error),
            };
            failure = result.err();
            failure.is_none()
        },
    );
    progress.finish_and_clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    if scored > 0 {
        let seconds = begun.elapsed().as_secs_f64();
        let rate = windows as f64 / seconds;
        eprintln!("scored {scored} trials, {windows} windows, in {seconds:.1} s: {rate:.1} windows a second");
    }
    skipped.sort();
    let skipped: Vec<String> = skipped
        .into_iter()
        .map(|(index, reason)| format!("{}\t{}", trials[index].utterance, reason.replace('\n', " ")))
        .collect();
    if !skipped.is_empty() {
        eprintln!(
            "{} of {} files could not be scored, and are left out:",
            skipped.len(),
            trials.len()
        );
        show(&skipped);
    }
    Ok(skipped)
}

/// On the terminal, with rate and estimated time; nowhere else.
fn progress_bar(trials: usize) -> ProgressBar {
    let progress = ProgressBar::new(trials as u64);
    let template = "{wide_bar} {human_pos}/{human_len} trials  {per_sec}  {elapsed} elapsed, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(500));
    progress
}
