//! The wav2vec2, HuBERT or WavLM network with a mean-pooled linear head, as an ONNX graph.
//!
//! Everything that depends on weights alone is folded here, so that no runtime has to: the positional convolution's
//! weight norm or batch norm, the scaling of the queries, the transposes of the linear layers, the softmax over the
//! layers' weights, and WavLM's table of position biases.

use std::collections::BTreeSet;

use crate::activation::Activation;
use crate::layout::{CLASSES, Recognised};
use crate::names::POSITIONAL_KERNEL;
use crate::onnx::{Attribute, Dimension, Graph};
use crate::preprocessor::Normalization;
use crate::{Config, Error, Result, wavlm};

/// Epsilon of the norms in the feature extractor, of HuBERT's batch norm, and of AntiDeepfake's layer norm over the
/// samples. They are left at PyTorch's default whatever the config says.
const DEFAULT_EPS: f32 = 1e-5;
/// Most numbers in WavLM's table of position biases, 256 MiB.
const MAX_POSITION_BIASES: usize = 1 << 26;
/// What precedes the canonical names of the backbone's tensors and layers in the graph.
const BACKBONE: &str = "backbone.";

/// The graph's input and output, which callers feed and read by these names.
pub(crate) const INPUT: &str = "waveform";
pub(crate) const OUTPUT: &str = "logits";

/// A window may be at most this long, 10 minutes at 16 kHz: attention takes memory with its square.
const MAX_WINDOW: usize = 600 * 16_000;

/// Builds the graph `waveform [batch, window_samples]` → `logits [batch, 2]`.
///
/// Every tensor of the checkpoint must be one of the network's and have its shape.
pub(crate) fn build<'a>(checkpoint: &'a Recognised<'a>, window_samples: usize, batch: &Dimension) -> Result<Graph<'a>> {
    let config = &checkpoint.config;
    let frames = config.frames(window_samples);
    if frames == 0 || window_samples > MAX_WINDOW {
        return Err(Error::Window {
            found: window_samples,
            expected: format!("{} to {MAX_WINDOW} samples", config.receptive_field()),
        });
    }
    let mut network = Network {
        checkpoint,
        config,
        window_samples,
        graph: Graph::default(),
        used: BTreeSet::new(),
    };
    let waveform = network
        .graph
        .input(INPUT, &[batch.clone(), Dimension::Fixed(window_samples)]);
    let features = network.feature_extractor(&waveform)?;
    let projected = network.feature_projection(&features)?;
    let hidden = network.encoder(&projected, frames)?;
    network.head(&hidden)?;
    network
        .graph
        .output(OUTPUT, &[batch.clone(), Dimension::Fixed(CLASSES)]);
    checkpoint.refuse_unused(|name| network.used.contains(name))?;
    Ok(network.graph)
}

struct Network<'a> {
    checkpoint: &'a Recognised<'a>,
    config: &'a Config,
    window_samples: usize,
    graph: Graph<'a>,
    /// The checkpoint's tensors that the graph has taken up.
    used: BTreeSet<&'a str>,
}

impl<'a> Network<'a> {
    /// Convolutions over time: `[batch, samples]` → `[batch, channels, frames]`.
    fn feature_extractor(&mut self, waveform: &str) -> Result<String> {
        let config = self.config;
        let axis = self.graph.integers("axis_1", &[1]);
        let mut x = self.node("Unsqueeze", "backbone.feature_extractor.unsqueeze", &[waveform, &axis]);
        if self.checkpoint.normalization == Normalization::LayerNorm {
            x = self.sample_norm(&x);
        }
        let layer_norms = config.feat_extract_norm == "layer";
        let mut channels_in = 1;
        for (i, ((&channels, &kernel), &stride)) in
            (config.conv_dim.iter().zip(&config.conv_kernel).zip(&config.conv_stride)).enumerate()
        {
            let layer = format!("backbone.feature_extractor.conv_layers.{i}");
            let weight = self.weight(&format!("{layer}.conv.weight"), &[channels, channels_in, kernel])?;
            let mut inputs = vec![x, weight];
            if config.conv_bias {
                inputs.push(self.weight(&format!("{layer}.conv.bias"), &[channels])?);
            }
            x = self.graph.node(
                "Conv",
                format!("{layer}.conv"),
                &inputs.iter().map(String::as_str).collect::<Vec<_>>(),
                &[
                    ("kernel_shape", Attribute::Ints(vec![kernel as i64])),
                    ("strides", Attribute::Ints(vec![stride as i64])),
                ],
            );
            if layer_norms {
                let name = format!("{layer}.layer_norm");
                x = self.transpose(&format!("{name}.transpose_in"), &x, &[0, 2, 1]);
                x = self.layer_norm(&name, &x, channels, DEFAULT_EPS)?;
                x = self.transpose(&format!("{name}.transpose_out"), &x, &[0, 2, 1]);
            } else if i == 0 {
                // As many groups as channels: each channel is normalised over time, which is an instance norm.
                let scale = self.weight(&format!("{layer}.layer_norm.weight"), &[channels])?;
                let bias = self.weight(&format!("{layer}.layer_norm.bias"), &[channels])?;
                x = self.graph.node(
                    "InstanceNormalization",
                    format!("{layer}.layer_norm"),
                    &[&x, &scale, &bias],
                    &[("epsilon", Attribute::Float(DEFAULT_EPS))],
                );
            }
            x = self.activation(&config.feat_extract_activation, &format!("{layer}.activation"), &x);
            channels_in = channels;
        }
        Ok(x)
    }

    /// A layer norm over all samples of a window, `[batch, 1, samples]`, without weights: an instance norm of the one
    /// channel.
    fn sample_norm(&mut self, x: &str) -> String {
        let name = "waveform.layer_norm";
        let scale = self.graph.weight(format!("{name}.weight"), vec![1], || Ok(vec![1.0]));
        let bias = self.graph.weight(format!("{name}.bias"), vec![1], || Ok(vec![0.0]));
        self.graph.node(
            "InstanceNormalization",
            name,
            &[x, &scale, &bias],
            &[("epsilon", Attribute::Float(DEFAULT_EPS))],
        )
    }

    /// `[batch, channels, frames]` → `[batch, frames, hidden]`.
    fn feature_projection(&mut self, features: &str) -> Result<String> {
        let channels = self.config.conv_dim[self.config.conv_dim.len() - 1];
        let mut x = self.transpose("backbone.feature_projection.transpose", features, &[0, 2, 1]);
        if self.config.feat_proj_layer_norm {
            let eps = self.config.layer_norm_eps;
            x = self.layer_norm("backbone.feature_projection.layer_norm", &x, channels, eps)?;
        }
        let hidden = self.config.hidden_size;
        self.linear("backbone.feature_projection.projection", &x, channels, hidden, 1.0)
    }

    /// Positions, then the transformer: the shape stays `[batch, frames, hidden]`.
    fn encoder(&mut self, projected: &str, frames: usize) -> Result<String> {
        let config = self.config;
        let (size, eps) = (config.hidden_size, config.layer_norm_eps);
        let norm = "backbone.encoder.layer_norm";
        let mut hidden = self.positional_encoding(projected, frames)?;
        // Either each layer ends in a norm, and so does what they start from, or each begins with one, and one follows
        // the last.
        if !config.do_stable_layer_norm {
            hidden = self.layer_norm(norm, &hidden, size, eps)?;
        }
        let position_bias = match config.model_type.as_str() {
            "wavlm" => Some(self.position_bias(frames)?),
            _ => None,
        };
        let mut states = vec![hidden.clone()];
        for layer in 0..config.num_hidden_layers {
            hidden = self.transformer_layer(&hidden, layer, position_bias.as_deref())?;
            states.push(hidden.clone());
        }
        if config.do_stable_layer_norm && config.use_weighted_layer_sum && !config.sums_normed_state() {
            // The checkpoint has the final norm, and the sum has no place for it.
            self.take(&format!("{norm}.weight"), &[size])?;
            self.take(&format!("{norm}.bias"), &[size])?;
        } else if config.do_stable_layer_norm {
            hidden = self.layer_norm(norm, &hidden, size, eps)?;
            states[config.num_hidden_layers].clone_from(&hidden);
        }
        if config.use_weighted_layer_sum {
            hidden = self.weighted_sum(&states)?;
        }
        Ok(hidden)
    }

    /// The sum of the states, weighted by the softmax of `layer_weights`.
    fn weighted_sum(&mut self, states: &[String]) -> Result<String> {
        let count = states.len();
        let mut sum: Option<String> = None;
        for (i, state) in states.iter().enumerate() {
            let softmax = move |weights: Vec<f32>| {
                let most = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let exponential = |weight: f32| f64::from(weight - most).exp();
                let all: f64 = weights.iter().map(|&weight| exponential(weight)).sum();
                vec![(exponential(weights[i]) / all) as f32]
            };
            let name = format!("layer_weights.{i}");
            let weight = self.derived(&name, "layer_weights", &[count], vec![1], softmax)?;
            let term = self.node("Mul", format!("{name}.mul"), &[state, &weight]);
            sum = Some(match sum {
                None => term,
                Some(sum) => self.node("Add", format!("{name}.add"), &[&sum, &term]),
            });
        }
        Ok(sum.unwrap_or_default())
    }

    /// Adds a convolution of the input to it: the shape stays `[batch, frames, hidden]`.
    fn positional_encoding(&mut self, hidden: &str, frames: usize) -> Result<String> {
        let kernel = self.config.num_conv_pos_embeddings;
        let groups = self.config.num_conv_pos_embedding_groups;
        let size = self.config.hidden_size;
        let encoder = "backbone.encoder";
        let name = format!("{encoder}.pos_conv_embed");

        let weight = self.weight(
            &format!("{BACKBONE}{POSITIONAL_KERNEL}"),
            &[size, size / groups, kernel],
        )?;
        let bias = self.weight(&format!("{name}.conv.bias"), &[size])?;
        // PyTorch pads kernel / 2 frames on both sides and, as an even kernel then yields one frame too many, drops
        // the last: the same as one frame less padding at the end.
        let before = kernel / 2;
        let after = if kernel.is_multiple_of(2) { before - 1 } else { before };
        debug_assert_eq!(frames + before + after + 1 - kernel, frames);
        let mut x = hidden.to_owned();
        if self.config.conv_pos_batch_norm {
            x = self.batch_norm(&format!("{name}.batch_norm"), &x, size)?;
        }
        let x = self.transpose(&format!("{name}.transpose_in"), &x, &[0, 2, 1]);
        let x = self.graph.node(
            "Conv",
            format!("{name}.conv"),
            &[&x, &weight, &bias],
            &[
                ("group", Attribute::Int(groups as i64)),
                ("kernel_shape", Attribute::Ints(vec![kernel as i64])),
                ("pads", Attribute::Ints(vec![before as i64, after as i64])),
            ],
        );
        let x = self.activation(&self.config.feat_extract_activation, &format!("{name}.activation"), &x);
        let x = self.transpose(&format!("{name}.transpose_out"), &x, &[0, 2, 1]);
        Ok(self.node("Add", format!("{name}.add"), &[hidden, &x]))
    }

    /// A batch norm with the statistics of its training, `[batch, frames, size]`: a scale and a shift of each channel.
    /// They can't go into the convolution that follows, which pads with zeros after the shift.
    fn batch_norm(&mut self, name: &str, x: &str, size: usize) -> Result<String> {
        let [weight, bias, mean, variance] =
            ["weight", "bias", "running_mean", "running_var"].map(|part| format!("{name}.{part}"));
        let mut parts = Vec::new();
        for part in [weight, bias, mean, variance] {
            parts.push(self.take(&part, &[size])?);
        }
        let checkpoint = self.checkpoint;
        // `(x − mean) / √(variance + ε) · weight + bias`, as scales and shifts.
        let affine = move || -> Result<Vec<(f32, f32)>> {
            let mut channels = Vec::with_capacity(size);
            let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|i| checkpoint.read_f32(&parts[i]));
            let pairs = weight?.into_iter().zip(bias?);
            for ((weight, bias), (mean, variance)) in pairs.zip(mean?.into_iter().zip(variance?)) {
                let scale = f64::from(weight) / (f64::from(variance) + f64::from(DEFAULT_EPS)).sqrt();
                channels.push((scale as f32, (f64::from(bias) - f64::from(mean) * scale) as f32));
            }
            Ok(channels)
        };
        let affine = std::rc::Rc::new(affine);
        let (scales, shifts) = (affine.clone(), affine);
        let scale = self.graph.weight(format!("{name}.scale"), vec![size], move || {
            Ok(scales()?.into_iter().map(|(scale, _)| scale).collect())
        });
        let shift = self.graph.weight(format!("{name}.shift"), vec![size], move || {
            Ok(shifts()?.into_iter().map(|(_, shift)| shift).collect())
        });
        let x = self.node("Mul", format!("{name}.mul"), &[x, &scale]);
        Ok(self.node("Add", name, &[&x, &shift]))
    }

    /// One transformer layer: self-attention, then a feed-forward part, each with a residual connection and a layer
    /// norm, after the connection or, in stable networks, before the part.
    fn transformer_layer(&mut self, hidden: &str, index: usize, position_bias: Option<&str>) -> Result<String> {
        let config = self.config;
        let (size, eps, stable) = (config.hidden_size, config.layer_norm_eps, config.do_stable_layer_norm);
        let layer = format!("backbone.encoder.layers.{index}");
        let norm = format!("{layer}.layer_norm");
        let final_norm = format!("{layer}.final_layer_norm");
        if stable {
            let x = self.layer_norm(&norm, hidden, size, eps)?;
            let x = self.attention(&format!("{layer}.attention"), &x, position_bias)?;
            let hidden = self.node("Add", format!("{layer}.attention.add"), &[hidden, &x]);
            let x = self.layer_norm(&final_norm, &hidden, size, eps)?;
            let x = self.feed_forward(&format!("{layer}.feed_forward"), &x)?;
            Ok(self.node("Add", format!("{layer}.feed_forward.add"), &[&hidden, &x]))
        } else {
            let x = self.attention(&format!("{layer}.attention"), hidden, position_bias)?;
            let x = self.node("Add", format!("{layer}.attention.add"), &[hidden, &x]);
            let hidden = self.layer_norm(&norm, &x, size, eps)?;
            let x = self.feed_forward(&format!("{layer}.feed_forward"), &hidden)?;
            let x = self.node("Add", format!("{layer}.feed_forward.add"), &[&hidden, &x]);
            self.layer_norm(&final_norm, &x, size, eps)
        }
    }

    /// Two linear layers with an activation between them.
    fn feed_forward(&mut self, name: &str, x: &str) -> Result<String> {
        let (size, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let x = self.linear(&format!("{name}.intermediate_dense"), x, size, inner, 1.0)?;
        let x = self.activation(&self.config.hidden_act, &format!("{name}.intermediate_act_fn"), &x);
        self.linear(&format!("{name}.output_dense"), &x, inner, size, 1.0)
    }

    /// WavLM's table of position biases, `[1, heads, frames, frames]`, which all layers share.
    fn position_bias(&mut self, frames: usize) -> Result<String> {
        let config = self.config;
        let (heads, buckets) = (config.num_attention_heads, config.num_buckets);
        if frames.saturating_mul(frames).saturating_mul(heads) > MAX_POSITION_BIASES {
            return Err(Error::Window {
                found: self.window_samples,
                expected: format!("one of fewer than {frames} frames, whose position biases take less than 256 MiB"),
            });
        }
        self.derived(
            "backbone.encoder.position_bias",
            "backbone.encoder.layers.0.attention.rel_attn_embed.weight",
            &[buckets, heads],
            vec![1, heads, frames, frames],
            move |table| wavlm::position_bias(&table, config, frames),
        )
    }

    /// WavLM's gate on the position bias, by query and head: `[batch, frames, hidden]` → `[batch, heads, frames, 1]`.
    ///
    /// With `a` and `b` two sigmoids of a linear layer on each head's part of the input, and a constant `c` of each
    /// head, it is `a · (b · c − 1) + 2`.
    fn position_gate(&mut self, name: &str, hidden: &str, split: &str) -> Result<String> {
        let heads = self.config.num_attention_heads;
        let width = self.config.hidden_size / heads;
        let linear = format!("{name}.gru_rel_pos_linear");
        let weight = self.folded(&format!("{linear}.weight"), &[8, width], vec![width, 2], move |rows| {
            wavlm::gate_rows(&rows, width)
        })?;
        let bias = self.folded(&format!("{linear}.bias"), &[8], vec![2], |rows| {
            wavlm::gate_rows(&rows, 1)
        })?;
        let constant = self.weight(&format!("{name}.gru_rel_pos_const"), &[1, heads, 1, 1])?;
        let (first, second) = (self.graph.integers("gate_a", &[0]), self.graph.integers("gate_b", &[1]));
        let (one, two) = (self.graph.scalar("gate.one", 1.0), self.graph.scalar("gate.two", 2.0));

        let gate = format!("{name}.gate");
        let x = self.node("Reshape", format!("{linear}.reshape"), &[hidden, split]);
        let x = self.transpose(&format!("{linear}.transpose"), &x, &[0, 2, 1, 3]);
        let x = self.node("MatMul", format!("{linear}.matmul"), &[&x, &weight]);
        let x = self.node("Add", linear, &[&x, &bias]);
        let x = self.node("Sigmoid", format!("{gate}.sigmoid"), &[&x]);
        let [a, b] = [("a", &first), ("b", &second)].map(|(part, index)| {
            let axis = [("axis", Attribute::Int(-1))];
            self.graph.node("Gather", format!("{gate}.{part}"), &[&x, index], &axis)
        });
        let x = self.node("Mul", format!("{gate}.mul_const"), &[&b, &constant]);
        let x = self.node("Sub", format!("{gate}.sub"), &[&x, &one]);
        let x = self.node("Mul", format!("{gate}.mul"), &[&a, &x]);
        Ok(self.node("Add", gate, &[&x, &two]))
    }

    /// Multi-head self-attention over `[batch, frames, hidden]`.
    fn attention(&mut self, name: &str, hidden: &str, position_bias: Option<&str>) -> Result<String> {
        let (size, heads) = (self.config.hidden_size, self.config.num_attention_heads);
        let head_size = size / heads;
        // Scaled dot products: the scale goes into the queries' weights, where it costs nothing.
        let scale = (head_size as f32).powf(-0.5);

        // [batch, frames, hidden] → [batch, heads, frames, head_size]; the keys with their last two axes swapped.
        let split = self
            .graph
            .integers("split_heads", &[0, 0, heads as i64, head_size as i64]);
        let mut heads_of = |part: &str, scale: f32, order: &[i64]| -> Result<String> {
            let x = self.linear(&format!("{name}.{part}_proj"), hidden, size, size, scale)?;
            let x = self.node("Reshape", format!("{name}.{part}_proj.reshape"), &[&x, &split]);
            Ok(self.transpose(&format!("{name}.{part}_proj.transpose"), &x, order))
        };
        let query = heads_of("q", scale, &[0, 2, 1, 3])?;
        let key = heads_of("k", 1.0, &[0, 2, 3, 1])?;
        let value = heads_of("v", 1.0, &[0, 2, 1, 3])?;

        let mut scores = self.node("MatMul", format!("{name}.scores"), &[&query, &key]);
        if let Some(bias) = position_bias {
            let gate = self.position_gate(name, hidden, &split)?;
            let gated = self.node("Mul", format!("{name}.position_bias"), &[&gate, bias]);
            scores = self.node("Add", format!("{name}.scores.add"), &[&scores, &gated]);
        }
        let weights = self.graph.node(
            "Softmax",
            format!("{name}.softmax"),
            &[&scores],
            &[("axis", Attribute::Int(-1))],
        );
        let x = self.node("MatMul", format!("{name}.context"), &[&weights, &value]);
        let x = self.transpose(&format!("{name}.context.transpose"), &x, &[0, 2, 1, 3]);
        let merge = self.graph.integers("merge_heads", &[0, 0, size as i64]);
        let x = self.node("Reshape", format!("{name}.context.reshape"), &[&x, &merge]);
        self.linear(&format!("{name}.out_proj"), &x, size, size, 1.0)
    }

    /// Mean over time, then one or two linear layers: `[batch, frames, hidden]` → `[batch, 2]`.
    ///
    /// Hugging Face projects each frame before the mean, which is the same and costs more.
    fn head(&mut self, hidden: &str) -> Result<()> {
        let mut size = self.config.hidden_size;
        let mut pooled = self.graph.node(
            "ReduceMean",
            "classifier.mean",
            &[hidden],
            &[("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(0))],
        );
        if let Some(width) = self.config.classifier_proj_size {
            pooled = self.pooled_linear("projector", "projector", &pooled, size, width)?;
            size = width;
        }
        self.pooled_linear(OUTPUT, "classifier", &pooled, size, CLASSES)?;
        Ok(())
    }

    /// A linear layer of `[batch, inputs]`, whose node is called `output`.
    fn pooled_linear(&mut self, output: &str, name: &str, x: &str, inputs: usize, outputs: usize) -> Result<String> {
        let weight = self.weight(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = self.weight(&format!("{name}.bias"), &[outputs])?;
        let transposed = [("transB", Attribute::Int(1))];
        Ok(self.graph.node("Gemm", output, &[x, &weight, &bias], &transposed))
    }

    /// `x · weightᵀ + bias`, all scaled.
    fn linear(&mut self, name: &str, x: &str, inputs: usize, outputs: usize, scale: f32) -> Result<String> {
        let weight = self.folded(
            &format!("{name}.weight"),
            &[outputs, inputs],
            vec![inputs, outputs],
            move |values| {
                let mut transposed = Vec::with_capacity(values.len());
                for input in 0..inputs {
                    transposed.extend(values.iter().skip(input).step_by(inputs).map(|w| w * scale));
                }
                transposed
            },
        )?;
        let bias = self.folded(&format!("{name}.bias"), &[outputs], vec![outputs], move |mut values| {
            values.iter_mut().for_each(|b| *b *= scale);
            values
        })?;
        let product = self.node("MatMul", format!("{name}.matmul"), &[x, &weight]);
        Ok(self.node("Add", name, &[&bias, &product]))
    }

    fn layer_norm(&mut self, name: &str, x: &str, size: usize, eps: f32) -> Result<String> {
        let scale = self.weight(&format!("{name}.weight"), &[size])?;
        let bias = self.weight(&format!("{name}.bias"), &[size])?;
        Ok(self.graph.node(
            "LayerNormalization",
            name,
            &[x, &scale, &bias],
            &[("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(eps))],
        ))
    }

    /// The activation that the config calls `kind`.
    fn activation(&mut self, kind: &str, name: &str, x: &str) -> String {
        match Activation::named(kind) {
            Some(Activation::GeluTanh) => self.gelu_tanh(name, x),
            Some(Activation::QuickGelu) => {
                let factor = self.graph.scalar("quick_gelu.factor", 1.702);
                let scaled = self.node("Mul", format!("{name}.scale"), &[x, &factor]);
                let sigmoid = self.node("Sigmoid", format!("{name}.sigmoid"), &[&scaled]);
                self.node("Mul", name, &[x, &sigmoid])
            }
            Some(Activation::Silu) => {
                let sigmoid = self.node("Sigmoid", format!("{name}.sigmoid"), &[x]);
                self.node("Mul", name, &[x, &sigmoid])
            }
            Some(Activation::Relu) => self.node("Relu", name, &[x]),
            Some(Activation::Sigmoid) => self.node("Sigmoid", name, &[x]),
            Some(Activation::Tanh) => self.node("Tanh", name, &[x]),
            // The config has been validated, so there is no other.
            Some(Activation::Gelu) | None => self.gelu(name, x),
        }
    }

    /// `x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³)))`
    fn gelu_tanh(&mut self, name: &str, x: &str) -> String {
        let cubic = self.graph.scalar("gelu_tanh.cubic", 0.044_715);
        let slope = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
        let slope = self.graph.scalar("gelu_tanh.slope", slope);
        let one = self.graph.scalar("gelu_tanh.one", 1.0);
        let half = self.graph.scalar("gelu_tanh.half", 0.5);
        let mut step = |op: &str, part: &str, a: &str, b: &str| self.node(op, format!("{name}.{part}"), &[a, b]);
        let square = step("Mul", "square", x, x);
        let cube = step("Mul", "cube", &square, x);
        let cube = step("Mul", "cubic", &cube, &cubic);
        let sum = step("Add", "sum", x, &cube);
        let scaled = step("Mul", "slope", &sum, &slope);
        let tanh = self.node("Tanh", format!("{name}.tanh"), &[&scaled]);
        let sum = self.node("Add", format!("{name}.add"), &[&tanh, &one]);
        let product = self.node("Mul", format!("{name}.mul"), &[x, &sum]);
        self.node("Mul", name, &[&product, &half])
    }

    /// The exact GELU, `x / 2 · (1 + erf(x / √2))`. Opset 17 has no operator for it; runtimes recognise this form.
    fn gelu(&mut self, name: &str, x: &str) -> String {
        let sqrt_2 = self.graph.scalar("gelu.sqrt_2", std::f32::consts::SQRT_2);
        let one = self.graph.scalar("gelu.one", 1.0);
        let half = self.graph.scalar("gelu.half", 0.5);
        let erf = self.node("Div", format!("{name}.div"), &[x, &sqrt_2]);
        let erf = self.node("Erf", format!("{name}.erf"), &[&erf]);
        let erf = self.node("Add", format!("{name}.add"), &[&erf, &one]);
        let product = self.node("Mul", format!("{name}.mul"), &[x, &erf]);
        self.node("Mul", name, &[&product, &half])
    }

    fn transpose(&mut self, name: &str, x: &str, order: &[i64]) -> String {
        self.graph
            .node("Transpose", name, &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    fn node(&mut self, op_type: &str, name: impl Into<String>, inputs: &[&str]) -> String {
        self.graph.node(op_type, name, inputs, &[])
    }

    /// A tensor of the network as it is.
    fn weight(&mut self, name: &str, shape: &[usize]) -> Result<String> {
        self.folded(name, shape, shape.to_vec(), |values| values)
    }

    /// A tensor of the network with `shape`, rearranged to `folded_shape` by `fold` when the model is written.
    fn folded(
        &mut self,
        name: &str,
        shape: &[usize],
        folded_shape: Vec<usize>,
        fold: impl Fn(Vec<f32>) -> Vec<f32> + 'a,
    ) -> Result<String> {
        self.derived(name, name, shape, folded_shape, fold)
    }

    /// A weight `name` made from the tensor `of` of the network, when the model is written.
    fn derived(
        &mut self,
        name: &str,
        of: &str,
        shape: &[usize],
        derived_shape: Vec<usize>,
        derive: impl Fn(Vec<f32>) -> Vec<f32> + 'a,
    ) -> Result<String> {
        let canonical = self.take(of, shape)?;
        let checkpoint = self.checkpoint;
        Ok(self.graph.weight(name, derived_shape, move || {
            checkpoint.read_f32(&canonical).map(&derive)
        }))
    }

    /// Marks a tensor of the network as used, and checks that it is there with `shape`. Returns its canonical name.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<String> {
        let canonical = name.strip_prefix(BACKBONE).unwrap_or(name).to_owned();
        self.used.extend(self.checkpoint.check(&canonical, shape)?);
        Ok(canonical)
    }
}
