//! What a checkpoint is.

use serde_json::json;

use super::{FileInfo, Inspection, Kind, TensorSummary};
use crate::checkpoint::{Checkpoint, Value};
use crate::layout::recognise;
use crate::{Error, Layout, Normalization, Options, Result, lite};

pub(super) fn inspect(checkpoint: &Checkpoint, progress: &mut dyn FnMut(u64)) -> Result<Inspection> {
    let tensors = checkpoint.tensors().map(|(name, tensor)| TensorSummary {
        name: name.to_owned(),
        dtype: tensor.dtype.to_string(),
        shape: tensor.shape.iter().map(|&size| size as u64).collect(),
        bytes: tensor.bytes(),
    });
    let paths = checkpoint
        .index()
        .into_iter()
        .chain(checkpoint.files().map(|(path, _)| path));
    let files = paths.map(|path| FileInfo::read(path, progress));
    let mut found = Inspection::of_tensors(Kind::Checkpoint, files.collect::<Result<_>>()?, tensors.collect());
    found.format = Some(checkpoint.format().to_string());

    match lite::find(checkpoint, None) {
        Ok(Some(config)) => {
            found.layout = Some(Layout::Lite);
            found.labels = ["bonafide", "spoof"].map(str::to_owned).into();
            found.normalization = Some("none".to_owned());
            found.lite_config = Some(config);
        }
        Ok(None) => of_wav2vec2(checkpoint, &mut found),
        Err(error) => found.problems.push(error.to_string()),
    }

    let metadata = &mut found.metadata;
    if let Some(epoch) = checkpoint.epoch() {
        metadata.insert("epoch".to_owned(), epoch.into());
    }
    if let Some(eer) = checkpoint.best_eer() {
        metadata.insert("best_eer".to_owned(), json!(eer));
    }
    let training = checkpoint.config().iter();
    metadata.extend(training.map(|(key, value)| (format!("config.{key}"), plain(value))));
    Ok(found)
}

/// Fills in what follows from the layout.
fn of_wav2vec2(checkpoint: &Checkpoint, found: &mut Inspection) {
    // One that can't be exported can still be looked at, and best one that only lacks the names of its classes.
    let mut options = Options::default();
    let mut recognised = recognise(checkpoint, &options);
    if let Err(error @ Error::Labels { .. }) = &recognised {
        found.problems.push(error.to_string());
        options.spoof_index = Some(1);
        recognised = recognise(checkpoint, &options);
    }
    match recognised {
        Ok(network) => {
            found.layout = Some(network.layout);
            if options.spoof_index.is_none() {
                let mut labels = ["bonafide", "spoof"].map(str::to_owned);
                labels.rotate_left(usize::from(network.labels.spoof_index == 0));
                found.labels = labels.into();
            }
            let normalization = match network.normalization {
                Normalization::None => "none",
                Normalization::ZeroMeanUnitVariance => "zero-mean-unit-variance",
                Normalization::LayerNorm => "layer-norm",
            };
            found.normalization = Some(normalization.to_owned());
            found.config = Some(network.config);
        }
        Err(error) => found.problems.push(error.to_string()),
    }
}

/// A value as JSON. NaN and infinities, which JSON lacks, become text.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::None => serde_json::Value::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) if value.is_finite() => json!(value),
        Value::Float(value) => json!(value.to_string()),
        Value::Str(text) => json!(text),
        Value::List(list) => list.iter().map(plain).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        Value::Other(what) => json!(what),
    }
}
