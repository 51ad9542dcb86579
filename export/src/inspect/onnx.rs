//! What an ONNX model is.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::json;

use super::{ExternalData, FileInfo, Inspection, Kind, OnnxInfo, Port, TensorSummary};
use crate::Result;
use crate::onnx::{Axis, Description, Value};

/// The most problems that are reported; the rest is counted.
const MAX_PROBLEMS: usize = 10;

pub(super) fn inspect(path: &Path, model: &Description, progress: &mut dyn FnMut(u64)) -> Result<Inspection> {
    let mut files = vec![FileInfo::read(path, progress)?];
    let mut problems = Vec::new();

    let external_data = external_data(path, model);
    for data in &external_data {
        match data.bytes {
            Some(bytes) if bytes < data.needed_bytes => problems.push(format!(
                "`{}` has {bytes} bytes, and the model needs {}: copy it again",
                data.location, data.needed_bytes
            )),
            Some(_) => files.push(FileInfo::read(&path.with_file_name(&data.location), progress)?),
            None => problems.push(format!(
                "its weights are in `{}`, which isn't there: put it beside the model",
                data.location
            )),
        }
    }
    let misfits = model
        .tensors
        .iter()
        .filter(|tensor| tensor.expected_bytes.is_some_and(|expected| expected != tensor.bytes));
    problems.extend(misfits.map(|tensor| {
        format!(
            "weight `{}` has {} bytes, but {} {:?} takes {}",
            tensor.name.escape_debug(),
            tensor.bytes,
            tensor.dtype,
            tensor.shape,
            tensor.expected_bytes.unwrap_or(0)
        )
    }));
    if problems.len() > MAX_PROBLEMS {
        let more = problems.len() - MAX_PROBLEMS;
        problems.truncate(MAX_PROBLEMS);
        problems.push(format!("and {more} more like these"));
    }

    let tensors = model.tensors.iter().map(|tensor| TensorSummary {
        name: tensor.name.clone(),
        dtype: tensor.dtype.clone(),
        shape: tensor.shape.clone(),
        bytes: tensor.bytes,
    });
    let mut found = Inspection::of_tensors(Kind::Onnx, files, tensors.collect());
    found.problems = problems;
    let text = |key: &str| model.metadata(&format!("bonafide.{key}")).map(str::to_owned);
    found.precision = text("precision");
    found.normalization = text("normalization");
    found.labels = text("labels").map_or_else(Vec::new, |labels| labels.split(',').map(str::to_owned).collect());
    found.metadata = model
        .metadata
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    found.onnx = Some(OnnxInfo {
        ir_version: model.ir_version,
        opsets: model.opsets.iter().cloned().collect(),
        producer: model.producer.clone(),
        inputs: model.inputs.iter().map(port).collect(),
        outputs: model.outputs.iter().map(port).collect(),
        operators: model.operators.clone(),
        external_data,
    });
    Ok(found)
}

fn port(value: &Value) -> Port {
    let axis = |axis: &Axis| match axis {
        Axis::Fixed(size) => json!(size),
        Axis::Free(name) => json!(name),
    };
    Port {
        name: value.name.clone(),
        dtype: value.dtype.clone(),
        shape: value.shape.iter().map(axis).collect(),
    }
}

/// The files that hold weights. One outside of the model's folder is none of the model's business and not looked for.
fn external_data(path: &Path, model: &Description) -> Vec<ExternalData> {
    let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
    for external in model.tensors.iter().filter_map(|tensor| tensor.external.as_ref()) {
        let end = needed.entry(&external.location).or_default();
        *end = external.end.max(*end);
    }
    let size = |location: &str| {
        let inside = Path::new(location)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let metadata = inside
            .then(|| std::fs::metadata(path.with_file_name(location)).ok())
            .flatten()?;
        metadata.is_file().then_some(metadata.len())
    };
    let found = needed.into_iter().map(|(location, needed_bytes)| ExternalData {
        location: location.to_owned(),
        bytes: size(location),
        needed_bytes,
    });
    found.collect()
}
