//! A network's parameters by name: which are trained, which are frozen, and how they begin.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::{Device, Tensor, Var, bail};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::digest::Digest;
use crate::files::Tensors;
use crate::ops::{self, Activation, Convolution, Moments};

/// A parameter of a network.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) init: Init,
}

/// How a parameter begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// All the same, and trained.
    Constant(f32),
    /// All the same, and not trained but measured: a running mean or variance.
    Measured(f32),
    /// Normal, with this standard deviation.
    Normal(f32),
    /// Uniform between this and its negative.
    Uniform(f32),
}

impl Parameter {
    pub(crate) fn new(name: impl Into<String>, shape: &[usize], init: Init) -> Self {
        Self {
            name: name.into(),
            shape: shape.to_vec(),
            init,
        }
    }
}

enum Weight {
    Trained(Var),
    Frozen(Tensor),
}

impl Weight {
    fn tensor(&self) -> &Tensor {
        match self {
            Self::Trained(var) => var.as_tensor(),
            Self::Frozen(tensor) => tensor,
        }
    }
}

/// The parameters of a network.
pub struct Weights {
    weights: BTreeMap<String, Weight>,
    /// Running means and variances of batch norms: measured in training, and not by its gradient.
    measured: Mutex<BTreeMap<String, Vec<f32>>>,
}

impl Weights {
    /// New weights, all trained. The numbers are drawn in the order of `parameters`.
    pub(crate) fn begin(parameters: &[Parameter], rng: &mut ChaCha8Rng) -> Result<Self> {
        let draw = |parameter: &Parameter| {
            let count = parameter.shape.iter().product();
            let numbers: Vec<f32> = match parameter.init {
                Init::Constant(value) | Init::Measured(value) => vec![value; count],
                Init::Normal(deviation) => match Normal::new(0.0, deviation) {
                    Ok(normal) => (0..count).map(|_| normal.sample(rng)).collect(),
                    Err(_) => bail!("{} begins with a deviation of {deviation}", parameter.name),
                },
                Init::Uniform(bound) => (0..count).map(|_| bound * rng.random_range(-1.0..1.0)).collect(),
            };
            Ok((parameter.name.clone(), numbers))
        };
        let numbers = parameters.iter().map(draw).collect::<candle_core::Result<_>>()?;
        let mut weights = Self::from_numbers(parameters, numbers)?;
        weights.train(|_| true)?;
        Ok(weights)
    }

    /// Given weights, all frozen. Every parameter must be among the numbers, with as many as its shape has.
    pub(crate) fn from_numbers(parameters: &[Parameter], mut numbers: BTreeMap<String, Vec<f32>>) -> Result<Self> {
        let mut weights = BTreeMap::new();
        let mut measured = BTreeMap::new();
        for parameter in parameters {
            let name = &parameter.name;
            let Some(numbers) = numbers.remove(name) else {
                return Err(candle_core::Error::Msg(format!("there is no tensor `{name}`")).into());
            };
            if matches!(parameter.init, Init::Measured(_)) {
                measured.insert(name.clone(), numbers);
            } else {
                let tensor = Tensor::from_vec(numbers, parameter.shape.as_slice(), &Device::Cpu)?;
                weights.insert(name.clone(), Weight::Frozen(tensor));
            }
        }
        Ok(Self {
            weights,
            measured: Mutex::new(measured),
        })
    }

    /// Trains the parameters that `select` names, and freezes the others.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if there is no memory for them.
    pub fn train(&mut self, select: impl Fn(&str) -> bool) -> Result<()> {
        for (name, weight) in &mut self.weights {
            let tensor = weight.tensor().detach();
            *weight = if select(name) {
                Weight::Trained(Var::from_tensor(&tensor)?)
            } else {
                Weight::Frozen(tensor)
            };
        }
        Ok(())
    }

    /// The trained parameters by name, sorted.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.weights.iter().filter_map(|(name, weight)| match weight {
            Weight::Trained(var) => Some((name.as_str(), var)),
            Weight::Frozen(_) => None,
        })
    }

    /// How many numbers are trained.
    #[must_use]
    pub fn trained_count(&self) -> usize {
        self.trained().map(|(_, var)| var.elem_count()).sum()
    }

    /// All tensors, measured ones too, by name: shape and numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if there is no memory for the copies.
    pub fn numbers(&self) -> Result<Tensors> {
        let mut all = BTreeMap::new();
        for (name, weight) in &self.weights {
            let tensor = weight.tensor();
            let numbers = tensor.flatten_all()?.to_vec1()?;
            all.insert(name.clone(), (tensor.dims().to_vec(), numbers));
        }
        for (name, numbers) in &*self.measured() {
            all.insert(name.clone(), (vec![numbers.len()], numbers.clone()));
        }
        Ok(all)
    }

    /// What training changes: the trained tensors and the measured ones.
    pub(crate) fn unfrozen(&self) -> Result<Tensors> {
        let mut all = self.numbers()?;
        all.retain(|name, _| !matches!(self.weights.get(name), Some(Weight::Frozen(_))));
        Ok(all)
    }

    /// What a running mean of a network is made of: the trained numbers and the measured ones, by name.
    pub(crate) fn moving(&self) -> Result<BTreeMap<String, Vec<f32>>> {
        Ok(self.unfrozen()?.into_iter().map(|(name, (_, x))| (name, x)).collect())
    }

    /// Moves the running means and variances towards what passes in training measured.
    pub(crate) fn measure(&self, measured: &Measured) {
        let mut running = self.measured();
        for (name, batch) in measured {
            if let Some(running) = running.get_mut(name) {
                for (running, &x) in running.iter_mut().zip(batch) {
                    *running += BATCH_NORM_MOMENTUM * (x - *running);
                }
            }
        }
    }

    /// SHA-256 of the frozen tensors, in hexadecimal.
    pub(crate) fn frozen_digest(&self) -> Result<String> {
        let mut digest = Digest::default();
        for (name, weight) in &self.weights {
            if let Weight::Frozen(tensor) = weight {
                digest.text(name);
                digest.numbers(&tensor.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(digest.finish())
    }

    /// Replaces the numbers of the parameters named.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if there is no such parameter, or its size is another.
    pub fn replace(&mut self, numbers: BTreeMap<String, Vec<f32>>) -> Result<()> {
        for (name, numbers) in numbers {
            if let Some(measured) = self.measured().get_mut(&name) {
                *measured = numbers;
                continue;
            }
            let Some(weight) = self.weights.get_mut(&name) else {
                return Err(candle_core::Error::Msg(format!("there is no tensor `{name}`")).into());
            };
            let tensor = Tensor::from_vec(numbers, weight.tensor().shape(), &Device::Cpu)?;
            match weight {
                Weight::Trained(var) => var.set(&tensor)?,
                Weight::Frozen(frozen) => *frozen = tensor,
            }
        }
        Ok(())
    }

    fn measured(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<f32>>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Means and variances of a batch, by the name of what runs after them.
pub(crate) type Measured = Vec<(String, Vec<f32>)>;

/// Where a batch norm's running mean and variance are kept.
fn measured_names(norm: &str) -> [String; 2] {
    [format!("{norm}.running_mean"), format!("{norm}.running_var")]
}

/// One way through a network: with its weights, in training or not.
pub struct Pass<'a> {
    weights: &'a Weights,
    measured: RefCell<Measured>,
    /// Draws dropout's masks; `None` when scoring.
    training: Option<RefCell<ChaCha8Rng>>,
    /// Most bands and frames of a spectrogram to mask in training.
    masks: [usize; 2],
}

/// Epsilon and momentum of batch norms, as in PyTorch.
const BATCH_NORM_EPS: f32 = 1e-5;
const BATCH_NORM_MOMENTUM: f32 = 0.1;

type Output = candle_core::Result<Tensor>;

impl<'a> Pass<'a> {
    /// A pass that scores.
    #[must_use]
    pub fn scoring(weights: &'a Weights) -> Self {
        Self {
            weights,
            measured: RefCell::default(),
            training: None,
            masks: [0, 0],
        }
    }

    /// A pass that trains: batch norms use the batch's own moments, and dropout is drawn from `rng`.
    #[must_use]
    pub fn training(weights: &'a Weights, rng: ChaCha8Rng) -> Self {
        Self {
            weights,
            measured: RefCell::default(),
            training: Some(RefCell::new(rng)),
            masks: [0, 0],
        }
    }

    /// What the batch norms of this pass measured.
    pub(crate) fn measured(self) -> Measured {
        self.measured.into_inner()
    }

    /// Masks up to so many bands and frames of each spectrogram in training.
    #[must_use]
    pub fn masks(self, masks: [usize; 2]) -> Self {
        Self { masks, ..self }
    }

    /// Sets one stretch of bands and one of frames of each spectrogram `[batch, bands, frames]` to its mean, in training
    /// (SpecAugment, Park et al. 2019).
    pub(crate) fn mask(&self, spectrograms: &Tensor) -> Output {
        let Some(rng) = self.training.as_ref().filter(|_| self.masks != [0, 0]) else {
            return Ok(spectrograms.clone());
        };
        let mut rng = rng.borrow_mut();
        let (batch, bands, frames) = spectrograms.dims3()?;
        let mut numbers: Vec<f32> = spectrograms.flatten_all()?.to_vec1()?;
        for window in 0..batch {
            let spectrogram = &mut numbers[window * bands * frames..][..bands * frames];
            let mean = spectrogram.iter().sum::<f32>() / spectrogram.len() as f32;
            let mut stretch = |most: usize, of: usize| {
                let length = rng.random_range(0..=most.min(of));
                let start = rng.random_range(0..=of - length);
                start..start + length
            };
            let (masked_bands, masked_frames) = (stretch(self.masks[0], bands), stretch(self.masks[1], frames));
            for (band, row) in spectrogram.chunks_exact_mut(frames).enumerate() {
                if masked_bands.contains(&band) {
                    row.fill(mean);
                }
                row[masked_frames.clone()].fill(mean);
            }
        }
        Tensor::from_vec(numbers, spectrograms.shape(), &Device::Cpu)
    }

    pub(crate) fn weight(&self, name: &str) -> candle_core::Result<&'a Tensor> {
        match self.weights.weights.get(name) {
            Some(weight) => Ok(weight.tensor()),
            None => bail!("there is no tensor `{name}`"),
        }
    }

    /// A parameter that a network may have, such as a bias.
    pub(crate) fn optional(&self, name: &str) -> Option<&'a Tensor> {
        self.weights.weights.get(name).map(Weight::tensor)
    }

    /// `x [.., inputs] · weightᵀ + bias`.
    pub(crate) fn linear(&self, name: &str, x: &Tensor) -> Output {
        let weight = self.weight(&format!("{name}.weight"))?;
        let (outputs, inputs) = weight.dims2()?;
        let mut shape = x.dims().to_vec();
        shape.pop();
        let rows: usize = shape.iter().product();
        shape.push(outputs);
        let product = x.reshape((rows, inputs))?.matmul(&weight.t()?)?;
        let product = match self.optional(&format!("{name}.bias")) {
            Some(bias) => product.broadcast_add(bias)?,
            None => product,
        };
        product.reshape(shape)
    }

    pub(crate) fn layer_norm(&self, name: &str, x: &Tensor, epsilon: f32) -> Output {
        let weight = self.weight(&format!("{name}.weight"))?;
        ops::layer_norm(x, weight, self.weight(&format!("{name}.bias"))?, epsilon)
    }

    /// Batch norm of `x [batch, channels, ..]` with the activation after it.
    pub(crate) fn batch_norm(&self, name: &str, x: &Tensor, activation: Activation) -> Output {
        if self.training.is_none() {
            return self.normalise(name, x, activation);
        }
        let [weight, bias] = self.affine(name)?;
        let (out, moments) = ops::batch_norm(x, weight, bias, BATCH_NORM_EPS, activation)?;
        self.note(name, moments);
        Ok(out)
    }

    /// `x [batch, inputs, height, width]` convolved without bias, and a batch norm with the activation after it.
    pub(crate) fn convolve_and_norm(
        &self,
        [convolution, norm]: [&str; 2],
        x: &Tensor,
        how: Convolution,
        activation: Activation,
    ) -> Output {
        let kernels = self.weight(&format!("{convolution}.weight"))?;
        if self.training.is_none() {
            return self.normalise(norm, &ops::conv2d(x, kernels, how)?, activation);
        }
        let (out, moments) = ops::conv_norm(x, kernels, self.affine(norm)?, how, BATCH_NORM_EPS, activation)?;
        self.note(norm, moments);
        Ok(out)
    }

    /// What a norm scales by, and then shifts by.
    fn affine(&self, name: &str) -> candle_core::Result<[&'a Tensor; 2]> {
        Ok([
            self.weight(&format!("{name}.weight"))?,
            self.weight(&format!("{name}.bias"))?,
        ])
    }

    /// A batch norm by what was measured in training.
    fn normalise(&self, name: &str, x: &Tensor, activation: Activation) -> Output {
        let [mean_name, variance_name] = measured_names(name);
        let measured = self.weights.measured();
        let (Some(mean), Some(variance)) = (measured.get(&mean_name), measured.get(&variance_name)) else {
            bail!("there is no tensor `{mean_name}` or `{variance_name}`");
        };
        let [weight, bias] = self.affine(name)?;
        let (weight, bias) = (weight.to_vec1::<f32>()?, bias.to_vec1::<f32>()?);
        let (scale, shift) = ops::coefficients(mean, variance, [&weight, &bias], BATCH_NORM_EPS);
        ops::scale_shift(x, &scale, &shift, activation)
    }

    /// Keeps what a batch norm measured. As in PyTorch, the variance is the unbiased one.
    fn note(&self, name: &str, moments: Moments) {
        let count = moments.count as f32;
        let unbiased = count / (count - 1.0).max(1.0);
        let variance = moments.variance.iter().map(|variance| variance * unbiased).collect();
        let [mean_name, variance_name] = measured_names(name);
        let mut measured = self.measured.borrow_mut();
        measured.extend([(mean_name, moments.mean), (variance_name, variance)]);
    }

    /// Sets a share `rate` of the numbers to zero in training, and scales the others up.
    pub(crate) fn dropout(&self, x: &Tensor, rate: f32) -> Output {
        let Some(rng) = self.training.as_ref().filter(|_| rate > 0.0) else {
            return Ok(x.clone());
        };
        let mut rng = rng.borrow_mut();
        let kept = 1.0 / (1.0 - rate);
        let mask: Vec<f32> = (0..x.elem_count())
            .map(|_| if rng.random::<f32>() < rate { 0.0 } else { kept })
            .collect();
        x * Tensor::from_vec(mask, x.shape(), &Device::Cpu)?
    }
}
