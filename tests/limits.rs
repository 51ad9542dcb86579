//! What is decoded stays within the limits that the caller sets.
#![cfg(feature = "formats")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::File;

use bonafide::{Audio, AudioReader, Error, Limits};
use common::{fixture, speech};

/// Ten seconds, mono, 16 kHz, in every way that a file can come in.
fn decode(name: &str, limits: &Limits) -> Vec<Result<usize, Error>> {
    let path = fixture(name);
    let bytes = std::fs::read(&path).unwrap();
    let piped = || {
        let mut reader = AudioReader::from_pipe_with(File::open(&path).unwrap(), limits)?;
        let mut samples = Vec::new();
        while reader.next_block(&mut samples)? {}
        Ok(samples.len())
    };
    vec![
        Audio::read_with(&path, limits).map(|audio| audio.samples.len()),
        Audio::from_bytes_with(bytes, limits).map(|audio| audio.samples.len()),
        piped(),
    ]
}

#[test]
fn a_clip_longer_than_allowed_is_an_error_and_not_a_shorter_clip() {
    let seconds = speech().len() / 16_000;
    for name in ["speech.wav", "audio/speech.flac", "audio/speech.mp3"] {
        let length = Audio::read(fixture(name)).unwrap().duration_seconds();
        let mut limits = Limits::default();
        limits.max_seconds = length.ceil() as u32;
        for decoded in decode(name, &limits) {
            decoded.unwrap();
        }
        limits.max_seconds = length.ceil() as u32 - 1;
        for decoded in decode(name, &limits) {
            let error = decoded.unwrap_err();
            assert!(
                matches!(error, Error::AudioTooLong { limit, unit: "seconds", .. } if limit == u64::from(limits.max_seconds)),
                "{name}: {error}"
            );
        }
    }
    assert_eq!(seconds, 10);
}

#[test]
fn a_file_larger_than_allowed_is_not_opened() {
    let name = "audio/speech.flac";
    let size = fixture(name).metadata().unwrap().len();
    let mut limits = Limits::default();
    limits.max_bytes = size;
    for decoded in decode(name, &limits) {
        decoded.unwrap();
    }
    limits.max_bytes = size - 1;
    for decoded in decode(name, &limits) {
        let error = decoded.unwrap_err();
        assert!(
            matches!(error, Error::AudioTooLong { limit, unit: "bytes", .. } if limit == size - 1),
            "{error}"
        );
    }
}

#[test]
fn rates_and_channels_can_be_limited() {
    let mut limits = Limits::default();
    limits.max_sample_rate = 15_999;
    for decoded in decode("speech.wav", &limits) {
        let error = decoded.unwrap_err();
        assert!(
            matches!(
                error,
                Error::SampleRate {
                    limit: 15_999,
                    found: 16_000,
                    ..
                }
            ),
            "{error}"
        );
    }
    let mut limits = Limits::default();
    limits.max_channels = 1;
    for decoded in decode("audio/stereo.wav", &limits) {
        let error = decoded.unwrap_err();
        assert!(matches!(error, Error::Channels { limit: 1, found: 2, .. }), "{error}");
    }
}

#[test]
fn a_detector_keeps_them_with_files() {
    let mut limits = Limits::default();
    limits.max_seconds = 5;
    let model = common::Model::tiny();
    let build = |limits| model.detector(bonafide::Runtime::Auto).limits(limits).build().unwrap();
    build(Limits::default()).score_file(fixture("speech.wav")).unwrap();
    let error = build(limits).score_file(fixture("speech.wav")).unwrap_err();
    assert!(matches!(&error, Error::AudioTooLong { path: Some(_), .. }), "{error}");
    assert!(build(limits).score(&speech()).is_ok());
}
