//! Cutting clips into windows.

use std::hint::black_box;

use bonafide::Windows;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn windows(c: &mut Criterion) {
    let mut group = c.benchmark_group("windows");
    for seconds in [4, 60, 600] {
        let samples = vec![0.1_f32; seconds * 16_000];
        group.throughput(Throughput::Elements(samples.len() as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(format!("{seconds} s")),
            &samples,
            |b, samples| {
                b.iter(|| {
                    for window in Windows::new(black_box(samples)) {
                        black_box(window);
                    }
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, windows);
criterion_main!(benches);
