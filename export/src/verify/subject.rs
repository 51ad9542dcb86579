//! What is verified: the network of a checkpoint, of either kind.

use ndarray::Array2;

use crate::checkpoint::Checkpoint;
use crate::forward::{self, Stage};
use crate::layout::{Recognised, recognise};
use crate::{Config, Error, Layout, LiteConfig, Options, Result, lite};

pub(super) enum Subject<'a> {
    Wav2vec2(Box<Recognised<'a>>),
    Lite(Box<LiteConfig>),
}

impl<'a> Subject<'a> {
    pub(super) fn find(checkpoint: &'a Checkpoint, options: &Options) -> Result<Self> {
        Ok(match lite::find(checkpoint, options.config.as_deref())? {
            Some(config) => Self::Lite(Box::new(config)),
            None => Self::Wav2vec2(Box::new(recognise(checkpoint, options)?)),
        })
    }

    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::Wav2vec2(network) => network.layout,
            Self::Lite(_) => Layout::Lite,
        }
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        match self {
            Self::Wav2vec2(network) => forward::stages(&network.config),
            Self::Lite(config) => forward::lite::stages(config),
        }
    }

    /// Checks that the network takes windows of so many samples.
    pub(super) fn check_window(&self, samples: usize) -> Result<()> {
        let expected = match self {
            Self::Wav2vec2(network) if network.config.frames(samples) == 0 => {
                format!("at least {} samples", network.config.receptive_field())
            }
            Self::Lite(config) if config.window_samples != samples => format!("{} samples", config.window_samples),
            _ => return Ok(()),
        };
        Err(Error::Window {
            found: samples,
            expected,
        })
    }

    /// Runs the network in plain Rust.
    pub(super) fn forward(
        &self,
        checkpoint: &Checkpoint,
        window: &[f32],
        visit: &mut dyn FnMut(Stage, &Array2<f64>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Wav2vec2(network) => forward::forward(checkpoint, network, window, visit),
            Self::Lite(config) => forward::lite::forward(checkpoint, config, window, visit),
        }
    }

    /// The name under which the graph has a stage's values: they are named after the checkpoint's modules.
    pub(super) fn value_name(&self, stage: Stage, output: &str) -> String {
        match self {
            Self::Wav2vec2(network) => of_wav2vec2(stage, &network.config, output),
            Self::Lite(config) => match stage {
                Stage::Spectrogram => "bands".to_owned(),
                Stage::Block(index) => config.blocks().swap_remove(index).name,
                Stage::Pooled => "pool".to_owned(),
                _ => output.to_owned(),
            },
        }
    }
}

fn of_wav2vec2(stage: Stage, config: &Config, output: &str) -> String {
    let stable = config.do_stable_layer_norm;
    let encoder = "backbone.encoder";
    match stage {
        Stage::FeatureExtractor => {
            let last = config.conv_dim.len().saturating_sub(1);
            format!("backbone.feature_extractor.conv_layers.{last}.activation")
        }
        Stage::Projection => "backbone.feature_projection.projection".to_owned(),
        Stage::Positional if stable => format!("{encoder}.pos_conv_embed.add"),
        Stage::Positional => format!("{encoder}.layer_norm"),
        Stage::Layer(index) if stable => format!("{encoder}.layers.{index}.feed_forward.add"),
        Stage::Layer(index) => format!("{encoder}.layers.{index}.final_layer_norm"),
        // The mean of a linear layer's output is its output for the mean.
        Stage::Pooled if config.classifier_proj_size.is_some() => "projector".to_owned(),
        Stage::Pooled => "classifier.mean".to_owned(),
        // Of the small network are the others.
        Stage::Logits | Stage::Spectrogram | Stage::Block(_) => output.to_owned(),
    }
}
