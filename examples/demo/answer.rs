//! The JSON of the answers. A score has the names of `score --json`.

use bonafide::{Detector, Label, SAMPLE_RATE, Score};
use serde::Serialize;

use crate::arguments::Limits;

/// What scores, by name. Of a file it is the name alone: where it is on this machine is nobody's business.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) runtime: String,
}

impl Model {
    pub(crate) fn of(detector: &Detector) -> Self {
        let info = detector.info();
        let file = info.model_path.as_deref().and_then(|path| path.file_name());
        Self {
            name: file.map_or_else(
                || "embedded default".to_owned(),
                |name| name.to_string_lossy().into_owned(),
            ),
            runtime: info.to_string(),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct Scored {
    label: &'static str,
    /// The label, or `no_speech`.
    verdict: &'static str,
    spoof_probability: f32,
    bonafide_probability: f32,
    confidence: f32,
    threshold: f32,
    duration_seconds: f64,
    llr: f32,
    windows: Vec<Window>,
    quality: Quality,
    notes: Vec<String>,
    model: String,
    runtime: String,
}

#[derive(Serialize)]
struct Window {
    start_seconds: f64,
    end_seconds: f64,
    spoof_probability: f32,
    llr: f32,
}

#[derive(Serialize)]
struct Quality {
    level_dbfs: f32,
    clipped: f32,
    bandwidth_hz: f32,
    voiced_seconds: f32,
}

impl Scored {
    pub(crate) fn new(score: &Score, model: Model) -> Self {
        let windows = score.windows.iter().map(|window| Window {
            start_seconds: window.start_seconds,
            end_seconds: window.end_seconds,
            spoof_probability: window.spoof_probability,
            llr: window.llr,
        });
        Self {
            label: score.label.as_str(),
            verdict: score.verdict().map_or("no_speech", Label::as_str),
            spoof_probability: score.spoof_probability,
            bonafide_probability: score.bonafide_probability,
            confidence: score.confidence,
            threshold: score.threshold,
            duration_seconds: score.duration_seconds,
            llr: score.llr,
            windows: windows.collect(),
            quality: Quality {
                level_dbfs: score.quality.level_dbfs,
                clipped: score.quality.clipped,
                bandwidth_hz: score.quality.bandwidth_hz,
                voiced_seconds: score.quality.voiced_seconds,
            },
            notes: score.notes.iter().map(ToString::to_string).collect(),
            model: model.name,
            runtime: model.runtime,
        }
    }
}

/// What is running here.
#[derive(Clone, Serialize)]
pub(crate) struct Info {
    version: &'static str,
    model: String,
    /// The model is the small one that the crate comes with.
    embedded_model: bool,
    architecture: Option<String>,
    threshold: f32,
    window_seconds: f64,
    hop_seconds: f64,
    runtime: String,
    limits: InfoLimits,
}

#[derive(Clone, Serialize)]
struct InfoLimits {
    max_bytes: usize,
    max_seconds: u32,
    timeout_seconds: u64,
    max_uploads: usize,
}

impl Info {
    pub(crate) fn new(detector: &Detector, limits: Limits) -> Self {
        let info = detector.info();
        let Model { name, runtime } = Model::of(detector);
        let seconds = |samples: usize| samples as f64 / f64::from(SAMPLE_RATE);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            model: name,
            embedded_model: info.embedded_model,
            architecture: info.model.architecture.clone(),
            threshold: info.model.threshold,
            window_seconds: seconds(info.model.window_samples.get()),
            hop_seconds: seconds(info.model.hop_samples.get()),
            runtime,
            limits: InfoLimits {
                max_bytes: limits.bytes,
                max_seconds: limits.seconds,
                timeout_seconds: limits.timeout.as_secs(),
                max_uploads: limits.uploads,
            },
        }
    }
}
