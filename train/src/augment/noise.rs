//! Noise under the voice: recorded, of other voices, or made here.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::pool::Pool;
use super::{from_decibels, power, spectrum};

/// Adds white noise whose power lies `decibels` below the window's.
pub(super) fn add_white(window: &mut [f32], decibels: f32, rng: &mut ChaCha8Rng) {
    let noise = white(window.len(), rng);
    add_at(window, &noise, decibels);
}

/// Adds noise of one of the kinds there are recordings for, or coloured noise.
pub(super) fn add(window: &mut [f32], recorded: &Pool, voices: &Pool, rng: &mut ChaCha8Rng) {
    let mut kinds = vec![0];
    kinds.extend((!recorded.is_empty()).then_some([1, 1]).into_iter().flatten());
    kinds.extend((!voices.is_empty()).then_some(2));
    let length = window.len();
    let (noise, decibels) = match kinds[rng.random_range(0..kinds.len())] {
        1 => (recorded.stretch(length, rng), rng.random_range(0.0..20.0)),
        2 => (babble(voices, length, rng), rng.random_range(8.0..25.0)),
        _ => (coloured(length, rng), rng.random_range(5.0..40.0)),
    };
    add_at(window, &noise, decibels);
}

/// Adds what a quiet place has: recorded or coloured noise, 12 to 40 dB below the voice.
pub(super) fn add_quiet(window: &mut [f32], recorded: &Pool, rng: &mut ChaCha8Rng) {
    let noise = if recorded.is_empty() || rng.random_bool(0.5) {
        coloured(window.len(), rng)
    } else {
        recorded.stretch(window.len(), rng)
    };
    add_at(window, &noise, rng.random_range(12.0..40.0));
}

/// Adds `noise` at a power `decibels` below the window's; nothing if either is silent.
fn add_at(window: &mut [f32], noise: &[f32], decibels: f32) {
    let (signal, level) = (power(window), power(noise));
    if signal == 0.0 || level == 0.0 {
        return;
    }
    let gain = (signal / level).sqrt() * from_decibels(-decibels);
    window.iter_mut().zip(noise).for_each(|(x, n)| *x += gain * n);
}

fn white(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..length).map(|_| StandardNormal.sample(rng)).collect()
}

/// Noise whose power falls or rises with frequency, from brown (−6 dB an octave) to blue (+3).
fn coloured(length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut noise = white(length, rng);
    let exponent = rng.random_range(-1.0..0.5_f32);
    spectrum::shape(&mut noise, |hertz| hertz.max(40.0).powf(exponent));
    noise
}

/// Three to six voices at once.
fn babble(voices: &Pool, length: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut sum = vec![0.0; length];
    for _ in 0..rng.random_range(3..=6) {
        let voice = voices.stretch(length, rng);
        let level = power(&voice).sqrt().max(1e-6);
        sum.iter_mut().zip(&voice).for_each(|(sum, x)| *sum += x / level);
    }
    sum
}
