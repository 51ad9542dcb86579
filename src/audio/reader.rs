//! Decoding a file bit by bit.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek as _};
use std::path::{Path, PathBuf};

use super::wav::Wav;
#[cfg(feature = "formats")]
use super::{Audio, limits::too_long};
use super::{Limits, read_failed};
use crate::{Error, Result};

/// The most of a pipe that is read as a whole: [`Audio::MAX_SAMPLES`] at four bytes each, and 16 MiB for headers and tags.
#[cfg(feature = "formats")]
const MAX_BYTES: u64 = 4 * (Audio::MAX_SAMPLES as u64) + (1 << 24);

/// How many bytes tell the format.
const MAGIC_LEN: usize = 12;

/// Decodes a file bit by bit, in memory that does not grow with its length.
///
/// [`Audio::read`] reads a whole file the same way; its documentation tells the [formats](Audio#formats), what is cut off
/// and what is an error.
///
/// ```no_run
/// use bonafide::AudioReader;
///
/// let mut reader = AudioReader::open("hour.mp3")?;
/// let mut block = Vec::new();
/// let mut loudest = 0.0_f32;
/// while reader.next_block(&mut block)? {
///     loudest = block.drain(..).fold(loudest, |loudest, sample| loudest.max(sample.abs()));
/// }
/// # Ok::<(), bonafide::Error>(())
/// ```
pub struct AudioReader<'s> {
    decoder: Decoder<'s>,
    path: Option<PathBuf>,
    limits: Limits,
    /// How many frames there may be.
    max_frames: u64,
    frames: u64,
    ended: bool,
}

enum Decoder<'s> {
    Wav(Wav<'s>),
    #[cfg(feature = "formats")]
    Compressed(super::formats::Compressed<'s>),
}

impl AudioReader<'static> {
    /// Opens a file of any [format](Audio#formats), or a pipe such as `/dev/stdin`, and reads its header.
    ///
    /// A pipe of WAV is decoded as it comes; one of another format is read to its end first.
    ///
    /// # Errors
    ///
    /// Those of [`Audio::read`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Limits::MAX)
    }

    /// Opens a file as [`open`](Self::open) does, within limits.
    ///
    /// # Errors
    ///
    /// Those of [`Audio::read_with`].
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let opened = open(path, limits).and_then(|decoder| Self::new(decoder, limits));
        let mut reader = opened.map_err(|error| error.in_file(path))?;
        reader.path = Some(path.to_owned());
        Ok(reader)
    }

    /// Decodes what comes through a pipe, such as [`std::io::Stdin`]: WAV as it comes; another format is read to its end
    /// first.
    ///
    /// # Errors
    ///
    /// Those of [`Audio::read`].
    pub fn from_pipe(pipe: impl Read + Send + Sync + 'static) -> Result<Self> {
        Self::from_pipe_with(pipe, &Limits::MAX)
    }

    /// Decodes what comes through a pipe, as [`from_pipe`](Self::from_pipe) does, within limits.
    ///
    /// # Errors
    ///
    /// Those of [`Audio::read_with`].
    pub fn from_pipe_with(mut pipe: impl Read + Send + Sync + 'static, limits: &Limits) -> Result<Self> {
        let start = magic(&mut pipe)?;
        let decoder = match Format::of(&start)? {
            Format::Wav => Decoder::Wav(Wav::open(Cursor::new(start).chain(pipe), None)?),
            Format::Other(format) => compressed_pipe(format, start, pipe, limits)?,
        };
        Self::new(decoder, limits)
    }
}

impl<'s> AudioReader<'s> {
    pub(super) fn of_bytes(bytes: &'s [u8], limits: &Limits) -> Result<Self> {
        limits.check_bytes(bytes.len() as u64)?;
        let decoder = match Format::of(bytes)? {
            Format::Wav => Decoder::Wav(Wav::open(bytes, Some(bytes.len() as u64))?),
            Format::Other(format) => compressed_bytes(format, bytes)?,
        };
        Self::new(decoder, limits)
    }

    fn new(decoder: Decoder<'s>, limits: &Limits) -> Result<Self> {
        let mut reader = Self {
            decoder,
            path: None,
            limits: *limits,
            max_frames: 0,
            frames: 0,
            ended: false,
        };
        reader.max_frames = limits.check_header(reader.sample_rate(), reader.channels())?;
        Ok(reader)
    }

    /// Frames per second, in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        match &self.decoder {
            Decoder::Wav(wav) => wav.sample_rate,
            #[cfg(feature = "formats")]
            Decoder::Compressed(compressed) => compressed.sample_rate,
        }
    }

    /// Samples per frame.
    #[must_use]
    pub fn channels(&self) -> u16 {
        match &self.decoder {
            Decoder::Wav(wav) => wav.channels,
            #[cfg(feature = "formats")]
            Decoder::Compressed(compressed) => compressed.channels,
        }
    }

    /// Appends the next frames, interleaved and at least one, to `samples`. `false` at the end, and from then on.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::InvalidAudio`] or [`Error::TruncatedAudio`] where the file can't be read or decoded any
    /// further; [`Error::EmptyAudio`] at the end of a file that had no frame; [`Error::AudioTooLong`] where it goes on beyond
    /// the limits. After an error there is nothing more.
    pub fn next_block(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let before = samples.len();
        let decoded = match &mut self.decoder {
            Decoder::Wav(wav) => wav.next_block(samples),
            #[cfg(feature = "formats")]
            Decoder::Compressed(compressed) => compressed.next_block(samples),
        };
        self.ended = !matches!(decoded, Ok(true));
        let more = decoded.map_err(|error| {
            samples.truncate(before);
            self.in_file(error)
        })?;
        self.frames += ((samples.len() - before) / usize::from(self.channels())) as u64;
        if !more && self.frames == 0 {
            return Err(self.in_file(Error::EmptyAudio { path: None }));
        }
        if self.frames > self.max_frames {
            self.ended = true;
            samples.truncate(before);
            return Err(self.in_file(self.limits.exceeded()));
        }
        Ok(more)
    }

    /// Names the file that an error is about.
    pub(super) fn in_file(&self, error: Error) -> Error {
        match &self.path {
            Some(path) => error.in_file(path),
            None => error,
        }
    }
}

/// The bytes that tell the format. They come first, so that what is of no format, or endless, is turned down before it
/// fills the memory.
fn magic(source: &mut impl Read) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut source = source.take(MAGIC_LEN as u64);
    source.read_to_end(&mut start).map_err(read_failed)?;
    Ok(start)
}

fn open(path: &Path, limits: &Limits) -> Result<Decoder<'static>> {
    let mut file = File::open(path).map_err(read_failed)?;
    let metadata = file.metadata().map_err(read_failed)?;
    limits.check_bytes(metadata.len())?;
    // The start first, so that a file of another kind (or an endless device) is turned down before it fills the memory.
    let mut start = Vec::new();
    file.by_ref()
        .take(MAGIC_LEN as u64)
        .read_to_end(&mut start)
        .map_err(read_failed)?;
    match Format::of(&start)? {
        Format::Wav => {
            let whole = Cursor::new(start).chain(BufReader::new(file));
            let len = metadata.is_file().then_some(metadata.len());
            Wav::open(whole, len).map(Decoder::Wav)
        }
        Format::Other(format) if metadata.is_file() => {
            file.rewind().map_err(read_failed)?;
            compressed_file(format, file)
        }
        Format::Other(format) => compressed_pipe(format, start, file, limits),
    }
}

#[cfg(feature = "formats")]
fn compressed_bytes<'s>(format: &'static str, bytes: &'s [u8]) -> Result<Decoder<'s>> {
    super::formats::Compressed::open(format, Box::new(Cursor::new(bytes))).map(Decoder::Compressed)
}

#[cfg(feature = "formats")]
fn compressed_file(format: &'static str, file: File) -> Result<Decoder<'static>> {
    super::formats::Compressed::open(format, Box::new(file)).map(Decoder::Compressed)
}

/// What can't be sought in is read as a whole, as some formats are described at their end.
#[cfg(feature = "formats")]
fn compressed_pipe(
    format: &'static str,
    mut bytes: Vec<u8>,
    pipe: impl Read,
    limits: &Limits,
) -> Result<Decoder<'static>> {
    let limit = limits.max_bytes.min(MAX_BYTES);
    let rest = (limit + 1).saturating_sub(bytes.len() as u64);
    pipe.take(rest).read_to_end(&mut bytes).map_err(read_failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_long(limit, "bytes"));
    }
    super::formats::Compressed::open(format, Box::new(Cursor::new(bytes))).map(Decoder::Compressed)
}

#[cfg(not(feature = "formats"))]
fn compressed_bytes<'s>(format: &'static str, _: &'s [u8]) -> Result<Decoder<'s>> {
    Err(Error::FormatDisabled { path: None, format })
}

#[cfg(not(feature = "formats"))]
fn compressed_file(format: &'static str, _: File) -> Result<Decoder<'static>> {
    compressed_bytes(format, &[])
}

#[cfg(not(feature = "formats"))]
fn compressed_pipe(format: &'static str, _: Vec<u8>, _: impl Read, _: &Limits) -> Result<Decoder<'static>> {
    compressed_bytes(format, &[])
}

/// What the first bytes of a file say it is.
enum Format {
    Wav,
    Other(&'static str),
}

impl Format {
    fn of(bytes: &[u8]) -> Result<Self> {
        Ok(match bytes {
            [] => return Err(Error::EmptyAudio { path: None }),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'f', b'L', b'a', b'C', ..] => Self::Other("FLAC"),
            [b'O', b'g', b'g', b'S', ..] => Self::Other("Ogg"),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Other("MP4"),
            // Of the eleven bits that start a frame, then the layer: 00 is AAC's, 01 is III.
            [0xFF, second, ..] if second & 0xF6 == 0xF0 => Self::Other("ADTS"),
            [0xFF, second, ..] if second & 0xE6 == 0xE2 => Self::Other("MP3"),
            [b'I', b'D', b'3', ..] => Self::Other("MP3"),
            _ => {
                let start = bytes[..bytes.len().min(MAGIC_LEN)].escape_ascii();
                return Err(Error::UnsupportedAudio {
                    path: None,
                    found: format!("content that begins with \"{start}\""),
                });
            }
        })
    }
}
