//! The network in plain Rust: slow, exact, and with nothing in common with the graph but the checkpoint's tensors.
//!
//! It computes in `f64` throughout, on one window at a time, and reads the weights of one layer at a time. Values are
//! matrices `[frames, channels]`. It is what `verify` holds an exported graph against, so it takes no shortcut that the
//! exporter takes: weight norms, scales and the order of the classes are worked out here again.

mod attention;
mod functions;
pub(crate) mod lite;
mod tensors;

use std::fmt;

use ndarray::{Array1, Array2, Axis, array, concatenate, s};

use crate::activation::Activation;
use crate::checkpoint::Checkpoint;
use crate::layout::{CLASSES, Recognised};
use crate::{Config, Normalization, Result};
use attention::{Heads, RelativePositions};
use functions::{activate, batch_norm, convolve, group_norm, layer_norm, linear, normalise, softmax};
use tensors::Tensors;

/// Epsilon of PyTorch's norms where the config has no say: the feature extractor's, and the batch norm.
const DEFAULT_EPS: f64 = 1e-5;
/// Epsilon of Hugging Face's `do_normalize`.
const DO_NORMALIZE_EPS: f64 = 1e-7;

/// A place in the network whose values are worth comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The last convolution's output, `[frames, channels]`.
    FeatureExtractor,
    /// What the transformer is as wide as, `[frames, hidden]`.
    Projection,
    /// With the positional convolution's output added, and normalised where the first layer gets it so.
    Positional,
    /// The output of a transformer layer, from 0.
    Layer(usize),
    /// The small network's normalised log power, `[frames, bins]`.
    Spectrogram,
    /// The output of a residual block of the small network, from 0: `[frames, channels · frequencies]`.
    Block(usize),
    /// The mean over time, `[1, hidden]`, or `[1, projected]` where there is a projector; of the small network its mean and
    /// deviation, `[1, 2 · features]`.
    Pooled,
    /// Bona fide and spoof, `[1, 2]`.
    Logits,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FeatureExtractor => f.write_str("feature extractor"),
            Self::Projection => f.write_str("projection"),
            Self::Positional => f.write_str("positional convolution"),
            Self::Layer(index) => write!(f, "encoder layer {index}"),
            Self::Spectrogram => f.write_str("spectrogram"),
            Self::Block(index) => write!(f, "block {index}"),
            Self::Pooled => f.write_str("pooled"),
            Self::Logits => f.write_str("logits"),
        }
    }
}

/// The stages of a network, in order.
pub(crate) fn stages(config: &Config) -> Vec<Stage> {
    let before = [Stage::FeatureExtractor, Stage::Projection, Stage::Positional];
    let layers = (0..config.num_hidden_layers).map(Stage::Layer);
    let after = [Stage::Pooled, Stage::Logits];
    before.into_iter().chain(layers).chain(after).collect()
}

/// Runs the network on a window of samples as they are read from a file, and calls `visit` with each stage's values.
///
/// The window must be long enough for a frame.
///
/// # Errors
///
/// Those of reading a tensor, and those of `visit`.
pub(crate) fn forward(
    checkpoint: &Checkpoint,
    network: &Recognised<'_>,
    window: &[f32],
    visit: &mut dyn FnMut(Stage, &Array2<f64>) -> Result<()>,
) -> Result<()> {
    let forward = Forward {
        tensors: Tensors::new(checkpoint, network),
        config: &network.config,
        spoof_index: network.labels.spoof_index,
    };
    let samples: Vec<f64> = window.iter().copied().map(f64::from).collect();
    let samples = match network.normalization {
        Normalization::None => samples,
        Normalization::ZeroMeanUnitVariance => normalise(samples, DO_NORMALIZE_EPS),
        Normalization::LayerNorm => normalise(samples, DEFAULT_EPS),
    };
    let features = forward.feature_extractor(samples)?;
    visit(Stage::FeatureExtractor, &features)?;
    let projected = forward.projection(features)?;
    visit(Stage::Projection, &projected)?;
    let mut hidden = forward.positional(projected)?;
    visit(Stage::Positional, &hidden)?;

    let mut sum = forward.layer_weights()?;
    let relative = forward.relative_positions(hidden.nrows())?;
    for index in 0..forward.config.num_hidden_layers {
        sum.add(index, &hidden);
        hidden = forward.layer(index, hidden, relative.as_ref())?;
        visit(Stage::Layer(index), &hidden)?;
    }
    let last = forward.after_layers(hidden.clone())?;
    let summed = if forward.config.sums_normed_state() {
        &last
    } else {
        &hidden
    };
    sum.add(forward.config.num_hidden_layers, summed);

    let pooled = forward.pool(sum.finish(last))?;
    visit(Stage::Pooled, &pooled)?;
    let logits = forward.classify(&pooled)?;
    visit(Stage::Logits, &logits)
}

struct Forward<'a> {
    tensors: Tensors<'a>,
    config: &'a Config,
    spoof_index: usize,
}

impl Forward<'_> {
    /// Convolutions over time, each with an activation.
    fn feature_extractor(&self, samples: Vec<f64>) -> Result<Array2<f64>> {
        let config = self.config;
        let activation = self.activation(&config.feat_extract_activation);
        let mut x = Array1::from_vec(samples).insert_axis(Axis(1));
        for (i, ((&channels, &kernel), &stride)) in
            (config.conv_dim.iter().zip(&config.conv_kernel).zip(&config.conv_stride)).enumerate()
        {
            let layer = format!("feature_extractor.conv_layers.{i}");
            let weight = self
                .tensors
                .kernel(&format!("{layer}.conv.weight"), [channels, x.ncols(), kernel])?;
            x = convolve(&x.view(), &weight.view(), stride);
            if config.conv_bias {
                x += &self.tensors.vector(&format!("{layer}.conv.bias"), channels)?;
            }
            let per_layer = config.feat_extract_norm == "layer";
            if per_layer || i == 0 {
                let [scale, bias] = self.tensors.affine(&format!("{layer}.layer_norm"), channels)?;
                // The group norm has as many groups as channels.
                if per_layer {
                    layer_norm(&mut x, &scale, &bias, DEFAULT_EPS);
                } else {
                    group_norm(&mut x, &scale, &bias, DEFAULT_EPS);
                }
            }
            activate(&mut x, activation);
        }
        Ok(x)
    }

    fn projection(&self, mut features: Array2<f64>) -> Result<Array2<f64>> {
        if self.config.feat_proj_layer_norm {
            self.norm("feature_projection.layer_norm", &mut features)?;
        }
        self.linear("feature_projection.projection", &features, self.config.hidden_size)
    }

    /// Adds a convolution of the frames to them.
    fn positional(&self, hidden: Array2<f64>) -> Result<Array2<f64>> {
        let config = self.config;
        let (frames, size, kernel) = (hidden.nrows(), config.hidden_size, config.num_conv_pos_embeddings);
        let name = "encoder.pos_conv_embed";
        let mut input = hidden.clone();
        if config.conv_pos_batch_norm {
            let norm = format!("{name}.batch_norm");
            let [scale, bias] = self.tensors.affine(&norm, size)?;
            let mean = self.tensors.vector(&format!("{norm}.running_mean"), size)?;
            let variance = self.tensors.vector(&format!("{norm}.running_var"), size)?;
            batch_norm(&mut input, &mean, &variance, &scale, &bias, DEFAULT_EPS);
        }

        // Half a kernel of zeros on both sides. An even kernel then gives a frame too many, and the last is dropped.
        let padding = Array2::zeros((kernel / 2, size));
        let padded = concatenate![Axis(0), padding, input, padding];
        let width = size / config.num_conv_pos_embedding_groups;
        let weight = self
            .tensors
            .kernel(&format!("{name}.conv.weight"), [size, width, kernel])?;
        let mut convolved = Array2::zeros((frames, size));
        for start in (0..size).step_by(width) {
            let group = start..start + width;
            let part = convolve(
                &padded.slice(s![.., group.clone()]),
                &weight.slice(s![group.clone(), .., ..]),
                1,
            );
            convolved.slice_mut(s![.., group]).assign(&part.slice(s![..frames, ..]));
        }
        convolved += &self.tensors.vector(&format!("{name}.conv.bias"), size)?;
        activate(&mut convolved, self.activation(&config.feat_extract_activation));

        let mut sum = hidden + convolved;
        if !config.do_stable_layer_norm {
            self.norm("encoder.layer_norm", &mut sum)?;
        }
        Ok(sum)
    }

    /// A transformer layer: self-attention, then two linear layers, each added to what it was given. Layer norms follow
    /// the two sums or, in a stable network, precede the two parts.
    fn layer(&self, index: usize, hidden: Array2<f64>, relative: Option<&RelativePositions>) -> Result<Array2<f64>> {
        let layer = format!("encoder.layers.{index}");
        let (first, second) = (format!("{layer}.layer_norm"), format!("{layer}.final_layer_norm"));
        if self.config.do_stable_layer_norm {
            let mut x = hidden.clone();
            self.norm(&first, &mut x)?;
            let hidden = hidden + self.attention(&layer, &x, relative)?;
            let mut x = hidden.clone();
            self.norm(&second, &mut x)?;
            Ok(hidden + self.feed_forward(&layer, &x)?)
        } else {
            let mut hidden = self.attention(&layer, &hidden, relative)? + hidden;
            self.norm(&first, &mut hidden)?;
            let mut hidden = self.feed_forward(&layer, &hidden)? + hidden;
            self.norm(&second, &mut hidden)?;
            Ok(hidden)
        }
    }

    fn attention(
        &self,
        layer: &str,
        hidden: &Array2<f64>,
        relative: Option<&RelativePositions>,
    ) -> Result<Array2<f64>> {
        let name = format!("{layer}.attention");
        let size = self.config.hidden_size;
        let [query, key, value] = ["q", "k", "v"].map(|part| self.linear(&format!("{name}.{part}_proj"), hidden, size));
        let heads = Heads(self.config.num_attention_heads);
        let gates = relative.map(|_| self.gates(&name, hidden, heads)).transpose()?;
        let bias = relative.zip(gates.as_ref());
        let context = heads.attend(&query?, &key?, &value?, bias);
        self.linear(&format!("{name}.out_proj"), &context, size)
    }

    /// WavLM: how much each frame of each head heeds the relative positions, `[frames, heads]`.
    fn gates(&self, attention: &str, hidden: &Array2<f64>, heads: Heads) -> Result<Array2<f64>> {
        let name = format!("{attention}.gru_rel_pos_linear");
        let weight = self
            .tensors
            .matrix(&format!("{name}.weight"), [8, self.config.hidden_size / heads.0])?;
        let bias = self.tensors.vector(&format!("{name}.bias"), 8)?;
        let scale = self
            .tensors
            .flat(&format!("{attention}.gru_rel_pos_const"), &[1, heads.0, 1, 1])?;
        Ok(heads.gates(hidden, &weight, &bias, &scale))
    }

    fn feed_forward(&self, layer: &str, x: &Array2<f64>) -> Result<Array2<f64>> {
        let name = format!("{layer}.feed_forward");
        let inner = self.config.intermediate_size;
        let mut x = self.linear(&format!("{name}.intermediate_dense"), x, inner)?;
        activate(&mut x, self.activation(&self.config.hidden_act));
        self.linear(&format!("{name}.output_dense"), &x, self.config.hidden_size)
    }

    /// A stable network's last layer norm.
    fn after_layers(&self, mut hidden: Array2<f64>) -> Result<Array2<f64>> {
        if self.config.do_stable_layer_norm {
            self.norm("encoder.layer_norm", &mut hidden)?;
        }
        Ok(hidden)
    }

    /// The mean over time, of the projector's output where there is one.
    fn pool(&self, hidden: Array2<f64>) -> Result<Array2<f64>> {
        let hidden = match self.config.classifier_proj_size {
            Some(size) => self.linear("projector", &hidden, size)?,
            None => hidden,
        };
        let frames = hidden.nrows() as f64;
        Ok((hidden.sum_axis(Axis(0)) / frames).insert_axis(Axis(0)))
    }

    /// Bona fide and spoof, in this order.
    fn classify(&self, pooled: &Array2<f64>) -> Result<Array2<f64>> {
        let logits = self.linear("classifier", pooled, CLASSES)?;
        let spoof = logits[[0, self.spoof_index]];
        let bonafide = logits[[0, 1 - self.spoof_index]];
        Ok(array![[bonafide, spoof]])
    }

    /// WavLM's, which the first layer has for all.
    fn relative_positions(&self, frames: usize) -> Result<Option<RelativePositions>> {
        let config = self.config;
        if config.model_type != "wavlm" {
            return Ok(None);
        }
        let name = "encoder.layers.0.attention.rel_attn_embed.weight";
        let embedding = self
            .tensors
            .matrix(name, [config.num_buckets, config.num_attention_heads])?;
        Ok(Some(RelativePositions::new(
            &embedding,
            config.max_bucket_distance,
            frames,
        )))
    }

    fn layer_weights(&self) -> Result<LayerSum> {
        if !self.config.use_weighted_layer_sum {
            return Ok(LayerSum::default());
        }
        let mut weights = self
            .tensors
            .vector("layer_weights", self.config.num_hidden_layers + 1)?;
        softmax(weights.view_mut());
        Ok(LayerSum {
            weights: Some(weights),
            sum: None,
        })
    }

    fn linear(&self, name: &str, x: &Array2<f64>, outputs: usize) -> Result<Array2<f64>> {
        let weight = self.tensors.matrix(&format!("{name}.weight"), [outputs, x.ncols()])?;
        let bias = self.tensors.vector(&format!("{name}.bias"), outputs)?;
        Ok(linear(x, &weight, &bias))
    }

    fn norm(&self, name: &str, x: &mut Array2<f64>) -> Result<()> {
        let [scale, bias] = self.tensors.affine(name, x.ncols())?;
        layer_norm(x, &scale, &bias, f64::from(self.config.layer_norm_eps));
        Ok(())
    }

    fn activation(&self, name: &str) -> Activation {
        // The config has been validated.
        Activation::named(name).unwrap_or(Activation::Gelu)
    }
}

/// The sum of all hidden states, each times its weight; or nothing, where the head sees the last alone.
#[derive(Default)]
struct LayerSum {
    weights: Option<Array1<f64>>,
    sum: Option<Array2<f64>>,
}

impl LayerSum {
    fn add(&mut self, index: usize, hidden: &Array2<f64>) {
        if let Some(weights) = &self.weights {
            let weighted = hidden * weights[index];
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + weighted,
                None => weighted,
            });
        }
    }

    fn finish(self, last: Array2<f64>) -> Array2<f64> {
        self.sum.unwrap_or(last)
    }
}

#[cfg(test)]
mod tests;
