//! The numbers that a model is stored in and computed with.
//!
//! The network is built in f32. A lower precision is a pass over its graph before it is written, which knows operators
//! and not networks: every architecture gets all precisions.

mod channels_last;
mod f16;
mod int8;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::onnx::Graph;

/// The numbers that the weights are stored in, and what is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point throughout, as trained.
    #[default]
    F32,
    /// 16-bit floating point, half the size: for GPUs.
    F16,
    /// 8-bit integers, a quarter of the size: for processors.
    Int8,
}

/// What the model is to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Target {
    /// Every runtime: standard `ai.onnx` operators only.
    #[default]
    Any,
    /// ONNX Runtime alone, whose own operators may then be used.
    OnnxRuntime,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    /// Parses `f32`, `f16` or `int8`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "int8" => Ok(Self::Int8),
            other => Err(format!("expected `f32`, `f16` or `int8`, found `{other}`")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "any",
            Self::OnnxRuntime => "onnxruntime",
        })
    }
}

impl FromStr for Target {
    type Err = String;

    /// Parses `any` or `onnxruntime`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "onnxruntime" => Ok(Self::OnnxRuntime),
            other => Err(format!("expected `any` or `onnxruntime`, found `{other}`")),
        }
    }
}

/// Rewrites a graph in f32 to another precision.
pub(crate) fn apply(graph: Graph<'_>, precision: Precision, target: Target) -> Graph<'_> {
    match precision {
        Precision::F32 => graph,
        Precision::F16 => f16::convert(graph),
        Precision::Int8 => int8::quantise(channels_last::convert(graph), target),
    }
}

/// The nodes of the front end, by name: from the graph's input to its first layer's norm, or else to the second layer.
///
/// A waveform spans the whole range from silence to clipping, and a power spectrum more, so all that is computed before
/// a norm keeps its precision. Little is lost by that: it is a thousandth of the work.
fn front_end(graph: &Graph<'_>) -> BTreeSet<String> {
    // Whether a value of the front end has been through the first layer.
    let mut layered: BTreeMap<&str, bool> = BTreeMap::new();
    layered.extend(graph.inputs.iter().map(|input| (input.name(), false)));
    let mut front_end = BTreeSet::new();
    for node in &graph.nodes {
        let of_input = node.input.iter().filter_map(|input| layered.get(input.as_str())).max();
        let Some(&after_layer) = of_input else {
            continue;
        };
        let is_layer = matches!(node.op_type(), "Conv" | "MatMul" | "Gemm");
        if is_layer && after_layer {
            continue;
        }
        front_end.insert(node.name().to_owned());
        if !(after_layer && node.op_type().ends_with("Normalization")) {
            let outputs = node.output.iter().map(String::as_str);
            layered.extend(outputs.map(|output| (output, is_layer || after_layer)));
        }
    }
    front_end
}

/// How many nodes read each value.
fn readers(graph: &Graph<'_>) -> BTreeMap<String, usize> {
    let mut readers = BTreeMap::new();
    for input in graph.nodes.iter().flat_map(|node| &node.input) {
        *readers.entry(input.clone()).or_default() += 1;
    }
    readers
}
