//! ONNX files that are not a detector's are refused for what they are, before a runtime sees them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bonafide::{Detector, Error};
use proptest::prelude::*;

/// A protobuf field with bytes in it; what is given here is short enough for one-byte lengths or two.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    match u8::try_from(content.len()) {
        Ok(len) if len < 0x80 => field.push(len),
        _ => field.extend([content.len() as u8 | 0x80, (content.len() >> 7) as u8]),
    }
    field.extend(content);
    field
}

/// A protobuf field with a number in it.
fn number(number: u8, value: u32) -> Vec<u8> {
    let mut field = vec![number << 3];
    let mut rest = value;
    while rest >= 0x80 {
        field.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field
}

/// A graph's input or output of the ONNX type `kind` (1 is f32), with axes that are sizes, or free where 0.
fn value(name: &str, kind: u32, axes: &[u32]) -> Vec<u8> {
    let axis = |size: &u32| {
        if *size == 0 {
            field(1, &field(2, b"N"))
        } else {
            field(1, &number(1, *size))
        }
    };
    let shape: Vec<u8> = axes.iter().flat_map(axis).collect();
    let tensor = [number(1, kind), field(2, &shape)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

fn model(inputs: &[Vec<u8>], outputs: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| field(11, input));
    let outputs = outputs.iter().flat_map(|output| field(12, output));
    let graph: Vec<u8> = inputs.chain(outputs).collect();
    [number(1, 8), field(7, &graph)].concat()
}

fn refused(bytes: Vec<u8>) -> Error {
    Detector::builder().model_bytes(bytes).build().unwrap_err()
}

#[test]
fn a_model_of_another_kind_is_told_from_its_inputs_and_outputs() {
    let waveform = || value("waveform", 1, &[0, 64_000]);
    let logits = || value("logits", 1, &[0, 2]);
    for (inputs, outputs, what, found) in [
        (
            vec![value("image", 1, &[1, 3, 224, 224])],
            vec![logits()],
            "input",
            "image: f32 [1, 3, 224, 224]",
        ),
        (
            vec![waveform()],
            vec![value("classes", 1, &[0, 1000])],
            "output",
            "classes: f32 [?, 1000]",
        ),
        (
            vec![waveform()],
            vec![value("logits", 7, &[0, 2])],
            "output",
            "logits: another type [?, 2]",
        ),
        (
            vec![value("waveform", 10, &[0, 64_000])],
            vec![logits()],
            "input",
            "waveform: another type [?, 64000]",
        ),
        (
            vec![waveform(), waveform()],
            vec![logits()],
            "input",
            "waveform: f32 [?, 64000]; waveform",
        ),
        (vec![], vec![logits()], "input", "none"),
        (vec![waveform()], vec![], "output", "none"),
        (
            vec![waveform()],
            vec![logits(), logits()],
            "output",
            "logits: f32 [?, 2]; logits",
        ),
    ] {
        let error = refused(model(&inputs, &outputs));
        let Error::ModelSignature { what: w, found: f, .. } = &error else {
            panic!("{error}");
        };
        assert!(*w == what && f.starts_with(found), "{error}");
    }
    // The right shapes, but nothing says how they are meant.
    let error = refused(model(&[waveform()], &[logits()]));
    assert!(
        matches!(error, Error::ModelMetadataMissing { key: "format_version" }),
        "{error}"
    );
}

#[test]
fn a_model_without_a_graph_or_with_two_is_refused() {
    let error = refused(number(1, 8));
    assert!(error.to_string().contains("found 0 graphs"), "{error}");
    let graph = field(7, &[]);
    let error = refused([graph.clone(), graph].concat());
    assert!(error.to_string().contains("found 2 graphs"), "{error}");
}

#[test]
fn lengths_that_lie_are_found_without_being_believed() {
    // A graph that claims 2^62 bytes, and a name of a million bytes that are not there.
    let huge = [&[0x3a][..], &[0xff; 8], &[0x3f]].concat();
    assert!(refused(huge).to_string().contains("cut off"));
    let endless = [&[0x08][..], &[0xff; 12]].concat();
    assert!(refused(endless).to_string().contains("has no end"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Detector::builder().model_bytes(bytes).build().is_err());
    }

    #[test]
    fn no_change_of_a_real_header_makes_it_panic(place in 0_usize..100, byte in any::<u8>()) {
        let mut bytes = model(&[value("waveform", 1, &[0, 64_000])], &[value("logits", 1, &[0, 2])]);
        let place = place % bytes.len();
        bytes[place] = byte;
        prop_assert!(Detector::builder().model_bytes(bytes).build().is_err());
    }
}
