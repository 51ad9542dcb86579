//! Whole runs at toy scale: two dozen short synthetic clips and networks of a few thousand parameters.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[cfg(unix)]
#[path = "../../tests/common/full_disk.rs"]
mod full_disk;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide::metrics::Trials;
use bonafide::{Detector, Runtime};
use bonafide_export::checkpoint::Checkpoint;
use bonafide_train::{
    Augmentation, Balance, Best, Epoch, Error, Report, Settings, Stage, average, join, narrow, train,
};
use common::small_wav2vec2;
use tempfile::TempDir;

/// A voice of sorts: ten harmonics whose pitch and loudness sway; a spoof's don't.
fn clip(path: &Path, number: u32, spoof: bool, seconds: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    let mut phase = 0.0_f32;
    for n in 0..(seconds * 16_000.0) as u32 {
        let time = n as f32 / 16_000.0;
        let sway = if spoof {
            0.0
        } else {
            (time * 30.0 + number as f32).sin()
        };
        phase += (110.0 + 7.0 * number as f32) * (1.0 + 0.1 * sway) / 16_000.0;
        let sample: f32 = (1..=10)
            .map(|k| (std::f32::consts::TAU * phase * k as f32).sin() / k as f32)
            .sum();
        writer
            .write_sample((6_000.0 * sample * (1.0 + 0.6 * sway)) as i16)
            .unwrap();
    }
    writer.finalize().unwrap();
}

/// A folder with clips, their lists and a network's shape.
fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (list, numbers) in [("train.tsv", 0..12), ("dev.tsv", 12..20)] {
        let mut rows = "file\tlabel\tsource\tspeaker\n".to_owned();
        for number in numbers {
            let spoof = number % 2 == 1;
            let name = format!("{number}.wav");
            // One is longer than a window.
            let seconds = if number % 6 == 5 { 4.5 } else { 1.0 };
            clip(&folder.path().join(&name), number, spoof, seconds);
            let label = if spoof { "spoof" } else { "bonafide" };
            rows += &format!("{name}\t{label}\ttone\tnobody\n");
        }
        fs::write(folder.path().join(list), rows).unwrap();
    }
    fs::write(folder.path().join("config.json"), small_wav2vec2().to_string()).unwrap();
    folder
}

fn settings(data: &TempDir, stage: Stage, out: &str) -> Settings {
    let file = |name: &str| data.path().join(name);
    let mut settings = Settings::new(stage, file("train.tsv"), file("dev.tsv"), file(out));
    settings.quiet = true;
    settings.batch = 4;
    settings.epochs = 2;
    if stage == Stage::Scratch {
        settings.config = Some(file("config.json"));
    }
    settings
}

fn best(settings: &Settings) -> PathBuf {
    settings.out.join("best")
}

/// A network after one epoch from nothing, for stages to start from.
fn beginning(data: &TempDir, out: &str, seed: u64) -> PathBuf {
    let mut scratch = settings(data, Stage::Scratch, out);
    (scratch.epochs, scratch.seed) = (1, seed);
    train(&scratch).unwrap();
    best(&scratch)
}

/// The files of a run's best checkpoint, by name.
fn bytes(settings: &Settings) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(best(settings)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

/// A checkpoint's model, which is put beside its folder.
fn detector(checkpoint: &Path) -> Detector {
    let model = checkpoint.with_extension("onnx");
    bonafide_export::export(checkpoint, &model, &bonafide_export::Options::default(), &mut |_| {}).unwrap();
    Detector::builder()
        .model(&model)
        .runtime(Runtime::Rten)
        .build()
        .unwrap()
}

/// Scores the development clips with the exported checkpoint, and expects what training wrote of its best epoch.
fn expect_scores(data: &TempDir, settings: &Settings, report: &Report) {
    let detector = detector(&best(settings));
    let mut llrs = [Vec::new(), Vec::new()];
    let mut losses = Vec::new();
    for number in 12..20 {
        let spoof = number % 2 == 1;
        let score = detector.score_file(data.path().join(format!("{number}.wav"))).unwrap();
        llrs[usize::from(spoof)].push(f64::from(score.llr));
        let margins = score
            .windows
            .iter()
            .map(|window| if spoof { -window.llr } else { window.llr });
        // Both labels have as many clips, so their weights are 1.
        losses.extend(margins.map(|margin| (-f64::from(margin)).exp().ln_1p()));
    }
    let epoch = report.log.iter().rfind(|epoch| epoch.best).unwrap();
    let loss = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(
        (loss - epoch.dev_loss).abs() < 1e-4,
        "{loss}, training had {}",
        epoch.dev_loss
    );
    assert_eq!(
        Trials::new(&llrs[0], &llrs[1]).unwrap().eer_asvspoof().rate,
        epoch.dev_clip_eer
    );
}

#[test]
fn from_nothing_through_both_stages_to_a_score() {
    let data = data();
    let mut scratch = settings(&data, Stage::Scratch, "scratch");
    scratch.learning_rate = 3e-3;
    let report = train(&scratch).unwrap();
    assert_eq!(report.log.len(), 2);
    expect_scores(&data, &scratch, &report);

    let mut stage1 = settings(&data, Stage::Stage1, "stage1");
    stage1.from = Some(best(&scratch));
    let report = train(&stage1).unwrap();
    assert_eq!(report.trained, 2 * 16 + 2);
    assert!(report.runtime.is_some());
    expect_scores(&data, &stage1, &report);

    for (out, frozen_norm, trained) in [("stage2", false, 3_986), ("stage2-frozen-norm", true, 3_954)] {
        let mut stage2 = settings(&data, Stage::Stage2, out);
        stage2.from = Some(best(&stage1));
        stage2.learning_rate = 1e-3;
        stage2.frozen_norm = frozen_norm;
        let report = train(&stage2).unwrap();
        assert_eq!(report.trained, trained, "{out}");
        expect_scores(&data, &stage2, &report);
        for name in [
            "config.json",
            "preprocessor_config.json",
            "training.json",
            "model.safetensors",
        ] {
            assert!(best(&stage2).join(name).is_file(), "{name}");
        }
        let svg = fs::read_to_string(stage2.out.join("curves.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("Equal error rate"));
        assert_eq!(
            fs::read_to_string(stage2.out.join("log.jsonl"))
                .unwrap()
                .lines()
                .count(),
            2
        );
    }
}

/// The cached way and the plain way are the same recipe: with one variant of noise per epoch, they come to the same
/// weights but for rounding.
#[test]
fn the_cache_changes_nothing_but_the_time() {
    let data = data();
    let from = beginning(&data, "scratch", 42);
    let run = |out: &str, cache: bool| {
        let mut stage2 = settings(&data, Stage::Stage2, out);
        stage2.from = Some(from.clone());
        stage2.learning_rate = 1e-3;
        stage2.cache = cache;
        train(&stage2).unwrap()
    };
    let (cached, plain) = (run("cached", true), run("plain", false));
    for (cached, plain) in cached.log.iter().zip(&plain.log) {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4 * b.abs(), "{a} {b}");
        near(cached.train_loss, plain.train_loss);
        near(cached.dev_loss, plain.dev_loss);
        near(cached.gradient_norm, plain.gradient_norm);
    }
    assert!(cached.runtime.is_some() && plain.runtime.is_none());
}

#[test]
fn a_run_that_was_interrupted_comes_to_the_same_bytes() {
    let data = data();
    let lite = serde_json::json!({
        "model_type": "bonafide-lite", "frame_hop": 512, "stem_channels": 4, "stem_stride": [4, 4], "squeeze": 2,
        "stages": [{"channels": 6, "blocks": 1, "stride": [2, 2]}], "attention_size": 4,
    });
    fs::write(data.path().join("lite.json"), lite.to_string()).unwrap();
    for config in ["config.json", "lite.json"] {
        let with = |out: &str| {
            let mut settings = settings(&data, Stage::Scratch, &format!("{config}-{out}"));
            settings.config = Some(data.path().join(config));
            settings.mixup = 0.4;
            settings.crop = (config == "lite.json").then_some(0.5);
            settings
        };
        let whole = with("whole");
        let uninterrupted = train(&whole).unwrap();
        expect_scores(&data, &whole, &uninterrupted);

        let mut stopped = with("stopped");
        for steps in [2, 3] {
            stopped.stop_after = Some(steps);
            assert!(matches!(train(&stopped), Err(Error::Stopped(_))), "{config}");
        }
        stopped.stop_after = None;
        let resumed = train(&stopped).unwrap();
        assert!(bytes(&whole) == bytes(&stopped), "{config}");
        for (a, b) in uninterrupted.log.iter().zip(&resumed.log) {
            assert_eq!(
                (a.train_loss, a.dev_loss, a.dev_eer),
                (b.train_loss, b.dev_loss, b.dev_eer)
            );
        }
        // A run that is over stays as it is.
        assert_eq!(train(&stopped).unwrap().log, resumed.log);

        stopped.seed = 7;
        let message = train(&stopped).unwrap_err().to_string();
        assert!(message.contains("seed: 42 there, 7 now"), "{message}");
    }
}

#[test]
fn a_run_goes_on_with_the_same_data_only() {
    let data = data();
    let file = |name: &str| data.path().join(name);
    let mut scratch = settings(&data, Stage::Scratch, "scratch");
    scratch.stop_after = Some(1);
    assert!(matches!(train(&scratch), Err(Error::Stopped(1))));

    let refuses = |settings: &Settings, what: &str| {
        let message = train(settings).unwrap_err().to_string();
        assert!(message.contains(&format!("{what} changed since")), "{message}");
    };
    let samples = fs::read(file("3.wav")).unwrap();
    clip(&file("3.wav"), 5, true, 1.0);
    refuses(&scratch, "what --train names");
    fs::write(file("3.wav"), samples).unwrap();

    let rows = fs::read_to_string(file("dev.tsv")).unwrap();
    let swapped = rows
        .replace("spoof", "?")
        .replace("bonafide", "spoof")
        .replace('?', "bonafide");
    fs::write(file("dev.tsv"), swapped).unwrap();
    refuses(&scratch, "what --dev names");
    fs::write(file("dev.tsv"), rows).unwrap();

    scratch.stop_after = None;
    assert_eq!(train(&scratch).unwrap().log.len(), 2);

    // The weights that a stage leaves as they are aren't part of its state.
    let mut stage1 = settings(&data, Stage::Stage1, "stage1");
    stage1.from = Some(best(&scratch));
    stage1.stop_after = Some(1);
    assert!(matches!(train(&stage1), Err(Error::Stopped(1))));
    let other = beginning(&data, "other", 7);
    fs::remove_dir_all(best(&scratch)).unwrap();
    fs::rename(other, best(&scratch)).unwrap();
    refuses(&stage1, "the network to start from");
}

/// What was cached for a run whose state is gone is not used where the augmentation is another.
#[test]
fn the_cache_is_of_the_augmentation() {
    let data = data();
    let from = beginning(&data, "scratch", 42);
    let run = |out: &str, calls: f64| {
        let mut stage2 = settings(&data, Stage::Stage2, out);
        stage2.from = Some(from.clone());
        stage2.augmentation = Augmentation::Strong {
            noise: None,
            babble: None,
            rooms: None,
        };
        (stage2.epochs, stage2.calls) = (1, calls);
        let loss = train(&stage2).unwrap().log[0].train_loss;
        fs::remove_file(stage2.out.join("state.safetensors")).unwrap();
        loss
    };
    let (none, all) = (run("one", 0.0), run("other", 1.0));
    assert!((none - all).abs() > 1e-6, "{none} {all}");
    let again = run("one", 1.0);
    assert!((again - all).abs() < 1e-9, "{again} {all}");
}

/// Nothing changes for speakers of both labels; the others' windows are recorded first, and weigh what is said.
#[test]
fn speakers_with_one_label_are_apart() {
    let data = data();
    let run = |out: &str, lone: Option<f32>| {
        let mut scratch = settings(&data, Stage::Scratch, out);
        (scratch.epochs, scratch.lone_speakers) = (1, lone);
        train(&scratch).unwrap().log[0].train_loss
    };
    let (without, with) = (run("1", None), run("2", Some(0.5)));
    assert!((without - with).abs() < 1e-9, "{without} {with}");

    let list = data.path().join("train.tsv");
    let rows = fs::read_to_string(&list).unwrap();
    let alone = rows.replace("\n3.wav\tspoof\ttone\tnobody", "\n3.wav\tspoof\ttone\tmachine");
    assert_ne!(rows, alone);
    fs::write(&list, alone).unwrap();
    let (without, recorded, lighter) = (run("3", None), run("4", Some(1.0)), run("5", Some(0.5)));
    for (one, other) in [(without, recorded), (recorded, lighter), (without, lighter)] {
        assert!((one - other).abs() > 1e-6, "{one} {other}");
    }
}

#[test]
fn the_best_epoch_has_the_least_of_what_decides() {
    let data = data();
    let run = |best: Best| {
        let mut settings = settings(&data, Stage::Scratch, &format!("{best:?}"));
        (settings.epochs, settings.best) = (6, best);
        let report = train(&settings).unwrap();
        expect_scores(&data, &settings, &report);
        report
    };
    let (by_eer, by_loss) = (run(Best::Eer), run(Best::Loss));
    for (report, of) in [
        (&by_eer, (|epoch| epoch.dev_eer) as fn(&Epoch) -> f64),
        (&by_loss, |epoch| epoch.dev_loss),
    ] {
        let mut least = f64::INFINITY;
        for epoch in &report.log {
            assert_eq!(epoch.best, of(epoch) < least, "epoch {}", epoch.epoch);
            least = least.min(of(epoch));
        }
    }
    let marks = |report: &Report| report.log.iter().map(|epoch| epoch.best).collect::<Vec<_>>();
    assert_ne!(marks(&by_eer), marks(&by_loss));
}

#[test]
fn networks_that_are_joined_or_narrowed_score_and_can_be_trained_on() {
    let data = data();
    let best = |highest_hz: u32| {
        let lite = serde_json::json!({
            "model_type": "bonafide-lite", "frame_hop": 512, "highest_hz": highest_hz, "stem_channels": 4, "squeeze": 2,
            "stem_stride": [4, 4], "stages": [{"channels": 6, "blocks": 1, "stride": [2, 2]}], "attention_size": 4,
        });
        let config = data.path().join(format!("{highest_hz}.json"));
        fs::write(&config, lite.to_string()).unwrap();
        let mut settings = settings(&data, Stage::Scratch, &format!("{highest_hz}"));
        settings.config = Some(config);
        settings.epochs = 1;
        train(&settings).unwrap();
        settings.out.join("best")
    };
    let (wide, low, joined) = (best(8_000), best(4_000), data.path().join("joined"));
    join(&[&wide, &low], &joined).unwrap();

    let [wide_scores, low_scores, joined_scores] = [&wide, &low, &joined].map(|checkpoint| detector(checkpoint));
    for number in 12..20 {
        let clip = data.path().join(format!("{number}.wav"));
        let llr = |detector: &Detector| detector.score_file(&clip).unwrap().windows[0].llr;
        let mean = (llr(&wide_scores) + llr(&low_scores)) / 2.0;
        assert!((llr(&joined_scores) - mean).abs() < 1e-4, "clip {number}: {mean}");
        assert!((llr(&wide_scores) - llr(&low_scores)).abs() > 1e-4, "clip {number}");
    }
    let text = fs::read_to_string(joined.join("training.json")).unwrap();
    let training: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(training["joined"].as_array().unwrap().len(), 2);

    // Training goes on from both, and scores what the exported graph scores.
    let mut on = settings(&data, Stage::Scratch, "on");
    (on.from, on.config) = (Some(joined.clone()), None);
    on.epochs = 1;
    let report = train(&on).unwrap();
    expect_scores(&data, &on, &report);

    let message = join(&[&joined, &low], &data.path().join("again"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("not joined yet"), "{message}");
    let message = join(&[&wide], &data.path().join("one")).unwrap_err().to_string();
    assert!(message.contains("is 1, expected two or more"), "{message}");
    assert!(!data.path().join("again").exists() && !data.path().join("one").exists());

    // What the wide one is up to 4 kHz can be exported, and trained on.
    let narrowed = data.path().join("narrowed");
    narrow(&wide, 4_000, &narrowed).unwrap();
    detector(&narrowed);
    let text = fs::read_to_string(narrowed.join("config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["highest_hz"], 4_000);
    let mut on = settings(&data, Stage::Scratch, "narrow-on");
    (on.from, on.config, on.epochs) = (Some(narrowed), None, 1);
    let report = train(&on).unwrap();
    expect_scores(&data, &on, &report);
    for (checkpoint, highest_hz, expected) in [
        (&joined, 4_000, "not joined yet"),
        (
            &low,
            4_000,
            "is 4000, and it hears up to 4000, expected less than the network hears",
        ),
        (&wide, 0, "highest_hz is 0"),
    ] {
        let out = data.path().join("refused");
        let message = narrow(checkpoint, highest_hz, &out).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!out.exists());
    }
}

/// The numbers of a checkpoint, tensor by tensor.
fn numbers(checkpoint: &Path) -> BTreeMap<String, Vec<f32>> {
    let checkpoint = Checkpoint::open(checkpoint).unwrap();
    let read = |(name, _): (&str, _)| (name.to_owned(), checkpoint.read_f32(name).unwrap());
    checkpoint.tensors().map(read).collect()
}

#[test]
fn an_average_lies_between_the_two_where_its_weight_says() {
    let data = data();
    let first = beginning(&data, "first", 1);
    let mut on = settings(&data, Stage::Scratch, "on");
    (on.from, on.config, on.epochs) = (Some(first.clone()), None, 1);
    train(&on).unwrap();
    let (second, mean) = (best(&on), data.path().join("mean"));
    average(&first, &second, 0.25, &mean).unwrap();
    let (a, b, between) = (numbers(&first), numbers(&second), numbers(&mean));
    assert_eq!(between.len(), a.len());
    assert!(a != b);
    for (name, numbers) in &between {
        for ((found, a), b) in numbers.iter().zip(&a[name]).zip(&b[name]) {
            let expected = 0.75 * a + 0.25 * b;
            assert!(
                (found - expected).abs() <= 1e-6 * (1.0 + expected.abs()),
                "{name}: {found} {expected}"
            );
        }
    }
    let probability = detector(&mean)
        .score_file(data.path().join("3.wav"))
        .unwrap()
        .spoof_probability;
    assert!((0.0..=1.0).contains(&probability));
    let text = fs::read_to_string(mean.join("training.json")).unwrap();
    let training: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(training["weights"], serde_json::json!([0.75, 0.25]));
    assert_eq!(training["averaged"][1]["epoch"], 1);

    // Nothing is written where it makes no sense.
    let out = data.path().join("refused");
    for weight in [0.0, 1.0, -0.5, f64::NAN] {
        let message = average(&first, &second, weight, &out).unwrap_err().to_string();
        assert!(message.contains("--weight"), "{message}");
    }
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(second.join("config.json")).unwrap()).unwrap();
    config["num_attention_heads"] = 1.into();
    fs::write(second.join("config.json"), config.to_string()).unwrap();
    let message = average(&first, &second, 0.5, &out).unwrap_err().to_string();
    assert!(message.contains("which differ"), "{message}");
    assert!(!out.exists());
}

/// A network without batch norms learns the same of a batch in parts as of the whole.
#[test]
fn a_batch_in_parts_is_the_batch_but_for_rounding() {
    let data = data();
    let run = |parts: usize| {
        let mut scratch = settings(&data, Stage::Scratch, &format!("parts-{parts}"));
        scratch.parts = parts;
        scratch.masks = [0, 0];
        // Twelve clips in batches of seven: parts of unlike sizes and weights, and an incomplete batch.
        scratch.batch = 7;
        train(&scratch).unwrap()
    };
    let (whole, parts) = (run(1), run(3));
    for (whole, parts) in whole.log.iter().zip(&parts.log) {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-4 * b.abs(), "{a} {b}");
        near(whole.train_loss, parts.train_loss);
        near(whole.dev_loss, parts.dev_loss);
        near(whole.gradient_norm, parts.gradient_norm);
    }
}

#[test]
fn bad_clips_are_skipped_until_they_are_too_many() {
    let data = data();
    let list = data.path().join("train.tsv");
    let rows = fs::read_to_string(&list).unwrap() + "missing.wav\tspoof\t-\t-\nnoise.wav\tbonafide\t-\t-\n";
    fs::write(&list, rows).unwrap();
    fs::write(data.path().join("noise.wav"), b"this is not audio").unwrap();
    let mut scratch = settings(&data, Stage::Scratch, "scratch");
    scratch.epochs = 1;
    scratch.augmentation = Augmentation::None;
    let message = train(&scratch).unwrap_err().to_string();
    assert!(
        message.contains("2 of the 14 clips") && message.contains("missing.wav"),
        "{message}"
    );
    scratch.max_bad = 0.2;
    assert_eq!(train(&scratch).unwrap().bad_clips, 2);
}

#[test]
fn lists_of_both_forms_say_what_is_wrong_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("ASVspoof2019.LA.cm.train.trn.txt");
    fs::write(
        &list,
        "LA_0079 LA_T_1138215 - - bonafide\nLA_0079 LA_T_1271820 - A01 spoof\n",
    )
    .unwrap();
    let clips = bonafide_train::read_list(&list, None).unwrap();
    assert_eq!(clips[1].source, "A01");
    assert_eq!(clips[1].speaker, "LA_0079");
    assert!(
        clips[1].path.ends_with("ASVspoof2019_LA_train/flac/LA_T_1271820.flac"),
        "{:?}",
        clips[1].path
    );
    let clips = bonafide_train::read_list(&list, Some(Path::new("/audio"))).unwrap();
    assert_eq!(clips[0].path, Path::new("/audio/LA_T_1138215.flac"));

    for (text, expected) in [
        ("LA_0079 LA_T_1 - - real\n", "label `real`, expected bonafide or spoof"),
        ("a b c\n", "3 fields, expected the 5 of a protocol"),
        ("file\tspeaker\na.wav\tx\n", "no column `label`"),
        ("file\tlabel\na.wav\n", "1 columns, expected 2"),
        ("file\tlabel\na.wav\tspoof\n", "none of its 1 clips is bonafide"),
        ("file\tlabel\na.wav\tspoof\na.wav\tbonafide\n", "is in it twice"),
    ] {
        fs::write(&list, text).unwrap();
        let message = bonafide_train::read_list(&list, None).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
#[cfg(unix)]
fn a_full_disk_stops_a_run_that_can_go_on() {
    let data = data();
    let program = Path::new(env!("CARGO_BIN_EXE_bonafide-train"));
    let run = |mut command: Command| {
        command.args(["scratch", "--quiet", "--epochs", "1", "--batch", "4"]);
        for (option, name) in [
            ("--train", "train.tsv"),
            ("--dev", "dev.tsv"),
            ("--config", "config.json"),
            ("--out", "out"),
        ] {
            command.arg(option).arg(data.path().join(name));
        }
        command.output().unwrap()
    };
    let output = run(full_disk::on_a_full_disk(8, program));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("cannot write") && message.contains("make room"),
        "{message}"
    );
    let out = data.path().join("out");
    let partial = |folder: &Path| fs::read_dir(folder).into_iter().flatten().count();
    assert!(!out.join("best/model.safetensors").exists() && partial(&out.join("best")) <= 3);

    let output = run(Command::new(program));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.join("best/model.safetensors").exists());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let data = data();
    let mut neither = settings(&data, Stage::Stage1, "out");
    let message = train(&neither).unwrap_err().to_string();
    assert!(message.contains("--from and --config is neither"), "{message}");
    neither.batch = 0;
    let message = train(&neither).unwrap_err().to_string();
    assert!(message.contains("--batch is 0, expected a number from 1"), "{message}");

    let mut crop = settings(&data, Stage::Stage1, "out");
    crop.crop = Some(0.1);
    let message = train(&crop).unwrap_err().to_string();
    assert!(
        message.contains("--crop is 0.1, expected 0.5 or more seconds"),
        "{message}"
    );
    crop.crop = Some(2.0);
    let message = train(&crop).unwrap_err().to_string();
    assert!(message.contains("expected --no-cache beside it"), "{message}");

    // A network that hears a second.
    let short = serde_json::json!({"model_type": "bonafide-lite", "window_samples": 16_000});
    fs::write(data.path().join("short.json"), short.to_string()).unwrap();
    let mut short = settings(&data, Stage::Scratch, "out");
    short.config = Some(data.path().join("short.json"));
    short.crop = Some(2.0);
    let message = train(&short).unwrap_err().to_string();
    assert!(
        message.contains("--crop is 2.0, expected no more than the network's window"),
        "{message}"
    );
    short.crop = None;
    short.calls = 1.5;
    let message = train(&short).unwrap_err().to_string();
    assert!(message.contains("--calls is 1.5, expected 0 to 1"), "{message}");
    short.calls = 0.5;
    (short.balance, short.lone_speakers) = (Balance::Labels, Some(0.5));
    let message = train(&short).unwrap_err().to_string();
    assert!(message.contains("and --balance speakers beside it"), "{message}");
    (short.balance, short.lone_speakers) = (Balance::Speakers, Some(2.0));
    let message = train(&short).unwrap_err().to_string();
    assert!(message.contains("--lone-speakers is 2.0, expected 0 to 1"), "{message}");
}
