//! Reading checkpoints: those of PyTorch, and those made to break the reader.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use bonafide_export::checkpoint::{Checkpoint, Dtype, Value};
use bonafide_export::{Error, Result};
use half::{bf16, f16};
use proptest::prelude::*;
use tempfile::NamedTempFile;

// The checkpoints that PyTorch wrote.

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tiny")).join(name)
}

/// Every tensor's shape and numbers, by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(checkpoint: &Checkpoint) -> Result<Tensors> {
    checkpoint
        .tensors()
        .map(|(name, tensor)| Ok((name.to_owned(), (tensor.shape.clone(), checkpoint.read_f32(name)?))))
        .collect()
}

fn fixture_tensors(name: &str) -> Tensors {
    tensors(&Checkpoint::open(fixture(name)).unwrap()).unwrap()
}

#[test]
fn reads_a_training_checkpoint() {
    let checkpoint = Checkpoint::open(fixture("tiny.pt")).unwrap();
    assert_eq!(checkpoint.epoch(), Some(9));
    assert_eq!(checkpoint.best_eer(), Some(0.5));
    let config = checkpoint.config();
    assert_eq!(config.get("batch_size"), Some(&Value::Int(16)));
    assert_eq!(config.get("learning_rate"), Some(&Value::Float(1e-5)));
    assert_eq!(config.get("use_amp"), Some(&Value::Bool(true)));
    assert_eq!(config.get("resume_from"), Some(&Value::None));
    assert_eq!(
        config.get("model_name"),
        Some(&Value::Str("facebook/wav2vec2-base".to_owned()))
    );
    assert_eq!(
        config.get("class_weights"),
        Some(&Value::List(vec![Value::Float(4.919), Value::Float(0.557)]))
    );

    let (name, bias) = checkpoint.tensor("classifier.bias").unwrap();
    assert_eq!(
        (name, bias.shape.as_slice(), bias.dtype),
        ("classifier.bias", &[2][..], Dtype::F32)
    );
    // The optimiser's tensors are none of the model's.
    assert!(
        checkpoint
            .tensors()
            .all(|(name, _)| name.starts_with("backbone.") || name.starts_with("classifier."))
    );
    for (name, (shape, numbers)) in tensors(&checkpoint).unwrap() {
        assert_eq!(shape.iter().product::<usize>(), numbers.len(), "{name}");
        assert!(numbers.iter().all(|number| number.is_finite()), "{name}");
    }
}

#[test]
fn reads_a_bare_state_dict() {
    let checkpoint = Checkpoint::open(fixture("tiny_bare.pt")).unwrap();
    assert_eq!(tensors(&checkpoint).unwrap(), fixture_tensors("tiny.pt"));
    assert_eq!((checkpoint.epoch(), checkpoint.best_eer()), (None, None));
    assert!(checkpoint.config().is_empty());
}

#[test]
fn reads_numpy_scalars() {
    let checkpoint = Checkpoint::open(fixture("tiny_numpy.pt")).unwrap();
    assert_eq!(checkpoint.epoch(), Some(9));
    assert_eq!(checkpoint.best_eer(), Some(0.5));
}

#[test]
fn threads_can_share_a_checkpoint() {
    let checkpoint = Checkpoint::open(fixture("tiny.pt")).unwrap();
    let expected = fixture_tensors("tiny.pt");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(tensors(&checkpoint).unwrap(), expected));
        }
    });
}

#[test]
fn follows_strides() {
    assert_eq!(fixture_tensors("tiny_strided.pt"), fixture_tensors("tiny.pt"));
}

#[test]
fn widens_half_precision() {
    let full = fixture_tensors("tiny.pt");
    for (file, dtype, round) in [
        (
            "tiny_f16.pt",
            Dtype::F16,
            (|x| f16::from_f32(x).to_f32()) as fn(f32) -> f32,
        ),
        ("tiny_bf16.pt", Dtype::Bf16, |x| bf16::from_f32(x).to_f32()),
    ] {
        let checkpoint = Checkpoint::open(fixture(file)).unwrap();
        for (name, tensor) in checkpoint.tensors() {
            let (shape, numbers) = &full[name];
            let rounded: Vec<f32> = numbers.iter().copied().map(round).collect();
            assert_eq!((&tensor.shape, tensor.dtype), (shape, dtype), "{name}");
            assert_eq!(checkpoint.read_f32(name).unwrap(), rounded, "{name} in {file}");
        }
    }
}

#[test]
fn reads_both_spellings_of_weight_norm() {
    let respelled: BTreeMap<_, _> = fixture_tensors("tiny.pt")
        .into_iter()
        .map(|(name, tensor)| {
            let name = name
                .replace("parametrizations.weight.original0", "weight_g")
                .replace("parametrizations.weight.original1", "weight_v");
            (name, tensor)
        })
        .collect();
    assert_eq!(fixture_tensors("tiny_weight_norm.pt"), respelled);
}

// Checkpoints made by hand.

/// A zip file's entry, and the lies that its directory tells about it.
struct Entry {
    name: String,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    crc32: u32,
    size: u64,
}

impl Entry {
    fn new(name: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        let data = data.into();
        Self {
            name: name.into(),
            method: 0,
            flags: 0,
            crc32: crc32fast::hash(&data),
            size: data.len() as u64,
            data,
        }
    }
}

fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = file.len() as u32;
        let mut header = Vec::new();
        header.extend(45_u16.to_le_bytes());
        header.extend(entry.flags.to_le_bytes());
        header.extend(entry.method.to_le_bytes());
        header.extend([0; 4]);
        header.extend(entry.crc32.to_le_bytes());
        let size = u32::try_from(entry.size).unwrap_or(u32::MAX);
        header.extend(size.to_le_bytes());
        header.extend(size.to_le_bytes());
        header.extend((entry.name.len() as u16).to_le_bytes());
        let mut extra = Vec::new();
        if size == u32::MAX {
            extra.extend([1, 0, 16, 0]);
            extra.extend(entry.size.to_le_bytes());
            extra.extend(entry.size.to_le_bytes());
        }
        header.extend((extra.len() as u16).to_le_bytes());

        file.extend(b"PK\x03\x04");
        file.extend(&header);
        file.extend(entry.name.as_bytes());
        file.extend(&extra);
        file.extend(&entry.data);

        directory.extend(b"PK\x01\x02\x2d\x00");
        directory.extend(&header);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
        directory.extend(&extra);
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((entries.len() as u16).to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// Writes a pickle, in the instructions that `torch.save` uses.
#[derive(Clone)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    fn op(mut self, code: impl AsRef<[u8]>) -> Self {
        self.0.extend(code.as_ref());
        self
    }

    fn str(self, text: &str) -> Self {
        self.op("X").op((text.len() as u32).to_le_bytes()).op(text)
    }

    fn int(self, number: i64) -> Self {
        self.op([0x8a, 8]).op(number.to_le_bytes())
    }

    fn float(self, number: f64) -> Self {
        self.op("G").op(number.to_be_bytes())
    }

    fn global(self, module: &str, name: &str) -> Self {
        self.op(format!("c{module}\n{name}\n"))
    }

    fn ints(self, numbers: &[i64]) -> Self {
        numbers
            .iter()
            .fold(self.op("("), |pickle, &number| pickle.int(number))
            .op("t")
    }

    fn tensor(self, tensor: &Tensor) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .op("((")
            .str("storage")
            .global("torch", tensor.kind)
            .str(tensor.key)
            .str("cuda:0")
            .int(tensor.capacity)
            .op("tQ")
            .int(tensor.offset)
            .ints(tensor.shape)
            .ints(tensor.strides)
            .op(b"\x89")
            .global("collections", "OrderedDict")
            .op(")RtR")
    }

    /// Ends the pickle, and packs it with its storages.
    fn pack(self, storages: &[(&str, &[u8])]) -> Vec<u8> {
        let mut entries = vec![
            Entry::new("archive/data.pkl", self.op(".").0),
            Entry::new("archive/byteorder", "little"),
        ];
        entries.extend(
            storages
                .iter()
                .map(|(key, data)| Entry::new(format!("archive/data/{key}"), *data)),
        );
        entries.push(Entry::new("archive/version", "3\n"));
        zip(&entries)
    }
}

#[derive(Clone, Copy)]
struct Tensor {
    kind: &'static str,
    key: &'static str,
    capacity: i64,
    offset: i64,
    shape: &'static [i64],
    strides: &'static [i64],
}

/// `[2, 3]`, of the six numbers of [`SIX`].
const TENSOR: Tensor = Tensor {
    kind: "FloatStorage",
    key: "0",
    capacity: 6,
    offset: 0,
    shape: &[2, 3],
    strides: &[3, 1],
};
const SIX: [f32; 6] = [1.0, -2.5, 3.0, f32::MIN_POSITIVE / 2.0, 5.0, f32::INFINITY];

/// Any view of the same six numbers.
const fn view(offset: i64, shape: &'static [i64], strides: &'static [i64]) -> Tensor {
    Tensor {
        offset,
        shape,
        strides,
        ..TENSOR
    }
}

fn six() -> Vec<u8> {
    SIX.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A file of one tensor `w`.
fn one_tensor(tensor: Tensor, storage: &[u8]) -> Vec<u8> {
    Pickle::new()
        .op("}")
        .str("w")
        .tensor(&tensor)
        .op("s")
        .pack(&[("0", storage)])
}

/// A state dict under `model_state_dict`, with `value` under `key` beside it.
fn beside(key: &str, value: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    let pickle = Pickle::new().op("}(").str("model_state_dict").op("}");
    let pickle = pickle.str("w").tensor(&TENSOR).op("s").str(key);
    value(pickle).op("u").pack(&[("0", &six())])
}

fn save(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open(bytes: &[u8]) -> Result<Checkpoint> {
    Checkpoint::open(save(bytes).path())
}

/// The error that a file gives, in debug and display form.
#[track_caller]
fn error(bytes: &[u8]) -> (Error, String) {
    let error = open(bytes).unwrap_err();
    let message = error.to_string();
    (error, message)
}

macro_rules! assert_error {
    ($bytes:expr, $variant:pat, $($part:expr),* $(,)?) => {{
        let (error, message) = error($bytes.as_ref());
        assert!(matches!(error, $variant), "{error:?}");
        $(assert!(message.contains($part), "{message}");)*
    }};
}

#[test]
fn reads_every_type_of_number() {
    let cases: [(&str, Vec<u8>, &[f32]); 4] = [
        ("FloatStorage", six(), &SIX),
        (
            "DoubleStorage",
            [1.0, -2.0, 1e300, 1e-300, 0.1, f64::NEG_INFINITY]
                .map(f64::to_le_bytes)
                .concat(),
            &[1.0, -2.0, f32::INFINITY, 0.0, 0.1, f32::NEG_INFINITY],
        ),
        (
            "HalfStorage",
            [0x3c00_u16, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00]
                .map(u16::to_le_bytes)
                .concat(),
            &[1.0, -2.0, 65504.0, 5.960_464_5e-8, -0.0, f32::INFINITY],
        ),
        (
            "BFloat16Storage",
            [0x3f80_u16, 0xc000, 0x7f7f, 0x0001, 0x8000, 0xff80]
                .map(u16::to_le_bytes)
                .concat(),
            &[1.0, -2.0, 3.389_531_4e38, 9.183_55e-41, -0.0, f32::NEG_INFINITY],
        ),
    ];
    for (kind, storage, expected) in cases {
        let checkpoint = open(&one_tensor(Tensor { kind, ..TENSOR }, &storage)).unwrap();
        let bits = |numbers: &[f32]| numbers.iter().copied().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&checkpoint.read_f32("w").unwrap()), bits(expected), "{kind}");
    }
}

#[test]
fn refuses_to_read_integers() {
    for (kind, size, name) in [
        ("LongStorage", 8, "int64"),
        ("IntStorage", 4, "int32"),
        ("ShortStorage", 2, "int16"),
        ("CharStorage", 1, "int8"),
        ("ByteStorage", 1, "uint8"),
        ("BoolStorage", 1, "bool"),
    ] {
        let checkpoint = open(&one_tensor(Tensor { kind, ..TENSOR }, &vec![0; 6 * size])).unwrap();
        let (_, tensor) = checkpoint.tensor("w").unwrap();
        assert_eq!((tensor.dtype.to_string().as_str(), tensor.dtype.size()), (name, size));
        let error = checkpoint.read_f32("w").unwrap_err();
        assert!(matches!(error, Error::TensorType { found, .. } if found == tensor.dtype));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn reads_views() {
    let [a, b, c, d, e, f] = SIX;
    let cases: [(Tensor, &[f32]); 8] = [
        // Transposed, strided, part of a contiguous storage, expanded, a scalar.
        (view(0, &[3, 2], &[1, 3]), &[a, d, b, e, c, f]),
        (view(1, &[3], &[2]), &[b, d, f]),
        (view(2, &[2, 2], &[2, 1]), &[c, d, e, f]),
        (view(0, &[2, 2], &[0, 1]), &[a, b, a, b]),
        (view(4, &[], &[]), &[e]),
        // The stride of a dimension of size 1 means nothing.
        (view(5, &[1, 1], &[i64::MAX, 0]), &[f]),
        (view(0, &[2, 1, 2], &[3, i64::MAX, 2]), &[a, c, d, f]),
        // Empty, and so nowhere.
        (view(i64::MAX, &[3, 0, 2], &[i64::MAX, 1, 1]), &[]),
    ];
    for (tensor, expected) in cases {
        let checkpoint = open(&one_tensor(tensor, &six())).unwrap();
        let (_, info) = checkpoint.tensor("w").unwrap();
        assert_eq!(info.elements(), expected.len(), "{info:?}");
        assert_eq!(checkpoint.read_f32("w").unwrap(), expected, "{info:?}");
    }
}

proptest! {
    #[test]
    fn any_view_reads_as_its_strides_say(
        dimensions in prop::collection::vec((0_usize..4, 0_usize..5), 0..5),
        offset in 0_usize..4,
    ) {
        let (shape, strides): (Vec<usize>, Vec<usize>) = dimensions.into_iter().unzip();
        let ints = |numbers: &[usize]| numbers.iter().map(|&n| n as i64).collect::<Vec<i64>>();
        let storage: Vec<f32> = (0..80_u8).map(f32::from).collect();
        let bytes: Vec<u8> = storage.iter().flat_map(|number| number.to_le_bytes()).collect();
        let file = one_tensor(
            Tensor {
                capacity: 80,
                offset: offset as i64,
                shape: ints(&shape).leak(),
                strides: ints(&strides).leak(),
                ..TENSOR
            },
            &bytes,
        );

        // One dimension after the other, from the first.
        let mut places = vec![offset];
        for (&size, &stride) in shape.iter().zip(&strides) {
            places = places.iter().flat_map(|place| (0..size).map(move |i| place + i * stride)).collect();
        }
        let expected: Vec<f32> = places.iter().map(|&place| storage[place]).collect();
        prop_assert_eq!(open(&file).unwrap().read_f32("w").unwrap(), expected);
    }

    #[test]
    fn any_instructions_end_in_a_value_or_an_error(
        instructions in prop::collection::vec(
            prop_oneof![
                4 => prop::sample::select(b"()]}NaesutRbQ01\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94.".to_vec())
                    .prop_map(|code| vec![code]),
                2 => (0_u8..8, prop::sample::select(b"qhK".to_vec())).prop_map(|(n, code)| vec![code, n]),
                1 => prop::sample::select(vec![
                    &b"ctorch._utils\n_rebuild_tensor_v2\n"[..],
                    b"ctorch._utils\n_rebuild_parameter\n",
                    b"ccollections\nOrderedDict\n",
                    b"ctorch\nFloatStorage\n",
                    b"cnumpy\ndtype\n",
                    b"cnumpy._core.multiarray\nscalar\n",
                    b"c_codecs\nencode\n",
                    b"X\x07\0\0\0storage",
                    b"X\x06\0\0\0latin1",
                    b"X\x06\0\0\0config",
                    b"X\x02\0\0\0f8",
                    b"C\x0812345678",
                ]).prop_map(<[u8]>::to_vec),
                1 => prop::collection::vec(any::<u8>(), 0..4),
            ],
            0..200,
        )
    ) {
        let bytes = Pickle::new().op(instructions.concat()).pack(&[("0", &six())]);
        if let Ok(checkpoint) = open(&bytes) {
            let _ = tensors(&checkpoint);
        }
    }
}

#[test]
fn reads_parameters() {
    for (name, state) in [("_rebuild_parameter", ""), ("_rebuild_parameter_with_state", "}")] {
        let pickle = Pickle::new()
            .op("}")
            .str("w")
            .global("torch._utils", name)
            .op("(")
            .tensor(&TENSOR)
            .op(b"\x88")
            .global("collections", "OrderedDict")
            .op(")R")
            .op(state)
            .op("tRs");
        let checkpoint = open(&pickle.pack(&[("0", &six())])).unwrap();
        assert_eq!(checkpoint.read_f32("w").unwrap(), SIX, "{name}");
    }
}

#[test]
fn reads_a_pickle_of_protocol_4() {
    let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes(), b"\x94"].concat();
    let global = |module: &str, name: &str| [text(module), text(name), b"\x93\x94".to_vec()].concat();
    let body = [
        // `OrderedDict(w=tensor)`, with the dict as memo 3.
        global("collections", "OrderedDict"),
        b")R\x94".to_vec(),
        text("w"),
        global("torch._utils", "_rebuild_tensor_v2"),
        b"((".to_vec(),
        text("storage"),
        global("torch", "FloatStorage"),
        text("0"),
        text("cpu"),
        b"K\x06t\x94QK\x00K\x02K\x03\x86\x94K\x03K\x01\x86\x94\x89h\x02)R\x94t\x94R\x94s".to_vec(),
        // Attributes of the dict, which don't matter.
        b"}\x94".to_vec(),
        text("_metadata"),
        b"Nsb".to_vec(),
    ]
    .concat();
    let pickle = Pickle(vec![0x80, 4, 0x95])
        .op((body.len() as u64 + 1).to_le_bytes())
        .op(body);
    let checkpoint = open(&pickle.pack(&[("0", &six())])).unwrap();
    assert_eq!(checkpoint.read_f32("w").unwrap(), SIX);
}

#[test]
fn finds_the_state_dict() {
    for key in ["model_state_dict", "state_dict", "model"] {
        let pickle = Pickle::new().op("}").str(key).op("}").str("w").tensor(&TENSOR).op("ss");
        let checkpoint = open(&pickle.pack(&[("0", &six())])).unwrap();
        assert_eq!(checkpoint.read_f32("w").unwrap(), SIX, "{key}");
    }
    // A `model` that is only its name, and values that aren't tensors.
    let pickle = Pickle::new()
        .op("}(")
        .str("model")
        .str("wav2vec2")
        .str("w")
        .tensor(&TENSOR)
        .str("n")
        .op("Nu");
    let checkpoint = open(&pickle.pack(&[("0", &six())])).unwrap();
    assert_eq!(checkpoint.tensors().map(|(name, _)| name).collect::<Vec<_>>(), ["w"]);
    assert!(checkpoint.tensor("n").is_none());
    let error = checkpoint.read_f32("n").unwrap_err();
    assert!(matches!(error, Error::NoSuchTensor { .. }) && error.to_string().contains("`n`"));
}

#[test]
fn copies_plain_values() {
    let numpy = |pickle: Pickle, module: &str, code: &str, order: &str, bytes: &str| {
        pickle
            .global(module, "scalar")
            .global("numpy", "dtype")
            .str(code)
            .op(b"\x89\x88\x87R(K\x03")
            .str(order)
            .op("NNNJ\u{1}\0\0\0J\u{1}\0\0\0K\0tb")
            .global("_codecs", "encode")
            .str(bytes)
            .str("latin1")
            .op(b"\x86R\x86R")
    };
    let file = beside("config", |pickle| {
        let pickle = pickle.op("}(").str("none").op("N").str("bool").op(b"\x89");
        let pickle = pickle
            .str("int")
            .int(-3)
            .str("short")
            .op("M\u{1}\u{2}")
            .str("long")
            .op(b"\x8a\x02\x00\x80");
        let pickle = pickle
            .str("zero")
            .op(b"\x8a\0")
            .str("float")
            .float(f64::INFINITY)
            .str("text")
            .str("héllo");
        let pickle = pickle.str("huge").op([0x8a, 9]).op([1; 9]);
        let pickle = pickle
            .str("list")
            .op("](")
            .int(1)
            .op(")e")
            .str("set")
            .op(b"\x8f(")
            .int(2)
            .op(b"\x90");
        let pickle = pickle
            .str("labels")
            .op("}(")
            .int(0)
            .str("bonafide")
            .op(b"\x88")
            .str("yes")
            .op("N")
            .int(1)
            .op("u");
        let pickle = pickle
            .str("type")
            .global("torch", "float16")
            .str("size")
            .global("torch", "Size")
            .ints(&[4]);
        let pickle = pickle
            .op(b"\x85R")
            .str("device")
            .global("torch", "device")
            .str("cuda")
            .op(b"\x85R");
        let pickle = pickle.str("tensor").tensor(&TENSOR).str("bytes").op(b"C\x02ab");
        let pickle = pickle
            .str("default")
            .global("collections", "defaultdict")
            .global("__builtin__", "dict");
        let pickle = pickle.op(b"\x85R").str("x").int(5).op("s");
        let pickle = numpy(pickle.str("f4"), "numpy.core.multiarray", "f4", "<", "\0\0\u{c0}?");
        let pickle = numpy(pickle.str("i2"), "numpy._core.multiarray", "i2", ">", "\u{ff}\u{fe}");
        let pickle = numpy(
            pickle.str("u8"),
            "numpy._core.multiarray",
            "u8",
            "<",
            "\u{ff}\0\0\0\0\0\0\0",
        );
        let pickle = numpy(pickle.str("b1"), "numpy._core.multiarray", "b1", "|", "\u{1}");
        numpy(pickle.str("short numpy"), "numpy._core.multiarray", "f8", "<", "\0").op("u")
    });
    let checkpoint = open(&file).unwrap();
    let text = |text: &str| Value::Str(text.to_owned());
    let map = |items: &[(&str, Value)]| {
        items
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let expected = map(&[
        ("none", Value::None),
        ("bool", Value::Bool(false)),
        ("int", Value::Int(-3)),
        ("short", Value::Int(0x0201)),
        ("long", Value::Int(-0x8000)),
        ("zero", Value::Int(0)),
        ("float", Value::Float(f64::INFINITY)),
        ("text", text("héllo")),
        ("huge", Value::Other("an integer of more than 64 bits")),
        ("list", Value::List(vec![Value::Int(1), Value::List(vec![])])),
        ("set", Value::List(vec![Value::Int(2)])),
        (
            "labels",
            Value::Map(map(&[("0", text("bonafide")), ("True", text("yes"))])),
        ),
        ("type", text("torch.float16")),
        ("size", Value::List(vec![Value::Int(4)])),
        ("device", Value::Other("a device")),
        ("tensor", Value::Other("a tensor")),
        ("bytes", Value::Other("bytes")),
        ("default", Value::Map(map(&[("x", Value::Int(5))]))),
        ("f4", Value::Float(1.5)),
        ("i2", Value::Int(-2)),
        ("u8", Value::Int(255)),
        ("b1", Value::Bool(true)),
        ("short numpy", Value::Other("a NumPy scalar")),
    ]);
    assert_eq!(checkpoint.config(), &expected);
}

#[test]
fn values_of_other_kinds_are_left_out() {
    for key in ["epoch", "best_eer", "config"] {
        let checkpoint = open(&beside(key, |pickle| pickle.str("nine"))).unwrap();
        assert_eq!((checkpoint.epoch(), checkpoint.best_eer()), (None, None));
        assert!(checkpoint.config().is_empty());
    }
    let checkpoint = open(&beside("best_eer", |pickle| pickle.int(1))).unwrap();
    assert_eq!(checkpoint.best_eer(), Some(1.0));
}

#[test]
fn reads_a_file_without_checksums() {
    // As after `torch.serialization.set_crc32_options(False)`.
    let without = |cleared: &[&str]| {
        let pickle = Pickle::new().op("}").str("w").tensor(&TENSOR).op("s.").0;
        let mut entries = [Entry::new("m/data.pkl", pickle), Entry::new("m/data/0", six())];
        for entry in &mut entries {
            if cleared.contains(&entry.name.as_str()) {
                entry.crc32 = 0;
            }
        }
        zip(&entries)
    };
    let file = without(&["m/data.pkl", "m/data/0"]);
    assert_eq!(open(&file).unwrap().read_f32("w").unwrap(), SIX);
    assert_error!(without(&["m/data.pkl"]), Error::Damaged { .. }, "expected 00000000");
}

// Files of other kinds.

#[test]
fn tells_other_files_apart() {
    for (bytes, found) in [
        (&b""[..], "empty"),
        (b"\x80\x04\x95", "bare pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x93NUMPY", "NumPy"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"RIFF", "52 49 46 46"),
        (b"\x08", "08"),
    ] {
        assert_error!(bytes, Error::NotCheckpoint { .. }, found, "torch.save");
    }
    assert_error!(zip(&[Entry::new("a.npy", "x")]), Error::NotCheckpoint { .. }, "`a.npy`");
    assert_error!(zip(&[]), Error::NotCheckpoint { .. } | Error::Archive { .. }, "zip");
    let two = [Entry::new("a/data.pkl", "."), Entry::new("b/data.pkl", ".")];
    assert_error!(zip(&two), Error::NotCheckpoint { .. }, "several");
    let program = [Entry::new("m/data.pkl", "."), Entry::new("m/code/m.py", "")];
    assert_error!(zip(&program), Error::TorchScript { .. }, "TorchScript");

    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert_error!(
        tar,
        Error::TarCheckpoint { .. },
        "before 0.1.10",
        "again with PyTorch 1"
    );

    let folder = tempfile::tempdir().unwrap();
    let error = Checkpoint::open(folder.path().join("none.pt")).unwrap_err();
    assert!(matches!(error, Error::Read { .. }) && error.to_string().contains("none.pt"));
    if cfg!(unix) {
        let error = Checkpoint::open("/dev/null").unwrap_err();
        assert!(matches!(error, Error::NotCheckpoint { .. }) && error.to_string().contains("device"));
    }
}

#[test]
fn refuses_big_endian() {
    let pickle = Pickle::new().op("}").str("w").tensor(&TENSOR).op("s.").0;
    let entries = [
        Entry::new("m/data.pkl", pickle),
        Entry::new("m/byteorder", "big"),
        Entry::new("m/data/0", six()),
    ];
    assert_error!(zip(&entries), Error::ByteOrder { .. }, "`big`", "`little`");
}

// Hostile zip files.

/// The entries of a good file, one of them changed.
fn with_entry(index: usize, change: impl FnOnce(&mut Entry)) -> Vec<u8> {
    let pickle = Pickle::new().op("}").str("w").tensor(&TENSOR).op("s.").0;
    let mut entries = [
        Entry::new("m/data.pkl", pickle),
        Entry::new("m/byteorder", "little"),
        Entry::new("m/data/0", six()),
    ];
    change(&mut entries[index]);
    zip(&entries)
}

#[test]
fn refuses_compressed_and_encrypted_entries() {
    for index in 0..3 {
        let file = with_entry(index, |entry| entry.method = 8);
        assert_error!(file, Error::Archive { .. }, "compressed", "`");
    }
    assert_error!(
        with_entry(2, |entry| entry.flags = 1),
        Error::Archive { .. },
        "encrypted",
        "`data/0`"
    );
}

#[test]
fn refuses_entries_beyond_the_file() {
    for size in [1 << 12, u64::from(u32::MAX) - 1, 1 << 40, u64::MAX] {
        for index in 0..3 {
            let file = with_entry(index, |entry| entry.size = size);
            assert_error!(file, Error::Archive { .. }, "zip file");
        }
    }
}

#[test]
fn refuses_ambiguous_entries() {
    let pickle = Pickle::new().op("}").str("w").tensor(&TENSOR).op("s.").0;
    let entries = [
        Entry::new("m/data.pkl", pickle),
        Entry::new("m/data/0", six()),
        Entry::new("m/data/0", [0; 24]),
    ];
    assert_error!(zip(&entries), Error::Archive { .. }, "same name");
    // The first entry claims the second one's bytes too.
    let size = 24 + 30 + 8 + 6;
    let file = zip(&[
        Entry::new("m/data.pkl", "."),
        Entry {
            size,
            ..Entry::new("m/data/0", six())
        },
        Entry::new("m/data/1", six()),
    ]);
    assert_error!(file, Error::Archive { .. }, "overlap");
}

#[test]
fn refuses_damaged_entries() {
    let damage = |entry: &mut Entry| entry.data[0] ^= 1;
    assert_error!(with_entry(0, damage), Error::Damaged { .. }, "`data.pkl`", "damaged");
    assert_error!(with_entry(1, damage), Error::Damaged { .. }, "`byteorder`");
    // A storage is only read with its tensor.
    let checkpoint = open(&with_entry(2, damage)).unwrap();
    for _ in 0..2 {
        let error = checkpoint.read_f32("w").unwrap_err();
        assert!(
            matches!(&error, Error::Damaged { entry, .. } if entry == "data/0"),
            "{error:?}"
        );
    }
}

#[test]
fn refuses_a_truncated_file() {
    let whole = std::fs::read(fixture("tiny_f16.pt")).unwrap();
    let ends = (0..whole.len()).step_by(211).chain(whole.len() - 200..whole.len());
    for end in ends {
        open(&whole[..end]).unwrap_err();
    }
}

/// Random numbers that are the same at every run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

#[test]
fn a_flipped_bit_gives_an_error_or_the_same_numbers() {
    let mut file = std::fs::read(fixture("tiny_f16.pt")).unwrap();
    let original = fixture_tensors("tiny_f16.pt");
    let len = file.len();
    // The end has the directory, where a bit matters most.
    let directory = len - len / 5;
    let mut random = Random(1);
    let mut errors = 0;
    for i in 0..4000 {
        let place = if i % 2 == 0 {
            random.below(len)
        } else {
            directory + random.below(len - directory)
        };
        let bit = 1 << random.below(8);
        file[place] ^= bit;
        match open(&file).and_then(|checkpoint| tensors(&checkpoint)) {
            Ok(tensors) => assert_eq!(tensors, original, "bit {bit} of byte {place}"),
            Err(_) => errors += 1,
        }
        file[place] ^= bit;
    }
    assert!(errors > 1000, "{errors}");
}

#[test]
fn a_changed_pickle_gives_a_value_or_an_error() {
    // With a checksum that fits, so that the change reaches the reader of the pickle.
    let mut archive = zip::ZipArchive::new(std::fs::File::open(fixture("tiny_f16.pt")).unwrap()).unwrap();
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut data = Vec::new();
        file.read_to_end(&mut data).unwrap();
        entries.push(Entry::new(file.name().unwrap(), data));
    }
    let pickle = entries
        .iter()
        .position(|entry| entry.name.ends_with("/data.pkl"))
        .unwrap();
    let original = entries[pickle].data.clone();
    let mut random = Random(2);
    for _ in 0..2000 {
        let mut changed = original.clone();
        for _ in 0..1 + random.below(4) {
            let place = random.below(changed.len());
            match random.below(4) {
                0 => changed[place] ^= 1 << random.below(8),
                1 => changed[place] = random.below(256) as u8,
                2 => drop(changed.remove(place)),
                _ => changed.insert(place, original[random.below(original.len())]),
            }
        }
        let name = std::mem::take(&mut entries[pickle].name);
        entries[pickle] = Entry::new(name, changed);
        if let Ok(checkpoint) = open(&zip(&entries)) {
            let _ = tensors(&checkpoint);
        }
    }
}

// Hostile pickles.

#[test]
fn refuses_anything_that_could_run() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("__builtin__", "exec"),
        ("subprocess", "Popen"),
        ("torch.nn.modules.linear", "Linear"),
        ("torch", "load"),
        ("torch.jit", "load"),
        ("numpy", "load"),
        ("collections", "namedtuple"),
        ("torch._utils", "_rebuild_sparse_tensor"),
        ("", ""),
    ] {
        let named = format!("`{module}.{name}`");
        // Called, at the top.
        let pickle = Pickle::new().global(module, name).str("touch /tmp/owned").op(b"\x85R");
        assert_error!(pickle.pack(&[]), Error::RefusedGlobal { .. }, &named, "nothing was run");
        // Never called, in a corner, by either way of naming it.
        let file = beside("optimizer_state_dict", |pickle| pickle.global(module, name));
        assert_error!(file, Error::RefusedGlobal { .. }, &named);
        let file = beside("optimizer_state_dict", |pickle| {
            pickle.str(module).str(name).op(b"\x93")
        });
        assert_error!(file, Error::RefusedGlobal { .. }, &named);
    }
    // What a terminal or a log would run stays out of the message.
    let file = beside("x", |pickle| pickle.global("\u{1b}[2J", &"x".repeat(10_000)));
    let (error, message) = error(&file);
    assert!(matches!(error, Error::RefusedGlobal { .. }));
    assert!(!message.contains('\u{1b}') && message.len() < 1000, "{message}");
}

#[test]
fn refuses_other_instructions() {
    for code in [
        &b"i__main__\nX\n"[..],
        b"(o",
        b"\x92",
        b"\x82\x01",
        b"P0\n",
        b"I1\n",
        b"S'x'\n",
        b"2",
        b"\x97",
        b"\xff",
    ] {
        let file = beside("x", |pickle| pickle.op("N").op(code));
        assert_error!(file, Error::Pickle { .. }, "instruction 0x", "at byte");
    }
}

#[test]
fn refuses_malformed_pickles() {
    for (code, detail) in [
        (&b""[..], "ends early"),
        (b"\x80", "ends early"),
        (b"\x80\x01N.", "protocol 1"),
        (b"\x80\x06N.", "protocol 6"),
        (b".", "missing on the stack"),
        (b"N", "ends early"),
        (b"NN.", "more than one value"),
        (b"N(.", "missing on the stack"),
        (b"t.", "a mark is missing"),
        (b"N(\x85.", "more values than there are"),
        (b"\x87.", "more values than there are"),
        (b"h\x00.", "memo 0"),
        (b"j\xff\xff\xff\xff.", "memo 4294967295"),
        (b"q\x00.", "missing on the stack"),
        (b"]K\x01s.", "missing on the stack"),
        (b"NK\x01a.", "added to None"),
        (b"N(e.", "added to None"),
        (b"]NNs.", "set in a list"),
        (b"}(Nu.", "a key without a value"),
        (b"NNb.", "attributes are given to None"),
        (b"N)\x81.", "an object of None is made"),
        (b"ctorch\nFloatStorage\n)\x81.", "an object of a type is made"),
        (b"N)R.", "None is called"),
        (b"ccollections\nOrderedDict\nNR.", "expected a tuple"),
        (b"ccollections\nOrderedDict\nNN\x86R.", "unusable arguments"),
        (b"ctorch\nFloatStorage\n)R.", "unusable arguments"),
        (b"ctorch._utils\n_rebuild_parameter\nN\x85R.", "unusable arguments"),
        (b"NN\x93.", "isn't a string"),
        (b"ctorch", "without an end"),
        (b"c\xff\n\n", "isn't UTF-8"),
        (b"X\xff\xff\xff\xffx.", "past the end"),
        (b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffx.", "past the end"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx.", "past the end"),
        (b"\x8b\xff\xff\xff\xff.", "past the end"),
        (b"X\x01\0\0\0\xff.", "isn't UTF-8"),
        (b"G\0\0.", "ends early"),
    ] {
        let file = zip(&[Entry::new("m/data.pkl", code)]);
        assert_error!(file, Error::Pickle { .. }, detail, "data.pkl");
    }
}

#[test]
fn refuses_other_state_dicts() {
    for (pickle, detail) in [
        (Pickle::new().op("N"), "None"),
        (Pickle::new().op("]"), "a list"),
        (Pickle::new().tensor(&TENSOR), "a tensor"),
        (Pickle::new().op("}"), "0 keys"),
        (Pickle::new().op("}").str("epoch").op("K\u{1}s"), "`epoch`"),
        (Pickle::new().op("}").str("model").op("}s"), "no tensor"),
        (
            Pickle::new().op("}K\u{1}").tensor(&TENSOR).op("s"),
            "an integer, not a string",
        ),
        (
            Pickle::new()
                .op("}(")
                .str("w")
                .tensor(&TENSOR)
                .str("w")
                .tensor(&TENSOR)
                .op("u"),
            "`w` twice",
        ),
        (
            Pickle::new().op("}(").str("model").op("}").str("model").op("}u"),
            "two under `model`",
        ),
        (
            Pickle::new().op("}").str("w\n").tensor(&TENSOR).op("s"),
            "control characters",
        ),
        (
            Pickle::new().op("}").str(&"w".repeat(513)).tensor(&TENSOR).op("s"),
            "512 bytes",
        ),
    ] {
        assert_error!(
            pickle.pack(&[("0", &six())]),
            Error::StateDict { .. },
            detail,
            "model_state_dict"
        );
    }
}

#[test]
fn refuses_tensors_that_do_not_fit() {
    let of_kind = |kind| Tensor { kind, ..TENSOR };
    let with_key = |key| Tensor { key, ..TENSOR };
    let of_capacity = |capacity| Tensor { capacity, ..TENSOR };
    let cases = [
        (view(1, &[2, 3], &[3, 1]), "beyond the 6"),
        (view(-1, &[2, 3], &[3, 1]), "offset"),
        (view(i64::MAX, &[2, 3], &[3, 1]), "beyond the 6"),
        (view(0, &[2, 3], &[4, 1]), "beyond the 6"),
        (view(0, &[2, 3], &[i64::MAX, 1]), "beyond the 6"),
        (view(0, &[3, 3], &[i64::MAX, 1]), "beyond the 6"),
        (view(0, &[2, 3], &[-3, 1]), "strides"),
        (view(0, &[2, 3], &[1]), "a stride for each"),
        (view(0, &[2, -3], &[3, 1]), "shape"),
        (view(0, &[7, 1], &[1, 1]), "beyond the 6"),
        (view(0, &[i64::MAX, i64::MAX], &[3, 1]), "elements"),
        (view(0, &[1 << 33, 1 << 33], &[0, 0]), "elements"),
        (view(0, &[0, 1 << 33, 1 << 33], &[0, 0, 0]), "elements"),
        (view(0, &[(1 << 24) + 1], &[0]), "16777216 elements"),
        (view(0, &[1; 9], &[1; 9]), "8 dimensions"),
        (of_capacity(5), "found 24 bytes"),
        (of_capacity(i64::MAX), "found 24 bytes"),
        (of_capacity(-6), "storage"),
        (of_kind("DoubleStorage"), "found 24 bytes"),
        (with_key("1"), "no entry `data/1`"),
        (with_key("../data.pkl"), "no entry `data/../data.pkl`"),
    ];
    for (tensor, detail) in cases {
        assert_error!(one_tensor(tensor, &six()), Error::InvalidTensor { .. }, detail, "`w`");
    }
}

#[test]
fn refuses_malformed_tensors() {
    let tensor = |arguments: Pickle| {
        let pickle = Pickle::new()
            .op("}")
            .str("w")
            .global("torch._utils", "_rebuild_tensor_v2");
        pickle.op(&arguments.0[2..]).op("Rs").pack(&[("0", &six())])
    };
    let storage = |description: &str| {
        let pickle = Pickle::new().op("((").str("storage").global("torch", "FloatStorage");
        pickle.str("0").str("cpu").int(6).op(description).op("tQ")
    };
    for (arguments, detail) in [
        (Pickle::new().op(")"), "expected storage"),
        (Pickle::new().op("(NNNNt"), "expected its storage"),
        (Pickle::new().op("(NQNNNt"), "expected its storage"),
        (
            storage("NN").int(0).ints(&[6]).ints(&[1]).op("t"),
            "expected its storage",
        ),
        (storage("").str("0").ints(&[6]).ints(&[1]).op("t"), "offset"),
        (storage("").int(0).int(6).ints(&[1]).op("t"), "shape"),
        (storage("").int(0).ints(&[6]).op("Nt"), "strides"),
        (
            storage("")
                .int(0)
                .ints(&[6])
                .ints(&[1])
                .op(b"\x89N}")
                .str("neg")
                .op(b"\x88st"),
            "negates",
        ),
    ] {
        assert_error!(tensor(arguments), Error::InvalidTensor { .. }, detail);
    }
    // The optimiser's are never looked at.
    let file = beside("optimizer_state_dict", |pickle| {
        pickle.global("torch._utils", "_rebuild_tensor_v2").op(")R")
    });
    assert_eq!(open(&file).unwrap().read_f32("w").unwrap(), SIX);
}

/// Ten lists, each of ten mentions of the one before, and the first of a text.
fn laughs(pickle: Pickle, text: &str) -> Pickle {
    (0..10_u8).fold(pickle.str(text), |pickle, memo| {
        let pickle = pickle.op([b'q', memo, b'0']).op("](");
        (0..10).fold(pickle, |pickle, _| pickle.op([b'h', memo])).op("e")
    })
}

/// A list of many mentions of a dict of many keys that can't be copied.
fn wide(pickle: Pickle) -> Pickle {
    let pickle = pickle.op("}(").op("N".repeat(200_000)).op("uq\u{0}0");
    pickle.op("](").op("h\0".repeat(500_000)).op("e")
}

#[test]
fn a_small_pickle_makes_no_large_value() {
    let long = "ha".repeat(500_000);
    let values: [&dyn Fn(Pickle) -> Pickle; 3] =
        [&|pickle| laughs(pickle, "ha"), &|pickle| laughs(pickle, &long), &wide];
    for value in values {
        let file = beside("config", |pickle| value(pickle.op("}").str("x")).op("s"));
        assert_error!(file, Error::Values { .. }, "`config`", "1048576");
        // What isn't read costs nothing.
        open(&beside("optimizer_state_dict", value)).unwrap();
    }
}

#[test]
fn nesting_overflows_no_stack() {
    let lists = |pickle: Pickle| pickle.op("]".repeat(1_000_000)).op("a".repeat(999_999));
    let tuples = |pickle: Pickle| pickle.op("N").op(vec![0x85; 1_000_000]);
    // A list in itself.
    let cycle = |pickle: Pickle| pickle.op("]q\0h\0a");
    let nested: [&dyn Fn(Pickle) -> Pickle; 3] = [&lists, &tuples, &cycle];
    for value in nested {
        open(&beside("optimizer_state_dict", value)).unwrap();
        let file = beside("config", |pickle| value(pickle.op("}").str("x")).op("s"));
        assert_error!(file, Error::Values { .. }, "32 levels");
    }
    // A dict in itself, as a state dict.
    let pickle = Pickle::new().op("}q\0").str("model").op("h\0s");
    assert_error!(pickle.pack(&[]), Error::StateDict { .. }, "no tensor");
}

#[test]
fn bounds_the_pickle() {
    let file = beside("x", |pickle| {
        pickle.op("N".repeat(1 << 22)).op("0".repeat((1 << 22) - 1))
    });
    assert_error!(file, Error::Pickle { .. }, "4194304 instructions");
    let many = |pickle: Pickle| (0..=1 << 16).fold(pickle.op("}("), |pickle, i| pickle.str(&format!("w{i}")).op("N"));
    let pickle = many(Pickle::new().op("}").str("model")).op("us");
    assert_error!(pickle.pack(&[]), Error::StateDict { .. }, "65537 keys");
    let file = beside("x", |pickle| pickle.str(&" ".repeat(64 << 20)));
    assert_error!(file, Error::Pickle { .. }, "at most 67108864");
}
