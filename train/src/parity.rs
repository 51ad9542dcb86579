//! Optimisation steps against PyTorch's, from `tests/fixtures/step.json`.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use serde::Deserialize;

use crate::augment::generator;
use crate::network::{Cut, Network, Pass, Weights};
use crate::recipe::{AdamW, Schedule, clip, cross_entropy, gradients};

type Numbers = BTreeMap<String, Vec<f32>>;

#[derive(Deserialize)]
struct Fixture {
    config: bonafide_export::Config,
    recipe: Recipe,
    labels: Vec<usize>,
    begin: Numbers,
    samples: Vec<f32>,
    scratch: Expected,
    stage2: Expected,
}

#[derive(Deserialize)]
struct Recipe {
    steps: usize,
    warm_up: usize,
    rate: f64,
    clip: f64,
    class_weights: [f32; 2],
}

#[derive(Deserialize)]
struct Expected {
    steps: Vec<Step>,
    end: Numbers,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    norm: f64,
    rate: f64,
    /// Norm of each parameter's gradient, after clipping.
    gradients: BTreeMap<String, f64>,
}

/// A bias of the keys moves all scores of a query alike, which softmax does not see: its gradient is 0 but for rounding,
/// and Adam makes a step of any size of that.
fn is_undetermined(name: &str) -> bool {
    name.ends_with("k_proj.bias")
}

fn norm(numbers: impl IntoIterator<Item = f32>) -> f64 {
    let square = |x: f32| f64::from(x) * f64::from(x);
    numbers.into_iter().map(square).sum::<f64>().sqrt()
}

fn assert_near(what: &str, found: f64, expected: f64) {
    assert!(
        (found - expected).abs() <= 1e-5 * expected.abs(),
        "{what}: {found}, PyTorch has {expected}"
    );
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../tests/fixtures/step.json")).unwrap()
}

/// Takes the fixture's steps, and compares everything on the way.
fn check(fixture: &Fixture, expected: &Expected, trained: impl Fn(&str) -> bool) -> Weights {
    let network = Network::Wav2vec2(Box::new(fixture.config.clone()));
    let mut weights = Weights::from_numbers(&network.parameters(), fixture.begin.clone()).unwrap();
    weights.train(trained).unwrap();
    let rows = fixture.labels.len();
    let shape = (rows, fixture.samples.len() / rows);
    let batch = Tensor::from_vec(fixture.samples.clone(), shape, &Device::Cpu).unwrap();
    let targets: Vec<[f32; 2]> = (fixture.labels.iter())
        .map(|&label| if label == 0 { [1.0, 0.0] } else { [0.0, 1.0] })
        .collect();
    let recipe = &fixture.recipe;
    let schedule = Schedule::Linear {
        steps: recipe.steps,
        warm_up: recipe.warm_up,
    };
    let mut optimiser = AdamW::new(0.01);
    for (step, expected) in expected.steps.iter().enumerate() {
        let pass = Pass::training(&weights, generator(0, &[]));
        let logits = network.logits(&pass, &batch, Cut::Waveform).unwrap();
        let loss = cross_entropy(&logits, &targets, recipe.class_weights).unwrap();
        assert_near("loss", f64::from(loss.to_scalar::<f32>().unwrap()), expected.loss);
        let mut gradients = gradients(&weights, &loss.backward().unwrap()).unwrap();
        assert_near("norm before clipping", clip(&mut gradients, recipe.clip), expected.norm);
        assert_eq!(gradients.len(), expected.gradients.len());
        for (name, expected) in &expected.gradients {
            if !is_undetermined(name) {
                assert_near(name, norm(gradients[name].iter().copied()), *expected);
            }
        }
        let rate = recipe.rate * schedule.factor(step);
        assert_eq!(rate, expected.rate);
        optimiser.step(&weights, &gradients, rate).unwrap();
    }
    let ended = weights.numbers().unwrap();
    for (name, expected) in &expected.end {
        if !is_undetermined(name) {
            let (_, found) = &ended[name];
            let difference = norm(found.iter().zip(expected).map(|(a, b)| a - b));
            let size = norm(expected.iter().copied());
            assert!(difference <= 1e-5 * size, "{name} differs by {difference} of {size}");
        }
    }
    weights
}

#[test]
fn steps_of_all_parameters_are_pytorchs() {
    let fixture = fixture();
    let weights = check(&fixture, &fixture.scratch, |_| true);
    let count: usize = fixture.begin.values().map(Vec::len).sum();
    assert_eq!(weights.trained_count(), count);
}

#[test]
fn steps_of_stage_2_are_pytorchs_and_what_is_frozen_stays_as_it_was() {
    let fixture = fixture();
    let is_top = |name: &str| Network::is_top(&fixture.config, name);
    let weights = check(&fixture, &fixture.stage2, is_top);
    let mut frozen = 0;
    for (name, (_, numbers)) in weights.numbers().unwrap() {
        let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let same = bits(&numbers) == bits(&fixture.begin[&name]);
        assert_eq!(same, !is_top(&name), "{name}");
        frozen += usize::from(same);
    }
    assert!(frozen > 10);
}

/// A few steps on one batch drive the loss of either network to nothing.
#[test]
fn a_batch_can_be_learned_by_heart() {
    let lite: bonafide_export::LiteConfig = serde_json::from_str(
        r#"{"window_samples": 1200, "frame_samples": 64, "frame_hop": 32, "stem_channels": 4, "squeeze": 2,
            "stages": [{"channels": 4, "blocks": 1, "stride": [1, 1]}, {"channels": 6, "blocks": 1, "stride": [2, 2]}],
            "attention_size": 4, "dropout": 0.0}"#,
    )
    .unwrap();
    lite.validate().unwrap();
    for (network, samples) in [
        (Network::Wav2vec2(Box::new(fixture().config)), 400),
        (Network::Lite(lite), 1200),
    ] {
        let weights = network.begin(&mut generator(1, &[])).unwrap();
        let mut rng = generator(2, &[]);
        let numbers: Vec<f32> = (0..8 * samples)
            .map(|_| rand::Rng::random_range(&mut rng, -0.5..0.5))
            .collect();
        let batch = Tensor::from_vec(numbers, (8, samples), &Device::Cpu).unwrap();
        let targets: Vec<[f32; 2]> = (0..8)
            .map(|n| if n % 3 == 0 { [1.0, 0.0] } else { [0.0, 1.0] })
            .collect();
        let mut optimiser = AdamW::new(0.01);
        let mut last = f32::NAN;
        for step in 0..300 {
            let pass = Pass::training(&weights, generator(3, &[step]));
            let logits = network.logits(&pass, &batch, Cut::Waveform).unwrap();
            let loss = cross_entropy(&logits, &targets, [1.0, 1.0]).unwrap();
            last = loss.to_scalar().unwrap();
            let mut gradients = gradients(&weights, &loss.backward().unwrap()).unwrap();
            clip(&mut gradients, 1.0);
            optimiser.step(&weights, &gradients, 1e-2).unwrap();
        }
        assert!(last < 0.01, "{last} after 300 steps");
    }
}

/// The small network's gradients are the slopes of its loss, which PyTorch's figures above don't cover.
#[test]
fn gradients_of_the_small_network_are_slopes() {
    let config: bonafide_export::LiteConfig = serde_json::from_str(
        r#"{"window_samples": 1200, "frame_samples": 64, "frame_hop": 32, "stem_channels": 3, "squeeze": 2,
            "stages": [{"channels": 3, "blocks": 1, "stride": [1, 1]}, {"channels": 4, "blocks": 1, "stride": [2, 2]}],
            "attention_size": 4, "dropout": 0.0}"#,
    )
    .unwrap();
    let network = Network::Lite(config);
    let mut weights = network.begin(&mut generator(1, &[])).unwrap();
    let mut rng = generator(2, &[]);
    let numbers: Vec<f32> = (0..4 * 1200)
        .map(|_| rand::Rng::random_range(&mut rng, -0.5..0.5))
        .collect();
    let batch = Tensor::from_vec(numbers, (4, 1200), &Device::Cpu).unwrap();
    let targets = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
    let loss = |weights: &Weights| {
        let pass = Pass::training(weights, generator(3, &[]));
        let logits = network.logits(&pass, &batch, Cut::Waveform).unwrap();
        cross_entropy(&logits, &targets, [1.0, 1.0]).unwrap()
    };
    let gradients = gradients(&weights, &loss(&weights).backward().unwrap()).unwrap();
    let before = weights.numbers().unwrap();
    for (name, gradient) in &gradients {
        // Along the gradient itself, where the slope is its norm.
        let size = norm(gradient.iter().copied());
        if size < 1e-2 {
            continue;
        }
        let step = 2e-3 / size as f32;
        let mut at = |sign: f32| {
            let moved = before[name].1.iter().zip(gradient).map(|(x, g)| x + sign * step * g);
            weights
                .replace(BTreeMap::from([(name.clone(), moved.collect())]))
                .unwrap();
            f64::from(loss(&weights).to_scalar::<f32>().unwrap())
        };
        let slope = (at(1.0) - at(-1.0)) / (2.0 * f64::from(step));
        weights
            .replace(BTreeMap::from([(name.clone(), before[name].1.clone())]))
            .unwrap();
        let expected = size * size;
        assert!(
            (slope - expected).abs() < 0.05 * expected,
            "{name}: {slope}, expected {expected}"
        );
    }
}
