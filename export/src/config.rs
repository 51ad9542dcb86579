//! The network's shape, as `config.json` states it.

use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// The shape of a wav2vec2 network, with the field names of Hugging Face's `config.json`.
///
/// What a file leaves out has the value of `facebook/wav2vec2-base`, as in `transformers`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Config {
    /// The architecture's name; only `wav2vec2` is supported.
    pub model_type: String,
    /// Channels of each convolution of the feature extractor.
    pub conv_dim: Vec<usize>,
    /// Kernel size of each convolution, in its input's frames.
    pub conv_kernel: Vec<usize>,
    /// Stride of each convolution, in its input's frames.
    pub conv_stride: Vec<usize>,
    /// Whether the convolutions have a bias.
    pub conv_bias: bool,
    /// `group`: one group norm after the first convolution; `layer`: a layer norm after each.
    pub feat_extract_norm: String,
    /// The activation after each convolution.
    pub feat_extract_activation: String,
    /// Width of the transformer.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads per layer; they divide `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward part of a layer.
    pub intermediate_size: usize,
    /// The activation of the feed-forward part.
    pub hidden_act: String,
    /// Epsilon of the layer norms.
    pub layer_norm_eps: f32,
    /// Kernel size of the positional convolution, in frames.
    pub num_conv_pos_embeddings: usize,
    /// Groups of the positional convolution; they divide `hidden_size`.
    pub num_conv_pos_embedding_groups: usize,
    /// `true`: layer norm before each part of a layer (large models); `false`: after it.
    pub do_stable_layer_norm: bool,
    /// Whether adapter layers follow the encoder.
    pub add_adapter: bool,
}

impl Default for Config {
    /// `facebook/wav2vec2-base`.
    fn default() -> Self {
        Self {
            model_type: "wav2vec2".to_owned(),
            conv_dim: vec![512; 7],
            conv_kernel: vec![10, 3, 3, 3, 3, 2, 2],
            conv_stride: vec![5, 2, 2, 2, 2, 2, 2],
            conv_bias: false,
            feat_extract_norm: "group".to_owned(),
            feat_extract_activation: "gelu".to_owned(),
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".to_owned(),
            layer_norm_eps: 1e-5,
            num_conv_pos_embeddings: 128,
            num_conv_pos_embedding_groups: 16,
            do_stable_layer_norm: false,
            add_adapter: false,
        }
    }
}

/// No wav2vec2 comes near these; they keep products of sizes from overflowing.
const MAX_SIZE: usize = 1 << 16;
const MAX_LAYERS: usize = 1 << 10;

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the file can't be read, [`Error::ConfigSyntax`] when it isn't JSON of this form, and
    /// [`Error::Config`] when a field has a value that this exporter doesn't support.
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read(path).map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = serde_json::from_slice(&json).map_err(|source| Error::ConfigSyntax {
            path: path.to_owned(),
            source,
        })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], which names the field, what is supported and what was found.
    pub fn validate(&self) -> Result<()> {
        expect(
            "model_type",
            "\"wav2vec2\"",
            &self.model_type,
            self.model_type == "wav2vec2",
        )?;
        for (field, activation) in [
            ("feat_extract_activation", &self.feat_extract_activation),
            ("hidden_act", &self.hidden_act),
        ] {
            expect(field, "\"gelu\"", activation, activation == "gelu")?;
        }
        let norm = &self.feat_extract_norm;
        expect("feat_extract_norm", "\"group\"", norm, norm == "group")?;
        for (field, value) in [
            ("conv_bias", self.conv_bias),
            ("do_stable_layer_norm", self.do_stable_layer_norm),
            ("add_adapter", self.add_adapter),
        ] {
            expect(field, "false", &value, !value)?;
        }

        let convolutions = self.conv_dim.len();
        expect("conv_dim", "at least one convolution", &self.conv_dim, convolutions > 0)?;
        for (field, list) in [
            ("conv_dim", &self.conv_dim),
            ("conv_kernel", &self.conv_kernel),
            ("conv_stride", &self.conv_stride),
        ] {
            let expected = format!("{convolutions} entries from 1 to {MAX_SIZE}, one per convolution");
            let holds = list.len() == convolutions && list.iter().all(|n| (1..=MAX_SIZE).contains(n));
            expect(field, &expected, list, holds)?;
        }
        for (field, size, most) in [
            ("hidden_size", self.hidden_size, MAX_SIZE),
            ("num_hidden_layers", self.num_hidden_layers, MAX_LAYERS),
            ("num_attention_heads", self.num_attention_heads, MAX_SIZE),
            ("intermediate_size", self.intermediate_size, MAX_SIZE),
            ("num_conv_pos_embeddings", self.num_conv_pos_embeddings, MAX_SIZE),
            (
                "num_conv_pos_embedding_groups",
                self.num_conv_pos_embedding_groups,
                MAX_SIZE,
            ),
        ] {
            expect(field, &format!("1 to {most}"), &size, (1..=most).contains(&size))?;
        }
        for (field, divisor) in [
            ("num_attention_heads", self.num_attention_heads),
            ("num_conv_pos_embedding_groups", self.num_conv_pos_embedding_groups),
        ] {
            let expected = format!("a divisor of hidden_size {}", self.hidden_size);
            expect(field, &expected, &divisor, self.hidden_size.is_multiple_of(divisor))?;
        }
        let eps = self.layer_norm_eps;
        expect(
            "layer_norm_eps",
            "a positive number",
            &eps,
            eps > 0.0 && eps.is_finite(),
        )
    }

    /// The number of frames that the feature extractor makes of `samples` samples; 0 when they are too few for one.
    #[must_use]
    pub fn frames(&self, samples: usize) -> usize {
        self.conv_kernel
            .iter()
            .zip(&self.conv_stride)
            .fold(samples, |frames, (kernel, stride)| {
                frames.checked_sub(*kernel).map_or(0, |rest| rest / stride + 1)
            })
    }

    /// The fewest samples that make a frame: 400 for base, 25 ms.
    #[must_use]
    pub fn receptive_field(&self) -> usize {
        let layers = self.conv_kernel.iter().zip(&self.conv_stride).rev();
        layers.fold(1_usize, |frames, (kernel, stride)| {
            (frames - 1).saturating_mul(*stride).saturating_add(*kernel)
        })
    }
}

fn expect(field: &'static str, expected: &str, found: &dyn std::fmt::Debug, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Config {
        field,
        expected: expected.to_owned(),
        found: format!("{found:?}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_makes_199_frames_of_a_window() {
        let base = Config::default();
        assert_eq!(base.frames(64_000), 199);
        assert_eq!(base.frames(400), 1);
        assert_eq!(base.frames(399), 0);
        assert_eq!(base.frames(0), 0);
        assert_eq!(base.receptive_field(), 400);
    }

    #[test]
    fn unsupported_values_are_named() {
        let config = Config {
            hidden_act: "relu".to_owned(),
            ..Config::default()
        };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("hidden_act") && message.contains("relu"), "{message}");

        let config = Config {
            num_attention_heads: 7,
            ..Config::default()
        };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("divisor of hidden_size 768"), "{message}");
    }
}
