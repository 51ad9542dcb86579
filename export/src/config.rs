//! The network's shape, as `config.json` states it.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::activation::Activation;
use crate::{Error, Result};

/// The shape of a wav2vec2, HuBERT or WavLM network, with the field names of Hugging Face's `config.json`.
///
/// What a file leaves out has the value of `facebook/wav2vec2-base`, as in `transformers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Config {
    /// The architecture's name: `wav2vec2`, `hubert` or `wavlm`.
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
    /// Whether adapter layers follow the encoder; not supported.
    pub add_adapter: bool,
    /// Width of the adapters inside the transformer layers; not supported.
    pub adapter_attn_dim: Option<usize>,
    /// HuBERT: whether the features are layer-normalised before they are projected.
    pub feat_proj_layer_norm: bool,
    /// HuBERT: whether a batch norm precedes the positional convolution, which then has no weight norm.
    pub conv_pos_batch_norm: bool,
    /// WavLM: how many buckets the relative positions fall into, half of them for each direction.
    pub num_buckets: usize,
    /// WavLM: from this distance on, in frames, all relative positions share the last bucket.
    pub max_bucket_distance: usize,
    /// Whether the head sees a weighted sum of all hidden states, and not the last alone.
    pub use_weighted_layer_sum: bool,
    /// Whether the last of the hidden states in that sum is the one after the encoder's final layer norm, in networks
    /// with `do_stable_layer_norm`; see [`sums_normed_state`](Self::sums_normed_state).
    pub tie_last_hidden_states: Option<bool>,
    /// The version of `transformers` that wrote the file.
    pub transformers_version: Option<String>,
    /// Width of the linear layer before the mean over time; `None` when the classifier follows the mean directly.
    pub classifier_proj_size: Option<usize>,
    /// The name of each class.
    pub id2label: Option<BTreeMap<usize, String>>,
    /// What the network was trained for; a softmax over the classes must be meant.
    pub problem_type: Option<String>,
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
            adapter_attn_dim: None,
            feat_proj_layer_norm: true,
            conv_pos_batch_norm: false,
            num_buckets: 320,
            max_bucket_distance: 800,
            use_weighted_layer_sum: false,
            tie_last_hidden_states: None,
            transformers_version: None,
            classifier_proj_size: Some(256),
            id2label: None,
            problem_type: None,
        }
    }
}

/// No wav2vec2 comes near these; they keep products of sizes from overflowing.
const MAX_SIZE: usize = 1 << 16;
const MAX_LAYERS: usize = 1 << 10;
/// The most of a JSON file that is read. Those of networks have a few thousand bytes.
const MAX_BYTES: u64 = 16 << 20;

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] when the file can't be read, [`Error::ConfigSyntax`] when it isn't JSON of this form, and
    /// [`Error::Config`] when a field has a value that this exporter doesn't support.
    pub fn read(path: &Path) -> Result<Self> {
        let config: Self = parse(path, &read(path)?)?;
        config.validate()?;
        Ok(config)
    }

    /// These fields, and those that the file states in their place. Not validated.
    pub(crate) fn overlaid(&self, path: &Path) -> Result<Self> {
        let json = read(path)?;
        // First as a whole, for errors that tell the line.
        parse::<Self>(path, &json)?;
        let stated: serde_json::Map<String, Value> = parse(path, &json)?;
        let mut fields = self.fields();
        fields.extend(stated);
        serde_json::from_value(Value::Object(fields)).map_err(|source| Error::ConfigSyntax {
            path: path.to_owned(),
            source,
        })
    }

    /// The fields by name.
    pub(crate) fn fields(&self) -> serde_json::Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            // A struct of numbers and strings is an object.
            _ => serde_json::Map::new(),
        }
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], which names the field, what is supported and what was found.
    pub fn validate(&self) -> Result<()> {
        let family = &self.model_type;
        expect(
            "model_type",
            "\"wav2vec2\", \"hubert\" or \"wavlm\"",
            family,
            ["wav2vec2", "hubert", "wavlm"].contains(&family.as_str()),
        )?;
        for (field, activation) in [
            ("feat_extract_activation", &self.feat_extract_activation),
            ("hidden_act", &self.hidden_act),
        ] {
            let known = Activation::named(activation).is_some();
            expect(field, &Activation::names(), activation, known)?;
        }
        let norm = &self.feat_extract_norm;
        let known = ["group", "layer"].contains(&norm.as_str());
        expect("feat_extract_norm", "\"group\" or \"layer\"", norm, known)?;
        let no_adapter = "false: adapters are not supported";
        expect("add_adapter", no_adapter, &self.add_adapter, !self.add_adapter)?;
        let width = &self.adapter_attn_dim;
        expect(
            "adapter_attn_dim",
            "null: adapters are not supported",
            width,
            width.is_none(),
        )?;
        let problem = &self.problem_type;
        let softmax = problem.as_deref().is_none_or(|p| p == "single_label_classification");
        expect(
            "problem_type",
            "\"single_label_classification\" or null",
            problem,
            softmax,
        )?;

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
            ("max_bucket_distance", self.max_bucket_distance, MAX_SIZE),
            ("classifier_proj_size", self.classifier_proj_size.unwrap_or(1), MAX_SIZE),
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
        // Half of the buckets are for each direction, and half of those for distances of their own; the rest are on a
        // logarithmic scale up to the largest distance.
        let buckets = self.num_buckets;
        let expected = format!(
            "4 to {MAX_SIZE}, and less than 4 times max_bucket_distance {}",
            self.max_bucket_distance
        );
        let fits = (4..=MAX_SIZE).contains(&buckets) && buckets / 4 < self.max_bucket_distance;
        expect("num_buckets", &expected, &buckets, fits)?;
        let eps = self.layer_norm_eps;
        expect(
            "layer_norm_eps",
            "a positive number",
            &eps,
            eps > 0.0 && eps.is_finite(),
        )
    }

    /// With `do_stable_layer_norm` and `use_weighted_layer_sum`: whether the last state in the sum is the one after the
    /// final layer norm.
    ///
    /// `transformers` had it so until 5.15, and sums the last layer's own output since 5.16, unless
    /// `tie_last_hidden_states` says otherwise. Weights go with the version they were trained with, which is taken to be
    /// the one that wrote the file; a file that names none is older.
    #[must_use]
    pub fn sums_normed_state(&self) -> bool {
        let version = self.transformers_version.as_deref().unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        self.tie_last_hidden_states.unwrap_or(version < (5, 16))
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

/// Reads a JSON file, or as much of it as one can be long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut json = Vec::new();
        std::fs::File::open(path)?.take(MAX_BYTES).read_to_end(&mut json)?;
        Ok(json)
    };
    read().map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &Path, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| Error::ConfigSyntax {
        path: path.to_owned(),
        source,
    })
}

/// Refuses a field of `config.json` unless `holds`.
pub(crate) fn expect(field: &'static str, expected: &str, found: &dyn std::fmt::Debug, holds: bool) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::Config {
        file: "config.json",
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
    fn the_last_state_of_the_sum_goes_by_the_version() {
        let normed = |version: Option<&str>, tie: Option<bool>| {
            let config = Config {
                transformers_version: version.map(str::to_owned),
                tie_last_hidden_states: tie,
                ..Config::default()
            };
            config.sums_normed_state()
        };
        for (version, expected) in [
            (None, true),
            (Some("4.57.3"), true),
            (Some("4.9.0.dev0"), true),
            (Some("5.15.0"), true),
            (Some("5.16.0"), false),
            (Some("5.16.0.dev0"), false),
            (Some("6.0"), false),
        ] {
            assert_eq!(normed(version, None), expected, "{version:?}");
            assert!(normed(version, Some(true)) && !normed(version, Some(false)));
        }
    }

    #[test]
    fn unsupported_values_are_named() {
        let config = Config {
            hidden_act: "snake".to_owned(),
            ..Config::default()
        };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("hidden_act") && message.contains("snake"), "{message}");

        let config = Config {
            num_attention_heads: 7,
            ..Config::default()
        };
        let message = config.validate().unwrap_err().to_string();
        assert!(message.contains("divisor of hidden_size 768"), "{message}");
    }
}
