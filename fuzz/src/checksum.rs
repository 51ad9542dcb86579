//! Checksums of audio formats, put right, so that the fuzzer reaches what lies behind them.

/// An Ogg file whose pages have the checksums of their content.
pub(crate) fn ogg_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut start = 0;
    while out.get(start..start + 4) == Some(b"OggS") {
        let Some(&segments) = out.get(start + 26) else { break };
        let Some(lengths) = out.get(start + 27..start + 27 + usize::from(segments)) else {
            break;
        };
        let content: usize = lengths.iter().map(|&length| usize::from(length)).sum();
        let end = start + 27 + usize::from(segments) + content;
        let Some(page) = out.get_mut(start..end) else { break };
        page[22..26].fill(0);
        let sum = crc(32, 0x04C1_1DB7, page);
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        start = end;
    }
    out
}

/// A FLAC file whose frames have the checksums of their header and content. Frames are told by how they start.
pub(crate) fn flac_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let Some(audio) = end_of_metadata(bytes) else {
        return out;
    };
    // All frames of a file have the same first two bytes, but for those that look so by chance.
    let is_start = |at: usize| bytes[at] == 0xFF && bytes[at + 1] & 0xFE == 0xF8 && bytes[at + 1] == bytes[audio + 1];
    let mut starts: Vec<usize> = (audio..bytes.len().saturating_sub(1))
        .filter(|&at| is_start(at))
        .collect();
    starts.push(bytes.len());
    for pair in starts.windows(2) {
        let frame = &mut out[pair[0]..pair[1]];
        let Some(header) = frame_header(frame).filter(|header| header + 3 <= frame.len()) else {
            continue;
        };
        frame[header] = crc(8, 0x07, &frame[..header]) as u8;
        let content = frame.len() - 2;
        let sum = crc(16, 0x8005, &frame[..content]) as u16;
        frame[content..].copy_from_slice(&sum.to_be_bytes());
    }
    out
}

fn end_of_metadata(bytes: &[u8]) -> Option<usize> {
    let mut at = 4;
    loop {
        let &[kind, a, b, c] = bytes.get(at..)?.first_chunk()?;
        at += 4 + u32::from_be_bytes([0, a, b, c]) as usize;
        if kind & 0x80 != 0 {
            return Some(at);
        }
    }
}

/// The length of a FLAC frame's header without its checksum.
fn frame_header(frame: &[u8]) -> Option<usize> {
    let &[_, _, sizes, _, number] = frame.first_chunk()?;
    let number = number.leading_ones().max(1) as usize;
    let block = match sizes >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let rate = match sizes & 0x0F {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    Some(4 + number + block + rate)
}

/// A cyclic redundancy check of `width` bits, the highest first.
fn crc(width: u32, polynomial: u32, bytes: &[u8]) -> u32 {
    let polynomial = polynomial << (32 - width);
    let sum = bytes.iter().fold(0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| {
            (sum << 1) ^ if sum >> 31 == 1 { polynomial } else { 0 }
        })
    });
    sum >> (32 - width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/../tests/fixtures/audio/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn files_that_are_right_stay_as_they_are() {
        let ogg = read("speech.ogg");
        assert!(ogg_checksums(&ogg) == ogg);
        let flac = read("speech.flac");
        assert!(flac_checksums(&flac) == flac);
    }

    #[test]
    fn damaged_checksums_are_put_right() {
        let ogg = read("speech.ogg");
        let mut damaged = ogg.clone();
        damaged[22] ^= 1;
        assert!(ogg_checksums(&damaged) == ogg);
        let flac = read("speech.flac");
        let mut damaged = flac.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(flac_checksums(&damaged) == flac);
    }
}
