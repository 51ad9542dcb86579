//! Reads the outside of an ONNX file: inputs, outputs and metadata, but no weights and no nodes.
//!
//! The file is not trusted. It is walked once, field by field, and every length is checked against the file's size
//! before anything is read, so that a cut-off file is found here, with a clear error, and not inside a runtime. Memory
//! is bounded by [`MAX_TEXT`] and [`MAX_ENTRIES`]. Field numbers are those of `onnx.proto`.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek};

/// Longest name or metadata value read, in bytes.
const MAX_TEXT: u64 = 1 << 16;
/// Most inputs, outputs or metadata entries read.
const MAX_ENTRIES: usize = 1 << 10;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// What the outside of a model says.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) inputs: Vec<ValueInfo>,
    pub(crate) outputs: Vec<ValueInfo>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// An input or output of the graph.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ValueInfo {
    pub(crate) name: String,
    pub(crate) is_f32: bool,
    pub(crate) shape: Vec<Dimension>,
}

/// One axis of an input or output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Dimension {
    Fixed(usize),
    /// Any size.
    Free,
}

impl Dimension {
    /// Whether the axis can have this size.
    pub(crate) fn admits(self, size: usize) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == size,
            Self::Free => true,
        }
    }
}

/// A readable list of inputs or outputs, such as `waveform: f32 [?, 64000]`.
pub(crate) fn describe(values: &[ValueInfo]) -> String {
    let one = |value: &ValueInfo| {
        let axes: Vec<String> = value
            .shape
            .iter()
            .map(|dimension| match dimension {
                Dimension::Fixed(size) => size.to_string(),
                Dimension::Free => "?".to_owned(),
            })
            .collect();
        let kind = if value.is_f32 { "f32" } else { "another type" };
        format!("{}: {kind} [{}]", value.name, axes.join(", "))
    };
    match values {
        [] => "none".to_owned(),
        values => values.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

/// Scans an ONNX file of `len` bytes. The error is a sentence.
pub(crate) fn scan(file: impl Read + Seek, len: u64) -> Result<Header, String> {
    if len == 0 {
        return Err("it is empty".to_owned());
    }
    let mut header = Header::default();
    let mut graphs = 0;
    let mut message = Message {
        reader: &mut Reader {
            file: BufReader::new(file),
            position: 0,
        },
        end: len,
    };
    message.fields(|field, value| match (field, value) {
        (7, Value::Bytes(mut graph)) => {
            graphs += 1;
            graph.graph(&mut header)
        }
        (14, Value::Bytes(mut entry)) => entry.metadata_entry(&mut header.metadata),
        _ => Ok(()),
    })?;
    match graphs {
        1 => Ok(header),
        n => Err(format!("expected an ONNX model with one graph, found {n} graphs")),
    }
}

/// The file and how far it has been read.
struct Reader<R> {
    file: BufReader<R>,
    position: u64,
}

/// A protobuf message, or string, that ends at `end` in the file. What of it isn't read is skipped.
struct Message<'a, R> {
    reader: &'a mut Reader<R>,
    end: u64,
}

/// A field's value.
enum Value<'a, R> {
    Integer(u64),
    Bytes(Message<'a, R>),
}

impl<R: Read + Seek> Message<'_, R> {
    /// Calls `visit` with every field's number and value.
    fn fields(&mut self, mut visit: impl FnMut(u64, Value<'_, R>) -> Result<(), String>) -> Result<(), String> {
        while self.reader.position < self.end {
            let key = self.varint()?;
            let (field, wire_type) = (key >> 3, key & 7);
            match wire_type {
                0 => {
                    let value = self.varint()?;
                    visit(field, Value::Integer(value))?;
                }
                1 => self.skip_to(self.reader.position + 8)?,
                2 => {
                    let len = self.varint()?;
                    let end = self.reader.position.checked_add(len).filter(|end| *end <= self.end);
                    let Some(end) = end else {
                        return Err(format!(
                            "it is cut off or not ONNX: a field at byte {} claims {len} bytes, but {} are left",
                            self.reader.position,
                            self.end - self.reader.position
                        ));
                    };
                    let value = Message {
                        reader: self.reader,
                        end,
                    };
                    visit(field, Value::Bytes(value))?;
                    self.skip_to(end)?;
                }
                5 => self.skip_to(self.reader.position + 4)?,
                _ => {
                    return Err(format!(
                        "it is not ONNX: wire type {wire_type} at byte {}",
                        self.reader.position
                    ));
                }
            }
        }
        Ok(())
    }

    fn graph(&mut self, header: &mut Header) -> Result<(), String> {
        self.fields(|field, value| match (field, value) {
            (11, Value::Bytes(mut info)) => push(&mut header.inputs, info.value_info()?),
            (12, Value::Bytes(mut info)) => push(&mut header.outputs, info.value_info()?),
            _ => Ok(()),
        })
    }

    fn value_info(&mut self) -> Result<ValueInfo, String> {
        let mut info = ValueInfo::default();
        self.fields(|field, value| match (field, value) {
            (1, Value::Bytes(mut name)) => name.text().map(|name| info.name = name),
            (2, Value::Bytes(mut kind)) => kind.fields(|field, value| match (field, value) {
                (1, Value::Bytes(mut tensor)) => tensor.fields(|field, value| match (field, value) {
                    (1, Value::Integer(data_type)) => {
                        info.is_f32 = data_type == FLOAT;
                        Ok(())
                    }
                    (2, Value::Bytes(mut shape)) => shape.fields(|field, value| match (field, value) {
                        (1, Value::Bytes(mut dimension)) => push(&mut info.shape, dimension.dimension()?),
                        _ => Ok(()),
                    }),
                    _ => Ok(()),
                }),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })?;
        Ok(info)
    }

    fn dimension(&mut self) -> Result<Dimension, String> {
        let mut dimension = Dimension::Free;
        self.fields(|field, value| {
            if let (1, Value::Integer(size)) = (field, value) {
                // Some exporters write -1 or 0 for a free axis.
                dimension = match usize::try_from(size as i64) {
                    Ok(size) if size > 0 => Dimension::Fixed(size),
                    _ => Dimension::Free,
                };
            }
            Ok(())
        })?;
        Ok(dimension)
    }

    fn metadata_entry(&mut self, entries: &mut BTreeMap<String, String>) -> Result<(), String> {
        let (mut key, mut text) = (String::new(), String::new());
        self.fields(|field, value| match (field, value) {
            (1, Value::Bytes(mut message)) => message.text().map(|read| key = read),
            (2, Value::Bytes(mut message)) => message.text().map(|read| text = read),
            _ => Ok(()),
        })?;
        if entries.len() == MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} metadata entries"));
        }
        entries.insert(key, text);
        Ok(())
    }

    /// The message as a string.
    fn text(&mut self) -> Result<String, String> {
        let len = self.end - self.reader.position;
        if len > MAX_TEXT {
            return Err(format!("a name or metadata value of {len} bytes exceeds {MAX_TEXT}"));
        }
        let mut bytes = vec![0; len as usize];
        self.reader
            .file
            .read_exact(&mut bytes)
            .map_err(|error| error.to_string())?;
        self.reader.position = self.end;
        String::from_utf8(bytes).map_err(|_| "a name or metadata value is not UTF-8".to_owned())
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            if self.reader.position == self.end {
                return Err("it is cut off or not ONNX: it ends inside a number".to_owned());
            }
            let mut byte = [0];
            self.reader
                .file
                .read_exact(&mut byte)
                .map_err(|error| error.to_string())?;
            self.reader.position += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(format!(
            "it is not ONNX: a number at byte {} has no end",
            self.reader.position
        ))
    }

    fn skip_to(&mut self, position: u64) -> Result<(), String> {
        if position > self.end {
            return Err("it is cut off or not ONNX: it ends inside a field".to_owned());
        }
        let distance = position - self.reader.position;
        // A seek within what is buffered costs nothing; the nodes' few bytes are skipped that way.
        let distance = i64::try_from(distance).map_err(|error| error.to_string())?;
        self.reader
            .file
            .seek_relative(distance)
            .map_err(|error| error.to_string())?;
        self.reader.position = position;
        Ok(())
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), String> {
    if list.len() == MAX_ENTRIES {
        return Err(format!("it has more than {MAX_ENTRIES} inputs, outputs or axes"));
    }
    list.push(item);
    Ok(())
}
