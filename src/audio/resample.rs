//! Sample-rate conversion, through [`rubato`].

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::{check_rate, check_samples};
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
/// [`Error::NotFinite`] or [`Error::NotNormalised`] if a sample is NaN, infinite, or near the largest number there is;
/// [`Error::SampleRate`] if a rate is outside [`Audio::MIN_SAMPLE_RATE`] to [`Audio::MAX_SAMPLE_RATE`];
/// [`Error::AudioTooLong`] if the result would exceed [`Audio::MAX_SAMPLES`].
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>> {
    check_rate(from)?;
    check_rate(to)?;
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    check_values(samples)?;
    let exact_len = (samples.len() as u128 * u128::from(to)).div_ceil(u128::from(from));
    let len = usize::try_from(exact_len).unwrap_or(usize::MAX);
    check_samples(len)?;

    let failed = |reason: String| Error::Resample { from, to, reason };
    let (from, to) = (from as usize, to as usize);
    let divisor = gcd(from, to);
    // An even number of the smallest blocks: the filter's delay is half a block, and must be whole
    // samples at both rates for the output to keep its place in time.
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

fn check_values(samples: &[f32]) -> Result<()> {
    match samples
        .iter()
        .enumerate()
        .find(|(_, value)| value.is_nan() || value.abs() > LOUDEST)
    {
        None => Ok(()),
        Some((index, &value)) if value.is_finite() => Err(Error::NotNormalised { index, value }),
        Some((index, &value)) => Err(Error::NotFinite { index, value }),
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
