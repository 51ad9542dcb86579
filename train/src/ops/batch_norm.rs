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

/// Mean and variance of each channel over a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: Vec<f32>,
    /// Of the batch itself: divided by the count, not by one less.
    pub(crate) variance: Vec<f32>,
    /// Numbers per channel.
    pub(crate) count: usize,
}

/// Sums up one channel of all windows: the sum of `term(index, pair)` over its numbers.
fn channel_sum<const N: usize>(sizes: Sizes, channel: usize, plane: impl Fn(usize) -> [f64; N]) -> [f64; N] {
    (0..sizes.batch).fold([0.0; N], |mut sums, window| {
        let part = plane(window * sizes.channels + channel);
        sums.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        sums
    })
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    pixels: usize,
}

impl Sizes {
    fn of(shape: &Shape) -> Result<Self> {
        match shape.dims() {
            [batch, channels, rest @ ..] => Ok(Self {
                batch: *batch,
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

/// The sum of `term` over two equally long slices.
fn sum2(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += term(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(a, b)).sum();
    lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>() + f64::from(rest)
}

impl Moments {
    /// The moments of `x [batch, channels, ..]`.
    fn of(x: &Tensor) -> Result<Self> {
        let sizes = Sizes::of(x.shape())?;
        let count = sizes.batch * sizes.pixels;
        with_numbers(x, |x| {
            let (mean, variance) = (0..sizes.channels)
                .into_par_iter()
                .map(|channel| {
                    let plane = |index| &x[sizes.plane(index)];
                    let [sum] = channel_sum(sizes, channel, |index| [sum2(plane(index), plane(index), |x, _| x)]);
                    let mean = (sum / count as f64) as f32;
                    let [squares] = channel_sum(sizes, channel, |index| {
                        [sum2(plane(index), plane(index), |x, _| (x - mean) * (x - mean))]
                    });
                    (mean, (squares / count as f64) as f32)
                })
                .unzip();
            Ok(Self { mean, variance, count })
        })
    }

    fn deviation(&self, channel: usize, epsilon: f32) -> f32 {
        (self.variance[channel] + epsilon).sqrt()
    }
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
    let sizes = Sizes::of(x.shape())?;
    let out = with_numbers(x, |x| Ok(affine(sizes, x, scale, shift, activation)))?;
    tensor(out, x.shape())
}

fn affine(sizes: Sizes, x: &[f32], scale: &[f32], shift: &[f32], activation: Activation) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let floor = match activation {
        Activation::None => f32::NEG_INFINITY,
        Activation::Relu => 0.0,
    };
    out.par_chunks_mut(sizes.pixels.max(1))
        .zip(x.par_chunks(sizes.pixels.max(1)))
        .enumerate()
        .for_each(|(index, (out, x))| {
            let (scale, shift) = (scale[index % sizes.channels], shift[index % sizes.channels]);
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
        let (weight, bias) = (numbers(weight, lw)?, numbers(bias, lb)?);
        let scale: Vec<f32> = (0..sizes.channels)
            .map(|c| weight[c] / self.moments.deviation(c, self.epsilon))
            .collect();
        let shift: Vec<f32> = (0..sizes.channels)
            .map(|c| bias[c] - scale[c] * self.moments.mean[c])
            .collect();
        let out = affine(sizes, numbers(x, lx)?, &scale, &shift, self.activation);
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    /// With x̂ the normalised input and n numbers per channel: ∂weight = Σ grad·x̂, ∂bias = Σ grad and
    /// ∂x = weight/σ · (grad − (∂bias + x̂·∂weight)/n).
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::of(x.shape())?;
        let weights = weight.to_vec1::<f32>()?;
        let moments = &self.moments;
        // Where the activation is flat, nothing comes back.
        let open = |result: f32| match self.activation {
            Activation::None => true,
            Activation::Relu => result > 0.0,
        };
        let (of_x, sums) = with_numbers(x, |x| {
            with_numbers(result, |result| {
                with_numbers(grad, |grad| {
                    let gated: Vec<f32> = match self.activation {
                        Activation::None => Vec::new(),
                        Activation::Relu => grad
                            .par_iter()
                            .with_min_len(1 << 14)
                            .zip(result)
                            .map(|(&grad, &result)| if open(result) { grad } else { 0.0 })
                            .collect(),
                    };
                    let grad = if gated.is_empty() { grad } else { &gated };
                    let sums: Vec<[f32; 2]> = (0..sizes.channels)
                        .into_par_iter()
                        .map(|channel| {
                            let (mean, deviation) = (moments.mean[channel], moments.deviation(channel, self.epsilon));
                            let sums = channel_sum(sizes, channel, |index| {
                                let (x, grad) = (&x[sizes.plane(index)], &grad[sizes.plane(index)]);
                                [
                                    sum2(x, grad, |x, grad| (x - mean) * grad),
                                    sum2(x, grad, |_, grad| grad),
                                ]
                            });
                            [(sums[0] / f64::from(deviation)) as f32, sums[1] as f32]
                        })
                        .collect();
                    let mut of_x = vec![0.0; x.len()];
                    let count = moments.count as f32;
                    of_x.par_chunks_mut(sizes.pixels.max(1))
                        .enumerate()
                        .for_each(|(index, of_x)| {
                            let channel = index % sizes.channels;
                            let deviation = moments.deviation(channel, self.epsilon);
                            let [of_weight, of_bias] = sums[channel];
                            let scale = weights[channel] / deviation;
                            let slope = of_weight / (count * deviation);
                            let (mean, level) = (moments.mean[channel], of_bias / count);
                            let (x, grad) = (&x[sizes.plane(index)], &grad[sizes.plane(index)]);
                            for ((out, &x), &grad) in of_x.iter_mut().zip(x).zip(grad) {
                                *out = scale * (grad - level - (x - mean) * slope);
                            }
                        });
                    Ok((of_x, sums))
                })
            })
        })?;
        let of_weight = tensor(sums.iter().map(|sums| sums[0]).collect(), weight.shape())?;
        let of_bias = tensor(sums.iter().map(|sums| sums[1]).collect(), weight.shape())?;
        Ok((Some(tensor(of_x, x.shape())?), Some(of_weight), Some(of_bias)))
    }
}
