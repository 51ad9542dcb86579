//! Convolution as matrix products: each window's patches are laid side by side (im2col) and multiplied with the kernels.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use super::{PARTS, numbers, sum, tensor, with_numbers};

/// How a kernel moves over its input: along the height (or frequency) and along the width (or time).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Convolution {
    pub(crate) stride: [usize; 2],
    /// Zeros before and after.
    pub(crate) padding: [usize; 2],
    pub(crate) groups: usize,
}

impl Default for Convolution {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: [0, 0],
            groups: 1,
        }
    }
}

/// `x [batch, inputs, height, width]` convolved with `kernels [outputs, inputs / groups, height, width]`.
pub(crate) fn conv2d(x: &Tensor, kernels: &Tensor, how: Convolution) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&kernels.contiguous()?, how)
}

/// All sizes of one convolution.
struct Sizes {
    batch: usize,
    inputs: usize,
    outputs: usize,
    groups: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    output: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Sizes {
    fn new(x: &Shape, kernels: &Shape, how: Convolution) -> Result<Self> {
        let (batch, inputs, height, width) = x.dims4()?;
        let (outputs, group_inputs, kernel_height, kernel_width) = kernels.dims4()?;
        let groups = how.groups;
        let (input, kernel) = ([height, width], [kernel_height, kernel_width]);
        let padded = [height + 2 * how.padding[0], width + 2 * how.padding[1]];
        let fits = padded[0] >= kernel_height && padded[1] >= kernel_width;
        if !fits || group_inputs * groups != inputs || !outputs.is_multiple_of(groups) {
            bail!("a kernel {kernels:?} in {groups} groups does not fit an input {x:?}");
        }
        Ok(Self {
            batch,
            inputs,
            outputs,
            groups,
            input,
            kernel,
            output: [
                (padded[0] - kernel_height) / how.stride[0] + 1,
                (padded[1] - kernel_width) / how.stride[1] + 1,
            ],
            stride: how.stride,
            padding: how.padding,
        })
    }

    fn pixels_in(&self) -> usize {
        self.input[0] * self.input[1]
    }

    fn pixels_out(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Numbers in a kernel.
    fn taps(&self) -> usize {
        self.inputs / self.groups * self.kernel[0] * self.kernel[1]
    }

    /// The patches are the input itself.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// The output in rectangles of about [`TILE`] pixels, each of which is a stretch of the output too: whole lines, or a
    /// part of one.
    fn tiles(&self) -> Vec<Tile> {
        let [height, width] = self.output;
        let (lines, columns) = (TILE.div_ceil(width.max(1)).min(height.max(1)), width.clamp(1, TILE));
        let lines = if columns < width { 1 } else { lines };
        let from = (0..height).step_by(lines);
        from.flat_map(|y| (0..width).step_by(columns).map(move |x| (y, x)))
            .map(|(y, x)| Tile {
                lines: y..(y + lines).min(height),
                columns: x..(x + columns).min(width),
            })
            .collect()
    }

    /// Calls `row(channel, kernel row, kernel column)` for each row of a tile's patches, in their order, with its numbers.
    fn each_row<'a>(
        &self,
        tile: &Tile,
        patches: &'a mut [f32],
    ) -> impl Iterator<Item = (usize, usize, usize, &'a mut [f32])> {
        let [height, width] = self.kernel;
        patches
            .chunks_exact_mut(tile.len())
            .enumerate()
            .map(move |(row, numbers)| (row / (height * width), row / width % height, row % width, numbers))
    }

    /// The outputs along the width whose input column for `tap` lies inside the input.
    fn inside(&self, tap: usize) -> Range<usize> {
        let (stride, padding) = (self.stride[1], self.padding[1]);
        let first = padding.saturating_sub(tap).div_ceil(stride);
        let end = (self.input[1] + padding).saturating_sub(tap).div_ceil(stride);
        first.min(self.output[1])..end.min(self.output[1])
    }

    /// Lays out the patches of a tile of one group's input `[channels, height, width]` as `[taps, tile]`.
    fn unfold(&self, tile: &Tile, input: &[f32], patches: &mut [f32]) {
        let [height, width] = self.input;
        for (channel, tap_y, tap_x, numbers) in self.each_row(tile, patches) {
            let plane = &input[channel * height * width..][..height * width];
            let inside = tile.columns_inside(self.inside(tap_x));
            for (y, out) in tile.lines.clone().zip(numbers.chunks_exact_mut(tile.columns.len())) {
                let source = (y * self.stride[0] + tap_y).wrapping_sub(self.padding[0]);
                if source >= height || inside.is_empty() {
                    out.fill(0.0);
                    continue;
                }
                let line = &plane[source * width..][..width];
                out[..inside.start].fill(0.0);
                out[inside.end..].fill(0.0);
                let from = (tile.columns.start + inside.start) * self.stride[1] + tap_x - self.padding[1];
                let out = &mut out[inside.clone()];
                if self.stride[1] == 1 {
                    out.copy_from_slice(&line[from..from + out.len()]);
                } else {
                    let strided = line[from..].iter().step_by(self.stride[1]);
                    out.iter_mut().zip(strided).for_each(|(out, &x)| *out = x);
                }
            }
        }
    }

    /// The transpose of [`unfold`](Self::unfold): adds each patch to where it came from.
    fn fold(&self, tile: &Tile, patches: &mut [f32], input: &mut [f32]) {
        let [height, width] = self.input;
        for (channel, tap_y, tap_x, numbers) in self.each_row(tile, patches) {
            let plane = &mut input[channel * height * width..][..height * width];
            let inside = tile.columns_inside(self.inside(tap_x));
            if inside.is_empty() {
                continue;
            }
            for (y, from) in tile.lines.clone().zip(numbers.chunks_exact(tile.columns.len())) {
                let target = (y * self.stride[0] + tap_y).wrapping_sub(self.padding[0]);
                if target >= height {
                    continue;
                }
                let line = &mut plane[target * width..][..width];
                let to = (tile.columns.start + inside.start) * self.stride[1] + tap_x - self.padding[1];
                let strided = line[to..].iter_mut().step_by(self.stride[1]);
                strided.zip(&from[inside.clone()]).for_each(|(sum, &x)| *sum += x);
            }
        }
    }
}

/// Pixels in a tile: so few that a tile's patches stay in a core's cache between laying them out and multiplying them.
const TILE: usize = 512;

/// A rectangle of the output.
struct Tile {
    lines: Range<usize>,
    columns: Range<usize>,
}

impl Tile {
    fn len(&self) -> usize {
        self.lines.len() * self.columns.len()
    }

    /// Where it is among the output's pixels, whose lines are so wide.
    fn pixels(&self, width: usize) -> Range<usize> {
        let start = self.lines.start * width + self.columns.start;
        start..start + self.len()
    }

    /// The part of some columns that lies in the tile, from the tile's first on.
    fn columns_inside(&self, columns: Range<usize>) -> Range<usize> {
        let within = |x: usize| x.clamp(self.columns.start, self.columns.end) - self.columns.start;
        within(columns.start)..within(columns.end)
    }
}

fn matrix(numbers: &[f32], rows: usize, columns: usize) -> Result<ArrayView2<'_, f32>> {
    ArrayView2::from_shape((rows, columns), numbers).map_err(candle_core::Error::wrap)
}

fn matrix_mut(numbers: &mut [f32], rows: usize, columns: usize) -> Result<ArrayViewMut2<'_, f32>> {
    ArrayViewMut2::from_shape((rows, columns), numbers).map_err(candle_core::Error::wrap)
}

impl Convolution {
    /// `out = kernels · patches`, window by window and tile by tile.
    fn forward(sizes: &Sizes, x: &[f32], kernels: &[f32]) -> Result<Vec<f32>> {
        let (taps, pixels, tiles) = (sizes.taps(), sizes.pixels_out(), sizes.tiles());
        let group_in = sizes.inputs / sizes.groups * sizes.pixels_in();
        let group_out = sizes.outputs / sizes.groups;
        let mut out = vec![0.0; sizes.batch * sizes.outputs * pixels];
        out.par_chunks_mut(group_out * pixels)
            .zip(x.par_chunks(group_in))
            .enumerate()
            .try_for_each_init(Vec::new, |patches, (index, (out, x))| {
                let group = index % sizes.groups;
                let kernels = matrix(
                    &kernels[group * group_out * taps..][..group_out * taps],
                    group_out,
                    taps,
                )?;
                let mut out = matrix_mut(out, group_out, pixels)?;
                if sizes.is_pointwise() {
                    general_mat_mul(1.0, &kernels, &matrix(x, taps, pixels)?, 0.0, &mut out);
                    return Ok(());
                }
                for tile in &tiles {
                    patches.resize(taps * tile.len(), 0.0);
                    sizes.unfold(tile, x, patches);
                    let mut out = out.slice_mut(s![.., tile.pixels(sizes.output[1])]);
                    general_mat_mul(1.0, &kernels, &matrix(patches, taps, tile.len())?, 0.0, &mut out);
                }
                Ok::<_, candle_core::Error>(())
            })?;
        Ok(out)
    }

    /// The gradient of the kernels: `grad · patchesᵀ`, summed over the batch.
    fn kernel_gradient(sizes: &Sizes, x: &[f32], grad: &[f32]) -> Result<Vec<f32>> {
        let (taps, pixels, tiles) = (sizes.taps(), sizes.pixels_out(), sizes.tiles());
        let group_in = sizes.inputs / sizes.groups * sizes.pixels_in();
        let group_out = sizes.outputs / sizes.groups;
        let windows = sizes.batch.div_ceil(PARTS);
        let parts: Vec<Vec<f32>> = x
            .par_chunks(windows * sizes.groups * group_in)
            .zip(grad.par_chunks(windows * sizes.outputs * pixels))
            .map(|(x, grad)| {
                let mut total = vec![0.0; sizes.outputs * taps];
                let mut patches = Vec::new();
                let of_windows = x.chunks_exact(group_in).zip(grad.chunks_exact(group_out * pixels));
                for (index, (x, grad)) in of_windows.enumerate() {
                    let group = index % sizes.groups;
                    let total = &mut total[group * group_out * taps..][..group_out * taps];
                    let mut total = matrix_mut(total, group_out, taps)?;
                    let grad = matrix(grad, group_out, pixels)?;
                    for tile in &tiles {
                        let range = tile.pixels(sizes.output[1]);
                        let grad = grad.slice(s![.., range.clone()]);
                        if sizes.is_pointwise() {
                            let patches = matrix(x, taps, pixels)?;
                            general_mat_mul(1.0, &grad, &patches.slice(s![.., range]).t(), 1.0, &mut total);
                        } else {
                            patches.resize(taps * tile.len(), 0.0);
                            sizes.unfold(tile, x, &mut patches);
                            let patches = matrix(&patches, taps, tile.len())?;
                            general_mat_mul(1.0, &grad, &patches.t(), 1.0, &mut total);
                        }
                    }
                }
                Ok(total)
            })
            .collect::<Result<_>>()?;
        Ok(sum(parts, sizes.outputs * taps))
    }

    /// The gradient of the input: `kernelsᵀ · grad`, each patch added to where it came from.
    fn input_gradient(sizes: &Sizes, kernels: &[f32], grad: &[f32]) -> Result<Vec<f32>> {
        let (taps, pixels, tiles) = (sizes.taps(), sizes.pixels_out(), sizes.tiles());
        let group_in = sizes.inputs / sizes.groups * sizes.pixels_in();
        let group_out = sizes.outputs / sizes.groups;
        let mut gradient = vec![0.0; sizes.batch * sizes.groups * group_in];
        gradient
            .par_chunks_mut(group_in)
            .zip(grad.par_chunks(group_out * pixels))
            .enumerate()
            .try_for_each_init(Vec::new, |patches, (index, (gradient, grad))| {
                let group = index % sizes.groups;
                let kernels = matrix(
                    &kernels[group * group_out * taps..][..group_out * taps],
                    group_out,
                    taps,
                )?;
                let grad = matrix(grad, group_out, pixels)?;
                if sizes.is_pointwise() {
                    general_mat_mul(1.0, &kernels.t(), &grad, 0.0, &mut matrix_mut(gradient, taps, pixels)?);
                    return Ok(());
                }
                for tile in &tiles {
                    let grad = grad.slice(s![.., tile.pixels(sizes.output[1])]);
                    patches.resize(taps * tile.len(), 0.0);
                    general_mat_mul(
                        1.0,
                        &kernels.t(),
                        &grad,
                        0.0,
                        &mut matrix_mut(patches, taps, tile.len())?,
                    );
                    sizes.fold(tile, patches, gradient);
                }
                Ok::<_, candle_core::Error>(())
            })?;
        Ok(gradient)
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, k: &CpuStorage, lk: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(lx.shape(), lk.shape(), *self)?;
        let out = Self::forward(&sizes, numbers(x, lx)?, numbers(k, lk)?)?;
        let shape = (sizes.batch, sizes.outputs, sizes.output[0], sizes.output[1]);
        Ok((CpuStorage::F32(out), shape.into()))
    }

    fn bwd(&self, x: &Tensor, kernels: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(x.shape(), kernels.shape(), *self)?;
        with_numbers(grad, |grad| {
            let of_kernels = if kernels.track_op() {
                let gradient = with_numbers(x, |x| Self::kernel_gradient(&sizes, x, grad))?;
                Some(tensor(gradient, kernels.shape())?)
            } else {
                None
            };
            let of_input = if x.track_op() {
                let gradient = with_numbers(kernels, |kernels| Self::input_gradient(&sizes, kernels, grad))?;
                Some(tensor(gradient, x.shape())?)
            } else {
                None
            };
            Ok((of_input, of_kernels))
        })
    }
}
