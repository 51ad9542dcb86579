//! Loading a model and scoring clips, on each runtime there is.
//!
//! By default the small network of `models/lite` is measured, in each precision. `BONAFIDE_BENCH_MODEL=model.onnx` measures
//! a model of your own, and leaves out clips that would take it too long.

use std::fmt;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bonafide::{Audio, Detector, DetectorBuilder, Runtime};
use bonafide_export::{Options, Precision, export};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tempfile::TempDir;

const WINDOW: usize = 64_000;
/// The most that one scoring may take to be measured.
const PATIENCE: Duration = Duration::from_secs(5);

/// The models to measure, the plainest first, and the folder they go with.
struct Models {
    models: Vec<(String, PathBuf)>,
    folder: TempDir,
}

impl Models {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        if let Some(path) = std::env::var_os("BONAFIDE_BENCH_MODEL") {
            return Self {
                models: vec![("own".to_owned(), path.into())],
                folder,
            };
        }
        let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/models/lite");
        let models = [Precision::F32, Precision::F16, Precision::Int8].map(|precision| {
            let path = folder.path().join(format!("{precision}.onnx"));
            let mut options = Options::default();
            options.precision = precision;
            export(checkpoint, &path, &options, &mut |_| {}).expect("the checkpoint exports");
            (precision.to_string(), path)
        });
        Self {
            models: models.into(),
            folder,
        }
    }

    fn plain(&self) -> &Path {
        &self.models[0].1
    }
}

fn builder(model: &Path, runtime: Runtime) -> DetectorBuilder {
    Detector::builder().model(model).runtime(runtime)
}

/// The runtimes that the model loads on.
fn runtimes(model: &Path) -> Vec<Runtime> {
    let loads = |runtime: &Runtime| builder(model, *runtime).build().is_ok();
    [Runtime::OnnxRuntime, Runtime::Rten]
        .into_iter()
        .filter(loads)
        .collect()
}

/// Speech of so many seconds: the fixture's ten, again and again.
fn speech(seconds: usize) -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/speech.wav");
    let audio = Audio::read(path).expect("the fixture decodes");
    let samples = audio.to_model_input().expect("the fixture resamples");
    samples.iter().copied().cycle().take(seconds * 16_000).collect()
}

/// Measures the scoring of a clip, unless it takes too long.
fn measure(c: &mut Criterion, group: &str, id: BenchmarkId, detector: &Detector, clip: &[f32]) {
    let start = Instant::now();
    detector
        .score(&clip[..WINDOW.min(clip.len())])
        .expect("the clip scores");
    let windows = clip.len().div_ceil(WINDOW / 2) as u32;
    if start.elapsed() * windows > PATIENCE {
        return;
    }
    let mut group = c.benchmark_group(group);
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(clip.len() as u64));
    group.bench_function(id, |b| b.iter(|| detector.score(black_box(clip))));
    group.finish();
}

fn id(runtime: Runtime, parameter: impl fmt::Display) -> BenchmarkId {
    BenchmarkId::new(runtime.to_string(), parameter)
}

fn load(c: &mut Criterion) {
    let models = Models::new();
    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    for runtime in runtimes(models.plain()) {
        for (name, model) in &models.models {
            group.bench_function(id(runtime, name), |b| b.iter(|| builder(model, runtime).build()));
        }
    }
    group.finish();
}

/// A window in each precision.
fn precision(c: &mut Criterion) {
    let models = Models::new();
    for runtime in runtimes(models.plain()) {
        for (name, model) in &models.models {
            let detector = builder(model, runtime).build().expect("it loaded before");
            measure(c, "precision", id(runtime, name), &detector, &speech(4));
        }
    }
}

fn length(c: &mut Criterion) {
    let models = Models::new();
    for runtime in runtimes(models.plain()) {
        let detector = builder(models.plain(), runtime).build().expect("it loaded before");
        for seconds in [1, 4, 10, 60, 600] {
            let id = id(runtime, format!("{seconds} s"));
            measure(c, "length", id, &detector, &speech(seconds));
        }
    }
}

/// A minute, with so many windows in a run.
fn batch(c: &mut Criterion) {
    let models = Models::new();
    for runtime in runtimes(models.plain()) {
        for windows in [1, 2, 4, 8] {
            let detector = builder(models.plain(), runtime).batch_size(windows).build();
            let detector = detector.expect("it loaded before");
            measure(c, "batch", id(runtime, windows), &detector, &speech(60));
        }
    }
}

/// A minute, with the cores shared out in different ways.
fn sessions(c: &mut Criterion) {
    let models = Models::new();
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for runtime in runtimes(models.plain()) {
        for (sessions, threads) in [(1, 1), (1, cores), (cores, 1), (cores, cores)] {
            let builder = builder(models.plain(), runtime).sessions(sessions);
            let detector = builder.intra_threads(threads).build().expect("it loaded before");
            let id = id(runtime, format!("{sessions} x {threads}"));
            measure(c, "sessions x threads", id, &detector, &speech(60));
        }
    }
}

/// Thirty-two clips of a window each: one after the other, and all at once.
fn files(c: &mut Criterion) {
    let models = Models::new();
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let samples = bonafide::resample(&speech(4), 16_000, spec.sample_rate).expect("a supported rate");
    let paths: Vec<PathBuf> = (0..32).map(|n| models.folder.path().join(format!("{n}.wav"))).collect();
    for path in &paths {
        let mut writer = hound::WavWriter::create(path, spec).expect("the folder is writable");
        for sample in &samples {
            let sample = (sample * 32_767.0) as i16;
            (0..2).for_each(|_| writer.write_sample(sample).expect("the file is writable"));
        }
        writer.finalize().expect("the file is writable");
    }
    let mut group = c.benchmark_group("32 files of 4 s");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for runtime in runtimes(models.plain()) {
        let build = |sessions| {
            builder(models.plain(), runtime)
                .sessions(sessions)
                .intra_threads(1)
                .build()
        };
        let one = build(1).expect("it loaded before");
        let start = Instant::now();
        one.score_file(&paths[0]).expect("the file scores");
        if start.elapsed() * 32 > PATIENCE {
            continue;
        }
        group.bench_function(id(runtime, "one by one, one thread"), |b| {
            b.iter(|| paths.iter().for_each(|path| drop(black_box(one.score_file(path)))));
        });
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let all = build(cores).expect("it loaded before");
        group.bench_function(id(runtime, "at once, a thread for each core"), |b| {
            b.iter(|| all.score_files(paths.clone()).for_each(|score| drop(black_box(score))));
        });
    }
    group.finish();
}

criterion_group!(benches, load, precision, length, batch, sessions, files);
criterion_main!(benches);
