//! What each epoch came to.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, files};

/// A line of `log.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean loss of the epoch's steps, in nats.
    pub train_loss: f64,
    /// Loss on the development set, in nats.
    pub dev_loss: f64,
    /// Equal error rate of the development set's windows, a fraction: the official one.
    pub dev_eer: f64,
    /// The same of its clips, each scored by its windows' mean logit difference.
    pub dev_clip_eer: f64,
    /// Mean norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Whether the epoch is the best so far.
    pub best: bool,
    /// Seconds of training, without scoring the development set; since the last interruption.
    pub seconds: f64,
    /// Windows trained on per second.
    pub windows_per_second: f64,
}

/// Writes `log.jsonl`: one epoch a line.
pub(crate) fn write(path: &Path, log: &[Epoch]) -> Result<()> {
    let mut lines = Vec::new();
    for epoch in log {
        serde_json::to_writer(&mut lines, epoch).map_err(|error| Error::write(path)(error.into()))?;
        lines.push(b'\n');
    }
    files::write(path, &lines)
}
