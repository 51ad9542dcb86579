//! One step of a run: a batch's gradients, the weights moved by them, and the weights' running mean.

use bonafide::Label;
use candle_core::Tensor;
use rand_distr::{Beta, Distribution};

use crate::Result;
use crate::augment::generator;
use crate::checkpoint::Start;
use crate::network::{CLASSES, Cut, Measured, Pass};
use crate::parts::Parts;
use crate::recipe::{self, AdamW, Gradients};
use crate::settings::Settings;
use crate::source::purpose;
use crate::state::Average;

/// What is known of a window of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) label: Label,
    /// What it weighs beside the others of its label.
    pub(crate) weight: f32,
}

type Target = [f32; CLASSES];

/// What an optimisation step works on.
pub(crate) struct Stepper<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) start: &'a Start,
    pub(crate) cut: Cut,
    pub(crate) class_weights: [f32; CLASSES],
    pub(crate) optimiser: &'a mut AdamW,
    pub(crate) average: &'a mut Average,
    pub(crate) parts: &'a Parts,
}

/// What a part of a batch comes to, weighed by the part's share of the batch.
struct Part {
    loss: f64,
    gradients: Gradients,
    measured: Measured,
}

impl Stepper<'_> {
    /// One step. Returns its loss and the gradients' norm before clipping.
    pub(crate) fn step(
        &mut self,
        epoch: usize,
        step: usize,
        batch: &Tensor,
        samples: &[Sample],
        rate: f64,
    ) -> Result<(f64, f64)> {
        let (settings, weights) = (self.settings, &self.start.weights);
        let mut targets: Vec<Target> = samples.iter().map(|sample| self.target(sample)).collect();
        let mixed;
        let batch = if settings.mixup > 0.0 {
            mixed = self.mix(epoch, step, batch, &mut targets)?;
            &mixed
        } else {
            batch
        };

        let (mut loss, mut gradients) = (0.0, Gradients::new());
        for part in self.work(epoch, step, batch, &targets)? {
            loss += part.loss;
            recipe::add(&mut gradients, part.gradients);
            // In the order of the parts, so that a run can be repeated.
            weights.measure(&part.measured);
        }
        recipe::finite("the loss", loss, epoch + 1, step)?;
        let norm = self.optimiser.follow(weights, gradients, settings.clip, rate)?;
        recipe::finite("the gradients' norm", norm, epoch + 1, step)?;

        if settings.average > 0.0 {
            // Over the first steps the mean forgets faster, so that it does not remember the beginning.
            let steps = self.optimiser.steps() as f64;
            let decay = settings.average.min((1.0 + steps) / (10.0 + steps)) as f32;
            for (name, numbers) in weights.moving()? {
                if let Some(average) = self.average.get_mut(&name) {
                    average
                        .iter_mut()
                        .zip(numbers)
                        .for_each(|(mean, x)| *mean += (1.0 - decay) * (x - *mean));
                }
            }
        }
        Ok((loss, norm))
    }

    /// The probability of each class, smoothed, times the weight of the sample.
    fn target(&self, sample: &Sample) -> Target {
        let rest = self.settings.label_smoothing / 2.0;
        let target = match sample.label {
            Label::Bonafide => [1.0 - rest, rest],
            Label::Spoof => [rest, 1.0 - rest],
        };
        target.map(|probability| probability * sample.weight)
    }

    /// Forward and backward through each part of a batch.
    fn work(&self, epoch: usize, step: usize, batch: &Tensor, targets: &[Target]) -> Result<Vec<Part>> {
        let weight = |targets: &[Target]| -> f64 {
            let of = |[b, s]: &Target| f64::from(b * self.class_weights[0] + s * self.class_weights[1]);
            targets.iter().map(of).sum()
        };
        let all = weight(targets);
        self.parts.each(targets, |index, first, targets| {
            let rows = batch.narrow(0, first, targets.len())?;
            let mut purposes = vec![purpose::STEP, epoch as u64, step as u64];
            purposes.extend((index > 0).then_some(index as u64));
            let pass = Pass::training(&self.start.weights, generator(self.settings.seed, &purposes));
            let pass = pass.masks(self.settings.masks);
            let logits = self.start.network.logits(&pass, &rows, self.cut)?;
            let loss = recipe::cross_entropy(&logits, targets, self.class_weights)?;
            let loss = (loss * (weight(targets) / all))?;
            Ok(Part {
                loss: f64::from(loss.to_scalar::<f32>()?),
                gradients: recipe::gradients(&self.start.weights, &loss.backward()?)?,
                measured: pass.measured(),
            })
        })
    }

    /// Mixes each window with the next in the batch, by a weight drawn for the batch.
    fn mix(&self, epoch: usize, step: usize, batch: &Tensor, targets: &mut Vec<Target>) -> Result<Tensor> {
        let alpha = self.settings.mixup;
        let mut rng = generator(self.settings.seed, &[purpose::MIXUP, epoch as u64, step as u64]);
        let weight: f32 = match Beta::new(alpha, alpha) {
            Ok(beta) => beta.sample(&mut rng),
            Err(_) => 1.0,
        };
        let rows = batch.dim(0)?;
        let rolled = if rows > 1 {
            Tensor::cat(&[batch.narrow(0, 1, rows - 1)?, batch.narrow(0, 0, 1)?], 0)?
        } else {
            batch.clone()
        };
        let of = |target: &Target, other: &Target| {
            std::array::from_fn(|class| weight * target[class] + (1.0 - weight) * other[class])
        };
        let next = targets.iter().cycle().skip(1);
        *targets = targets
            .iter()
            .zip(next)
            .map(|(target, other)| of(target, other))
            .collect();
        Ok(((batch * f64::from(weight))? + (rolled * f64::from(1.0 - weight))?)?)
    }
}
