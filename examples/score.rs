//! Scores audio files: was this voice made by a machine?
//!
//! ```sh
//! cargo run --release --example score -- --model model.onnx call.mp3 interview.wav
//! ```

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bonafide::{Detector, Label, Score};
use clap::Parser;
use serde::Serialize;

/// Scores audio files with a model: was this voice made by a machine?
///
/// P(spoof) is the probability that it was. A file is called `spoof` when it exceeds the threshold, and `bonafide`
/// otherwise; where there is no speech to judge it is called `no speech`. The exit code is 1 if any file could not be scored, 2 for bad usage.
#[derive(Parser)]
#[command(name = "score", version)]
struct Arguments {
    /// The model, as made by `bonafide-export`
    #[arg(long, value_name = "M.onnx")]
    model: PathBuf,
    /// Call a file spoof above this P(spoof), 0 to 1 [default: the model's own]
    #[arg(long, value_name = "T", value_parser = probability)]
    threshold: Option<f32>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// WAV, FLAC, MP3, Ogg Vorbis or M4A files, of any rate and channel count
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

fn probability(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut builder = Detector::builder().model(&arguments.model);
    if let Some(threshold) = arguments.threshold {
        builder = builder.threshold(threshold);
    }
    let detector = match builder.build() {
        Ok(detector) => detector,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match score_all(&detector, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write the results: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Scores every file, and says whether all could be.
fn score_all(detector: &Detector, arguments: &Arguments) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let mut all_scored = true;
    if !arguments.json {
        writeln!(out, "{:<9}  P(spoof)  confidence  seconds  windows  file", "label")?;
    }
    for file in &arguments.files {
        let scored = detector.score_file(file);
        all_scored &= scored.is_ok();
        match (scored, arguments.json) {
            (Ok(score), false) => write_row(&mut out, file, &score)?,
            (Ok(score), true) => write_json(&mut out, &Scored::new(file, &score, detector))?,
            (Err(error), false) => writeln!(out, "{:<9}  {error}", "error")?,
            (Err(error), true) => write_json(&mut out, &Failed::new(file, &error))?,
        }
        out.flush()?;
    }
    if !arguments.json {
        let info = detector.info();
        write!(out, "\nruntime: {info}, {} threads", info.intra_threads)?;
        match &info.fallback {
            Some(reason) => writeln!(out, " ({reason})")?,
            None => writeln!(out)?,
        }
    }
    Ok(all_scored)
}

fn write_row(out: &mut impl Write, file: &Path, score: &Score) -> io::Result<()> {
    write!(
        out,
        "{:<9}  {:>8.4}  {:>9.1} %  {:>7.2}  {:>7}  {}",
        score.verdict().map_or("no speech", Label::as_str),
        score.spoof_probability,
        100.0 * score.confidence,
        score.duration_seconds,
        score.windows.len(),
        file.display()
    )?;
    if !score.notes.is_empty() {
        let notes: Vec<String> = score.notes.iter().map(ToString::to_string).collect();
        write!(out, "  ({})", notes.join(", "))?;
    }
    writeln!(out)
}

fn write_json(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    writeln!(out)
}

/// The JSON of a file that was scored.
#[derive(Serialize)]
struct Scored {
    file: String,
    label: String,
    /// The label, or `no_speech`.
    verdict: &'static str,
    spoof_probability: f32,
    bonafide_probability: f32,
    confidence: f32,
    threshold: f32,
    duration_seconds: f64,
    llr: f32,
    windows: Vec<ScoredWindow>,
    quality: ScoredQuality,
    notes: Vec<String>,
    model: String,
    runtime: String,
}

#[derive(Serialize)]
struct ScoredWindow {
    start_seconds: f64,
    end_seconds: f64,
    spoof_probability: f32,
    llr: f32,
}

#[derive(Serialize)]
struct ScoredQuality {
    level_dbfs: f32,
    clipped: f32,
    bandwidth_hz: f32,
    voiced_seconds: f32,
}

impl Scored {
    fn new(file: &Path, score: &Score, detector: &Detector) -> Self {
        let info = detector.info();
        let windows = score.windows.iter().map(|window| ScoredWindow {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            spoof_probability: window.spoof_probability,
            llr: window.llr,
        });
        Self {
            file: file.display().to_string(),
            label: score.label.to_string(),
            verdict: score.verdict().map_or("no_speech", Label::as_str),
            spoof_probability: score.spoof_probability,
            bonafide_probability: score.bonafide_probability,
            confidence: score.confidence,
            threshold: score.threshold,
            duration_seconds: score.duration_seconds,
            llr: score.llr,
            windows: windows.collect(),
            quality: ScoredQuality {
                level_dbfs: score.quality.level_dbfs,
                clipped: score.quality.clipped,
                bandwidth_hz: score.quality.bandwidth_hz,
                voiced_seconds: score.quality.voiced_seconds,
            },
            notes: score.notes.iter().map(ToString::to_string).collect(),
            model: info
                .model_path
                .as_deref()
                .unwrap_or(Path::new(""))
                .display()
                .to_string(),
            runtime: info.to_string(),
        }
    }
}

/// The JSON of a file that could not be scored.
#[derive(Serialize)]
struct Failed {
    file: String,
    error: String,
}

impl Failed {
    fn new(file: &Path, error: &bonafide::Error) -> Self {
        Self {
            file: file.display().to_string(),
            error: error.to_string(),
        }
    }
}
