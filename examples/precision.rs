//! What a lower precision costs and gains: exports a checkpoint in each, and compares them on real speech.
//!
//! ```sh
//! cargo run --release --example precision -- stage2_best.pt recordings/
//! ```
//!
//! Every window is scored by all of a runtime's models in turn, so that a busy machine slows all alike. Times are the
//! shortest of all windows; differences are those from f32 on the same runtime.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use bonafide::{Audio, Detector, Runtime};
use bonafide_export::{Options, Precision, export};
use clap::Parser;

/// Exports a checkpoint in each precision, and compares size, speed and scores on real speech.
#[derive(Parser)]
#[command(name = "precision")]
struct Arguments {
    /// The checkpoint, as `bonafide-export` takes it
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: PathBuf,
    /// A folder of audio files
    #[arg(value_name = "AUDIO")]
    audio: PathBuf,
    /// How many windows to score, taken from as many files as there are
    #[arg(long, default_value_t = 40)]
    windows: usize,
    /// Where the models go, and stay [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
}

/// What one model gave for each window.
#[derive(Default)]
struct Results {
    spoof_probability: Vec<f64>,
    llr: Vec<f64>,
    seconds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let temporary = tempfile::tempdir()?;
    let folder = arguments.keep.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder)?;

    let mut models = Vec::new();
    for precision in [Precision::F32, Precision::F16, Precision::Int8] {
        let path = folder.join(format!("{precision}.onnx"));
        let mut options = Options::default();
        options.precision = precision;
        let bytes = export(&arguments.checkpoint, &path, &options, &mut |_| {})?.bytes;
        models.push((precision, path, bytes));
    }
    let f32_bytes = models[0].2 as f64;
    for (precision, _, bytes) in &models {
        let share = 100.0 * *bytes as f64 / f32_bytes;
        println!("{precision:<5} {:>8.1} MB  {share:>5.1} % of f32", *bytes as f64 / 1e6);
    }

    let windows = windows(&arguments.audio, arguments.windows)?;
    for runtime in [Runtime::OnnxRuntime, Runtime::Rten] {
        let load = |path: &Path| Detector::builder().model(path).runtime(runtime).build();
        let detectors = match models
            .iter()
            .map(|(_, path, _)| load(path))
            .collect::<Result<Vec<_>, _>>()
        {
            Ok(detectors) => detectors,
            Err(error) => {
                println!("\n{runtime}: {error}");
                continue;
            }
        };
        println!(
            "\n{}, {} threads, {} windows",
            detectors[0].info(),
            detectors[0].info().intra_threads,
            windows.len()
        );
        println!("precision  s/window  x f32  P(spoof): mean |d|  max |d|  LLR: mean |d|  max |d|  labels changed");
        let results = compare(&detectors, &windows)?;
        for ((precision, ..), result) in models.iter().zip(&results) {
            print_row(*precision, &results[0], result);
        }
    }
    Ok(())
}

/// Up to `count` whole windows of speech: the first of each file, then the second of each, and so on.
fn windows(folder: &Path, count: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?;
    paths.sort();
    let clips: Vec<Vec<f32>> = paths
        .iter()
        .filter_map(|path| Audio::read(path).ok()?.to_model_input().ok())
        .collect();
    let longest = clips.iter().map(Vec::len).max().unwrap_or(0);
    let mut windows: Vec<Vec<f32>> = Vec::new();
    for start in (0..longest).step_by(WINDOW) {
        windows.extend(
            clips
                .iter()
                .filter_map(|clip| Some(clip.get(start..start + WINDOW)?.to_vec())),
        );
    }
    windows.truncate(count);
    if windows.is_empty() {
        return Err(format!("{}: expected audio files of 4 s or more, found none", folder.display()).into());
    }
    Ok(windows)
}

/// Samples in the published model's window.
const WINDOW: usize = 64_000;

fn compare(detectors: &[Detector], windows: &[Vec<f32>]) -> Result<Vec<Results>, bonafide::Error> {
    let mut results: Vec<Results> = detectors.iter().map(|_| Results::default()).collect();
    for detector in detectors {
        detector.score(&windows[0])?; // the first run warms up
    }
    for window in windows {
        for (detector, results) in detectors.iter().zip(&mut results) {
            let start = Instant::now();
            let score = detector.score(window)?;
            results.seconds.push(start.elapsed().as_secs_f64());
            results.spoof_probability.push(f64::from(score.spoof_probability));
            results.llr.push(f64::from(score.llr));
        }
    }
    Ok(results)
}

fn print_row(precision: Precision, f32: &Results, result: &Results) {
    let least = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let (seconds, base) = (least(&result.seconds), least(&f32.seconds));
    let (p_mean, p_max) = difference(&f32.spoof_probability, &result.spoof_probability);
    let (llr_mean, llr_max) = difference(&f32.llr, &result.llr);
    let sides = f32.spoof_probability.iter().zip(&result.spoof_probability);
    let changed = sides.filter(|(a, b)| (**a > 0.5) != (**b > 0.5)).count();
    println!(
        "{precision:<9}  {seconds:>8.3}  {:>5.2}  {p_mean:>18.1e}  {p_max:>7.1e}  {llr_mean:>13.1e}  {llr_max:>7.1e}  {changed:>14}",
        base / seconds
    );
}

/// The mean and the largest absolute difference.
fn difference(a: &[f64], b: &[f64]) -> (f64, f64) {
    let differences = || a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let largest = differences().fold(0.0, f64::max);
    (differences().sum::<f64>() / a.len() as f64, largest)
}
