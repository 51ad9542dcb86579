//! Runs a graph and takes out the values of its layers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use rten::{Dimension, Model, ModelOptions, NodeId};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use super::subject::Subject;
use crate::forward::Stage;
use crate::onnx::Description;

/// rten doesn't tell its version at run time; Cargo.toml holds it to this one.
pub(super) const RUNTIME: &str = "rten 0.27, not optimised";

/// The most windows per run that are made up, all but one of silence, for a graph that wants so many.
const MAX_BATCH: usize = 256;

/// A loaded graph, whose inner values can be had: rten's own optimisations, which merge some away, are off.
pub(super) struct Graph {
    model: Model,
    input: NodeId,
    /// Windows per run.
    batch: usize,
    /// For each stage, the value that has its numbers.
    values: Vec<Option<(String, NodeId)>>,
}

/// A stage's values for the first window of a run.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// The graph has none under the name expected.
    Missing,
    /// They are of another type.
    NotF32,
    /// The graph doesn't run, for this reason.
    Failed(String),
    Found {
        /// Without the axis of windows.
        shape: Vec<usize>,
        /// In row-major order.
        numbers: Vec<f32>,
    },
}

impl Graph {
    /// Loads the file, and finds the values of the stages. The error says why their values can't be had.
    pub(super) fn load(
        path: &Path,
        description: &Description,
        subject: &Subject<'_>,
        stages: &[Stage],
    ) -> Result<Self, String> {
        let model = contained(|| ModelOptions::with_all_ops().enable_optimization(false).load_file(path))
            .map_err(|reason| format!("rten cannot load the model, so its layers were not compared: {reason}"))?;
        let &[input] = model.input_ids() else {
            return Err("the graph has more than one input".to_owned());
        };
        let batch = match model.input_shape(0).as_deref() {
            Some([Dimension::Fixed(windows), ..]) => *windows,
            _ => 1,
        };
        if batch > MAX_BATCH {
            return Err(format!(
                "the graph takes {batch} windows at once, expected at most {MAX_BATCH}"
            ));
        }
        let output = description.outputs.first().map_or("logits", |output| &output.name);
        let values = stages.iter().map(|stage| {
            let name = subject.value_name(*stage, output);
            // A convolution that became a matrix product has its channels last, and says so.
            let names = [format!("{name}.channels_last"), name];
            names
                .into_iter()
                .rev()
                .find_map(|name| Some((model.find_node(&name)?, name)))
        });
        let values = values.map(|found| found.map(|(id, name)| (name, id)));
        Ok(Self {
            values: values.collect(),
            input,
            batch,
            model,
        })
    }

    /// The name of the value that has the numbers of the stage at `place`.
    pub(super) fn value(&self, place: usize) -> Option<&str> {
        let value = self.values.get(place)?.as_ref();
        value.map(|(name, _)| name.as_str())
    }

    /// Runs the graph on a window and gives the values of each stage.
    pub(super) fn run(&self, window: &[f32]) -> Result<Vec<Values>, String> {
        let mut samples = window.to_vec();
        samples.resize(self.batch * window.len(), 0.0);
        let input = NdTensor::from_data([self.batch, window.len()], samples);
        let wanted: Vec<NodeId> = self.values.iter().flatten().map(|&(_, id)| id).collect();
        let outputs = contained(|| self.model.run(vec![(self.input, input.view().into())], &wanted, None))
            .map_err(|reason| format!("rten cannot run the graph: {reason}"))?;
        let mut outputs = outputs.into_iter();
        let values = self.values.iter().map(|value| {
            let Some(found) = value.as_ref().and_then(|_| outputs.next()) else {
                return Values::Missing;
            };
            let Some(tensor) = found.into_tensor::<f32>() else {
                return Values::NotF32;
            };
            self.first(&tensor)
        });
        Ok(values.collect())
    }

    /// The first window's part of a value.
    fn first(&self, tensor: &Tensor<f32>) -> Values {
        let shape = match tensor.shape() {
            [windows, rest @ ..] if *windows == self.batch => rest.to_vec(),
            other => other.to_vec(),
        };
        let len = shape.iter().product();
        // The small network has channels and frequencies before its frames: together they are its features.
        let shape = match shape[..] {
            [channels, frequencies, frames] => vec![channels * frequencies, frames],
            _ => shape,
        };
        Values::Found {
            numbers: tensor.iter().copied().take(len).collect(),
            shape,
        }
    }
}

/// Does `work`, and makes a sentence of its error or panic: rten 0.27 panics on some damaged graphs.
fn contained<T, E: fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked, so the model is damaged".to_owned()),
    }
}
