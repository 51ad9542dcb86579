//! What is done to the samples before the network sees them, as the files of `transformers` state it.
#![forbid(unsafe_code)]

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Result, SAMPLE_RATE, config};

/// Where a feature extractor is saved alone.
const FILE: &str = "preprocessor_config.json";
/// Where it is saved with a tokenizer, by `transformers` 5, under `feature_extractor`.
const PROCESSOR_FILE: &str = "processor_config.json";

/// What is done to a window's samples before the network sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Normalization {
    /// Nothing.
    None,
    /// `(x − mean) / √(variance + 1e-7)` over the window, which Hugging Face calls `do_normalize`. The graph's caller
    /// does it, as the metadata says.
    ZeroMeanUnitVariance,
    /// `(x − mean) / √(variance + 1e-5)` over the window: PyTorch's layer norm over the whole input. The graph does it.
    LayerNorm,
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "as they are",
            Self::ZeroMeanUnitVariance => "normalised by the caller, as the metadata says (do_normalize)",
            Self::LayerNorm => "normalised in the graph (layer norm over the window)",
        })
    }
}

impl Normalization {
    /// What the graph's caller has to do, as the metadata calls it.
    pub(crate) fn metadata(self) -> &'static str {
        match self {
            Self::None | Self::LayerNorm => "none",
            Self::ZeroMeanUnitVariance => "zero-mean-unit-variance",
        }
    }
}

/// The fields of `preprocessor_config.json` that matter, with the defaults of `Wav2Vec2FeatureExtractor`.
#[derive(Deserialize)]
#[serde(default)]
struct Preprocessor {
    feature_extractor_type: String,
    do_normalize: bool,
    feature_size: u32,
    sampling_rate: u32,
}

impl Default for Preprocessor {
    fn default() -> Self {
        Self {
            feature_extractor_type: "Wav2Vec2FeatureExtractor".to_owned(),
            do_normalize: true,
            feature_size: 1,
            sampling_rate: SAMPLE_RATE,
        }
    }
}

/// The file `processor_config.json`.
#[derive(Deserialize)]
struct Processor {
    feature_extractor: Preprocessor,
}

/// Reads the `preprocessor_config.json` beside a file, or else the `processor_config.json`. Also returns its path.
pub(crate) fn read_beside(file: &Path) -> Result<(Normalization, PathBuf)> {
    let path = file.with_file_name(FILE);
    let processor_path = file.with_file_name(PROCESSOR_FILE);
    if !path.exists() && processor_path.exists() {
        let processor: Processor = config::parse(&processor_path, &config::read(&processor_path)?)?;
        return Ok((processor.feature_extractor.check(PROCESSOR_FILE)?, processor_path));
    }
    if !path.exists() {
        return Err(Error::NoPreprocessor { path });
    }
    let preprocessor: Preprocessor = config::parse(&path, &config::read(&path)?)?;
    Ok((preprocessor.check(FILE)?, path))
}

impl Preprocessor {
    /// What it does to the samples, if it is one of raw samples at 16 kHz.
    fn check(&self, file: &'static str) -> Result<Normalization> {
        let misfit = |field, expected: String, found: String| Error::Config {
            file,
            field,
            expected,
            found,
        };
        let kind = &self.feature_extractor_type;
        if kind != "Wav2Vec2FeatureExtractor" {
            let expected = "\"Wav2Vec2FeatureExtractor\"".to_owned();
            return Err(misfit("feature_extractor_type", expected, format!("{kind:?}")));
        }
        for (field, expected, found) in [
            ("feature_size", 1, self.feature_size),
            ("sampling_rate", SAMPLE_RATE, self.sampling_rate),
        ] {
            if found != expected {
                return Err(misfit(field, expected.to_string(), found.to_string()));
            }
        }
        Ok(if self.do_normalize {
            Normalization::ZeroMeanUnitVariance
        } else {
            Normalization::None
        })
    }
}
