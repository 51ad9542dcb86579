//! Small networks that were trained apart, beside one another.
#![forbid(unsafe_code)]

use std::path::Path;

use bonafide_export::LiteConfig;
use serde_json::json;

use crate::checkpoint::{Start, training_of, write_numbers};
use crate::{Error, Result, files};

const SETTING: &str = "the checkpoints to join";

/// Joins small networks into one checkpoint, whose logits are the mean of theirs: the first, with the others beside it.
///
/// # Errors
///
/// [`Error::Setting`] if they are fewer than two, of another kind, themselves joined, or hear windows of other lengths, and
/// what reading and writing may end with.
pub fn join(checkpoints: &[impl AsRef<Path>], out: &Path) -> Result<()> {
    if checkpoints.len() < 2 {
        return Err(Error::Setting {
            setting: SETTING,
            expected: "two or more",
            found: checkpoints.len().to_string(),
        });
    }
    let mut joined: Option<LiteConfig> = None;
    let mut numbers = files::Tensors::new();
    let mut training = Vec::new();
    for path in checkpoints.iter().map(AsRef::as_ref) {
        let (start, config) = Start::small(path, SETTING)?;
        let prefix = match &mut joined {
            None => {
                joined = Some(config);
                String::new()
            }
            Some(first) => {
                first.beside.push(config);
                format!("{}{}.", LiteConfig::BESIDE, first.beside.len() - 1)
            }
        };
        let weights = start.weights.numbers()?.into_iter();
        numbers.extend(weights.map(|(name, numbers)| (format!("{prefix}{name}"), numbers)));
        training.push(training_of(path)?);
    }
    if let Some(joined) = joined {
        joined.validate()?;
        write_numbers(out, &json!(joined), &numbers, &json!({ "joined": training }))?;
    }
    Ok(())
}
