//! WAV, through [`hound`].
//!
//! `hound` wants headers tidier than they come: it skips no padding after chunks of odd length, knows
//! nothing of unsized data, and turns down several harmless `fmt ` chunks. So the chunks are found
//! here, and `hound` is given a header that says the same in its terms.

use std::io::Read as _;

use hound::{SampleFormat, WavReader};

use super::{Audio, check_channels, check_rate, check_samples};
use crate::{Error, Result};

/// Data sizes from here up, where the file is shorter, mean "until the end": written by programs
/// that could not seek back to fill in the size. `sox` and `espeak` write this one, `arecord` one
/// near 2 GiB, `ffmpeg` the largest. (Real data of that size is at the limit, [`Audio::MAX_SAMPLES`], or beyond.)
const UNSIZED: u32 = 0x7FFF_F000;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// Decodes a WAV file; `bytes` start with `RIFF....WAVE`.
pub(super) fn decode(bytes: &[u8]) -> Result<Audio> {
    let (fmt, data) = chunks(bytes)?;
    let header = header(fmt, data.len())?;
    let reader = WavReader::new(header.chain(data)).map_err(refused)?;

    let spec = reader.spec();
    check_rate(spec.sample_rate)?;
    let channels = check_channels(usize::from(spec.channels))?;
    // No more than there are bytes, since the header says how many those are.
    let count = reader.len() as usize;
    check_samples(count)?;
    if count == 0 {
        return Err(Error::EmptyAudio { path: None });
    }
    let mut samples = Vec::with_capacity(count);
    match spec.sample_format {
        SampleFormat::Float => {
            for sample in reader.into_samples::<f32>() {
                samples.push(sample.map_err(refused)?);
            }
        }
        SampleFormat::Int => {
            // A power of two, so that scaling is exact.
            let scale = 1.0 / 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
            for sample in reader.into_samples::<i32>() {
                samples.push(sample.map_err(refused)? as f32 * scale);
            }
        }
    }
    Ok(Audio {
        samples,
        sample_rate: spec.sample_rate,
        channels,
    })
}

/// The content of the `fmt ` chunk, and the whole frames of the `data` chunk.
fn chunks(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    let riff_size = u32_at(bytes, 4).ok_or_else(|| invalid("the header is cut short"))?;
    let mut fmt = None;
    let mut start = 12;
    loop {
        let size = u32_at(bytes, start + 4).ok_or_else(|| invalid("there is no data chunk"))?;
        let id = &bytes[start..start + 4];
        let body = &bytes[start + 8..];
        if id == b"data" {
            let fmt = fmt.ok_or_else(|| invalid("there is no fmt chunk before the data"))?;
            let unsized_zero = size == 0 && (riff_size >= UNSIZED || riff_size as usize <= start);
            return Ok((fmt, whole_frames(fmt, body, size, unsized_zero)?));
        }
        let end = usize::try_from(size).ok().filter(|&size| size <= body.len());
        let end = end.ok_or_else(|| invalid("a chunk before the data runs past the end"))?;
        if id == b"fmt " {
            fmt = Some(&body[..end]);
        }
        // An odd chunk is padded with a zero, though not by every writer; no chunk starts with one.
        let padding = usize::from(end % 2 == 1 && body.get(end) == Some(&0));
        start += 8 + end + padding;
    }
}

/// The frames of `size` bytes of `body`, or of all of it if the size is not known.
fn whole_frames<'a>(fmt: &[u8], body: &'a [u8], size: u32, unsized_zero: bool) -> Result<&'a [u8]> {
    let align = u16_at(fmt, 12).map(usize::from).filter(|&align| align > 0);
    let align = align.ok_or_else(|| invalid("the fmt chunk states no frame size"))?;
    let stated = size as usize;
    let unknown = unsized_zero || (size >= UNSIZED && stated > body.len());
    if !unknown && stated > body.len() {
        return Err(Error::TruncatedAudio {
            path: None,
            expected: (stated / align) as u64,
            found: (body.len() / align) as u64,
        });
    }
    let len = if unknown { body.len() } else { stated };
    Ok(&body[..len - len % align])
}

/// A header in front of `data_len` bytes that `hound` understands.
fn header(fmt: &[u8], data_len: usize) -> Result<Vec<u8>> {
    let tag = u16_at(fmt, 0).unwrap_or_default();
    let bits = u16_at(fmt, 14).unwrap_or_default();
    // Past the sixteen bytes that all have, integers and floats have nothing to say.
    let len = if tag == EXTENSIBLE { 40 } else { 16 };
    let fmt = fmt.get(..len).ok_or_else(|| invalid("the fmt chunk is cut short"))?;
    match (tag, bits) {
        (_, 64) => return Err(unsupported("WAV with 64-bit samples")),
        (PCM | FLOAT | EXTENSIBLE, _) => {}
        (6, _) => return Err(unsupported("WAV with A-law samples")),
        (7, _) => return Err(unsupported("WAV with µ-law samples")),
        _ => return Err(unsupported(&format!("WAV with format tag {tag:#06x}"))),
    }
    let data_len = u32::try_from(data_len).map_err(|_| Error::AudioTooLong {
        path: None,
        limit: u64::from(u32::MAX),
        unit: "bytes",
    })?;

    let mut header = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    header.extend((len as u32).to_le_bytes());
    header.extend(fmt);
    if tag == EXTENSIBLE {
        // Valid bits sit at the top of their container, so the container alone gives the scale;
        // `hound` would take them from the bottom. Zero means "as the container".
        let valid_bits = header.len() - 22;
        header[valid_bits..valid_bits + 2].fill(0);
    }
    header.extend(b"data");
    header.extend(data_len.to_le_bytes());
    Ok(header)
}

fn u16_at(bytes: &[u8], start: usize) -> Option<u16> {
    let field = bytes.get(start..start + 2)?;
    field.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], start: usize) -> Option<u32> {
    let field = bytes.get(start..start + 4)?;
    field.try_into().ok().map(u32::from_le_bytes)
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
