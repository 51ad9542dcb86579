//! Softmax over the last axis.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{numbers, tensor, with_numbers};

struct Softmax;

/// Softmax of `x [.., size]` over its last axis.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Softmax)
}

fn last(shape: &Shape) -> Result<usize> {
    shape.dim(D::Minus1).map(|size| size.max(1))
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let size = last(layout.shape())?;
        let mut out = numbers(x, layout)?.to_vec();
        out.par_chunks_mut(size).with_min_len(32).for_each(|row| {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().for_each(|x| *x = (*x - max).exp());
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|x| *x /= sum);
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// ∂x = y · (grad − Σ grad·y).
    fn bwd(&self, x: &Tensor, result: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let size = last(x.shape())?;
        let gradient = with_numbers(result, |result| {
            with_numbers(grad, |grad| {
                let mut gradient = vec![0.0; grad.len()];
                gradient
                    .par_chunks_mut(size)
                    .zip(result.par_chunks(size).zip(grad.par_chunks(size)))
                    .with_min_len(32)
                    .for_each(|(out, (y, grad))| {
                        let mean: f32 = y.iter().zip(grad).map(|(y, grad)| y * grad).sum();
                        for ((out, y), grad) in out.iter_mut().zip(y).zip(grad) {
                            *out = y * (grad - mean);
                        }
                    });
                Ok(gradient)
            })
        })?;
        Ok(Some(tensor(gradient, x.shape())?))
    }
}
