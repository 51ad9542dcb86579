//! What is done to the samples before the network sees them, as `preprocessor_config.json` states it.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result, SAMPLE_RATE};

const FILE: &str = "preprocessor_config.json";

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

/// Reads a `preprocessor_config.json`.
pub(crate) fn read(path: &Path) -> Result<Normalization> {
    if !path.exists() {
        return Err(Error::NoPreprocessor { path: path.to_owned() });
    }
    let json = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    let preprocessor: Preprocessor = serde_json::from_slice(&json).map_err(|source| Error::ConfigSyntax {
        path: path.to_owned(),
        source,
    })?;

    let misfit = |field, expected: String, found: String| Error::Config {
        file: FILE,
        field,
        expected,
        found,
    };
    let kind = &preprocessor.feature_extractor_type;
    if kind != "Wav2Vec2FeatureExtractor" {
        let expected = "\"Wav2Vec2FeatureExtractor\"".to_owned();
        return Err(misfit("feature_extractor_type", expected, format!("{kind:?}")));
    }
    for (field, expected, found) in [
        ("feature_size", 1, preprocessor.feature_size),
        ("sampling_rate", SAMPLE_RATE, preprocessor.sampling_rate),
    ] {
        if found != expected {
            return Err(misfit(field, expected.to_string(), found.to_string()));
        }
    }
    Ok(if preprocessor.do_normalize {
        Normalization::ZeroMeanUnitVariance
    } else {
        Normalization::None
    })
}
