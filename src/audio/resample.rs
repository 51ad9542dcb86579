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

use super::{check_amplitude, check_rate, check_samples};
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
    check_rate(from)?;
    check_rate(to)?;
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    check_amplitude(samples, LOUDEST)?;
    let exact_len = (samples.len() as u128 * u128::from(to)).div_ceil(u128::from(from));
    let len = usize::try_from(exact_len).unwrap_or(usize::MAX);
    check_samples(len)?;

    let failed = |reason: String| Error::Resample { from, to, reason };
    let (from, to) = (from as usize, to as usize);
    let divisor = gcd(from, to);
    // An even number of the smallest blocks: the filter's delay is half a block, and must be whole samples at both
    // rates for the output to keep its place in time.
    let blocks = BLOCK.div_ceil(from.min(to) / divisor).next_multiple_of(2);
    let block = blocks * (from / divisor);
    let mut resampler =
        Fft::<f32>::new(from, to, block, 1, FixedSync::Both).map_err(|error| failed(error.to_string()))?;
    let input = InterleavedSlice::new(samples, 1, samples.len()).map_err(|error| failed(error.to_string()))?;
    let output = resampler
        .process_all(&input, samples.len(), None)
        .map_err(|error| failed(error.to_string()))?;
    let mut output = output.take_data();
    // `rubato` finds the length in floating point, which may round up to one sample more.
    output.truncate(len);
    Ok(output)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
