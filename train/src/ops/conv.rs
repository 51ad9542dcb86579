//! Convolution as matrix products: each window's patches are laid side by side (im2col) and multiplied with the kernels.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use super::{PARTS, gradient, numbers, sum, with_numbers};

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
pub(super) struct Sizes {
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
    pub(super) fn new(x: &Shape, kernels: &Shape, how: Convolution) -> Result<Self> {
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

    pub(super) fn channels_out(&self) -> usize {
        self.outputs
    }

    /// `[batch, outputs, height, width]` of the output.
    pub(super) fn shape(&self) -> Shape {
        (self.batch, self.outputs, self.output[0], self.output[1]).into()
    }

    fn pixels_in(&self) -> usize {
        self.input[0] * self.input[1]
    }

    pub(super) fn pixels_out(&self) -> usize {
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
                let from = &from[inside.clone()];
                let add = |(sum, &x): (&mut f32, &f32)| *sum += x;
                // The same, but that the compiler can use vector registers.
                if self.stride[1] == 1 {
                    line[to..].iter_mut().zip(from).for_each(add);
                } else {
                    line[to..].iter_mut().step_by(self.stride[1]).zip(from).for_each(add);
                }
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

/// What a thread keeps from one window to the next.
#[derive(Default)]
struct Scratch {
    patches: Vec<f32>,
    grad: Vec<f32>,
}

impl Sizes {
    /// Numbers of one group of one window: in, and out.
    fn group_in(&self) -> usize {
        self.inputs / self.groups * self.pixels_in()
    }

    pub(super) fn group_out(&self) -> usize {
        self.outputs / self.groups * self.pixels_out()
    }

    /// One group's kernels as `[outputs, taps]`, by the index of a window's group.
    fn kernels<'a>(&self, kernels: &'a [f32], index: usize) -> Result<ArrayView2<'a, f32>> {
        let (outputs, taps) = (self.outputs / self.groups, self.taps());
        matrix(
            &kernels[index % self.groups * outputs * taps..][..outputs * taps],
            outputs,
            taps,
        )
    }

    /// `out = kernels · patches`, window by window and tile by tile. `then` is called with each window's group as it is
    /// finished, while it is still in the cache.
    pub(super) fn forward<T: Send>(
        &self,
        x: &[f32],
        kernels: &[f32],
        then: impl Fn(&[f32]) -> T + Sync,
    ) -> Result<(Vec<f32>, Vec<T>)> {
        let (taps, pixels, tiles) = (self.taps(), self.pixels_out(), self.tiles());
        let mut out = vec![0.0; self.batch * self.outputs * pixels];
        let finished = out
            .par_chunks_mut(self.group_out())
            .zip(x.par_chunks(self.group_in()))
            .enumerate()
            .map_init(Vec::new, |patches, (index, (out, x))| {
                let kernels = self.kernels(kernels, index)?;
                let mut matrix_out = matrix_mut(out, self.outputs / self.groups, pixels)?;
                if self.is_pointwise() {
                    general_mat_mul(1.0, &kernels, &matrix(x, taps, pixels)?, 0.0, &mut matrix_out);
                    return Ok(then(out));
                }
                for tile in &tiles {
                    patches.resize(taps * tile.len(), 0.0);
                    self.unfold(tile, x, patches);
                    let mut out = matrix_out.slice_mut(s![.., tile.pixels(self.output[1])]);
                    general_mat_mul(1.0, &kernels, &matrix(patches, taps, tile.len())?, 0.0, &mut out);
                }
                Ok(then(out))
            })
            .collect::<Result<_>>()?;
        Ok((out, finished))
    }

    /// The gradients of the input, `kernelsᵀ · grad` with each patch added to where it came from, and of the kernels,
    /// `grad · patchesᵀ` summed over the batch; each only if it is wanted. `grad` writes the gradient of the output of a
    /// window's group for a range of pixels, `[outputs, range]`: it is needed in tiles only, and never as a whole.
    pub(super) fn backward(
        &self,
        x: &[f32],
        kernels: &[f32],
        wanted: [bool; 2],
        grad: impl Fn(usize, Range<usize>, &mut [f32]) + Sync,
    ) -> Result<[Option<Vec<f32>>; 2]> {
        let [wants_x, wants_kernels] = wanted;
        let outputs = self.outputs / self.groups;
        let (taps, tiles, group_in) = (self.taps(), self.tiles(), self.group_in());
        let groups_of_part = self.batch.div_ceil(PARTS).max(1) * self.groups;
        let part_in = groups_of_part * group_in;
        let mut of_x = vec![0.0; if wants_x { x.len() } else { 0 }];
        let mut slices: Vec<Option<&mut [f32]>> = of_x.chunks_mut(part_in).map(Some).collect();
        slices.resize_with(x.len().div_ceil(part_in), || None);
        let of_kernels: Vec<Vec<f32>> = slices
            .into_par_iter()
            .zip(x.par_chunks(part_in))
            .enumerate()
            .map_init(Scratch::default, |scratch, (part, (mut of_x, x))| {
                let mut total = vec![0.0; if wants_kernels { self.outputs * taps } else { 0 }];
                for (group, x) in x.chunks_exact(group_in).enumerate() {
                    let index = part * groups_of_part + group;
                    let kernels = self.kernels(kernels, index)?;
                    let mut of_x = of_x.as_mut().map(|of_x| &mut of_x[group * group_in..][..group_in]);
                    for tile in &tiles {
                        let pixels = tile.pixels(self.output[1]);
                        scratch.grad.resize(outputs * tile.len(), 0.0);
                        grad(index, pixels, &mut scratch.grad);
                        let grad = matrix(&scratch.grad, outputs, tile.len())?;
                        scratch.patches.resize(taps * tile.len(), 0.0);
                        if wants_kernels {
                            self.unfold(tile, x, &mut scratch.patches);
                            let patches = matrix(&scratch.patches, taps, tile.len())?;
                            let total = &mut total[index % self.groups * outputs * taps..][..outputs * taps];
                            general_mat_mul(1.0, &grad, &patches.t(), 1.0, &mut matrix_mut(total, outputs, taps)?);
                        }
                        if let Some(of_x) = &mut of_x {
                            let mut patches = matrix_mut(&mut scratch.patches, taps, tile.len())?;
                            general_mat_mul(1.0, &kernels.t(), &grad, 0.0, &mut patches);
                            self.fold(tile, &mut scratch.patches, of_x);
                        }
                    }
                }
                Ok::<_, candle_core::Error>(total)
            })
            .collect::<Result<_>>()?;
        Ok([
            wants_x.then_some(of_x),
            wants_kernels.then(|| sum(of_kernels, self.outputs * taps)),
        ])
    }
}

impl CustomOp2 for Convolution {
    fn name(&self) -> &'static str {
        "convolution"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, k: &CpuStorage, lk: &Layout) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(lx.shape(), lk.shape(), *self)?;
        let (out, _) = sizes.forward(numbers(x, lx)?, numbers(k, lk)?, |_| ())?;
        Ok((CpuStorage::F32(out), sizes.shape()))
    }

    fn bwd(&self, x: &Tensor, kernels: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(x.shape(), kernels.shape(), *self)?;
        let wanted = [x.track_op(), kernels.track_op()];
        let [of_x, of_kernels] = with_numbers(grad, |grad| {
            let tile = |index: usize, pixels: Range<usize>, out: &mut [f32]| {
                let planes = grad[index * sizes.group_out()..][..sizes.group_out()].chunks_exact(sizes.pixels_out());
                for (out, plane) in out.chunks_exact_mut(pixels.len()).zip(planes) {
                    out.copy_from_slice(&plane[pixels.clone()]);
                }
            };
            with_numbers(x, |x| {
                with_numbers(kernels, |kernels| sizes.backward(x, kernels, wanted, tile))
            })
        })?;
        Ok((gradient(of_x, x)?, gradient(of_kernels, kernels)?))
    }
}
