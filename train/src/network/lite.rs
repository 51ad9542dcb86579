//! The small spectral network: a spectrogram, a residual convolutional network, attentive statistics, a linear layer.
//!
//! Every operator has its like in ONNX's opset 17, and each batch norm follows a convolution without bias, into which an
//! exporter can fold it; only `bands.norm` follows the spectrogram.

use candle_core::{D, Device, Result as TensorResult, Tensor};
use serde::{Deserialize, Serialize};

use super::CLASSES;
use super::weights::{Init, Parameter, Pass};
use crate::ops::{self, Activation, Convolution};
use crate::{Error, Result};

/// `model_type` in `config.json`.
pub(crate) const MODEL_TYPE: &str = "bonafide-lite";
/// The kernels of the residual blocks are 3 × 3.
const KERNEL: usize = 3;
/// Added to a variance before its root, so that the gradient of a constant stays finite.
const VARIANCE_FLOOR: f64 = 1e-5;
/// No network of this kind comes near this; it keeps products of sizes from overflowing.
const MAX_SIZE: usize = 1 << 14;

/// The shape of the small network: what `config.json` holds under `model_type` `bonafide-lite`.
///
/// A field that is left out has the default's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LiteConfig {
    /// Always `bonafide-lite`.
    pub model_type: String,
    /// Samples in a window, at 16 kHz.
    pub window_samples: usize,
    /// Samples in a frame of the spectrogram, under a Hann window. It has half as many bins, and one.
    pub frame_samples: usize,
    /// Samples from one frame to the next.
    pub frame_hop: usize,
    /// Added to the power of a bin before the logarithm; full scale is about (`frame_samples` / 4)².
    pub power_floor: f32,
    /// Whether the window's mean log power is taken off, so that loudness does not count.
    pub remove_level: bool,
    /// Channels of the stem, a 3 × 3 convolution.
    pub stem_channels: usize,
    /// Stride of the stem, along frequency and time.
    pub stem_stride: [usize; 2],
    /// The stages of residual blocks.
    pub stages: Vec<Stage>,
    /// Channels are weighed by two linear layers on their means, the inner this many times narrower; 0 for none.
    pub squeeze: usize,
    /// Width of the inner layer of the attention over time.
    pub attention_size: usize,
    /// The share of pooled features that is dropped in training.
    pub dropout: f32,
}

/// Residual blocks of one width.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Channels of each block.
    pub channels: usize,
    /// Blocks, from 1.
    pub blocks: usize,
    /// Stride of the first block, along frequency and time.
    pub stride: [usize; 2],
}

impl Default for LiteConfig {
    fn default() -> Self {
        let stage = |channels, blocks, stride| Stage {
            channels,
            blocks,
            stride,
        };
        Self {
            model_type: MODEL_TYPE.to_owned(),
            window_samples: 64_000,
            frame_samples: 512,
            frame_hop: 256,
            power_floor: 1e-5,
            remove_level: true,
            stem_channels: 24,
            stem_stride: [2, 2],
            stages: vec![
                stage(24, 1, [1, 1]),
                stage(48, 2, [2, 2]),
                stage(64, 2, [2, 2]),
                stage(96, 2, [2, 1]),
            ],
            squeeze: 8,
            attention_size: 64,
            dropout: 0.2,
        }
    }
}

impl LiteConfig {
    /// Checks that the network can be built.
    ///
    /// # Errors
    ///
    /// [`Error::Config`], which names the field, what is supported and what was found.
    pub fn validate(&self) -> Result<()> {
        let expect = |field, expected: &str, found: &dyn std::fmt::Debug, holds: bool| {
            if holds {
                return Ok(());
            }
            Err(Error::Config {
                field,
                expected: expected.to_owned(),
                found: format!("{found:?}"),
            })
        };
        let size = |n: usize| (1..=MAX_SIZE).contains(&n);
        let strides = |stride: [usize; 2]| stride.iter().all(|&s| (1..=16).contains(&s));
        expect("model_type", MODEL_TYPE, &self.model_type, self.model_type == MODEL_TYPE)?;
        let frame = self.frame_samples;
        expect("frame_samples", "an even number from 16 to 4096", &frame, frame.is_multiple_of(2) && (16..=4096).contains(&frame))?;
        let hop = self.frame_hop;
        expect("frame_hop", "a number from 1 to frame_samples", &hop, (1..=frame).contains(&hop))?;
        let window = self.window_samples;
        expect("window_samples", "frame_samples to 1,000,000", &window, (frame..=1_000_000).contains(&window))?;
        let floor = self.power_floor;
        expect("power_floor", "a positive number", &floor, floor > 0.0 && floor.is_finite())?;
        for (field, n) in [("stem_channels", self.stem_channels), ("attention_size", self.attention_size)] {
            expect(field, "a number from 1 to 16384", &n, size(n))?;
        }
        expect("stem_stride", "two numbers from 1 to 16", &self.stem_stride, strides(self.stem_stride))?;
        expect("stages", "1 to 16 stages", &self.stages.len(), (1..=16).contains(&self.stages.len()))?;
        for stage in &self.stages {
            let holds = size(stage.channels) && (1..=64).contains(&stage.blocks) && strides(stage.stride);
            expect("stages", "channels to 16384, 1 to 64 blocks, strides from 1 to 16", stage, holds)?;
        }
        expect("squeeze", "0 to 64", &self.squeeze, self.squeeze <= 64)?;
        expect("dropout", "0 to 0.9", &self.dropout, (0.0..=0.9).contains(&self.dropout))
    }

    /// Bins of the spectrogram.
    fn bins(&self) -> usize {
        self.frame_samples / 2 + 1
    }

    /// The residual blocks in order: name, channels in and out, stride.
    fn blocks(&self) -> Vec<(String, usize, usize, [usize; 2])> {
        let mut blocks = Vec::new();
        let mut inputs = self.stem_channels;
        for (s, stage) in self.stages.iter().enumerate() {
            for b in 0..stage.blocks {
                let stride = if b == 0 { stage.stride } else { [1, 1] };
                blocks.push((format!("stages.{s}.{b}"), inputs, stage.channels, stride));
                inputs = stage.channels;
            }
        }
        blocks
    }

    /// Features of a frame after the last block: its channels times the frequencies left.
    fn features(&self) -> usize {
        let strides = self.blocks().into_iter().map(|(.., stride)| stride[0]);
        let frequencies = std::iter::once(self.stem_stride[0])
            .chain(strides)
            .fold(self.bins(), usize::div_ceil);
        self.stages.last().map_or(0, |stage| stage.channels) * frequencies
    }

    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let mut all = Vec::new();
        norm(&mut all, "bands.norm", self.bins());
        convolution(&mut all, "stem", 1, self.stem_channels, KERNEL);
        for (name, inputs, outputs, stride) in self.blocks() {
            convolution(&mut all, &format!("{name}.first"), inputs, outputs, KERNEL);
            convolution(&mut all, &format!("{name}.second"), outputs, outputs, KERNEL);
            if self.squeeze > 0 {
                let inner = outputs.div_ceil(self.squeeze);
                linear(&mut all, &format!("{name}.squeeze"), outputs, inner);
                linear(&mut all, &format!("{name}.excite"), inner, outputs);
            }
            if inputs != outputs || stride != [1, 1] {
                convolution(&mut all, &format!("{name}.shortcut"), inputs, outputs, 1);
            }
        }
        let features = self.features();
        linear(&mut all, "attention.inner", features, self.attention_size);
        linear(&mut all, "attention.outer", self.attention_size, features);
        linear(&mut all, "classifier", 2 * features, CLASSES);
        all
    }
}

/// A convolution without bias, and its batch norm.
fn convolution(all: &mut Vec<Parameter>, name: &str, inputs: usize, outputs: usize, kernel: usize) {
    let fan_in = (inputs * kernel * kernel) as f32;
    let init = Init::Normal((2.0 / fan_in).sqrt());
    all.push(Parameter::new(format!("{name}.conv.weight"), &[outputs, inputs, kernel, kernel], init));
    norm(all, &format!("{name}.norm"), outputs);
}

fn norm(all: &mut Vec<Parameter>, name: &str, channels: usize) {
    for (part, init) in [
        ("weight", Init::Constant(1.0)),
        ("bias", Init::Constant(0.0)),
        ("running_mean", Init::Measured(0.0)),
        ("running_var", Init::Measured(1.0)),
    ] {
        all.push(Parameter::new(format!("{name}.{part}"), &[channels], init));
    }
}

fn linear(all: &mut Vec<Parameter>, name: &str, inputs: usize, outputs: usize) {
    let init = Init::Uniform((inputs as f32).sqrt().recip());
    all.push(Parameter::new(format!("{name}.weight"), &[outputs, inputs], init));
    all.push(Parameter::new(format!("{name}.bias"), &[outputs], init));
}

/// `[batch, samples]` → `[batch, 2]`.
pub(super) fn logits(config: &LiteConfig, pass: &Pass<'_>, windows: &Tensor) -> TensorResult<Tensor> {
    let spectrogram = pass.mask(&spectrogram(config, windows)?)?;
    let x = pass.batch_norm("bands.norm", &spectrogram, Activation::None)?.unsqueeze(1)?;
    let mut x = convolve(pass, "stem", &x, KERNEL, config.stem_stride, Activation::Relu)?;
    for (name, inputs, outputs, stride) in config.blocks() {
        x = block(config, pass, &name, &x, inputs != outputs || stride != [1, 1], stride)?;
    }
    let pooled = pool(pass, &x)?;
    pass.linear("classifier", &pass.dropout(&pooled, config.dropout)?)
}

/// The log power of each bin and frame: `[batch, samples]` → `[batch, bins, frames]`.
///
/// The transform is a convolution with cosines and sines, as it is in an ONNX graph.
fn spectrogram(config: &LiteConfig, windows: &Tensor) -> TensorResult<Tensor> {
    let (batch, samples) = windows.dims2()?;
    let bins = config.bins();
    let kernels = Tensor::from_vec(waves(config.frame_samples), (2 * bins, 1, 1, config.frame_samples), &Device::Cpu)?;
    let how = Convolution {
        stride: [1, config.frame_hop],
        ..Convolution::default()
    };
    let parts = ops::conv2d(&windows.reshape((batch, 1, 1, samples))?, &kernels, how)?.squeeze(2)?;
    let power = (parts.narrow(1, 0, bins)?.sqr()? + parts.narrow(1, bins, bins)?.sqr()?)?;
    let log = (power + f64::from(config.power_floor))?.log()?;
    if config.remove_level {
        return log.broadcast_sub(&log.mean_keepdim((1, 2))?);
    }
    Ok(log)
}

/// A Hann window times the cosines, then the sines, of each bin: `[2 · bins, frame]`.
pub(crate) fn waves(frame: usize) -> Vec<f32> {
    let turn = |k: usize, n: usize| std::f64::consts::TAU * ((k * n % frame) as f64) / frame as f64;
    let wave = |k: usize, of: fn(f64) -> f64| {
        (0..frame).map(move |n| {
            let hann = 0.5 - 0.5 * turn(1, n).cos();
            (hann * of(turn(k, n))) as f32
        })
    };
    let bins = frame / 2 + 1;
    let cosines = (0..bins).flat_map(|k| wave(k, f64::cos));
    cosines.chain((0..bins).flat_map(|k| wave(k, f64::sin))).collect()
}

/// A convolution with half its kernel as padding, its batch norm and activation.
fn convolve(
    pass: &Pass<'_>,
    name: &str,
    x: &Tensor,
    kernel: usize,
    stride: [usize; 2],
    activation: Activation,
) -> TensorResult<Tensor> {
    let how = Convolution {
        stride,
        padding: [kernel / 2; 2],
        groups: 1,
    };
    let x = pass.convolve(&format!("{name}.conv"), x, how)?;
    pass.batch_norm(&format!("{name}.norm"), &x, activation)
}

/// Two convolutions beside a shortcut.
fn block(
    config: &LiteConfig,
    pass: &Pass<'_>,
    name: &str,
    x: &Tensor,
    changes: bool,
    stride: [usize; 2],
) -> TensorResult<Tensor> {
    let y = convolve(pass, &format!("{name}.first"), x, KERNEL, stride, Activation::Relu)?;
    let mut y = convolve(pass, &format!("{name}.second"), &y, KERNEL, [1, 1], Activation::None)?;
    if config.squeeze > 0 {
        let means = y.mean((2, 3))?;
        let inner = pass.linear(&format!("{name}.squeeze"), &means)?.relu()?;
        let outer = pass.linear(&format!("{name}.excite"), &inner)?;
        // The logistic function, in operators that have gradients.
        let weights = ((outer.neg()?.exp()? + 1.0)?.recip()?).unsqueeze(2)?.unsqueeze(3)?;
        y = y.broadcast_mul(&weights)?;
    }
    let shortcut = if changes {
        convolve(pass, &format!("{name}.shortcut"), x, 1, stride, Activation::None)?
    } else {
        x.clone()
    };
    (y + shortcut)?.relu()
}

/// Mean and standard deviation over time, weighed by attention: `[batch, channels, frequencies, frames]` →
/// `[batch, 2 · channels · frequencies]`.
fn pool(pass: &Pass<'_>, x: &Tensor) -> TensorResult<Tensor> {
    let features = x.flatten(1, 2)?;
    let inner = pass.linear("attention.inner", &features.transpose(1, 2)?.contiguous()?)?.tanh()?;
    let scores = pass.linear("attention.outer", &inner)?;
    let weights = ops::softmax(&scores.transpose(1, 2)?)?;
    let mean = (&features * &weights)?.sum(D::Minus1)?;
    let square = (features.sqr()? * &weights)?.sum(D::Minus1)?;
    let variance = (square - mean.sqr()?)?.relu()?;
    Tensor::cat(&[mean, (variance + VARIANCE_FLOOR)?.sqrt()?], 1)
}
