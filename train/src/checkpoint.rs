//! Checkpoints: what a run starts from, and what it writes. A folder with Hugging Face's three files, which
//! `bonafide-export` reads: `config.json`, `preprocessor_config.json`, `model.safetensors`; and `training.json` beside
//! them, which says how it was trained.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use bonafide_export::LiteConfig;
use bonafide_export::checkpoint::Checkpoint;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::augment::generator;
use crate::network::{Network, Weights};
use crate::{Error, Result, files};

/// A network's shape and weights, as a run begins with them.
pub(crate) struct Start {
    pub(crate) network: Network,
    /// `config.json`, to be written again as it was.
    pub(crate) config: Value,
    pub(crate) weights: Weights,
    /// Parameters that the checkpoint did not have and that were drawn.
    pub(crate) drawn: Vec<String>,
}

/// The name that training gives to a tensor of a checkpoint; `None` for what only pre-training needs.
fn canonical(name: &str) -> Option<String> {
    const PRE_TRAINING: [&str; 5] = [
        "quantizer.",
        "project_hid.",
        "project_q.",
        "lm_head.",
        "masked_spec_embed",
    ];
    let (inner, is_head) = match name.strip_prefix("backbone.").or(name.strip_prefix("wav2vec2.")) {
        Some(inner) => (inner, false),
        None => (name, name.starts_with("classifier.")),
    };
    if is_head {
        return Some(name.to_owned());
    }
    if PRE_TRAINING.iter().any(|prefix| inner.starts_with(prefix)) {
        return None;
    }
    let inner = inner
        .replace("conv.weight_g", "conv.parametrizations.weight.original0")
        .replace("conv.weight_v", "conv.parametrizations.weight.original1");
    Some(format!("backbone.{inner}"))
}

impl Start {
    /// New weights in the shape that a `config.json` gives.
    pub(crate) fn new(config: &Path, rng: &mut ChaCha8Rng) -> Result<Self> {
        let (network, value) = Network::read(config)?;
        let weights = network.begin(rng)?;
        Ok(Self {
            network,
            config: value,
            weights,
            drawn: Vec::new(),
        })
    }

    /// The weights of a checkpoint: of a folder, or of a file with `config.json` beside it. Without a `config.json` the
    /// shape is wav2vec2-base's. A head that is missing, or is another kind of head, is drawn from `rng`.
    pub(crate) fn read(path: &Path, rng: &mut ChaCha8Rng) -> Result<Self> {
        let checkpoint = Checkpoint::open(path)?;
        let beside = checkpoint.path().with_file_name("config.json");
        let (network, config) = if beside.is_file() {
            Network::read(&beside)?
        } else {
            (Network::Wav2vec2(Box::default()), json!({"model_type": "wav2vec2"}))
        };
        let fault = |name: &str, fault: String| Error::Tensor {
            path: path.to_owned(),
            name: name.to_owned(),
            fault,
        };
        let mut names = BTreeMap::new();
        for (name, _) in checkpoint.tensors() {
            let as_trained = match network {
                Network::Wav2vec2(_) => canonical(name),
                Network::Lite(_) => Some(name.to_owned()),
            };
            names.extend(as_trained.map(|as_trained| (as_trained, name.to_owned())));
        }
        let has_projector = names.contains_key("backbone.projector.weight");
        let mut numbers = BTreeMap::new();
        let mut drawn = Vec::new();
        let fresh = network.begin(rng)?.numbers()?;
        for parameter in network.parameters() {
            let name = &parameter.name;
            let is_head = name.starts_with("classifier.");
            let found = names.get(name).filter(|_| !(is_head && has_projector));
            let Some((_, tensor)) = found.and_then(|found| checkpoint.tensor(found)) else {
                let fresh = fresh.get(name).filter(|_| is_head);
                let (_, fresh) = fresh.ok_or_else(|| fault(name, "is missing".to_owned()))?;
                numbers.insert(name.clone(), fresh.clone());
                drawn.push(name.clone());
                continue;
            };
            if tensor.shape != parameter.shape {
                let (found, expected) = (&tensor.shape, &parameter.shape);
                return Err(fault(name, format!("has shape {found:?}, expected {expected:?}")));
            }
            numbers.insert(name.clone(), checkpoint.read_f32(&names[name])?);
        }
        Ok(Self {
            weights: Weights::from_numbers(&network.parameters(), numbers)?,
            network,
            config,
            drawn,
        })
    }

    /// A checkpoint that lacks nothing. `setting` is what errors call it.
    pub(crate) fn whole(path: &Path, setting: &'static str) -> Result<Self> {
        let start = Self::read(path, &mut generator(0, &[]))?;
        match start.drawn.first() {
            Some(name) => Err(Error::Setting {
                setting,
                expected: "whole ones",
                found: format!("{} without {name}", path.display()),
            }),
            None => Ok(start),
        }
    }

    /// A checkpoint of one small network, whole and not joined, and its shape. `setting` is what errors call it.
    pub(crate) fn small(path: &Path, setting: &'static str) -> Result<(Self, LiteConfig)> {
        let refuse = |expected, found: String| Error::Setting {
            setting,
            expected,
            found,
        };
        let start = Self::whole(path, setting)?;
        match &start.network {
            Network::Lite(config) if config.beside.is_empty() => {
                let config = config.clone();
                Ok((start, config))
            }
            Network::Lite(_) => Err(refuse("ones that are not joined yet", path.display().to_string())),
            Network::Wav2vec2(_) => Err(refuse("small networks", format!("{}, wav2vec2", path.display()))),
        }
    }
}

/// Writes a checkpoint. Each file appears complete or not at all; the weights come last.
pub(crate) fn write(folder: &Path, config: &Value, weights: &Weights, training: &Value) -> Result<()> {
    write_numbers(folder, config, &weights.numbers()?, training)
}

pub(crate) fn write_numbers(folder: &Path, config: &Value, numbers: &files::Tensors, training: &Value) -> Result<()> {
    files::create_folder(folder)?;
    files::write_json(&folder.join("config.json"), config)?;
    let preprocessor = json!({
        "do_normalize": false,
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": false,
        "sampling_rate": bonafide::SAMPLE_RATE,
    });
    files::write_json(&folder.join("preprocessor_config.json"), &preprocessor)?;
    files::write_json(&folder.join("training.json"), training)?;
    files::write_tensors(&folder.join("model.safetensors"), numbers, None)
}

/// `training.json` of a checkpoint, or `null`.
pub(crate) fn training_of(checkpoint: &Path) -> Result<Value> {
    let path = Checkpoint::open(checkpoint)?.path().with_file_name("training.json");
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let text = std::fs::read(&path).map_err(Error::read(&path))?;
    serde_json::from_slice(&text).map_err(|error| Error::Format {
        fault: error.to_string(),
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_origins_become_one() {
        for (name, expected) in [
            ("encoder.layer_norm.weight", Some("backbone.encoder.layer_norm.weight")),
            (
                "wav2vec2.encoder.layer_norm.weight",
                Some("backbone.encoder.layer_norm.weight"),
            ),
            (
                "backbone.encoder.layer_norm.weight",
                Some("backbone.encoder.layer_norm.weight"),
            ),
            ("classifier.bias", Some("classifier.bias")),
            ("quantizer.codevectors", None),
            ("wav2vec2.masked_spec_embed", None),
            (
                "wav2vec2.encoder.pos_conv_embed.conv.weight_g",
                Some("backbone.encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
            ),
        ] {
            assert_eq!(canonical(name).as_deref(), expected, "{name}");
        }
    }
}
