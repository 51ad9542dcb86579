//! What the layers are made of. Matrices are `[frames, channels]`.

use std::num::NonZero;

use ndarray::linalg::general_mat_mul;
use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView2, ArrayView3, ArrayViewMut1, Axis, s};

use crate::activation::Activation;

/// Most rows of a result that one task computes.
const MAX_ROWS: usize = 256;

/// Rows per task: few enough that every core has work.
pub(super) fn rows_per_task(rows: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    rows.div_ceil(cores).clamp(1, MAX_ROWS)
}

/// `x · weightᵀ + bias`, with `weight [outputs, inputs]`.
pub(super) fn linear(x: &Array2<f64>, weight: &Array2<f64>, bias: &Array1<f64>) -> Array2<f64> {
    let mut out = Array2::zeros((x.nrows(), weight.nrows()));
    let rows = rows_per_task(x.nrows());
    out.axis_chunks_iter_mut(Axis(0), rows)
        .into_par_iter()
        .zip(x.axis_chunks_iter(Axis(0), rows))
        .for_each(|(mut out, x)| {
            general_mat_mul(1.0, &x, &weight.t(), 0.0, &mut out);
            out += bias;
        });
    out
}

/// A convolution over time without padding: `x [frames, inputs]` with `weight [outputs, inputs, kernel]`.
///
/// `out[t] = Σₖ weight[.., k] · x[t · stride + k]`. There must be frames for at least one step.
pub(super) fn convolve(x: &ArrayView2<'_, f64>, weight: &ArrayView3<'_, f64>, stride: usize) -> Array2<f64> {
    let (outputs, inputs, kernel) = weight.dim();
    let frames = (x.nrows() - kernel) / stride + 1;
    // One matrix [inputs, outputs] per place in the kernel.
    let places: Vec<Array2<f64>> = (0..kernel)
        .map(|k| {
            let mut place = Array2::zeros((inputs, outputs));
            place.assign(&weight.slice(s![.., .., k]).t());
            place
        })
        .collect();
    let mut out = Array2::zeros((frames, outputs));
    let rows = rows_per_task(frames);
    out.axis_chunks_iter_mut(Axis(0), rows)
        .into_par_iter()
        .enumerate()
        .for_each(|(chunk, mut out)| {
            for (k, place) in places.iter().enumerate() {
                let first = chunk * rows * stride + k;
                let last = first + (out.nrows() - 1) * stride;
                let heard = x.slice(s![first..=last; stride, ..]);
                general_mat_mul(1.0, &heard, place, 1.0, &mut out);
            }
        });
    out
}

/// `(x − mean) / √(variance + eps)` over all.
pub(super) fn normalise(mut x: Vec<f64>, eps: f64) -> Vec<f64> {
    standardise(x.as_mut_slice().into(), eps);
    x
}

fn standardise(mut x: ArrayViewMut1<'_, f64>, eps: f64) {
    let len = x.len() as f64;
    let mean = x.sum() / len;
    x -= mean;
    let variance = x.fold(0.0, |sum, v| sum + v * v) / len;
    x /= (variance + eps).sqrt();
}

/// Normalises each frame over its channels.
pub(super) fn layer_norm(x: &mut Array2<f64>, scale: &Array1<f64>, bias: &Array1<f64>, eps: f64) {
    x.axis_iter_mut(Axis(0)).into_par_iter().for_each(|mut frame| {
        standardise(frame.view_mut(), eps);
        frame *= scale;
        frame += bias;
    });
}

/// Normalises each channel over the frames: a group norm with as many groups as channels.
pub(super) fn group_norm(x: &mut Array2<f64>, scale: &Array1<f64>, bias: &Array1<f64>, eps: f64) {
    x.axis_iter_mut(Axis(1)).into_par_iter().for_each(|channel| {
        standardise(channel, eps);
    });
    *x *= scale;
    *x += bias;
}

/// Normalises each channel by the mean and variance of the training data.
pub(super) fn batch_norm(
    x: &mut Array2<f64>,
    mean: &Array1<f64>,
    variance: &Array1<f64>,
    scale: &Array1<f64>,
    bias: &Array1<f64>,
    eps: f64,
) {
    *x -= mean;
    *x /= &variance.mapv(|v| (v + eps).sqrt());
    *x *= scale;
    *x += bias;
}

/// Makes positive numbers that sum to 1 of any.
pub(super) fn softmax(mut x: ArrayViewMut1<'_, f64>) {
    let largest = x.fold(f64::NEG_INFINITY, |largest, &v| largest.max(v));
    x.mapv_inplace(|v| (v - largest).exp());
    let sum = x.sum();
    x /= sum;
}

/// Applies an activation to every number.
pub(super) fn activate(x: &mut Array2<f64>, activation: Activation) {
    x.par_mapv_inplace(|v| activated(v, activation));
}

fn activated(x: f64, activation: Activation) -> f64 {
    let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
    match activation {
        Activation::Gelu => 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            let inner = std::f64::consts::FRAC_2_PI.sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::QuickGelu => x * sigmoid(1.702 * x),
        Activation::Relu => x.max(0.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

/// `g · v / ‖v‖` of `v [.., kernel]`, with a norm and a magnitude for each place in the kernel.
pub(super) fn weight_normed(g: &[f64], mut v: Vec<f64>) -> Vec<f64> {
    let kernel = g.len();
    for (place, magnitude) in g.iter().enumerate() {
        let places = || (place..v.len()).step_by(kernel);
        let norm = places().map(|i| v[i] * v[i]).sum::<f64>().sqrt();
        for i in places().collect::<Vec<_>>() {
            v[i] *= magnitude / norm;
        }
    }
    v
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;

    fn assert_close(found: &Array2<f64>, expected: &Array2<f64>) {
        assert_eq!(found.dim(), expected.dim());
        let worst = (found - expected).fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(worst < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn a_linear_layer_by_hand() {
        let x = array![[1.0, 2.0], [3.0, 4.0]];
        let weight = array![[1.0, 10.0], [0.0, -1.0], [2.0, 0.5]];
        let out = linear(&x, &weight, &array![0.5, 0.0, 1.0]);
        assert_close(&out, &array![[21.5, -2.0, 4.0], [43.5, -4.0, 9.0]]);
    }

    #[test]
    fn a_convolution_by_hand() {
        // Two input channels, one output, kernel 2: out[t] = x0[t] + 10 x0[t+1] + 100 x1[t] + 1000 x1[t+1].
        let x = array![[1.0, 5.0], [2.0, 6.0], [3.0, 7.0], [4.0, 8.0]];
        let weight = array![[[1.0, 10.0], [100.0, 1000.0]]];
        assert_close(
            &convolve(&x.view(), &weight.view(), 1),
            &array![[6521.0], [7632.0], [8743.0]],
        );
        assert_close(&convolve(&x.view(), &weight.view(), 2), &array![[6521.0], [8743.0]]);
    }

    #[test]
    fn a_convolution_in_several_tasks_is_the_same_as_frame_by_frame() {
        let x = Array2::from_shape_fn((2000, 3), |(t, c)| ((t * 7 + c * 13) % 31) as f64 - 15.0);
        let weight = Array3::from_shape_fn((4, 3, 5), |(o, i, k)| ((o * 5 + i * 3 + k) % 7) as f64 - 3.0);
        let out = convolve(&x.view(), &weight.view(), 3);
        let expected = Array2::from_shape_fn(((2000 - 5) / 3 + 1, 4), |(t, o)| {
            let terms = (0..3).flat_map(|i| (0..5).map(move |k| (i, k)));
            terms.map(|(i, k)| x[[t * 3 + k, i]] * weight[[o, i, k]]).sum()
        });
        assert_close(&out, &expected);
    }

    #[test]
    fn norms_by_hand() {
        // Mean 2, variance 1; with eps 3 divided by 2.
        let x = array![[1.0, 10.0], [3.0, 30.0]];
        let (scale, bias) = (array![1.0, 2.0], array![0.0, 1.0]);
        let mut grouped = x.clone();
        group_norm(&mut grouped, &scale, &bias, 3.0);
        let second = 10.0 / 103.0_f64.sqrt();
        assert_close(&grouped, &array![[-0.5, 1.0 - 2.0 * second], [0.5, 1.0 + 2.0 * second]]);

        let mut layered = array![[1.0, 3.0], [4.0, 4.0]];
        layer_norm(&mut layered, &scale, &bias, 3.0);
        assert_close(&layered, &array![[-0.5, 2.0], [0.0, 1.0]]);

        let mut batched = x;
        batch_norm(&mut batched, &array![1.0, 10.0], &array![1.0, 22.0], &scale, &bias, 3.0);
        assert_close(&batched, &array![[0.0, 1.0], [1.0, 9.0]]);

        assert_eq!(normalise(vec![1.0, 3.0], 3.0), [-0.5, 0.5]);
    }

    #[test]
    fn a_softmax_does_not_overflow() {
        let mut x = array![1000.0, 1000.0 + 3.0_f64.ln()];
        softmax(x.view_mut());
        assert!((x[0] - 0.25).abs() < 1e-12 && (x[1] - 0.75).abs() < 1e-12, "{x}");
    }

    #[test]
    fn activations_are_pytorchs() {
        // torch.nn.functional in float64 at −1.5, 0.3 and 2; gelu_pytorch_tanh and quick_gelu as transformers has them.
        for (activation, expected) in [
            (
                Activation::Gelu,
                [
                    -0.100_210_801_903_287_04,
                    0.185_373_426_656_685_8,
                    1.954_499_736_103_641_6,
                ],
            ),
            (
                Activation::GeluTanh,
                [
                    -0.100_428_423_019_767_06,
                    0.185_370_923_542_759_22,
                    1.954_597_694_087_775,
                ],
            ),
            (
                Activation::QuickGelu,
                [
                    -0.108_337_801_552_923_41,
                    0.187_484_135_381_591_7,
                    1.935_658_623_144_208_3,
                ],
            ),
            (Activation::Relu, [0.0, 0.3, 2.0]),
            (
                Activation::Silu,
                [
                    -0.273_638_285_709_534_5,
                    0.172_332_755_043_497_7,
                    1.761_594_155_955_764_6,
                ],
            ),
            (
                Activation::Sigmoid,
                [0.182_425_523_806_356_35, 0.574_442_516_811_659, 0.880_797_077_977_882_3],
            ),
            (
                Activation::Tanh,
                [
                    -0.905_148_253_644_866_4,
                    0.291_312_612_451_590_9,
                    0.964_027_580_075_816_9,
                ],
            ),
        ] {
            let mut x = array![[-1.5, 0.3, 2.0]];
            activate(&mut x, activation);
            assert_close(&x, &Array2::from(vec![expected]));
        }
    }

    #[test]
    fn a_weight_norm_gives_each_place_of_the_kernel_its_magnitude() {
        // Two rows, kernel 2: norms 5 and 13.
        assert_eq!(
            weight_normed(&[10.0, 1.0], vec![3.0, 5.0, 4.0, 12.0]),
            [6.0, 5.0 / 13.0, 8.0, 12.0 / 13.0]
        );
    }
}
