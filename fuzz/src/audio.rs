//! Decoders: any bytes give samples or an error, and the same ones from memory and from a pipe.

use std::io::Cursor;

use bonafide::{Audio, AudioReader, Limits, Result};

use crate::checksum::{flac_checksums, ogg_checksums};

pub fn wav(data: &[u8]) {
    if data.starts_with(b"RIFF") {
        decode(data);
    }
}

/// As it is, and with the checksums right, without which little of a damaged frame is ever looked at.
pub fn flac(data: &[u8]) {
    if data.starts_with(b"fLaC") {
        decode(data);
        if let Some(audio) = decode(&flac_checksums(data)) {
            assert!(
                audio.samples.iter().all(|sample| sample.abs() <= 1.0),
                "integers lie in [-1, 1]"
            );
        }
    }
}

/// As it is, and with the pages' checksums right.
pub fn ogg(data: &[u8]) {
    if data.starts_with(b"OggS") {
        decode(data);
        decode(&ogg_checksums(data));
    }
}

pub fn mp3(data: &[u8]) {
    if data.starts_with(b"ID3") || matches!(data, [0xFF, second, ..] if second & 0xE6 == 0xE2) {
        decode(data);
    }
}

pub fn adts(data: &[u8]) {
    if matches!(data, [0xFF, second, ..] if second & 0xF6 == 0xF0) {
        decode(data);
    }
}

pub fn mp4(data: &[u8]) {
    if data.get(4..8) == Some(b"ftyp") {
        decode(data);
    }
}

/// Decodes both ways and compares. Gives the clip, if it is one.
fn decode(bytes: &[u8]) -> Option<Audio> {
    // A few bytes of FLAC can be minutes of silence, which would take the fuzzer's time.
    let mut limits = Limits::default();
    limits.max_seconds = 2;
    limits.max_sample_rate = 96_000;
    limits.max_channels = 8;

    let whole = Audio::from_bytes_with(bytes, &limits);
    let piped = AudioReader::from_pipe_with(Cursor::new(bytes.to_vec()), &limits).and_then(read);
    let audio = match (whole, piped) {
        (Ok(whole), Ok(piped)) => {
            assert_eq!((whole.sample_rate, whole.channels), (piped.sample_rate, piped.channels));
            let bits = |audio: &Audio| -> Vec<u32> { audio.samples.iter().map(|sample| sample.to_bits()).collect() };
            assert!(
                bits(&whole) == bits(&piped),
                "from memory and from a pipe the samples differ"
            );
            whole
        }
        (Err(whole), Err(piped)) => {
            assert!(!whole.to_string().is_empty() && !piped.to_string().is_empty());
            return None;
        }
        (whole, piped) => panic!(
            "from memory {:?}, from a pipe {:?}",
            whole.map(|audio| audio.frames()),
            piped.map(|audio| audio.frames())
        ),
    };

    assert!((Audio::MIN_SAMPLE_RATE..=limits.max_sample_rate).contains(&audio.sample_rate));
    assert!((1..=limits.max_channels).contains(&audio.channels));
    assert!(audio.frames() > 0 && audio.samples.len() == audio.frames() * usize::from(audio.channels));
    assert!(audio.duration_seconds() <= f64::from(limits.max_seconds));
    assert_eq!(audio.to_mono().len(), audio.frames());
    Some(audio)
}

/// Reads block by block, and once more after the end.
fn read(mut reader: AudioReader<'_>) -> Result<Audio> {
    let mut samples = Vec::new();
    let channels = reader.channels();
    let mut ended = Ok(());
    loop {
        let before = samples.len();
        match reader.next_block(&mut samples) {
            Ok(true) => assert!(samples.len() >= before + usize::from(channels), "a block has a frame"),
            Ok(false) => break,
            Err(error) => {
                assert_eq!(samples.len(), before, "an error leaves the samples as they were");
                ended = Err(error);
                break;
            }
        }
    }
    let before = samples.len();
    assert!(
        matches!(reader.next_block(&mut samples), Ok(false)) && samples.len() == before,
        "the end is the end"
    );
    ended.map(|()| Audio {
        samples,
        sample_rate: reader.sample_rate(),
        channels,
    })
}
