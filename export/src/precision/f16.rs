//! 16-bit floats.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use half::f16;

use super::{Precision, front_end};
use crate::onnx::{Attribute, DataType, Graph, InitializerData, NodeProto};
use crate::{Error, Result};

/// Operators that are computed in f32: sums of many values, and functions that leave the range of f16.
const IN_F32: [&str; 16] = [
    "BatchNormalization",
    "Exp",
    "Gemm",
    "InstanceNormalization",
    "Log",
    "LogSoftmax",
    "Pow",
    "Reciprocal",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceMean",
    "ReduceSum",
    "ReduceSumSquare",
    "Softmax",
    "Softplus",
    "Sqrt",
];

/// Stores every weight in f16 and computes in it, but for the front end, the operators above and the interface.
pub(super) fn convert(mut graph: Graph<'_>) -> Graph<'_> {
    let front_end = front_end(&graph);
    let nodes = std::mem::take(&mut graph.nodes);
    let last: BTreeSet<String> = graph.outputs.iter().map(|output| output.name().to_owned()).collect();
    let in_f32 = |node: &NodeProto| {
        front_end.contains(node.name()) || last.contains(node.name()) || IN_F32.contains(&node.op_type())
    };

    // A weight that only f16 nodes read is stored in f16.
    let kept: BTreeSet<&String> = nodes
        .iter()
        .filter(|node| in_f32(node))
        .flat_map(|node| &node.input)
        .collect();
    let mut types = BTreeMap::new();
    for weight in &mut graph.initializers {
        let InitializerData::Floats(values) = &weight.data else {
            continue;
        };
        let mut kind = DataType::Float;
        if !kept.contains(&weight.name) {
            let (name, values) = (weight.name.clone(), Rc::clone(values));
            weight.data = InitializerData::Halves(Rc::new(move || halves(&name, &values()?)));
            kind = DataType::Float16;
        }
        types.insert(weight.name.clone(), kind);
    }
    types.extend(
        graph
            .inputs
            .iter()
            .map(|input| (input.name().to_owned(), DataType::Float)),
    );
    let mut pass = Pass { graph, types };
    for node in nodes {
        let kind = if in_f32(&node) {
            DataType::Float
        } else {
            DataType::Float16
        };
        pass.take(node, kind);
    }
    pass.graph
}

struct Pass<'a> {
    graph: Graph<'a>,
    /// The types of the values that are floats.
    types: BTreeMap<String, DataType>,
}

impl Pass<'_> {
    /// Adds a node that takes and gives floats of type `kind`.
    fn take(&mut self, mut node: NodeProto, kind: DataType) {
        for input in &mut node.input {
            *input = self.cast(input, kind);
        }
        self.types
            .extend(node.output.iter().map(|output| (output.clone(), kind)));
        self.graph.nodes.push(node);
    }

    /// The value as a `kind`, if it is a float.
    fn cast(&mut self, value: &str, kind: DataType) -> String {
        if self.types.get(value).is_none_or(|known| *known == kind) {
            return value.to_owned();
        }
        let name = match kind {
            DataType::Float16 => format!("{value}.f16"),
            _ => format!("{value}.f32"),
        };
        if self.types.insert(name.clone(), kind).is_none() {
            let to = [("to", Attribute::Int(kind as i64))];
            self.graph.node("Cast", &name, &[value], &to);
        }
        name
    }
}

fn halves(name: &str, values: &[f32]) -> Result<Vec<f16>> {
    let half = |&value: &f32| {
        let half = f16::from_f32(value);
        if half.is_finite() {
            Ok(half)
        } else {
            Err(Error::WeightRange {
                name: name.to_owned(),
                found: value,
                precision: Precision::F16,
                limit: f16::MAX.to_f32(),
            })
        }
    };
    values.iter().map(half).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_weight_beyond_the_range_is_refused() {
        // 65,519 is the last that rounds to the largest half, 65,504.
        assert_eq!(halves("w", &[65_519.0, -1.0]).unwrap(), [f16::MAX, f16::NEG_ONE]);
        for value in [65_520.0, -1e9, f32::INFINITY, f32::NAN] {
            let error = halves("layers.0.weight", &[0.0, value]).unwrap_err();
            assert!(
                matches!(&error, Error::WeightRange { name, precision: Precision::F16, limit: 65_504.0, .. }
                    if name == "layers.0.weight"),
                "{error}"
            );
        }
    }
}
