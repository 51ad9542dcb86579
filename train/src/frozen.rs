//! The frozen part of a network, run on ONNX Runtime, or on rten where there is none.

use std::path::Path;

use bonafide::{Detector, Runtime};
use bonafide_export::{Config, Options, export};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::network::Cut;
use crate::{Error, Result};

/// A graph from a window to what the trained part begins with.
pub(crate) struct Frozen {
    engine: Engine,
    /// What it runs on, for people.
    pub(crate) runtime: String,
}

enum Engine {
    OnnxRuntime(Box<Session>),
    Rten {
        model: Box<rten::Model>,
        ends: [rten::NodeId; 2],
    },
}

/// The name of the graph's input.
const INPUT: &str = "waveform";

/// The node at which the exporter's graph has what enters at `cut`.
fn node(config: &Config, cut: Cut) -> Option<String> {
    match cut {
        Cut::Waveform => None,
        Cut::Positions => Some("backbone.encoder.pos_conv_embed.add".to_owned()),
        Cut::Layers(0) => Some("backbone.encoder.layer_norm".to_owned()),
        Cut::Layers(layers) => {
            let end = if config.do_stable_layer_norm {
                "feed_forward.add"
            } else {
                "final_layer_norm"
            };
            Some(format!("backbone.encoder.layers.{}.{end}", layers - 1))
        }
        Cut::Pooled => Some("classifier.mean".to_owned()),
    }
}

/// The shape of what enters at `cut`, of one window.
pub(crate) fn shape(config: &Config, cut: Cut, window_samples: usize) -> Vec<usize> {
    match cut {
        Cut::Waveform => vec![window_samples],
        Cut::Positions | Cut::Layers(_) => vec![config.frames(window_samples), config.hidden_size],
        Cut::Pooled => vec![config.hidden_size],
    }
}

impl Frozen {
    /// Exports the checkpoint in `checkpoint` up to `cut` into `folder`, and loads it.
    ///
    /// The whole checkpoint is exported and loaded as a detector first. That finds the runtime that scoring would use,
    /// and shows that what is trained here can be used there.
    pub(crate) fn load(checkpoint: &Path, config: &Config, cut: Cut, folder: &Path) -> Result<Self> {
        let whole = folder.join("whole.onnx");
        let part = folder.join("frozen.onnx");
        let mut options = Options::default();
        export(checkpoint, &whole, &options, &mut |_| {})?;
        let detector = Detector::builder().model(&whole).build()?;
        let info = detector.info().clone();
        drop(detector);
        options.end_at = node(config, cut);
        let name = options.end_at.clone().unwrap_or_default();
        export(checkpoint, &part, &options, &mut |_| {})?;
        let engine = if info.runtime == Runtime::OnnxRuntime {
            let session = || -> ort::Result<Session> {
                // The detector has loaded the library, which a process does once.
                let environment = ort::init().with_telemetry(false).build()?;
                Session::builder(&environment)?
                    .with_optimization_level(GraphOptimizationLevel::All)?
                    .with_intra_threads(info.intra_threads)?
                    .commit_from_file(&part)
            };
            Engine::OnnxRuntime(Box::new(session().map_err(|error| failed("ONNX Runtime", &error))?))
        } else {
            let model = rten::Model::load_file(&part).map_err(|error| failed("rten", &error))?;
            let id = |name: &str| model.node_id(name).map_err(|error| failed("rten", &error));
            let ends = [id(INPUT)?, id(&name)?];
            Engine::Rten {
                model: Box::new(model),
                ends,
            }
        };
        Ok(Self {
            engine,
            runtime: info.to_string(),
        })
    }

    /// What the graph makes of a window.
    pub(crate) fn run(&mut self, window: &[f32]) -> Result<Vec<f32>> {
        match &mut self.engine {
            Engine::OnnxRuntime(session) => {
                let mut run = || -> ort::Result<Vec<f32>> {
                    let input = TensorRef::from_array_view(([1, window.len()], window))?;
                    let outputs = session.run(ort::inputs![INPUT => input])?;
                    let (_, numbers) = outputs[0].try_extract_tensor::<f32>()?;
                    Ok(numbers.to_vec())
                };
                run().map_err(|error| failed("ONNX Runtime", &error))
            }
            Engine::Rten { model, ends } => {
                use rten_tensor::{NdTensorView, Tensor, prelude::*};
                let input = NdTensorView::from_data([1, window.len()], window);
                let mut outputs = model
                    .run(vec![(ends[0], input.into())], &[ends[1]], None)
                    .map_err(|error| failed("rten", &error))?;
                let output = outputs.pop().ok_or_else(|| failed("rten", &"it gave no output"))?;
                let output: Tensor<f32> = output.try_into().map_err(|error| failed("rten", &error))?;
                Ok(output.to_vec())
            }
        }
    }
}

fn failed(runtime: &'static str, reason: &dyn std::fmt::Display) -> Error {
    Error::Runtime {
        runtime,
        reason: reason.to_string(),
    }
}
