//! Audio in: files and bytes to samples, samples to what a model hears.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

#[cfg(feature = "formats")]
mod formats;
mod limits;
#[cfg(feature = "formats")]
mod mp4;
mod reader;
mod resample;
#[cfg(feature = "formats")]
mod vorbis;
mod wav;

pub use limits::Limits;
pub use reader::AudioReader;
pub use resample::{Resampler, resample};

/// The sample rate of model input, in Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// Decoded audio: interleaved samples, nominally in [−1, 1].
///
/// Integer samples of `b` bits are divided by 2<sup>b−1</sup>. Samples stored as floats, and what a
/// lossy decoder makes of clipped audio, may lie beyond ±1 and are left so.
///
/// # Formats
///
/// | Format | Content | Needs |
/// |---|---|---|
/// | WAV | integers of 8, 16, 24 and 32 bits, 32-bit floats; piped (unsized) too | – |
/// | FLAC | all | feature `formats` |
/// | MP3 | MPEG-1, 2 and 2.5, layer III | feature `formats` |
/// | Ogg | Vorbis and FLAC, not Opus; one stream | feature `formats` |
/// | M4A, MP4, ADTS | AAC-LC, mono or stereo | feature `formats` |
///
/// The format is found by content; the name of a file plays no part.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// Samples, frame after frame: all channels of the first moment, then of the next.
    pub samples: Vec<f32>,
    /// Frames per second, in Hz.
    pub sample_rate: u32,
    /// Samples per frame.
    pub channels: u16,
}

impl Audio {
    /// The lowest sample rate taken, in Hz.
    pub const MIN_SAMPLE_RATE: u32 = 1_000;

    /// The highest sample rate taken, in Hz.
    pub const MAX_SAMPLE_RATE: u32 = 768_000;

    /// The most channels taken.
    pub const MAX_CHANNELS: u16 = 32;

    /// The most samples of one clip, all channels together: 2 GiB of them, more than nine hours of
    /// mono at 16 kHz or an hour and a half of stereo at 48 kHz.
    pub const MAX_SAMPLES: usize = 1 << 29;

    /// Reads and decodes a whole file of any [format](Self#formats); a pipe such as `/dev/stdin` works too.
    ///
    /// Encoder delay and padding are cut off where the format states them (Ogg Vorbis, MP3 with a LAME
    /// tag). AAC keeps them: commonly 1,024 frames in front, and up to as many behind.
    ///
    /// Nothing is skipped in silence. A packet that does not decode is an error, and so is a file shorter
    /// than it says it is: WAV, FLAC, M4A and MP3 with a LAME tag state a length, and Ogg marks its end.
    /// Of other MP3 and of ADTS, which do neither, the whole packets are the clip.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the file cannot be opened or read;
    /// [`Error::UnsupportedAudio`] or [`Error::FormatDisabled`] if nothing here decodes it;
    /// [`Error::InvalidAudio`] or [`Error::TruncatedAudio`] if it is damaged;
    /// [`Error::EmptyAudio`] if no frame is in it;
    /// [`Error::SampleRate`], [`Error::Channels`] or [`Error::AudioTooLong`] beyond the limits
    /// [`MIN_SAMPLE_RATE`](Self::MIN_SAMPLE_RATE), [`MAX_SAMPLE_RATE`](Self::MAX_SAMPLE_RATE),
    /// [`MAX_CHANNELS`](Self::MAX_CHANNELS) and [`MAX_SAMPLES`](Self::MAX_SAMPLES).
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::read_with(path, &Limits::MAX)
    }

    /// Reads and decodes a whole file within limits.
    ///
    /// # Errors
    ///
    /// As of [`read`](Self::read), with the limits given.
    pub fn read_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        Self::read_all(AudioReader::open_with(path, limits)?)
    }

    /// Decodes the bytes of a file, as [`read`](Self::read) does.
    ///
    /// # Errors
    ///
    /// As of [`read`](Self::read), except that nothing is read.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::from_bytes_with(bytes, &Limits::MAX)
    }

    /// Decodes the bytes of a file within limits.
    ///
    /// # Errors
    ///
    /// As of [`read_with`](Self::read_with), except that nothing is read.
    pub fn from_bytes_with(bytes: impl AsRef<[u8]>, limits: &Limits) -> Result<Self> {
        Self::read_all(AudioReader::of_bytes(bytes.as_ref(), limits)?)
    }

    fn read_all(mut reader: AudioReader<'_>) -> Result<Self> {
        let mut samples = Vec::new();
        while reader.next_block(&mut samples)? {
            check_samples(samples.len()).map_err(|error| reader.in_file(error))?;
        }
        Ok(Self {
            samples,
            sample_rate: reader.sample_rate(),
            channels: reader.channels(),
        })
    }

    /// Frames (samples per channel).
    #[must_use]
    pub fn frames(&self) -> usize {
        self.samples.len() / usize::from(self.channels.max(1))
    }

    /// Length in seconds.
    #[must_use]
    pub fn duration_seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.sample_rate)
    }

    /// The mean of the channels, one sample a frame.
    #[must_use]
    pub fn to_mono(&self) -> Vec<f32> {
        self.mono().into_owned()
    }

    /// What a model hears: [mono](Self::to_mono) at [`SAMPLE_RATE`], by [`resample`].
    ///
    /// # Errors
    ///
    /// Those of [`resample`].
    pub fn to_model_input(&self) -> Result<Vec<f32>> {
        resample(&self.mono(), self.sample_rate, SAMPLE_RATE)
    }

    fn mono(&self) -> Cow<'_, [f32]> {
        if self.channels <= 1 {
            return Cow::Borrowed(&self.samples);
        }
        Cow::Owned(mean_of_channels(&self.samples, self.channels).collect())
    }
}

/// One sample for each whole frame of interleaved `samples`.
pub(crate) fn mean_of_channels(samples: &[f32], channels: u16) -> impl Iterator<Item = f32> + '_ {
    samples
        .chunks_exact(usize::from(channels))
        .map(move |frame| frame.iter().sum::<f32>() / f32::from(channels))
}

/// A file could not be read; [`AudioReader`] knows which.
fn read_failed(source: std::io::Error) -> Error {
    Error::Read {
        path: PathBuf::new(),
        source,
    }
}

/// Checks a rate against the lowest there is and the highest that is accepted.
fn check_rate(rate: u32, limit: u32) -> Result<()> {
    if (Audio::MIN_SAMPLE_RATE..=limit).contains(&rate) {
        Ok(())
    } else {
        Err(Error::SampleRate {
            path: None,
            limit,
            found: rate,
        })
    }
}

/// Checks a number of channels against the most that are accepted, and narrows it.
pub(crate) fn check_channels(channels: usize, limit: u16) -> Result<u16> {
    u16::try_from(channels)
        .ok()
        .filter(|channels| (1..=limit).contains(channels))
        .ok_or(Error::Channels {
            path: None,
            limit,
            found: channels,
        })
}

/// Checks a number of samples (of all channels together) against the limit.
fn check_samples(samples: usize) -> Result<()> {
    if samples <= Audio::MAX_SAMPLES {
        Ok(())
    } else {
        Err(limits::too_long(Audio::MAX_SAMPLES as u64, "samples"))
    }
}

/// Checks that every sample is a number no further from zero than `limit`.
pub(crate) fn check_amplitude(samples: &[f32], limit: f32) -> Result<()> {
    // NaN is within no limit.
    let within = |value: &f32| value.abs() <= limit;
    let path = None;
    match samples.iter().enumerate().find(|(_, value)| !within(value)) {
        None => Ok(()),
        Some((index, &value)) if value.is_finite() => Err(Error::Amplitude { path, index, value }),
        Some((index, &value)) => Err(Error::NotFinite { path, index, value }),
    }
}
