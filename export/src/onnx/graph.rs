//! A graph under construction: nodes in order, and weights that are produced only when they are written.

use std::collections::BTreeSet;
use std::rc::Rc;

use half::f16;

use super::proto::{
    AttributeProto, NodeProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto, type_proto,
};
use crate::Result;

/// Produces a weight's values, row-major.
pub(crate) type Values<'a, T = f32> = Rc<dyn Fn() -> Result<Vec<T>> + 'a>;

/// A named constant of the graph.
pub(crate) struct Initializer<'a> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: InitializerData<'a>,
}

/// The values of a constant. All but the integers are weights, read from the checkpoint when the file is written, so
/// that only one is in memory at a time.
pub(crate) enum InitializerData<'a> {
    /// A shape or an index list, small.
    Integers(Vec<i64>),
    Floats(Values<'a>),
    Halves(Values<'a, f16>),
    Bytes(Values<'a, i8>),
    UnsignedBytes(Values<'a, u8>),
}

impl InitializerData<'_> {
    /// The values' little-endian bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Integers(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Floats(values) => values()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Halves(values) => values()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::Bytes(values) => values()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::UnsignedBytes(values) => values()?,
        })
    }

    /// The type of a value, and its size in bytes.
    fn data_type(&self) -> (DataType, usize) {
        match self {
            Self::Integers(_) => (DataType::Int64, size_of::<i64>()),
            Self::Floats(_) => (DataType::Float, size_of::<f32>()),
            Self::Halves(_) => (DataType::Float16, size_of::<f16>()),
            Self::Bytes(_) => (DataType::Int8, size_of::<i8>()),
            Self::UnsignedBytes(_) => (DataType::Uint8, size_of::<u8>()),
        }
    }
}

impl Initializer<'_> {
    /// The number of its values.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The size of its raw data in the file.
    pub(crate) fn byte_len(&self) -> usize {
        self.len() * self.data.data_type().1
    }

    /// The tensor's description without its data.
    pub(crate) fn header(&self) -> TensorProto {
        TensorProto {
            name: Some(self.name.clone()),
            dims: self.shape.iter().map(|&d| d as i64).collect(),
            data_type: Some(self.data.data_type().0 as i32),
            ..TensorProto::default()
        }
    }
}

/// One axis of a graph input or output.
#[derive(Clone)]
pub(crate) enum Dimension {
    Fixed(usize),
    Named(&'static str),
}

/// A node's attribute.
pub(crate) enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
}

/// Nodes, weights, inputs and outputs. Every node has one output that counts, named after the node.
#[derive(Default)]
pub(crate) struct Graph<'a> {
    pub(crate) nodes: Vec<NodeProto>,
    pub(crate) initializers: Vec<Initializer<'a>>,
    pub(crate) inputs: Vec<ValueInfoProto>,
    pub(crate) outputs: Vec<ValueInfoProto>,
}

impl<'a> Graph<'a> {
    /// The bytes of all weights.
    pub(crate) fn weight_bytes(&self) -> u64 {
        self.initializers.iter().map(|i| i.byte_len() as u64).sum()
    }

    /// Declares a float input and returns its name.
    pub(crate) fn input(&mut self, name: &str, shape: &[Dimension]) -> String {
        self.inputs.push(value_info(name, shape));
        name.to_owned()
    }

    /// Declares the float value `name` an output of the graph.
    pub(crate) fn output(&mut self, name: &str, shape: &[Dimension]) {
        self.outputs.push(value_info(name, shape));
    }

    /// Ends the graph at the node `name`, whose value becomes the only output, and drops what it doesn't need. `false`,
    /// and nothing is changed, if there is no such node.
    pub(crate) fn end_at(&mut self, name: &str) -> bool {
        if !self.nodes.iter().any(|node| node.name.as_deref() == Some(name)) {
            return false;
        }
        let mut needed = BTreeSet::from([name.to_owned()]);
        // Nodes come after what they need.
        for node in self.nodes.iter().rev() {
            if node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
            }
        }
        self.nodes
            .retain(|node| node.output.iter().any(|output| needed.contains(output)));
        self.initializers
            .retain(|initializer| needed.contains(&initializer.name));
        let mut output = value_info(name, &[]);
        if let Some(type_proto::Value::TensorType(tensor)) = output.r#type.as_mut().and_then(|kind| kind.value.as_mut())
        {
            // Its shape follows from the graph.
            tensor.shape = None;
        }
        self.outputs = vec![output];
        true
    }

    /// Gives the node `from`, and its output, the name `to`. Nothing may use the output yet.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        for node in &mut self.nodes {
            if node.name.as_deref() == Some(from) {
                node.name = Some(to.to_owned());
            }
            node.output
                .iter_mut()
                .filter(|output| *output == from)
                .for_each(|output| to.clone_into(output));
        }
    }

    /// Adds a node and returns the name of its output, which is the node's own.
    pub(crate) fn node(
        &mut self,
        op_type: &str,
        name: impl Into<String>,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = name.into();
        self.node_with(op_type, &[&name], inputs, attributes);
        name
    }

    /// Adds a node with several outputs, named after the first.
    pub(crate) fn node_with(
        &mut self,
        op_type: &str,
        outputs: &[&str],
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.nodes.push(NodeProto {
            op_type: Some(op_type.to_owned()),
            name: outputs.first().map(|&name| name.to_owned()),
            input: owned(inputs),
            output: owned(outputs),
            attribute: attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
            ..NodeProto::default()
        });
    }

    /// Says that the node added last is of an operator set other than ONNX's.
    pub(crate) fn set_domain(&mut self, domain: &str) {
        if let Some(node) = self.nodes.last_mut() {
            node.domain = Some(domain.to_owned());
        }
    }

    /// Adds a weight, whose `values` are asked for when the model is written, and returns its name.
    pub(crate) fn weight(
        &mut self,
        name: impl Into<String>,
        shape: Vec<usize>,
        values: impl Fn() -> Result<Vec<f32>> + 'a,
    ) -> String {
        self.initializer(name.into(), shape, InitializerData::Floats(Rc::new(values)))
    }

    /// The scalar `value` under `name`, added once.
    pub(crate) fn scalar(&mut self, name: &str, value: f32) -> String {
        if self.find(name).is_some() {
            return name.to_owned();
        }
        self.weight(name, Vec::new(), move || Ok(vec![value]))
    }

    /// The integer list `values` under `name`, added once.
    pub(crate) fn integers(&mut self, name: &str, values: &[i64]) -> String {
        if self.find(name).is_some() {
            return name.to_owned();
        }
        self.initializer(
            name.to_owned(),
            vec![values.len()],
            InitializerData::Integers(values.to_vec()),
        )
    }

    /// The scalar 0 as an 8-bit integer under `name`, added once.
    pub(crate) fn zero_byte(&mut self, name: &str) -> String {
        if self.find(name).is_some() {
            return name.to_owned();
        }
        self.initializer(
            name.to_owned(),
            Vec::new(),
            InitializerData::Bytes(Rc::new(|| Ok(vec![0]))),
        )
    }

    /// The constant called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&Initializer<'a>> {
        self.initializers.iter().find(|known| known.name == name)
    }

    /// Gives a constant another shape and other values, in its place.
    pub(crate) fn replace(&mut self, name: &str, shape: Vec<usize>, data: InitializerData<'a>) {
        if let Some(known) = self.initializers.iter_mut().find(|known| known.name == name) {
            (known.shape, known.data) = (shape, data);
        }
    }

    /// Adds a constant of any type and returns its name.
    pub(crate) fn initializer(&mut self, name: String, shape: Vec<usize>, data: InitializerData<'a>) -> String {
        self.initializers.push(Initializer {
            name: name.clone(),
            shape,
            data,
        });
        name
    }
}

impl NodeProto {
    /// The integer attribute `name`, if the node has it.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.attribute.iter().find(|known| known.name() == name)?.i
    }

    /// The integers of the attribute `name`, none if the node lacks it.
    pub(crate) fn ints(&self, name: &str) -> &[i64] {
        let found = self.attribute.iter().find(|known| known.name() == name);
        found.map_or(&[], |known| &known.ints)
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto {
        name: Some(name.to_owned()),
        ..AttributeProto::default()
    };
    let kind = match value {
        Attribute::Int(i) => {
            proto.i = Some(*i);
            AttributeType::Int
        }
        Attribute::Ints(ints) => {
            proto.ints.clone_from(ints);
            AttributeType::Ints
        }
        Attribute::Float(f) => {
            proto.f = Some(*f);
            AttributeType::Float
        }
    };
    proto.r#type = Some(kind as i32);
    proto
}

fn value_info(name: &str, shape: &[Dimension]) -> ValueInfoProto {
    use tensor_shape_proto::dimension::Value;
    let dim = shape
        .iter()
        .map(|dimension| tensor_shape_proto::Dimension {
            value: Some(match dimension {
                Dimension::Fixed(size) => Value::DimValue(*size as i64),
                Dimension::Named(name) => Value::DimParam((*name).to_owned()),
            }),
            ..tensor_shape_proto::Dimension::default()
        })
        .collect();
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: Some(DataType::Float as i32),
                shape: Some(TensorShapeProto { dim }),
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
