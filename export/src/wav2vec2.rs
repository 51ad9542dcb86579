//! The wav2vec2 network with a mean-pooled linear head, as an ONNX graph.
//!
//! Everything that depends on weights alone is folded here, so that no runtime has to: the positional convolution's
//! weight norm, the scaling of the queries, and the transposes of the linear layers.

use std::collections::BTreeSet;

use crate::layout::{CLASSES, Recognised};
use crate::names::POSITIONAL_KERNEL;
use crate::onnx::{Attribute, Dimension, Graph};
use crate::{Config, Error, Result};

/// Epsilon of `torch.nn.GroupNorm`, which `transformers` leaves at its default whatever the config says.
const GROUP_NORM_EPS: f32 = 1e-5;
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
        graph: Graph::default(),
        used: BTreeSet::new(),
    };
    let waveform = network
        .graph
        .input(INPUT, &[batch.clone(), Dimension::Fixed(window_samples)]);
    let features = network.feature_extractor(&waveform)?;
    let projected = network.feature_projection(&features)?;
    let mut hidden = network.positional_encoding(&projected, frames)?;
    for layer in 0..config.num_hidden_layers {
        hidden = network.transformer_layer(&hidden, layer)?;
    }
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
        let mut channels_in = 1;
        for (i, ((&channels, &kernel), &stride)) in
            (config.conv_dim.iter().zip(&config.conv_kernel).zip(&config.conv_stride)).enumerate()
        {
            let layer = format!("backbone.feature_extractor.conv_layers.{i}");
            let weight = self.weight(&format!("{layer}.conv.weight"), &[channels, channels_in, kernel])?;
            x = self.graph.node(
                "Conv",
                format!("{layer}.conv"),
                &[&x, &weight],
                &[
                    ("kernel_shape", Attribute::Ints(vec![kernel as i64])),
                    ("strides", Attribute::Ints(vec![stride as i64])),
                ],
            );
            if i == 0 {
                // As many groups as channels: each channel is normalised over time, which is an instance norm.
                let scale = self.weight(&format!("{layer}.layer_norm.weight"), &[channels])?;
                let bias = self.weight(&format!("{layer}.layer_norm.bias"), &[channels])?;
                x = self.graph.node(
                    "InstanceNormalization",
                    format!("{layer}.layer_norm"),
                    &[&x, &scale, &bias],
                    &[("epsilon", Attribute::Float(GROUP_NORM_EPS))],
                );
            }
            x = self.gelu(&format!("{layer}.activation"), &x);
            channels_in = channels;
        }
        Ok(x)
    }

    /// `[batch, channels, frames]` → `[batch, frames, hidden]`.
    fn feature_projection(&mut self, features: &str) -> Result<String> {
        let channels = self.config.conv_dim[self.config.conv_dim.len() - 1];
        let x = self.transpose("backbone.feature_projection.transpose", features, &[0, 2, 1]);
        let x = self.layer_norm("backbone.feature_projection.layer_norm", &x, channels)?;
        let hidden = self.config.hidden_size;
        self.linear("backbone.feature_projection.projection", &x, channels, hidden, 1.0)
    }

    /// Adds a convolution of the input to it, and normalises: the shape stays `[batch, frames, hidden]`.
    fn positional_encoding(&mut self, hidden: &str, frames: usize) -> Result<String> {
        let kernel = self.config.num_conv_pos_embeddings;
        let groups = self.config.num_conv_pos_embedding_groups;
        let size = self.config.hidden_size;
        let encoder = "backbone.encoder";
        let name = format!("{encoder}.pos_conv_embed");

        let weight = self.weight(&format!("{BACKBONE}{POSITIONAL_KERNEL}"), &[size, size / groups, kernel])?;
        let bias = self.weight(&format!("{name}.conv.bias"), &[size])?;
        // PyTorch pads kernel / 2 frames on both sides and, as an even kernel then yields one frame too many, drops
        // the last: the same as one frame less padding at the end.
        let before = kernel / 2;
        let after = if kernel.is_multiple_of(2) { before - 1 } else { before };
        debug_assert_eq!(frames + before + after + 1 - kernel, frames);
        let x = self.transpose(&format!("{name}.transpose_in"), hidden, &[0, 2, 1]);
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
        let x = self.gelu(&format!("{name}.activation"), &x);
        let x = self.transpose(&format!("{name}.transpose_out"), &x, &[0, 2, 1]);
        let x = self.node("Add", format!("{name}.add"), &[hidden, &x]);
        self.layer_norm(&format!("{encoder}.layer_norm"), &x, size)
    }

    /// One post-norm transformer layer: self-attention, then a feed-forward part, each with a residual connection.
    fn transformer_layer(&mut self, hidden: &str, index: usize) -> Result<String> {
        let (size, inner) = (self.config.hidden_size, self.config.intermediate_size);
        let layer = format!("backbone.encoder.layers.{index}");

        let x = self.attention(&format!("{layer}.attention"), hidden)?;
        let x = self.node("Add", format!("{layer}.attention.add"), &[hidden, &x]);
        let normed = self.layer_norm(&format!("{layer}.layer_norm"), &x, size)?;

        let name = format!("{layer}.feed_forward");
        let x = self.linear(&format!("{name}.intermediate_dense"), &normed, size, inner, 1.0)?;
        let x = self.gelu(&format!("{name}.intermediate_act_fn"), &x);
        let x = self.linear(&format!("{name}.output_dense"), &x, inner, size, 1.0)?;
        let x = self.node("Add", format!("{name}.add"), &[&normed, &x]);
        self.layer_norm(&format!("{layer}.final_layer_norm"), &x, size)
    }

    /// Multi-head self-attention over `[batch, frames, hidden]`.
    fn attention(&mut self, name: &str, hidden: &str) -> Result<String> {
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

        let scores = self.node("MatMul", format!("{name}.scores"), &[&query, &key]);
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

    /// Mean over time, then a linear layer: `[batch, frames, hidden]` → `[batch, 2]`.
    fn head(&mut self, hidden: &str) -> Result<()> {
        let size = self.config.hidden_size;
        let pooled = self.graph.node(
            "ReduceMean",
            "classifier.mean",
            &[hidden],
            &[("axes", Attribute::Ints(vec![1])), ("keepdims", Attribute::Int(0))],
        );
        let weight = self.weight("classifier.weight", &[CLASSES, size])?;
        let bias = self.weight("classifier.bias", &[CLASSES])?;
        self.graph.node(
            "Gemm",
            OUTPUT,
            &[&pooled, &weight, &bias],
            &[("transB", Attribute::Int(1))],
        );
        Ok(())
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

    fn layer_norm(&mut self, name: &str, x: &str, size: usize) -> Result<String> {
        let scale = self.weight(&format!("{name}.weight"), &[size])?;
        let bias = self.weight(&format!("{name}.bias"), &[size])?;
        Ok(self.graph.node(
            "LayerNormalization",
            name,
            &[x, &scale, &bias],
            &[
                ("axis", Attribute::Int(-1)),
                ("epsilon", Attribute::Float(self.config.layer_norm_eps)),
            ],
        ))
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
        let canonical = name.strip_prefix(BACKBONE).unwrap_or(name).to_owned();
        let checkpoint = self.checkpoint;
        self.used.extend(checkpoint.check(&canonical, shape)?);
        Ok(self
            .graph
            .weight(name, folded_shape, move || checkpoint.read_f32(&canonical).map(&fold)))
    }
}
