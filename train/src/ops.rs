//! Differentiable operators that candle lacks, or has only as a chain of slow ones.
//!
//! Each works on contiguous `f32` tensors on the processor, shares the work of a batch between all threads, and gives
//! the same bits whatever their number: sums run in an order that depends on the shapes alone.
//!
//! candle 0.11's own convolution has a naive gradient (a shape error for an even input and a stride of 2), and its fused
//! layer norm and softmax have none: they cut the graph without a word.

mod batch_norm;
mod conv;
mod conv_norm;
mod gelu;
mod layer_norm;
mod residual;
mod softmax;

use candle_core::{CpuStorage, Device, Layout, Result, Shape, Storage, Tensor, bail};

pub(crate) use batch_norm::{Activation, Moments, batch_norm, coefficients, scale_shift};
pub(crate) use conv::{Convolution, conv2d};
pub(crate) use conv_norm::conv_norm;
pub(crate) use gelu::gelu;
pub(crate) use layer_norm::layer_norm;
pub(crate) use residual::{plane_means, residual};
pub(crate) use softmax::softmax;

/// The numbers of a contiguous `f32` tensor.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("expected a contiguous tensor, found {layout:?}"),
    }
}

/// Calls `work` on the numbers of `tensor`, which are copied only if they are not contiguous.
fn with_numbers<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(numbers(storage, layout)?),
        _ => bail!("expected a tensor on the processor"),
    }
}

/// A tensor on the processor that owns `numbers`.
fn tensor(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// The gradient of a tensor, where it was wanted.
fn gradient(numbers: Option<Vec<f32>>, of: &Tensor) -> Result<Option<Tensor>> {
    numbers.map(|numbers| tensor(numbers, of.shape())).transpose()
}

/// Into how many parts a batch is split for sums over it. A constant, so that sums don't depend on the threads.
const PARTS: usize = 8;

/// Adds up vectors in their order.
fn sum(parts: impl IntoIterator<Item = Vec<f32>>, len: usize) -> Vec<f32> {
    let mut total = vec![0.0; len];
    for part in parts {
        total.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
    }
    total
}
