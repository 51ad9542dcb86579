//! Calibration in the graph: an affine map of the log-likelihood ratio, so that P(spoof) means what it says.

use crate::onnx::Graph;
use crate::wav2vec2::OUTPUT;

/// `llr = scale · (logit(bonafide) − logit(spoof)) + offset`, as the `evaluate` example's `calibrate` fits it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Above 0: a map that turns the order of scores around is no calibration.
    pub scale: f32,
    /// In nats.
    pub offset: f32,
}

impl std::str::FromStr for Calibration {
    type Err = String;

    /// Parses `SCALE,OFFSET`.
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[scale, offset]) if scale > 0.0 && scale.is_finite() && offset.is_finite() => {
                Ok(Self { scale, offset })
            }
            _ => Err(format!(
                "expected SCALE,OFFSET, two finite numbers of which the first is above 0, found `{text}`"
            )),
        }
    }
}

impl std::fmt::Display for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.scale, self.offset)
    }
}

impl Calibration {
    /// What becomes of logits `[windows, (bona fide, spoof)]`.
    #[cfg(feature = "verify")]
    pub(crate) fn logits(self, logits: &ndarray::Array2<f64>) -> ndarray::Array2<f64> {
        let (scale, half) = (f64::from(self.scale), f64::from(self.offset) / 2.0);
        logits * scale + ndarray::array![[half, -half]]
    }

    /// Puts the map between the classifier and the graph's output.
    pub(crate) fn apply(self, graph: &mut Graph<'_>) {
        const RAW: &str = "classifier.logits";
        graph.rename(OUTPUT, RAW);
        let scale = graph.scalar("calibration.scale", self.scale);
        let half = self.offset / 2.0;
        let offset = graph.weight("calibration.offset", vec![2], move || Ok(vec![half, -half]));
        let scaled = graph.node("Mul", "calibration.scaled", &[RAW, &scale], &[]);
        graph.node("Add", OUTPUT, &[&scaled, &offset], &[]);
    }
}
