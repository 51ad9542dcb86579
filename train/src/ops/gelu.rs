//! The exact GELU, `x · Φ(x)` with Φ the normal distribution's.

use std::f32::consts::FRAC_1_SQRT_2;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{numbers, tensor, with_numbers};

struct Gelu;

/// The exact GELU of each number.
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Gelu)
}

/// Φ(x), the share of the normal distribution below `x`.
fn below(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * FRAC_1_SQRT_2))
}

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = numbers(x, layout)?.par_iter().with_min_len(1 << 12);
        let out = x.map(|&x| x * below(x)).collect();
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// ∂x = grad · (Φ(x) + x·φ(x)), φ the normal density.
    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        const DENSITY_AT_0: f32 = 0.398_942_3;
        let gradient = with_numbers(x, |numbers| {
            with_numbers(grad, |grad| {
                let pairs = numbers.par_iter().with_min_len(1 << 12).zip(grad);
                let slope = |x: f32| below(x) + x * DENSITY_AT_0 * (-0.5 * x * x).exp();
                Ok(pairs.map(|(&x, &grad)| grad * slope(x)).collect())
            })
        })?;
        Ok(Some(tensor(gradient, x.shape())?))
    }
}
