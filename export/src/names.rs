//! Where a checkpoint keeps the network's tensors.
//!
//! The rest of the crate knows them by their canonical names: those of Hugging Face's `Wav2Vec2Model` without a prefix
//! (`encoder.layers.0.attention.q_proj.weight`), and `layer_weights`, `projector.` and `classifier.` of the head.

/// The positional convolution's kernel, which may be kept as a pair of tensors.
pub(crate) const POSITIONAL_KERNEL: &str = "encoder.pos_conv_embed.conv.weight";

/// A checkpoint's spelling of the canonical names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// What precedes the names of the backbone's tensors.
    pub(crate) prefix: String,
    pub(crate) style: Style,
    /// The classifier's name.
    pub(crate) classifier: &'static str,
}

/// Whose names the backbone's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    HuggingFace,
    Fairseq,
}

impl Style {
    /// The name of the first convolution's weight, by which a backbone is found.
    pub(crate) fn first_convolution(self) -> &'static str {
        match self {
            Self::HuggingFace => "feature_extractor.conv_layers.0.conv.weight",
            Self::Fairseq => "feature_extractor.conv_layers.0.0.weight",
        }
    }
}

impl Names {
    /// The spellings that a canonical name may have, the likeliest first.
    pub(crate) fn spellings(&self, canonical: &str) -> Vec<String> {
        if let Some(part) = canonical.strip_prefix("classifier.") {
            return vec![format!("{}.{part}", self.classifier)];
        }
        if canonical == "layer_weights" || canonical.starts_with("projector.") {
            return vec![canonical.to_owned()];
        }
        let spelled = match self.style {
            Style::HuggingFace => vec![canonical.to_owned()],
            Style::Fairseq => fairseq(canonical),
        };
        spelled.into_iter().map(|name| self.prefix.clone() + &name).collect()
    }

    /// Whether a tensor has its place in the checkpoint but not in a classifier: it serves pre-training, or counts
    /// batches.
    pub(crate) fn is_passed_over(&self, stored: &str) -> bool {
        let Some(name) = stored.strip_prefix(&self.prefix) else {
            return false;
        };
        let pretraining: &[&str] = match self.style {
            Style::HuggingFace => &[
                "masked_spec_embed",
                "encoder.pos_conv_embed.batch_norm.num_batches_tracked",
            ],
            Style::Fairseq => &[
                "mask_emb",
                "quantizer.",
                "input_quantizer.",
                "project_q.",
                "project_inp.",
                "final_proj.",
                "target_glu.",
                "label_embs_concat",
            ],
        };
        pretraining
            .iter()
            .any(|known| name == *known || known.ends_with('.') && name.starts_with(known))
    }
}

/// fairseq's spellings. Its modules are numbered where they are in sequence: the norm of a convolution layer is its
/// third, and a layer norm there stands between two transposes.
fn fairseq(canonical: &str) -> Vec<String> {
    if let Some((index, part)) = numbered(canonical, "feature_extractor.conv_layers.") {
        let layer = format!("feature_extractor.conv_layers.{index}");
        if let Some(part) = part.strip_prefix("layer_norm.") {
            return vec![format!("{layer}.2.1.{part}"), format!("{layer}.2.{part}")];
        }
        return vec![format!("{layer}.{}", part.replacen("conv.", "0.", 1))];
    }
    if let Some((index, part)) = numbered(canonical, "encoder.layers.") {
        for (ours, theirs) in [
            ("attention.", "self_attn."),
            ("layer_norm.", "self_attn_layer_norm."),
            ("feed_forward.intermediate_dense.", "fc1."),
            ("feed_forward.output_dense.", "fc2."),
        ] {
            if let Some(part) = part.strip_prefix(ours) {
                return vec![format!("encoder.layers.{index}.{theirs}{part}")];
            }
        }
        return vec![canonical.to_owned()];
    }
    for (ours, theirs) in [
        ("feature_projection.layer_norm.", "layer_norm."),
        ("feature_projection.projection.", "post_extract_proj."),
        ("encoder.pos_conv_embed.conv.", "encoder.pos_conv.0."),
    ] {
        if let Some(part) = canonical.strip_prefix(ours) {
            return vec![format!("{theirs}{part}")];
        }
    }
    vec![canonical.to_owned()]
}

/// `encoder.layers.3.fc1` → `3`, `fc1`.
fn numbered<'n>(name: &'n str, list: &str) -> Option<(&'n str, &'n str)> {
    name.strip_prefix(list)?.split_once('.')
}
