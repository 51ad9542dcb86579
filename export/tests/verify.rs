//! A graph is found to be its checkpoint's, and one that isn't is found out. That the forward pass computes what PyTorch
//! does is shown beside it, in `src/forward/tests.rs`.
#![cfg(feature = "verify")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide_export::{Batch, Error, LayerReport, Options, Precision, Verification, VerifyOptions, export, verify};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures")
        .join(name)
}

fn tiny(name: &str) -> PathBuf {
    fixture("tiny").join(name)
}

/// A model exported into a folder of its own.
struct Model {
    folder: TempDir,
}

impl Model {
    fn export(checkpoint: &str, options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        export(tiny(checkpoint), folder.path().join("model.onnx"), options, &mut |_| {}).unwrap();
        Self { folder }
    }

    fn tiny() -> Self {
        Self::export("tiny.pt", &Options::default())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path()).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(), bytes).unwrap();
    }

    /// Adds `by` to the first number of a weight.
    fn alter(&self, weight: &str, by: f32) {
        self.change(|bytes| {
            // A tensor's name is followed by field 9, its data: a tag, the length, the numbers.
            let name = bytes
                .windows(weight.len())
                .rposition(|w| w == weight.as_bytes())
                .unwrap();
            let tag = name + weight.len();
            assert_eq!(bytes[tag], 9 << 3 | 2);
            let length = bytes[tag + 1..].iter().position(|byte| *byte < 0x80).unwrap() + 1;
            let number = &mut bytes[tag + 1 + length..][..4];
            let altered = f32::from_le_bytes(number.try_into().unwrap()) + by;
            number.copy_from_slice(&altered.to_le_bytes());
        });
    }

    fn verify(&self, checkpoint: &str, options: &VerifyOptions) -> Verification {
        verify(self.path(), tiny(checkpoint), options, &mut |_| {}).unwrap()
    }
}

fn last<T>(found: &[T]) -> &T {
    &found[found.len() - 1]
}

#[test]
fn an_exported_model_is_its_checkpoint() {
    let mut reports = Vec::new();
    let model = Model::tiny();
    let found = verify(model.path(), tiny("tiny.pt"), &VerifyOptions::default(), &mut |p| {
        reports.push(p);
    })
    .unwrap();
    assert!(found.passed && found.first_beyond.is_none(), "{found:?}");
    assert_eq!((found.precision.as_str(), found.same_source), ("f32", Some(true)));
    assert!(found.max_p_spoof_difference < 1e-5, "{found:?}");
    let names: Vec<&str> = found.layers.iter().map(|layer| layer.name.as_str()).collect();
    let expected = [
        "feature extractor",
        "projection",
        "positional convolution",
        "encoder layer 0",
        "encoder layer 1",
        "pooled",
        "logits",
    ];
    assert_eq!(names, expected);
    for layer in &found.layers {
        assert_eq!((layer.within, &layer.note), (Some(true), &None), "{layer:?}");
        // Single precision leaves its trace: the two are not the same computation.
        let relative = layer.relative.unwrap();
        assert!(relative > 1e-9 && relative < 1e-5, "{layer:?}");
    }
    assert!(reports.windows(2).all(|pair| pair[0].done + 1 == pair[1].done));
    assert_eq!(last(&reports).done, last(&reports).total);
}

#[test]
fn however_it_was_exported_and_from_whichever_file_of_the_same_weights() {
    let default = Options::default();
    let mut fixed = Options::default();
    fixed.batch = Batch::Fixed(NonZeroUsize::new(3).unwrap());
    fixed.window_samples = 16_000;
    let mut external = Options::default();
    external.external_data_above = 0;
    for (checkpoint, options, against, same_source) in [
        ("tiny.pt", &fixed, "tiny.pt", true),
        ("tiny.pt", &external, "tiny.pt", true),
        ("tiny.pt", &default, "tiny_weight_norm.pt", false),
        ("tiny_f16.pt", &default, "tiny_f16.pt", true),
    ] {
        let found = Model::export(checkpoint, options).verify(against, &VerifyOptions::default());
        assert!(found.passed, "{checkpoint}, {against}: {found:?}");
        assert_eq!(found.same_source, Some(same_source));
        assert!(found.layers.iter().all(|layer| layer.within == Some(true)), "{found:?}");
    }
}

#[test]
fn lower_precisions_are_compared_under_their_own_tolerance() {
    for precision in [Precision::F16, Precision::Int8] {
        let mut options = Options::default();
        options.precision = precision;
        let model = Model::export("tiny.pt", &options);
        let found = model.verify("tiny.pt", &VerifyOptions::default());
        assert!(found.passed, "{found:?}");
        assert_eq!(found.precision, precision.to_string());
        // Layers are found under their names all the same, and rounding shows in them.
        let rounded = |layer: &LayerReport| layer.relative.is_some_and(|relative| relative > 1e-5);
        assert!(
            found.layers.iter().filter(|layer| rounded(layer)).count() > 4,
            "{found:?}"
        );
        assert!(found.layers.iter().all(|layer| layer.note.is_none()), "{found:?}");
        let mut strict = VerifyOptions::default();
        (strict.tolerance, strict.layer_tolerance) = (Some(1e-4), Some(1e-4));
        assert!(!model.verify("tiny.pt", &strict).passed);
    }
}

#[test]
fn the_forward_pass_scores_files_as_pytorch_does() {
    let mut options = VerifyOptions::default();
    options.audio = vec![fixture("speech.wav")];
    let found = Model::tiny().verify("tiny.pt", &options);
    let json = std::fs::read(tiny("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let expected = expected["models"]["f32"]["clips"]["whole"]["p_spoof"]
        .as_array()
        .unwrap()
        .clone();
    let [clip] = found.clips.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((clip.windows.len(), clip.seed), (expected.len(), None));
    for (window, expected) in clip.windows.iter().zip(expected) {
        let expected = expected.as_f64().unwrap();
        assert!(
            (window.checkpoint_p_spoof - expected).abs() < 1e-5,
            "{window:?}: {expected}"
        );
        assert!((window.model_p_spoof - expected).abs() < 1e-4, "{window:?}: {expected}");
    }
}

/// A file of the samples of `speech.wav` in `range`.
fn write_clip(path: &Path, start: usize, len: usize) {
    let speech = std::fs::read(fixture("speech.wav")).unwrap();
    // 16-bit samples after a header of 44 bytes, which ends in their length.
    let samples = &speech[44 + 2 * start..][..2 * len];
    let size = u32::try_from(samples.len()).unwrap();
    let mut header = speech[..44].to_vec();
    header[4..8].copy_from_slice(&(size + 36).to_le_bytes());
    header[40..].copy_from_slice(&size.to_le_bytes());
    std::fs::write(path, [header.as_slice(), samples].concat()).unwrap();
}

#[test]
fn every_layout_is_its_checkpoint_and_scores_as_pytorch_does() {
    let json = std::fs::read(fixture("layouts/expected.json")).unwrap();
    let fixtures: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clips = fixtures["clips"].as_array().unwrap();
    let clip = clips.iter().find(|clip| clip["name"] == "one_window").unwrap();
    let audio = folder.path().join("clip.wav");
    write_clip(&audio, number(&clip["start"]), number(&clip["len"]));

    let layouts = fixtures["layouts"].as_object().unwrap();
    assert!(layouts.len() >= 8);
    for (name, expected) in layouts {
        let checkpoint = fixture("layouts").join(name);
        let spoof_index = (expected["named"] == false).then(|| number(&expected["spoof_index"]));
        let mut options = Options::default();
        options.window_samples = number(&fixtures["window_samples"]);
        options.spoof_index = spoof_index;
        let model = folder.path().join(format!("{name}.onnx"));
        export(&checkpoint, &model, &options, &mut |_| {}).unwrap();

        let mut options = VerifyOptions::default();
        options.spoof_index = spoof_index;
        options.audio = vec![audio.clone()];
        let found = verify(&model, &checkpoint, &options, &mut |_| {}).unwrap();
        assert!(found.passed, "{name}: {found:?}");
        assert!(
            found.layers.iter().all(|layer| layer.within == Some(true)),
            "{name}: {found:?}"
        );
        let expected = expected["clips"]["one_window"]["p_spoof"].as_array().unwrap();
        assert_eq!(found.clips[0].windows.len(), expected.len());
        for (window, expected) in found.clips[0].windows.iter().zip(expected) {
            let expected = expected.as_f64().unwrap();
            assert!(
                (window.checkpoint_p_spoof - expected).abs() < 1e-4,
                "{name}, {expected}: {window:?}"
            );
        }
    }
}

#[test]
fn one_altered_weight_is_found_and_its_layer_named() {
    for (weight, layer) in [
        (
            "backbone.feature_extractor.conv_layers.3.conv.weight",
            "feature extractor",
        ),
        ("backbone.feature_projection.projection.bias", "projection"),
        ("backbone.encoder.pos_conv_embed.conv.weight", "positional convolution"),
        ("backbone.encoder.layers.0.attention.v_proj.weight", "encoder layer 0"),
        (
            "backbone.encoder.layers.1.feed_forward.output_dense.bias",
            "encoder layer 1",
        ),
        ("classifier.weight", "logits"),
    ] {
        let model = Model::tiny();
        model.alter(weight, 0.25);
        let found = model.verify("tiny.pt", &VerifyOptions::default());
        assert!(!found.passed);
        assert_eq!(found.first_beyond.as_deref(), Some(layer), "{weight}: {found:?}");
    }
}

#[test]
fn another_checkpoint_is_found_out() {
    let found = Model::tiny().verify("tiny_bf16.pt", &VerifyOptions::default());
    assert!(!found.passed);
    assert_eq!(found.first_beyond.as_deref(), Some("feature extractor"));
    assert_eq!(found.same_source, Some(false));
}

#[test]
fn swapped_labels_are_found_out() {
    let model = Model::tiny();
    model.change(|bytes| {
        let (right, wrong) = (b"bonafide,spoof", b"spoof,bonafide");
        let at = bytes.windows(right.len()).position(|w| w == right).unwrap();
        bytes[at..][..wrong.len()].copy_from_slice(wrong);
    });
    let found = model.verify("tiny.pt", &VerifyOptions::default());
    assert_eq!(found.first_beyond.as_deref(), Some("P(spoof)"), "{found:?}");
}

#[test]
fn the_tolerance_decides() {
    let model = Model::tiny();
    let mut options = VerifyOptions::default();
    options.layer_tolerance = Some(1e-12);
    let found = model.verify("tiny.pt", &options);
    assert_eq!(found.first_beyond.as_deref(), Some("feature extractor"));
    options.layer_tolerance = None;
    options.tolerance = Some(0.0);
    let found = model.verify("tiny.pt", &options);
    assert_eq!(found.passed, found.max_p_spoof_difference == 0.0);

    model.alter("classifier.weight", 0.25);
    options.tolerance = Some(1.0);
    options.layer_tolerance = Some(10.0);
    assert!(model.verify("tiny.pt", &options).passed);
}

#[test]
fn a_value_without_its_name_is_not_compared_and_said_to_be_so() {
    let model = Model::tiny();
    model.change(|bytes| {
        let name = b"backbone.encoder.layers.0.final_layer_norm";
        let places: Vec<usize> = (0..bytes.len() - name.len())
            .filter(|&i| bytes[i..].starts_with(name) && bytes.get(i + name.len()) != Some(&b'.'))
            .collect();
        assert!(places.len() >= 3);
        for place in places {
            bytes[place] = b'B';
        }
    });
    let found = model.verify("tiny.pt", &VerifyOptions::default());
    assert!(found.passed);
    let missing: Vec<&str> = found
        .layers
        .iter()
        .filter(|l| l.within.is_none())
        .map(|l| l.name.as_str())
        .collect();
    assert_eq!(missing, ["encoder layer 0"]);
    assert!(
        found
            .layers
            .iter()
            .all(|layer| layer.within.is_some() != layer.note.is_some())
    );
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let options = VerifyOptions::default();
    let model = Model::tiny();
    let error = |model: &Path, checkpoint: &Path, options: &VerifyOptions| {
        verify(model, checkpoint, options, &mut |_| {}).unwrap_err()
    };
    let error_of = error(&tiny("tiny.pt"), &tiny("tiny.pt"), &options);
    assert!(matches!(error_of, Error::Onnx { .. }), "{error_of}");
    let error_of = error(&model.path(), &fixture("speech.wav"), &options);
    assert!(matches!(error_of, Error::NotCheckpoint { .. }), "{error_of}");
    let error_of = error(&model.path(), Path::new("absent.pt"), &options);
    assert!(matches!(error_of, Error::Read { .. }), "{error_of}");
    let mut audio = VerifyOptions::default();
    audio.audio = vec![tiny("config.json")];
    let error_of = error(&model.path(), &tiny("tiny.pt"), &audio);
    assert!(matches!(error_of, Error::Detector(_)), "{error_of}");
}

#[test]
fn the_program_says_so_with_its_exit_code() {
    let model = Model::tiny();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bonafide-export"))
            .arg("verify")
            .arg(model.path())
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (
            output.status.code().unwrap(),
            text,
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let checkpoint = tiny("tiny.pt");
    let against = ["--against", checkpoint.to_str().unwrap()];

    let (code, text, _) = run(&against);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("the same: ") && text.contains("generated, seed 0"),
        "{text}"
    );

    let (code, text, _) = run(&[&against[..], &["--json", "--seed", "3"]].concat());
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        (json["passed"].as_bool(), json["clips"][0]["seed"].as_u64()),
        (Some(true), Some(3))
    );
    assert_eq!(json["layers"][3]["name"], "encoder layer 0");

    model.alter("backbone.encoder.layers.1.attention.out_proj.bias", 0.5);
    let (code, text, _) = run(&against);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("NOT the same: first beyond the tolerance is encoder layer 1"),
        "{text}"
    );

    let (code, _, error) = run(&["--against", "absent.pt"]);
    assert_eq!(code, 2);
    assert!(error.contains("absent.pt"), "{error}");
}

#[test]
fn the_small_network_is_verified_too_and_calibrated() {
    let calibrated = Some("0.5,-0.75".parse().unwrap());
    for (network, calibration) in [("lite", None), ("lite", calibrated), ("lite/beside", None)] {
        let checkpoint = fixture(network);
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("lite.onnx");
        let mut options = Options::default();
        options.calibration = calibration;
        export(&checkpoint, &model, &options, &mut |_| {}).unwrap();
        let found = verify(&model, &checkpoint, &VerifyOptions::default(), &mut |_| {}).unwrap();
        assert!(found.passed, "{found:#?}");
        let names: Vec<&str> = found.layers.iter().map(|layer| layer.name.as_str()).collect();
        let expected = [
            "spectrogram",
            "block 0",
            "block 1",
            "block 2",
            "block 3",
            "pooled",
            "logits",
        ];
        assert_eq!(names, expected);
        assert!(
            found.layers.iter().all(|layer| layer.within == Some(true)),
            "{found:#?}"
        );
    }
}

#[test]
fn the_small_networks_forward_pass_is_pytorchs() {
    for network in ["lite", "lite/beside"] {
        forward_pass_is_pytorchs(&fixture(network));
    }
}

fn forward_pass_is_pytorchs(network: &Path) {
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(network.join("expected.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("lite.onnx");
    export(network, &model, &Options::default(), &mut |_| {}).unwrap();
    let speech = bonafide::Audio::read(fixture("speech.wav"))
        .unwrap()
        .to_model_input()
        .unwrap();
    let clip = &expected["clips"][0];
    let number = |name: &str| clip[name].as_u64().unwrap() as usize;
    let samples = &speech[number("start")..][..number("len")];
    let audio = folder.path().join("clip.wav");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut writer = hound::WavWriter::create(&audio, spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    let mut options = VerifyOptions::default();
    options.audio = vec![audio];
    let found = verify(&model, network, &options, &mut |_| {}).unwrap();
    let logit = |n: usize| clip["logits"][n].as_f64().unwrap();
    let llr = found.clips[0].windows[0].checkpoint_llr;
    assert!((llr - (logit(0) - logit(1))).abs() < 1e-6, "{llr}");
}
