//! The network's shape as the checkpoint's tensors have it: to tell where `config.json` contradicts them, and to do
//! without one.

use std::path::Path;

use serde_json::Value;

use crate::layout::Recognised;
use crate::names::POSITIONAL_KERNEL;
use crate::{Config, Error, Result};

/// A field of [`Config`], as a tensor has it.
pub(crate) struct Measured {
    field: &'static str,
    value: Value,
    /// The tensor that has it so.
    tensor: String,
}

impl Measured {
    pub(crate) fn new(field: &'static str, value: impl Into<Value>, tensor: String) -> Self {
        Self {
            field,
            value: value.into(),
            tensor,
        }
    }
}

/// The fields that the tensors tell. What is missing among the tensors tells nothing.
pub(crate) fn measure(network: &Recognised<'_>) -> Vec<Measured> {
    let mut measured = Vec::new();
    let mut add = |field, value: Value, canonical: &str| {
        measured.push(Measured::new(field, value, network.stored(canonical)));
    };
    let shape = |canonical: &str| network.tensor(canonical).map(|tensor| tensor.shape.as_slice());
    let has = |canonical: &str| network.tensor(canonical).is_some();

    let convolution = |i: usize| format!("feature_extractor.conv_layers.{i}.conv.weight");
    let kernels: Vec<&[usize]> = (0..).map_while(|i| shape(&convolution(i))).collect();
    if !kernels.is_empty() && kernels.iter().all(|shape| shape.len() == 3) {
        let sizes = |axis: usize| -> Value { kernels.iter().map(|shape| shape[axis]).collect() };
        add("conv_dim", sizes(0), &convolution(0));
        add("conv_kernel", sizes(2), &convolution(0));
    }
    let bias = "feature_extractor.conv_layers.0.conv.bias";
    add("conv_bias", has(bias).into(), bias);
    // With `group`, only the first convolution has a norm.
    if kernels.len() > 1 {
        let second = "feature_extractor.conv_layers.1.layer_norm.weight";
        let norm = if has(second) { "layer" } else { "group" };
        add("feat_extract_norm", norm.into(), second);
    }

    for (field, canonical, axis) in [
        ("hidden_size", "encoder.layer_norm.weight", 0),
        (
            "intermediate_size",
            "encoder.layers.0.feed_forward.intermediate_dense.weight",
            0,
        ),
        ("num_conv_pos_embeddings", POSITIONAL_KERNEL, 2),
        ("num_buckets", "encoder.layers.0.attention.rel_attn_embed.weight", 0),
        ("num_attention_heads", "encoder.layers.0.attention.gru_rel_pos_const", 1),
        ("classifier_proj_size", "projector.weight", 0),
    ] {
        if let Some(&size) = shape(canonical).and_then(|shape| shape.get(axis)) {
            add(field, size.into(), canonical);
        }
    }
    if let Some(last) = network.layer_numbers().max() {
        let canonical = format!("encoder.layers.{last}.layer_norm.weight");
        add("num_hidden_layers", last.saturating_add(1).into(), &canonical);
    }
    if let Some(&[outputs, per_group, _]) = shape(POSITIONAL_KERNEL)
        && per_group > 0
        && outputs.is_multiple_of(per_group)
    {
        let groups = outputs / per_group;
        add("num_conv_pos_embedding_groups", groups.into(), POSITIONAL_KERNEL);
    }
    for (field, canonical) in [
        ("feat_proj_layer_norm", "feature_projection.layer_norm.weight"),
        ("conv_pos_batch_norm", "encoder.pos_conv_embed.batch_norm.weight"),
        ("use_weighted_layer_sum", "layer_weights"),
    ] {
        add(field, has(canonical).into(), canonical);
    }
    measured.extend(network.measured_family());
    measured
}

/// Refuses a shape that the tensors contradict.
pub(crate) fn compare(config: &Config, measured: &[Measured]) -> Result<()> {
    let fields = config.fields();
    for Measured { field, value, tensor } in measured {
        if config.model_type != "hubert" && ["feat_proj_layer_norm", "conv_pos_batch_norm"].contains(field) {
            continue; // Other families don't have the choice, and a missing tensor is told as such.
        }
        let stated = fields.get(*field).unwrap_or(&Value::Null);
        if stated != value {
            return Err(Error::Config {
                file: "config.json",
                field,
                expected: format!("{value} as the checkpoint has it, by `{tensor}`"),
                found: stated.to_string(),
            });
        }
    }
    Ok(())
}

/// The strides of fairseq's convolutions, which no tensor tells, by their kernels: all released networks have these.
const KERNELS: [usize; 7] = [10, 3, 3, 3, 3, 2, 2];
/// Attention heads, which no tensor tells, by the width of fairseq's released networks.
const HEADS: [(usize, usize); 4] = [(768, 12), (1024, 16), (1280, 16), (1920, 16)];

/// The shape of a network of fairseq's: what the tensors tell, what all released networks have in common, and over both
/// what a `config.json` states, if there is one.
pub(crate) fn derive(measured: &[Measured], path: Option<&Path>) -> Result<Config> {
    const UNKNOWN: usize = 0;
    let base = Config::default();
    let mut fields = base.fields();
    for measured in measured {
        fields.insert(measured.field.to_owned(), measured.value.clone());
    }
    let mut config: Config = serde_json::from_value(Value::Object(fields)).unwrap_or(base);
    // fairseq's `layer_norm_first` goes with its `extractor_mode = layer_norm`.
    config.do_stable_layer_norm = config.feat_extract_norm == "layer";
    let heads = HEADS.iter().find(|(width, _)| *width == config.hidden_size);
    config.num_attention_heads = heads.map_or(UNKNOWN, |&(_, heads)| heads);
    if config.conv_kernel != KERNELS {
        config.conv_stride = Vec::new();
    }
    if let Some(path) = path {
        config = config.overlaid(path)?;
    }

    let unknown = |field, because: String| Error::Config {
        file: "config.json",
        field,
        expected: format!("a value: no tensor tells it, and {because}; give it with --config config.json"),
        found: "absent".to_owned(),
    };
    if config.num_attention_heads == UNKNOWN {
        let because = format!("no released network has hidden_size {}", config.hidden_size);
        return Err(unknown("num_attention_heads", because));
    }
    if config.conv_stride.is_empty() {
        let because = format!("no released network has conv_kernel {:?}", config.conv_kernel);
        return Err(unknown("conv_stride", because));
    }
    Ok(config)
}
