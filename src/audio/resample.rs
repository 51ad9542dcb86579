//! Sample-rate conversion, through [`rubato`].
//!
//! Measured against `torchaudio.functional.resample` with its defaults, which the reference system uses, for
//! conversion to 16 kHz:
//!
//! | From (Hz) | Ripple (dB) | torchaudio's | Rejection (dB) | torchaudio's | SNR speech (dB) | SNR sweep (dB) | Times real time |
//! |---|---|---|---|---|---|---|---|
//! | 8000 | 0.000 | 2.43 | 136 | 20 | 26.4 | 22.0 | 4400 |
//! | 11025 | 0.000 | 2.43 | 132 | 20 | 46.3 | 21.9 | 8200 |
//! | 22050 | 0.000 | 2.43 | 139 | 20 | 39.1 | 22.1 | 5100 |
//! | 24000 | 0.000 | 2.43 | 140 | 20 | 39.4 | 22.6 | 7000 |
//! | 44100 | 0.000 | 2.43 | 141 | 20 | 44.6 | 22.8 | 4700 |
//! | 48000 | 0.000 | 2.43 | 142 | 20 | 45.3 | 22.5 | 3100 |
//!
//! Ripple is the worst deviation from gain 1 up to 0.9 of the lower Nyquist frequency. Rejection is how far the loudest
//! alias of a tone from 1.15 of the output's Nyquist frequency up lies below it or, from 8 and 11.025 kHz, the loudest
//! image of a tone up to 0.85 of the input's. SNR takes torchaudio's output for the signal and the difference from it
//! for noise; it is bounded by torchaudio's filter, which damps the top of the band and lets through some of what lies
//! beyond, neither of which happens here. The lengths are equal, and the delay is none. Speed is that of one core of a
//! shared x86-64 server. `tests/resample.rs` prints the table; its head says how.
//!
//! Of `rubato`'s designs, `Async` (a sinc under a Hann window of torchaudio's length and cutoff, or twice and four times
//! as long, or 256 points under Blackman-Harris²) delays by a fraction of a sample for most rates, which leaves an SNR
//! of 2 to 22 dB. Where the fraction can be padded away it is nearer to torchaudio (51 dB from 48 kHz, on speech with
//! noise above it, where `Fft` has 29), at the price of torchaudio's ripple and aliases. `Fft` delays by a fraction too,
//! unless its block is even.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::{Audio, SAMPLE_RATE, check_amplitude, check_rate, check_samples};
use crate::{Error, Result};

/// Samples of the lower rate in one block of the transform: the longer, the steeper the filter.
const BLOCK: usize = 512;

/// Beyond this the transform of a block may overflow, at which `rubato` panics.
const LOUDEST: f32 = 1e30;

/// Converts one channel from one sample rate (Hz) to another.
///
/// `n` samples give ⌈`n`·`to`/`from`⌉, and sample `i` stays at the time `i`/`rate`, as in torchaudio.
/// Equal rates copy, and no samples give none.
///
/// # Errors
///
/// [`Error::NotFinite`] or [`Error::Amplitude`] if a sample is NaN, infinite, or near the largest number there is;
/// [`Error::SampleRate`] if a rate is outside [`Audio::MIN_SAMPLE_RATE`](super::Audio::MIN_SAMPLE_RATE) to
/// [`Audio::MAX_SAMPLE_RATE`](super::Audio::MAX_SAMPLE_RATE);
/// [`Error::AudioTooLong`] if the result would exceed [`Audio::MAX_SAMPLES`](super::Audio::MAX_SAMPLES).
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    let mut resampler = Resampler::new(from, to)?;
    let len = usize::try_from(resampler.len_after(samples.len() as u64)).unwrap_or(usize::MAX);
    check_samples(len)?;
    let mut output = Vec::with_capacity(len);
    resampler.push(samples, &mut output)?;
    resampler.finish(&mut output)?;
    Ok(output)
}

/// Converts one channel piece by piece, as [`resample`] does a whole: however it is cut, the result is the same.
///
/// ```
/// use bonafide::{Resampler, resample};
///
/// let clip: Vec<f32> = (0..44_100).map(|n| (n as f32 * 0.05).sin()).collect();
/// let mut resampler = Resampler::new(44_100, 16_000)?;
/// let mut output = Vec::new();
/// for piece in clip.chunks(1_000) {
///     resampler.push(piece, &mut output)?;
/// }
/// resampler.finish(&mut output)?;
/// assert_eq!(output, resample(&clip, 44_100, 16_000)?);
/// # Ok::<(), bonafide::Error>(())
/// ```
pub struct Resampler {
    from: u32,
    to: u32,
    /// `None` if the rates are equal.
    blocks: Option<Blocks>,
    /// Samples pushed.
    pushed: u64,
    /// Samples given out.
    given: u64,
}

/// The transform, which takes whole blocks.
struct Blocks {
    fft: Fft<f32>,
    /// Samples that wait for the rest of their block.
    input: Vec<f32>,
    output: Vec<f32>,
    /// Samples of the transform's delay still to drop from the output's start.
    delay: usize,
}

impl Resampler {
    /// Prepares for a clip.
    ///
    /// # Errors
    ///
    /// [`Error::SampleRate`] as for [`resample`].
    pub fn new(from: u32, to: u32) -> Result<Self> {
        check_rate(from, Audio::MAX_SAMPLE_RATE)?;
        check_rate(to, Audio::MAX_SAMPLE_RATE)?;
        let blocks = if from == to { None } else { Some(Blocks::new(from, to)?) };
        Ok(Self {
            from,
            to,
            blocks,
            ..Self::none()
        })
    }

    /// Leaves the model's rate as it is.
    pub(crate) fn none() -> Self {
        Self {
            from: SAMPLE_RATE,
            to: SAMPLE_RATE,
            blocks: None,
            pushed: 0,
            given: 0,
        }
    }

    /// Takes the next samples of the clip, and appends those that it can tell by now to `output`: all but the last few
    /// hundredths of a second.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] or [`Error::Amplitude`] as for [`resample`]; of `samples` then none is taken.
    pub fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) -> Result<()> {
        check_amplitude(samples, LOUDEST).map_err(|error| error.after(self.pushed))?;
        self.pushed += samples.len() as u64;
        let before = output.len();
        match &mut self.blocks {
            None => output.extend_from_slice(samples),
            Some(blocks) => blocks
                .push(samples, output)
                .map_err(|reason| failed(self.from, self.to, reason))?,
        }
        self.given += (output.len() - before) as u64;
        Ok(())
    }

    /// Appends the rest of the clip to `output`, and is ready for another.
    ///
    /// # Errors
    ///
    /// [`Error::Resample`], which is a bug.
    pub fn finish(&mut self, output: &mut Vec<f32>) -> Result<()> {
        let len = self.len_after(self.pushed);
        if let Some(blocks) = &mut self.blocks {
            let start = output.len();
            let missing = usize::try_from(len.saturating_sub(self.given)).unwrap_or(usize::MAX);
            while output.len() - start < missing {
                let rest = blocks.fft.input_frames_next() - blocks.input.len();
                blocks
                    .push(&vec![0.0; rest], output)
                    .map_err(|reason| failed(self.from, self.to, reason))?;
            }
            output.truncate(start + missing);
        }
        self.reset();
        Ok(())
    }

    /// Forgets what was pushed, and is ready for another clip.
    pub fn reset(&mut self) {
        (self.pushed, self.given) = (0, 0);
        if let Some(blocks) = &mut self.blocks {
            blocks.reset();
        }
    }

    /// How many samples come of `samples` in all.
    fn len_after(&self, samples: u64) -> u64 {
        let len = (u128::from(samples) * u128::from(self.to)).div_ceil(u128::from(self.from));
        u64::try_from(len).unwrap_or(u64::MAX)
    }
}

impl Blocks {
    fn new(from: u32, to: u32) -> Result<Self> {
        let (input_rate, output_rate) = (from as usize, to as usize);
        let divisor = gcd(input_rate, output_rate);
        // An even number of the smallest blocks: the filter's delay is half a block, and must be whole samples at both
        // rates for the output to keep its place in time.
        let blocks = BLOCK
            .div_ceil(input_rate.min(output_rate) / divisor)
            .next_multiple_of(2);
        let block = blocks * (input_rate / divisor);
        let fft = Fft::<f32>::new(input_rate, output_rate, block, 1, FixedSync::Both)
            .map_err(|error| failed(from, to, error.to_string()))?;
        Ok(Self {
            input: Vec::with_capacity(fft.input_frames_max()),
            output: vec![0.0; fft.output_frames_max()],
            delay: fft.output_delay(),
            fft,
        })
    }

    fn push(&mut self, mut samples: &[f32], output: &mut Vec<f32>) -> Result<(), String> {
        while !samples.is_empty() {
            let block = self.fft.input_frames_next();
            let (taken, rest) = samples.split_at((block - self.input.len()).min(samples.len()));
            samples = rest;
            self.input.extend_from_slice(taken);
            if self.input.len() < block {
                break;
            }
            let frames = self.output.len();
            let input = InterleavedSlice::new(&self.input, 1, block).map_err(|error| error.to_string())?;
            let mut out = InterleavedSlice::new_mut(&mut self.output, 1, frames).map_err(|error| error.to_string())?;
            let (_, made) = self
                .fft
                .process_into_buffer(&input, &mut out, None)
                .map_err(|error| error.to_string())?;
            self.input.clear();
            let delay = self.delay.min(made);
            self.delay -= delay;
            output.extend_from_slice(&self.output[delay..made]);
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.input.clear();
        self.delay = self.fft.output_delay();
    }
}

fn failed(from: u32, to: u32, reason: String) -> Error {
    Error::Resample { from, to, reason }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
