//! What a detector takes, refuses and tells, on every runtime there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bonafide::{
    Detector, DetectorBuilder, Error, ExecutionProvider, Label, Limits, MIN_SAMPLES, ModelMetadata, Normalization,
    Note, Runtime, Score, Tail,
};
use bonafide_export::Options;
use common::{Model, fixture, runtimes, speech};
use tempfile::TempDir;

#[test]
fn samples_and_the_file_they_came_from_score_alike() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        let from_samples = detector.score(&speech()).unwrap();
        assert_eq!(detector.score_file(fixture("speech.wav")).unwrap(), from_samples);
        assert_eq!(from_samples.duration_seconds, 10.09);
        assert_eq!(from_samples.windows.last().unwrap().end_seconds, 10.09);
        assert_eq!(from_samples.notes, []);
    }
}

#[test]
fn the_models_bytes_serve_as_well_as_its_file() {
    let model = Model::tiny();
    let bytes = std::fs::read(model.path()).unwrap();
    for runtime in runtimes() {
        let from_file = model.detector(runtime).build().unwrap();
        let from_bytes = Detector::builder()
            .model_bytes(bytes.clone())
            .runtime(runtime)
            .build()
            .unwrap();
        assert_eq!(
            from_bytes.score(&speech()).unwrap(),
            from_file.score(&speech()).unwrap()
        );
        assert_eq!(from_bytes.info().model, from_file.info().model);
        assert_eq!(from_bytes.info().model_path, None);
        assert_eq!(from_file.info().model_path, Some(model.path()));
    }
}

#[test]
fn the_threshold_decides_the_label() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let at = |threshold| {
            let detector = model.detector(runtime).threshold(threshold).build().unwrap();
            detector.score(&speech()[..64_000]).unwrap()
        };
        let probability = at(0.5).spoof_probability;
        assert!((0.1..0.9).contains(&probability));
        let strict = at(probability - 0.01);
        assert_eq!((strict.label, strict.confidence), (Label::Spoof, probability));
        let exact = at(probability);
        assert_eq!((exact.label, exact.confidence), (Label::Bonafide, 1.0 - probability));
    }
}

#[test]
fn a_smaller_hop_gives_more_windows() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let windows = |hop| {
            let detector = model.detector(runtime).hop(hop).build().unwrap();
            detector.score(&speech()[..96_000]).unwrap().windows
        };
        assert_eq!(windows(32_000).len(), 3);
        let fine = windows(8_000);
        assert_eq!(fine.len(), 6);
        // Windows at the same place score alike, whichever hop led there.
        assert_eq!(fine[4].start_seconds, windows(32_000)[1].start_seconds);
        assert!((fine[4].llr - windows(32_000)[1].llr).abs() < 1e-5);
    }
}

#[test]
fn the_tail_can_be_cut_otherwise() {
    let model = Model::tiny();
    let starts = |tail, samples: usize| {
        let detector = model.detector(Runtime::Auto).tail(tail).build().unwrap();
        let score = detector.score(&speech()[..samples])?;
        Ok::<_, Error>(
            score
                .windows
                .iter()
                .map(|window| window.start_seconds)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(starts(Tail::Pad, 96_000).unwrap(), [0.0, 2.0, 4.0]);
    assert_eq!(starts(Tail::PadIfNeeded, 96_000).unwrap(), [0.0, 2.0]);
    assert_eq!(starts(Tail::Drop, 100_000).unwrap(), [0.0, 2.0]);
    assert!(matches!(
        starts(Tail::Drop, 63_999),
        Err(Error::AudioTooShort {
            expected: 64_000,
            found: 63_999,
            ..
        })
    ));
}

#[test]
fn one_detector_serves_many_threads() {
    let model = Model::tiny();
    let speech = Arc::new(speech());
    for runtime in runtimes() {
        for sessions in [1, 3] {
            let detector = Arc::new(model.detector(runtime).sessions(sessions).build().unwrap());
            let expected = detector.score(&speech).unwrap();
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (detector, speech) = (Arc::clone(&detector), Arc::clone(&speech));
                    std::thread::spawn(move || detector.score(&speech).unwrap())
                })
                .collect();
            for thread in threads {
                let score = thread.join().unwrap();
                assert!(
                    (score.llr - expected.llr).abs() < 1e-5,
                    "{runtime}, {sessions} sessions"
                );
            }
        }
    }
}

#[test]
fn a_thousand_calls_from_64_threads_score_as_one_at_a_time() {
    const CALLS: usize = 1_000;
    let mut options = Options::default();
    options.window_samples = 8_000;
    let model = Model::export("tiny.pt", &options);
    let speech = speech();
    let clips: Vec<&[f32]> = (0..20).map(|n| &speech[4_000 * n..][..5_000 + 300 * n]).collect();
    for runtime in runtimes() {
        let detector = model.detector(runtime).sessions(2).build().unwrap();
        let expected: Vec<Score> = clips.iter().map(|clip| detector.score(clip).unwrap()).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    while let call @ ..CALLS = next.fetch_add(1, Ordering::Relaxed) {
                        let clip = call % clips.len();
                        let score = detector.score(clips[clip]).unwrap();
                        assert_eq!(score, expected[clip], "{runtime}, call {call}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_model_that_is_replaced_goes_on_being_used_as_it_was() {
    let mut options = Options::default();
    for external in [false, true] {
        options.external_data_above = if external { 0 } else { u64::MAX };
        for runtime in runtimes() {
            let model = Model::export("tiny.pt", &options);
            let detector = model.detector(runtime).build().unwrap();
            let before = detector.score(&speech()).unwrap();
            let weights = model.path().with_added_extension("data");
            assert_eq!(weights.exists(), external);
            for path in [model.path(), weights] {
                // As the exporter does it, and everyone should.
                let other = path.with_file_name("other");
                std::fs::write(&other, "not a model").unwrap();
                std::fs::rename(other, &path).unwrap();
                assert_eq!(detector.score(&speech()).unwrap(), before, "{runtime}");
                std::fs::remove_file(path).unwrap();
                assert_eq!(detector.score(&speech()).unwrap(), before, "{runtime}");
            }
            assert!(model.detector(runtime).build().is_err());
        }
    }
}

#[test]
fn a_model_that_is_replaced_while_it_is_loaded_is_one_or_the_other() {
    let mut options = Options::default();
    let long = Model::export("tiny.pt", &options);
    options.window_samples = 16_000;
    let short = Model::export("tiny.pt", &options);
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("model.onnx"), folder.path().join("next.onnx"));
    for runtime in runtimes() {
        for delay in (0..40).map(|step| Duration::from_micros(100 * step)) {
            std::fs::copy(long.path(), &path).unwrap();
            std::fs::copy(short.path(), &next).unwrap();
            let built = std::thread::scope(|scope| {
                let building = scope.spawn(|| Detector::builder().model(&path).runtime(runtime).build());
                std::thread::sleep(delay);
                std::fs::rename(&next, &path).unwrap();
                building.join().unwrap()
            });
            match built {
                Ok(detector) => {
                    let windows = detector.score(&speech()[..64_000]).unwrap().windows.len();
                    let expected = if detector.info().model.window_samples.get() == 64_000 {
                        1
                    } else {
                        8
                    };
                    assert_eq!(windows, expected);
                }
                Err(Error::InvalidModel { reason, .. }) => assert!(reason.contains("replaced"), "{reason}"),
                Err(error) => panic!("{runtime}: {error}"),
            }
        }
    }
}

#[test]
fn audio_that_cannot_be_scored_is_a_typed_error() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        let score = |samples: &[f32]| detector.score(samples).unwrap_err();
        assert!(matches!(score(&[]), Error::EmptyAudio { path: None }));
        assert!(matches!(
            score(&[0.1; MIN_SAMPLES - 1]),
            Error::AudioTooShort { expected: MIN_SAMPLES, found, path: None } if found == MIN_SAMPLES - 1
        ));
        let with = |value: f32| {
            let mut samples = vec![0.1; 1000];
            samples[700] = value;
            samples
        };
        assert!(matches!(score(&with(f32::NAN)), Error::NotFinite { index: 700, .. }));
        assert!(matches!(
            score(&with(f32::NEG_INFINITY)),
            Error::NotFinite { index: 700, .. }
        ));
        assert!(matches!(
            score(&with(-12_345.0)),
            Error::Amplitude {
                index: 700,
                value: -12_345.0,
                ..
            }
        ));
        assert!(detector.score(&[0.1; MIN_SAMPLES]).is_ok());
    }
}

#[test]
fn errors_about_a_files_samples_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short.wav");
    let bytes = std::fs::read(fixture("speech.wav")).unwrap();
    // 182 frames, and a header that says so.
    let mut short = bytes[..44 + 2 * 182].to_vec();
    short[40..44].copy_from_slice(&364_u32.to_le_bytes());
    std::fs::write(&path, short).unwrap();
    let error = Model::tiny()
        .detector(Runtime::Auto)
        .build()
        .unwrap()
        .score_file(&path)
        .unwrap_err();
    assert!(
        matches!(&error, Error::AudioTooShort { path: Some(p), found: 182, .. } if *p == path),
        "{error}"
    );
    assert!(error.to_string().contains("short.wav"), "{error}");
}

/// A piece of a long file is decoded while the one before it is scored: of two faults the first one is told.
#[test]
fn the_first_fault_of_a_long_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.wav");
    let samples: Vec<f32> = (0..100 * 16_000).map(|n| (n % 100) as f32 / 1000.0).collect();
    let write = |faults: &[usize]| {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for (n, &sample) in samples.iter().enumerate() {
            let sample = if faults.contains(&n) { f32::NAN } else { sample };
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        // Until its end, wherever that is: no header tells that it is too long.
        let mut bytes = std::fs::read(&path).unwrap();
        let data = bytes.windows(4).position(|name| name == b"data").unwrap();
        bytes[data + 4..data + 8].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
    };
    let model = Model::tiny();
    let mut limits = Limits::default();
    limits.max_seconds = 60;
    for runtime in runtimes() {
        let detector = model.detector(runtime).sessions(1);
        let limited = detector.clone().limits(limits).build().unwrap();
        let detector = detector.build().unwrap();
        write(&[]);
        let score = detector.score_file(&path).unwrap();
        assert_eq!(score.windows.len(), 50);
        assert_eq!(score, detector.score(&samples).unwrap());
        let error = limited.score_file(&path).unwrap_err();
        assert!(matches!(error, Error::AudioTooLong { limit: 60, .. }), "{error}");
        for faults in [&[3 * 16_000, 40 * 16_000][..], &[50 * 16_000], &[99 * 16_000]] {
            write(faults);
            let error = detector.score_file(&path).unwrap_err();
            assert!(
                matches!(&error, Error::NotFinite { path: Some(p), index, .. } if *p == path && *index == faults[0]),
                "{error}"
            );
            // Where it is before the limit, it comes before it.
            let error = limited.score_file(&path).unwrap_err();
            assert_eq!(
                matches!(error, Error::AudioTooLong { .. }),
                faults[0] > 48 * 16_000,
                "{error}"
            );
        }
    }
}

#[test]
fn silence_scores_with_a_note() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        let score = detector.score(&[0.0; 8_000]).unwrap();
        assert_eq!(score.notes, [Note::TooShort, Note::DigitalSilence, Note::NoSpeech]);
        assert!(score.llr.is_finite());
    }
}

#[test]
fn windows_are_spread_over_the_sessions_and_stay_in_order() {
    let model = Model::tiny();
    let speech = speech().repeat(3);
    for runtime in runtimes() {
        let build = |sessions: usize, batch: usize| {
            let builder = model.detector(runtime).sessions(sessions).intra_threads(1);
            builder.batch_size(batch).build().unwrap()
        };
        let expected = build(1, 1).score(&speech).unwrap();
        assert!(expected.windows.len() > 10);
        for (sessions, batch) in [(2, 1), (3, 2), (50, 1)] {
            let score = build(sessions, batch).score(&speech).unwrap();
            assert_eq!(score.windows.len(), expected.windows.len());
            for (found, expected) in score.windows.iter().zip(&expected.windows) {
                assert_eq!(found.start_seconds, expected.start_seconds);
                assert!(
                    (found.llr - expected.llr).abs() < 1e-5,
                    "{runtime}, {sessions} sessions"
                );
            }
        }
    }
}

#[test]
fn sessions_and_threads_are_chosen_by_what_is_given() {
    let model = Model::tiny();
    let cores = std::thread::available_parallelism().unwrap().get();
    for runtime in runtimes() {
        let chosen = |builder: DetectorBuilder| {
            let detector = builder.build().unwrap();
            (detector.info().sessions, detector.info().intra_threads)
        };
        // A small model: a thread in each of several sessions, which together are no more than the cores.
        let (sessions, threads) = chosen(model.detector(runtime));
        assert!(
            (1..=8).contains(&sessions) && sessions * threads <= cores,
            "{sessions} x {threads}"
        );
        // What is given stands.
        assert_eq!(chosen(model.detector(runtime).intra_threads(3)), (1, 3));
        assert_eq!(chosen(model.detector(runtime).sessions(3).intra_threads(2)), (3, 2));
        assert_eq!(chosen(model.detector(runtime).sessions(50)), (50, (cores / 50).max(1)));
    }
}

#[test]
fn info_tells_what_is_in_use() {
    let model = Model::tiny();
    for runtime in runtimes() {
        let detector = model
            .detector(runtime)
            .sessions(2)
            .intra_threads(1)
            .batch_size(4)
            .build()
            .unwrap();
        let info = detector.info();
        assert_eq!(info.runtime, runtime);
        assert_eq!((info.sessions, info.intra_threads, info.batch_size), (2, 1, 4));
        assert_eq!(info.provider, ExecutionProvider::Cpu);
        assert_eq!(info.fallback, None);
        assert_eq!(info.library.is_some(), runtime == Runtime::OnnxRuntime);
        assert_eq!(info.to_string(), format!("{runtime} {} cpu", info.runtime_version));
        assert!(
            info.runtime_version.starts_with(|c: char| c.is_ascii_digit()),
            "{}",
            info.runtime_version
        );
        assert_eq!(info.model.architecture.as_deref(), Some("wav2vec2"));
        assert_eq!(info.model.epoch, Some(9));
        assert_eq!(info.model.dev_eer, Some(0.5));
        assert_eq!(info.model.source_file.as_deref(), Some("tiny.pt"));
        assert_eq!(info.model.source_sha256.as_ref().map(String::len), Some(64));
    }
}

#[test]
fn settings_outside_their_range_are_refused() {
    let model = Model::tiny();
    let builder = || model.detector(Runtime::Auto);
    for (builder, setting) in [
        (builder().threshold(1.5), "threshold"),
        (builder().threshold(f32::NAN), "threshold"),
        (builder().hop(0), "hop"),
        (builder().batch_size(0), "batch_size"),
        (builder().sessions(0), "sessions"),
        (builder().intra_threads(0), "intra_threads"),
    ] {
        let error = builder.build().unwrap_err();
        assert!(
            matches!(error, Error::Setting { setting: s, .. } if s == setting),
            "{setting}: {error}"
        );
    }
    if cfg!(not(feature = "embedded-model")) {
        assert!(matches!(Detector::builder().build(), Err(Error::NoModel)));
    }
}

#[test]
fn a_gpu_that_cannot_be_had_is_an_error_unless_the_processor_is_allowed() {
    let model = Model::tiny();
    let gpus = [
        ExecutionProvider::Cuda { device: 0 },
        ExecutionProvider::TensorRt {
            device: 0,
            engine_cache: Some(std::env::temp_dir()),
        },
    ];
    for runtime in runtimes() {
        for gpu in &gpus {
            let builder = || {
                model
                    .detector(runtime)
                    .execution_provider(gpu.clone())
                    .gpu_memory_limit(1 << 30)
            };
            if let Ok(detector) = builder().build() {
                // A machine that has the GPU: it must really be in use.
                assert_eq!(detector.info().provider, *gpu);
                continue;
            }
            let error = builder().build().unwrap_err();
            assert!(
                matches!(&error, Error::ProviderUnavailable { provider, .. } if provider == gpu),
                "{error}"
            );

            let detector = builder().allow_cpu_fallback().build().unwrap();
            assert_eq!(detector.info().provider, ExecutionProvider::Cpu);
            let reason = detector.info().fallback.clone().unwrap();
            assert!(reason.contains(&gpu.to_string()), "{reason}");
            assert!(detector.score(&speech()).is_ok());
        }
    }
}

#[test]
fn a_library_that_is_named_and_does_not_load_is_an_error() {
    let model = Model::tiny();
    let not_a_library = fixture("speech.wav");
    for runtime in [Runtime::Auto, Runtime::OnnxRuntime] {
        let built = model.detector(runtime).onnxruntime_library(&not_a_library).build();
        match built.unwrap_err() {
            Error::OnnxRuntimeNotFound { tried } => assert_eq!(tried[0].0, not_a_library),
            // Another test of this process has loaded the real one.
            Error::OnnxRuntimeLoaded { requested, .. } => assert_eq!(requested, not_a_library),
            Error::RuntimeDisabled { .. } if cfg!(not(feature = "load-dynamic")) => {}
            error => panic!("{error}"),
        }
    }
}

/// A folder with `bytes` in a file.
fn file(bytes: &[u8]) -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn open(path: &Path, runtime: Runtime) -> Error {
    Detector::builder().model(path).runtime(runtime).build().unwrap_err()
}

#[test]
fn a_cut_off_model_is_refused_wherever_it_is_cut() {
    let bytes = std::fs::read(Model::tiny().path()).unwrap();
    for runtime in runtimes() {
        for len in (0..bytes.len()).step_by(997) {
            let (_folder, path) = file(&bytes[..len]);
            let error = open(&path, runtime);
            assert!(
                matches!(error, Error::InvalidModel { .. }),
                "{len} bytes, {runtime}: {error}"
            );
        }
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for runtime in runtimes() {
        assert!(matches!(open(folder.path(), runtime), Error::Read { .. }));
        assert!(matches!(
            open(&folder.path().join("missing.onnx"), runtime),
            Error::Read { .. }
        ));
        for bytes in [
            &b""[..],
            b"not a model",
            &[0xff; 1000],
            &std::fs::read(fixture("speech.wav")).unwrap(),
        ] {
            let (_folder, path) = file(bytes);
            let error = open(&path, runtime);
            assert!(matches!(error, Error::InvalidModel { .. }), "{error}");
        }
    }
}

#[test]
fn damaged_models_never_panic() {
    let bytes = std::fs::read(Model::tiny().path()).unwrap();
    // Weights are most of the file, and any weight is valid: damage the nodes and the metadata around them too.
    let places = (0..2_000).chain((2_000..bytes.len()).step_by(1_801));
    for place in places.step_by(7) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        // rten alone, as a C++ runtime may do what it likes with a hostile graph: see the crate's documentation.
        if let Ok(detector) = Detector::builder().model_bytes(damaged).runtime(Runtime::Rten).build() {
            let _ = detector.score(&speech()[..8_000]);
        }
    }
}

#[test]
fn a_graph_that_makes_no_sense_is_an_error() {
    let mut bytes = std::fs::read(Model::tiny().path()).unwrap();
    // The first axis of the first transpose, 0, becomes 2, which is there twice then. rten itself panics on it.
    let name = b"\x0a\x04perm\x40\x00";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
    bytes[at + name.len() - 1] = 2;
    for runtime in runtimes() {
        let built = Detector::builder().model_bytes(bytes.clone()).runtime(runtime).build();
        let error = built.and_then(|detector| detector.score(&speech())).unwrap_err();
        assert!(matches!(error, Error::Runtime { .. }), "{runtime}: {error}");
    }
}

#[test]
fn metadata_is_obeyed_and_must_make_sense() {
    let bytes = std::fs::read(Model::tiny().path()).unwrap();
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len(), "lengths are part of the file");
        let at = bytes
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap();
        let mut bytes = bytes.clone();
        bytes[at..][..to.len()].copy_from_slice(to.as_bytes());
        Detector::builder().model_bytes(bytes).build()
    };
    let straight = Detector::builder()
        .model_bytes(bytes.clone())
        .build()
        .unwrap()
        .score(&speech())
        .unwrap();
    let swapped = replaced("bonafide,spoof", "spoof,bonafide")
        .unwrap()
        .score(&speech())
        .unwrap();
    assert!((straight.spoof_probability - swapped.bonafide_probability).abs() < 1e-5);
    assert!((straight.llr + swapped.llr).abs() < 1e-5);

    for (from, to, key) in [
        ("bonafide,spoof", "LABEL_0,LABEL_", "labels"),
        ("16000", "44100", "sample_rate"),
        ("none", "nope", "normalization"),
    ] {
        let error = replaced(from, to).unwrap_err();
        assert!(
            matches!(&error, Error::ModelMetadata { key: k, .. } if *k == key),
            "{error}"
        );
    }
    let error = replaced("bonafide.labels", "bonafide.lapels").unwrap_err();
    assert!(
        matches!(error, Error::ModelMetadataMissing { key: "labels" }),
        "{error}"
    );
    // The window that the metadata names must be the one that the graph takes.
    let error = replaced("64000", "48000").unwrap_err();
    assert!(matches!(error, Error::ModelSignature { what: "input", .. }), "{error}");
}

#[test]
fn metadata_from_the_caller_replaces_the_models() {
    let model = Model::tiny();
    let mut metadata = ModelMetadata::default();
    metadata.labels = [Label::Spoof, Label::Bonafide];
    let as_exported = model.detector(Runtime::Auto).build().unwrap().score(&speech()).unwrap();
    let swapped = model
        .detector(Runtime::Auto)
        .metadata(metadata)
        .build()
        .unwrap()
        .score(&speech())
        .unwrap();
    assert!((as_exported.llr + swapped.llr).abs() < 1e-5);
}

#[test]
fn a_model_that_wants_normalised_windows_gets_them() {
    let model = Model::tiny();
    let mut metadata = ModelMetadata::default();
    metadata.normalization = Normalization::ZeroMeanUnitVariance;
    let window: Vec<f32> = speech()[..64_000].iter().map(|sample| 0.5 * sample + 0.1).collect();
    let mean = window.iter().sum::<f32>() / 64_000.0;
    let variance = window.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 64_000.0;
    let normalised: Vec<f32> = window.iter().map(|x| (x - mean) / (variance + 1e-7).sqrt()).collect();
    for runtime in runtimes() {
        let raw = model.detector(runtime).build().unwrap();
        let normalising = model.detector(runtime).metadata(metadata.clone()).build().unwrap();
        let expected = raw.score(&normalised).unwrap().llr;
        let found = normalising.score(&window).unwrap().llr;
        assert!((found - expected).abs() < 1e-3, "{found}, expected {expected}");
        assert!(
            (raw.score(&window).unwrap().llr - expected).abs() > 0.01,
            "the model tells them apart"
        );
    }
}

#[test]
fn a_model_with_another_window_is_used_as_it_says() {
    let mut options = Options::default();
    options.window_samples = 16_000;
    let model = Model::export("tiny.pt", &options);
    for runtime in runtimes() {
        let detector = model.detector(runtime).build().unwrap();
        assert_eq!(detector.score(&speech()[..32_000]).unwrap().windows.len(), 4);
    }
}
