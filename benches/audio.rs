//! Decoding and resampling.
//!
//! `BONAFIDE_BENCH_AUDIO=call.flac` measures a file of your own, too, from the disk to what the model takes.

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;

use bonafide::{Audio, AudioReader, Resampler, SAMPLE_RATE, resample};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Ten seconds of speech at 16 kHz.
fn speech() -> Audio {
    Audio::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.wav")).expect("the fixture decodes")
}

fn resampling(c: &mut Criterion) {
    let speech = speech().to_mono();
    let mut group = c.benchmark_group("resample");
    for rate in [8_000, 11_025, 22_050, 24_000, 44_100, 48_000] {
        let samples = resample(&speech, SAMPLE_RATE, rate).expect("a supported rate");
        group.throughput(Throughput::Elements(samples.len() as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("{rate} Hz")),
            &samples,
            |b, samples| {
                b.iter(|| resample(black_box(samples), rate, SAMPLE_RATE));
            },
        );
    }
    group.finish();
}

/// 44.1 kHz stereo WAV, from bytes in memory to what the model takes.
fn decoding(c: &mut Criterion) {
    let samples = resample(&speech().to_mono(), SAMPLE_RATE, 44_100).expect("a supported rate");
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).expect("a valid format");
    for sample in &samples {
        for _ in 0..spec.channels {
            writer
                .write_sample((sample * 32_767.0) as i16)
                .expect("memory is writable");
        }
    }
    writer.finalize().expect("memory is writable");
    let wav = wav.into_inner();

    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(samples.len() as u64));
    group.bench_function("wav 44100 Hz stereo", |b| {
        b.iter(|| Audio::from_bytes(black_box(&wav[..])));
    });
    group.bench_function("wav 44100 Hz stereo, to model input", |b| {
        b.iter(|| Audio::from_bytes(black_box(&wav[..])).and_then(|audio| audio.to_model_input()));
    });
    group.finish();
}

/// A second of speech in each format, and a file of the caller's, piece by piece and brought to 16 kHz, as when a file is
/// scored.
fn formats(c: &mut Criterion) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    let fixture = |name: &str| (name.to_owned(), fixtures.join(name));
    let mut files = [
        "s16.wav",
        "speech.flac",
        "speech.mp3",
        "speech.ogg",
        "speech.m4a",
        "speech.aac",
    ]
    .map(fixture)
    .to_vec();
    files.extend(std::env::var_os("BONAFIDE_BENCH_AUDIO").map(|path| ("own".to_owned(), path.into())));

    let mut group = c.benchmark_group("file");
    for (name, path) in files {
        let read = || -> bonafide::Result<usize> {
            let mut reader = AudioReader::open(&path)?;
            let mut resampler = Resampler::new(reader.sample_rate(), SAMPLE_RATE)?;
            let channels = usize::from(reader.channels());
            let (mut block, mut out, mut samples) = (Vec::new(), Vec::new(), 0);
            while reader.next_block(&mut block)? {
                let mono: Vec<f32> = block
                    .chunks_exact(channels)
                    .map(|frame| frame.iter().sum::<f32>() / channels as f32)
                    .collect();
                resampler.push(&mono, &mut out)?;
                samples += out.len();
                block.clear();
                out.clear();
            }
            resampler.finish(&mut out)?;
            Ok(samples + out.len())
        };
        let samples = read().expect("the file decodes");
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(name, |b| b.iter(|| black_box(read())));
    }
    group.finish();
}

criterion_group!(benches, resampling, decoding, formats);
criterion_main!(benches);
