//! Decoding and resampling.

use std::hint::black_box;
use std::io::Cursor;

use bonafide::{Audio, SAMPLE_RATE, resample};
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

criterion_group!(benches, resampling, decoding);
criterion_main!(benches);
