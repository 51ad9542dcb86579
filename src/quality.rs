//! What a clip is like as a signal: is there enough in it to go by?

use std::fmt;
use std::sync::{Arc, LazyLock};

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::SAMPLE_RATE;

/// A clip's signal, cheaply measured: some 0.1 ms for each second of audio. All of it is at 16 kHz, as the model hears it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Quality {
    /// Root mean square in dB of full scale, -120 at the least. Speech recorded well is at -35 to -15.
    pub level_dbfs: f32,
    /// Share of the samples at full scale, 0 to 1.
    pub clipped: f32,
    /// Up to which frequency there is something to hear, in Hz, in steps of 250: the top of the highest band that is at
    /// most 60 dB below the strongest, on average. A telephone's is at most 4,000, and 8,000 is all there can be.
    pub bandwidth_hz: f32,
    /// How long there is a voice, in seconds. Only what is voiced counts, so that of speech it is about a half. Music
    /// counts in part, and whispering doesn't.
    pub voiced_seconds: f32,
}

/// A reason to trust a score less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Note {
    /// The clip is under a second: most of what the model saw is padding.
    TooShort,
    /// No sample reaches half a step of 16-bit audio: there is nothing to hear.
    DigitalSilence,
    /// The level is below -55 dB of full scale.
    Quiet,
    /// At least one sample in a thousand is at full scale: the recording is overdriven.
    Clipped,
    /// There is nothing above 4 kHz, as on a telephone.
    NarrowBand,
    /// There is a voice for less than a fifth of a second: what was heard is silence, noise, a tone, or too short.
    NoSpeech,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TooShort => "shorter than a second",
            Self::DigitalSilence => "digital silence",
            Self::Quiet => "very quiet",
            Self::Clipped => "clipped",
            Self::NarrowBand => "narrow band, like a telephone",
            Self::NoSpeech => "no speech",
        })
    }
}

/// Under this many samples (1 s) a score is [`Note::TooShort`].
const SHORT: usize = 16_000;
/// Half a quantisation step of 16-bit audio.
const SILENCE: f32 = 0.5 / 32_768.0;
/// Below this level a clip is [`Note::Quiet`].
const QUIET_DBFS: f32 = -55.0;
/// Full scale, less what 8-bit audio can't express.
const FULL_SCALE: f32 = 127.0 / 128.0;
/// The top of a telephone's band, and a step for the slope of its filter.
const NARROW_HZ: f32 = 4_250.0;
/// Under so much voice there is [`Note::NoSpeech`].
const VOICE_SECONDS: f32 = 0.2;

impl Note {
    /// What there is to note of a clip of `samples` samples.
    pub(crate) fn of(quality: &Quality, samples: usize) -> Vec<Self> {
        let silent = quality.level_dbfs <= FLOOR_DBFS;
        let notes = [
            (Self::TooShort, samples < SHORT),
            (Self::DigitalSilence, silent),
            (Self::Quiet, !silent && quality.level_dbfs < QUIET_DBFS),
            (Self::Clipped, quality.clipped >= 0.001),
            (Self::NarrowBand, !silent && quality.bandwidth_hz < NARROW_HZ),
            (Self::NoSpeech, quality.voiced_seconds < VOICE_SECONDS),
        ];
        notes
            .into_iter()
            .filter(|(_, holds)| *holds)
            .map(|(note, _)| note)
            .collect()
    }
}

/// The level of silence.
const FLOOR_DBFS: f32 = -120.0;
/// Samples in a frame, 40 ms: at least three periods of a voice.
const FRAME: usize = 640;
/// Points of the transform: a frame and the longest lag, so that the autocorrelation doesn't wrap around.
const POINTS: usize = 1024;
const BINS: usize = POINTS / 2 + 1;
/// A band of the bandwidth, in bins: 250 Hz.
const BAND: usize = POINTS * 250 / SAMPLE_RATE as usize;
/// How far below the strongest band there is still something to hear, as a ratio of powers: 60 dB.
const INAUDIBLE: f64 = 1e-6;
/// The periods of a voice, 400 to 80 Hz, in samples.
const LAGS: std::ops::Range<usize> = 40..200;
/// The part of the spectrum in which a voice is periodic, however noisy it is above: 1.8 kHz, in bins.
const VOICE_BINS: usize = POINTS * 1_800 / SAMPLE_RATE as usize;
/// How alike the periods of a voiced frame are, 1 being the same. Of noise hardly any frame reaches 0.4, and of read speech
/// a third to two thirds of the frames exceed 0.5.
const VOICING: f32 = 0.5;
/// A frame's power below which it isn't looked at: -60 dB of full scale.
const AUDIBLE: f32 = 1e-6;
/// By how much a voice's level changes from a frame to the next, at the least, in dB: a steady tone's doesn't.
const MOVES_DB: f32 = 0.7;

/// Hears a clip at 16 kHz, in pieces or as a whole.
pub(crate) struct Listener {
    samples: usize,
    energy: f64,
    audible: bool,
    clipped: usize,
    /// The frame that isn't full yet.
    frame: Vec<f32>,
    frames: Frames,
}

impl Listener {
    pub(crate) fn new() -> Self {
        Self {
            samples: 0,
            energy: 0.0,
            audible: false,
            clipped: 0,
            frame: Vec::with_capacity(FRAME),
            frames: Frames::new(),
        }
    }

    pub(crate) fn hear(&mut self, mut samples: &[f32]) {
        self.samples += samples.len();
        for sample in samples {
            self.energy += f64::from(*sample).powi(2);
            self.audible |= sample.abs() >= SILENCE;
            self.clipped += usize::from(sample.abs() >= FULL_SCALE);
        }
        while !samples.is_empty() {
            let (taken, rest) = samples.split_at(samples.len().min(FRAME - self.frame.len()));
            self.frame.extend_from_slice(taken);
            samples = rest;
            if self.frame.len() == FRAME {
                self.frames.hear(&self.frame);
                self.frame.clear();
            }
        }
    }

    /// Samples heard.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    pub(crate) fn quality(&self) -> Quality {
        let samples = self.samples.max(1) as f64;
        let level = 10.0 * (self.energy / samples).log10();
        Quality {
            level_dbfs: if self.audible {
                (level as f32).max(FLOOR_DBFS)
            } else {
                FLOOR_DBFS
            },
            clipped: (self.clipped as f64 / samples) as f32,
            bandwidth_hz: self.frames.bandwidth_hz(),
            voiced_seconds: self.frames.voiced as f32 * FRAME as f32 / SAMPLE_RATE as f32,
        }
    }
}

/// What whole frames tell.
struct Frames {
    /// Power by frequency, over all frames.
    spectrum: Vec<f64>,
    /// Frames that sound like a voice.
    voiced: usize,
    /// The level of the frame before, in dB.
    level: f32,
    transform: &'static Transform,
    windowed: Vec<f32>,
    bins: Vec<Complex32>,
}

struct Transform {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    /// The autocorrelation of the window, by lag, which the frame's is divided by (Boersma 1993).
    correlation: Vec<f32>,
}

static TRANSFORM: LazyLock<Transform> = LazyLock::new(|| {
    let mut planner = RealFftPlanner::new();
    let step = std::f32::consts::TAU / FRAME as f32;
    let window: Vec<f32> = (0..FRAME).map(|n| 0.5 - 0.5 * (step * n as f32).cos()).collect();
    let correlation = |lag: usize| window.iter().zip(&window[lag..]).map(|(a, b)| a * b).sum();
    Transform {
        forward: planner.plan_fft_forward(POINTS),
        inverse: planner.plan_fft_inverse(POINTS),
        correlation: (0..=LAGS.end).map(correlation).collect(),
        window,
    }
});

impl Frames {
    fn new() -> Self {
        Self {
            spectrum: vec![0.0; BINS],
            voiced: 0,
            level: FLOOR_DBFS,
            transform: &TRANSFORM,
            windowed: vec![0.0; POINTS],
            bins: vec![Complex32::default(); BINS],
        }
    }

    fn hear(&mut self, frame: &[f32]) {
        let power = frame.iter().map(|x| x * x).sum::<f32>() / FRAME as f32;
        let level = 10.0 * power.max(1e-12).log10();
        let moved = (level - self.level).abs() >= MOVES_DB;
        self.level = level;

        self.windowed.fill(0.0);
        for ((windowed, x), w) in self.windowed.iter_mut().zip(frame).zip(&self.transform.window) {
            *windowed = x * w;
        }
        if self
            .transform
            .forward
            .process(&mut self.windowed, &mut self.bins)
            .is_err()
        {
            // Only buffers of other lengths are refused.
            return;
        }
        for (sum, bin) in self.spectrum.iter_mut().zip(&self.bins) {
            *sum += f64::from(bin.norm_sqr());
        }
        if power > AUDIBLE && moved && self.is_periodic() {
            self.voiced += 1;
        }
    }

    /// Whether the autocorrelation of the frame in `bins` has a peak at the period of a voice.
    ///
    /// The low part of the spectrum is tilted up first, by the power of a difference of neighbours, or rumble would look
    /// periodic.
    fn is_periodic(&mut self) -> bool {
        for (k, bin) in self.bins.iter_mut().enumerate().take(VOICE_BINS) {
            let tilt = 2.0 - 2.0 * (std::f32::consts::PI * k as f32 / (BINS - 1) as f32).cos();
            *bin = Complex32::new(bin.norm_sqr() * tilt, 0.0);
        }
        self.bins[VOICE_BINS..].fill(Complex32::default());
        if self
            .transform
            .inverse
            .process(&mut self.bins, &mut self.windowed)
            .is_err()
        {
            return false;
        }
        let correlation = &self.transform.correlation;
        let at = |lag: usize| self.windowed[lag] / self.windowed[0] * correlation[0] / correlation[lag];
        LAGS.clone().any(|lag| {
            let peak = at(lag);
            peak > VOICING && peak >= at(lag - 1) && peak >= at(lag + 1)
        })
    }

    fn bandwidth_hz(&self) -> f32 {
        let bands: Vec<f64> = self.spectrum[1..].chunks(BAND).map(|band| band.iter().sum()).collect();
        let strongest = bands.iter().copied().fold(0.0, f64::max);
        let highest = bands.iter().rposition(|&power| power > strongest * INAUDIBLE);
        highest.map_or(0.0, |band| (band + 1) as f32 * 250.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quality(samples: &[f32]) -> Quality {
        let mut listener = Listener::new();
        listener.hear(samples);
        listener.quality()
    }

    fn notes(samples: &[f32]) -> Vec<Note> {
        Note::of(&quality(samples), samples.len())
    }

    /// White noise of about full scale's tenth, the same each time.
    fn noise(len: usize) -> Vec<f32> {
        let mut state = 1_u32;
        (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 * 0.2 - 0.1
            })
            .collect()
    }

    fn tone(len: usize, hz: f32) -> Vec<f32> {
        let step = std::f32::consts::TAU * hz / SAMPLE_RATE as f32;
        (0..len).map(|n| 0.3 * (step * n as f32).sin()).collect()
    }

    /// Each sample is what came before, faded, and the next of white noise: the lower the frequency, the stronger.
    fn rumble(len: usize, fading: f32) -> Vec<f32> {
        let mut last = 0.0;
        noise(len)
            .into_iter()
            .map(|x| {
                last = fading * last + x;
                last * 0.3
            })
            .collect()
    }

    #[test]
    fn the_level_is_that_of_the_root_mean_square() {
        assert_eq!(quality(&[1.0; 1_600]).level_dbfs, 0.0);
        assert!((quality(&tone(1_600, 500.0)).level_dbfs - (20.0 * 0.3_f32.log10() - 3.01)).abs() < 0.01);
        assert_eq!(quality(&[0.0; 1_600]).level_dbfs, -120.0);
        assert_eq!(quality(&[]).level_dbfs, -120.0);
    }

    #[test]
    fn the_bandwidth_is_that_of_what_there_is() {
        for hz in [400.0_f32, 1_900.0, 3_300.0, 7_600.0] {
            let found = quality(&tone(64_000, hz)).bandwidth_hz;
            // The window spreads a tone over a band.
            assert!((hz..=hz + 500.0).contains(&found), "{hz} Hz: {found}");
        }
        assert_eq!(quality(&noise(64_000)).bandwidth_hz, 8_000.0);
        assert_eq!(quality(&[0.0; 64_000]).bandwidth_hz, 0.0);
    }

    #[test]
    fn silence_noise_and_tones_are_no_speech() {
        let clicks: Vec<f32> = (0..160_000).map(|n| if n % 8_000 == 0 { 0.9 } else { 0.0 }).collect();
        let sum: Vec<f32> = tone(160_000, 200.0)
            .iter()
            .zip(noise(160_000))
            .map(|(a, b)| a + b)
            .collect();
        for (name, samples) in [
            ("silence", vec![0.0; 160_000]),
            ("white noise", noise(160_000)),
            ("pink-like noise", rumble(160_000, 0.9)),
            ("brown noise", rumble(160_000, 0.995)),
            ("a tone of 100 Hz", tone(160_000, 100.0)),
            ("a tone of 440 Hz", tone(160_000, 440.0)),
            ("a tone of 3 kHz", tone(160_000, 3_000.0)),
            ("a tone in noise", sum),
            ("clicks", clicks),
        ] {
            let seconds = quality(&samples).voiced_seconds;
            assert!(seconds < VOICE_SECONDS, "{name}: {seconds} s");
            assert!(notes(&samples).contains(&Note::NoSpeech), "{name}");
        }
    }

    #[test]
    fn notes_name_short_silent_quiet_and_clipped_audio() {
        let short = notes(&noise(15_999));
        assert!(short.contains(&Note::TooShort) && !notes(&noise(16_000)).contains(&Note::TooShort));
        let silent = [Note::DigitalSilence, Note::NoSpeech];
        assert_eq!(notes(&vec![0.0; 16_000]), silent);
        let quiet: Vec<f32> = noise(16_000).iter().map(|x| x * 0.02).collect();
        assert_eq!(notes(&quiet), [Note::Quiet, Note::NoSpeech]);
        let mut loud = noise(16_000);
        loud[..15].fill(-1.0);
        assert!(!notes(&loud).contains(&Note::Clipped));
        loud[..16].fill(-1.0);
        assert!(notes(&loud).contains(&Note::Clipped));
    }

    proptest! {
        #[test]
        fn pieces_are_heard_as_the_whole(cuts in prop::collection::vec(1_usize..5_000, 1..20)) {
            let samples = rumble(40_000, 0.9);
            let mut listener = Listener::new();
            let mut rest = &samples[..];
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                listener.hear(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(listener.quality(), quality(&samples));
        }
    }
}
