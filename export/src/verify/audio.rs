//! Sounds to compare on where no audio is given.

use std::f64::consts::{PI, TAU};

use crate::SAMPLE_RATE;

/// Epsilon of Hugging Face's `do_normalize`.
const NORMALISE_EPS: f64 = 1e-7;

/// Sounds like speech: syllables of harmonics that glide in pitch, coloured by a resonance, in noise. The same seed gives
/// the same samples, all within [-1, 1].
pub(super) fn speech_like(samples: usize, seed: u64) -> Vec<f32> {
    const HARMONICS: usize = 24;
    let rate = f64::from(SAMPLE_RATE);
    let mut random = Random(seed);
    let mut out = Vec::with_capacity(samples);
    let mut phase = 0.0;
    while out.len() < samples {
        let len = (rate * random.between(0.12, 0.3)) as usize;
        let (from, to) = (random.between(90.0, 260.0), random.between(90.0, 260.0));
        let resonance = random.between(300.0, 2800.0);
        let (voice, noise) = (random.between(0.02, 0.12), random.between(0.001, 0.02));
        for i in 0..len {
            let at = i as f64 / len as f64;
            let pitch = from + (to - from) * at;
            phase = (phase + TAU * pitch / rate) % TAU;
            let harmonics = (1..=HARMONICS).map(|n| {
                let off = (pitch * n as f64 - resonance) / 400.0;
                (phase * n as f64).sin() / (1.0 + off * off)
            });
            let sample = voice * (PI * at).sin() * harmonics.sum::<f64>() + noise * random.between(-1.0, 1.0);
            out.push(sample.clamp(-1.0, 1.0) as f32);
        }
    }
    out.truncate(samples);
    out
}

/// `(x − mean) / √(variance + 1e-7)`, which a graph without a normalisation of its own asks of its caller.
pub(super) fn normalise(window: &mut [f32]) {
    let len = window.len() as f64;
    let mean = window.iter().map(|&x| f64::from(x)).sum::<f64>() / len;
    let variance = window.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / len;
    for x in window {
        *x = ((f64::from(*x) - mean) / (variance + NORMALISE_EPS).sqrt()) as f32;
    }
}

/// The generator `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + (high - low) * ((z >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_are_audible_bounded_and_told_apart_by_the_seed_alone() {
        let sounds = speech_like(20_000, 7);
        assert_eq!(sounds, speech_like(20_000, 7));
        assert_ne!(sounds, speech_like(20_000, 8));
        assert_eq!(sounds.len(), 20_000);
        let rms = (sounds.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 20_000.0).sqrt();
        assert!((0.005..0.5).contains(&rms), "{rms}");
        assert!(sounds.iter().all(|x| x.abs() <= 1.0));
    }

    #[test]
    fn splitmix_is_the_published_one() {
        // The first output for seed 0 is 0xe220a8397b1dcdaf.
        let expected = (0xe220_a839_7b1d_cdaf_u64 >> 11) as f64 / (1_u64 << 53) as f64;
        assert_eq!(Random(0).between(0.0, 1.0), expected);
    }
}
