//! A convolution and the batch norm after it as one operator. Most of training is waiting for memory: here the norm's
//! moments are measured while a convolved window is in the cache, and the gradient between the two is never laid out.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::batch_norm::{Activation, Backward, Moments, Norm, Spread, affine, coefficients};
use super::conv::{Convolution, Sizes};
use super::{gradient, numbers, tensor, with_numbers};

struct ConvNorm {
    how: Convolution,
    epsilon: f32,
    activation: Activation,
    /// What the forward pass leaves for the way back.
    kept: Arc<OnceLock<Kept>>,
}

struct Kept {
    convolved: Vec<f32>,
    moments: Moments,
}

/// `x [batch, inputs, height, width]` convolved with `kernels`, normalised by the batch's own moments, which are returned
/// too, and scaled and shifted by `weight [outputs]` and `bias [outputs]`.
pub(crate) fn conv_norm(
    x: &Tensor,
    kernels: &Tensor,
    [weight, bias]: [&Tensor; 2],
    how: Convolution,
    epsilon: f32,
    activation: Activation,
) -> Result<(Tensor, Moments)> {
    let kept = Arc::new(OnceLock::new());
    let op = ConvNorm {
        how,
        epsilon,
        activation,
        kept: Arc::clone(&kept),
    };
    let affine = Tensor::stack(&[weight, bias], 0)?;
    let out = x.contiguous()?.apply_op3(&kernels.contiguous()?, &affine, op)?;
    match kept.get() {
        Some(Kept { moments, .. }) => Ok((out, moments.clone())),
        None => bail!("the forward pass left no moments"),
    }
}

impl CustomOp3 for ConvNorm {
    fn name(&self) -> &'static str {
        "convolution and batch norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        kernels: &CpuStorage,
        lk: &Layout,
        affine_of: &CpuStorage,
        la: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(lx.shape(), lk.shape(), self.how)?;
        let (pixels, channels) = (sizes.pixels_out(), sizes.channels_out());
        let planes = |window: &[f32]| -> Vec<Spread> { window.chunks_exact(pixels.max(1)).map(Spread::of).collect() };
        let (convolved, planes) = sizes.forward(numbers(x, lx)?, numbers(kernels, lk)?, planes)?;
        let moments = Moments::of_planes(&planes.concat(), channels, pixels);
        let (weight, bias) = numbers(affine_of, la)?.split_at(channels);
        let (scale, shift) = coefficients(&moments.mean, &moments.variance, [weight, bias], self.epsilon);
        let out = affine(pixels, &convolved, &scale, &shift, self.activation);
        // A second pass would leave the same.
        let _ = self.kept.set(Kept { convolved, moments });
        Ok((CpuStorage::F32(out), sizes.shape()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        kernels: &Tensor,
        affine: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(x.shape(), kernels.shape(), self.how)?;
        let Some(Kept { convolved, moments }) = self.kept.get() else {
            bail!("the way back before the forward pass");
        };
        let (pixels, group) = (sizes.pixels_out(), sizes.group_out());
        let affine_numbers: Vec<f32> = affine.flatten_all()?.to_vec1()?;
        let (weight, bias) = affine_numbers.split_at(sizes.channels_out());
        let norm = Norm {
            moments,
            weight,
            bias,
            epsilon: self.epsilon,
            activation: self.activation,
        };
        let wanted = [x.track_op(), kernels.track_op()];
        let (back, [of_x, of_kernels]) = with_numbers(grad, |grad| {
            let back = Backward::new(&norm, pixels, convolved, grad);
            let tile = |index: usize, range: Range<usize>, out: &mut [f32]| {
                let planes = index * group / pixels..;
                for (plane, out) in planes.zip(out.chunks_exact_mut(range.len())) {
                    let range = plane * pixels + range.start..plane * pixels + range.end;
                    back.gradient(
                        plane % sizes.channels_out(),
                        &convolved[range.clone()],
                        &grad[range],
                        out,
                    );
                }
            };
            let gradients = with_numbers(x, |x| {
                with_numbers(kernels, |kernels| sizes.backward(x, kernels, wanted, tile))
            })?;
            Ok((back, gradients))
        })?;
        let of_affine = tensor([back.of_weight, back.of_bias].concat(), affine.shape())?;
        Ok((gradient(of_x, x)?, gradient(of_kernels, kernels)?, Some(of_affine)))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::super::{batch_norm, conv2d};
    use super::*;
    use crate::augment::generator;
    use rand::Rng as _;

    const EPSILON: f32 = 1e-5;

    fn var(shape: &[usize], seed: u64) -> Var {
        let mut rng = generator(seed, &[]);
        let count = shape.iter().product();
        let numbers: Vec<f32> = (0..count).map(|_| rng.random_range(-1.0..1.0)).collect();
        Var::from_vec(numbers, shape, &Device::Cpu).expect("shape")
    }

    fn assert_near(found: &Tensor, expected: &Tensor, what: &str) {
        let numbers = |x: &Tensor| -> Vec<f32> { x.flatten_all().and_then(|x| x.to_vec1()).expect("numbers") };
        let (found, expected) = (numbers(found), numbers(expected));
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() <= 1e-5 * largest,
                "{what}: {found}, {expected}"
            );
        }
    }

    #[test]
    fn it_is_a_convolution_and_a_batch_norm_one_after_the_other() {
        // A kernel of one pixel, strides, lines that are longer than a tile, and groups.
        let shapes = [
            ([3, 4, 9, 30], [6, 4, 3, 3], [1, 1], 1),
            ([2, 3, 10, 7], [5, 3, 3, 3], [2, 2], 1),
            ([2, 3, 8, 9], [5, 3, 1, 1], [1, 1], 1),
            ([1, 2, 3, 1100], [2, 2, 3, 3], [2, 1], 1),
            ([2, 4, 1, 600], [6, 2, 1, 3], [1, 1], 2),
        ];
        for (seed, (of_x, of_kernels, stride, groups)) in (0..).zip(shapes) {
            for activation in [Activation::None, Activation::Relu] {
                let how = Convolution {
                    stride,
                    padding: [of_kernels[2] / 2, of_kernels[3] / 2],
                    groups,
                };
                let (x, kernels) = (var(&of_x, seed), var(&of_kernels, seed + 10));
                let (weight, bias) = (var(&of_kernels[..1], seed + 20), var(&of_kernels[..1], seed + 30));
                let convolved = conv2d(&x, &kernels, how).expect("convolution");
                let (expected, of_both) =
                    batch_norm(&convolved, &weight, &bias, EPSILON, activation).expect("batch norm");
                let (found, of_one) =
                    conv_norm(&x, &kernels, [&weight, &bias], how, EPSILON, activation).expect("both");
                assert_eq!(of_one, of_both);
                assert_near(&found, &expected, "output");

                // Squares, so that the gradient of the output is not the same everywhere.
                let gradients = |out: &Tensor| {
                    out.sqr()
                        .and_then(|x| x.sum_all())
                        .and_then(|x| x.backward())
                        .expect("back")
                };
                let (found, expected) = (gradients(&found), gradients(&expected));
                for (what, var) in [("x", &x), ("kernels", &kernels), ("weight", &weight), ("bias", &bias)] {
                    let of = |all: &candle_core::backprop::GradStore| all.get(var).expect("gradient").clone();
                    assert_near(&of(&found), &of(&expected), what);
                }
            }
        }
    }
}
