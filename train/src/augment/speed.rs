//! Playing faster or slower, as a tape does: pitch, formants and what a vocoder leaves behind move together. A voice becomes
//! another voice, and a vocoder one with another hop.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rustfft::num_complex::Complex32;

use super::spectrum;

/// Speeds are whole numbers of these parts, so that the lengths have small factors.
const PARTS: usize = 32;

/// How many samples of the clip become a window of `length` samples: 7/8 to 9/8 of it.
pub(super) fn draw(length: usize, rng: &mut ChaCha8Rng) -> usize {
    length * rng.random_range(PARTS - PARTS / 8..=PARTS + PARTS / 8) / PARTS
}

/// The samples at another speed, so that there are `length`. What would be above half the sample rate is lost.
pub(super) fn change(samples: Vec<f32>, length: usize) -> Vec<f32> {
    if samples.len() == length || samples.is_empty() {
        return samples;
    }
    let mut from: Vec<Complex32> = samples.iter().map(|&x| Complex32::new(x, 0.0)).collect();
    spectrum::transforms(samples.len())[0].process(&mut from);
    let mut to = vec![Complex32::default(); length];
    // Positive frequencies and their mirror images. The one in the middle, if there is one, is left out.
    let bins = samples.len().min(length).div_ceil(2);
    to[..bins].copy_from_slice(&from[..bins]);
    to[length + 1 - bins..].copy_from_slice(&from[samples.len() + 1 - bins..]);
    spectrum::transforms(length)[1].process(&mut to);
    let scale = (samples.len() as f32).recip();
    to.iter().map(|x| x.re * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::*;

    #[test]
    fn a_tone_moves_with_the_speed() {
        // So many turns in all, before and after.
        let tone = |turns: f32, length: usize| -> Vec<f32> {
            let step = std::f32::consts::TAU * turns / length as f32;
            (0..length).map(|n| (n as f32 * step).sin()).collect()
        };
        for length in [700, 800, 900] {
            let changed = change(tone(50.0, length), 800);
            assert_eq!(changed.len(), 800);
            for (n, (found, expected)) in changed.iter().zip(tone(50.0, 800)).enumerate() {
                assert!((found - expected).abs() < 1e-4, "{length}, {n}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_lost() {
        // A tone at 15/16 of half the sample rate would be above it.
        let high: Vec<f32> = (0..900)
            .map(|n| (n as f32 * std::f32::consts::PI * 15.0 / 16.0).sin())
            .collect();
        let changed = change(high, 800);
        // The window wraps around, where the tone has a step.
        assert!(changed[100..700].iter().all(|x| x.abs() < 0.05));
    }

    #[test]
    fn lengths_are_drawn_on_both_sides() {
        let drawn: Vec<usize> = (0..100).map(|n| draw(64_000, &mut generator(9, &[n]))).collect();
        assert!(drawn.iter().all(|length| (56_000..=72_000).contains(length)));
        assert!(drawn.contains(&56_000) && drawn.contains(&72_000));
    }
}
