//! A clip that comes piece by piece scores as it does in one piece.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::LazyLock;

use bonafide::{Audio, AudioReader, Detector, Error, Runtime, Score, Tail, resample};
use common::{Model, fixture, runtimes, speech};
use proptest::prelude::*;

static MODEL: LazyLock<Model> = LazyLock::new(Model::tiny);

fn detector() -> Detector {
    MODEL.detector(Runtime::Auto).build().unwrap()
}

/// Threads may add up in another order, so the last digits are free.
fn assert_same(found: &Score, expected: &Score) {
    let places = |score: &Score| -> Vec<(f64, f64)> {
        let windows = score.windows.iter();
        windows
            .map(|window| (window.start_seconds, window.end_seconds))
            .collect()
    };
    assert_eq!(places(found), places(expected));
    for (found, expected) in found.windows.iter().zip(&expected.windows) {
        assert!(
            (found.llr - expected.llr).abs() < 1e-5,
            "{found:?}, expected {expected:?}"
        );
    }
    assert!((found.spoof_probability - expected.spoof_probability).abs() < 1e-5);
    assert_eq!(found.duration_seconds, expected.duration_seconds);
    assert_eq!((found.label, &found.notes), (expected.label, &expected.notes));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn however_it_is_cut(
        tail in prop::sample::select(vec![Tail::Pad, Tail::PadIfNeeded, Tail::Drop]),
        hop in prop::sample::select(vec![32_000_usize, 20_000, 70_000]),
        len in prop_oneof![400_usize..160_000, Just(64_000), Just(96_000)],
        cuts in prop::collection::vec(0_usize..50_000, 1..12),
    ) {
        let detector = MODEL.detector(Runtime::Auto).tail(tail).hop(hop).build().unwrap();
        let clip = &speech()[..len];
        let mut stream = detector.stream();
        let mut scored = Vec::new();
        let mut rest = clip;
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut + 1).min(rest.len()));
            scored.extend_from_slice(stream.push(piece).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        match (stream.finish(), detector.score(clip)) {
            (Ok(found), Ok(expected)) => {
                assert_same(&found, &expected);
                // Each window came as soon as it was whole, and only the padded one is left to the end.
                prop_assert_eq!(&scored[..], &found.windows[..scored.len()]);
                prop_assert!(found.windows.len() - scored.len() <= 1);
            }
            (found, expected) => prop_assert_eq!(found.unwrap_err().to_string(), expected.unwrap_err().to_string()),
        }
    }

    #[test]
    fn at_any_rate_and_with_any_channels(
        rate in prop::sample::select(vec![8_000_u32, 11_025, 16_000, 22_050, 44_100, 48_000]),
        channels in 1_u16..4,
        piece in 1_usize..30_000,
    ) {
        let mono = resample(&speech()[..90_000], 16_000, rate).unwrap();
        let samples: Vec<f32> = mono
            .iter()
            .flat_map(|&sample| (0..channels).map(move |channel| sample * (1.0 - 0.3 * f32::from(channel))))
            .collect();
        let detector = detector();
        let mut stream = detector.stream_of(rate, channels).unwrap();
        for piece in samples.chunks(piece) {
            stream.push(piece).unwrap();
        }
        let found = stream.finish().unwrap();
        let whole = Audio { samples, sample_rate: rate, channels };
        assert_same(&found, &detector.score(&whole.to_model_input().unwrap()).unwrap());
    }
}

#[test]
fn a_window_is_scored_with_its_last_sample() {
    for runtime in runtimes() {
        let detector = MODEL.detector(runtime).build().unwrap();
        let mut stream = detector.stream();
        assert_eq!(stream.push(&speech()[..63_999]).unwrap(), []);
        assert_eq!(stream.score(), None);
        assert_eq!(stream.push(&speech()[63_999..64_000]).unwrap().len(), 1);
        let so_far = stream.score().unwrap();
        assert_same(&so_far, &detector.score(&speech()[..64_000]).unwrap());
        assert_eq!(stream.push(&speech()[64_000..128_000]).unwrap().len(), 2);
    }
}

#[test]
fn a_finished_or_reset_stream_is_ready_for_another_clip() {
    let detector = detector();
    let mut stream = detector.stream_of(44_100, 2).unwrap();
    let clip = Audio {
        samples: resample(&speech()[..70_000], 16_000, 44_100).unwrap().repeat(2),
        sample_rate: 44_100,
        channels: 2,
    };
    let expected = detector.score(&clip.to_model_input().unwrap()).unwrap();
    for round in 0..3 {
        stream.push(&clip.samples).unwrap();
        assert_same(&stream.finish().unwrap(), &expected);
        // Half a frame and more, which must not reach the next clip.
        stream.push(&clip.samples[..30_001]).unwrap();
        match round {
            0 => stream.reset(),
            _ => drop(stream.finish().unwrap()),
        }
    }
    assert!(matches!(stream.finish(), Err(Error::EmptyAudio { .. })));
}

#[test]
fn refused_samples_are_not_taken() {
    let detector = detector();
    let mut stream = detector.stream();
    stream.push(&speech()[..50_000]).unwrap();
    for (bad, at) in [(f32::NAN, 7), (f32::INFINITY, 0), (1e9, 99)] {
        let mut piece = speech()[50_000..50_100].to_vec();
        piece[at] = bad;
        let error = stream.push(&piece).unwrap_err();
        assert!(
            matches!(error, Error::NotFinite { index, .. } | Error::Amplitude { index, .. } if index == 50_000 + at),
            "{error}"
        );
    }
    stream.push(&speech()[50_000..100_000]).unwrap();
    assert_same(
        &stream.finish().unwrap(),
        &detector.score(&speech()[..100_000]).unwrap(),
    );
}

#[test]
fn too_few_samples_are_an_error() {
    let detector = detector();
    let mut stream = detector.stream();
    stream.push(&[0.1; 399]).unwrap();
    let error = stream.finish().unwrap_err();
    assert!(
        matches!(
            error,
            Error::AudioTooShort {
                expected: 400,
                found: 399,
                ..
            }
        ),
        "{error}"
    );
    for (rate, channels) in [(0, 1), (999, 1), (16_000, 0), (16_000, 33), (u32::MAX, 1)] {
        assert!(
            detector.stream_of(rate, channels).is_err(),
            "{rate} Hz, {channels} channels"
        );
    }
}

#[test]
fn a_file_scores_as_its_samples() {
    let detector = detector();
    let names = [
        "speech.wav",
        "audio/stereo.wav",
        "audio/s16.wav",
        "audio/speech_44100.wav",
    ];
    let compressed = [
        "audio/speech.flac",
        "audio/speech.mp3",
        "audio/speech.ogg",
        "audio/speech.m4a",
    ];
    let compressed = compressed.into_iter().filter(|_| cfg!(feature = "formats"));
    for name in names.into_iter().chain(compressed) {
        let audio = Audio::read(fixture(name)).unwrap();
        let mut reader = AudioReader::open(fixture(name)).unwrap();
        let mut samples = Vec::new();
        let mut blocks = 0;
        while reader.next_block(&mut samples).unwrap() {
            blocks += 1;
        }
        assert!(!reader.next_block(&mut samples).unwrap());
        assert_eq!(
            (reader.sample_rate(), reader.channels()),
            (audio.sample_rate, audio.channels)
        );
        assert!(samples == audio.samples && blocks > 1, "{name}: {blocks} blocks");
        let expected = detector.score(&audio.to_model_input().unwrap()).unwrap();
        assert_same(&detector.score_file(fixture(name)).unwrap(), &expected);
    }
}
