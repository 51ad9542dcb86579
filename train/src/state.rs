//! The state of an unfinished run, from which it goes on exactly.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files::{self, Tensors};
use crate::log::Epoch;
use crate::network::Weights;
use crate::recipe::{AdamW, Moments};
use crate::settings::Settings;
use crate::{Error, Result};

const FILE: &str = "state.safetensors";

/// Where a run is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Whole epochs done.
    pub(crate) epoch: usize,
    /// Steps done of the next.
    pub(crate) step: usize,
    /// Steps that the optimiser has taken.
    pub(crate) optimiser_steps: u64,
    /// Sum of the losses of the steps done.
    pub(crate) loss_sum: f64,
    /// Sum of the gradients' norms of the steps done.
    pub(crate) norm_sum: f64,
    /// Epochs since the best.
    pub(crate) stale: usize,
    /// The run is over.
    pub(crate) done: bool,
    /// What the epochs came to.
    pub(crate) log: Vec<Epoch>,
}

/// The running mean of the trained weights, by name.
pub(crate) type Average = BTreeMap<String, Vec<f32>>;

/// A run that goes on.
pub(crate) struct Resumed {
    progress: Progress,
    optimiser: AdamW,
    average: Average,
    /// What it is a run on.
    data: Value,
}

impl Resumed {
    /// Where the run is. Refuses to go on with other data than it began with: `now` has digests by what they are of.
    pub(crate) fn on(self, out: &Path, now: &Value) -> Result<(Progress, AdamW, Average)> {
        match differing(now, &self.data) {
            None => Ok((self.progress, self.optimiser, self.average)),
            Some((what, _)) => Err(Error::OtherData {
                path: out.to_owned(),
                what: what.clone(),
            }),
        }
    }
}

/// Writes the state. Frozen weights are not in it: they are those of the checkpoint that the run started from.
pub(crate) fn write(
    settings: &Settings,
    data: &Value,
    progress: &Progress,
    weights: &Weights,
    optimiser: &AdamW,
    average: &Average,
) -> Result<()> {
    let mut tensors = Tensors::new();
    let flat = |numbers: &Vec<f32>| (vec![numbers.len()], numbers.clone());
    for (name, (_, numbers)) in weights.unfrozen()? {
        tensors.insert(format!("weight:{name}"), flat(&numbers));
    }
    for (name, Moments { first, second }) in optimiser.moments() {
        tensors.insert(format!("first:{name}"), flat(first));
        tensors.insert(format!("second:{name}"), flat(second));
    }
    for (name, numbers) in average {
        tensors.insert(format!("average:{name}"), flat(numbers));
    }
    let notes = with_bits(json!({"settings": settings, "data": data, "progress": progress}));
    files::write_tensors(&settings.out.join(FILE), &tensors, Some(&notes))
}

/// What precedes the bits of a number.
const BITS: &str = "f64:";

/// The numbers that aren't whole, as strings of their bits: a reader of JSON may be off by the last of them.
fn with_bits(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let bits = number.as_f64().unwrap_or_default().to_bits();
            Value::String(format!("{BITS}{bits:016x}"))
        }
        Value::Array(values) => values.into_iter().map(with_bits).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, with_bits(value)))
            .collect(),
        other => other,
    }
}

/// The inverse of [`with_bits`].
fn without_bits(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let bits = text.strip_prefix(BITS).filter(|digits| digits.len() == 16);
            match bits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
                Some(bits) => json!(f64::from_bits(bits)),
                None => Value::String(text),
            }
        }
        Value::Array(values) => values.into_iter().map(without_bits).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, without_bits(value)))
            .collect(),
        other => other,
    }
}

/// Reads the state of a run with the same settings into `weights`, if there is one.
pub(crate) fn read(settings: &Settings, weights: &mut Weights) -> Result<Option<Resumed>> {
    let path = settings.out.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let (tensors, notes) = files::read_tensors(&path)?;
    let mut notes = without_bits(notes);
    same_settings(&settings.out, &json!(settings), &notes["settings"])?;
    let progress: Progress = serde_json::from_value(notes["progress"].take()).map_err(|error| Error::Format {
        path: path.clone(),
        fault: error.to_string(),
    })?;

    let mut of_kind: BTreeMap<&str, BTreeMap<String, Vec<f32>>> = BTreeMap::new();
    for (name, (_, numbers)) in &tensors {
        if let Some((kind, name)) = name.split_once(':') {
            of_kind
                .entry(kind)
                .or_default()
                .insert(name.to_owned(), numbers.clone());
        }
    }
    let mut take = |kind| of_kind.remove(kind).unwrap_or_default();
    weights.replace(take("weight"))?;
    let (first, mut second) = (take("first"), take("second"));
    let moments = first.into_iter().filter_map(|(name, first)| {
        let second = second.remove(&name)?;
        Some((name, Moments { first, second }))
    });
    let optimiser = AdamW::resume(settings.weight_decay, progress.optimiser_steps, moments.collect());
    Ok(Some(Resumed {
        progress,
        optimiser,
        average: take("average"),
        data: notes["data"].take(),
    }))
}

/// Refuses to go on with other settings than the run began with.
fn same_settings(out: &Path, now: &Value, then: &Value) -> Result<()> {
    match differing(now, then) {
        None => Ok(()),
        Some((field, value)) => Err(Error::OtherRun {
            path: out.to_owned(),
            field: field.clone(),
            expected: value.to_string(),
            found: then.get(field).unwrap_or(&Value::Null).to_string(),
        }),
    }
}

/// The first field that `then` has otherwise. What it has not is null, as a setting is that came later and is not used.
fn differing<'a>(now: &'a Value, then: &Value) -> Option<(&'a String, &'a Value)> {
    let mut fields = now.as_object()?.iter();
    fields.find(|(field, value)| then.get(field).unwrap_or(&Value::Null) != *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_came_later_was_null_before() {
        let then = json!({"epochs": 2, "crop": 2.0});
        let differs = |now: Value| differing(&now, &then).map(|(field, _)| field.clone());
        assert_eq!(differs(json!({"epochs": 2, "crop": 2.0, "later": null})), None);
        assert_eq!(
            differs(json!({"epochs": 2, "crop": 2.0, "later": 0.5})),
            Some("later".to_owned())
        );
        assert_eq!(differs(json!({"epochs": 2, "crop": null})), Some("crop".to_owned()));
    }
}
