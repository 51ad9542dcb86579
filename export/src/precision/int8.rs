//! 8-bit weights, and matrix products of 8-bit integers.
//!
//! A weight is stored as `q = round(w / scale)` with one scale for each output of its layer. For a matrix product, the
//! runtime then also brings the other factor to 8 bits, by the range that its values turn out to have
//! (`DynamicQuantizeLinear`), multiplies integers, and scales the sums back.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Target, first_layers, readers};
use crate::onnx::{Attribute, DataType, Graph, InitializerData, NodeProto, Values};
use crate::{Error, Result};

/// Weights go from −64 to 64, which is 7 bits. Processors without VNNI add pairs of products in 16 bits, saturating: an
/// unsigned byte times a weight, twice, is at most 2 · 255 · 64 = 32,640, which fits, while weights to 127 would not.
const LIMIT: f32 = 64.0;
/// Sums of fewer products than this stay in f32: quantising would cost more than it saves.
const MIN_DEPTH: usize = 16;

/// Quantises every matrix product and convolution by a weight, but those of the first layer.
///
/// What has no weight (the attention's products, normalisation, activations) and the classifier's `Gemm` stay in f32.
pub(super) fn quantise(mut graph: Graph<'_>, target: Target) -> Graph<'_> {
    let first = first_layers(&graph);
    let readers = readers(&graph);
    let nodes = std::mem::take(&mut graph.nodes);
    let mut pass = Pass {
        graph,
        target,
        quantised: BTreeSet::new(),
    };
    for node in nodes {
        let weight = node.input.get(1).filter(|weight| readers.get(*weight) == Some(&1));
        let weight = weight
            .filter(|_| !first.contains(node.name()))
            .and_then(|name| pass.weight(name));
        match (node.op_type(), weight) {
            ("MatMul", Some(weight)) if weight.shape.len() == 2 && weight.shape[0] >= MIN_DEPTH => {
                pass.matrix_product(&node, weight);
            }
            ("Conv", Some(weight)) if weight.depth() >= MIN_DEPTH => pass.convolution(node, weight),
            _ => pass.graph.nodes.push(node),
        }
    }
    pass.graph
}

struct Pass<'a> {
    graph: Graph<'a>,
    target: Target,
    /// The values that are there in 8 bits already: several products may read one.
    quantised: BTreeSet<String>,
}

/// A weight in f32, to be stored in 8 bits.
struct Weight<'a> {
    name: String,
    shape: Vec<usize>,
    values: Values<'a>,
}

impl Weight<'_> {
    /// The products in each sum of a convolution.
    fn depth(&self) -> usize {
        self.shape.iter().skip(1).product()
    }
}

impl<'a> Pass<'a> {
    fn weight(&self, name: &str) -> Option<Weight<'a>> {
        let found = self.graph.find(name)?;
        match &found.data {
            InitializerData::Floats(values) => Some(Weight {
                name: found.name.clone(),
                shape: found.shape.clone(),
                values: Rc::clone(values),
            }),
            _ => None,
        }
    }

    /// `x · W` in integers, with a scale for each column of `W`.
    fn matrix_product(&mut self, node: &NodeProto, weight: Weight<'a>) {
        let name = node.name();
        let columns = weight.shape[1];
        let (weight, weight_scale) = self.store(weight, vec![columns], move |i| i % columns);
        let x = &node.input[0];
        let [integers, scale, zero] = ["int8", "scale", "zero_point"].map(|part| format!("{x}.{part}"));
        if self.quantised.insert(x.clone()) {
            let outputs: [&str; 3] = [&integers, &scale, &zero];
            self.graph.node_with("DynamicQuantizeLinear", &outputs, &[x], &[]);
        }
        let weight_zero = self.graph.zero_byte("weight_zero_point");
        let sums = self.graph.node(
            "MatMulInteger",
            format!("{name}.integers"),
            &[&integers, &weight, &zero, &weight_zero],
            &[],
        );
        let sums = self.cast_to_f32(format!("{name}.sums"), &sums);
        let scale = self
            .graph
            .node("Mul", format!("{name}.scale"), &[&scale, &weight_scale], &[]);
        self.graph.node("Mul", name, &[&sums, &scale], &[]);
    }

    /// A convolution whose weight is stored in 8 bits, and brought back to f32 once, when the model is loaded.
    fn convolution(&mut self, mut node: NodeProto, weight: Weight<'a>) {
        let depth = weight.depth();
        let mut scale_shape = vec![1; weight.shape.len()];
        scale_shape[0] = weight.shape[0];
        let (weight, scale) = self.store(weight, scale_shape, move |i| i / depth);
        let values = self.cast_to_f32(format!("{weight}.cast"), &weight);
        node.input[1] = self.graph.node("Mul", format!("{weight}.f32"), &[&values, &scale], &[]);
        self.graph.nodes.push(node);
    }

    fn cast_to_f32(&mut self, name: String, x: &str) -> String {
        let to = [("to", Attribute::Int(DataType::Float as i64))];
        self.graph.node("Cast", name, &[x], &to)
    }

    /// Stores a weight in 8 bits, and its scales: one for each output, which `output` tells of a value's place. Returns
    /// the names of both.
    fn store(
        &mut self,
        weight: Weight<'a>,
        scale_shape: Vec<usize>,
        output: impl Fn(usize) -> usize + Copy + 'a,
    ) -> (String, String) {
        let Weight { name, shape, values } = weight;
        let outputs = scale_shape.iter().product();
        let read = {
            let name = name.clone();
            Rc::new(move || finite(values()?, &name))
        };
        let scale = self.graph.weight(format!("{name}.scale"), scale_shape, {
            let read = Rc::clone(&read);
            move || Ok(scales(&read()?, outputs, output))
        });
        let bytes = move || {
            let values = read()?;
            let scales = scales(&values, outputs, output);
            let byte = |(i, w): (usize, &f32)| (w / scales[output(i)]).round_ties_even() as i8;
            Ok(values.iter().enumerate().map(byte).collect())
        };
        self.graph.replace(&name, shape, InitializerData::Bytes(Rc::new(bytes)));
        (name, scale)
    }
}

/// The step between two neighbouring weights of each output: the largest weight is `LIMIT` of them from 0.
fn scales(values: &[f32], outputs: usize, output: impl Fn(usize) -> usize) -> Vec<f32> {
    let mut largest = vec![0.0_f32; outputs];
    for (i, w) in values.iter().enumerate() {
        let largest = &mut largest[output(i)];
        *largest = largest.max(w.abs());
    }
    // An output whose weights are all so small that the step would be 0 is 0 for any step.
    let step = |largest: f32| Some(largest / LIMIT).filter(|step| step.is_normal()).unwrap_or(1.0);
    largest.into_iter().map(step).collect()
}

fn finite(values: Vec<f32>, name: &str) -> Result<Vec<f32>> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(values),
        Some(&found) => Err(Error::WeightRange {
            name: name.to_owned(),
            found,
            precision: super::Precision::Int8,
            limit: f32::MAX,
        }),
    }
}
