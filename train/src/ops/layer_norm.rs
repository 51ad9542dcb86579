//! Layer norm over the last axis.

use candle_core::{CpuStorage, CustomOp3, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{PARTS, numbers, sum, tensor, with_numbers};

struct LayerNorm {
    epsilon: f32,
}

/// `x [.., size]` normalised over its last axis, times `weight [size]`, plus `bias [size]`.
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op3(weight, bias, LayerNorm { epsilon })
}

/// Mean of a row, and one over its standard deviation.
fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let count = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32)
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer norm"
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
        let (x, weight, bias) = (numbers(x, lx)?, numbers(weight, lw)?, numbers(bias, lb)?);
        let mut out = vec![0.0; x.len()];
        out.par_chunks_mut(weight.len())
            .zip(x.par_chunks(weight.len()))
            .with_min_len(16)
            .for_each(|(out, x)| {
                let (mean, scale) = moments(x, self.epsilon);
                for (i, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                    *out = (x - mean) * scale * weight[i] + bias[i];
                }
            });
        Ok((CpuStorage::F32(out), lx.shape().clone()))
    }

    /// As of batch norm, with a row in the place of a channel: ∂x = (g − mean(g) − x̂·mean(g·x̂))/σ for g = grad·weight.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let size = x.dim(D::Minus1)?;
        let rows = x.elem_count() / size;
        let per_part = rows.div_ceil(PARTS).max(1) * size;
        let weights = weight.to_vec1::<f32>()?;
        let mut of_x = vec![0.0; rows * size];
        let parts: Vec<[Vec<f32>; 2]> = with_numbers(x, |x| {
            with_numbers(grad, |grad| {
                let parts = of_x
                    .par_chunks_mut(per_part)
                    .zip(x.par_chunks(per_part).zip(grad.par_chunks(per_part)))
                    .map(|(of_x, (x, grad))| {
                        let mut sums = [vec![0.0; size], vec![0.0; size]];
                        let rows = x.chunks_exact(size).zip(grad.chunks_exact(size));
                        for (of_x, (x, grad)) in of_x.chunks_exact_mut(size).zip(rows) {
                            self.row_gradient(x, grad, &weights, of_x, &mut sums);
                        }
                        sums
                    })
                    .collect();
                Ok(parts)
            })
        })?;
        let (of_weight, of_bias): (Vec<_>, Vec<_>) = parts.into_iter().map(|[weight, bias]| (weight, bias)).unzip();
        Ok((
            Some(tensor(of_x, x.shape())?),
            Some(tensor(sum(of_weight, size), weight.shape())?),
            Some(tensor(sum(of_bias, size), weight.shape())?),
        ))
    }
}

impl LayerNorm {
    /// The gradient of one row, and what the row adds to those of weight and bias.
    fn row_gradient(&self, x: &[f32], grad: &[f32], weights: &[f32], of_x: &mut [f32], sums: &mut [Vec<f32>; 2]) {
        let (mean, scale) = moments(x, self.epsilon);
        let [of_weight, of_bias] = sums;
        let (mut level, mut slope) = (0.0_f64, 0.0_f64);
        for i in 0..x.len() {
            let normed = (x[i] - mean) * scale;
            of_weight[i] += grad[i] * normed;
            of_bias[i] += grad[i];
            let weighted = f64::from(grad[i] * weights[i]);
            level += weighted;
            slope += weighted * f64::from(normed);
        }
        let count = x.len() as f64;
        let (level, slope) = ((level / count) as f32, (slope / count) as f32);
        for i in 0..x.len() {
            let normed = (x[i] - mean) * scale;
            of_x[i] = scale * (grad[i] * weights[i] - level - normed * slope);
        }
    }
}
