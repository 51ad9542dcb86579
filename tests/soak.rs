//! Hours of everything at once hold no more memory and no more files than the first minute.
//!
//! It takes some seconds; `BONAFIDE_SOAK_SECONDS=7200 cargo test --release --test soak` takes two hours.
#![cfg(all(target_os = "linux", feature = "formats"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bonafide::{AudioReader, Detector, Runtime, Score};
use common::{Held, Model, fixture, runtimes, speech};

/// What memory may grow by: the allocator keeps some of what it is given back.
const SLACK_KILOBYTES: usize = 16 * 1024;

/// All that a service does: new models, clips, files good and bad, pipes, streams, and many at once.
struct Work {
    models: Vec<(Runtime, Model)>,
    speech: Vec<f32>,
    good: Vec<PathBuf>,
    bad: tempfile::TempDir,
}

impl Work {
    fn new() -> Self {
        let good = [
            "s16.wav",
            "stereo.wav",
            "speech_44100.wav",
            "speech.flac",
            "speech.mp3",
            "speech.ogg",
            "speech.m4a",
        ];
        let bad = tempfile::tempdir().unwrap();
        for name in good {
            let whole = std::fs::read(fixture("audio").join(name)).unwrap();
            std::fs::write(bad.path().join(name), &whole[..whole.len() / 2]).unwrap();
        }
        Self {
            models: runtimes().into_iter().map(|runtime| (runtime, Model::tiny())).collect(),
            speech: speech()[..100_000].to_vec(),
            good: good.map(|name| fixture("audio").join(name)).into(),
            bad,
        }
    }

    fn round(&self) {
        for (runtime, model) in &self.models {
            let detector = model.detector(*runtime).sessions(2).build().unwrap();
            let whole = detector.score(&self.speech).unwrap();
            assert_eq!(self.in_pieces(&detector), whole);
            let scores = detector.score_files(self.good.clone());
            assert!(scores.into_iter().all(|(_, score)| score.is_ok()));
            for path in std::fs::read_dir(self.bad.path()).unwrap() {
                // Half of an MP3 is a shorter one.
                let _ = detector.score_file(path.unwrap().path());
            }
            // Given up in the middle.
            drop(detector.score_files(self.good.clone()).next());
            let mut reader = AudioReader::from_pipe(File::open(&self.good[3]).unwrap()).unwrap();
            assert!(reader.next_block(&mut Vec::new()).unwrap());
        }
        assert!(Detector::builder().model(&self.good[0]).build().is_err());
    }

    fn in_pieces(&self, detector: &Detector) -> Score {
        let mut stream = detector.stream();
        for piece in self.speech.chunks(1_234) {
            stream.push(piece).unwrap();
        }
        stream.finish().unwrap()
    }
}

#[test]
fn memory_and_files_stay_flat() {
    let seconds = std::env::var("BONAFIDE_SOAK_SECONDS").map_or(8, |seconds| seconds.parse().unwrap());
    let work = Work::new();
    let held = || Held::by(std::process::id()).unwrap();
    let start = Instant::now();
    let total = Duration::from_secs(seconds);
    // Until what is kept for good is there, such as the threads' stacks and arenas.
    let warm = total.div_f32(4.0).min(Duration::from_mins(2));
    let mut rounds = 0;
    let mut first = None;
    let mut next_report = Duration::from_mins(1);
    while start.elapsed() < total || rounds < 8 {
        work.round();
        rounds += 1;
        let now = held();
        if start.elapsed() >= warm && rounds >= 4 {
            let first = *first.get_or_insert(now);
            assert!(
                now.kilobytes <= first.kilobytes + SLACK_KILOBYTES,
                "round {rounds}: {now:?}, at first {first:?}"
            );
            // A list that was given up may still be at a file.
            let patience = Instant::now() + Duration::from_mins(1);
            while held().files > first.files {
                assert!(
                    Instant::now() < patience,
                    "round {rounds}: {:?}, at first {first:?}",
                    held()
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if start.elapsed() >= next_report {
            println!("{:>6} s, {rounds} rounds: {now:?}", start.elapsed().as_secs());
            next_report += Duration::from_mins(1);
        }
    }
    println!("{rounds} rounds: {:?}, at first {first:?}", held());
}
