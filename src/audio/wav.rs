//! WAV, through [`hound`].
//!
//! `hound` wants headers tidier than they come: it skips no padding after chunks of odd length, knows
//! nothing of unsized data, and turns down several harmless `fmt ` chunks. So the chunks are found
//! here, and `hound` is given the data in blocks, each under a header that says the same in its terms.

use std::io::{ErrorKind, Read};

use hound::{SampleFormat, WavReader};

use super::{Audio, check_channels, check_rate, read_failed};
use crate::{Error, Result};

/// Data sizes from here up, where the file is shorter, mean "until the end": written by programs
/// that could not seek back to fill in the size. `sox` and `espeak` write this one, `arecord` one
/// near 2 GiB, `ffmpeg` the largest.
const UNSIZED: u32 = 0x7FFF_F000;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Where the data must have begun: far beyond what programs put before it, and an end to what a pipe can bring without any.
const MAX_POSITION: u64 = 1 << 30;

/// The part of a `fmt ` chunk that is looked at.
const FMT_LEN: usize = 40;

/// Frames decoded at once: few, as a pipe may bring them in real time.
const BLOCK_FRAMES: usize = 1024;

/// A WAV file, decoded from its start to its end.
pub(super) struct Wav<'s> {
    source: Box<dyn Read + Send + Sync + 's>,
    /// What `hound` is shown before each block; the last four bytes are the block's length.
    header: Vec<u8>,
    /// Bytes in a frame.
    align: usize,
    pub(super) sample_rate: u32,
    pub(super) channels: u16,
    /// Bytes of whole frames that the header states; `None`: until the end.
    stated: Option<u64>,
    /// Bytes of whole frames read so far.
    found: u64,
    block: Vec<u8>,
}

impl<'s> Wav<'s> {
    /// Reads up to the data. `source` starts with `RIFF....WAVE` and has `len` bytes in all, if that is known.
    pub(super) fn open(source: impl Read + Send + Sync + 's, len: Option<u64>) -> Result<Self> {
        let mut source: Box<dyn Read + Send + Sync + 's> = Box::new(source);
        let mut riff = [0; 12];
        fill(&mut source, &mut riff)?;
        let riff_size = u32_at(&riff, 4);
        let mut fmt = None;
        let mut position = 12_u64;
        let mut odd = false;
        let (fmt, size) = loop {
            let header = chunk_header(&mut source, odd, &mut position)?;
            let size = u32_at(&header, 4);
            if &header[..4] == b"data" {
                break (
                    fmt.ok_or_else(|| invalid("there is no fmt chunk before the data"))?,
                    size,
                );
            }
            let content = chunk(&mut source, size)?;
            if &header[..4] == b"fmt " {
                fmt = Some(content);
            }
            position += u64::from(size);
            odd = size % 2 == 1;
            if position > MAX_POSITION {
                return Err(invalid("there is no data chunk in its first GiB"));
            }
        };

        let align = u16_at(&fmt, 12).filter(|&align| align > 0);
        let align = align
            .map(usize::from)
            .ok_or_else(|| invalid("the fmt chunk states no frame size"))?;
        let available = len.map(|len| len.saturating_sub(position));
        let unsized_zero = size == 0 && (riff_size >= UNSIZED || u64::from(riff_size) <= position - 8);
        let unsized_large = size >= UNSIZED && available.is_none_or(|available| u64::from(size) > available);
        let stated = (!unsized_zero && !unsized_large).then(|| u64::from(size) / align as u64 * align as u64);

        let header = header(&fmt)?;
        let spec = WavReader::new(header.as_slice()).map_err(refused)?.spec();
        check_rate(spec.sample_rate, Audio::MAX_SAMPLE_RATE)?;
        let wav = Self {
            source,
            header,
            align,
            sample_rate: spec.sample_rate,
            channels: check_channels(usize::from(spec.channels), Audio::MAX_CHANNELS)?,
            stated,
            found: 0,
            block: Vec::new(),
        };
        match (available, stated) {
            (Some(available), Some(stated)) if available < stated => Err(wav.truncated(available, stated)),
            _ => Ok(wav),
        }
    }

    /// Appends the next frames to `samples`; `false` at the end.
    pub(super) fn next_block(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        let most = (BLOCK_FRAMES * self.align) as u64;
        let wanted = self.stated.map_or(most, |stated| most.min(stated - self.found));
        self.block.clear();
        let source = self.source.by_ref();
        let read = source.take(wanted).read_to_end(&mut self.block).map_err(read_failed)?;
        self.found += (read - read % self.align) as u64;
        if let Some(stated) = self.stated.filter(|_| (read as u64) < wanted) {
            return Err(self.truncated(self.found, stated));
        }
        self.block.truncate(read - read % self.align);
        if self.block.is_empty() {
            return Ok(false);
        }
        if let Some(len) = self.header.last_chunk_mut() {
            *len = (self.block.len() as u32).to_le_bytes();
        }
        let reader = WavReader::new(self.header.chain(self.block.as_slice())).map_err(refused)?;
        let spec = reader.spec();
        match spec.sample_format {
            SampleFormat::Float => {
                for sample in reader.into_samples::<f32>() {
                    samples.push(sample.map_err(refused)?);
                }
            }
            SampleFormat::Int => {
                // A power of two, so that scaling is exact; `powi` does not promise one.
                let range = 1_u64.checked_shl(spec.bits_per_sample.into());
                let range = range.ok_or_else(|| unsupported("WAV with samples of that width"))?;
                let scale = 2.0 / range as f32;
                for sample in reader.into_samples::<i32>() {
                    samples.push(sample.map_err(refused)? as f32 * scale);
                }
            }
        }
        Ok(true)
    }

    fn truncated(&self, found: u64, expected: u64) -> Error {
        let align = self.align as u64;
        Error::TruncatedAudio {
            path: None,
            expected: expected / align,
            found: found / align,
        }
    }
}

/// The name and size of the next chunk.
///
/// A chunk of odd length is padded with a zero, though not by every writer; no chunk's name starts with one.
fn chunk_header(source: &mut impl Read, after_odd: bool, position: &mut u64) -> Result<[u8; 8]> {
    let mut header = [0; 8];
    let missing = |error| match error {
        Error::InvalidAudio { .. } => invalid("there is no data chunk"),
        error => error,
    };
    fill(source, &mut header).map_err(missing)?;
    *position += 8;
    if after_odd && header[0] == 0 {
        header.rotate_left(1);
        fill(source, &mut header[7..]).map_err(missing)?;
        *position += 1;
    }
    Ok(header)
}

/// The start of a chunk's content, whose rest is passed over.
fn chunk(source: &mut impl Read, size: u32) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let kept = u64::from(size).min(FMT_LEN as u64);
    source.take(kept).read_to_end(&mut content).map_err(read_failed)?;
    let rest = u64::from(size) - kept;
    let passed_over = std::io::copy(&mut source.take(rest), &mut std::io::sink()).map_err(read_failed)?;
    if content.len() as u64 + passed_over < u64::from(size) {
        return Err(invalid("a chunk before the data runs past the end"));
    }
    Ok(content)
}

/// A header that `hound` understands, in front of no data.
fn header(fmt: &[u8]) -> Result<Vec<u8>> {
    let tag = u16_at(fmt, 0).unwrap_or_default();
    let bits = u16_at(fmt, 14).unwrap_or_default();
    // Past the sixteen bytes that all have, integers and floats have nothing to say.
    let len = if tag == EXTENSIBLE { FMT_LEN } else { 16 };
    let fmt = fmt.get(..len).ok_or_else(|| invalid("the fmt chunk is cut short"))?;
    match (tag, bits) {
        (_, 64) => return Err(unsupported("WAV with 64-bit samples")),
        (PCM | FLOAT | EXTENSIBLE, _) => {}
        (6, _) => return Err(unsupported("WAV with A-law samples")),
        (7, _) => return Err(unsupported("WAV with µ-law samples")),
        _ => return Err(unsupported(&format!("WAV with format tag {tag:#06x}"))),
    }

    let mut header = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    header.extend((len as u32).to_le_bytes());
    header.extend(fmt);
    if tag == EXTENSIBLE {
        // Valid bits sit at the top of their container, so the container alone gives the scale;
        // `hound` would take them from the bottom. Zero means "as the container".
        let valid_bits = header.len() - 22;
        header[valid_bits..valid_bits + 2].fill(0);
    }
    header.extend(b"data\0\0\0\0");
    Ok(header)
}

/// Fills `bytes`, which the file must have.
fn fill(source: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    source.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => invalid("the header is cut short"),
        _ => read_failed(error),
    })
}

fn u16_at(bytes: &[u8], start: usize) -> Option<u16> {
    let field = bytes.get(start..start + 2)?;
    field.try_into().ok().map(u16::from_le_bytes)
}

/// `bytes` are a header, long enough.
fn u32_at(bytes: &[u8], start: usize) -> u32 {
    bytes[start..start + 4]
        .iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn invalid(reason: &str) -> Error {
    Error::InvalidAudio {
        path: None,
        format: "WAV",
        reason: reason.to_owned(),
    }
}

fn unsupported(found: &str) -> Error {
    Error::UnsupportedAudio {
        path: None,
        found: found.to_owned(),
    }
}

/// An error of `hound` in our terms.
fn refused(error: hound::Error) -> Error {
    match error {
        hound::Error::Unsupported | hound::Error::TooWide => unsupported("WAV with samples of that width"),
        error => invalid(&error.to_string()),
    }
}
