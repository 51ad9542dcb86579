//! Audio on its way to the model takes no memory for each window: what is taken once is used again.
//!
//! Every allocation of this program is counted, so it is a single test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::alloc::System;
use std::path::{Path, PathBuf};

use bonafide::{Detector, resample};
use common::{Model, runtimes, speech};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn allocations<T>(work: impl FnOnce() -> T) -> usize {
    let region = Region::new(MEMORY);
    let done = work();
    let change = region.change();
    drop(done);
    change.allocations + change.reallocations
}

/// A WAV file at 44.1 kHz in stereo, of so much speech at 16 kHz.
fn stereo(folder: &Path, speech: &[f32]) -> PathBuf {
    let path = folder.join(format!("{}.wav", speech.len()));
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for sample in resample(speech, 16_000, 44_100).unwrap() {
        for _ in 0..2 {
            writer.write_sample((sample * 32_767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    path
}

/// What each further window of a clip costs beyond the first `few`.
fn each(detector: &Detector, few: usize, of: impl Fn(usize) -> usize) -> f64 {
    let hop = 32_000;
    let many = 3 * few;
    for windows in [few, many] {
        // What a runtime takes once, it has then.
        let score = detector.score(&vec![0.01; windows * hop]).unwrap();
        assert_eq!(score.windows.len(), windows);
    }
    (of(many) as f64 - of(few) as f64) / (many - few) as f64
}

#[test]
fn no_window_of_a_file_takes_more_than_a_run_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let speech = speech().repeat(20);
    for runtime in runtimes() {
        let model = Model::tiny();
        let detector = model.detector(runtime).sessions(1).intra_threads(1).build().unwrap();
        let clip = |windows: usize| &speech[..windows * 32_000];
        let of_runs = each(&detector, 20, |windows| {
            allocations(|| detector.score(clip(windows)).unwrap())
        });
        let of_file = each(&detector, 20, |windows| {
            let path = stereo(folder.path(), clip(windows));
            allocations(|| detector.score_file(path).unwrap())
        });
        println!("{runtime}: {of_runs} a window in memory, {of_file} of a file");
        assert!(of_runs >= 1.0, "a run takes at least its result");
        // A thread for each piece of eight windows, which decodes the next one, is less than one allocation a window. One for
        // each window beside that would be seen, and one for each block of the file is eighty.
        assert!((of_file - of_runs).abs() < 1.5, "{of_file} for {of_runs}");
    }
}
