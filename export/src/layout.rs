//! Which of the layouts in the wild a checkpoint has, and what follows from it.
//!
//! [`recognise`] turns a checkpoint into a [`Recognised`]: everything that is known of the network, under one set of
//! names. What builds or runs the network needs nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::checkpoint::{Checkpoint, TensorInfo};
use crate::labels::{self, LabelSource, Labels};
use crate::measure::{self, Measured};
use crate::names::{Names, POSITIONAL_KERNEL, Style};
use crate::preprocessor::{self, Normalization};
use crate::{Config, Error, Options, Result};

/// Bona fide and spoof.
pub(crate) const CLASSES: usize = 2;

/// A layout of checkpoints: how the tensors are named, what the head is, and what else must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Layout {
    /// The published model's: a `Wav2Vec2Model` under `backbone.`, whose mean over time goes to `classifier.`. Class 1
    /// is spoof, and the samples are taken as they are. The shape is `config.json`'s or, without one, that of
    /// `facebook/wav2vec2-base`.
    Original,
    /// Hugging Face's `Wav2Vec2ForSequenceClassification`, with its `config.json` and `preprocessor_config.json`.
    Wav2Vec2ForSequenceClassification,
    /// Hugging Face's `HubertForSequenceClassification`, likewise.
    HubertForSequenceClassification,
    /// Hugging Face's `WavLMForSequenceClassification`, likewise.
    #[serde(rename = "WavLMForSequenceClassification")]
    WavLmForSequenceClassification,
    /// AntiDeepfake's: fairseq's wav2vec 2.0 or HuBERT under `m_ssl.model.`, whose mean over time goes to `proj_fc.`.
    /// Class 0 is spoof, and the samples go through a layer norm. The shape is found from the tensors.
    AntiDeepfake,
    /// `bonafide-train`'s small spectral network, known by the `model_type` of its `config.json`. Class 1 is spoof, and the
    /// samples are taken as they are.
    Lite,
}

impl Layout {
    /// The `model_type` of Hugging Face's layouts.
    fn family(self) -> Option<&'static str> {
        match self {
            Self::Wav2Vec2ForSequenceClassification => Some("wav2vec2"),
            Self::HubertForSequenceClassification => Some("hubert"),
            Self::WavLmForSequenceClassification => Some("wavlm"),
            Self::Original | Self::AntiDeepfake | Self::Lite => None,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "the original's (backbone, classifier)",
            Self::Wav2Vec2ForSequenceClassification => "Hugging Face's Wav2Vec2ForSequenceClassification",
            Self::HubertForSequenceClassification => "Hugging Face's HubertForSequenceClassification",
            Self::WavLmForSequenceClassification => "Hugging Face's WavLMForSequenceClassification",
            Self::AntiDeepfake => "AntiDeepfake's (m_ssl.model, proj_fc)",
            Self::Lite => "bonafide-train's small network",
        })
    }
}

/// A checkpoint understood.
///
/// Tensors are asked for by their canonical names, which [`crate::names`] explains, and come resolved:
/// `encoder.pos_conv_embed.conv.weight` is the kernel itself, whether or not the checkpoint keeps it weight-normalised,
/// and the rows of `classifier.weight` and `classifier.bias` are bona fide and spoof, in this order.
pub(crate) struct Recognised<'a> {
    checkpoint: &'a Checkpoint,
    names: Names,
    pub(crate) layout: Layout,
    /// The network's shape. `classifier_proj_size` is `None` where there is no projector, and every field fits the
    /// tensors that it could be compared with.
    pub(crate) config: Config,
    /// The file that states the shape or a part of it.
    pub(crate) config_path: Option<PathBuf>,
    /// The shape is that of `facebook/wav2vec2-base`, for lack of a file, which a misfit puts in doubt.
    pub(crate) assumed: bool,
    /// What happens to the samples of a window first.
    pub(crate) normalization: Normalization,
    /// The file that says so.
    pub(crate) preprocessor_path: Option<PathBuf>,
    /// The order of the classes in the checkpoint.
    pub(crate) labels: Labels,
}

/// Finds out what a checkpoint is. `config.json` and `preprocessor_config.json` are looked for beside it.
///
/// # Errors
///
/// - [`Error::Layout`] or [`Error::NoHead`] when it is of no known layout, or no classifier.
/// - [`Error::NoConfig`] or [`Error::NoPreprocessor`] when a file is missing that the layout needs.
/// - [`Error::Config`] when a file states what can't be exported, or contradicts the tensors.
/// - [`Error::Labels`] when the order of the classes isn't clear.
pub(crate) fn recognise<'a>(checkpoint: &'a Checkpoint, options: &Options) -> Result<Recognised<'a>> {
    let (layout, names) = find_layout(checkpoint)?;
    let beside = checkpoint.path().with_file_name("config.json");
    let config_path = match &options.config {
        Some(given) => Some(given.clone()),
        None => beside.is_file().then(|| beside.clone()),
    };
    let mut recognised = Recognised {
        checkpoint,
        names,
        layout,
        config: Config::default(),
        assumed: layout == Layout::Original && config_path.is_none(),
        config_path,
        normalization: Normalization::None,
        preprocessor_path: None,
        labels: Labels {
            spoof_index: 1,
            source: LabelSource::Layout,
        },
    };
    if layout == Layout::AntiDeepfake {
        recognised.normalization = Normalization::LayerNorm;
        recognised.labels.spoof_index = 0;
    } else if layout.family().is_some() {
        let (normalization, path) = preprocessor::read_beside(&beside)?;
        recognised.normalization = normalization;
        recognised.preprocessor_path = Some(path);
    }
    recognised.config = recognised.find_config(beside)?;
    recognised.labels = recognised.find_labels(options.spoof_index)?;
    Ok(recognised)
}

/// Looks for the backbone by its first convolution, and for the head.
fn find_layout(checkpoint: &Checkpoint) -> Result<(Layout, Names)> {
    let backbone = [Style::HuggingFace, Style::Fairseq].into_iter().find_map(|style| {
        let prefix = |(name, _): (&str, _)| name.strip_suffix(style.first_convolution()).map(str::to_owned);
        Some((style, checkpoint.tensors().find_map(prefix)?))
    });
    let unknown = || Error::Layout {
        names: checkpoint.tensors().map(|(name, _)| name.to_owned()).collect(),
    };
    let (style, prefix) = backbone.ok_or_else(unknown)?;
    let known = match (style, prefix.as_str()) {
        (Style::HuggingFace, "backbone.") => Some((Layout::Original, "classifier")),
        (Style::HuggingFace, "wav2vec2.") => Some((Layout::Wav2Vec2ForSequenceClassification, "classifier")),
        (Style::HuggingFace, "hubert.") => Some((Layout::HubertForSequenceClassification, "classifier")),
        (Style::HuggingFace, "wavlm.") => Some((Layout::WavLmForSequenceClassification, "classifier")),
        (_, "m_ssl.model.") => Some((Layout::AntiDeepfake, "proj_fc")),
        _ => None,
    };
    match known {
        Some((layout, classifier)) if checkpoint.tensor(&format!("{classifier}.weight")).is_some() => {
            let names = Names {
                prefix,
                style,
                classifier,
            };
            Ok((layout, names))
        }
        Some((_, classifier)) => Err(Error::NoHead {
            expected: format!("{classifier}.weight"),
        }),
        // A backbone alone has no prefix.
        None if prefix.is_empty() => Err(Error::NoHead {
            expected: "classifier.weight".to_owned(),
        }),
        None => Err(unknown()),
    }
}

impl<'a> Recognised<'a> {
    /// A tensor by its canonical name.
    pub(crate) fn tensor(&self, canonical: &str) -> Option<&'a TensorInfo> {
        let name = match self.parts(canonical) {
            Parts::One(name) => name,
            Parts::WeightNorm { v, .. } => v,
        };
        self.checkpoint.tensor(&name).map(|(_, tensor)| tensor)
    }

    /// Checks that a tensor is there with `shape`. Returns the names of the checkpoint's tensors that it is made of.
    pub(crate) fn check(&self, canonical: &str, shape: &[usize]) -> Result<Vec<&'a str>> {
        match self.parts(canonical) {
            Parts::One(name) => Ok(vec![self.check_stored(&name, shape)?]),
            Parts::WeightNorm { g, v } => {
                let kernel = shape[shape.len() - 1];
                Ok(vec![
                    self.check_stored(&g, &[1, 1, kernel])?,
                    self.check_stored(&v, shape)?,
                ])
            }
        }
    }

    fn check_stored(&self, name: &str, shape: &[usize]) -> Result<&'a str> {
        let Some((name, tensor)) = self.checkpoint.tensor(name) else {
            return Err(Error::MissingTensor {
                name: name.to_owned(),
                expected: shape.to_vec(),
                assumed: self.assumed,
            });
        };
        if tensor.shape != shape {
            return Err(Error::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
                assumed: self.assumed,
            });
        }
        Ok(name)
    }

    /// The numbers of a tensor in row-major order. Its shape should have been checked.
    pub(crate) fn read_f32(&self, canonical: &str) -> Result<Vec<f32>> {
        let mut values = match self.parts(canonical) {
            Parts::One(name) => self.checkpoint.read_f32(&name)?,
            Parts::WeightNorm { g, v } => {
                let magnitudes = self.checkpoint.read_f32(&g)?;
                let mut kernel = self.checkpoint.read_f32(&v)?;
                scale_to(&mut kernel, &magnitudes);
                kernel
            }
        };
        if canonical.starts_with("classifier.") && self.labels.spoof_index == 0 {
            let row = values.len() / CLASSES;
            values.rotate_left(row);
        }
        Ok(values)
    }

    /// Refuses the checkpoint if it has tensors that the network has no place for, which `is_used` tells.
    pub(crate) fn refuse_unused(&self, is_used: impl Fn(&str) -> bool) -> Result<()> {
        let unused = (self.checkpoint.tensors().map(|(name, _)| name))
            .filter(|name| !is_used(name) && !self.names.is_passed_over(name));
        let names: Vec<String> = unused.map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::UnknownTensors {
            names,
            assumed: self.assumed,
        })
    }

    /// The numbers of the transformer layers that the checkpoint has tensors of.
    pub(crate) fn layer_numbers(&self) -> impl Iterator<Item = usize> {
        let layers = format!("{}encoder.layers.", self.names.prefix);
        self.checkpoint
            .tensors()
            .filter_map(move |(name, _)| name.strip_prefix(&layers)?.split_once('.')?.0.parse().ok())
    }

    /// What a tensor is made of.
    ///
    /// PyTorch has stored the pair of a weight norm as `parametrizations.weight.original0/1` since 2.0 and as
    /// `weight_g`/`weight_v` before.
    fn parts(&self, canonical: &str) -> Parts {
        let plain = self.stored(canonical);
        if canonical != POSITIONAL_KERNEL || self.checkpoint.tensor(&plain).is_some() {
            return Parts::One(plain);
        }
        let module = plain.trim_end_matches(".weight");
        let new = [0, 1].map(|i| format!("{module}.parametrizations.weight.original{i}"));
        let old = ["g", "v"].map(|part| format!("{module}.weight_{part}"));
        let [g, v] = if self.checkpoint.tensor(&old[0]).is_some() {
            old
        } else {
            new
        };
        Parts::WeightNorm { g, v }
    }

    /// The checkpoint's spelling of a canonical name: the one that it has a tensor of, or else the likeliest.
    pub(crate) fn stored(&self, canonical: &str) -> String {
        let mut spellings = self.names.spellings(canonical);
        let found = spellings.iter().position(|name| self.checkpoint.tensor(name).is_some());
        spellings.swap_remove(found.unwrap_or(0))
    }

    /// The network's shape: as stated, and compared with the tensors.
    fn find_config(&self, beside: PathBuf) -> Result<Config> {
        let measured = measure::measure(self);
        let mut config = match (&self.config_path, self.layout) {
            (None, Layout::Original) => Config::default(),
            (path, Layout::AntiDeepfake) => measure::derive(&measured, path.as_deref())?,
            (Some(path), _) => Config::default().overlaid(path)?,
            (None, _) => return Err(Error::NoConfig { path: beside }),
        };
        if self.layout.family().is_none() {
            config.classifier_proj_size = None;
            config.use_weighted_layer_sum = false;
        }
        if config.model_type != "hubert" {
            // As `transformers` has it, whatever the file says.
            config.feat_proj_layer_norm = true;
            config.conv_pos_batch_norm = false;
        }
        config.validate()?;
        if !self.assumed {
            measure::compare(&config, &measured)?;
        }
        Ok(config)
    }

    /// What the tensors' names say of the family, as a measurement.
    pub(crate) fn measured_family(&self) -> Option<Measured> {
        let family = self.layout.family()?;
        Some(Measured::new("model_type", family, format!("{family}.…")))
    }

    /// The order of the classes.
    fn find_labels(&self, given: Option<usize>) -> Result<Labels> {
        let stated = &self.config.id2label;
        if self.layout.family().is_some() {
            let rows = self.tensor("classifier.weight").and_then(|w| w.shape.first().copied());
            let count = stated.as_ref().map_or(CLASSES, BTreeMap::len);
            if rows != Some(CLASSES) || count != CLASSES {
                let names: Vec<&str> = stated
                    .iter()
                    .flat_map(|names| names.values().map(String::as_str))
                    .collect();
                return Err(Error::Config {
                    file: "config.json",
                    field: "id2label",
                    expected: "the names of 2 classes, bona fide and spoof, one for each row of `classifier.weight`"
                        .to_owned(),
                    found: format!(
                        "{count} ({}), and the tensor has {} rows",
                        names.join(", "),
                        rows.unwrap_or(0)
                    ),
                });
            }
        }
        if let Some(found) = given {
            if found >= CLASSES {
                return Err(Error::SpoofIndex { found });
            }
            return Ok(Labels {
                spoof_index: found,
                source: LabelSource::Given,
            });
        }
        if self.layout.family().is_none() {
            return Ok(self.labels.clone());
        }
        let name = |index: usize| {
            let stated = stated.as_ref().and_then(|names| names.get(&index));
            // What `transformers` leaves out is so.
            stated.cloned().unwrap_or_else(|| format!("LABEL_{index}"))
        };
        let names = [name(0), name(1)];
        match labels::spoof_index([&names[0], &names[1]]) {
            Some(spoof_index) => Ok(Labels {
                spoof_index,
                source: LabelSource::Names(names),
            }),
            None => Err(Error::Labels { names }),
        }
    }
}

/// The tensors of the checkpoint that make one of the network.
enum Parts {
    One(String),
    WeightNorm { g: String, v: String },
}

/// Undoes a weight norm, `g · v / ‖v‖`: scales `weight [.., kernel]` so that, for each position of the kernel, its norm
/// is the magnitude given.
fn scale_to(weight: &mut [f32], magnitudes: &[f32]) {
    let kernel = magnitudes.len();
    if kernel == 0 {
        return;
    }
    let mut squares = vec![0.0_f64; kernel];
    for row in weight.chunks_exact(kernel) {
        for (sum, &w) in squares.iter_mut().zip(row) {
            *sum += f64::from(w) * f64::from(w);
        }
    }
    let scales: Vec<f64> = squares
        .iter()
        .zip(magnitudes)
        .map(|(sum, &g)| f64::from(g) / sum.sqrt())
        .collect();
    for row in weight.chunks_exact_mut(kernel) {
        for (w, scale) in row.iter_mut().zip(&scales) {
            *w = (f64::from(*w) * scale) as f32;
        }
    }
}
