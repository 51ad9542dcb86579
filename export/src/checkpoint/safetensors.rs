//! A safetensors file: the length of a header (`u64`), the header in JSON, and the tensors' numbers one after the other.
#![forbid(unsafe_code)]

use safetensors::Dtype as StoredDtype;
use safetensors::tensor::Metadata;

use super::file::{Map, Part, WeightFile};
use super::tensor::{Dtype, TensorInfo};
use super::torch::Contents;
use super::{Format, MAX_NAMES, check_name, shown};
use crate::{Error, Result};

/// The largest header read, in bytes. That of a network with a thousand tensors has 0.1 MB. The format itself allows
/// 100 MB, of which a reader makes several times as much.
const MAX_HEADER_BYTES: usize = 8 << 20;
/// The length of the header's length.
const PREFIX: usize = size_of::<u64>();

/// Whether the file looks like one: its header opens a JSON object.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(PREFIX) == Some(&b'{')
}

/// Reads the header.
pub(super) fn read(map: Map) -> Result<(WeightFile, Contents)> {
    let (parts, tensors) = read_header(map.bytes()).map_err(|detail| Error::Archive {
        path: map.path().to_owned(),
        format: Format::Safetensors,
        detail,
    })?;
    let file = WeightFile::new(map, Format::Safetensors, parts);

    let mut contents = Contents::default();
    for (name, dtype, shape) in tensors {
        let tensor = TensorInfo::of_part(&file, &name, dtype, shape).map_err(|detail| Error::InvalidTensor {
            path: file.path().to_owned(),
            name: name.clone(),
            detail,
        })?;
        contents.tensors.insert(name, tensor);
    }
    Ok((file, contents))
}

/// A tensor's name, the type of its numbers, and its shape.
type Described = (String, Dtype, Vec<usize>);

/// The tensors' places and descriptions. Says what is wrong with them otherwise.
fn read_header(bytes: &[u8]) -> Result<(Vec<Part>, Vec<Described>), String> {
    let Some((&len, rest)) = bytes.split_first_chunk() else {
        return Err(format!("it has only {} bytes (is it truncated?)", bytes.len()));
    };
    let len = u64::from_le_bytes(len);
    let header = usize::try_from(len).ok().filter(|&len| len <= MAX_HEADER_BYTES);
    let Some(header_len) = header else {
        return Err(format!(
            "its header has {len} bytes, expected at most {MAX_HEADER_BYTES}"
        ));
    };
    let Some(header) = rest.get(..header_len) else {
        return Err(format!(
            "its header of {len} bytes runs past the end (is it truncated?)"
        ));
    };
    // This checks that the tensors lie one after the other without a gap, and that each has the bytes of its shape.
    let metadata: Metadata = serde_json::from_slice(header).map_err(|error| format!("its header: {error}"))?;
    let numbers = bytes.len() - PREFIX - header_len;
    if metadata.data_len() != numbers {
        return Err(format!(
            "its tensors take {} bytes, and it has {numbers} for them (is it truncated?)",
            metadata.data_len()
        ));
    }
    // Those of TensorFlow, JAX and MLX may be in other orders of dimensions.
    let framework = metadata.metadata().as_ref().and_then(|entries| entries.get("format"));
    if let Some(framework) = framework.filter(|framework| *framework != "pt") {
        return Err(format!(
            "its tensors are those of the framework `{}`, expected `pt` (PyTorch)",
            shown(framework)
        ));
    }

    let tensors = metadata.tensors();
    if tensors.is_empty() || tensors.len() > MAX_NAMES {
        return Err(format!("it has {} tensors, expected 1 to {MAX_NAMES}", tensors.len()));
    }
    let mut parts = Vec::with_capacity(tensors.len());
    let mut described = Vec::with_capacity(tensors.len());
    for (name, info) in tensors {
        check_name(&name).map_err(|detail| format!("its tensor `{}` {detail}", shown(&name)))?;
        let Some(dtype) = dtype(info.dtype) else {
            return Err(format!(
                "tensor `{}` has type {}, expected a number type of PyTorch 1",
                shown(&name),
                info.dtype
            ));
        };
        let (start, end) = info.data_offsets;
        let start_of_numbers = PREFIX + header_len;
        // Within the file, since the last one's end is the file's.
        parts.push(Part::new(
            name.clone(),
            start_of_numbers + start..start_of_numbers + end,
        ));
        described.push((name, dtype, info.shape.clone()));
    }
    Ok((parts, described))
}

fn dtype(stored: StoredDtype) -> Option<Dtype> {
    Some(match stored {
        StoredDtype::F64 => Dtype::F64,
        StoredDtype::F32 => Dtype::F32,
        StoredDtype::F16 => Dtype::F16,
        StoredDtype::BF16 => Dtype::Bf16,
        StoredDtype::I64 => Dtype::I64,
        StoredDtype::I32 => Dtype::I32,
        StoredDtype::I16 => Dtype::I16,
        StoredDtype::I8 => Dtype::I8,
        StoredDtype::U8 => Dtype::U8,
        StoredDtype::BOOL => Dtype::Bool,
        _ => return None,
    })
}
