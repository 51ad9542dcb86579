//! A transform coder: what MP3, AAC, Opus and Vorbis have in common. Frames of the spectrum are rounded to steps that
//! follow each band's level, bands far below the loudest are left out, and so is everything above a cut-off.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rustfft::num_complex::Complex32;

use super::spectrum;

/// Samples in a frame; frames overlap by half.
const FRAME: usize = 512;
/// Bins in a band.
const BAND: usize = 8;

/// Codes the window at a quality drawn by chance.
pub(super) fn code(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let cutoff = rng.random_range(FRAME / 5..FRAME / 2);
    // Steps per level of a band, and how far below the loudest band (in amplitude) one is left out.
    let steps = rng.random_range(0.7..4.0_f32);
    let floor = 10.0_f32.powf(rng.random_range(-4.0..-1.7));
    let [forward, inverse] = spectrum::transforms(FRAME);
    // Applied before and after, its squares add up to one.
    let slope: Vec<f32> = (0..FRAME)
        .map(|n| (std::f32::consts::PI * (n as f32 + 0.5) / FRAME as f32).sin())
        .collect();
    let mut out = vec![0.0; window.len() + FRAME];
    for start in (0..window.len() + FRAME / 2).step_by(FRAME / 2) {
        // Frames begin half a frame before the window, so that its ends are covered twice too.
        let sample = |n: usize| {
            (start + n)
                .checked_sub(FRAME / 2)
                .and_then(|at| window.get(at))
                .copied()
        };
        let mut frame: Vec<Complex32> = (0..FRAME)
            .map(|n| Complex32::new(sample(n).unwrap_or(0.0) * slope[n], 0.0))
            .collect();
        forward.process(&mut frame);
        quantise(&mut frame[..=FRAME / 2], cutoff, steps, floor);
        for bin in 1..FRAME / 2 {
            frame[FRAME - bin] = frame[bin].conj();
        }
        inverse.process(&mut frame);
        for (n, value) in frame.iter().enumerate() {
            if let Some(sum) = (start + n).checked_sub(FRAME / 2).and_then(|at| out.get_mut(at)) {
                *sum += value.re * slope[n] / FRAME as f32;
            }
        }
    }
    window.copy_from_slice(&out[..window.len()]);
}

fn quantise(bins: &mut [Complex32], cutoff: usize, steps: f32, floor: f32) {
    let level = |band: &[Complex32]| (band.iter().map(Complex32::norm_sqr).sum::<f32>() / band.len() as f32).sqrt();
    let loudest = bins.chunks(BAND).map(level).fold(0.0, f32::max);
    for (index, band) in bins.chunks_mut(BAND).enumerate() {
        let level = level(band);
        if index * BAND >= cutoff || level <= loudest * floor {
            band.fill(Complex32::default());
            continue;
        }
        let step = level / steps;
        let round = |x: f32| (x / step).round() * step;
        band.iter_mut()
            .for_each(|bin| *bin = Complex32::new(round(bin.re), round(bin.im)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::generator;
    use super::*;

    #[test]
    fn frames_add_up_to_the_window_when_nothing_is_lost() {
        let clean: Vec<f32> = (0..5000).map(|n| (n as f32 * 0.05).sin()).collect();
        let mut coded = clean.clone();
        code(&mut coded, &mut generator(5, &[]));
        let error: f32 = clean.iter().zip(&coded).map(|(a, b)| (a - b).powi(2)).sum::<f32>() / 5000.0;
        assert!(error < 0.1, "{error}");
        assert_ne!(clean, coded);
    }
}
