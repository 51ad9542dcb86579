//! The frozen part of a network, run on rten.
//!
//! ONNX Runtime would be faster, but allows a process one environment, which is the detector's own.

use std::path::Path;

use bonafide::Detector;
use bonafide_export::{Config, Options, export};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, Tensor};

use crate::network::Cut;
use crate::{Error, Result};

/// A graph from a window to what the trained part begins with.
pub(crate) struct Frozen {
    model: rten::Model,
    input: rten::NodeId,
    output: rten::NodeId,
    /// What it runs on, for people.
    pub(crate) runtime: String,
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
    /// The whole checkpoint is exported and loaded as a detector first, which shows that what is trained here can be used
    /// there.
    pub(crate) fn load(checkpoint: &Path, config: &Config, cut: Cut, folder: &Path) -> Result<Self> {
        let whole = folder.join("whole.onnx");
        let part = folder.join("frozen.onnx");
        let mut options = Options::default();
        export(checkpoint, &whole, &options, &mut |_| {})?;
        drop(Detector::builder().model(&whole).build()?);
        options.end_at = node(config, cut);
        let name = options.end_at.clone().unwrap_or_default();
        export(checkpoint, &part, &options, &mut |_| {})?;
        let model = rten::Model::load_file(&part).map_err(|error| failed(&error))?;
        let id = |name: &str| model.node_id(name).map_err(|error| failed(&error));
        let (input, output) = (id(INPUT)?, id(&name)?);
        Ok(Self {
            model,
            input,
            output,
            runtime: "rten cpu".to_owned(),
        })
    }

    /// What the graph makes of a window.
    pub(crate) fn run(&mut self, window: &[f32]) -> Result<Vec<f32>> {
        let input = NdTensorView::from_data([1, window.len()], window);
        let mut outputs = self
            .model
            .run(vec![(self.input, input.into())], &[self.output], None)
            .map_err(|error| failed(&error))?;
        let output = outputs.pop().ok_or_else(|| failed(&"it gave no output"))?;
        let output: Tensor<f32> = output.try_into().map_err(|error| failed(&error))?;
        Ok(output.to_vec())
    }
}

fn failed(reason: &dyn std::fmt::Display) -> Error {
    Error::Runtime {
        runtime: "rten",
        reason: reason.to_string(),
    }
}
