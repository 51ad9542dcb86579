//! What is found in a checkpoint and in an ONNX file, and that no file does harm.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use bonafide_export::{Error, Inspection, Kind, Options, export, inspect};
use serde_json::Value;
use tempfile::TempDir;

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/tiny")
        .join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(tiny(name)).unwrap()).unwrap()
}

/// A model exported into a new folder.
fn exported(options: &Options) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    export(tiny("tiny.pt"), &path, options, &mut |_| {}).unwrap();
    (folder, path)
}

fn look(path: &Path) -> Result<Inspection, Error> {
    inspect(path, &mut |_| {})
}

/// Looks at bytes as an ONNX file.
fn look_at(bytes: &[u8]) -> Result<Inspection, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    look(&path)
}

fn parameters_of(found: &Inspection, layer: &str) -> u64 {
    found.layers.iter().find(|size| size.name == layer).unwrap().parameters
}

#[test]
fn a_checkpoint_is_what_the_script_that_made_it_says() {
    let found = look(&tiny("tiny.pt")).unwrap();
    let (expected, config) = (json("expected.json"), json("config.json"));
    assert_eq!(found.kind, Kind::Checkpoint);
    assert!(found.problems.is_empty(), "{found:?}");
    assert_eq!(Some(found.parameters), expected["parameters"].as_u64());
    assert_eq!(found.bytes, 4 * found.parameters);
    assert_eq!(found.labels, ["bonafide", "spoof"]);
    assert_eq!(found.normalization.as_deref(), Some("none"));
    assert_eq!(found.metadata["epoch"], 9);
    assert_eq!(found.metadata["best_eer"], 0.5);
    assert_eq!(found.metadata["config.model_name"], "facebook/wav2vec2-base");
    let network = found.config.as_ref().unwrap();
    assert_eq!(Some(network.hidden_size as u64), config["hidden_size"].as_u64());

    // By hand, from config.json.
    let get = |field: &str| config[field].as_u64().unwrap();
    let (size, inner, channels) = (
        get("hidden_size"),
        get("intermediate_size"),
        config["conv_dim"][0].as_u64().unwrap(),
    );
    let layer = 4 * (size * size + size) + 2 * size * inner + inner + size + 4 * size;
    assert_eq!(parameters_of(&found, "encoder layer 0"), layer);
    assert_eq!(parameters_of(&found, "encoder layer 1"), layer);
    assert_eq!(parameters_of(&found, "head"), 2 * size + 2);
    assert_eq!(
        parameters_of(&found, "projection"),
        2 * channels + channels * size + size
    );
    let kernels: u64 = config["conv_kernel"].as_array().unwrap()[1..]
        .iter()
        .map(|k| k.as_u64().unwrap())
        .sum();
    let first = config["conv_kernel"][0].as_u64().unwrap();
    assert_eq!(
        parameters_of(&found, "feature extractor"),
        channels * first + 2 * channels + channels * channels * kernels
    );
    assert_eq!(
        found.layers.iter().map(|size| size.parameters).sum::<u64>(),
        found.parameters
    );
    assert_eq!(
        found.tensors.iter().map(|tensor| tensor.bytes).sum::<u64>(),
        found.bytes
    );

    let halves = look(&tiny("tiny_f16.pt")).unwrap();
    assert_eq!(
        (halves.dtypes[0].name.as_str(), halves.bytes),
        ("float16", 2 * halves.parameters)
    );
}

#[test]
fn a_checkpoint_that_cannot_be_exported_can_be_looked_at() {
    // Without its config.json it would have to be wav2vec2-base.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.pt");
    std::fs::copy(tiny("tiny.pt"), &path).unwrap();
    let found = look(&path).unwrap();
    assert_eq!(Some(found.parameters), json("expected.json")["parameters"].as_u64());
    assert!(!found.tensors.is_empty());
}

#[test]
fn every_layout_is_known_by_its_folder() {
    let layouts = tiny("../layouts");
    let expected: Value = serde_json::from_slice(&std::fs::read(layouts.join("expected.json")).unwrap()).unwrap();
    for (name, expected) in expected["layouts"].as_object().unwrap() {
        let folder = layouts.join(name);
        let found = look(&folder).unwrap();
        let layout = match name.split_once('_').unwrap().0 {
            "wav2vec2" => "Wav2Vec2ForSequenceClassification",
            "hubert" => "HubertForSequenceClassification",
            "wavlm" => "WavLMForSequenceClassification",
            _ => "AntiDeepfake",
        };
        assert_eq!(serde_json::to_value(found.layout).unwrap(), layout, "{name}");
        let normalization = match std::fs::read(folder.join("preprocessor_config.json")) {
            Err(_) => "layer-norm",
            Ok(json) => match serde_json::from_slice::<Value>(&json).unwrap()["do_normalize"] {
                Value::Bool(true) => "zero-mean-unit-variance",
                _ => "none",
            },
        };
        assert_eq!(found.normalization.as_deref(), Some(normalization), "{name}");
        if expected["named"] == true {
            let spoof = expected["spoof_index"].as_u64().unwrap() as usize;
            assert_eq!(
                (found.labels[spoof].as_str(), found.problems.len()),
                ("spoof", 0),
                "{name}"
            );
        } else {
            assert!(
                found.labels.is_empty() && found.problems[0].contains("--spoof-index"),
                "{name}: {found:?}"
            );
        }
    }
}

#[test]
fn the_small_network_is_known_by_its_config() {
    let found = look(&tiny("../lite")).unwrap();
    assert_eq!(found.layout, Some(bonafide_export::Layout::Lite));
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!(found.labels, ["bonafide", "spoof"]);
    let config = found.lite_config.unwrap();
    assert_eq!((config.bins(), config.blocks().len()), (65, 4));
    let layers: Vec<&str> = found.layers.iter().map(|layer| layer.name.as_str()).collect();
    let expected = [
        "spectrogram",
        "stem",
        "stage 0",
        "stage 1",
        "stage 2",
        "attention",
        "head",
    ];
    assert_eq!(layers, expected);
}

#[test]
fn shards_are_summed_up_and_hashed_each() {
    let folder = tiny("../sources/sharded");
    let found = look(&folder).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let mut listed: Vec<&str> = found.files.iter().map(|file| file.name.as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, names);
    assert_eq!(found.format.as_deref(), Some("safetensors file"));
    let index: Value =
        serde_json::from_slice(&std::fs::read(folder.join("model.safetensors.index.json")).unwrap()).unwrap();
    let tensors: Vec<&str> = found.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut expected: Vec<&String> = index["weight_map"].as_object().unwrap().keys().collect();
    expected.sort_unstable();
    assert_eq!(tensors, expected);
}

#[test]
fn a_model_is_what_was_exported() {
    let (_folder, path) = exported(&Options::default());
    let found = look(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(found.kind, Kind::Onnx);
    assert!(found.problems.is_empty(), "{found:?}");
    assert_eq!(found.files[0].bytes, bytes.len() as u64);
    assert_eq!(found.labels, ["bonafide", "spoof"]);
    assert_eq!(found.metadata["bonafide.window_samples"], "64000");
    let sha256sum = Command::new("sha256sum").arg(&path).output();
    if let Ok(output) = sha256sum {
        let expected = String::from_utf8(output.stdout).unwrap();
        assert_eq!(Some(found.files[0].sha256.as_str()), expected.split(' ').next());
    }

    let onnx = found.onnx.as_ref().unwrap();
    assert_eq!(onnx.opsets["ai.onnx"], 17);
    assert_eq!(onnx.producer, format!("bonafide-export {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        (onnx.inputs[0].name.as_str(), onnx.inputs[0].dtype.as_str()),
        ("waveform", "float32")
    );
    assert_eq!(onnx.inputs[0].shape, [Value::from("N"), Value::from(64_000)]);
    assert_eq!(onnx.outputs[0].shape, [Value::from("N"), Value::from(2)]);
    assert_eq!(onnx.operators["LayerNormalization"], 1 + 1 + 2 * 2);
    assert!(onnx.external_data.is_empty());

    // The same layers as the checkpoint's, where nothing was folded.
    let checkpoint = look(&tiny("tiny.pt")).unwrap();
    for layer in [
        "feature extractor",
        "projection",
        "encoder layer 0",
        "encoder layer 1",
        "head",
    ] {
        assert_eq!(
            parameters_of(&found, layer),
            parameters_of(&checkpoint, layer),
            "{layer}"
        );
    }
}

#[test]
fn weights_in_another_file_are_counted_and_missed() {
    let mut options = Options::default();
    options.external_data_above = 0;
    let (_folder, path) = exported(&options);
    let inline = look(&exported(&Options::default()).1).unwrap();
    let found = look(&path).unwrap();
    let data = path.with_file_name("model.onnx.data");
    let len = std::fs::metadata(&data).unwrap().len();
    assert_eq!(found.onnx.as_ref().unwrap().external_data[0].bytes, Some(len));
    assert_eq!(found.onnx.as_ref().unwrap().external_data[0].needed_bytes, len);
    assert_eq!((found.files.len(), found.files[1].bytes), (2, len));
    assert_eq!((found.bytes, found.parameters), (inline.bytes, inline.parameters));

    std::fs::File::options()
        .write(true)
        .open(&data)
        .unwrap()
        .set_len(len - 1)
        .unwrap();
    let found = look(&path).unwrap();
    assert!(
        found.problems[0].contains("model.onnx.data") && found.problems[0].contains("copy it again"),
        "{found:?}"
    );
    std::fs::remove_file(&data).unwrap();
    let found = look(&path).unwrap();
    assert_eq!(found.onnx.as_ref().unwrap().external_data[0].bytes, None);
    assert!(found.problems[0].contains("isn't there"), "{found:?}");
}

#[test]
fn weights_outside_of_the_folder_are_not_looked_for() {
    let mut options = Options::default();
    options.external_data_above = 0;
    let (folder, path) = exported(&options);
    // As long as `model.onnx.data`, and really there.
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(folder.path().join("secret123456"), [0; 100_000]).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let (old, new) = (b"model.onnx.data", b"../secret123456");
    for i in 0..bytes.len() - old.len() {
        if bytes[i..].starts_with(old) {
            bytes[i..i + new.len()].copy_from_slice(new);
        }
    }
    std::fs::write(inside.join("model.onnx"), bytes).unwrap();
    let found = look(&inside.join("model.onnx")).unwrap();
    assert_eq!(found.onnx.unwrap().external_data[0].bytes, None);
    assert_eq!(found.files.len(), 1);
}

#[test]
fn a_cut_off_model_is_an_error_wherever_it_is_cut() {
    let (_folder, path) = exported(&Options::default());
    let bytes = std::fs::read(&path).unwrap();
    for len in (0..bytes.len())
        .step_by(bytes.len() / 97)
        .chain([1, 2, 100, bytes.len() - 1])
    {
        let error = look_at(&bytes[..len]).unwrap_err();
        assert!(matches!(error, Error::Onnx { .. }), "{len}: {error}");
    }
}

#[test]
fn hostile_files_are_errors() {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut len = content.len();
        while len >= 0x80 {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes.extend(content);
        bytes
    };
    let graph = |content: &[u8]| field(7, content);
    let tensor = |content: &[u8]| graph(&field(5, content));
    // dims: a varint, with tag 1.
    let huge = [1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let negative = [1 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("garbage", b"this is not a model at all".to_vec()),
        ("html", b"<!DOCTYPE html><html></html>".to_vec()),
        (
            "a field of 2^63 bytes",
            vec![7 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("a number without an end", vec![0xff; 64]),
        ("two graphs", [graph(b""), graph(b"")].concat()),
        ("more numbers than can be", tensor(&[huge, huge].concat())),
        ("a negative size", tensor(&negative)),
        ("a name that is no text", graph(&field(2, &[0xff, 0xfe]))),
        // Two bytes each in the file, and many more in memory.
        ("a million empty weights", graph(&field(5, b"").repeat(1 << 20))),
        ("a million empty nodes", graph(&field(1, b"").repeat(1 << 20))),
        ("a name of 20 MB", graph(&field(2, &vec![b'a'; 20 << 20]))),
        ("a million empty entries", field(14, b"").repeat(1 << 20)),
        ("weights without a location", tensor(&[14 << 3, 1])),
    ] {
        let error = look_at(&bytes).unwrap_err();
        assert!(matches!(error, Error::Onnx { .. }), "{what}: {error}");
    }
}

#[test]
fn a_weight_that_contradicts_its_shape_is_a_problem() {
    let (_folder, path) = exported(&Options::default());
    let mut bytes = std::fs::read(&path).unwrap();
    // The head's weight is float32 [2, 24]: make it [3, 24].
    let name = b"classifier.weight";
    let at = bytes.windows(name.len()).rposition(|w| w == name).unwrap();
    let dims = bytes[..at].windows(2).rposition(|w| w == [1 << 3, 2]).unwrap();
    bytes[dims + 1] = 3;
    let found = look_at(&bytes).unwrap();
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert!(
        found.problems[0].contains("classifier.weight") && found.problems[0].contains("288"),
        "{found:?}"
    );
}

#[test]
fn the_program_prints_a_table_or_json() {
    let (_folder, path) = exported(&Options::default());
    let run = |arguments: &[&str], path: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_bonafide-export"))
            .arg("inspect")
            .arg(path)
            .args(arguments)
            .output()
            .unwrap();
        let (out, error) = (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        );
        (output.status.success(), out, error)
    };
    for file in [tiny("tiny.pt"), path] {
        let (success, text, _) = run(&[], &file);
        assert!(success);
        for part in ["sha256", "encoder layer 1", "total", "labels"] {
            assert!(text.contains(part), "{text}");
        }
        let (success, text, _) = run(&["--json"], &file);
        assert!(success);
        let json: Value = serde_json::from_str(&text).unwrap();
        let found = look(&file).unwrap();
        let expected: Value = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
        assert_eq!(json, expected);
        assert_eq!(json["layers"][0]["name"], "feature extractor");
        let (_, text, _) = run(&["--tensors"], &file);
        assert!(text.contains("encoder.layers.0.attention.q_proj.weight"), "{text}");
    }
    let (success, out, error) = run(&[], Path::new("absent.onnx"));
    assert!(!success && out.is_empty() && error.contains("absent.onnx"), "{error}");
}

#[test]
fn a_model_on_the_hub_is_looked_for_there() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bonafide-export"))
        .args(["inspect", "hf://owner/name"])
        .env("HF_HOME", folder.path())
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("owner/name"), "{error}");
}
