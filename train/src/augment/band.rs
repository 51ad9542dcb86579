//! Band limits and other spectral envelopes of recordings, sample rates and devices.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::spectrum;

/// Limits the band, tilts the spectrum or cuts notches into it.
pub(super) fn limit(window: &mut [f32], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..4) {
        0 => {
            // A lower sample rate on the way: 8 to 16 kHz.
            let cutoff = rng.random_range(3_400.0..7_900.0);
            low_pass(window, cutoff, rng.random_range(30.0..600.0));
        }
        1 => telephone(window, rng),
        2 => rough_resampling(window, rng),
        _ => equalise(window, rng),
    }
}

/// Lets frequencies below `cutoff` Hz through, with an edge of `width` Hz.
pub(super) fn low_pass(window: &mut [f32], cutoff: f32, width: f32) {
    spectrum::shape(window, |hertz| edge(cutoff - hertz, width));
}

/// The telephone's band, about 300 to 3,400 Hz.
pub(super) fn telephone(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let low = rng.random_range(50.0..350.0);
    let high = rng.random_range(3_300.0..3_900.0);
    spectrum::shape(window, |hertz| edge(hertz - low, 60.0) * edge(high - hertz, 150.0));
}

/// From 0 to 1 around 0, over about `width`.
fn edge(distance: f32, width: f32) -> f32 {
    1.0 / (1.0 + (-8.0 * distance / width).exp())
}

/// Down and up again with straight lines between samples, as careless converters do: images stay.
fn rough_resampling(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let step = rng.random_range(1.05..2.0_f32);
    let at = |samples: &[f32], position: f32| {
        let index = position as usize;
        let next = samples.get(index + 1).copied().unwrap_or(0.0);
        let this = samples.get(index).copied().unwrap_or(0.0);
        this + (next - this) * position.fract()
    };
    let count = (window.len() as f32 / step) as usize;
    let lower: Vec<f32> = (0..count).map(|n| at(window, n as f32 * step)).collect();
    for (n, x) in window.iter_mut().enumerate() {
        *x = at(&lower, n as f32 / step);
    }
}

/// A tilt of up to 6 dB an octave, and up to five notches or bumps.
fn equalise(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let tilt = rng.random_range(-1.0..0.7_f32);
    let bumps: Vec<[f32; 3]> = (0..rng.random_range(0..=5))
        .map(|_| {
            let centre = rng.random_range(80.0..7_800.0);
            [centre, rng.random_range(100.0..1_000.0), rng.random_range(-0.95..1.5)]
        })
        .collect();
    spectrum::shape(window, |hertz| {
        let tilted = (hertz.max(60.0) / 1_000.0).powf(tilt);
        bumps.iter().fold(tilted, |gain, [centre, width, height]| {
            gain * (1.0 + height * (-((hertz - centre) / width).powi(2)).exp())
        })
    });
}
