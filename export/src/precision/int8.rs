//! 8-bit weights, and matrix products of 8-bit integers.
//!
//! A weight is stored as `q = round(w / scale)` with one scale for each output of its layer. For a matrix product, the
//! runtime then also brings the other factor to 8 bits, by the range that its values turn out to have
//! (`DynamicQuantizeLinear`), multiplies integers, and scales the sums back.
//!
//! ONNX Runtime's own `MatMulNBits` does that with a range for each 128 values of both factors: half the error, at less
//! speed, and a window's score does not depend on the others in its batch.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Target, front_end, readers};
use crate::onnx::{Attribute, DataType, Graph, InitializerData, MICROSOFT, NodeProto, Values};
use crate::{Error, Result};

/// Weights go from −64 to 64, which is 7 bits. Processors without VNNI add pairs of products in 16 bits, saturating: an
/// unsigned byte times a weight, twice, is at most 2 · 255 · 64 = 32,640, which fits, while weights to 127 would not.
const LIMIT: f32 = 64.0;
/// What is brought back to f32 before it is used doesn't saturate, and has all 8 bits.
const STORED_LIMIT: f32 = 127.0;
/// Neither does `MatMulNBits`. Its weights are stored with 128 added.
const BLOCK_LIMIT: f32 = 127.0;
const BLOCK_ZERO: f32 = 128.0;
/// How many weights of an output share a scale in `MatMulNBits`.
const BLOCK: usize = 128;
/// `MatMulNBits` is to bring the other factor to 8 bits too.
const BLOCK_ACCURACY_INT8: i64 = 4;
/// Frames below this are not brought up further: a frame of zeros could not be.
const SILENCE: f32 = 1e-9;
/// Sums of fewer products than this stay in f32: quantising would cost more than it saves.
const MIN_DEPTH: usize = 16;
/// Kernels over two axes with fewer numbers than this stay in f32. They are the small network's first, which its scores are
/// most sensitive to by far: of the default model's mean |ΔP(spoof)|, 0.004 with all of them in 8 bits, four fifths come from
/// kernels that make up a fortieth of the file.
const MIN_KERNEL: usize = 10_000;

/// Quantises every matrix product and convolution by a weight, but those of the front end.
///
/// What has no weight (the attention's products, normalisation, activations) and the classifier's `Gemm` stay in f32.
pub(super) fn quantise(mut graph: Graph<'_>, target: Target) -> Graph<'_> {
    let front_end = front_end(&graph);
    let readers = readers(&graph);
    let nodes = std::mem::take(&mut graph.nodes);
    let mut pass = Pass {
        graph,
        quantised: BTreeMap::new(),
    };
    for node in nodes {
        let weight = node.input.get(1).filter(|weight| readers.get(*weight) == Some(&1));
        let weight = weight
            .filter(|_| !front_end.contains(node.name()))
            .and_then(|name| pass.weight(name));
        match (node.op_type(), weight) {
            ("MatMul", Some(weight)) if weight.shape.len() == 2 && weight.shape[0] >= MIN_DEPTH => match target {
                Target::Any => pass.matrix_product(&node, weight),
                Target::OnnxRuntime => pass.block_product(&node, weight),
            },
            ("Conv", Some(weight)) if weight.depth() >= MIN_DEPTH && !weight.is_small_kernel() => {
                pass.convolution(node, weight);
            }
            _ => pass.graph.nodes.push(node),
        }
    }
    pass.graph
}

struct Pass<'a> {
    graph: Graph<'a>,
    /// The values that are there in 8 bits already: several products may read one.
    quantised: BTreeMap<String, Quantised>,
}

/// The names of a value in 8 bits, and of what brings it back.
#[derive(Clone)]
struct Quantised {
    integers: String,
    scale: String,
    zero: String,
    /// What each frame was multiplied by beforehand.
    ///
    /// One range serves for all frames, so that next to a loud one nothing would be left of a quiet one, which a layer
    /// norm later brings up to the same level. After a layer norm they are at one level as it is.
    gain: Option<String>,
}

/// A weight in f32, to be stored in 8 bits.
struct Weight<'a> {
    name: String,
    shape: Vec<usize>,
    values: Values<'a>,
}

impl<'a> Weight<'a> {
    /// Its values, which must be finite.
    fn read(&self) -> Values<'a> {
        let (name, values) = (self.name.clone(), Rc::clone(&self.values));
        Rc::new(move || finite(values()?, &name))
    }

    fn is_small_kernel(&self) -> bool {
        matches!(self.shape[..], [outputs, inputs, height, width]
            if height * width > 1 && outputs * inputs * height * width < MIN_KERNEL)
    }

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
        let (weight, weight_scale) = self.store(weight, vec![columns], LIMIT, move |i| i % columns);
        let x = self.quantised(&node.input[0]);
        let weight_zero = self.graph.zero_byte("weight_zero_point");
        let sums = self.graph.node(
            "MatMulInteger",
            format!("{name}.integers"),
            &[&x.integers, &weight, &x.zero, &weight_zero],
            &[],
        );
        let sums = self.cast_to_f32(format!("{name}.sums"), &sums);
        let scale = self
            .graph
            .node("Mul", format!("{name}.scale"), &[&x.scale, &weight_scale], &[]);
        match &x.gain {
            None => self.graph.node("Mul", name, &[&sums, &scale], &[]),
            Some(gain) => {
                let product = self
                    .graph
                    .node("Mul", format!("{name}.levelled"), &[&sums, &scale], &[]);
                self.graph.node("Div", name, &[&product, gain], &[])
            }
        };
    }

    /// A value in 8 bits.
    fn quantised(&mut self, x: &str) -> Quantised {
        if let Some(known) = self.quantised.get(x) {
            return known.clone();
        }
        let gain = (!self.is_normalised(x)).then(|| self.gain(x));
        let level = match &gain {
            None => x.to_owned(),
            Some(gain) => self.graph.node("Mul", format!("{x}.levelled"), &[x, gain], &[]),
        };
        let [integers, scale, zero] = ["int8", "scale", "zero_point"].map(|part| format!("{x}.{part}"));
        let outputs: [&str; 3] = [&integers, &scale, &zero];
        self.graph.node_with("DynamicQuantizeLinear", &outputs, &[&level], &[]);
        let quantised = Quantised {
            integers,
            scale,
            zero,
            gain,
        };
        self.quantised.insert(x.to_owned(), quantised.clone());
        quantised
    }

    /// Whether a value comes from a layer norm, so that its frames are at one level as it is.
    fn is_normalised(&self, x: &str) -> bool {
        let of = |node: &NodeProto| node.name() == x && node.op_type() == "LayerNormalization";
        self.graph.nodes.iter().any(of)
    }

    /// What brings the largest value of each frame to 1: `[batch, frames, 1]`.
    fn gain(&mut self, x: &str) -> String {
        let silence = self.graph.scalar("silence", SILENCE);
        let mut node = |op_type: &str, part: &str, inputs: &[&str]| {
            let over_channels: &[_] = match op_type {
                "ReduceMax" | "ReduceMin" => &[("axes", Attribute::Ints(vec![-1])), ("keepdims", Attribute::Int(1))],
                _ => &[],
            };
            self.graph.node(op_type, format!("{x}.{part}"), inputs, over_channels)
        };
        let most = node("ReduceMax", "max", &[x]);
        let least = node("ReduceMin", "min", &[x]);
        let least = node("Neg", "min.negated", &[&least]);
        let loudness = node("Max", "loudness", &[&most, &least, &silence]);
        node("Reciprocal", "gain", &[&loudness])
    }

    /// `x · W` by `MatMulNBits`, with a scale for each block of `W`'s columns.
    fn block_product(&mut self, node: &NodeProto, weight: Weight<'a>) {
        let read = weight.read();
        let (name, inputs, outputs) = (weight.name, weight.shape[0], weight.shape[1]);
        let blocks = inputs.div_ceil(BLOCK);
        let groups = outputs * blocks;
        let group = move |i: usize| i % outputs * blocks + i / outputs / BLOCK;
        let scale = self.graph.weight(format!("{name}.scale"), vec![groups], {
            let read = Rc::clone(&read);
            move || Ok(scales(&read()?, groups, group, BLOCK_LIMIT))
        });
        let bytes = move || {
            let values = read()?;
            let scales = scales(&values, groups, group, BLOCK_LIMIT);
            // Column by column, each filled up to a whole number of blocks.
            let mut bytes = vec![BLOCK_ZERO as u8; groups * BLOCK];
            for (i, w) in values.iter().enumerate() {
                let (row, column) = (i / outputs, i % outputs);
                bytes[column * blocks * BLOCK + row] = ((w / scales[group(i)]).round_ties_even() + BLOCK_ZERO) as u8;
            }
            Ok(bytes)
        };
        let data = InitializerData::UnsignedBytes(Rc::new(bytes));
        self.graph.replace(&name, vec![outputs, blocks, BLOCK], data);
        self.graph.node(
            "MatMulNBits",
            node.name(),
            &[&node.input[0], &name, &scale],
            &[
                ("K", Attribute::Int(inputs as i64)),
                ("N", Attribute::Int(outputs as i64)),
                ("accuracy_level", Attribute::Int(BLOCK_ACCURACY_INT8)),
                ("bits", Attribute::Int(8)),
                ("block_size", Attribute::Int(BLOCK as i64)),
            ],
        );
        self.graph.set_domain(MICROSOFT);
    }

    /// A convolution whose weight is stored in 8 bits, and brought back to f32 once, when the model is loaded.
    fn convolution(&mut self, mut node: NodeProto, weight: Weight<'a>) {
        let depth = weight.depth();
        let mut scale_shape = vec![1; weight.shape.len()];
        scale_shape[0] = weight.shape[0];
        let (weight, scale) = self.store(weight, scale_shape, STORED_LIMIT, move |i| i / depth);
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
        limit: f32,
        output: impl Fn(usize) -> usize + Copy + 'a,
    ) -> (String, String) {
        let read = weight.read();
        let Weight { name, shape, .. } = weight;
        let outputs = scale_shape.iter().product();
        let scale = self.graph.weight(format!("{name}.scale"), scale_shape, {
            let read = Rc::clone(&read);
            move || Ok(scales(&read()?, outputs, output, limit))
        });
        let bytes = move || {
            let values = read()?;
            let scales = scales(&values, outputs, output, limit);
            let byte = |(i, w): (usize, &f32)| (w / scales[output(i)]).round_ties_even() as i8;
            Ok(values.iter().enumerate().map(byte).collect())
        };
        self.graph.replace(&name, shape, InitializerData::Bytes(Rc::new(bytes)));
        (name, scale)
    }
}

/// The step between two neighbouring weights of each group: the largest weight is `limit` steps from 0.
fn scales(values: &[f32], groups: usize, group: impl Fn(usize) -> usize, limit: f32) -> Vec<f32> {
    let mut largest = vec![0.0_f32; groups];
    for (i, w) in values.iter().enumerate() {
        let largest = &mut largest[group(i)];
        *largest = largest.max(w.abs());
    }
    // Where the step would be 0, as in a column of zeros, all weights are stored as 0 and any step will do.
    let step = |largest: f32| Some(largest / limit).filter(|step| step.is_normal()).unwrap_or(1.0);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_largest_weight_of_a_group_is_the_limit() {
        let by_column = |i: usize| i % 2;
        assert_eq!(
            scales(&[1.0, -4.0, -2.0, 3.0], 2, by_column, 64.0),
            [2.0 / 64.0, 4.0 / 64.0]
        );
        // Zeros and the smallest of numbers leave a scale that can be divided by.
        assert_eq!(scales(&[0.0, 1e-44, 0.0, 0.0], 2, by_column, 64.0), [1.0, 1.0]);
    }

    #[test]
    fn weights_that_are_not_finite_are_named() {
        assert_eq!(finite(vec![0.0, f32::MAX], "w").unwrap(), [0.0, f32::MAX]);
        for value in [f32::NAN, f32::INFINITY] {
            let error = finite(vec![0.0, value], "layers.0.weight").unwrap_err();
            assert!(
                matches!(&error, Error::WeightRange { name, .. } if name == "layers.0.weight"),
                "{error}"
            );
        }
    }
}
