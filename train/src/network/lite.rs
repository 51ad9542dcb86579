//! The small spectral network: a spectrogram, a residual convolutional network, attentive statistics, a linear layer.
//!
//! The exporter has its shape, and builds the same network as an ONNX graph: what is changed here must be changed there.

use bonafide_export::{Block, LiteConfig, Removed, SILENT_FRAMES};
use candle_core::{D, DType, Device, Result as TensorResult, Tensor};

use super::CLASSES;
use super::weights::{Init, Parameter, Pass};
use crate::ops::{self, Activation, Convolution};

/// `model_type` in `config.json`.
pub(super) const MODEL_TYPE: &str = "bonafide-lite";
/// The kernels of the residual blocks are 3 × 3.
const KERNEL: usize = 3;
/// Added to a variance before its root, so that the gradient of a constant stays finite.
const VARIANCE_FLOOR: f64 = 1e-5;

pub(super) fn parameters(config: &LiteConfig) -> Vec<Parameter> {
    let mut all = Vec::new();
    for (prefix, config) in config.networks() {
        parameters_of(&mut all, &prefix, config);
    }
    all
}

fn parameters_of(all: &mut Vec<Parameter>, prefix: &str, config: &LiteConfig) {
    norm(all, &format!("{prefix}bands.norm"), config.bins());
    convolution(all, &format!("{prefix}stem"), 1, config.stem_channels, KERNEL);
    for block in config.blocks() {
        let (name, inputs, outputs) = (format!("{prefix}{}", block.name), block.inputs, block.outputs);
        convolution(all, &format!("{name}.first"), inputs, outputs, KERNEL);
        convolution(all, &format!("{name}.second"), outputs, outputs, KERNEL);
        if config.squeeze > 0 {
            let inner = outputs.div_ceil(config.squeeze);
            linear(all, &format!("{name}.squeeze"), outputs, inner);
            linear(all, &format!("{name}.excite"), inner, outputs);
        }
        if block.changes_shape() {
            convolution(all, &format!("{name}.shortcut"), inputs, outputs, 1);
        }
    }
    let features = config.features();
    let inner = config.attention_size;
    linear(all, &format!("{prefix}attention.inner"), features, inner);
    linear(all, &format!("{prefix}attention.outer"), inner, features);
    linear(all, &format!("{prefix}classifier"), 2 * features, CLASSES);
}

/// A convolution without bias, and its batch norm.
fn convolution(all: &mut Vec<Parameter>, name: &str, inputs: usize, outputs: usize, kernel: usize) {
    let fan_in = (inputs * kernel * kernel) as f32;
    let init = Init::Normal((2.0 / fan_in).sqrt());
    all.push(Parameter::new(
        format!("{name}.conv.weight"),
        &[outputs, inputs, kernel, kernel],
        init,
    ));
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

/// `[batch, samples]` → `[batch, 2]`: the mean of the networks beside one another.
pub(super) fn logits(config: &LiteConfig, pass: &Pass<'_>, windows: &Tensor) -> TensorResult<Tensor> {
    let logits = config
        .networks()
        .map(|(prefix, config)| logits_of(&prefix, config, pass, windows))
        .collect::<TensorResult<Vec<_>>>()?;
    match logits.as_slice() {
        [one] => Ok(one.clone()),
        all => Tensor::stack(all, 0)?.mean(0),
    }
}

fn logits_of(prefix: &str, config: &LiteConfig, pass: &Pass<'_>, windows: &Tensor) -> TensorResult<Tensor> {
    let spectrogram = pass.mask(&spectrogram(config, windows)?)?;
    let x = pass
        .batch_norm(&format!("{prefix}bands.norm"), &spectrogram, Activation::None)?
        .unsqueeze(1)?;
    let stem = format!("{prefix}stem");
    let mut x = convolve(pass, &stem, &x, KERNEL, config.stem_stride, Activation::Relu)?;
    for of in config.blocks() {
        x = block(config, pass, &format!("{prefix}{}", of.name), &of, &x)?;
    }
    let pooled = pool(pass, prefix, &x)?;
    pass.linear(&format!("{prefix}classifier"), &pass.dropout(&pooled, config.dropout)?)
}

/// The log power of each bin and frame: `[batch, samples]` → `[batch, bins, frames]`.
///
/// The transform is a convolution with cosines and sines, as it is in an ONNX graph.
fn spectrogram(config: &LiteConfig, windows: &Tensor) -> TensorResult<Tensor> {
    let (batch, samples) = windows.dims2()?;
    let bins = config.bins();
    let waves = [config.cosines(), config.sines()].concat();
    let kernels = Tensor::from_vec(waves, (2 * bins, 1, 1, config.frame_samples), &Device::Cpu)?;
    let how = Convolution {
        stride: [1, config.frame_hop],
        ..Convolution::default()
    };
    let parts = ops::conv2d(&windows.reshape((batch, 1, 1, samples))?, &kernels, how)?.squeeze(2)?;
    let power = (parts.narrow(1, 0, bins)?.sqr()? + parts.narrow(1, bins, bins)?.sqr()?)?;
    let floor = f64::from(config.power_floor);
    let log = (&power + floor)?.log()?;
    match config.remove {
        Removed::Nothing => Ok(log),
        Removed::Level => log.broadcast_sub(&log.mean_keepdim((1, 2))?),
        Removed::Spectrum => {
            let mean = power.mean_keepdim(1)?;
            let audible = (&mean / (&mean + floor)?)?;
            let frames = (audible.sum_keepdim(2)? + f64::from(SILENT_FRAMES))?;
            let spectrum = log.broadcast_mul(&audible)?.sum_keepdim(2)?.broadcast_div(&frames)?;
            log.broadcast_sub(&spectrum)?.broadcast_mul(&audible)
        }
    }
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
    pass.convolve_and_norm([&format!("{name}.conv"), &format!("{name}.norm")], x, how, activation)
}

/// Two convolutions beside a shortcut.
fn block(config: &LiteConfig, pass: &Pass<'_>, name: &str, block: &Block, x: &Tensor) -> TensorResult<Tensor> {
    let stride = block.stride;
    let y = convolve(pass, &format!("{name}.first"), x, KERNEL, stride, Activation::Relu)?;
    let y = convolve(pass, &format!("{name}.second"), &y, KERNEL, [1, 1], Activation::None)?;
    let weights = if config.squeeze > 0 {
        let inner = pass
            .linear(&format!("{name}.squeeze"), &ops::plane_means(&y)?)?
            .relu()?;
        let outer = pass.linear(&format!("{name}.excite"), &inner)?;
        // The logistic function, in operators that have gradients.
        (outer.neg()?.exp()? + 1.0)?.recip()?
    } else {
        Tensor::ones((y.dim(0)?, block.outputs), DType::F32, &Device::Cpu)?
    };
    let shortcut = if block.changes_shape() {
        convolve(pass, &format!("{name}.shortcut"), x, 1, stride, Activation::None)?
    } else {
        x.clone()
    };
    ops::residual(&y, &weights, &shortcut)
}

/// Mean and standard deviation over time, weighed by attention: `[batch, channels, frequencies, frames]` →
/// `[batch, 2 · channels · frequencies]`.
fn pool(pass: &Pass<'_>, prefix: &str, x: &Tensor) -> TensorResult<Tensor> {
    let features = x.flatten(1, 2)?;
    let inner = pass
        .linear(
            &format!("{prefix}attention.inner"),
            &features.transpose(1, 2)?.contiguous()?,
        )?
        .tanh()?;
    let scores = pass.linear(&format!("{prefix}attention.outer"), &inner)?;
    let weights = ops::softmax(&scores.transpose(1, 2)?)?;
    let mean = (&features * &weights)?.sum(D::Minus1)?;
    let square = (features.sqr()? * &weights)?.sum(D::Minus1)?;
    let variance = (square - mean.sqr()?)?.relu()?;
    Tensor::cat(&[mean, (variance + VARIANCE_FLOOR)?.sqrt()?], 1)
}
