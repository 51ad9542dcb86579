//! Filters on a whole window through its Fourier transform.

use std::cell::RefCell;
use std::sync::Arc;

use bonafide::SAMPLE_RATE;
use rustfft::num_complex::Complex32;
use rustfft::{Fft, FftPlanner};

/// The transform of a length, and its inverse (which is not scaled). Each thread plans a length once.
pub(super) fn transforms(length: usize) -> [Arc<dyn Fft<f32>>; 2] {
    thread_local! {
        static PLANNER: RefCell<FftPlanner<f32>> = RefCell::new(FftPlanner::new());
    }
    PLANNER.with_borrow_mut(|planner| [planner.plan_fft_forward(length), planner.plan_fft_inverse(length)])
}

/// Multiplies each frequency, in Hz from 0 to half the sample rate, with `gain`. The window wraps around.
pub(super) fn shape(window: &mut [f32], gain: impl Fn(f32) -> f32) {
    let length = window.len();
    let mut spectrum: Vec<Complex32> = window.iter().map(|&x| Complex32::new(x, 0.0)).collect();
    let [forward, inverse] = transforms(length);
    forward.process(&mut spectrum);
    for (bin, value) in spectrum.iter_mut().enumerate() {
        // The upper half mirrors the lower.
        let frequency = bin.min(length - bin) as f32 / length as f32;
        *value *= gain(frequency * SAMPLE_RATE as f32);
    }
    inverse.process(&mut spectrum);
    let scale = (length as f32).recip();
    window
        .iter_mut()
        .zip(spectrum)
        .for_each(|(x, value)| *x = value.re * scale);
}

/// Convolves the window with a response, and keeps its length.
pub(super) fn convolve(window: &mut [f32], response: &[f32]) {
    let length = (window.len() + response.len()).next_power_of_two();
    let padded = |samples: &[f32]| {
        let mut padded: Vec<Complex32> = samples.iter().map(|&x| Complex32::new(x, 0.0)).collect();
        padded.resize(length, Complex32::default());
        padded
    };
    let (mut x, mut h) = (padded(window), padded(response));
    let [forward, inverse] = transforms(length);
    forward.process(&mut x);
    forward.process(&mut h);
    x.iter_mut().zip(&h).for_each(|(x, h)| *x *= h);
    inverse.process(&mut x);
    let scale = (length as f32).recip();
    window
        .iter_mut()
        .zip(x)
        .for_each(|(out, value)| *out = value.re * scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_of_one_changes_nothing_and_a_delay_delays() {
        let original: Vec<f32> = (0..1000).map(|n| ((n * n) % 17) as f32).collect();
        let mut shaped = original.clone();
        shape(&mut shaped, |_| 1.0);
        assert!(original.iter().zip(&shaped).all(|(a, b)| (a - b).abs() < 1e-4));

        let mut delayed = original.clone();
        convolve(&mut delayed, &[0.0, 0.0, 1.0]);
        assert!(original.iter().zip(&delayed[2..]).all(|(a, b)| (a - b).abs() < 1e-3));
    }
}
