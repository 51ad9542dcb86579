//! The files of weights that PyTorch, `transformers` and fairseq write, and those made to break their reader.
//! `checkpoint.rs` has those of today's `torch.save`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bonafide_export::checkpoint::{Checkpoint, Format, Value};
use bonafide_export::{Error, Result};
use serde::Deserialize;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/sources")).join(name)
}

/// What PyTorch says of a tensor.
#[derive(Debug, PartialEq, Deserialize)]
struct Described {
    dtype: String,
    shape: Vec<usize>,
    /// `float64` is rounded, as documented.
    numbers: Vec<f32>,
}

type Tensors = BTreeMap<String, Described>;

fn expected() -> Tensors {
    serde_json::from_slice(&std::fs::read(fixture("expected.json")).unwrap()).unwrap()
}

/// All of a checkpoint. The numbers of integers, which can't be read, are left out.
fn tensors(checkpoint: &Checkpoint) -> Result<Tensors> {
    let mut tensors = Tensors::new();
    for (name, tensor) in checkpoint.tensors() {
        let numbers = match checkpoint.read_f32(name) {
            Err(Error::TensorType { .. }) => Vec::new(),
            numbers => numbers?,
        };
        let described = Described {
            dtype: tensor.dtype.to_string(),
            shape: tensor.shape.clone(),
            numbers,
        };
        tensors.insert(name.to_owned(), described);
    }
    Ok(tensors)
}

/// Checks every tensor against PyTorch's.
#[track_caller]
fn assert_expected(checkpoint: &Checkpoint) {
    let mut expected = expected();
    for tensor in expected.values_mut().filter(|tensor| tensor.dtype == "int64") {
        tensor.numbers.clear();
    }
    assert_eq!(tensors(checkpoint).unwrap(), expected, "{checkpoint:?}");
}

#[test]
fn reads_every_format() {
    for (name, format, files) in [
        ("legacy.pt", Format::Legacy, 1),
        ("plain.safetensors", Format::Safetensors, 1),
        ("fairseq.pt", Format::Zip, 1),
        ("bin", Format::Zip, 1),
        ("sharded", Format::Safetensors, 3),
        ("sharded/model.safetensors.index.json", Format::Safetensors, 3),
        ("sharded_bin", Format::Zip, 3),
    ] {
        let checkpoint = Checkpoint::open(fixture(name)).unwrap();
        assert_expected(&checkpoint);
        assert_eq!(
            (checkpoint.format(), checkpoint.files().count()),
            (format, files),
            "{name}"
        );
        for (path, bytes) in checkpoint.files() {
            assert_eq!(std::fs::metadata(path).unwrap().len(), bytes, "{name}");
        }
        assert_eq!(checkpoint.index().is_some(), files > 1, "{name}");
        let bytes: u64 = checkpoint.tensors().map(|(_, tensor)| tensor.bytes()).sum();
        // The sum of the index that Hugging Face's own writer made, without the scalar's storage it shares.
        assert_eq!(bytes, 48 + 12 + 12 + 10 + 32 + 4 + 16, "{name}");
    }
}

#[test]
fn reads_the_training_of_a_legacy_file() {
    let checkpoint = Checkpoint::open(fixture("legacy.pt")).unwrap();
    assert_eq!((checkpoint.epoch(), checkpoint.best_eer()), (Some(7), Some(0.25)));
    assert_eq!(checkpoint.config()["seed"], Value::Int(42));
}

// Folders.

/// A copy of a fixture's folder, to be changed.
fn copy_of(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn copy(name: &str, folder: &TempDir, new_name: &str) {
    std::fs::copy(fixture(name), folder.path().join(new_name)).unwrap();
}

fn write(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) {
    std::fs::write(folder.path().join(name), contents).unwrap();
}

/// The error that a folder gives, in debug and display form.
#[track_caller]
fn error(path: impl AsRef<Path>) -> (Error, String) {
    let error = Checkpoint::open(path).unwrap_err();
    let message = error.to_string();
    (error, message)
}

macro_rules! assert_error {
    ($path:expr, $variant:pat, $($part:expr),* $(,)?) => {{
        let (error, message) = error($path);
        assert!(matches!(error, $variant), "{error:?}");
        $(assert!(message.contains($part), "{message}");)*
    }};
}

#[test]
fn looks_in_the_order_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let chosen = || Checkpoint::open(folder.path()).map(|checkpoint| checkpoint.path().file_name().unwrap().to_owned());
    // From the last choice to the first.
    copy("legacy.pt", &folder, "best.pth");
    assert_eq!(chosen().unwrap(), "best.pth");
    for file in std::fs::read_dir(fixture("sharded_bin")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        copy(&format!("sharded_bin/{name}"), &folder, &name);
    }
    assert_eq!(chosen().unwrap(), "pytorch_model.bin.index.json");
    copy("bin/pytorch_model.bin", &folder, "pytorch_model.bin");
    assert_eq!(chosen().unwrap(), "pytorch_model.bin");
    for file in std::fs::read_dir(fixture("sharded")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        copy(&format!("sharded/{name}"), &folder, &name);
    }
    assert_eq!(chosen().unwrap(), "model.safetensors.index.json");
    copy("plain.safetensors", &folder, "model.safetensors");
    assert_eq!(chosen().unwrap(), "model.safetensors");
}

#[test]
fn asks_which_file_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    assert_error!(
        folder.path(),
        Error::NoWeights { .. },
        "no file",
        "model.safetensors, ",
        "*.pt"
    );
    write(&folder, "config.json", "{}");
    write(&folder, ".hidden.pt", "");
    std::fs::create_dir(folder.path().join("folder.pt")).unwrap();
    assert_error!(folder.path(), Error::NoWeights { .. }, "found .hidden.pt, config.json");
    copy("legacy.pt", &folder, "a.pt");
    Checkpoint::open(folder.path()).unwrap();
    copy("legacy.pt", &folder, "b.ckpt");
    assert_error!(folder.path(), Error::NoWeights { .. }, "a.pt, b.ckpt: give the one");
    Checkpoint::open(folder.path().join("b.ckpt")).unwrap();
}

// Shards.

const INDEX: &str = "model.safetensors.index.json";
const SHARD: &str = "model-00002-of-00003.safetensors";

/// The sharded fixture with its index changed as text.
fn with_index(change: impl FnOnce(String) -> String) -> TempDir {
    let folder = copy_of("sharded");
    let text = std::fs::read_to_string(folder.path().join(INDEX)).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text);
    write(&folder, INDEX, changed);
    folder
}

#[test]
fn refuses_missing_and_damaged_shards() {
    let folder = copy_of("sharded");
    let shard = folder.path().join(SHARD);
    let whole = std::fs::read(&shard).unwrap();
    std::fs::remove_file(&shard).unwrap();
    assert_error!(folder.path(), Error::MissingShard { .. }, INDEX, SHARD);
    for len in 1..whole.len() {
        write(&folder, SHARD, &whole[..len]);
        assert_error!(
            folder.path(),
            Error::Archive { .. } | Error::NotCheckpoint { .. },
            SHARD
        );
    }
    write(&folder, SHARD, "");
    assert_error!(folder.path(), Error::NotCheckpoint { .. }, SHARD, "empty");
    std::fs::remove_file(&shard).unwrap();
    std::fs::create_dir(&shard).unwrap();
    assert_error!(folder.path(), Error::NotCheckpoint { .. }, SHARD, "folder");
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    let elsewhere = copy_of("sharded");
    let absolute = elsewhere.path().join(SHARD).display().to_string();
    for name in [
        absolute.as_str(),
        "../shard.safetensors",
        "..",
        ".",
        "",
        "folder/shard.safetensors",
        r"..\\shard.safetensors",
        "C:shard.safetensors",
        r"shard\u0000",
        &"x".repeat(256),
    ] {
        let folder = with_index(|index| index.replace(SHARD, name));
        assert_error!(folder.path(), Error::Index { .. }, "same folder", "`half`", INDEX);
    }
}

#[test]
fn refuses_an_index_that_contradicts_its_shards() {
    // A tensor in another shard than said, and in none.
    let folder = with_index(|index| index.replace("\"count\": \"model-00003", "\"count\": \"model-00002"));
    assert_error!(folder.path(), Error::Index { .. }, "`count`", SHARD, "lacks it");
    let folder = with_index(|index| index.replace("\"count\"", "\"counts\""));
    assert_error!(folder.path(), Error::Index { .. }, "`counts`", "lacks it");
    // Twice in the index, with either file.
    let folder =
        with_index(|index| index.replace("\"half\"", "\"count\": \"model-00003-of-00003.safetensors\", \"half\""));
    assert_error!(folder.path(), Error::Index { .. }, "`count` twice");
    // In two shards.
    let folder = with_index(|index| index.replace("\"half\"", "\"x\": \"x.safetensors\", \"half\""));
    copy("sharded/model-00003-of-00003.safetensors", &folder, "x.safetensors");
    assert_error!(
        folder.path(),
        Error::Index { .. },
        "`count` is in both",
        "x.safetensors"
    );
    // Shards of two formats.
    let folder = with_index(|index| index.replace("model-00003-of-00003.safetensors", "pytorch_model.bin"));
    copy(
        "sharded_bin/pytorch_model-00003-of-00003.bin",
        &folder,
        "pytorch_model.bin",
    );
    assert_error!(
        folder.path(),
        Error::Index { .. },
        "`pytorch_model.bin`",
        "another format"
    );
    // A tensor that only its shard knows of is read, as `transformers` does.
    let folder = with_index(|index| index.replace("\"half\": \"model-00002-of-00003.safetensors\",", ""));
    assert_expected(&Checkpoint::open(folder.path()).unwrap());
}

#[test]
fn refuses_other_json() {
    let folder = copy_of("sharded");
    for (json, detail) in [
        ("", "weight_map"),
        ("{}", "missing field `weight_map`"),
        (r#"{"weight_map": {}}"#, "0 tensors"),
        (r#"{"weight_map": []}"#, "a map from names of tensors"),
        (r#"{"weight_map": {"w": 1}}"#, "expected a string"),
        (r#"{"model_type": "wav2vec2"}"#, "expected an index of shards"),
        (r#"{"weight_map": {"\u001b[2J": "a"}}"#, "control characters"),
    ] {
        write(&folder, INDEX, json);
        assert_error!(folder.path(), Error::Index { .. }, detail, INDEX);
    }
    let many: Vec<String> = (0..1025).map(|i| format!("\"w{i}\": \"s{i}\"")).collect();
    write(&folder, INDEX, format!(r#"{{"weight_map": {{{}}}}}"#, many.join(",")));
    assert_error!(folder.path(), Error::Index { .. }, "in 1025 files");
    write(&folder, INDEX, " ".repeat((16 << 20) + 1));
    assert_error!(folder.path(), Error::Index { .. }, "16777216 bytes");
}

// One file, made by hand or changed.

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self, bytes: &[u8]) -> Result<Checkpoint> {
        let path = self.0.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        Checkpoint::open(path)
    }

    /// The message of the error that the file gives, which is of its layout.
    #[track_caller]
    fn refused(&self, bytes: &[u8]) -> String {
        let error = self.open(bytes).unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{error:?}");
        error.to_string()
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
fn refuses_a_truncated_file() {
    let file = File::new();
    for name in ["legacy.pt", "plain.safetensors"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for len in 0..whole.len() {
            let error = file.open(&whole[..len]).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::Archive { .. } | Error::NotCheckpoint { .. } | Error::Pickle { .. }
                ),
                "{name} of {len} bytes: {error:?}"
            );
        }
        let longer = [whole.as_slice(), b"\0"].concat();
        file.refused(&longer);
    }
}

#[test]
fn a_changed_file_gives_tensors_or_an_error() {
    // Neither format has a checksum, so the numbers may be others; nothing may panic or take much memory.
    let file = File::new();
    for (name, header) in [("legacy.pt", 1100), ("plain.safetensors", 500)] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let mut random = Random(3);
        let mut errors = 0;
        for _ in 0..3000 {
            let mut changed = whole.clone();
            for _ in 0..1 + random.below(3) {
                let place = random.below(header);
                match random.below(4) {
                    0 => changed[place] ^= 1 << random.below(8),
                    1 => changed[place] = random.below(256) as u8,
                    2 => drop(changed.remove(place)),
                    _ => changed.insert(place, whole[random.below(header)]),
                }
            }
            match file.open(&changed).and_then(|checkpoint| tensors(&checkpoint)) {
                Ok(tensors) => {
                    let numbers: usize = tensors.values().map(|tensor| tensor.numbers.len()).sum();
                    assert!(numbers <= whole.len(), "{numbers}");
                }
                Err(_) => errors += 1,
            }
        }
        assert!(errors > 1000, "{name}: {errors}");
    }
}

// Safetensors.

fn safetensors(header: &str, numbers: usize) -> Vec<u8> {
    [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        &vec![0; numbers],
    ]
    .concat()
}

#[test]
fn reads_a_safetensors_file_made_by_hand() {
    let header = r#"{"b":{"dtype":"F32","shape":[2,1],"data_offsets":[4,12]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}} "#;
    let mut bytes = safetensors(header, 0);
    bytes.extend([1.5_f32, -2.0, 0.25].iter().flat_map(|x| x.to_le_bytes()));
    let checkpoint = File::new().open(&bytes).unwrap();
    assert_eq!(checkpoint.read_f32("a").unwrap(), [1.5]);
    assert_eq!(checkpoint.read_f32("b").unwrap(), [-2.0, 0.25]);
}

#[test]
fn refuses_hostile_safetensors_files() {
    let file = File::new();
    let one = |entry: &str| format!("{{\"w\":{{{entry}}}}}");
    for (header, numbers, detail) in [
        // Lies about where numbers are.
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 4, "has 4 for them"),
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), 12, "has 12 for them"),
        (one(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), 8, "header"),
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), 12, "header"),
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), 8, "header"),
        (one(r#""dtype":"F32","shape":[2],"data_offsets":[-8,0]"#), 8, "header"),
        (one(r#""dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]"#), 8, "header"),
        (one(r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]"#), 0, "header"),
        // Together their ends overflow.
        (
            (0..8)
                .map(|i| {
                    let size = (1_u64 << 61) - 1;
                    let (start, end) = (i * size, (i + 1) * size);
                    format!(r#""w{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{start},{end}]}}"#)
                })
                .collect::<Vec<_>>()
                .join(",")
                .replacen('"', "{\"", 1)
                + "}",
            0,
            "has 0 for them",
        ),
        // Two tensors in one place.
        (
            r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#
                .to_owned(),
            4,
            "header",
        ),
        // Other contents.
        (one(r#""dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]"#), 4, "F8_E4M3"),
        (one(r#""dtype":"F99","shape":[4],"data_offsets":[0,4]"#), 4, "F99"),
        (one(r#""dtype":"F32""#), 0, "header"),
        (r#"{"__metadata__":{"format":"pt"}}"#.to_owned(), 0, "0 tensors"),
        (r#"{"__metadata__":{"format":"tf"}}"#.to_owned(), 0, "`tf`"),
        ("{".to_owned(), 0, "header"),
        ("{\"a\":".repeat(100_000), 0, "recursion"),
    ] {
        let message = file.refused(&safetensors(&header, numbers));
        assert!(message.contains(detail) && message.contains("safetensors"), "{message}");
        assert!(message.len() < 1000, "{message}");
    }
    let name = "w".repeat(513);
    let long = format!("{{\"{name}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}}}");
    assert!(file.refused(&safetensors(&long, 0)).contains("512 bytes"));
    // Lies about the header's length.
    for len in [1 << 24, 1 << 40, u64::MAX] {
        let mut bytes = safetensors("{}", 0);
        bytes[..8].copy_from_slice(&len.to_le_bytes());
        assert!(file.refused(&bytes).contains("at most 8388608"));
    }
    // Dimensions that are no tensor's.
    let deep = one(&format!(
        r#""dtype":"U8","shape":[{}1],"data_offsets":[0,1]"#,
        "1,".repeat(8)
    ));
    let error = file.open(&safetensors(&deep, 1)).unwrap_err();
    assert!(matches!(error, Error::InvalidTensor { .. }), "{error:?}");
    // Nothing, in any shape.
    let empty = one(r#""dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0]"#);
    let error = file.open(&safetensors(&empty, 0)).unwrap_err();
    assert!(
        matches!(error, Error::Archive { .. } | Error::InvalidTensor { .. }),
        "{error:?}"
    );
    let empty = one(r#""dtype":"F32","shape":[0,4],"data_offsets":[0,0]"#);
    assert_eq!(
        file.open(&safetensors(&empty, 0)).unwrap().read_f32("w").unwrap(),
        [0.0; 0]
    );
}

// The format before PyTorch 1.6.

/// The three pickles before the object's.
const LEGACY_HEAD: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\0\0\0little_endian\x88s.";

/// A dict of `w`, three numbers from `offset` of storage `key`, which has `capacity` ones and is described as `view`.
fn legacy_object(key: &str, capacity: u8, offset: u8, view: &[u8]) -> Vec<u8> {
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    [
        b"\x80\x02}".to_vec(),
        text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text(key),
        text("cpu"),
        vec![b'K', capacity],
        view.to_vec(),
        vec![b't', b'Q', b'K', offset],
        b"K\x03\x85K\x01\x85\x89}tRs.".to_vec(),
    ]
    .concat()
}

fn legacy_keys(keys: &[&str]) -> Vec<u8> {
    let mut pickle = b"\x80\x02]".to_vec();
    for key in keys {
        pickle.push(b'X');
        pickle.extend((key.len() as u32).to_le_bytes());
        pickle.extend(key.as_bytes());
        pickle.push(b'a');
    }
    pickle.push(b'.');
    pickle
}

fn legacy_storage(count: i64, numbers: &[f32]) -> Vec<u8> {
    let numbers = numbers.iter().flat_map(|x| x.to_le_bytes());
    count.to_le_bytes().into_iter().chain(numbers).collect()
}

#[test]
fn reads_a_legacy_file_made_by_hand() {
    let file = File::new();
    for view in [&b"N"[..], b""] {
        let bytes = [
            LEGACY_HEAD,
            &legacy_object("140", 4, 1, view),
            &legacy_keys(&["140"]),
            &legacy_storage(4, &[9.0, 1.5, -2.0, 0.25]),
        ]
        .concat();
        assert_eq!(file.open(&bytes).unwrap().read_f32("w").unwrap(), [1.5, -2.0, 0.25]);
    }
}

#[test]
fn refuses_hostile_legacy_files() {
    let file = File::new();
    let four = [9.0, 1.5, -2.0, 0.25];
    let object = legacy_object("140", 4, 1, b"N");
    for (parts, detail) in [
        // Lies about the size of a storage.
        (
            [legacy_keys(&["140"]), legacy_storage(3, &four)],
            "has 3 numbers, expected 4",
        ),
        ([legacy_keys(&["140"]), legacy_storage(-4, &four)], "has -4 numbers"),
        ([legacy_keys(&["140"]), legacy_storage(i64::MAX, &four)], "expected 4"),
        ([legacy_keys(&["140"]), legacy_storage(4, &four[..3])], "12 bytes left"),
        ([legacy_keys(&["140"]), vec![0; 7]], "ends before storage `140`"),
        ([legacy_keys(&["140"]), legacy_storage(4, &[1.0; 5])], "4 bytes follow"),
        // Lies about which there are.
        ([legacy_keys(&["141"]), legacy_storage(4, &four)], "doesn't use"),
        (
            [
                legacy_keys(&["140", "140"]),
                [legacy_storage(4, &four), legacy_storage(4, &four)].concat(),
            ],
            "twice",
        ),
        (
            [b"\x80\x02N.".to_vec(), legacy_storage(4, &four)],
            "list of its storages",
        ),
        ([b"\x80\x02]Na.".to_vec(), legacy_storage(4, &four)], "doesn't use"),
    ] {
        let message = file.refused(&[LEGACY_HEAD, &object, &parts.concat()].concat());
        assert!(message.contains(detail) && message.contains("before 1.6"), "{message}");
    }
    let tail = [legacy_keys(&["140"]), legacy_storage(4, &four)].concat();
    let bytes = |object: &[u8]| [LEGACY_HEAD, object, &tail].concat();
    // A tensor outside its storage, a storage that is missing, and one that is a view of another.
    for (object, detail) in [
        (legacy_object("140", 4, 2, b"N"), "beyond the 4"),
        (
            legacy_object("140", 4, 1, b"X\x01\0\0\0aK\0K\x04\x87"),
            "expected its storage",
        ),
    ] {
        let error = file.open(&bytes(&object)).unwrap_err();
        assert!(error.to_string().contains(detail), "{error}");
    }
    let error = file
        .open(&[LEGACY_HEAD, &object, &legacy_keys(&[])].concat())
        .unwrap_err();
    assert!(matches!(error, Error::InvalidTensor { .. }), "{error:?}");
    // Of another machine, version, or with something to run.
    let mut other = bytes(&object);
    let little = LEGACY_HEAD.len() - 3;
    other[little] = 0x89;
    assert!(matches!(file.open(&other).unwrap_err(), Error::ByteOrder { .. }));
    let mut other = bytes(&object);
    other[18] ^= 1;
    assert!(file.refused(&other).contains("1001"));
    let error = file
        .open(&bytes(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R."))
        .unwrap_err();
    assert!(
        matches!(error, Error::RefusedGlobal { ref global, .. } if global == "os.system"),
        "{error:?}"
    );
}

// Settings of other tools.

#[test]
fn settings_are_inert_and_nothing_else_is() {
    let file = File::new();
    let tail = [legacy_keys(&["140"]), legacy_storage(4, &[0.0; 4])].concat();
    let beside = |value: &[u8]| {
        let object = legacy_object("140", 4, 1, b"N");
        let object = object.strip_suffix(b"s.").unwrap();
        [LEGACY_HEAD, object, b"sX\x01\0\0\0x", value, b"s.", &tail].concat()
    };
    for made in [
        &b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrK\x01sb"[..],
        b"cfairseq.meters\nAverageMeter\n)R",
        b"ctyping\nAny\n",
    ] {
        file.open(&beside(made)).unwrap();
    }
    for (name, shown) in [
        (&b"cargparse\nArgumentParser\n"[..], "argparse.ArgumentParser"),
        (b"cfairseq_evil\nx\n", "fairseq_evil.x"),
        (b"ctyping\nget_type_hints\n", "typing.get_type_hints"),
        (b"coperator\ngetitem\n", "operator.getitem"),
    ] {
        let error = file.open(&beside(&[name, b")\x81"].concat())).unwrap_err();
        assert!(
            matches!(error, Error::RefusedGlobal { ref global, .. } if global == shown),
            "{error:?}"
        );
    }
    // A namespace is no tensor, nor a dict of them.
    for wrong in [
        &b"cargparse\nNamespace\n)\x81."[..],
        b"cargparse\nNamespace\n)\x81K\x01s.",
    ] {
        let bytes = [LEGACY_HEAD, b"\x80\x02", wrong, &legacy_keys(&[])].concat();
        let error = file.open(&bytes).unwrap_err();
        assert!(error.to_string().contains("an argparse.Namespace"), "{error:?}");
    }
}
