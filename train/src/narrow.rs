//! What a small network is of the lower frequencies alone, for another to begin with.
#![forbid(unsafe_code)]

use std::path::Path;

use bonafide_export::LiteConfig;
use serde_json::{Value, json};

use crate::checkpoint::{Start, training_of, write_numbers};
use crate::files::Tensors;
use crate::{Error, Result};

const HIGHEST: &str = "highest_hz";

/// Leaves out of a small network what hears above `highest_hz`. The rest keeps its weights, which is a better beginning than
/// none, and no more: train it on.
///
/// # Errors
///
/// [`Error::Setting`] if the network is of another kind, joined, or hears no more than that already; [`Error::Export`] if
/// `highest_hz` is out of range; and what reading and writing may end with.
pub fn narrow(checkpoint: &Path, highest_hz: u32, out: &Path) -> Result<()> {
    let (start, wide) = Start::small(checkpoint, "the checkpoint to narrow")?;
    if highest_hz >= wide.highest_hz {
        return Err(Error::Setting {
            setting: "--highest-hz",
            expected: "less than the network hears",
            found: format!("{highest_hz}, and it hears up to {}", wide.highest_hz),
        });
    }
    let mut shape = wide.clone();
    shape.highest_hz = highest_hz;
    shape.validate()?;
    let numbers = narrowed(&wide, &shape, &start.weights.numbers()?);
    let mut config = start.config;
    if let Value::Object(fields) = &mut config {
        fields.insert(HIGHEST.to_owned(), json!(highest_hz));
    }
    let training = json!({ "narrowed": training_of(checkpoint)?, HIGHEST: highest_hz });
    write_numbers(out, &config, &numbers, &training)
}

/// Convolutions are the same at every frequency. What has numbers for each frequency keeps those of the lowest: of the bins
/// in the first batch norm, and of each channel's frequencies where frames have become features, which the classifier has
/// twice, for the mean and the deviation.
fn narrowed(wide: &LiteConfig, narrow: &LiteConfig, numbers: &Tensors) -> Tensors {
    let channels = wide.stages.last().map_or(1, |stage| stage.channels);
    let bins = (wide.bins(), narrow.bins());
    let frequencies = (wide.features() / channels, narrow.features() / channels);
    let narrowed = numbers.iter().map(|(name, (shape, numbers))| {
        let (axis, (of, kept)) = match name.as_str() {
            "attention.inner.weight" | "classifier.weight" => (1, frequencies),
            "attention.outer.weight" | "attention.outer.bias" => (0, frequencies),
            name if name.starts_with("bands.norm.") => (0, bins),
            _ => return (name.clone(), (shape.clone(), numbers.clone())),
        };
        let inner: usize = shape[axis + 1..].iter().product();
        let lowest = numbers.chunks(of * inner).flat_map(|group| &group[..kept * inner]);
        let mut left = shape.clone();
        left[axis] = left[axis] / of * kept;
        (name.clone(), (left, lowest.copied().collect()))
    });
    narrowed.collect()
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::augment::generator;
    use crate::network::{Network, Pass, Weights};

    const BATCH: usize = 2;

    fn logits(config: &LiteConfig, numbers: &Tensors, windows: &[f32]) -> Vec<f32> {
        let network = Network::Lite(config.clone());
        for parameter in network.parameters() {
            assert_eq!(numbers[&parameter.name].0, parameter.shape, "{}", parameter.name);
        }
        let numbers = numbers
            .iter()
            .map(|(name, (_, numbers))| (name.clone(), numbers.clone()))
            .collect();
        let weights = Weights::from_numbers(&network.parameters(), numbers).unwrap();
        let windows = Tensor::from_slice(windows, (BATCH, config.window_samples), &Device::Cpu).unwrap();
        let logits = network
            .logits(&Pass::scoring(&weights), &windows, crate::Cut::Waveform)
            .unwrap();
        logits.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Where a wide network does not look at what it hears above the cut, the narrow one says the same.
    #[test]
    fn the_lower_frequencies_keep_their_weights() {
        // Without `squeeze`, whose means are over all frequencies.
        let wide = serde_json::json!({
            "window_samples": 16_000, "frame_hop": 512, "remove": "nothing", "stem_channels": 3, "stem_stride": [2, 2],
            "stages": [{"channels": 5, "blocks": 1, "stride": [2, 2]}], "squeeze": 0, "attention_size": 4,
        });
        let wide: LiteConfig = serde_json::from_value(wide).unwrap();
        let mut narrow = wide.clone();
        narrow.highest_hz = 4_000;
        let network = Network::Lite(wide.clone());
        let mut numbers = network.begin(&mut generator(3, &[])).unwrap().numbers().unwrap();
        // Batch norms that are not all alike.
        for (name, (_, numbers)) in numbers.iter_mut().filter(|(name, _)| name.contains("norm.")) {
            let offset = if name.ends_with("weight") || name.ends_with("var") {
                1.0
            } else {
                0.0
            };
            for (n, number) in numbers.iter_mut().enumerate() {
                *number = offset + 0.1 * (n as f32).sin();
            }
        }
        // 65 frequencies of 257 bins, 33 of 129, of which those up to the 30th depend on no bin above the 127th.
        let (of, seen) = (65, 31);
        assert_eq!(wide.features(), 5 * of);
        for name in ["attention.inner.weight", "classifier.weight"] {
            for (n, number) in numbers.get_mut(name).unwrap().1.iter_mut().enumerate() {
                if n % of >= seen {
                    *number = 0.0;
                }
            }
        }
        let windows: Vec<f32> = (0..BATCH * wide.window_samples)
            .map(|n| (n as f32 * n as f32 * 1e-4).sin() * (n as f32 * 1e-3).cos())
            .collect();
        let expected = logits(&wide, &numbers, &windows);
        let found = logits(&narrow, &narrowed(&wide, &narrow, &numbers), &windows);
        assert!((expected[0] - expected[1]).abs() > 1e-2 && (expected[0] - expected[2]).abs() > 1e-3);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }
}
