//! Writes a model to disk weight by weight, so that the peak memory is one weight and not the whole model.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use tempfile::NamedTempFile;

use super::graph::{Graph, Initializer, InitializerData};
use super::proto::{
    GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, tensor_proto::DataLocation,
};
use crate::{Error, Result};

/// ONNX's IR version 8 and opset 17 (ONNX 1.12) are the oldest with `LayerNormalization`, so that the widest range of
/// runtimes can read the file.
const IR_VERSION: i64 = 8;
const OPSET_VERSION: i64 = 17;

/// The domain of ONNX Runtime's own operators, and its only version.
pub(crate) const MICROSOFT: &str = "com.microsoft";
const MICROSOFT_VERSION: i64 = 1;

/// Protobuf messages end at 2 GiB, so above this size the weights go to a file of their own. 64 MiB are left for the
/// nodes and names.
pub(crate) const EXTERNAL_DATA_ABOVE: u64 = (1 << 31) - (64 << 20);

/// Where weights may start in a file of their own: runtimes that map the file read them in place, as the type they are.
const EXTERNAL_DATA_ALIGNMENT: u64 = 4;

// Field numbers of `onnx.proto`, for the two messages that are written by hand.
const MODEL_GRAPH: u32 = 7;
const GRAPH_INITIALIZER: u32 = 5;
const TENSOR_RAW_DATA: u32 = 9;

/// A graph with what surrounds it in the file.
pub(crate) struct Model<'a> {
    pub(crate) graph: Graph<'a>,
    pub(crate) metadata: &'a [(String, String)],
}

impl Model<'_> {
    /// Writes the model to `path`, and its weights to `path` + `.data` when they exceed `external_above` bytes.
    ///
    /// The files appear under their names complete or not at all. `progress` is told the bytes of each weight written.
    pub(crate) fn write(self, path: &Path, external_above: u64, progress: &mut dyn FnMut(u64)) -> Result<u64> {
        let data_path = external_data_path(path);
        let mut external = None;
        if self.graph.weight_bytes() > external_above {
            external = Some(External {
                file: BufWriter::new(temporary_beside(path)?),
                location: data_path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                len: 0,
            });
        }
        let mut file = BufWriter::new(temporary_beside(path)?);
        self.write_to(&mut file, external.as_mut(), progress, &failed(path))?;
        // Both are on the disk before one of them replaces what was there.
        let file = to_disk(file, path)?;
        let external = external
            .map(|external| to_disk(external.file, &data_path))
            .transpose()?;
        let mut written = 0;
        if let Some(external) = external {
            written += rename(external, &data_path)?;
        }
        Ok(written + rename(file, path)?)
    }

    /// The operator sets that the nodes are of: that of ONNX, and Microsoft's if one of its operators is there.
    fn opsets(&self) -> Vec<OperatorSetIdProto> {
        let opset = |domain: &str, version| OperatorSetIdProto {
            domain: Some(domain.to_owned()),
            version: Some(version),
        };
        let mut opsets = vec![opset("", OPSET_VERSION)];
        if self.graph.nodes.iter().any(|node| node.domain() == MICROSOFT) {
            opsets.push(opset(MICROSOFT, MICROSOFT_VERSION));
        }
        opsets
    }

    fn write_to(
        &self,
        out: &mut impl Write,
        mut external: Option<&mut External>,
        progress: &mut dyn FnMut(u64),
        failed: &dyn Fn(std::io::Error) -> Error,
    ) -> Result<()> {
        // Everything but the weights, as prost encodes it ...
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some(env!("CARGO_PKG_NAME").to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            opset_import: self.opsets(),
            metadata_props: self.metadata.iter().map(|(key, value)| entry(key, value)).collect(),
            ..ModelProto::default()
        };
        let graph = GraphProto {
            name: Some("bonafide".to_owned()),
            node: self.graph.nodes.clone(),
            input: self.graph.inputs.clone(),
            output: self.graph.outputs.clone(),
            ..GraphProto::default()
        };
        let mut offset = 0;
        let tensors: Vec<TensorProto> = self
            .graph
            .initializers
            .iter()
            .map(|initializer| {
                let mut header = initializer.header();
                let is_weight = !matches!(initializer.data, InitializerData::Integers(_));
                if let (Some(external), true) = (&external, is_weight) {
                    offset = u64::next_multiple_of(offset, EXTERNAL_DATA_ALIGNMENT);
                    header.data_location = Some(DataLocation::External as i32);
                    header.external_data = vec![
                        entry("location", &external.location),
                        entry("offset", &offset.to_string()),
                        entry("length", &initializer.byte_len().to_string()),
                    ];
                    offset += initializer.byte_len() as u64;
                }
                header
            })
            .collect();

        // ... then the graph, whose length must be known before its weights are.
        let tensor_len = |tensor: &TensorProto, initializer: &Initializer<'_>| {
            let raw = match tensor.data_location {
                Some(_) => 0,
                None => length_delimited_len(TENSOR_RAW_DATA, initializer.byte_len()),
            };
            tensor.encoded_len() + raw
        };
        let weights_len: usize = tensors
            .iter()
            .zip(&self.graph.initializers)
            .map(|(tensor, initializer)| length_delimited_len(GRAPH_INITIALIZER, tensor_len(tensor, initializer)))
            .sum();

        let mut buffer = model.encode_to_vec();
        start_length_delimited(MODEL_GRAPH, graph.encoded_len() + weights_len, &mut buffer);
        buffer.extend(graph.encode_to_vec());
        out.write_all(&buffer).map_err(failed)?;

        for (tensor, initializer) in tensors.iter().zip(&self.graph.initializers) {
            buffer.clear();
            start_length_delimited(GRAPH_INITIALIZER, tensor_len(tensor, initializer), &mut buffer);
            buffer.extend(tensor.encode_to_vec());
            let data = raw_data(initializer)?;
            match (&mut external, tensor.data_location) {
                (Some(external), Some(_)) => external.append(&data).map_err(failed)?,
                _ => {
                    start_length_delimited(TENSOR_RAW_DATA, data.len(), &mut buffer);
                    buffer.extend(&data);
                }
            }
            out.write_all(&buffer).map_err(failed)?;
            progress(data.len() as u64);
        }
        Ok(())
    }
}

/// The file that holds the weights of a model beyond protobuf's limit.
struct External {
    file: BufWriter<NamedTempFile>,
    location: String,
    len: u64,
}

impl External {
    /// Writes a weight at the next offset that is aligned.
    fn append(&mut self, data: &[u8]) -> std::io::Result<()> {
        let offset = self.len.next_multiple_of(EXTERNAL_DATA_ALIGNMENT);
        let padding = [0; EXTERNAL_DATA_ALIGNMENT as usize];
        self.file.write_all(&padding[..(offset - self.len) as usize])?;
        self.file.write_all(data)?;
        self.len = offset + data.len() as u64;
        Ok(())
    }
}

fn external_data_path(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".data");
    name.into()
}

/// The little-endian bytes of a weight.
fn raw_data(initializer: &Initializer<'_>) -> Result<Vec<u8>> {
    let bytes = initializer.data.bytes()?;
    assert_eq!(
        bytes.len(),
        initializer.byte_len(),
        "{} has other values than its shape",
        initializer.name
    );
    Ok(bytes)
}

fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    }
}

/// The size of a length-delimited field with `len` bytes of content.
fn length_delimited_len(field: u32, len: usize) -> usize {
    key_len(field) + encoded_len_varint(len as u64) + len
}

fn start_length_delimited(field: u32, len: usize, buffer: &mut Vec<u8>) {
    encode_key(field, WireType::LengthDelimited, buffer);
    encode_varint(len as u64, buffer);
}

/// A temporary file in the folder of `path`, so that renaming it to `path` is atomic.
fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bonafide-export-");
    // Temporary files are private by default; a model gets the permissions any new file of the user's would have.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(failed(path))
}

/// Writes what a temporary file still lacks to disk.
fn to_disk(file: BufWriter<NamedTempFile>, path: &Path) -> Result<NamedTempFile> {
    let flush = || -> std::io::Result<NamedTempFile> {
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    flush().map_err(failed(path))
}

/// Gives a temporary file its name. Returns its size.
fn rename(file: NamedTempFile, path: &Path) -> Result<u64> {
    let persist = || -> std::io::Result<u64> {
        let named: File = file.persist(path).map_err(|error| error.error)?;
        Ok(named.metadata()?.len())
    };
    persist().map_err(failed(path))
}

/// Why a file can't be written.
fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Write {
        path: path.clone(),
        source,
    }
}
