//! What is noted of real recordings.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use bonafide::{Audio, Label, Note, Quality, Runtime, resample};
use common::{Model, speech};

/// What a detector says of a clip, and with which notes.
fn hear(samples: &[f32]) -> (Quality, Vec<Note>, Option<Label>) {
    let detector = Model::tiny().detector(Runtime::Auto).build().unwrap();
    let score = detector.score(samples).unwrap();
    (score.quality, score.notes.clone(), score.verdict())
}

#[test]
fn real_speech_is_speech() {
    let (quality, notes, verdict) = hear(&speech());
    assert_eq!(notes, []);
    assert!(verdict.is_some());
    assert!((3.0..9.0).contains(&quality.voiced_seconds), "{quality:?}");
    assert!(
        (-40.0..-10.0).contains(&quality.level_dbfs) && quality.bandwidth_hz > 7_000.0,
        "{quality:?}"
    );
}

#[test]
fn a_telephones_band_is_narrow() {
    let there = resample(&speech(), 16_000, 8_000).unwrap();
    let back = resample(&there, 8_000, 16_000).unwrap();
    let (quality, notes, verdict) = hear(&back);
    assert_eq!(notes, [Note::NarrowBand], "{quality:?}");
    assert!(verdict.is_some());
}

#[test]
fn speech_in_noise_is_speech_and_noise_alone_is_not() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 2.0 - 1.0
    };
    let speech = speech();
    let power = speech.iter().map(|x| x * x).sum::<f32>() / speech.len() as f32;
    // 5 dB below the speech; uniform noise has a third of its amplitude's square.
    let amplitude = (3.0 * power / 10_f32.powf(0.5)).sqrt();
    let noise: Vec<f32> = speech.iter().map(|_| noise() * amplitude).collect();
    let both: Vec<f32> = speech.iter().zip(&noise).map(|(a, b)| a + b).collect();
    let (quality, notes, _) = hear(&both);
    assert_eq!(notes, [], "{quality:?}");
    let (quality, notes, verdict) = hear(&noise);
    assert_eq!((notes, verdict), (vec![Note::NoSpeech], None), "{quality:?}");
}

/// 191 recordings of some 100 speakers, which lie beside the repository on the machines that it is made on.
#[test]
fn no_recording_of_a_speaker_is_without_speech() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/speech");
    let Ok(files) = std::fs::read_dir(&folder) else {
        eprintln!("{} is absent, so its recordings are not tested", folder.display());
        return;
    };
    let detector = Model::tiny().detector(Runtime::Auto).hop(1_000_000).build().unwrap();
    let mut tried = 0;
    for path in files.map(|file| file.unwrap().path()) {
        if !cfg!(feature = "formats") || path.extension().is_none_or(|extension| extension != "flac") {
            continue;
        }
        let samples = Audio::read(&path).unwrap().to_model_input().unwrap();
        let score = detector.score(&samples).unwrap();
        let share = f64::from(score.quality.voiced_seconds) / score.duration_seconds;
        assert!(share > 0.15, "{}: {:?}", path.display(), score.quality);
        assert!(
            !score.notes.contains(&Note::NarrowBand),
            "{}: {:?}",
            path.display(),
            score.quality
        );
        tried += 1;
    }
    println!("{tried} recordings");
}
