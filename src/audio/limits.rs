//! Bounds on what is decoded.

use super::{Audio, check_channels, check_rate};
use crate::{Error, Result};

/// How much of a file is decoded: for services that take in what strangers send.
///
/// [`Detector`](crate::Detector) keeps the [`Default`] ones with files, or those of
/// [`DetectorBuilder::limits`](crate::DetectorBuilder::limits). Lower one like this:
///
/// ```
/// use bonafide::{Audio, Error, Limits};
///
/// let mut limits = Limits::default();
/// limits.max_seconds = 5;
/// let error = Audio::read_with("tests/fixtures/speech.wav", &limits).unwrap_err(); // it has ten
/// assert!(matches!(error, Error::AudioTooLong { limit: 5, unit: "seconds", .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest clip, in seconds: a day by default.
    pub max_seconds: u32,
    /// Largest file, in bytes: 32 GiB by default, which is a day of stereo at 48 kHz in 32-bit floats. A pipe of WAV, which
    /// is decoded as it comes, has no size and is bounded by `max_seconds`.
    pub max_bytes: u64,
    /// Highest sample rate, in Hz: [`Audio::MAX_SAMPLE_RATE`] by default and at most.
    pub max_sample_rate: u32,
    /// Most channels: [`Audio::MAX_CHANNELS`] by default and at most.
    pub max_channels: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_seconds: 24 * 60 * 60,
            max_bytes: 32 << 30,
            ..Self::MAX
        }
    }
}

impl Limits {
    /// The most that this crate takes in: any length and size, for who reads a file block by block and can stop at will.
    pub const MAX: Self = Self {
        max_seconds: u32::MAX,
        max_bytes: u64::MAX,
        max_sample_rate: Audio::MAX_SAMPLE_RATE,
        max_channels: Audio::MAX_CHANNELS,
    };

    /// Checks a file's size.
    pub(super) fn check_bytes(&self, bytes: u64) -> Result<()> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        Err(too_long(self.max_bytes, "bytes"))
    }

    /// Checks what a header says, and returns how many frames there may be.
    pub(super) fn check_header(&self, sample_rate: u32, channels: u16) -> Result<u64> {
        check_rate(sample_rate, self.max_sample_rate)?;
        check_channels(channels.into(), self.max_channels)?;
        Ok(u64::from(self.max_seconds) * u64::from(sample_rate))
    }

    /// The clip is longer than it may be.
    pub(super) fn exceeded(&self) -> Error {
        too_long(self.max_seconds.into(), "seconds")
    }
}

pub(super) fn too_long(limit: u64, unit: &'static str) -> Error {
    Error::AudioTooLong {
        path: None,
        limit,
        unit,
    }
}
