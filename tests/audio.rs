//! Decoding: every format, headers as they come, and input that means harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::path::{Path, PathBuf};

use bonafide::{Audio, AudioReader, Error};
use proptest::prelude::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/audio")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// The second of speech in the fixtures, of which uncompressed ones hold the first half.
fn original() -> Vec<f32> {
    let path = fixture("../speech.wav");
    let samples = hound::WavReader::open(path).unwrap().into_samples::<i16>();
    samples
        .skip(16_000)
        .take(16_000)
        .map(|sample| f32::from(sample.unwrap()) / 32_768.0)
        .collect()
}

fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&id[..], &(content.len() as u32).to_le_bytes(), content].concat()
}

/// A WAV file of these chunks.
fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WAVE".to_vec(), chunks.concat()].concat())
}

/// The sixteen bytes that all `fmt ` chunks begin with.
fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels.wrapping_mul(bits.div_ceil(8));
    let mut fmt = [tag, channels].map(u16::to_le_bytes).concat();
    fmt.extend(rate.to_le_bytes());
    fmt.extend(rate.wrapping_mul(u32::from(align)).to_le_bytes());
    fmt.extend([align, bits].map(u16::to_le_bytes).concat());
    fmt
}

/// A WAV file of 16-bit samples at 16 kHz.
fn wav(channels: u16, samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    riff(&[chunk(b"fmt ", &fmt(1, channels, 16_000, 16)), chunk(b"data", &data)])
}

/// `bytes` with others written over them from `start` on.
fn patched(mut bytes: Vec<u8>, start: usize, with: &[u8]) -> Vec<u8> {
    bytes[start..start + with.len()].copy_from_slice(with);
    bytes
}

fn error(bytes: impl AsRef<[u8]>) -> Error {
    Audio::from_bytes(bytes).unwrap_err()
}

#[test]
fn uncompressed_speech_is_exact() {
    let original = original();
    for name in [
        "s16.wav",
        "s24.wav",
        "s32.wav",
        "f32.wav",
        "piped_ffmpeg.wav",
        "piped_sox.wav",
    ] {
        let audio = Audio::read(fixture(name)).unwrap();
        assert_eq!(
            (audio.sample_rate, audio.channels, audio.frames()),
            (16_000, 1, 8_000),
            "{name}"
        );
        assert_eq!(audio.samples, original[..8_000], "{name}");
    }
    // A step of 8 bits is 1/128.
    let audio = Audio::read(fixture("u8.wav")).unwrap();
    assert_eq!(audio.frames(), 8_000);
    assert!(
        audio
            .samples
            .iter()
            .zip(&original)
            .all(|(a, b)| (a - b).abs() <= 1.0 / 128.0)
    );
}

#[test]
fn each_width_has_its_own_full_scale() {
    let decode = |tag, bits, data: &[u8]| {
        let wav = riff(&[chunk(b"fmt ", &fmt(tag, 1, 8_000, bits)), chunk(b"data", data)]);
        Audio::from_bytes(wav).unwrap().samples
    };
    assert_eq!(decode(1, 8, &[0, 64, 128, 255]), [-1.0, -0.5, 0.0, 127.0 / 128.0]);
    assert_eq!(decode(1, 16, &[0, 0x80, 0, 0x40]), [-1.0, 0.5]);
    assert_eq!(decode(1, 24, &[0, 0, 0x80, 0, 0, 0x40]), [-1.0, 0.5]);
    assert_eq!(decode(1, 32, &[0, 0, 0, 0x80, 0, 0, 0, 0x40]), [-1.0, 0.5]);
    let floats = [-1.0_f32, 0.1, 1.5, -40.0];
    assert_eq!(decode(3, 32, &floats.map(f32::to_le_bytes).concat()), floats);
}

#[test]
fn valid_bits_sit_at_the_top_of_their_container() {
    const PCM_GUID: &[u8] = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71";
    // 24 of 32 bits, as Windows records; then the channel mask.
    let extension = [&[22, 0, 24, 0, 4, 0, 0, 0], PCM_GUID].concat();
    let fmt = [fmt(0xFFFE, 1, 48_000, 32), extension].concat();
    let wav = riff(&[chunk(b"fmt ", &fmt), chunk(b"data", &[0, 0, 0, 0x40, 0, 0, 0, 0xC0])]);
    assert_eq!(Audio::from_bytes(wav).unwrap().samples, [0.5, -0.5]);
}

#[test]
fn harmless_oddities_of_headers_are_read_over() {
    let plain = fmt(1, 1, 16_000, 16);
    let data = chunk(b"data", &[0, 0x40, 0, 0xC0]);
    let (odd, list) = (chunk(b"junk", b"odd"), chunk(b"LIST", b"INFO"));
    let padding = vec![0];
    for chunks in [
        vec![odd.clone(), padding, chunk(b"fmt ", &plain), data.clone()],
        vec![odd, chunk(b"fmt ", &plain), data.clone()], // padding left out
        vec![chunk(b"fmt ", &plain), data.clone(), list], // more after the data
        vec![chunk(b"fmt ", &[&plain[..], &[2, 0, 7, 7]].concat()), data.clone()], // an extension
        vec![chunk(b"fmt ", &plain), chunk(b"data", &[0, 0x40, 0, 0xC0, 9])], // half a sample more
    ] {
        assert_eq!(Audio::from_bytes(riff(&chunks)).unwrap().samples, [0.5, -0.5]);
    }
}

#[test]
fn data_of_unknown_size_goes_to_the_end() {
    let wav = wav(1, &[0x4000, -0x4000]);
    for (riff_size, data_size) in [
        (u32::MAX, u32::MAX),       // ffmpeg
        (0x7FFF_F024, 0x7FFF_F000), // sox, espeak
        (0x8000_0024, 0x8000_0000), // arecord
        (0, 0),
        (36, 0), // Python's wave
    ] {
        let mut wav = patched(wav.clone(), 4, &riff_size.to_le_bytes());
        wav = patched(wav, 40, &data_size.to_le_bytes());
        assert_eq!(Audio::from_bytes(&wav).unwrap().samples, [0.5, -0.5], "{data_size:#x}");
        // Cut off inside a sample.
        wav.pop();
        assert_eq!(Audio::from_bytes(&wav).unwrap().samples, [0.5], "{data_size:#x}");
    }
    // Known, and nothing: what follows is not sound.
    let empty = riff(&[
        chunk(b"fmt ", &fmt(1, 1, 16_000, 16)),
        chunk(b"data", b""),
        chunk(b"LIST", b"INFO"),
    ]);
    assert!(matches!(error(empty), Error::EmptyAudio { .. }));
}

#[test]
fn channels_are_interleaved_and_mixed_by_their_mean() {
    let audio = Audio::read(fixture("stereo.wav")).unwrap();
    assert_eq!(
        (audio.channels, audio.frames(), audio.samples.len()),
        (2, 8_000, 16_000)
    );
    let original = original();
    assert!(
        audio
            .samples
            .chunks_exact(2)
            .zip(&original)
            .all(|(frame, left)| frame == [*left, 0.0])
    );
    assert!(
        audio
            .to_mono()
            .iter()
            .zip(&original)
            .all(|(mono, left)| *mono == left / 2.0)
    );

    let three = Audio::from_bytes(wav(3, &[0x4000, 0x2000, 0, -0x4000, 0, 0x4000])).unwrap();
    assert_eq!(three.to_mono(), [0.25, 0.0]);
}

#[test]
fn model_input_is_mono_at_16_khz() {
    let audio = Audio {
        samples: vec![0.25; 2 * 44_100],
        sample_rate: 44_100,
        channels: 2,
    };
    assert_eq!((audio.frames(), audio.duration_seconds()), (44_100, 1.0));
    let input = audio.to_model_input().unwrap();
    assert_eq!(input.len(), 16_000);
    assert!((input[8_000] - 0.25).abs() < 1e-3);

    let original = original();
    let audio = Audio {
        samples: original.clone(),
        sample_rate: 16_000,
        channels: 1,
    };
    assert_eq!(audio.to_model_input().unwrap(), original);
    let audio = Audio {
        sample_rate: 0,
        ..audio
    };
    assert!(matches!(
        audio.to_model_input(),
        Err(Error::SampleRate { found: 0, .. })
    ));
}

#[test]
fn headers_beyond_the_limits_are_refused() {
    let with = |fmt: Vec<u8>| riff(&[chunk(b"fmt ", &fmt), chunk(b"data", &[0; 132])]);
    for rate in [0, 999, 768_001, u32::MAX / 2] {
        let error = error(with(fmt(1, 1, rate, 16)));
        assert!(
            matches!(error, Error::SampleRate { found, .. } if found == rate),
            "{error}"
        );
    }
    let many = error(with(fmt(1, 33, 16_000, 16)));
    assert!(matches!(many, Error::Channels { found: 33, .. }), "{many}");
    for fmt in [
        fmt(1, 0, 16_000, 16),                       // no channels
        fmt(1, 1, 16_000, 0),                        // no bits
        fmt(1, 1, 16_000, 17),                       // bits of no width
        patched(fmt(1, 1, 16_000, 16), 12, &[0, 0]), // frames of no size
        patched(fmt(1, 1, 16_000, 16), 8, &[1]),     // a byte rate that does not fit
        fmt(3, 1, 16_000, 16),                       // floats of no width
        fmt(1, 1, 16_000, 16)[..12].to_vec(),        // cut short
        fmt(0xFFFE, 1, 16_000, 16),                  // likewise, as an extensible one
    ] {
        let error = error(with(fmt));
        assert!(matches!(error, Error::InvalidAudio { format: "WAV", .. }), "{error}");
    }
}

#[test]
fn what_is_not_audio_is_told_apart() {
    assert!(matches!(error(b""), Error::EmptyAudio { .. }));
    assert!(matches!(error(wav(1, &[])), Error::EmptyAudio { .. }));
    for (content, named) in [
        (&b"Dear Sir or Madam,"[..], "Dear Sir or "),
        (b"x", "\"x\""),
        (b"RIFF\0\0\0\0AVI ", "RIFF"),
        (b"\x89PNG\r\n\x1A\n", "PNG"),
        (b"\xFF\xFEt\0e\0x\0t\0", "\\xff"), // not MPEG, though close
    ] {
        let error = error(content);
        assert!(
            matches!(&error, Error::UnsupportedAudio { found, .. } if found.contains(named)),
            "{error}"
        );
    }
    for (name, named) in [("mulaw.wav", "µ-law"), ("f64.wav", "64-bit")] {
        let error = error(bytes(name));
        assert!(
            matches!(&error, Error::UnsupportedAudio { found, .. } if found.contains(named)),
            "{error}"
        );
    }
}

#[test]
fn cut_files_are_errors() {
    let whole = bytes("s16.wav");
    let error_of = |len: usize| error(&whole[..len]);
    // In the header.
    for len in 12..44 {
        assert!(
            matches!(error_of(len), Error::InvalidAudio { format: "WAV", .. }),
            "{len} bytes"
        );
    }
    // In the data.
    for (len, there) in [(44, 0), (1_045, 500), (16_043, 7_999)] {
        let error = error_of(len);
        assert!(
            matches!(error, Error::TruncatedAudio { expected: 8_000, found, .. } if found == there),
            "{len} bytes: {error}"
        );
    }
    // A promise of (almost) 4 GB costs nothing.
    let promise = patched(whole[..44].to_vec(), 40, &0xFFFF_FFF0_u32.to_le_bytes());
    assert!(matches!(error(promise), Error::EmptyAudio { .. }));
    let promise = patched(whole[..44].to_vec(), 40, &0x7000_0000_u32.to_le_bytes());
    assert!(matches!(error(promise), Error::TruncatedAudio { found: 0, .. }));
    // A chunk before the data that swallows the file.
    let swallowed = riff(&[patched(chunk(b"LIST", &[0; 8]), 4, &[0xFF; 4]), chunk(b"data", &[0; 8])]);
    assert!(matches!(error(swallowed), Error::InvalidAudio { .. }));
}

#[test]
fn a_part_of_a_frame_is_no_audio_there_or_not() {
    for data in [&[1, 0, 2, 0][..], &[1, 0, 2, 0, 3]] {
        let data = patched(chunk(b"data", data), 4, &5_u32.to_le_bytes());
        let file = riff(&[chunk(b"fmt ", &fmt(1, 1, 16_000, 16)), data]);
        let clip = Audio::from_bytes(&file).unwrap();
        assert_eq!(clip.samples, [1.0 / 32_768.0, 2.0 / 32_768.0]);
        // A pipe can't tell how much is left, and gives the same.
        let mut piped = Vec::new();
        let mut reader = AudioReader::from_pipe(Cursor::new(file)).unwrap();
        while reader.next_block(&mut piped).unwrap() {}
        assert_eq!(piped, clip.samples);
    }
}

#[test]
fn errors_name_the_file_if_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.wav");
    let text = folder.path().join("text.wav");
    std::fs::write(&text, "not audio").unwrap();
    for (path, is_read) in [(missing.as_path(), true), (folder.path(), true), (&text, false)] {
        let error = Audio::read(path).unwrap_err();
        assert_eq!(matches!(error, Error::Read { .. }), is_read, "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert!(error("not audio").to_string().starts_with("cannot decode the audio: "));
}

#[cfg(not(feature = "formats"))]
#[test]
fn formats_left_out_are_named() {
    for (name, named) in [
        ("speech.flac", "FLAC"),
        ("speech.mp3", "MP3"),
        ("speech.ogg", "Ogg"),
        ("speech.m4a", "MP4"),
    ] {
        let error = error(bytes(name));
        assert!(
            matches!(error, Error::FormatDisabled { format, .. } if format == named),
            "{error}"
        );
    }
}

#[cfg(feature = "formats")]
mod formats {
    use super::*;

    /// Correlation of `found` from `lag` on with the original.
    fn correlation(found: &[f32], lag: usize) -> f32 {
        let original = original();
        let found = &found[lag..];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let shared = original.len().min(found.len());
        let (original, found) = (&original[..shared], &found[..shared]);
        dot(original, found) / (dot(original, original) * dot(found, found)).sqrt()
    }

    #[test]
    fn flac_is_exact() {
        assert_eq!(Audio::read(fixture("speech.flac")).unwrap().samples, original());
    }

    #[test]
    fn lossy_formats_keep_the_speech_and_its_place() {
        // Frames before the speech, and in all: without a tag, MP3 has 1,105 frames of delay and fills its last
        // packet; AAC begins with an empty packet, and fills its last.
        for (name, lag, frames) in [
            ("speech.ogg", 0, 16_000),
            ("speech.mp3", 0, 16_000),
            ("untagged.mp3", 1_105, 30 * 576),
            ("speech.m4a", 1_024, 17 * 1_024),
            ("speech.aac", 1_024, 17 * 1_024),
        ] {
            let audio = Audio::read(fixture(name)).unwrap();
            assert_eq!(
                (audio.sample_rate, audio.channels, audio.frames()),
                (16_000, 1, frames),
                "{name}"
            );
            let here = correlation(&audio.samples, lag);
            assert!(here > 0.95, "{name}: {here}");
            assert!(here > correlation(&audio.samples, lag + 1), "{name}");
            assert!(lag == 0 || here > correlation(&audio.samples, lag - 1), "{name}");
        }
    }

    #[test]
    fn the_name_plays_no_part() {
        let folder = tempfile::tempdir().unwrap();
        for (name, other) in [
            ("s16.wav", "wav.mp3"),
            ("speech.mp3", "mp3.wav"),
            ("speech.flac", "flac"),
        ] {
            let renamed = folder.path().join(other);
            std::fs::copy(fixture(name), &renamed).unwrap();
            assert_eq!(Audio::read(renamed).unwrap(), Audio::read(fixture(name)).unwrap());
        }
    }

    #[test]
    fn opus_is_named() {
        let error = error(bytes("opus.ogg"));
        assert!(
            matches!(&error, Error::UnsupportedAudio { found, .. } if found == "Ogg with Opus"),
            "{error}"
        );
    }

    #[test]
    fn cut_files_are_errors() {
        for name in ["speech.flac", "speech.mp3", "speech.ogg", "speech.m4a", "speech.aac"] {
            let whole = bytes(name);
            for len in (4..whole.len() - 1).step_by(97) {
                assert!(
                    Audio::from_bytes(&whole[..len]).is_err() || name == "speech.aac",
                    "{name}: {len} bytes"
                );
            }
            let error = error(&whole[..whole.len() / 2]);
            assert!(
                matches!(error, Error::InvalidAudio { .. } | Error::TruncatedAudio { .. }),
                "{name}: {error}"
            );
        }
        let error = error(&bytes("speech.mp3")[..6_000]);
        assert!(
            matches!(error, Error::TruncatedAudio { expected: 16_000, .. }),
            "{error}"
        );
    }

    #[test]
    fn mp3_without_a_length_is_what_decodes() {
        let whole = bytes("untagged.mp3");
        let all = Audio::from_bytes(&whole).unwrap().samples;
        let part = Audio::from_bytes(&whole[..whole.len() / 2]).unwrap().samples;
        assert!(
            part.len().is_multiple_of(576) && (all.len() / 3..all.len()).contains(&part.len()),
            "{}",
            part.len()
        );
        assert_eq!(part, all[..part.len()]);
    }

    /// Or a forged tag could hide speech that every player plays.
    #[test]
    fn mp3_beyond_its_stated_length_is_kept() {
        let one = bytes("speech.mp3");
        let two = Audio::from_bytes(one.repeat(2)).unwrap();
        assert!(two.frames() > 32_000, "{}", two.frames());
        assert_eq!(two.samples[..16_000], Audio::from_bytes(&one).unwrap().samples);
    }

    /// Found by fuzzing: `symphonia` 0.6.1 panics on both, on the second in builds that check for overflow.
    #[test]
    fn panics_of_decoders_end_in_errors() {
        // A Vorbis codebook whose size overflows; made of `speech.ogg` with its checksums set right.
        let codebook = bytes("panic_codebook.ogg");
        // A table of packet lengths that promises 2^32 packets more.
        let table = bytes("speech.m4a");
        let at = table.windows(4).position(|name| name == b"stts").unwrap() + 20;
        let table = patched(table, at, &[0xFF; 4]);
        for content in [codebook, table] {
            let error = error(content);
            assert!(
                matches!(error, Error::InvalidAudio { .. } | Error::TruncatedAudio { .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn samples_that_no_byte_is_there_for_are_not_counted() {
        let boxed = |kind: &[u8; 4], content: &[u8]| {
            let size = (content.len() as u32 + 8).to_be_bytes();
            [&size[..], kind, content].concat()
        };
        // Two billion samples each, for sixteen bytes: the decoder would count for seconds.
        let runs = boxed(b"trun", &[0, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF]).repeat(2);
        let fragment = boxed(b"moof", &boxed(b"traf", &runs));
        // A box that claims to be larger than what it lies in hides nothing.
        let torn = boxed(b"moof", &boxed(b"traf", b"\x7F\xFF\xFF\xFFtfdt"));
        for fragments in [fragment.clone(), [torn, fragment].concat()] {
            let file = [boxed(b"ftyp", b"M4A \0\0\0\0"), fragments].concat();
            let error = error(&file);
            assert!(
                matches!(&error, Error::InvalidAudio { format: "MP4", reason, .. } if reason.contains("2147483647 samples")),
                "{error}"
            );
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error() {
        for name in ["speech.flac", "speech.ogg"] {
            let whole = bytes(name);
            for at in (whole.len() / 2..whole.len() - 100).step_by(501) {
                let damaged = patched(whole.clone(), at, &[!whole[at]]);
                assert!(Audio::from_bytes(damaged).is_err(), "{name}: byte {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Audio::from_bytes(&content);
        let _ = Audio::from_bytes(riff(&[content]));
    }

    #[test]
    fn no_changed_header_panics(
        name in prop::sample::select(vec![
            "s16.wav", "s24.wav", "f32.wav", "u8.wav", "speech.flac", "speech.mp3", "speech.ogg", "speech.m4a",
        ]),
        changes in prop::collection::vec((0_usize..200, any::<u8>()), 1..6),
        len in 0_usize..4_000,
    ) {
        let mut content = bytes(name);
        for (at, value) in changes {
            content[at] = value;
        }
        let _ = Audio::from_bytes(&content);
        let _ = Audio::from_bytes(&content[..len]);
    }

    #[test]
    fn mono_is_as_long_as_the_frames(channels in 0_u16..9, samples in prop::collection::vec(-1.0_f32..1.0, 0..99)) {
        let audio = Audio { samples, sample_rate: 16_000, channels };
        prop_assert_eq!(audio.to_mono().len(), audio.frames());
        prop_assert!(audio.to_mono().iter().all(|sample| (-1.0..=1.0).contains(sample)));
    }
}
