//! The figures of an evaluation, on 600,000 scores: as many as the largest public sets have.

use std::hint::black_box;

use bonafide::metrics::{Bootstrap, DetectionCost, LogisticCalibration, PavCalibration, Summary, Trials};
use criterion::{Criterion, criterion_group, criterion_main};

/// Two overlapping bells, by a generator that is noise enough.
fn scores() -> (Vec<f64>, Vec<f64>) {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    let mut bell = |count: usize, mean: f64| -> Vec<f64> {
        let score = |_| mean + 4.0 * (noise() + noise() + noise() - 1.5);
        (0..count).map(score).collect()
    };
    (bell(100_000, 2.0), bell(500_000, -2.0))
}

fn metrics(c: &mut Criterion) {
    let (bonafide, spoof) = scores();
    let trials = Trials::new(&bonafide, &spoof).expect("two classes of numbers");
    let cost = DetectionCost::default();
    let mut group = c.benchmark_group("metrics of 600,000 scores");
    group.sample_size(10);
    group.bench_function("sorting", |b| b.iter(|| Trials::new(black_box(&bonafide), &spoof)));
    group.bench_function("EER, ASVspoof", |b| b.iter(|| black_box(&trials).eer_asvspoof()));
    group.bench_function("EER, scikit-learn", |b| b.iter(|| black_box(&trials).eer_sklearn()));
    group.bench_function("EER, convex hull", |b| b.iter(|| black_box(&trials).eer_rocch()));
    group.bench_function("AUC", |b| b.iter(|| black_box(&trials).auc()));
    group.bench_function("min DCF", |b| b.iter(|| black_box(&trials).min_dcf(&cost)));
    group.bench_function("Cllr", |b| b.iter(|| black_box(&trials).cllr()));
    group.bench_function("min Cllr", |b| b.iter(|| black_box(&trials).min_cllr()));
    group.bench_function("logistic calibration", |b| {
        b.iter(|| LogisticCalibration::fit(black_box(&trials), 0.5));
    });
    group.bench_function("PAV calibration", |b| {
        b.iter(|| PavCalibration::fit(black_box(&trials)));
    });
    group.bench_function("all that a summary holds", |b| {
        b.iter(|| Summary::new(black_box(&trials), None));
    });
    let ten = Bootstrap::new(10, 0.95, 0).expect("a valid level");
    group.bench_function("10 bootstrap resamples", |b| {
        b.iter(|| ten.interval(black_box(&trials), |trials| trials.eer_asvspoof().rate));
    });
    group.finish();
}

criterion_group!(benches, metrics);
criterion_main!(benches);
