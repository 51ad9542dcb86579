//! What f16 and int8 models are made of. That they score nearly as f32 does is shown by `tests/precision.rs` of the
//! workspace's root package.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use bonafide_export::{Options, Precision, Target, export};
use half::f16;
use prost::Message;
use proto::tensor_proto::DataType;
use proto::{ModelProto, TensorProto};

/// ONNX's own schema, to read the files with.
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated from ONNX's schema by scripts/onnx-proto.sh"
)]
#[path = "../src/onnx/proto.rs"]
mod proto;

const POSITIONAL: &str = "backbone.encoder.pos_conv_embed.conv.weight";

fn options(precision: Precision, target: Target) -> Options {
    let mut options = Options::default();
    (options.precision, options.target) = (precision, target);
    options
}

fn tiny() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/tiny/tiny.pt")
}

fn bytes(precision: Precision, target: Target) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    export(tiny(), &out, &options(precision, target), &mut |_| {}).unwrap();
    std::fs::read(out).unwrap()
}

fn model(precision: Precision) -> ModelProto {
    ModelProto::decode(bytes(precision, Target::Any).as_slice()).unwrap()
}

fn constants(model: &ModelProto) -> BTreeMap<&str, &TensorProto> {
    let tensors = &model.graph.as_ref().unwrap().initializer;
    tensors.iter().map(|tensor| (tensor.name(), tensor)).collect()
}

fn shape(tensor: &TensorProto) -> Vec<usize> {
    tensor.dims.iter().map(|&size| size as usize).collect()
}

fn f32s(tensor: &TensorProto) -> Vec<f32> {
    assert_eq!(tensor.data_type(), DataType::Float as i32, "{}", tensor.name());
    tensor
        .raw_data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn i8s(tensor: &TensorProto) -> Vec<i8> {
    assert_eq!(tensor.data_type(), DataType::Int8 as i32, "{}", tensor.name());
    tensor.raw_data().iter().map(|byte| byte.cast_signed()).collect()
}

/// How many nodes of each operator there are.
fn operators(model: &ModelProto) -> BTreeMap<&str, usize> {
    let mut operators = BTreeMap::new();
    for node in &model.graph.as_ref().unwrap().node {
        *operators.entry(node.op_type()).or_default() += 1;
    }
    operators
}

/// The tensors of the f32 model that are weights of a matrix product or a convolution, by name: what int8 quantises.
/// Not the first layer's, nor the projection's, which in this small model sums 8 products only.
fn large_weights(model: &ModelProto) -> BTreeSet<&str> {
    let nodes = &model.graph.as_ref().unwrap().node;
    let constants = constants(model);
    let weights = nodes.iter().filter(|node| matches!(node.op_type(), "MatMul" | "Conv"));
    let weights = weights.filter_map(|node| constants.get_key_value(node.input[1].as_str()));
    weights
        .map(|(name, _)| *name)
        .filter(|name| !name.contains("conv_layers.0.") && !name.contains("feature_projection"))
        .collect()
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    for target in [Target::Any, Target::OnnxRuntime] {
        for precision in [Precision::F32, Precision::F16, Precision::Int8] {
            assert!(
                bytes(precision, target) == bytes(precision, target),
                "{precision}, {target}"
            );
        }
    }
}

#[test]
fn the_interface_is_the_same_in_every_precision() {
    let f32 = model(Precision::F32).graph.unwrap();
    for precision in [Precision::F16, Precision::Int8] {
        let model = model(precision);
        let recorded = model
            .metadata_props
            .iter()
            .find(|entry| entry.key() == "bonafide.precision");
        assert_eq!(recorded.unwrap().value(), precision.to_string());
        let graph = model.graph.unwrap();
        assert_eq!((graph.input, graph.output), (f32.input.clone(), f32.output.clone()));
    }
}

#[test]
fn operators_are_of_onnx_unless_another_target_is_asked_for() {
    let domains = |bytes: &[u8]| {
        let model = ModelProto::decode(bytes).unwrap();
        let imported: BTreeSet<String> = model
            .opset_import
            .iter()
            .map(|opset| opset.domain().to_owned())
            .collect();
        let used: BTreeSet<String> = model
            .graph
            .unwrap()
            .node
            .iter()
            .map(|node| node.domain().to_owned())
            .collect();
        assert_eq!(imported, used, "what is used is imported, and the other way around");
        used.into_iter().collect::<Vec<_>>()
    };
    for precision in [Precision::F32, Precision::F16, Precision::Int8] {
        assert_eq!(domains(&bytes(precision, Target::Any)), [""], "{precision}");
    }
    assert_eq!(
        domains(&bytes(Precision::Int8, Target::OnnxRuntime)),
        ["", "com.microsoft"]
    );
}

#[test]
fn every_value_is_made_before_it_is_read_and_only_once() {
    for target in [Target::Any, Target::OnnxRuntime] {
        for precision in [Precision::F32, Precision::F16, Precision::Int8] {
            let graph = ModelProto::decode(bytes(precision, target).as_slice())
                .unwrap()
                .graph
                .unwrap();
            let mut known: BTreeSet<&str> = graph.input.iter().filter_map(|input| input.name.as_deref()).collect();
            known.extend(graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()));
            let mut read = BTreeSet::new();
            for node in &graph.node {
                for input in &node.input {
                    assert!(
                        known.contains(input.as_str()),
                        "{precision}: {} reads {input}",
                        node.name()
                    );
                    read.insert(input.as_str());
                }
                for output in &node.output {
                    assert!(known.insert(output), "{precision}: {output} is made twice");
                }
            }
            for tensor in &graph.initializer {
                assert!(
                    read.contains(tensor.name()),
                    "{precision}: nothing reads {}",
                    tensor.name()
                );
            }
            assert!(known.contains(graph.output[0].name()));
        }
    }
}

#[test]
fn f16_weights_are_the_f32_ones_rounded() {
    let (f32, f16) = (model(Precision::F32), model(Precision::F16));
    let (f32, f16) = (constants(&f32), constants(&f16));
    let mut in_f32 = Vec::new();
    for (name, exact) in &f32 {
        let found = f16[name];
        assert_eq!(found.dims, exact.dims, "{name}");
        if exact.data_type() != DataType::Float as i32 {
            assert_eq!(found, *exact);
        } else if found.data_type() == DataType::Float as i32 {
            assert_eq!(found, *exact);
            in_f32.push(*name);
        } else {
            assert_eq!(found.data_type(), DataType::Float16 as i32);
            let halves = found
                .raw_data()
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f16::from_le_bytes(*bytes).to_f32());
            let rounded = f32s(exact).into_iter().map(|value| f16::from_f32(value).to_f32());
            assert!(halves.eq(rounded), "{name}");
        }
    }
    // The first layer, which sees the waveform, its norm over time, and the classifier.
    assert_eq!(
        in_f32,
        [
            "backbone.feature_extractor.conv_layers.0.conv.weight",
            "backbone.feature_extractor.conv_layers.0.layer_norm.bias",
            "backbone.feature_extractor.conv_layers.0.layer_norm.weight",
            "classifier.bias",
            "classifier.weight",
        ]
    );
}

#[test]
fn int8_quantises_every_large_weight_and_nothing_else() {
    let (f32, int8) = (model(Precision::F32), model(Precision::Int8));
    let large = large_weights(&f32);
    // 6 convolutions, the positional one, and 6 products in each of 2 layers.
    assert_eq!(large.len(), 6 + 1 + 2 * 6);
    let (f32, int8) = (constants(&f32), constants(&int8));
    for (name, exact) in f32 {
        if large.contains(name) {
            assert_eq!(int8[name].data_type(), DataType::Int8 as i32, "{name}");
        } else if let Some(found) = int8.get(name) {
            assert_eq!(*found, exact);
        }
    }
}

#[test]
fn int8_scales_are_by_output_and_use_the_whole_range() {
    let (f32, int8) = (model(Precision::F32), model(Precision::Int8));
    let large = large_weights(&f32);
    let (f32, int8) = (constants(&f32), constants(&int8));
    for name in large {
        // The weight as rows of an output each, from either layout of f32.
        let values = f32s(f32[name]);
        let rows: Vec<Vec<f32>> = match shape(f32[name])[..] {
            [inputs, outputs] => (0..outputs)
                .map(|o| (0..inputs).map(|i| values[i * outputs + o]).collect())
                .collect(),
            [outputs, inputs, kernel] if name == POSITIONAL => values
                .chunks(inputs * kernel)
                .take(outputs)
                .map(<[f32]>::to_vec)
                .collect(),
            // Frame by frame of the kernel.
            [outputs, inputs, kernel] => (0..outputs)
                .map(|o| {
                    let places = (0..kernel).flat_map(|k| (0..inputs).map(move |i| (i, k)));
                    places.map(|(i, k)| values[(o * inputs + i) * kernel + k]).collect()
                })
                .collect(),
            ref shape => panic!("{name} has shape {shape:?}"),
        };
        let scales = f32s(int8[format!("{name}.scale").as_str()]);
        assert_eq!(scales.len(), rows.len(), "{name}");
        let stored = i8s(int8[name]);
        // Products of integers may saturate above 7 bits; the positional convolution is brought back to f32 instead.
        let limit: u8 = if name == POSITIONAL { 127 } else { 64 };
        for (o, (row, scale)) in rows.iter().zip(scales).enumerate() {
            let largest = row.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
            assert_eq!(scale, largest / f32::from(limit), "{name}, output {o}");
            let integers: Vec<i8> = match name {
                POSITIONAL => stored[o * row.len()..][..row.len()].to_vec(),
                _ => stored.iter().skip(o).step_by(rows.len()).copied().collect(),
            };
            assert_eq!(integers.len(), row.len());
            assert_eq!(
                integers.iter().map(|q| q.unsigned_abs()).max(),
                Some(limit),
                "{name}, output {o}"
            );
            for (q, w) in integers.iter().zip(row) {
                assert!(
                    (f32::from(*q) * scale - w).abs() <= scale * 0.5001,
                    "{name}: {q} · {scale} for {w}"
                );
            }
        }
    }
}

#[test]
fn int8_multiplies_integers_and_transposes_the_convolutions_once() {
    let (f32, int8) = (model(Precision::F32), model(Precision::Int8));
    let (f32, int8) = (operators(&f32), operators(&int8));
    assert_eq!(int8["MatMulInteger"], 6 + 2 * 6);
    // Queries, keys and values read one quantised value.
    assert_eq!(int8["DynamicQuantizeLinear"], 6 + 2 * 4);
    // The first convolution and the positional one. The projection, and the attention's products, which have no weight.
    assert_eq!((int8["Conv"], int8["MatMul"]), (2, 1 + 2 * 2));
    // The one into channels-last takes the place of the one before the projection.
    assert_eq!(int8["Transpose"], f32["Transpose"]);
    for operator in [
        "Softmax",
        "LayerNormalization",
        "InstanceNormalization",
        "ReduceMean",
        "Gemm",
        "Erf",
    ] {
        assert_eq!(int8[operator], f32[operator], "{operator}");
    }
}

#[test]
fn lower_precisions_are_smaller() {
    let weights = |precision| -> usize {
        constants(&model(precision))
            .values()
            .map(|tensor| tensor.raw_data().len())
            .sum()
    };
    let [f32, f16, int8] = [Precision::F32, Precision::F16, Precision::Int8].map(|p| weights(p) as f64);
    assert!(f16 < 0.52 * f32, "{f16} of {f32}");
    // Biases, norms and scales are a small part of a real model, but not of this one.
    assert!(int8 < 0.40 * f32, "{int8} of {f32}");
}

#[test]
fn the_program_takes_a_precision_and_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("model.onnx");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bonafide-export"));
        command.arg(tiny()).arg(&out).args(arguments).output().unwrap()
    };
    let output = run(&["--precision", "int8"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("bonafide.precision = int8"),
        "{text}"
    );
    assert!(std::fs::read(&out).unwrap() == bytes(Precision::Int8, Target::Any));
    assert!(
        run(&["--precision", "int8", "--target", "onnxruntime"])
            .status
            .success()
    );
    assert!(std::fs::read(&out).unwrap() == bytes(Precision::Int8, Target::OnnxRuntime));

    for wrong in [["--precision", "int4"], ["--target", "tensorrt"]] {
        let output = run(&wrong);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("expected `"));
    }
}
