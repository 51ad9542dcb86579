//! Loading a model and scoring clips, on each runtime there is.
//!
//! `BONAFIDE_BENCH_MODEL=model.onnx cargo bench --bench detector` measures a model of your own; the default is the tests'
//! tiny stand-in, whose times say what the crate itself costs and nothing about a real model.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use bonafide::{Audio, Detector, Runtime};
use bonafide_export::{Options, export};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

/// The model to measure, and the folder it goes with.
fn model() -> (PathBuf, Option<TempDir>) {
    if let Some(path) = std::env::var_os("BONAFIDE_BENCH_MODEL") {
        return (path.into(), None);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("tiny.onnx");
    let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny/tiny.pt");
    export(checkpoint, &path, &Options::default(), &mut |_| {}).expect("the fixture exports");
    (path, Some(folder))
}

fn speech() -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.wav");
    let audio = Audio::read(path).expect("the fixture decodes");
    audio.to_model_input().expect("the fixture resamples")
}

/// The runtimes that the model loads on.
fn runtimes(model: &PathBuf) -> Vec<Runtime> {
    let loads = |runtime: &Runtime| Detector::builder().model(model).runtime(*runtime).build().is_ok();
    [Runtime::OnnxRuntime, Runtime::Rten]
        .into_iter()
        .filter(loads)
        .collect()
}

fn load(c: &mut Criterion) {
    let (model, _folder) = model();
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for runtime in runtimes(&model) {
        group.bench_function(BenchmarkId::from_parameter(runtime), |b| {
            b.iter(|| Detector::builder().model(black_box(&model)).runtime(runtime).build());
        });
    }
    group.finish();
}

fn score(c: &mut Criterion) {
    let (model, _folder) = model();
    let speech = speech();
    let mut group = c.benchmark_group("score");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for runtime in runtimes(&model) {
        let detector = Detector::builder()
            .model(&model)
            .runtime(runtime)
            .build()
            .expect("it loaded before");
        for seconds in [1, 4, 10] {
            let clip = &speech[..seconds * 16_000];
            group.throughput(Throughput::Elements(clip.len() as u64));
            group.bench_with_input(
                BenchmarkId::new(runtime.to_string(), format!("{seconds} s")),
                clip,
                |b, clip| {
                    b.iter(|| detector.score(black_box(clip)));
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, load, score);
criterion_main!(benches);
