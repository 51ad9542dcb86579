//! Holds an exported graph against its checkpoint: the same audio through both, compared layer by layer.

mod audio;
mod difference;
mod graph;
mod subject;

use std::path::{Path, PathBuf};

use bonafide::{Audio, Detector, Normalization as CallerNormalization, Score, Windowing};
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::forward::Stage;
use crate::onnx::Description;
use crate::source::Source;
use crate::{Calibration, Layout, Options, Result};
use difference::Difference;
use graph::{Graph, Values};
use subject::Subject;

/// What to compare, and how closely.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// The checkpoint's `config.json`, as in [`Options::config`].
    pub config: Option<PathBuf>,
    /// Which class of the checkpoint is spoof, as in [`Options::spoof_index`].
    pub spoof_index: Option<usize>,
    /// Audio files to compare on: every window of each. If there are none, a window of sounds like speech is generated.
    pub audio: Vec<PathBuf>,
    /// What the generated sounds are made from.
    pub seed: u64,
    /// The largest difference of P(spoof) in any window. By default that of [`Tolerance::of_precision`].
    pub tolerance: Option<f64>,
    /// The largest relative difference of a layer. By default likewise.
    pub layer_tolerance: Option<f64>,
}

/// How far apart a graph and its checkpoint may be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tolerance {
    /// The largest difference of P(spoof) in any window.
    pub p_spoof: f64,
    /// The largest relative difference of a layer's values, ‖graph − checkpoint‖ / ‖checkpoint‖.
    pub layers: f64,
}

impl Tolerance {
    /// The default for a model whose metadata has this `bonafide.precision`.
    ///
    /// | precision | P(spoof) | layers |
    /// |---|---|---|
    /// | `f32`, or not stated | 1e-4 | 1e-4 |
    /// | `f16` | 0.01 | 0.01 |
    /// | `int8` | 0.05 | 0.25 |
    #[must_use]
    pub fn of_precision(precision: &str) -> Self {
        let (p_spoof, layers) = match precision {
            "f16" => (0.01, 0.01),
            "int8" => (0.05, 0.25),
            _ => (1e-4, 1e-4),
        };
        Self { p_spoof, layers }
    }
}

/// What [`verify`] finds. Serialised, it is what `bonafide-export verify --json` prints; a number that isn't finite is
/// `null` there, and later versions may add fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Whether everything that was compared is within the tolerance.
    pub passed: bool,
    /// The first thing beyond the tolerance, in the network's order: a layer's name, or `P(spoof)`.
    pub first_beyond: Option<String>,
    /// The largest difference of P(spoof) in any window.
    pub max_p_spoof_difference: f64,
    /// The tolerance that was applied.
    pub tolerance: Tolerance,
    /// The precision that the model says it was exported with; `f32` where it says nothing.
    pub precision: String,
    /// The checkpoint's layout.
    pub layout: Layout,
    /// Whether the model says that it was exported from this very checkpoint; `null` where it says nothing. The same
    /// weights may come in another file.
    pub same_source: Option<bool>,
    /// What computed the model's P(spoof), such as `onnxruntime 1.31.0 cpu`.
    pub runtime: String,
    /// What computed the model's layers; `null` when nothing could.
    pub layer_runtime: Option<String>,
    /// The layers, in order.
    pub layers: Vec<LayerReport>,
    /// The audio that was compared on.
    pub clips: Vec<ClipReport>,
}

/// How far apart the values of a layer are, over all windows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerReport {
    /// The layer, such as `encoder layer 3`.
    pub name: String,
    /// The graph's value that was compared; `null` when none was.
    pub value: Option<String>,
    /// The largest absolute difference of a number; `null` when nothing was compared.
    pub max_absolute: Option<f64>,
    /// ‖graph − checkpoint‖ / ‖checkpoint‖; `null` when nothing was compared.
    pub relative: Option<f64>,
    /// Whether that is within the tolerance; `null` when it was not compared.
    pub within: Option<bool>,
    /// Why it was not compared, or what is wrong with the graph's value.
    pub note: Option<String>,
}

/// A clip and the scores of its windows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClipReport {
    /// The file; `null` when the clip was generated.
    pub file: Option<PathBuf>,
    /// What the clip was generated from; `null` when it is a file's.
    pub seed: Option<u64>,
    /// Its windows.
    pub windows: Vec<WindowReport>,
}

/// The scores of a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WindowReport {
    /// Where it starts in the clip, in seconds.
    pub start_seconds: f64,
    /// Where it ends, without its padding.
    pub end_seconds: f64,
    /// P(spoof) of the checkpoint.
    pub checkpoint_p_spoof: f64,
    /// P(spoof) of the model.
    pub model_p_spoof: f64,
    /// The checkpoint's logit of bona fide less that of spoof.
    pub checkpoint_llr: f64,
    /// The model's.
    pub model_llr: f64,
    /// Whether the two P(spoof) are within the tolerance.
    pub within: bool,
}

/// Where a verification is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Layers of windows done.
    pub done: usize,
    /// All of them.
    pub total: usize,
    /// The layer just done.
    pub layer: String,
}

/// Runs `model` and a plain forward pass of `checkpoint` on the same audio, and compares them.
///
/// The forward pass is independent of the graph and of every runtime: plain Rust in double precision. The model's scores
/// are those of [`bonafide::Detector`], on ONNX Runtime if that is found. Its layers are rten's, from the graph as it is in
/// the file, without rten's own optimisations; where rten can't run it, only the scores are compared.
///
/// # Errors
///
/// [`Error`](crate::Error) says which of the model, the checkpoint and the audio can't be read, and why. That they differ is no error.
pub fn verify(
    model: impl AsRef<Path>,
    checkpoint: impl AsRef<Path>,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<Verification> {
    let model = model.as_ref();
    let description = Description::read(model)?;
    let checkpoint = Checkpoint::open(checkpoint)?;
    let mut export_options = Options::default();
    export_options.config.clone_from(&options.config);
    export_options.spoof_index = options.spoof_index;
    let subject = Subject::find(&checkpoint, &export_options)?;

    let mut scored = score(model, options)?;
    let windowing = scored.windowing;
    subject.check_window(windowing.length())?;
    // The checkpoint's logits are as they were before they were calibrated.
    let calibration = description
        .metadata("bonafide.calibration")
        .and_then(|text| text.parse::<Calibration>().ok());
    let precision = description.metadata("bonafide.precision").unwrap_or("f32").to_owned();
    let default = Tolerance::of_precision(&precision);
    let tolerance = Tolerance {
        p_spoof: options.tolerance.unwrap_or(default.p_spoof),
        layers: options.layer_tolerance.unwrap_or(default.layers),
    };
    let same_source = match description.metadata("bonafide.source_sha256") {
        Some(stated) => Some(Source::read(&checkpoint, &mut |_| {})?.sha256 == stated),
        None => None,
    };

    let stages = subject.stages();
    let graph = Graph::load(model, &description, &subject, &stages);
    let mut differences = vec![Difference::default(); stages.len()];
    let total = scored
        .clips
        .iter()
        .map(|(clip, _)| windowing.count(clip.len()))
        .sum::<usize>()
        * stages.len();
    let mut done = 0;
    for (clip, report) in &mut scored.clips {
        for (window, scores) in windowing.windows(clip).zip(&mut report.windows) {
            let values = graph.as_ref().map(|graph| {
                let mut input = window.samples.to_vec();
                if scored.normalization == CallerNormalization::ZeroMeanUnitVariance {
                    audio::normalise(&mut input);
                }
                graph.run(&input)
            });
            let mut logits = [f64::NAN; 2];
            subject.forward(&checkpoint, &window.samples, &mut |stage, reference| {
                let calibrated = match calibration.filter(|_| stage == Stage::Logits) {
                    Some(calibration) => &calibration.logits(reference),
                    None => reference,
                };
                let reference = calibrated;
                let place = stages.iter().position(|known| *known == stage).unwrap_or(0);
                if let Ok(values) = &values {
                    differences[place].add(reference, &value_of(values, place));
                }
                if stage == Stage::Logits {
                    logits = [reference[[0, 0]], reference[[0, 1]]];
                }
                done += 1;
                progress(VerifyProgress {
                    done,
                    total,
                    layer: stage.to_string(),
                });
                Ok(())
            })?;
            scores.compare(logits, tolerance);
        }
    }

    let layers: Vec<LayerReport> = stages
        .iter()
        .zip(&differences)
        .enumerate()
        .map(|(place, (stage, difference))| match &graph {
            Ok(graph) => layer_report(*stage, graph.value(place), difference, tolerance),
            Err(reason) => LayerReport {
                name: stage.to_string(),
                value: None,
                max_absolute: None,
                relative: None,
                within: None,
                note: Some(reason.clone()),
            },
        })
        .collect();
    let clips: Vec<ClipReport> = scored.clips.into_iter().map(|(_, report)| report).collect();
    let windows = || clips.iter().flat_map(|clip| &clip.windows);
    let layer_beyond = layers.iter().find(|layer| layer.within == Some(false));
    let score_beyond = windows().any(|window| !window.within).then(|| "P(spoof)".to_owned());
    let first_beyond = layer_beyond.map(|layer| layer.name.clone()).or(score_beyond);
    Ok(Verification {
        passed: first_beyond.is_none(),
        first_beyond,
        max_p_spoof_difference: windows().map(WindowReport::p_spoof_difference).fold(0.0, largest),
        tolerance,
        precision,
        layout: subject.layout(),
        same_source,
        runtime: scored.runtime,
        layer_runtime: graph.is_ok().then(|| graph::RUNTIME.to_owned()),
        layers,
        clips,
    })
}

/// What the model makes of the audio.
struct Scored {
    runtime: String,
    windowing: Windowing,
    /// What the graph's caller does to a window.
    normalization: CallerNormalization,
    /// Samples, and their scores by the model alone.
    clips: Vec<(Vec<f32>, ClipReport)>,
}

/// Scores the audio with a detector, which is then dropped: it has the whole model in memory.
fn score(model: &Path, options: &VerifyOptions) -> Result<Scored> {
    let detector = Detector::builder().model(model).build()?;
    let metadata = &detector.info().model;
    let windowing = Windowing::new(metadata.window_samples, metadata.hop_samples);
    let mut clips = Vec::new();
    if options.audio.is_empty() {
        let clip = audio::speech_like(windowing.length(), options.seed);
        let report = ClipReport::new(None, Some(options.seed), &detector.score(&clip)?);
        clips.push((clip, report));
    }
    for path in &options.audio {
        let clip = Audio::read(path)?.to_model_input()?;
        let report = ClipReport::new(Some(path.clone()), None, &detector.score(&clip)?);
        clips.push((clip, report));
    }
    Ok(Scored {
        runtime: detector.info().to_string(),
        windowing,
        normalization: metadata.normalization,
        clips,
    })
}

impl ClipReport {
    fn new(file: Option<PathBuf>, seed: Option<u64>, score: &Score) -> Self {
        let windows = score.windows.iter().map(|window| WindowReport {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            checkpoint_p_spoof: f64::NAN,
            model_p_spoof: window.spoof_probability.into(),
            checkpoint_llr: f64::NAN,
            model_llr: window.llr.into(),
            within: false,
        });
        Self {
            file,
            seed,
            windows: windows.collect(),
        }
    }
}

impl WindowReport {
    fn compare(&mut self, [bonafide, spoof]: [f64; 2], tolerance: Tolerance) {
        self.checkpoint_llr = bonafide - spoof;
        self.checkpoint_p_spoof = 1.0 / (1.0 + self.checkpoint_llr.exp());
        // Not so if either is NaN.
        self.within = self.p_spoof_difference() <= tolerance.p_spoof;
    }

    fn p_spoof_difference(&self) -> f64 {
        (self.model_p_spoof - self.checkpoint_p_spoof).abs()
    }
}

/// The larger of two differences, where NaN is larger than all.
fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// A stage's values, or why there are none.
fn value_of(values: &Result<Vec<Values>, String>, place: usize) -> Values {
    match values {
        Ok(values) => values.get(place).cloned().unwrap_or(Values::Missing),
        Err(reason) => Values::Failed(reason.clone()),
    }
}

fn layer_report(stage: Stage, value: Option<&str>, difference: &Difference, tolerance: Tolerance) -> LayerReport {
    let (compared, note) = match difference.note() {
        Some(note) => (difference.is_misfit(), Some(note.to_owned())),
        None => (true, None),
    };
    let relative = difference.relative();
    LayerReport {
        name: stage.to_string(),
        value: value.map(str::to_owned),
        max_absolute: note.is_none().then_some(difference.max_absolute()),
        relative: note.is_none().then_some(relative),
        within: compared.then_some(note.is_none() && relative <= tolerance.layers),
        note,
    }
}
