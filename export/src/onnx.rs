//! Just enough of ONNX: the schema's types, a graph under construction, a writer that streams, and a reader that leaves
//! the weights where they are.
#![forbid(unsafe_code)]

mod graph;
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::all,
    reason = "generated from ONNX's schema by scripts/onnx-proto.sh"
)]
mod proto;
mod read;
mod write;

pub(crate) use graph::{Attribute, Dimension, Graph, InitializerData, Values};
pub(crate) use proto::NodeProto;
pub(crate) use proto::tensor_proto::DataType;
pub(crate) use read::{Axis, Description, Value};
pub(crate) use write::{EXTERNAL_DATA_ABOVE, MICROSOFT, Model};
