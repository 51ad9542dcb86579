//! Which layouts are recognised, what is read from their files, and what is refused. That the graphs compute what PyTorch
//! does is shown by `tests/layouts.rs` of the workspace's root package.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide_export::{Error, LabelSource, Layout, Normalization, Options, Shape, Summary, export};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of a layout's folder, to change and to export.
struct Folder {
    folder: TempDir,
}

impl Folder {
    fn of(layout: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../tests/fixtures/layouts")
            .join(layout);
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes a field of a JSON file, or removes it.
    fn set(&self, file: &str, field: &str, value: impl Into<Option<Value>>) -> &Self {
        let mut json: Value = serde_json::from_slice(&std::fs::read(self.path(file)).unwrap()).unwrap();
        let fields = json.as_object_mut().unwrap();
        match value.into() {
            Some(value) => fields.insert(field.to_owned(), value),
            None => fields.remove(field),
        };
        std::fs::write(self.path(file), json.to_string()).unwrap();
        self
    }

    fn remove(&self, file: &str) -> &Self {
        std::fs::remove_file(self.path(file)).unwrap();
        self
    }

    fn export_with(&self, options: &Options) -> Result<Summary, Error> {
        let out = tempfile::tempdir().unwrap();
        export(self.folder.path(), out.path().join("model.onnx"), options, &mut |_| {})
    }

    fn export(&self) -> Result<Summary, Error> {
        self.export_with(&Options::default())
    }

    /// Rewrites `model.safetensors` with its header changed, whose offsets must stay as they are.
    fn change_header(&self, change: impl Fn(&mut serde_json::Map<String, Value>)) -> &Self {
        let path = self.path("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        let (len, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*len) as usize);
        let mut header: Value = serde_json::from_slice(header).unwrap();
        change(header.as_object_mut().unwrap());
        let header = header.to_string().into_bytes();
        let file = [&(header.len() as u64).to_le_bytes()[..], &header, data].concat();
        std::fs::write(&path, file).unwrap();
        self
    }

    fn rename(&self, from: &str, to: &str) -> &Self {
        self.change_header(|header| {
            let tensor = header.remove(from).unwrap();
            header.insert(to.to_owned(), tensor);
        })
    }
}

fn metadata<'s>(summary: &'s Summary, key: &str) -> &'s str {
    let found = summary.metadata.iter().find(|(k, _)| k == key);
    found.map(|(_, value)| value.as_str()).unwrap()
}

fn given(spoof_index: usize) -> Options {
    let mut options = Options::default();
    options.spoof_index = Some(spoof_index);
    options
}

/// Asserts that a field is refused, and that the message has all the parts.
fn assert_refused(result: Result<Summary, Error>, file: &str, field: &str, parts: &[&str]) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(&error, Error::Config { file: f, field: n, .. } if *f == file && *n == field),
        "{field}: {message}"
    );
    assert!(message.starts_with(&format!("{file}: {field} is ")), "{message}");
    for part in parts {
        assert!(message.contains(part), "{message} has no {part}");
    }
}

#[test]
fn every_layout_is_recognised() {
    let names = |first: &str, second: &str| LabelSource::Names([first.to_owned(), second.to_owned()]);
    let (normalised, none) = (Normalization::ZeroMeanUnitVariance, Normalization::None);
    let (wav2vec2, hubert, wavlm) = (
        Layout::Wav2Vec2ForSequenceClassification,
        Layout::HubertForSequenceClassification,
        Layout::WavLmForSequenceClassification,
    );
    for (folder, layout, family, normalization, spoof_index, source) in [
        (
            "wav2vec2_base",
            wav2vec2,
            "wav2vec2",
            normalised,
            0,
            names("fake", "real"),
        ),
        (
            "wav2vec2_large",
            wav2vec2,
            "wav2vec2",
            normalised,
            1,
            names("bonafide", "spoof"),
        ),
        ("hubert_base", hubert, "hubert", none, 0, names("AIVoice", "HumanVoice")),
        ("wavlm_base", wavlm, "wavlm", none, 1, names("Real", "Deep-Fake")),
        (
            "wavlm_large",
            wavlm,
            "wavlm",
            normalised,
            1,
            names("human", "synthetic"),
        ),
        (
            "antideepfake_base",
            Layout::AntiDeepfake,
            "wav2vec2",
            Normalization::LayerNorm,
            0,
            LabelSource::Layout,
        ),
        (
            "antideepfake_large",
            Layout::AntiDeepfake,
            "wav2vec2",
            Normalization::LayerNorm,
            0,
            LabelSource::Layout,
        ),
    ] {
        let summary = Folder::of(folder).export().unwrap();
        assert_eq!(summary.layout, layout, "{folder}");
        assert_eq!(summary.normalization, normalization, "{folder}");
        assert_eq!(summary.labels.spoof_index, spoof_index, "{folder}");
        assert_eq!(summary.labels.source, source, "{folder}");
        assert_eq!(metadata(&summary, "bonafide.architecture"), family);
        assert_eq!(metadata(&summary, "bonafide.labels"), "bonafide,spoof", "{folder}");
        let stated = metadata(&summary, "bonafide.normalization");
        let expected = if normalization == normalised {
            "zero-mean-unit-variance"
        } else {
            "none"
        };
        assert_eq!(stated, expected, "{folder}");
    }
}

#[test]
fn do_normalize_is_the_preprocessors() {
    let folder = Folder::of("wav2vec2_base");
    let file = "preprocessor_config.json";
    let summary = folder.set(file, "do_normalize", json!(false)).export().unwrap();
    assert_eq!(summary.normalization, Normalization::None);
    let summary = folder.set(file, "do_normalize", None).export().unwrap();
    assert_eq!(
        summary.normalization,
        Normalization::ZeroMeanUnitVariance,
        "transformers' default"
    );

    assert_refused(
        folder.set(file, "sampling_rate", json!(8000)).export(),
        file,
        "sampling_rate",
        &["8000", "16000"],
    );
    folder
        .set(file, "sampling_rate", json!(16_000))
        .set(file, "feature_size", json!(80));
    assert_refused(folder.export(), file, "feature_size", &["80", "expected 1"]);
    let kind = "feature_extractor_type";
    folder
        .set(file, "feature_size", json!(1))
        .set(file, kind, json!("WhisperFeatureExtractor"));
    assert_refused(folder.export(), file, kind, &["Whisper", "Wav2Vec2FeatureExtractor"]);
    folder.set(file, kind, json!(3));
    assert!(matches!(folder.export(), Err(Error::ConfigSyntax { .. })));

    let error = folder.remove(file).export().unwrap_err();
    assert!(
        matches!(&error, Error::NoPreprocessor { path } if *path == folder.path(file)),
        "{error}"
    );
    assert!(error.to_string().contains("do_normalize"), "{error}");
}

#[test]
fn unclear_classes_are_refused_until_the_spoof_index_is_given() {
    let folder = Folder::of("hubert_large");
    let refused = |folder: &Folder, names: [&str; 2]| {
        let error = folder.export().unwrap_err();
        assert!(matches!(&error, Error::Labels { names: n } if *n == names), "{error}");
        assert!(error.to_string().contains("--spoof-index"), "{error}");
    };
    refused(&folder, ["LABEL_0", "LABEL_1"]);
    for spoof_index in [0, 1] {
        let summary = folder.export_with(&given(spoof_index)).unwrap();
        assert_eq!(summary.labels.spoof_index, spoof_index);
        assert_eq!(summary.labels.source, LabelSource::Given);
    }
    let error = folder.export_with(&given(2)).unwrap_err();
    assert!(matches!(error, Error::SpoofIndex { found: 2 }), "{error}");

    folder.set("config.json", "id2label", json!({"0": "fake", "1": "not real"}));
    refused(&folder, ["fake", "not real"]);
    folder.set("config.json", "id2label", json!({"0": "not fake", "1": "fake"}));
    assert_eq!(folder.export().unwrap().labels.spoof_index, 1);
    // What is given wins, for a model whose config is wrong.
    assert_eq!(folder.export_with(&given(0)).unwrap().labels.spoof_index, 0);
}

#[test]
fn the_order_of_the_classes_only_swaps_the_classifier() {
    let folder = Folder::of("wav2vec2_base");
    let graph = |spoof_index| {
        let out = folder.path("model.onnx");
        export(folder.folder.path(), &out, &given(spoof_index), &mut |_| {}).unwrap();
        std::fs::read(&out).unwrap()
    };
    let (first, second) = (graph(0), graph(1));
    assert_eq!(first.len(), second.len());
    let changed = first.iter().zip(&second).filter(|(a, b)| a != b).count();
    let classifier = (2 * 14 + 2) * 4;
    assert!((1..=classifier).contains(&changed), "{changed} bytes changed");
}

#[test]
fn more_than_two_classes_are_refused() {
    let folder = Folder::of("wav2vec2_base");
    folder.set("config.json", "id2label", json!({"0": "real", "1": "tts", "2": "vc"}));
    assert_refused(
        folder.export(),
        "config.json",
        "id2label",
        &["3 (real, tts, vc)", "2 classes"],
    );
    assert_refused(folder.export_with(&given(1)), "config.json", "id2label", &[]);
    folder.set("config.json", "id2label", json!({"a": "real"}));
    assert!(matches!(folder.export(), Err(Error::ConfigSyntax { .. })));
}

#[test]
fn a_config_that_contradicts_the_tensors_is_refused() {
    for (layout, field, value, actual) in [
        ("wav2vec2_base", "hidden_size", json!(60), "30"),
        ("wav2vec2_base", "intermediate_size", json!(45), "44"),
        ("wav2vec2_base", "num_hidden_layers", json!(3), "2"),
        ("wav2vec2_base", "num_conv_pos_embeddings", json!(17), "16"),
        ("wav2vec2_base", "num_conv_pos_embedding_groups", json!(3), "5"),
        ("wav2vec2_base", "classifier_proj_size", json!(256), "14"),
        ("wav2vec2_base", "use_weighted_layer_sum", json!(true), "false"),
        ("wav2vec2_base", "feat_extract_norm", json!("layer"), "group"),
        ("wav2vec2_base", "conv_bias", json!(true), "false"),
        (
            "wav2vec2_base",
            "conv_dim",
            json!([8, 6, 8, 10, 8, 9, 12]),
            "[8,6,8,10,8,8,12]",
        ),
        (
            "wav2vec2_base",
            "conv_kernel",
            json!([10, 3, 3, 3, 3, 2, 3]),
            "[10,3,3,3,3,2,2]",
        ),
        ("wav2vec2_base", "model_type", json!("wavlm"), "wav2vec2"),
        ("hubert_base", "feat_proj_layer_norm", json!(true), "false"),
        ("hubert_base", "conv_pos_batch_norm", json!(false), "true"),
        ("wavlm_large", "num_attention_heads", json!(3), "5"),
        ("wavlm_large", "num_buckets", json!(24), "22"),
        ("antideepfake_large", "num_hidden_layers", json!(4), "3"),
    ] {
        let folder = Folder::of(layout);
        let found = value.to_string();
        folder.set("config.json", field, value);
        assert_refused(folder.export(), "config.json", field, &[&found, actual]);
    }
}

#[test]
fn what_the_network_can_not_be_is_refused() {
    for (field, value) in [
        ("hidden_act", json!("snake")),
        ("feat_extract_activation", json!("prelu")),
        ("add_adapter", json!(true)),
        ("adapter_attn_dim", json!(16)),
        ("problem_type", json!("multi_label_classification")),
        ("num_attention_heads", json!(4)),
        ("num_buckets", json!(3)),
        ("max_bucket_distance", json!(5)),
    ] {
        let folder = Folder::of("wavlm_base");
        folder.set("config.json", field, value.clone());
        // A distance too small shows in the buckets, which must fit it.
        let shown = if field == "max_bucket_distance" {
            "num_buckets"
        } else {
            field
        };
        assert_refused(folder.export(), "config.json", shown, &[]);
    }
}

#[test]
fn missing_and_unknown_tensors_are_named() {
    let folder = Folder::of("wav2vec2_base");
    let name = "wav2vec2.encoder.layers.1.feed_forward.output_dense.bias";
    folder.rename(name, "wav2vec2.encoder.layers.1.odd");
    let error = folder.export().unwrap_err();
    assert!(
        matches!(&error, Error::MissingTensor { name: n, expected, assumed: false } if n == name && *expected == [30]),
        "{error}"
    );

    let folder = Folder::of("wav2vec2_base");
    let name = "wav2vec2.adapter.layers.0.bias";
    folder.rename("wav2vec2.masked_spec_embed", name);
    let error = folder.export().unwrap_err();
    assert!(
        matches!(&error, Error::UnknownTensors { names, .. } if *names == [name]),
        "{error}"
    );

    let folder = Folder::of("wav2vec2_base");
    let name = "wav2vec2.feature_projection.projection.weight";
    folder.change_header(|header| header[name]["shape"] = json!([12, 30]));
    let error = folder.export().unwrap_err();
    assert!(
        matches!(&error, Error::TensorShape { name: n, expected, found, .. }
            if n == name && *expected == [30, 12] && *found == [12, 30]),
        "{error}"
    );
}

#[test]
fn a_window_whose_position_biases_take_too_much_is_refused() {
    let mut options = Options::default();
    options.window_samples = 600 * 16_000;
    let error = Folder::of("wavlm_base").export_with(&options).unwrap_err();
    assert!(matches!(&error, Error::Window { found: 9_600_000, .. }), "{error}");
    // 256 MiB of f32 for 3 heads, by frames squared.
    assert!(
        error.to_string().contains("at most 4729 frames, and not 29999"),
        "{error}"
    );
}

#[test]
fn a_backbone_without_a_head_is_refused() {
    let folder = Folder::of("wav2vec2_base");
    folder.rename("classifier.weight", "lm_head.weight");
    let error = folder.export().unwrap_err();
    assert!(
        matches!(&error, Error::NoHead { expected } if expected == "classifier.weight"),
        "{error}"
    );

    let folder = Folder::of("wav2vec2_base");
    folder.change_header(|header| {
        *header = header
            .iter()
            .map(|(name, tensor)| (name.trim_start_matches("wav2vec2.").to_owned(), tensor.clone()))
            .collect();
    });
    let error = folder.export().unwrap_err();
    assert!(matches!(&error, Error::NoHead { .. }), "{error}");
    assert!(error.to_string().contains("backbone without a head"), "{error}");

    let folder = Folder::of("wav2vec2_base");
    folder.change_header(|header| {
        *header = header
            .iter()
            .map(|(name, tensor)| (name.replace("wav2vec2.", "data2vec_audio."), tensor.clone()))
            .collect();
    });
    let error = folder.export().unwrap_err();
    assert!(matches!(&error, Error::Layout { .. }), "{error}");
    assert!(error.to_string().contains("data2vec_audio."), "{error}");
}

#[test]
fn without_a_config_only_the_tensors_of_fairseq_tell_enough() {
    let folder = Folder::of("wav2vec2_base");
    let error = folder.remove("config.json").export().unwrap_err();
    assert!(
        matches!(&error, Error::NoConfig { path } if *path == folder.path("config.json")),
        "{error}"
    );

    // A folder of the published networks needs none; the width of this one has no usual number of heads.
    let folder = Folder::of("antideepfake_large");
    let result = folder.remove("config.json").export();
    assert_refused(
        result,
        "config.json",
        "num_attention_heads",
        &["absent", "hidden_size 30", "--config"],
    );
    let folder = Folder::of("antideepfake_large");
    let summary = folder.export().unwrap();
    let Shape::Wav2vec2(config) = summary.shape else {
        panic!("{:?} is no wav2vec2", summary.shape);
    };
    assert!(config.do_stable_layer_norm && config.conv_bias);
    assert_eq!(config.conv_stride, [5, 2, 2, 2, 2, 2, 2]);
    assert_eq!(config.num_conv_pos_embedding_groups, 5);
}

#[test]
fn the_program_says_what_it_found() {
    let run = |folder: &Folder, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide-export"));
        let command = command.arg(folder.folder.path()).arg(folder.path("model.onnx"));
        command.args(arguments).output().unwrap()
    };
    let output = run(&Folder::of("wavlm_base"), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "layout: Hugging Face's WavLMForSequenceClassification",
        "classes: bona fide, spoof (named Real, Deep-Fake)",
        "samples: as they are",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let unclear = Folder::of("hubert_large");
    let output = run(&unclear, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("--spoof-index 0 or 1")
    );
    assert!(run(&unclear, &["--spoof-index", "0"]).status.success());
    assert_eq!(run(&unclear, &["--spoof-index", "2"]).status.code(), Some(2));
}
