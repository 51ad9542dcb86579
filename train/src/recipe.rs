//! How weights are moved: loss, clipping, AdamW, learning rates, as PyTorch has them.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{D, Device, Tensor};
use rayon::prelude::*;

use crate::network::{CLASSES, Weights};
use crate::{Error, Result};

/// The learning rate of each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Schedule {
    /// The same at every step.
    Constant,
    /// Linear from 0 over the first steps, then linear to 0 at the last.
    Linear {
        /// Steps in all.
        steps: usize,
        /// The first of them, over which the rate rises.
        warm_up: usize,
    },
}

impl Schedule {
    /// What the learning rate is multiplied with at a step, from 0. The first step of a warm-up has none, as in
    /// `transformers`' `get_linear_schedule_with_warmup`.
    #[must_use]
    pub fn factor(self, step: usize) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::Linear { warm_up, .. } if step < warm_up => step as f64 / warm_up as f64,
            Self::Linear { steps, warm_up } => {
                steps.saturating_sub(step) as f64 / steps.saturating_sub(warm_up).max(1) as f64
            }
        }
    }
}

/// The weight of each class by its count: total / (classes · count), so that both weigh the same in all.
#[must_use]
pub fn class_weights(counts: [usize; CLASSES]) -> [f32; CLASSES] {
    even(counts.map(|count| count as f64))
}

/// The weight of each class by what its samples weigh together, likewise.
pub(crate) fn even(totals: [f64; CLASSES]) -> [f32; CLASSES] {
    let all: f64 = totals.iter().sum();
    totals.map(|total| (all / (CLASSES as f64 * total.max(1.0))) as f32)
}

/// Cross-entropy of `logits [batch, 2]`, each target being a probability of each class, or such a one times the weight of
/// its sample, weighted by class and divided by the sum of the weights, as PyTorch does for targets that are classes.
///
/// # Errors
///
/// [`Error::Candle`] if there are not as many targets as logits.
pub fn cross_entropy(logits: &Tensor, targets: &[[f32; CLASSES]], weights: [f32; CLASSES]) -> Result<Tensor> {
    let weighted = targets.iter().flat_map(|[b, s]| [b * weights[0], s * weights[1]]);
    let weighted: Vec<f32> = weighted.collect();
    let sum: f64 = weighted.iter().map(|&w| f64::from(w)).sum();
    let weighted = Tensor::from_vec(weighted, (targets.len(), CLASSES), &Device::Cpu)?;
    // log softmax, with the largest logit taken off first. That is a constant as far as gradients go.
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let log = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
    Ok(((log * weighted)?.sum_all()? / -sum)?)
}

/// The gradients of the trained parameters, by name.
pub(crate) type Gradients = BTreeMap<String, Vec<f32>>;

/// Copies the gradients out of candle's store. A parameter that the loss does not depend on has none.
pub(crate) fn gradients(weights: &Weights, store: &GradStore) -> Result<Gradients> {
    let mut all = Gradients::new();
    for (name, var) in weights.trained() {
        if let Some(gradient) = store.get(var) {
            all.insert(name.to_owned(), gradient.flatten_all()?.to_vec1()?);
        }
    }
    Ok(all)
}

/// Adds the gradients of another part of a batch.
pub(crate) fn add(sum: &mut Gradients, other: Gradients) {
    for (name, other) in other {
        match sum.get_mut(&name) {
            Some(sum) => sum.iter_mut().zip(other).for_each(|(sum, x)| *sum += x),
            None => drop(sum.insert(name, other)),
        }
    }
}

/// Scales all gradients down so that their common norm is at most `limit`, and returns what it was.
pub(crate) fn clip(gradients: &mut Gradients, limit: f64) -> f64 {
    let squares = |numbers: &Vec<f32>| numbers.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    let norm = gradients.values().map(squares).sum::<f64>().sqrt();
    // PyTorch's formula, with its small constant.
    let scale = limit / (norm + 1e-6);
    if scale < 1.0 {
        for gradient in gradients.values_mut() {
            gradient.par_iter_mut().for_each(|x| *x *= scale as f32);
        }
    }
    norm
}

/// AdamW: Adam with weight decay apart from the gradient. β 0.9 and 0.999, ε 1e-8.
pub struct AdamW {
    weight_decay: f64,
    /// Steps taken.
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

/// The running mean of a parameter's gradient and of its square.
#[derive(Clone)]
pub(crate) struct Moments {
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
}

const BETAS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

impl AdamW {
    /// An optimiser that has taken no step.
    #[must_use]
    pub fn new(weight_decay: f64) -> Self {
        Self {
            weight_decay,
            steps: 0,
            moments: BTreeMap::new(),
        }
    }

    /// An optimiser that goes on.
    pub(crate) fn resume(weight_decay: f64, steps: u64, moments: BTreeMap<String, Moments>) -> Self {
        Self {
            weight_decay,
            steps,
            moments,
        }
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// One step down from a loss: its gradients, clipped to a norm of `limit`, and the weights moved. Returns the norm
    /// before clipping.
    ///
    /// # Errors
    ///
    /// [`Error::Candle`] if there is no memory for the gradients.
    pub fn descend(&mut self, weights: &Weights, loss: &Tensor, limit: f64, learning_rate: f64) -> Result<f64> {
        let gradients = gradients(weights, &loss.backward()?)?;
        self.follow(weights, gradients, limit, learning_rate)
    }

    /// One step along gradients, clipped likewise; none where their norm is not finite. Returns the norm before clipping.
    pub(crate) fn follow(
        &mut self,
        weights: &Weights,
        mut gradients: Gradients,
        limit: f64,
        learning_rate: f64,
    ) -> Result<f64> {
        let norm = clip(&mut gradients, limit);
        if norm.is_finite() {
            self.step(weights, &gradients, learning_rate)?;
        }
        Ok(norm)
    }

    /// Moves each trained parameter that has a gradient.
    pub(crate) fn step(&mut self, weights: &Weights, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        self.steps += 1;
        let steps = self.steps as f64;
        let decay = (1.0 - learning_rate * self.weight_decay) as f32;
        let rate = (learning_rate / (1.0 - BETAS[0].powf(steps))) as f32;
        let correction = (1.0 - BETAS[1].powf(steps)).sqrt() as f32;
        let [beta1, beta2] = BETAS.map(|beta| beta as f32);
        let [rest1, rest2] = BETAS.map(|beta| (1.0 - beta) as f32);
        for (name, var) in weights.trained() {
            let Some(gradient) = gradients.get(name) else {
                continue;
            };
            let mut numbers: Vec<f32> = var.flatten_all()?.to_vec1()?;
            let moments = self.moments.entry(name.to_owned()).or_insert_with(|| Moments {
                first: vec![0.0; numbers.len()],
                second: vec![0.0; numbers.len()],
            });
            let (first, second) = (&mut moments.first, &mut moments.second);
            let moving = numbers.par_iter_mut().with_min_len(1 << 14);
            moving
                .zip(first)
                .zip(second)
                .zip(gradient)
                .for_each(|(((x, m), v), &g)| {
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *x = decay * *x - rate * *m / (v.sqrt() / correction + EPSILON as f32);
                });
            var.set(&Tensor::from_vec(numbers, var.shape(), &Device::Cpu)?)?;
        }
        Ok(())
    }
}

/// Checks a number that training can't go on without.
pub(crate) fn finite(what: &'static str, value: f64, epoch: usize, step: usize) -> Result<f64> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::Diverged {
        what,
        value,
        epoch,
        step,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_linearly() {
        let schedule = Schedule::Linear {
            steps: 110,
            warm_up: 10,
        };
        let factors = [0, 5, 10, 60, 110].map(|step| schedule.factor(step));
        assert_eq!(factors, [0.0, 0.5, 1.0, 0.5, 0.0]);
    }

    #[test]
    fn classes_are_weighed_as_the_reference_weighs_them() {
        let [bonafide, spoof] = class_weights([2_580, 22_800]);
        assert!(
            (bonafide - 4.919).abs() < 5e-4 && (spoof - 0.557).abs() < 5e-4,
            "{bonafide} {spoof}"
        );
    }
}
