//! Distortion of the signal by itself, after RawBoost (Tak et al., ICASSP 2022): a non-linear channel, and impulsive
//! noise that depends on the signal.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::from_decibels;

/// Adds one or both kinds of distortion.
pub(super) fn add(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let kind = rng.random_range(0..3);
    if kind != 1 {
        harmonics(window, rng);
    }
    if kind != 0 {
        impulses(window, rng);
    }
}

fn peak(window: &[f32]) -> f32 {
    window.iter().fold(0.0, |peak: f32, x| peak.max(x.abs()))
}

/// Adds the square to the fifth power of the signal, each some way below it.
fn harmonics(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let peak = peak(window);
    if peak == 0.0 {
        return;
    }
    let gains: [f32; 4] = std::array::from_fn(|_| {
        let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        sign * from_decibels(rng.random_range(-40.0..-10.0))
    });
    for sample in window {
        let x = *sample / peak;
        let mut sum = x;
        let mut of_degree = x;
        for gain in gains {
            of_degree *= x;
            sum += gain * of_degree;
        }
        *sample = sum * peak;
    }
}

/// Changes up to a tenth of the samples by up to twice their own size.
fn impulses(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let share = rng.random_range(0.001..0.1);
    let size = rng.random_range(0.1..2.0_f32);
    for x in window {
        if rng.random_bool(share) {
            *x += *x * size * rng.random_range(-1.0..1.0_f32);
        }
    }
}
