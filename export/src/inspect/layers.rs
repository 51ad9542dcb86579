//! Which part of the network a tensor belongs to, by its name.

use super::{Size, TensorSummary, sizes};
use crate::LiteConfig;

/// A part of the network, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    FeatureExtractor,
    Projection,
    Positional,
    Layer(usize),
    EncoderNorm,
    /// Of the small network, as are the next three.
    Spectrogram,
    Stem,
    Stage(usize),
    Attention,
    Head,
    /// All of a network beside the first.
    Beside(usize),
    Other,
}

impl Part {
    /// Knows the names of Hugging Face and fairseq, under any prefix, and those that an export derives from them.
    fn of(name: &str) -> Self {
        let number = |rest: &str| rest.split('.').next()?.parse().ok();
        let layer = name.split_once("encoder.layers.").and_then(|(_, rest)| number(rest));
        let stage = name.strip_prefix("stages.").and_then(number);
        let beside = name.strip_prefix(LiteConfig::BESIDE).and_then(number);
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let starts = |parts: &[&str]| parts.iter().any(|part| name.starts_with(part));
        if let Some(index) = beside {
            Self::Beside(index)
        } else if let Some(index) = layer {
            Self::Layer(index)
        } else if has(&["feature_extractor."]) {
            Self::FeatureExtractor
        } else if has(&["feature_projection.", "post_extract_proj."]) || starts(&["m_ssl.model.layer_norm."]) {
            Self::Projection
        } else if has(&["encoder.pos_conv"]) {
            Self::Positional
        } else if has(&["encoder.layer_norm."]) {
            Self::EncoderNorm
        } else if starts(&["spectrogram.", "bands."]) {
            Self::Spectrogram
        } else if starts(&["stem."]) {
            Self::Stem
        } else if let Some(stage) = stage {
            Self::Stage(stage)
        } else if starts(&["attention."]) {
            Self::Attention
        } else if starts(&["classifier.", "projector.", "layer_weights", "proj_fc.", "calibration."]) {
            Self::Head
        } else {
            Self::Other
        }
    }

    fn name(self) -> String {
        match self {
            Self::FeatureExtractor => "feature extractor".to_owned(),
            Self::Projection => "projection".to_owned(),
            Self::Positional => "positional convolution".to_owned(),
            Self::Layer(index) => format!("encoder layer {index}"),
            Self::EncoderNorm => "encoder norm".to_owned(),
            Self::Spectrogram => "spectrogram".to_owned(),
            Self::Stem => "stem".to_owned(),
            Self::Stage(index) => format!("stage {index}"),
            Self::Attention => "attention".to_owned(),
            Self::Head => "head".to_owned(),
            Self::Beside(index) => format!("beside {index}"),
            Self::Other => "other".to_owned(),
        }
    }
}

pub(super) fn sizes_by_layer(tensors: &[TensorSummary]) -> Vec<Size> {
    let mut placed: Vec<(Part, &TensorSummary)> =
        tensors.iter().map(|tensor| (Part::of(&tensor.name), tensor)).collect();
    placed.sort_by_key(|&(part, _)| part);
    sizes(placed.into_iter().map(|(part, tensor)| (part.name(), tensor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_layout_find_their_part() {
        for (name, part) in [
            (
                "backbone.feature_extractor.conv_layers.0.layer_norm.weight",
                Part::FeatureExtractor,
            ),
            (
                "m_ssl.model.feature_extractor.conv_layers.0.2.weight",
                Part::FeatureExtractor,
            ),
            ("wavlm.feature_projection.projection.weight", Part::Projection),
            ("m_ssl.model.post_extract_proj.bias", Part::Projection),
            ("m_ssl.model.layer_norm.weight", Part::Projection),
            ("m_ssl.model.encoder.pos_conv.0.weight_g", Part::Positional),
            (
                "hubert.encoder.pos_conv_embed.conv.parametrizations.weight.original1",
                Part::Positional,
            ),
            ("wav2vec2.encoder.layers.11.attention.q_proj.weight", Part::Layer(11)),
            ("m_ssl.model.encoder.layers.3.fc1.bias", Part::Layer(3)),
            ("wav2vec2.encoder.layer_norm.bias", Part::EncoderNorm),
            ("classifier.weight", Part::Head),
            ("layer_weights", Part::Head),
            ("proj_fc.bias", Part::Head),
            ("bands.norm.running_mean", Part::Spectrogram),
            ("stem.conv.weight", Part::Stem),
            ("stages.2.0.first.conv.weight", Part::Stage(2)),
            ("beside.1.stages.2.0.first.conv.weight", Part::Beside(1)),
            ("attention.inner.bias", Part::Attention),
            ("backbone.masked_spec_embed", Part::Other),
            ("encoder.layers.x.fc1", Part::Other),
        ] {
            assert_eq!(Part::of(name), part, "{name}");
        }
    }
}
