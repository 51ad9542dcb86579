//! A look at the fragments of an MP4 file before it is decoded.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use super::read_failed;
use crate::{Error, Result};

/// The boxes that lead to `trun`.
const PARENTS: [&[u8; 4]; 2] = [b"moof", b"traf"];

/// Checks that the fragments state no more samples than the file has bytes, and rewinds.
///
/// `symphonia` 0.6.1 counts stated samples one by one, whether or not anything is there of them: four billion for sixteen
/// bytes.
pub(super) fn check_fragments(source: &mut (impl Read + Seek + ?Sized)) -> Result<()> {
    let len = source.seek(SeekFrom::End(0)).map_err(read_failed)?;
    let (mut at, mut samples) = (0_u64, 0_u64);
    // Where what `at` lies in ends: the file, and the boxes in it.
    let mut ends = vec![len];
    while let Some(&end) = ends.last() {
        let Some((kind, header, size)) = box_at(source, at, end)? else {
            // What is no box, or larger than what it lies in, ends that, and the decoder goes on behind.
            at = end;
            ends.pop();
            continue;
        };
        if &kind == b"trun" {
            let mut fields = [0; 8];
            if !fill(source, &mut fields)? {
                break;
            }
            let [.., a, b, c, d] = fields;
            samples = samples.saturating_add(u32::from_be_bytes([a, b, c, d]).into());
        }
        if samples > len {
            return Err(Error::InvalidAudio {
                path: None,
                format: "MP4",
                reason: format!("its fragments state {samples} samples, and it has {len} bytes"),
            });
        }
        if PARENTS.contains(&&kind) {
            ends.push(at + size);
            at += header;
        } else {
            at += size;
        }
    }
    source.rewind().map_err(read_failed)
}

/// The kind of the box at a place, the length of its header, and its own, at least that. It ends before `end`.
fn box_at(source: &mut (impl Read + Seek + ?Sized), at: u64, end: u64) -> Result<Option<([u8; 4], u64, u64)>> {
    if at >= end {
        return Ok(None);
    }
    source.seek(SeekFrom::Start(at)).map_err(read_failed)?;
    let mut header = [0; 8];
    if !fill(source, &mut header)? {
        return Ok(None);
    }
    let [a, b, c, d, kind @ ..] = header;
    let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
        0 => (8, end - at),
        1 => {
            let mut size = [0; 8];
            if !fill(source, &mut size)? {
                return Ok(None);
            }
            (16, u64::from_be_bytes(size))
        }
        size => (8, u64::from(size)),
    };
    Ok((size >= header && size <= end - at).then_some((kind, header, size)))
}

/// Fills `bytes`, if as many are left.
fn fill(source: &mut (impl Read + ?Sized), bytes: &mut [u8]) -> Result<bool> {
    match source.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(read_failed(error)),
    }
}
