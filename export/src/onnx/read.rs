//! Reads what an ONNX file says of itself and its weights, but not the weights.
//!
//! The file is not trusted. It is walked once; the small parts of each message are decoded as the schema has them, and
//! the large ones (weights, attributes, subgraphs) are stepped over, their lengths checked against the file. What is
//! decoded is bounded by [`MAX_DESCRIPTION`] in all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use prost::Message;

use super::proto::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
    tensor_proto::{DataLocation, DataType},
    tensor_shape_proto::dimension,
    type_proto,
};
use crate::{Error, Result};

/// The most bytes of a file that are decoded, over all of its messages. A graph of 48 layers has about 2 MiB of them.
const MAX_DESCRIPTION: u64 = 8 << 20;
/// What a field counts beyond its bytes: an empty one takes memory too.
const FIELD_OVERHEAD: u64 = 32;

// Fields of `onnx.proto` that can be large or many, which are not decoded with the message that they are in.
const MODEL_GRAPH: u32 = 7;
const MODEL_HEAVY: [u32; 3] = [MODEL_GRAPH, 20, 25];
const GRAPH_NODE: u32 = 1;
const GRAPH_INITIALIZER: u32 = 5;
const GRAPH_HEAVY: [u32; 5] = [GRAPH_NODE, GRAPH_INITIALIZER, 13, 14, 15];
const NODE_HEAVY: [u32; 1] = [5];
/// Every way in which a tensor can hold its numbers.
const TENSOR_HEAVY: [u32; 7] = [4, 5, 6, 7, 9, 10, 11];

/// What an ONNX file says of itself.
#[derive(Debug, Default)]
pub(crate) struct Description {
    pub(crate) ir_version: Option<i64>,
    /// Name and version.
    pub(crate) producer: String,
    /// Domain and version of the operator sets; the standard one is `ai.onnx`.
    pub(crate) opsets: Vec<(String, i64)>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
    /// How often each operator is used; those of other domains are preceded by theirs and a dot.
    pub(crate) operators: BTreeMap<String, usize>,
    /// The weights.
    pub(crate) tensors: Vec<Tensor>,
}

/// An input or output of the graph.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) name: String,
    pub(crate) dtype: String,
    /// Sizes, and the names of those that are free (`?` without a name).
    pub(crate) shape: Vec<Axis>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Axis {
    Fixed(i64),
    Free(String),
}

/// A weight.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: Vec<u64>,
    /// The bytes of its numbers, here or in the other file.
    pub(crate) bytes: u64,
    /// The bytes that its type and shape ask for, where both are known.
    pub(crate) expected_bytes: Option<u64>,
    /// The file that holds them, if it isn't this one, and where in it.
    pub(crate) external: Option<External>,
}

#[derive(Debug)]
pub(crate) struct External {
    pub(crate) location: String,
    pub(crate) end: u64,
}

impl Description {
    /// Reads the description of the file at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let open = || -> std::io::Result<(File, u64)> {
            let metadata = std::fs::metadata(path)?;
            if !metadata.is_file() {
                // Opening a pipe could wait forever.
                return Err(std::io::Error::other("it is not a regular file"));
            }
            Ok((File::open(path)?, metadata.len()))
        };
        let (file, len) = open().map_err(|source| Error::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut walker = Walker {
            file: BufReader::new(file),
            position: 0,
            left: MAX_DESCRIPTION,
        };
        walker.model(len).map_err(|detail| Error::Onnx {
            path: path.to_owned(),
            detail,
        })
    }

    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let found = self.metadata.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// The file, and how far it has been read. Errors are sentences.
struct Walker<R> {
    file: BufReader<R>,
    position: u64,
    /// How many more bytes may be decoded.
    left: u64,
}

/// A message in two parts.
struct Split {
    /// The encoded fields that are small.
    light: Vec<u8>,
    /// Number and content of the fields that were stepped over.
    heavy: Vec<(u32, Range<u64>)>,
    /// The bytes of their contents. A number that isn't length-delimited counts with its width.
    heavy_bytes: u64,
}

impl<R: Read + Seek> Walker<R> {
    fn model(&mut self, len: u64) -> Result<Description, String> {
        let Split { light, heavy, .. } = self.split(0..len, &MODEL_HEAVY)?;
        let model: ModelProto = decode(&light)?;
        let mut graphs = heavy.into_iter().filter(|(field, _)| *field == MODEL_GRAPH);
        let (Some((_, graph)), None) = (graphs.next(), graphs.next()) else {
            return Err("it does not have exactly one graph, so it is no ONNX model".to_owned());
        };
        let mut description = Description {
            ir_version: model.ir_version,
            producer: [model.producer_name, model.producer_version]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" "),
            opsets: model
                .opset_import
                .into_iter()
                .map(|opset| (domain(opset.domain), opset.version.unwrap_or(0)))
                .collect(),
            metadata: model
                .metadata_props
                .into_iter()
                .map(|entry| (entry.key.unwrap_or_default(), entry.value.unwrap_or_default()))
                .collect(),
            ..Description::default()
        };

        let Split { light, heavy, .. } = self.split(graph, &GRAPH_HEAVY)?;
        let graph: GraphProto = decode(&light)?;
        description.inputs = graph.input.into_iter().map(value).collect();
        description.outputs = graph.output.into_iter().map(value).collect();
        for (field, content) in heavy {
            match field {
                GRAPH_NODE => {
                    let node: NodeProto = decode(&self.split(content, &NODE_HEAVY)?.light)?;
                    let operator = node.op_type.unwrap_or_default();
                    let operator = match domain(node.domain).as_str() {
                        "ai.onnx" => operator,
                        other => format!("{other}.{operator}"),
                    };
                    *description.operators.entry(operator).or_default() += 1;
                }
                GRAPH_INITIALIZER => {
                    let split = self.split(content, &TENSOR_HEAVY)?;
                    description
                        .tensors
                        .push(tensor(decode(&split.light)?, split.heavy_bytes)?);
                }
                _ => {}
            }
        }
        Ok(description)
    }

    /// Reads a message, but for the contents of its fields `heavy`.
    fn split(&mut self, message: Range<u64>, heavy: &[u32]) -> Result<Split, String> {
        let mut split = Split {
            light: Vec::new(),
            heavy: Vec::new(),
            heavy_bytes: 0,
        };
        self.go_to(message.start)?;
        while self.position < message.end {
            let start = self.position;
            let key = self.varint(message.end)?;
            let number = u32::try_from(key >> 3).unwrap_or(0);
            let content_start = match key & 7 {
                2 => None,
                _ => Some(self.position),
            };
            let content_len = match key & 7 {
                0 => {
                    self.varint(message.end)?;
                    self.position - content_start.unwrap_or(start)
                }
                1 => 8,
                2 => self.varint(message.end)?,
                5 => 4,
                other => return Err(format!("it is not ONNX: wire type {other} at byte {start}")),
            };
            let content_start = content_start.unwrap_or(self.position);
            let content_end = content_start.checked_add(content_len).filter(|end| *end <= message.end);
            let Some(end) = content_end else {
                return Err(format!(
                    "it is cut off or not ONNX: a field at byte {start} claims {content_len} bytes, but {} are left",
                    message.end.saturating_sub(content_start)
                ));
            };
            if heavy.contains(&number) {
                self.spend(FIELD_OVERHEAD)?;
                split.heavy_bytes += content_len;
                split.heavy.push((number, content_start..end));
                self.go_to(end)?;
            } else {
                self.spend(FIELD_OVERHEAD + (end - start))?;
                self.go_to(start)?;
                let old = split.light.len();
                split.light.resize(old + (end - start) as usize, 0);
                self.file
                    .read_exact(&mut split.light[old..])
                    .map_err(|error| error.to_string())?;
                self.position = end;
            }
        }
        Ok(split)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!(
                "it is not ONNX, or far too large: what it says beside its weights exceeds {MAX_DESCRIPTION} bytes (at \
                 byte {})",
                self.position
            )
        })?;
        Ok(())
    }

    fn varint(&mut self, end: u64) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            if self.position == end {
                return Err("it is cut off or not ONNX: it ends inside a number".to_owned());
            }
            let mut byte = [0];
            self.file.read_exact(&mut byte).map_err(|error| error.to_string())?;
            self.position += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(format!("it is not ONNX: a number at byte {} has no end", self.position))
    }

    fn go_to(&mut self, position: u64) -> Result<(), String> {
        // Within what is buffered this costs nothing.
        let moved = match i64::try_from(i128::from(position) - i128::from(self.position)) {
            Ok(distance) => self.file.seek_relative(distance),
            Err(_) => self.file.seek(SeekFrom::Start(position)).map(|_| ()),
        };
        moved.map_err(|error| error.to_string())?;
        self.position = position;
        Ok(())
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, String> {
    M::decode(bytes).map_err(|error| format!("it is damaged or not ONNX: {error}"))
}

fn domain(domain: Option<String>) -> String {
    domain
        .filter(|domain| !domain.is_empty())
        .unwrap_or_else(|| "ai.onnx".to_owned())
}

fn value(info: ValueInfoProto) -> Value {
    let kind = info.r#type.and_then(|kind| kind.value);
    let (dtype, shape) = match kind {
        Some(type_proto::Value::TensorType(tensor)) => (dtype(tensor.elem_type), tensor.shape),
        _ => ("not a tensor".to_owned(), None),
    };
    let axis = |value: Option<dimension::Value>| match value {
        Some(dimension::Value::DimValue(size)) if size > 0 => Axis::Fixed(size),
        Some(dimension::Value::DimParam(name)) if !name.is_empty() => Axis::Free(name),
        _ => Axis::Free("?".to_owned()),
    };
    Value {
        name: info.name.unwrap_or_default(),
        dtype,
        shape: shape
            .into_iter()
            .flat_map(|shape| shape.dim)
            .map(|dim| axis(dim.value))
            .collect(),
    }
}

fn tensor(header: TensorProto, bytes_here: u64) -> Result<Tensor, String> {
    let name = header.name.unwrap_or_default();
    let invalid = |what: &str| format!("weight `{}` has {what}", name.escape_debug());
    let shape: Vec<u64> = header
        .dims
        .iter()
        .map(|&size| u64::try_from(size).map_err(|_| invalid("a negative size")))
        .collect::<Result<_, _>>()?;
    let width = header.data_type.and_then(width);
    let count = shape.iter().try_fold(1_u64, |count, &size| count.checked_mul(size));
    let count = count.ok_or_else(|| invalid("more numbers than can be counted"))?;
    let expected_bytes = width.and_then(|bits| Some(count.checked_mul(bits)?.div_ceil(8)));

    let mut bytes = bytes_here;
    let mut external = None;
    if header.data_location == Some(DataLocation::External as i32) {
        let entry = |wanted: &str| {
            let found = header
                .external_data
                .iter()
                .find(|entry| entry.key.as_deref() == Some(wanted));
            found.and_then(|entry| entry.value.as_deref())
        };
        let number = |wanted: &str| entry(wanted).map(str::parse::<u64>).transpose();
        let offset = number("offset")
            .map_err(|_| invalid("an offset that is no number"))?
            .unwrap_or(0);
        let length = number("length").map_err(|_| invalid("a length that is no number"))?;
        bytes = length.or(expected_bytes).unwrap_or(0);
        external = Some(External {
            location: entry("location").ok_or_else(|| invalid("no location"))?.to_owned(),
            end: offset
                .checked_add(bytes)
                .ok_or_else(|| invalid("an end beyond any file"))?,
        });
    }
    Ok(Tensor {
        dtype: dtype(header.data_type),
        name,
        shape,
        bytes,
        expected_bytes,
        external,
    })
}

/// A type's name, in the spelling of NumPy.
fn dtype(data_type: Option<i32>) -> String {
    match data_type.map(DataType::try_from) {
        Some(Ok(DataType::Float)) => "float32".to_owned(),
        Some(Ok(DataType::Double)) => "float64".to_owned(),
        Some(Ok(known)) => known.as_str_name().to_lowercase(),
        Some(Err(_)) | None => "unknown".to_owned(),
    }
}

/// Bits of a number of the types that weights have.
fn width(data_type: i32) -> Option<u64> {
    Some(match DataType::try_from(data_type).ok()? {
        DataType::Double | DataType::Int64 | DataType::Uint64 => 64,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 32,
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => 16,
        DataType::Int8 | DataType::Uint8 | DataType::Bool => 8,
        DataType::Int4 | DataType::Uint4 => 4,
        _ => return None,
    })
}
