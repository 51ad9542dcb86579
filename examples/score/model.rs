//! The detector, and where its model is from.

use std::path::Path;
use std::thread;

use bonafide::Detector;

use crate::arguments::Arguments;
use crate::failure::{Failure, Result};

pub(crate) struct Model {
    pub(crate) detector: Detector,
    /// No model was given, so it is the one that is part of the crate.
    pub(crate) embedded: bool,
}

impl Model {
    /// Loads the model, for so many files.
    pub(crate) fn load(arguments: &Arguments, files: usize) -> Result<Self> {
        let mut builder = Detector::builder();
        // A single file is best shared out as the library sees fit.
        if files > 1 || arguments.jobs.is_some() {
            let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
            let jobs = arguments.jobs.map_or(cores, usize::from);
            // A session for which there is no file would only take memory, and threads from the others.
            builder = builder.sessions(jobs.min(files).max(1));
        }
        if let Some(path) = &arguments.model {
            builder = builder.model(path);
        }
        if let Some(threshold) = arguments.threshold {
            builder = builder.threshold(threshold);
        }
        let detector = builder.build().map_err(|error| Failure::Failed(error.to_string()))?;
        let embedded = arguments.model.is_none();
        Ok(Self { detector, embedded })
    }

    /// The model's file, or that there is none.
    pub(crate) fn name(&self) -> String {
        if self.embedded {
            return "embedded default".to_owned();
        }
        let path = self.detector.info().model_path.as_deref();
        path.unwrap_or(Path::new("")).display().to_string()
    }
}
