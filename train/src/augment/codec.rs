//! Codecs that voices go through, as far as they can be had in a few lines: G.711, IMA ADPCM, coarse steps, and a
//! transform coder that loses what MP3, AAC and Opus lose.

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use super::{band, transform};

/// Encodes the window with one of the codecs, and decodes it.
pub(super) fn pass(window: &mut [f32], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..7) {
        0 | 1 => telephone(window, rng),
        2 => at_8_khz(window, rng, adpcm),
        3 => adpcm(window),
        4 => steps(window, rng.random_range(7..12)),
        _ => transform::code(window, rng),
    }
}

/// A telephone's band and G.711, in one of its two laws.
pub(super) fn telephone(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let law = if rng.random_bool(0.5) { mu_law } else { a_law };
    at_8_khz(window, rng, law);
}

/// Codes every other sample, after the telephone's band filter, and fills in the ones between.
fn at_8_khz(window: &mut [f32], rng: &mut ChaCha8Rng, codec: impl Fn(&mut [f32])) {
    band::telephone(window, rng);
    let mut half: Vec<f32> = window.iter().copied().step_by(2).collect();
    codec(&mut half);
    for (n, x) in window.iter_mut().enumerate() {
        // Twice as loud, because the filter then takes off the image, half of the power.
        *x = if n % 2 == 0 { 2.0 * half[n / 2] } else { 0.0 };
    }
    band::low_pass(window, 3_950.0, 60.0);
}

/// G.711's μ-law in its smooth form: 8 bits, μ = 255.
fn mu_law(samples: &mut [f32]) {
    const MU: f32 = 255.0;
    for x in samples {
        let compressed = (1.0 + MU * x.abs().min(1.0)).ln() / (1.0 + MU).ln();
        let rounded = (compressed * 127.0).round() / 127.0;
        *x = x.signum() * ((1.0 + MU).powf(rounded) - 1.0) / MU;
    }
}

/// G.711's A-law in its smooth form: 8 bits, A = 87.6.
fn a_law(samples: &mut [f32]) {
    const A: f32 = 87.6;
    let whole = 1.0 + A.ln();
    for x in samples {
        let size = x.abs().min(1.0);
        let compressed = if size < 1.0 / A {
            A * size / whole
        } else {
            (1.0 + (A * size).ln()) / whole
        };
        let rounded = (compressed * 127.0).round() / 127.0;
        let expanded = if rounded < 1.0 / whole {
            rounded * whole / A
        } else {
            (rounded * whole - 1.0).exp() / A
        };
        *x = x.signum() * expanded;
    }
}

/// IMA ADPCM: the difference to the sample before in 4 bits, with a step that follows the signal.
fn adpcm(samples: &mut [f32]) {
    const CHANGE: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];
    /// IMA's table of steps is 7 · 1.1ⁿ for n from 0 to 88, rounded.
    const LAST: i32 = 88;
    let mut predicted = 0.0_f32;
    let mut index = 0_i32;
    for x in samples {
        let target = (*x * 32_768.0).clamp(-32_768.0, 32_767.0);
        let step = (7.0 * 1.1_f32.powi(index)).min(32_767.0);
        let difference = target - predicted;
        let code = ((difference.abs() / step * 4.0) as i32).min(7);
        let decoded = step * (code as f32 + 0.5) / 4.0;
        predicted = (predicted + decoded.copysign(difference)).clamp(-32_768.0, 32_767.0);
        index = (index + CHANGE[code as usize]).clamp(0, LAST);
        *x = predicted / 32_768.0;
    }
}

/// Rounds to so many bits.
fn steps(samples: &mut [f32], bits: u32) {
    let scale = (1_u32 << (bits - 1)) as f32;
    samples.iter_mut().for_each(|x| *x = (*x * scale).round() / scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone() -> Vec<f32> {
        (0..8000).map(|n| (n as f32 * 0.1).sin() * 0.4).collect()
    }

    /// Signal to noise, in dB.
    fn quality(codec: impl Fn(&mut [f32])) -> f32 {
        let (clean, mut coded) = (tone(), tone());
        codec(&mut coded);
        let noise: f32 = clean.iter().zip(&coded).map(|(a, b)| (a - b).powi(2)).sum();
        10.0 * (clean.iter().map(|x| x * x).sum::<f32>() / noise).log10()
    }

    #[test]
    fn codecs_lose_about_what_they_should() {
        // G.711 is known for 37 to 38 dB on a loud tone, and 4-bit ADPCM for 20 to 30.
        for (quality, expected) in [
            (quality(mu_law), 33.0..42.0),
            (quality(a_law), 33.0..42.0),
            (quality(adpcm), 15.0..40.0),
            (quality(|samples| steps(samples, 10)), 50.0..56.0),
        ] {
            assert!(expected.contains(&quality), "{quality} dB, expected {expected:?}");
        }
    }
}
