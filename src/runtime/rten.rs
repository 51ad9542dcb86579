//! rten: a runtime in pure Rust.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ndarray::ArrayView2;
use rten::{NodeId, RunOptions, ThreadPool};
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;

use super::pool::Pool;
use super::{Engine, ExecutionProvider, Loaded, Runtime, Settings};
use crate::model::{Model, ModelSource};
use crate::{Error, Result};

/// rten doesn't tell its version at run time; Cargo.toml holds it to this one.
const VERSION: &str = "0.27";

struct Rten {
    model: rten::Model,
    input: NodeId,
    output: NodeId,
    /// One for each run that may go on at once; the model itself is shared by all.
    threads: Pool<Arc<ThreadPool>>,
}

pub(super) fn load(model: &Model, settings: &Settings) -> Result<Loaded> {
    let graph = contained("load the model", || match &model.source {
        ModelSource::File(path) => rten::Model::load_file(path),
        ModelSource::Bytes(bytes) => rten::Model::load(bytes.to_vec()),
        ModelSource::Embedded(bytes) => rten::Model::load_static_slice(bytes),
    })?;
    let node = |name: &str| graph.node_id(name).map_err(|error| failed("load the model", &error));

    let (sessions, intra_threads) = settings.sessions_and_threads(model);
    let pools = (0..sessions).map(|_| Arc::new(ThreadPool::with_num_threads(intra_threads)));
    let engine = Rten {
        input: node(&model.input)?,
        output: node(&model.output)?,
        threads: Pool::new(pools.collect()),
        model: graph,
    };
    Ok(Loaded {
        engine: Box::new(engine),
        runtime: Runtime::Rten,
        version: VERSION.to_owned(),
        provider: ExecutionProvider::Cpu,
        library: None,
        intra_threads,
        sessions,
        fallback: None,
    })
}

impl Engine for Rten {
    fn run(&self, windows: ArrayView2<'_, f32>) -> Result<Vec<[f32; 2]>> {
        let samples = windows
            .as_slice()
            .ok_or_else(|| failed("run the model", &"the windows are not contiguous"))?;
        let input = NdTensorView::from_data([windows.nrows(), windows.ncols()], samples);
        let threads = self.threads.take();
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&threads)));
        let mut outputs = contained("run the model", || {
            self.model
                .run(vec![(self.input, input.into())], &[self.output], Some(options))
        })?;
        let logits: rten_tensor::NdTensor<f32, 2> = outputs
            .pop()
            .ok_or_else(|| failed("run the model", &"it gave no output"))?
            .try_into()
            .map_err(|error| failed("run the model", &error))?;
        if logits.shape() != [windows.nrows(), 2] {
            return Err(failed(
                "run the model",
                &format!("it gave an output of {:?}", logits.shape()),
            ));
        }
        Ok((0..windows.nrows()).map(|n| [logits[[n, 0]], logits[[n, 1]]]).collect())
    }
}

/// Does `work`, and makes an error of its error or panic.
///
/// rten 0.27 panics on some damaged graphs: on the order of axes of a `Transpose` that is no permutation, for one. The
/// model is only read by a run, so a panic leaves nothing half done. The panic hook has seen it all the same, and where
/// panics abort, it aborts.
fn contained<T, E: fmt::Display>(action: &'static str, work: impl FnOnce() -> Result<T, E>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| failed(action, &error)),
        Err(_) => Err(failed(action, &"it panicked: the model is damaged; export it again")),
    }
}

fn failed(action: &'static str, reason: &dyn fmt::Display) -> Error {
    Error::Runtime {
        runtime: "rten",
        action,
        reason: reason.to_string(),
    }
}
