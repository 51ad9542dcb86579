//! The networks that can be trained: their parameters by name, and the way from a window to its two logits.

mod lite;
mod wav2vec2;
mod weights;

use std::path::Path;

use bonafide_export::LiteConfig;
use candle_core::Tensor;
use rand_chacha::ChaCha8Rng;
pub(crate) use weights::Measured;
use weights::Parameter;
pub use weights::{Pass, Weights};

use crate::{Error, Result};

/// The two classes, bona fide first.
pub(crate) const CLASSES: usize = 2;

/// A network's shape.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Network {
    /// wav2vec2 with the mean over time and one linear layer.
    Wav2vec2(Box<bonafide_export::Config>),
    /// The small spectral network.
    Lite(LiteConfig),
}

/// Where a forward pass begins, as the part of the network below it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// At the window, `[batch, samples]`: nothing is left out.
    Waveform,
    /// At the sum of features and positions, `[batch, frames, hidden]`, before the encoder's layer norm.
    Positions,
    /// At the output of so many transformer layers, `[batch, frames, hidden]`.
    Layers(usize),
    /// At the mean over time, `[batch, hidden]`: only the head is left.
    Pooled,
}

impl Network {
    /// Transformer layers that stage 2 trains.
    pub(crate) const TOP_LAYERS: usize = 2;

    /// Whether a parameter is the head's.
    pub(crate) fn is_head(name: &str) -> bool {
        wav2vec2::is_head(name)
    }

    /// Whether a parameter is the encoder's layer norm's.
    pub(crate) fn is_encoder_norm(name: &str) -> bool {
        wav2vec2::is_encoder_norm(name)
    }

    /// Whether stage 2 trains a parameter.
    pub(crate) fn is_top(config: &bonafide_export::Config, name: &str) -> bool {
        wav2vec2::is_top(config, Self::TOP_LAYERS, name)
    }

    /// The network that a `config.json` describes, and the file's contents.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::Format`], [`Error::Config`], [`Error::Export`].
    pub fn read(path: &Path) -> Result<(Self, serde_json::Value)> {
        let text = std::fs::read(path).map_err(Error::read(path))?;
        let format = |error: serde_json::Error| Error::Format {
            path: path.to_owned(),
            fault: error.to_string(),
        };
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(format)?;
        let network = match value.get("model_type").and_then(serde_json::Value::as_str) {
            Some(lite::MODEL_TYPE) => {
                let config: LiteConfig = serde_json::from_value(value.clone()).map_err(format)?;
                config.validate()?;
                Self::Lite(config)
            }
            _ => Self::Wav2vec2(Box::new(bonafide_export::Config::read(path)?)),
        };
        Ok((network, value))
    }

    /// Its parameters: name, shape and how they begin.
    pub(crate) fn parameters(&self) -> Vec<Parameter> {
        match self {
            Self::Wav2vec2(config) => wav2vec2::parameters(config),
            Self::Lite(config) => lite::parameters(config),
        }
    }

    /// New weights, all of them trained.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if there is no memory for them.
    pub fn begin(&self, rng: &mut ChaCha8Rng) -> Result<Weights> {
        Weights::begin(&self.parameters(), rng)
    }

    /// The two logits of each window of a batch that enters at `cut`: `[batch, 2]`, bona fide first.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if the batch has another shape than the cut's.
    pub fn logits(&self, pass: &Pass<'_>, batch: &Tensor, cut: Cut) -> Result<Tensor> {
        let logits = match self {
            Self::Wav2vec2(config) => wav2vec2::logits(config, pass, batch, cut),
            Self::Lite(config) => lite::logits(config, pass, batch),
        };
        Ok(logits?)
    }

    /// The samples of a window.
    #[must_use]
    pub fn window_samples(&self) -> usize {
        match self {
            Self::Wav2vec2(_) => 64_000,
            Self::Lite(config) => config.window_samples,
        }
    }
}
