//! The small spectral network in plain Rust: in `f64`, one number after the other.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, Array3, Array4, Axis, array, s};

use super::{DEFAULT_EPS, Stage};
use crate::checkpoint::Checkpoint;
use crate::layout::CLASSES;
use crate::lite::checked;
use crate::{Block, LiteConfig, Removed, Result};

/// The kernels of the residual blocks are 3 × 3.
const KERNEL: usize = 3;
/// Added to the sum of the frames' audibility.
const SILENT_FRAMES: f64 = 1e-3;
/// Added to a variance before its root.
const VARIANCE_FLOOR: f64 = 1e-5;

/// The stages of a network, in order.
pub(crate) fn stages(config: &LiteConfig) -> Vec<Stage> {
    let blocks = (0..config.blocks().len()).map(Stage::Block);
    let (before, after) = ([Stage::Spectrogram], [Stage::Pooled, Stage::Logits]);
    before.into_iter().chain(blocks).chain(after).collect()
}

/// Runs the network on a window, and calls `visit` with each stage's values.
///
/// # Errors
///
/// Those of reading a tensor, and those of `visit`.
pub(crate) fn forward(
    checkpoint: &Checkpoint,
    config: &LiteConfig,
    window: &[f32],
    visit: &mut dyn FnMut(Stage, &Array2<f64>) -> Result<()>,
) -> Result<()> {
    let mut sum = Array1::zeros(CLASSES);
    for (prefix, config) in config.networks() {
        // The stages that are seen are those of the first network.
        let first = prefix.is_empty();
        let network = Network {
            checkpoint,
            prefix,
            config,
        };
        let mut visit = |stage, x: &Array2<f64>| if first { visit(stage, x) } else { Ok(()) };
        sum += &network.logits(window, &mut visit)?;
    }
    let logits = sum / config.networks().count() as f64;
    visit(Stage::Logits, &array![[logits[0], logits[1]]])
}

/// `[channels, frequencies, frames]` → `[frames, channels · frequencies]`.
fn frames_first(x: &Array3<f64>) -> Array2<f64> {
    let (channels, frequencies, frames) = x.dim();
    Array2::from_shape_fn((frames, channels * frequencies), |(frame, feature)| {
        x[[feature / frequencies, feature % frequencies, frame]]
    })
}

fn relu(x: f64) -> f64 {
    x.max(0.0)
}

struct Network<'a> {
    checkpoint: &'a Checkpoint,
    /// What the names of its tensors begin with.
    prefix: String,
    config: &'a LiteConfig,
}

impl Network<'_> {
    /// Runs one network: its two logits. `visit` sees what comes before them.
    fn logits(&self, window: &[f32], visit: &mut dyn FnMut(Stage, &Array2<f64>) -> Result<()>) -> Result<Array1<f64>> {
        let config = self.config;
        let bands = self.spectrogram(window)?;
        visit(Stage::Spectrogram, &bands.t().to_owned())?;

        let stem = self.convolution(
            "stem",
            &bands.insert_axis(Axis(0)),
            config.stem_channels,
            KERNEL,
            config.stem_stride,
        )?;
        let mut x = stem.mapv(relu);
        for (index, block) in config.blocks().iter().enumerate() {
            x = self.block(block, &x)?;
            visit(Stage::Block(index), &frames_first(&x))?;
        }
        let pooled = self.pool(&frames_first(&x))?;
        visit(Stage::Pooled, &pooled.clone().insert_axis(Axis(0)))?;
        self.linear("classifier", &pooled, CLASSES)
    }

    /// The log power of each bin and frame, without what is not to count, and batch-normalised: `[bins, frames]`.
    fn spectrogram(&self, window: &[f32]) -> Result<Array2<f64>> {
        let config = self.config;
        let (bins, frame, floor) = (config.bins(), config.frame_samples, f64::from(config.power_floor));
        let angle = |n: usize| TAU * (n % frame) as f64 / frame as f64;
        let power = Array2::from_shape_fn((bins, config.frames()), |(bin, at)| {
            let samples = &window[at * config.frame_hop..][..frame];
            let mut sum = [0.0, 0.0];
            for (n, &sample) in samples.iter().enumerate() {
                let x = f64::from(sample) * (0.5 - 0.5 * angle(n).cos());
                sum[0] += x * angle(bin * n).cos();
                sum[1] += x * angle(bin * n).sin();
            }
            sum[0] * sum[0] + sum[1] * sum[1]
        });
        let mut x = power.mapv(|power| (power + floor).ln());
        match config.remove {
            Removed::Nothing => {}
            Removed::Level => x -= x.sum() / x.len() as f64,
            Removed::Spectrum => {
                let mean = power.sum_axis(Axis(0)) / bins as f64;
                let audible = mean.mapv(|mean| mean / (mean + floor));
                for mut bin in x.rows_mut() {
                    let spectrum = bin.dot(&audible) / (audible.sum() + SILENT_FRAMES);
                    bin -= spectrum;
                    bin *= &audible;
                }
            }
        }
        let norm = self.norm("bands.norm", bins)?;
        for (mut bin, [scale, shift]) in x.rows_mut().into_iter().zip(norm) {
            bin.mapv_inplace(|x| x * scale + shift);
        }
        Ok(x)
    }

    /// A convolution with half its kernel of zeros around, and its batch norm: `[channels, frequencies, frames]` of both.
    fn convolution(
        &self,
        name: &str,
        x: &Array3<f64>,
        outputs: usize,
        kernel: usize,
        [down, along]: [usize; 2],
    ) -> Result<Array3<f64>> {
        let (inputs, frequencies, frames) = x.dim();
        let shape = [outputs, inputs, kernel, kernel];
        let weight = self.read(&format!("{name}.conv.weight"), &shape)?;
        let weight = Array4::from_shape_fn(shape, |(o, i, y, x)| {
            weight[((o * inputs + i) * kernel + y) * kernel + x]
        });
        let norm = self.norm(&format!("{name}.norm"), outputs)?;
        let pad = kernel / 2;
        let mut padded = Array3::zeros((inputs, frequencies + 2 * pad, frames + 2 * pad));
        padded
            .slice_mut(s![.., pad..pad + frequencies, pad..pad + frames])
            .assign(x);
        let size = |input: usize, stride: usize| (input + 2 * pad - kernel) / stride + 1;
        let shape = (outputs, size(frequencies, down), size(frames, along));
        let out = Array3::from_shape_fn(shape, |(output, row, column)| {
            let (top, left) = (row * down, column * along);
            let patch = padded.slice(s![.., top..top + kernel, left..left + kernel]);
            let products = patch.iter().zip(weight.index_axis(Axis(0), output)).map(|(x, w)| x * w);
            let [scale, shift] = norm[output];
            products.sum::<f64>() * scale + shift
        });
        Ok(out)
    }

    /// Two convolutions beside a shortcut.
    fn block(&self, block: &Block, x: &Array3<f64>) -> Result<Array3<f64>> {
        let (name, outputs) = (&block.name, block.outputs);
        let y = self.convolution(&format!("{name}.first"), x, outputs, KERNEL, block.stride)?;
        let y = y.mapv(relu);
        let mut y = self.convolution(&format!("{name}.second"), &y, outputs, KERNEL, [1, 1])?;
        if self.config.squeeze > 0 {
            let pixels = y.len() / outputs;
            let means = y.sum_axis(Axis(2)).sum_axis(Axis(1)) / pixels as f64;
            let inner = self.linear(
                &format!("{name}.squeeze"),
                &means,
                outputs.div_ceil(self.config.squeeze),
            )?;
            let weights = self.linear(&format!("{name}.excite"), &inner.mapv(relu), outputs)?;
            for (mut plane, weight) in y.outer_iter_mut().zip(&weights) {
                plane *= 1.0 / (1.0 + (-weight).exp());
            }
        }
        let shortcut = if block.changes_shape() {
            self.convolution(&format!("{name}.shortcut"), x, outputs, 1, block.stride)?
        } else {
            x.clone()
        };
        Ok((y + shortcut).mapv(relu))
    }

    /// Mean and deviation over time of `[frames, features]`, weighed by attention: `[2 · features]`.
    fn pool(&self, x: &Array2<f64>) -> Result<Array1<f64>> {
        let features = x.ncols();
        let mut scores = Array2::zeros(x.dim());
        for (frame, mut scores) in x.outer_iter().zip(scores.outer_iter_mut()) {
            let inner = self.linear("attention.inner", &frame.to_owned(), self.config.attention_size)?;
            scores.assign(&self.linear("attention.outer", &inner.mapv(f64::tanh), features)?);
        }
        let mut pooled = Array1::zeros(2 * features);
        for (feature, (x, scores)) in x.columns().into_iter().zip(scores.columns()).enumerate() {
            let most = scores.fold(f64::NEG_INFINITY, |most, &score| most.max(score));
            let weights = scores.mapv(|score| (score - most).exp());
            let weights = &weights / weights.sum();
            let mean = x.dot(&weights);
            let square = x.mapv(|x| x * x).dot(&weights);
            pooled[feature] = mean;
            pooled[features + feature] = ((square - mean * mean).max(0.0) + VARIANCE_FLOOR).sqrt();
        }
        Ok(pooled)
    }

    fn linear(&self, name: &str, x: &Array1<f64>, outputs: usize) -> Result<Array1<f64>> {
        let weight = self.read(&format!("{name}.weight"), &[outputs, x.len()])?;
        let bias = self.read(&format!("{name}.bias"), &[outputs])?;
        let rows = weight.chunks_exact(x.len());
        Ok(rows
            .zip(bias)
            .map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
            .collect())
    }

    /// Scale and shift of each channel of a batch norm.
    fn norm(&self, name: &str, channels: usize) -> Result<Vec<[f64; 2]>> {
        let part = |part: &str| self.read(&format!("{name}.{part}"), &[channels]);
        let (weight, bias, mean, variance) = (
            part("weight")?,
            part("bias")?,
            part("running_mean")?,
            part("running_var")?,
        );
        Ok((0..channels)
            .map(|c| {
                let scale = weight[c] / (variance[c] + DEFAULT_EPS).sqrt();
                [scale, bias[c] - mean[c] * scale]
            })
            .collect())
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let name = format!("{}{name}", self.prefix);
        let values = self.checkpoint.read_f32(checked(self.checkpoint, &name, shape)?)?;
        Ok(values.into_iter().map(f64::from).collect())
    }
}
