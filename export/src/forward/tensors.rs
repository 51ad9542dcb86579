//! The checkpoint's tensors as arrays.

use ndarray::{Array1, Array2, Array3};

use super::functions::weight_normed;
use crate::checkpoint::Checkpoint;
use crate::layout::Recognised;
use crate::{Error, Result};

/// Reads tensors by their canonical names, as the checkpoint has them: the rows of the classifier are in its own order,
/// and a weight norm is undone here.
pub(super) struct Tensors<'a> {
    checkpoint: &'a Checkpoint,
    network: &'a Recognised<'a>,
}

impl<'a> Tensors<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint, network: &'a Recognised<'a>) -> Self {
        Self { checkpoint, network }
    }

    pub(super) fn vector(&self, name: &str, len: usize) -> Result<Array1<f64>> {
        self.flat(name, &[len])
    }

    /// A scale and a bias.
    pub(super) fn affine(&self, norm: &str, len: usize) -> Result<[Array1<f64>; 2]> {
        let scale = self.vector(&format!("{norm}.weight"), len)?;
        Ok([scale, self.vector(&format!("{norm}.bias"), len)?])
    }

    pub(super) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Array2<f64>> {
        let values = self.read(name, &shape)?;
        let len = values.len();
        Array2::from_shape_vec(shape, values).map_err(|_| misfit(name, &shape, len))
    }

    /// A convolution's `[outputs, inputs, kernel]`.
    pub(super) fn kernel(&self, name: &str, shape: [usize; 3]) -> Result<Array3<f64>> {
        let values = self.read(name, &shape)?;
        let len = values.len();
        Array3::from_shape_vec(shape, values).map_err(|_| misfit(name, &shape, len))
    }

    /// A tensor of any shape, in row-major order.
    pub(super) fn flat(&self, name: &str, shape: &[usize]) -> Result<Array1<f64>> {
        self.read(name, shape).map(Array1::from_vec)
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let stored = self.network.check(name, shape)?;
        match stored.as_slice() {
            [plain] => self.widened(plain),
            [g, v] => Ok(weight_normed(&self.widened(g)?, self.widened(v)?)),
            several => Err(misfit(name, shape, several.len())),
        }
    }

    fn widened(&self, stored: &str) -> Result<Vec<f64>> {
        let values = self.checkpoint.read_f32(stored)?;
        Ok(values.into_iter().map(f64::from).collect())
    }
}

fn misfit(name: &str, expected: &[usize], found: usize) -> Error {
    Error::TensorShape {
        name: name.to_owned(),
        expected: expected.to_vec(),
        found: vec![found],
        assumed: false,
    }
}
