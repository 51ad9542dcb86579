//! Two checkpoints of one network, where the second was trained on from the first: a mean of their weights.
#![forbid(unsafe_code)]

use std::path::Path;

use serde_json::json;

use crate::checkpoint::{Start, training_of, write_numbers};
use crate::files::Tensors;
use crate::{Error, Result};

const SETTING: &str = "the checkpoints to average";

/// Writes the mean of two checkpoints' weights, of which the second weighs `weight`, between 0 and 1, and the first the rest.
///
/// What a network forgets when it is trained on, it mostly keeps half way (Wortsman et al., *Robust fine-tuning of zero-shot
/// models*, 2022). Networks that were trained apart have no such way between them, and no mean: [`join`](crate::join) those.
///
/// # Errors
///
/// [`Error::Setting`] if `weight` is out of range, if a checkpoint lacks something, or if their `config.json` differ; and what
/// reading and writing may end with.
pub fn average(first: &Path, second: &Path, weight: f64, out: &Path) -> Result<()> {
    if !(weight > 0.0 && weight < 1.0) {
        return Err(Error::Setting {
            setting: "--weight",
            expected: "more than 0 and less than 1",
            found: weight.to_string(),
        });
    }
    let (from, to) = (Start::whole(first, SETTING)?, Start::whole(second, SETTING)?);
    if from.config != to.config {
        return Err(Error::Setting {
            setting: SETTING,
            expected: "two of the same config.json",
            found: format!("{} and {}, which differ", first.display(), second.display()),
        });
    }
    let mean = mean(from.weights.numbers()?, &to.weights.numbers()?, weight);
    let training =
        json!({ "averaged": [training_of(first)?, training_of(second)?], "weights": [1.0 - weight, weight] });
    write_numbers(out, &to.config, &mean, &training)
}

/// Of the same names and shapes.
fn mean(mut first: Tensors, second: &Tensors, weight: f64) -> Tensors {
    for ((_, numbers), (_, others)) in first.values_mut().zip(second.values()) {
        for (number, other) in numbers.iter_mut().zip(others) {
            *number = (f64::from(*number) * (1.0 - weight) + f64::from(*other) * weight) as f32;
        }
    }
    first
}
