//! The end of a residual block in one pass over memory: `relu(y · weights + shortcut)`, and the means that the weights are
//! computed from.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{numbers, tensor, with_numbers};

/// Numbers that one thread takes at least.
const GRAIN: usize = 1 << 12;

struct Residual;

/// `relu(y · weights + shortcut)` for `y` and `shortcut [batch, channels, height, width]` and a weight for each of
/// `[batch, channels]`.
pub(crate) fn residual(y: &Tensor, weights: &Tensor, shortcut: &Tensor) -> Result<Tensor> {
    y.contiguous()?
        .apply_op3(&weights.contiguous()?, &shortcut.contiguous()?, Residual)
}

/// Numbers in a plane, and how many planes one thread takes at least.
fn planes(shape: &Shape) -> Result<(usize, usize)> {
    let (_, _, height, width) = shape.dims4()?;
    let pixels = (height * width).max(1);
    Ok((pixels, GRAIN.div_ceil(pixels)))
}

impl CustomOp3 for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn cpu_fwd(
        &self,
        y: &CpuStorage,
        ly: &Layout,
        weights: &CpuStorage,
        lw: &Layout,
        shortcut: &CpuStorage,
        ls: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (pixels, grain) = planes(ly.shape())?;
        let (y, weights, shortcut) = (numbers(y, ly)?, numbers(weights, lw)?, numbers(shortcut, ls)?);
        let mut out = vec![0.0; y.len()];
        out.par_chunks_mut(pixels)
            .zip(y.par_chunks(pixels).zip(shortcut.par_chunks(pixels)))
            .zip(weights)
            .with_min_len(grain)
            .for_each(|((out, (y, shortcut)), &weight)| {
                for ((out, &y), &shortcut) in out.iter_mut().zip(y).zip(shortcut) {
                    let sum = y * weight + shortcut;
                    // Not `f32::max`, which would turn NaN into a number.
                    *out = if sum < 0.0 { 0.0 } else { sum };
                }
            });
        Ok((CpuStorage::F32(out), ly.shape().clone()))
    }

    /// With the gradient g where the result is positive, and 0 elsewhere: ∂y = g · weight, ∂weight = Σ g·y and
    /// ∂shortcut = g.
    fn bwd(
        &self,
        y: &Tensor,
        weights: &Tensor,
        _: &Tensor,
        result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (pixels, grain) = planes(y.shape())?;
        let mut of_y = vec![0.0; y.elem_count()];
        let mut of_shortcut = vec![0.0; y.elem_count()];
        let mut of_weights = vec![0.0; weights.elem_count()];
        with_numbers(y, |y| {
            with_numbers(weights, |weights| {
                with_numbers(result, |result| {
                    with_numbers(grad, |grad| {
                        of_y.par_chunks_mut(pixels)
                            .zip(of_shortcut.par_chunks_mut(pixels))
                            .zip(of_weights.par_iter_mut().zip(weights))
                            .zip(y.par_chunks(pixels))
                            .zip(result.par_chunks(pixels).zip(grad.par_chunks(pixels)))
                            .with_min_len(grain)
                            .for_each(|((((of_y, of_shortcut), (of_weight, &weight)), y), (result, grad))| {
                                for i in 0..y.len() {
                                    let open = if result[i] > 0.0 { grad[i] } else { 0.0 };
                                    of_shortcut[i] = open;
                                    of_y[i] = open * weight;
                                }
                                let products = of_shortcut.iter().zip(y).map(|(&grad, &y)| f64::from(grad * y));
                                *of_weight = products.sum::<f64>() as f32;
                            });
                        Ok(())
                    })
                })
            })
        })?;
        Ok((
            Some(tensor(of_y, y.shape())?),
            Some(tensor(of_weights, weights.shape())?),
            Some(tensor(of_shortcut, y.shape())?),
        ))
    }
}

struct PlaneMeans;

/// The mean of each channel: `[batch, channels, height, width]` → `[batch, channels]`.
pub(crate) fn plane_means(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(PlaneMeans)
}

impl CustomOp1 for PlaneMeans {
    fn name(&self) -> &'static str {
        "plane means"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pixels, grain) = planes(layout.shape())?;
        let mean = |plane: &[f32]| (plane.iter().map(|&x| f64::from(x)).sum::<f64>() / pixels as f64) as f32;
        let planes = numbers(x, layout)?.par_chunks(pixels).with_min_len(grain);
        let (batch, channels, _, _) = layout.shape().dims4()?;
        Ok((CpuStorage::F32(planes.map(mean).collect()), (batch, channels).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (pixels, grain) = planes(x.shape())?;
        let mut gradient = vec![0.0; x.elem_count()];
        with_numbers(grad, |grad| {
            let planes = gradient.par_chunks_mut(pixels).zip(grad).with_min_len(grain);
            planes.for_each(|(plane, grad)| plane.fill(grad / pixels as f32));
            Ok(())
        })?;
        Ok(Some(tensor(gradient, x.shape())?))
    }
}
