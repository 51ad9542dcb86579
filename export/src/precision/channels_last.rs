//! Convolutions over time as matrix products.
//!
//! The fast integer kernels of runtimes are matrix products; ONNX Runtime's integer convolution is slower than f32. With
//! time before channels, `[batch, frames, channels]`, a convolution is one product of the frames under its kernel, laid
//! side by side:
//!
//! ```text
//! y[t] = [x[t·stride], …, x[t·stride + kernel − 1]] · W,    W: [kernel · channels in, channels out]
//! ```
//!
//! Values stay in that order for as long as operators don't care, so that a chain of convolutions is transposed once.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{front_end, readers};
use crate::onnx::{Attribute, Graph, InitializerData, NodeProto, Values};

/// Swaps channels and frames, both ways.
const SWAP: [i64; 3] = [0, 2, 1];
/// Operators that treat every value alike, wherever it is.
const POINTWISE: [&str; 10] = [
    "Add",
    "Clip",
    "Div",
    "Erf",
    "LeakyRelu",
    "Mul",
    "Relu",
    "Sigmoid",
    "Sub",
    "Tanh",
];

/// Rewrites every convolution over time that a matrix product can stand for, but those of the front end.
pub(super) fn convert(mut graph: Graph<'_>) -> Graph<'_> {
    let front_end = front_end(&graph);
    let readers = readers(&graph);
    let nodes = std::mem::take(&mut graph.nodes);
    let mut pass = Pass {
        graph,
        twins: BTreeMap::new(),
        aliases: BTreeMap::new(),
        missing: BTreeSet::new(),
    };
    for mut node in nodes {
        for input in &mut node.input {
            if let Some(alias) = pass.aliases.get(input) {
                input.clone_from(alias);
            }
        }
        let alone = |weight: &str| readers.get(weight) == Some(&1);
        match pass.convolution(&node) {
            Some(found) if !front_end.contains(node.name()) && alone(&found.weight) => pass.convolve(&node, found),
            _ => pass.keep(node),
        }
    }
    let outputs: Vec<String> = pass
        .graph
        .outputs
        .iter()
        .map(|output| output.name().to_owned())
        .collect();
    for output in outputs {
        pass.compute(&output);
    }
    pass.graph
}

struct Pass<'a> {
    graph: Graph<'a>,
    /// The name of each value with its channels and frames swapped, where there is one.
    twins: BTreeMap<String, String>,
    /// What to read instead of a value that is another's twin.
    aliases: BTreeMap<String, String>,
    /// Values of which there is only the twin so far.
    missing: BTreeSet<String>,
}

/// A convolution without groups, gaps and padding.
struct Convolution<'a> {
    weight: String,
    /// `[channels out, channels in, kernel]`.
    shape: [usize; 3],
    values: Values<'a>,
    stride: i64,
}

impl<'a> Pass<'a> {
    fn convolution(&self, node: &NodeProto) -> Option<Convolution<'a>> {
        let all = |name, value| node.ints(name).iter().all(|found| *found == value);
        let plain = node.op_type() == "Conv"
            && node.int("group").unwrap_or(1) == 1
            && all("dilations", 1)
            && all("pads", 0)
            && node.attribute.iter().all(|attribute| attribute.name() != "auto_pad");
        let weight = self.graph.find(node.input.get(1)?).filter(|_| plain)?;
        let InitializerData::Floats(values) = &weight.data else {
            return None;
        };
        Some(Convolution {
            weight: weight.name.clone(),
            shape: weight.shape.as_slice().try_into().ok()?,
            values: Rc::clone(values),
            stride: node.ints("strides").first().copied().unwrap_or(1),
        })
    }

    fn convolve(&mut self, node: &NodeProto, convolution: Convolution<'a>) {
        let Convolution {
            weight,
            shape: [outputs, inputs, kernel],
            values,
            stride,
        } = convolution;
        let x = self.twin(&node.input[0]);
        let name = node.name();
        let frames = self.frames(name, &x, kernel, stride);
        self.graph.replace(
            &weight,
            vec![kernel * inputs, outputs],
            InitializerData::Floats(Rc::new(move || {
                let weight = values()?;
                let mut rows = Vec::with_capacity(weight.len());
                for at in 0..kernel {
                    for input in 0..inputs {
                        rows.extend(weight.iter().skip(input * kernel + at).step_by(inputs * kernel));
                    }
                }
                Ok(rows)
            })),
        );
        let twin = format!("{name}.channels_last");
        match node.input.get(2) {
            None => self.graph.node("MatMul", &twin, &[&frames, &weight], &[]),
            Some(bias) => {
                let product = self
                    .graph
                    .node("MatMul", format!("{name}.matmul"), &[&frames, &weight], &[]);
                self.graph.node("Add", &twin, &[bias, &product], &[])
            }
        };
        self.only_twin(name, twin);
    }

    /// The frames under the kernel side by side: `[batch, frames in, channels]` → `[batch, frames out, kernel ·
    /// channels]`.
    fn frames(&mut self, name: &str, x: &str, kernel: usize, stride: i64) -> String {
        if kernel == 1 && stride == 1 {
            return x.to_owned();
        }
        let mut index = |value: i64| self.graph.integers(&format!("index_{value}"), &[value]);
        let (axis, step) = (index(1), index(stride));
        let mut slices = Vec::with_capacity(kernel);
        for at in 0..kernel as i64 {
            // All slices must have as many frames, so each ends as far from the end as the last one's start is from it.
            let end = match at + 1 - kernel as i64 {
                0 => i64::MAX,
                before_end => before_end,
            };
            let (start, end) = (index(at), index(end));
            slices.push((format!("{name}.frames.{at}"), start, end));
        }
        for (slice, start, end) in &slices {
            self.graph.node("Slice", slice, &[x, start, end, &axis, &step], &[]);
        }
        let slices: Vec<&str> = slices.iter().map(|(slice, ..)| slice.as_str()).collect();
        let frames = format!("{name}.frames");
        self.graph
            .node("Concat", frames, &slices, &[("axis", Attribute::Int(-1))])
    }

    /// Takes over a node that is no such convolution, on the twins of its inputs if that is as good.
    fn keep(&mut self, mut node: NodeProto) {
        let name = node.name().to_owned();
        if node.op_type() == "Transpose" && node.ints("perm") == SWAP {
            let x = node.input[0].clone();
            if self.missing.contains(&x) {
                self.aliases.insert(name, self.twins[&x].clone());
            } else {
                self.only_twin(&name, x);
            }
        } else if self.goes_with_twins(&node) {
            for input in &mut node.input {
                if let Some(twin) = self.twins.get(input) {
                    input.clone_from(twin);
                }
            }
            let twin = format!("{name}.channels_last");
            (node.name, node.output) = (Some(twin.clone()), vec![twin.clone()]);
            self.graph.nodes.push(node);
            self.only_twin(&name, twin);
        } else {
            for input in &node.input {
                self.compute(input);
            }
            self.graph.nodes.push(node);
        }
    }

    /// Whether a node can be computed of its inputs' twins, and at least one of them is all there is.
    fn goes_with_twins(&self, node: &NodeProto) -> bool {
        let is_scalar = |name: &String| self.graph.find(name).is_some_and(|constant| constant.len() == 1);
        POINTWISE.contains(&node.op_type())
            && node.input.iter().any(|input| self.missing.contains(input))
            && node
                .input
                .iter()
                .all(|input| self.twins.contains_key(input) || is_scalar(input))
    }

    fn only_twin(&mut self, value: &str, twin: String) {
        self.twins.insert(value.to_owned(), twin);
        self.missing.insert(value.to_owned());
    }

    /// The twin of a value, which is transposed if there is none.
    fn twin(&mut self, value: &str) -> String {
        if let Some(twin) = self.twins.get(value) {
            return twin.clone();
        }
        let twin = self.swap(format!("{value}.channels_last"), value);
        self.twins.insert(value.to_owned(), twin.clone());
        twin
    }

    /// Transposes a value back of which there is only the twin.
    fn compute(&mut self, value: &str) {
        if self.missing.remove(value) {
            let twin = self.twins[value].clone();
            self.swap(value.to_owned(), &twin);
        }
    }

    fn swap(&mut self, name: String, x: &str) -> String {
        let order = [("perm", Attribute::Ints(SWAP.to_vec()))];
        self.graph.node("Transpose", name, &[x], &order)
    }
}
