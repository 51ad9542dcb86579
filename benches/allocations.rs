//! How often memory is taken for each further second of audio, and how much of it.
//!
//! `cargo bench --bench allocations` prints a table: the difference between a longer clip and a shorter one. What ONNX
//! Runtime takes within itself is not seen from here; `growth` tells how much memory a process has at most.

use std::alloc::System;
use std::error::Error;
use std::path::{Path, PathBuf};

use bonafide::{Audio, AudioReader, Detector, Resampler, Runtime, SAMPLE_RATE, Windowing, resample};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What some work took.
#[derive(Clone, Copy)]
struct Taken {
    times: f64,
    bytes: f64,
}

fn taken<T>(work: impl FnOnce() -> Result<T>) -> Result<Taken> {
    let region = Region::new(MEMORY);
    work()?;
    let change = region.change();
    Ok(Taken {
        times: (change.allocations + change.reallocations) as f64,
        bytes: (change.bytes_allocated as f64) + change.bytes_reallocated.max(0) as f64,
    })
}

fn main() -> Result<()> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folder = tempfile::tempdir()?;
    // Cargo says so when it benchmarks; otherwise this only has to show that it runs.
    let measuring = std::env::args().any(|argument| argument == "--bench");
    // Beyond the largest piece that a file is scored in.
    let (few, many) = if measuring { (80, 240) } else { (4, 8) };
    let (short, long) = (stereo(folder.path(), few)?, stereo(folder.path(), many)?);

    println!("\n| for each second of audio | times | bytes |\n|---|---:|---:|");
    let row = |work: &str, less: Taken, more: Taken, seconds: f64| {
        let times = (more.times - less.times) / seconds;
        println!("| {work} | {times:.1} | {:.0} |", (more.bytes - less.bytes) / seconds);
    };
    let by_length = |work: &str, take: &dyn Fn(&Path) -> Result<Taken>| -> Result<()> {
        // What is taken once in a process is no part of it.
        take(&short)?;
        row(work, take(&short)?, take(&long)?, f64::from(many - few));
        Ok(())
    };
    by_length("decode WAV, 44.1 kHz stereo", &|path| {
        taken(|| decode(path, usize::MAX))
    })?;
    by_length("resample it to 16 kHz", &|path| {
        let samples = Audio::read(path)?.to_mono();
        taken(|| resampled(&samples))
    })?;
    by_length("cut it into windows", &|path| {
        let samples = Audio::read(path)?.to_model_input()?;
        taken(|| {
            Ok(Windowing::default()
                .windows(&samples)
                .map(|window| window.valid)
                .sum::<usize>())
        })
    })?;
    for name in ["speech.flac", "speech.mp3", "speech.ogg", "speech.m4a", "speech.aac"] {
        let path = fixtures.join("audio").join(name);
        let seconds = Audio::read(&path)?.duration_seconds();
        let begun = taken(|| decode(&path, 1))?;
        row(
            &format!("decode {name}"),
            begun,
            taken(|| decode(&path, usize::MAX))?,
            seconds,
        );
    }
    for runtime in [Runtime::OnnxRuntime, Runtime::Rten] {
        let Ok(detector) = Detector::builder().runtime(runtime).build() else {
            continue;
        };
        by_length(&format!("score it in memory, {runtime}"), &|path| {
            let samples = Audio::read(path)?.to_model_input()?;
            taken(|| Ok(detector.score(&samples)?))
        })?;
        by_length(&format!("score its file, {runtime}"), &|path| {
            taken(|| Ok(detector.score_file(path)?))
        })?;
    }
    Ok(())
}

/// Decodes some blocks of a file.
fn decode(path: &Path, blocks: usize) -> Result<usize> {
    let mut reader = AudioReader::open(path)?;
    let mut block = Vec::new();
    let mut samples = 0;
    for _ in 0..blocks {
        if !reader.next_block(&mut block)? {
            break;
        }
        samples += block.len();
        block.clear();
    }
    Ok(samples)
}

/// From 44.1 kHz, a block at a time.
fn resampled(samples: &[f32]) -> Result<usize> {
    let mut resampler = Resampler::new(44_100, SAMPLE_RATE)?;
    let mut out = Vec::new();
    let mut count = 0;
    for block in samples.chunks(1024) {
        resampler.push(block, &mut out)?;
        count += out.len();
        out.clear();
    }
    resampler.finish(&mut out)?;
    Ok(count + out.len())
}

/// A WAV file at 44.1 kHz in stereo: the fixture's speech, again and again.
fn stereo(folder: &Path, seconds: u32) -> Result<PathBuf> {
    let path = folder.join(format!("{seconds}.wav"));
    let speech = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.wav");
    let speech = Audio::read(speech)?.to_model_input()?;
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&path, spec)?;
    let speech = resample(&speech, SAMPLE_RATE, spec.sample_rate)?;
    let samples = (seconds * spec.sample_rate) as usize;
    for sample in speech.iter().cycle().take(samples) {
        for _ in 0..spec.channels {
            writer.write_sample((sample * 32_767.0) as i16)?;
        }
    }
    writer.finalize()?;
    Ok(path)
}
