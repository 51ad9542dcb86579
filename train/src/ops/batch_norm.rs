//! Batch norm with the activation that follows it, in two passes over memory.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{numbers, tensor, with_numbers};

/// What follows a normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Relu,
}

impl Activation {
    /// What it raises lower numbers to; where it does, it is flat.
    fn floor(self) -> f32 {
        match self {
            Self::None => f32::NEG_INFINITY,
            Self::Relu => 0.0,
        }
    }
}

/// Mean and variance of each channel over a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f32>,
    /// Of the batch itself: divided by the count, not by one less.
    pub(crate) variance: Vec<f32>,
    /// Numbers per channel.
    pub(crate) count: usize,
}

#[derive(Clone, Copy)]
struct Sizes {
    channels: usize,
    pixels: usize,
}

impl Sizes {
    fn of(shape: &Shape) -> Result<Self> {
        match shape.dims() {
            [_, channels, rest @ ..] => Ok(Self {
                channels: *channels,
                pixels: rest.iter().product(),
            }),
            _ => bail!("expected [batch, channels, ..], found {shape:?}"),
        }
    }

    fn plane(self, index: usize) -> std::ops::Range<usize> {
        index * self.pixels..(index + 1) * self.pixels
    }
}

/// Lanes that a sum is spread over, so that the compiler can use vector registers. Their order is fixed.
const LANES: usize = 16;

/// The sums of `term` over two equally long slices.
fn sums2<const N: usize>(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> [f32; N]) -> [f64; N] {
    let mut lanes = [[0.0_f32; LANES]; N];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let terms = term(a[lane], b[lane]);
            for of in 0..N {
                lanes[of][lane] += terms[of];
            }
        }
    }
    let mut sums = lanes.map(|lanes| lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>());
    for (&a, &b) in a_rest.iter().zip(b_rest) {
        sums.iter_mut()
            .zip(term(a, b))
            .for_each(|(sum, x)| *sum += f64::from(x));
    }
    sums
}

/// The sum of `term` over a slice.
fn sum1(x: &[f32], term: impl Fn(f32) -> f32) -> f64 {
    let [sum] = sums2(x, x, |x, _| [term(x)]);
    sum
}

/// Mean of a plane, and its numbers' squared distances from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    mean: f64,
    squares: f64,
}

impl Spread {
    pub(super) fn of(plane: &[f32]) -> Self {
        let mean = sum1(plane, |x| x) / plane.len().max(1) as f64;
        let near = mean as f32;
        let squares = sum1(plane, |x| (x - near) * (x - near));
        Self { mean, squares }
    }
}

impl Moments {
    /// The moments of `x [batch, channels, ..]`.
    fn of(x: &Tensor) -> Result<Self> {
        let sizes = Sizes::of(x.shape())?;
        with_numbers(x, |x| {
            let planes: Vec<Spread> = x.par_chunks(sizes.pixels.max(1)).map(Spread::of).collect();
            Ok(Self::of_planes(&planes, sizes.channels, sizes.pixels))
        })
    }

    /// The moments of planes `[batch, channels]` of so many pixels.
    pub(super) fn of_planes(planes: &[Spread], channels: usize, pixels: usize) -> Self {
        let batch = planes.len() / channels.max(1);
        let count = batch * pixels;
        let of_channel = |channel: usize| planes.iter().skip(channel).step_by(channels);
        let moments = |channel: usize| {
            let mean = of_channel(channel).map(|plane| plane.mean).sum::<f64>() / batch as f64;
            let about = |plane: &Spread| plane.squares + pixels as f64 * (plane.mean - mean).powi(2);
            let squares: f64 = of_channel(channel).map(about).sum();
            (mean as f32, (squares / count as f64) as f32)
        };
        let (mean, variance) = (0..channels).map(moments).unzip();
        Self { mean, variance, count }
    }

    pub(super) fn deviation(&self, channel: usize, epsilon: f32) -> f32 {
        (self.variance[channel] + epsilon).sqrt()
    }
}

/// What a batch norm by these moments scales each channel by, and then shifts it by.
pub(crate) fn coefficients(
    mean: &[f32],
    variance: &[f32],
    [weight, bias]: [&[f32]; 2],
    epsilon: f32,
) -> (Vec<f32>, Vec<f32>) {
    let deviations = variance.iter().map(|variance| (variance + epsilon).sqrt());
    let scale: Vec<f32> = weight
        .iter()
        .zip(deviations)
        .map(|(w, deviation)| w / deviation)
        .collect();
    let shift = (bias.iter().zip(&scale).zip(mean))
        .map(|((b, s), m)| b - s * m)
        .collect();
    (scale, shift)
}

struct BatchNorm {
    moments: Moments,
    epsilon: f32,
    activation: Activation,
}

/// Normalises `x [batch, channels, ..]` by the batch's own moments, which it returns too, and scales and shifts it by
/// `weight [channels]` and `bias [channels]`.
pub(crate) fn batch_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    epsilon: f32,
    activation: Activation,
) -> Result<(Tensor, Moments)> {
    let x = x.contiguous()?;
    let moments = Moments::of(&x)?;
    let op = BatchNorm {
        moments: moments.clone(),
        epsilon,
        activation,
    };
    Ok((x.apply_op3(weight, bias, op)?, moments))
}

/// `activation(scale · x + shift)` for each channel of `x [batch, channels, ..]`: batch norm once trained. Without
/// gradient.
pub(crate) fn scale_shift(x: &Tensor, scale: &[f32], shift: &[f32], activation: Activation) -> Result<Tensor> {
    let pixels = Sizes::of(x.shape())?.pixels;
    let out = with_numbers(x, |x| Ok(affine(pixels, x, scale, shift, activation)))?;
    tensor(out, x.shape())
}

pub(super) fn affine(pixels: usize, x: &[f32], scale: &[f32], shift: &[f32], activation: Activation) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let floor = activation.floor();
    out.par_chunks_mut(pixels.max(1))
        .zip(x.par_chunks(pixels.max(1)))
        .enumerate()
        .for_each(|(index, (out, x))| {
            let channel = index % scale.len();
            let (scale, shift) = (scale[channel], shift[channel]);
            // Not `f32::max`, which would turn NaN into a number.
            let clamp = |y: f32| if y < floor { floor } else { y };
            out.iter_mut()
                .zip(x)
                .for_each(|(out, &x)| *out = clamp(x * scale + shift));
        });
    out
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        weight: &CpuStorage,
        lw: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::of(lx.shape())?;
        let affine_of = [numbers(weight, lw)?, numbers(bias, lb)?];
        let (scale, shift) = coefficients(&self.moments.mean, &self.moments.variance, affine_of, self.epsilon);
        let out = affine(sizes.pixels, numbers(x, lx)?, &scale, &shift, self.activation);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::of(x.shape())?;
        let norm = Norm {
            moments: &self.moments,
            weight: &weight.to_vec1()?,
            bias: &bias.to_vec1()?,
            epsilon: self.epsilon,
            activation: self.activation,
        };
        let (of_x, back) = with_numbers(x, |x| {
            with_numbers(grad, |grad| {
                let back = Backward::new(&norm, sizes.pixels, x, grad);
                let mut of_x = vec![0.0; x.len()];
                of_x.par_chunks_mut(sizes.pixels.max(1))
                    .enumerate()
                    .for_each(|(index, of_x)| {
                        let plane = sizes.plane(index);
                        back.gradient(index % sizes.channels, &x[plane.clone()], &grad[plane], of_x);
                    });
                Ok((of_x, back))
            })
        })?;
        Ok((
            Some(tensor(of_x, x.shape())?),
            Some(tensor(back.of_weight, weight.shape())?),
            Some(tensor(back.of_bias, bias.shape())?),
        ))
    }
}

/// A batch norm as it was in the forward pass.
pub(super) struct Norm<'a> {
    pub(super) moments: &'a Moments,
    pub(super) weight: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) epsilon: f32,
    pub(super) activation: Activation,
}

/// The way back through a batch norm and its activation.
///
/// With x̂ the normalised input, n numbers per channel, and the gradient taken as 0 where the activation is flat:
/// ∂weight = Σ grad·x̂, ∂bias = Σ grad and ∂x = weight/σ · (grad − (∂bias + x̂·∂weight)/n).
pub(super) struct Backward {
    pub(super) of_weight: Vec<f32>,
    pub(super) of_bias: Vec<f32>,
    channels: Vec<Channel>,
}

/// Where the activation after a channel's scale and shift lets a gradient back.
#[derive(Clone, Copy)]
struct Gate {
    scale: f32,
    shift: f32,
    floor: f32,
}

impl Gate {
    fn open(self, x: f32, grad: f32) -> f32 {
        if x * self.scale + self.shift > self.floor {
            grad
        } else {
            0.0
        }
    }
}

/// What the way back needs of one channel.
#[derive(Clone, Copy)]
struct Channel {
    mean: f32,
    gate: Gate,
    /// ∂bias / n.
    level: f32,
    /// ∂weight / (n · σ).
    slope: f32,
}

impl Backward {
    /// For the input `x` and the gradient of the output, both `[batch, channels, pixels]`.
    pub(super) fn new(norm: &Norm<'_>, pixels: usize, x: &[f32], grad: &[f32]) -> Self {
        let floor = norm.activation.floor();
        let Moments { mean, variance, .. } = norm.moments;
        let (scale, shift) = coefficients(mean, variance, [norm.weight, norm.bias], norm.epsilon);
        let (count, channels) = (norm.moments.count as f32, scale.len());
        let of_channel = |index: usize| {
            let mean = mean[index];
            let gate = Gate {
                scale: scale[index],
                shift: shift[index],
                floor,
            };
            let deviation = norm.moments.deviation(index, norm.epsilon);
            let planes = x.chunks_exact(pixels.max(1)).zip(grad.chunks_exact(pixels.max(1)));
            let mut sums = [0.0; 2];
            for (x, grad) in planes.skip(index).step_by(channels) {
                let plane = sums2(x, grad, |x, grad| {
                    let grad = gate.open(x, grad);
                    [(x - mean) * grad, grad]
                });
                sums.iter_mut().zip(plane).for_each(|(sum, plane)| *sum += plane);
            }
            let (of_weight, of_bias) = ((sums[0] / f64::from(deviation)) as f32, sums[1] as f32);
            let channel = Channel {
                mean,
                gate,
                level: of_bias / count,
                slope: of_weight / (count * deviation),
            };
            (channel, (of_weight, of_bias))
        };
        let (channels, (of_weight, of_bias)) = (0..channels).into_par_iter().map(of_channel).unzip();
        Self {
            of_weight,
            of_bias,
            channels,
        }
    }

    /// The gradient of a stretch of one channel's input.
    pub(super) fn gradient(&self, channel: usize, x: &[f32], grad: &[f32], out: &mut [f32]) {
        let of = self.channels[channel];
        for ((out, &x), &grad) in out.iter_mut().zip(x).zip(grad) {
            *out = of.gate.scale * (of.gate.open(x, grad) - of.level - (x - of.mean) * of.slope);
        }
    }
}
