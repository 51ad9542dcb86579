//! What is done to windows in training so that the network learns voices and not recordings.
//!
//! Both labels go through the same. Everything is drawn from one generator per window and epoch, so that a run can be
//! repeated and resumed.

mod band;
mod codec;
mod distortion;
mod noise;
mod pool;
mod reverb;
mod spectrum;
mod speed;
mod transform;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

pub use pool::Pool;

use crate::digest::Digest;

/// What is done to a window.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Augment {
    /// Nothing.
    #[default]
    None,
    /// White noise at 10 to 30 dB below the voice: the reference's stage 2.
    WhiteNoise,
    /// Speed, rooms, noise, distortion, band limits, codecs and gain, each by chance.
    Strong(Recordings),
}

/// Recordings that the strong augmentation mixes in, any of which may be empty, and how many windows become calls.
#[derive(Debug)]
pub struct Recordings {
    /// Noise and music.
    pub noise: Pool,
    /// Voices for babble. They should be bona fide and synthetic alike, or else noise tells the label.
    pub babble: Pool,
    /// Impulse responses of rooms and devices.
    pub rooms: Pool,
    /// The share of windows that are calls: a telephone, and before some of them a room and noise.
    pub calls: f64,
}

/// A window in four is a call: of what is listened to for machines, much is calls.
pub(crate) const CALLS: f64 = 0.25;

/// How often the parts of the strong augmentation happen.
mod chance {
    /// Of what is no call. Nothing is done but to move, trim and level: most recordings in use are clean, and what synthesis
    /// leaves is faint.
    pub(super) const CLEAN: f64 = 0.4 / 0.75;
    pub(super) const CALL_REVERB: f64 = 0.25;
    pub(super) const CALL_NOISE: f64 = 0.2;
    /// Played faster or slower first, whatever else is done.
    pub(super) const SPEED: f64 = 0.3;
    pub(super) const TRIM: f64 = 0.3;
    pub(super) const REVERB: f64 = 0.3;
    pub(super) const DISTORTION: f64 = 0.3;
    pub(super) const NOISE: f64 = 0.5;
    pub(super) const BAND: f64 = 0.4;
    pub(super) const CODEC: f64 = 0.4;
    pub(super) const CLIPPING: f64 = 0.1;
}

/// 20 ms at 16 kHz, over which silence is measured.
const FRAME: usize = 320;
/// A frame this much quieter than the loudest is silence: −40 dB in power.
const SILENCE: f32 = 1e-4;

impl Augment {
    /// Which of them it is, and with which recordings, in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        let mut digest = Digest::default();
        match self {
            Self::None => digest.text("none"),
            Self::WhiteNoise => digest.text("white noise"),
            Self::Strong(recordings) => {
                let Recordings {
                    noise,
                    babble,
                    rooms,
                    calls,
                } = recordings;
                for text in [
                    "strong",
                    noise.digest(),
                    babble.digest(),
                    rooms.digest(),
                    &calls.to_string(),
                ] {
                    digest.text(text);
                }
            }
        }
        digest.finish()
    }

    /// Cuts a window of `length` samples out of a clip, at or near `start`, and changes it.
    ///
    /// The strong augmentation moves the start by up to a quarter of a window either way, and may first trim the
    /// silence off the clip's ends. A window of what was never `recorded` with a microphone mostly is, first.
    pub(crate) fn cut(
        &self,
        clip: &[f32],
        start: usize,
        length: usize,
        recorded: bool,
        rng: &mut ChaCha8Rng,
    ) -> Vec<f32> {
        let Self::Strong(recordings) = self else {
            let mut window = cut(clip, start, length);
            if matches!(self, Self::WhiteNoise) {
                noise::add_white(&mut window, rng.random_range(10.0..30.0), rng);
            }
            return window;
        };
        let clip = if rng.random_bool(chance::TRIM) {
            trim(clip)
        } else {
            clip
        };
        let source = if rng.random_bool(chance::SPEED) {
            speed::draw(length, rng)
        } else {
            length
        };
        let reach = length / 4;
        let moved = (start + rng.random_range(0..=2 * reach)).saturating_sub(reach);
        let from = moved.min(clip.len().saturating_sub(source));
        let mut window = speed::change(cut(clip, from, source), length);
        if !recorded {
            recordings.record(&mut window, rng);
        }
        recordings.apply(&mut window, rng);
        window
    }
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            noise: Pool::default(),
            babble: Pool::default(),
            rooms: Pool::default(),
            calls: CALLS,
        }
    }
}

impl Recordings {
    fn apply(&self, window: &mut [f32], rng: &mut ChaCha8Rng) {
        let draw: f64 = rng.random();
        let clean = (1.0 - self.calls) * chance::CLEAN;
        if draw >= clean + self.calls {
            self.degrade(window, rng);
        } else if draw >= clean {
            self.call(window, rng);
        }
        level(window, rng);
    }

    /// What a microphone adds: a room to half of the windows and quiet noise to half, so that a quarter stays as it is.
    fn record(&self, window: &mut [f32], rng: &mut ChaCha8Rng) {
        if rng.random_bool(0.5) {
            reverb::add(window, &self.rooms, rng);
        }
        if rng.random_bool(0.5) {
            noise::add_quiet(window, &self.noise, rng);
        }
    }

    fn call(&self, window: &mut [f32], rng: &mut ChaCha8Rng) {
        if rng.random_bool(chance::CALL_REVERB) {
            reverb::add(window, &self.rooms, rng);
        }
        if rng.random_bool(chance::CALL_NOISE) {
            noise::add(window, &self.noise, &self.babble, rng);
        }
        codec::telephone(window, rng);
    }

    fn degrade(&self, window: &mut [f32], rng: &mut ChaCha8Rng) {
        if rng.random_bool(chance::REVERB) {
            reverb::add(window, &self.rooms, rng);
        }
        if rng.random_bool(chance::DISTORTION) {
            distortion::add(window, rng);
        }
        if rng.random_bool(chance::NOISE) {
            noise::add(window, &self.noise, &self.babble, rng);
        }
        if rng.random_bool(chance::BAND) {
            band::limit(window, rng);
        }
        if rng.random_bool(chance::CODEC) {
            codec::pass(window, rng);
        }
    }
}

/// Scales the window to a peak between −24 dB and full scale, and now and then beyond, where it is clipped. Then rounds
/// it to 16 bits, as nearly all recordings are.
fn level(window: &mut [f32], rng: &mut ChaCha8Rng) {
    let peak = window.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    if peak == 0.0 {
        return;
    }
    let decibels: f32 = if rng.random_bool(chance::CLIPPING) {
        rng.random_range(0.0..12.0)
    } else {
        rng.random_range(-24.0..0.0)
    };
    let gain = from_decibels(decibels) / peak;
    for x in window {
        *x = ((*x * gain).clamp(-1.0, 1.0) * 32_767.0).round() / 32_768.0;
    }
}

/// `length` samples from `start` on, with zeros past the clip's end.
fn cut(clip: &[f32], start: usize, length: usize) -> Vec<f32> {
    let rest = clip.get(start..).unwrap_or_default();
    let mut window = rest[..rest.len().min(length)].to_vec();
    window.resize(length, 0.0);
    window
}

/// The clip without the silence at its ends.
fn trim(clip: &[f32]) -> &[f32] {
    let powers: Vec<f32> = clip.chunks(FRAME).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let loud = |power: &f32| *power > loudest * SILENCE;
    match (powers.iter().position(loud), powers.iter().rposition(loud)) {
        (Some(first), Some(last)) => &clip[first * FRAME..((last + 1) * FRAME).min(clip.len())],
        _ => clip,
    }
}

/// The mean square.
fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32
}

/// A factor of amplitude.
fn from_decibels(decibels: f32) -> f32 {
    10.0_f32.powf(decibels / 20.0)
}

/// A generator for one of many things of a run: the same for the same numbers, whatever was drawn for others.
pub(crate) fn generator(seed: u64, of: &[u64]) -> ChaCha8Rng {
    use rand::SeedableRng as _;
    // SplitMix64's mixing of each number into the one before.
    let mixed = of.iter().fold(seed, |state, &number| {
        let mut z = state
            .wrapping_add(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    });
    ChaCha8Rng::seed_from_u64(mixed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone() -> Vec<f32> {
        (0..48_000).map(|n| (n as f32 * 0.07).sin() * 0.3).collect()
    }

    #[test]
    fn the_same_draw_gives_the_same_window_and_another_gives_another() {
        let augment = Augment::Strong(Recordings::default());
        for recorded in [true, false] {
            let cut = |epoch| augment.cut(&tone(), 0, 64_000, recorded, &mut generator(1, &[epoch, 7]));
            for epoch in 0..60 {
                let window = cut(epoch);
                assert_eq!(window.len(), 64_000);
                assert!(window.iter().all(|x| (-1.0..=1.0).contains(x)), "epoch {epoch}");
                assert_eq!(window, cut(epoch), "epoch {epoch}");
            }
            assert_ne!(cut(0), cut(1));
        }
    }

    #[test]
    fn white_noise_has_the_ratio_drawn() {
        let clip = tone();
        let window = Augment::WhiteNoise.cut(&clip, 0, 48_000, true, &mut generator(3, &[]));
        let noise: Vec<f32> = window.iter().zip(&clip).map(|(noisy, clean)| noisy - clean).collect();
        let ratio = 10.0 * (power(&clip) / power(&noise)).log10();
        assert!((9.9..30.1).contains(&ratio), "{ratio} dB");
    }

    #[test]
    fn a_quiet_place_is_quieter_than_the_voice() {
        for draw in 0..40 {
            let (clip, mut window) = (tone(), tone());
            noise::add_quiet(&mut window, &Pool::default(), &mut generator(5, &[draw]));
            let noise: Vec<f32> = window.iter().zip(&clip).map(|(noisy, clean)| noisy - clean).collect();
            let ratio = 10.0 * (power(&clip) / power(&noise)).log10();
            assert!((11.9..40.1).contains(&ratio), "{ratio} dB");
        }
    }

    #[test]
    fn three_quarters_of_what_was_never_recorded_get_a_room_or_noise() {
        let clip: Vec<f32> = tone().into_iter().chain([0.0; 16_000]).collect();
        let mut dry = 0;
        for draw in 0..200 {
            let mut window = clip.clone();
            Recordings::default().record(&mut window, &mut generator(7, &[draw]));
            if window == clip {
                dry += 1;
                continue;
            }
            assert!(
                power(&window[48_000..]) > 0.0,
                "draw {draw} leaves silence after the voice"
            );
            let change = power(&window) / power(&clip);
            assert!(
                (0.8..1.25).contains(&change),
                "draw {draw} changes the power by {change}"
            );
        }
        assert!((30..70).contains(&dry), "{dry} of 200 stay as they are");
    }

    #[test]
    fn silence_is_trimmed_off_the_ends_only() {
        let mut clip = vec![0.0; 4 * FRAME];
        clip.extend([0.5; FRAME]);
        clip.extend([0.0; 2 * FRAME]);
        clip.extend([0.5; FRAME]);
        clip.extend([0.0; 100]);
        assert_eq!(trim(&clip).len(), 4 * FRAME);
        assert_eq!(trim(&[0.0; 1000]).len(), 1000);
    }
}
