//! Many files at once score as one after the other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bonafide::{Error, Runtime};
use common::{Model, fixture, runtimes};

fn files() -> Vec<PathBuf> {
    // Long and short ones, a missing one and one that is no audio.
    let names = [
        "speech.wav",
        "audio/s16.wav",
        "nothing.wav",
        "audio/stereo.wav",
        "README.md",
        "audio/speech_8000.wav",
    ];
    names.iter().cycle().take(40).map(|name| fixture(name)).collect()
}

#[test]
fn scores_come_in_order_and_are_those_of_each_file() {
    let model = Model::tiny();
    for runtime in runtimes() {
        for sessions in [1, 3] {
            let detector = model.detector(runtime).sessions(sessions).build().unwrap();
            let scored: Vec<_> = detector.score_files(files()).collect();
            assert_eq!(scored.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), files());
            for (path, found) in scored {
                match (found, detector.score_file(&path)) {
                    (Ok(found), Ok(expected)) => assert!((found.llr - expected.llr).abs() < 1e-5, "{}", path.display()),
                    (found, expected) => {
                        assert_eq!(found.unwrap_err().to_string(), expected.unwrap_err().to_string());
                    }
                }
            }
        }
    }
}

#[test]
fn no_files_have_no_scores() {
    let detector = Model::tiny().detector(Runtime::Auto).build().unwrap();
    let mut none = detector.score_files(Vec::<PathBuf>::new());
    assert!(none.next().is_none() && none.next().is_none());
}

#[test]
fn an_endless_list_is_read_only_so_far_ahead() {
    let detector = Model::tiny().detector(Runtime::Auto).build().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let endless = std::iter::from_fn(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Some("no such file")
    });
    let mut scores = detector.score_files(endless);
    for _ in 0..3000 {
        assert!(matches!(scores.next(), Some((_, Err(Error::Read { .. })))));
    }
    drop(scores);
    assert!((3000..=3000 + 1024).contains(&taken.load(Ordering::Relaxed)));
}

#[test]
fn a_list_that_panics_ends() {
    let detector = Model::tiny().detector(Runtime::Auto).build().unwrap();
    let mut left = 3;
    let panics = std::iter::from_fn(move || {
        left -= 1;
        assert!(left >= 0, "the list is broken");
        Some("no such file")
    });
    assert_eq!(detector.score_files(panics).count(), 3);
}
