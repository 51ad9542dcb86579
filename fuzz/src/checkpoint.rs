//! Checkpoints: any file opens or is an error, and what opens can be read and described.

use std::io::{Cursor, Write as _};
use std::path::Path;

use bonafide_export::checkpoint::Checkpoint;
use bonafide_export::inspect;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Tensors of more numbers are not read: a few bytes may repeat one number many million times.
const MOST_NUMBERS: usize = 1 << 18;

/// The restricted unpickler: `data` is the `data.pkl` of a zip file that is right in all else.
pub fn pickle(data: &[u8]) {
    let storage = [0x3C; 96];
    open(&zip_file(&[
        ("archive/data.pkl", data),
        ("archive/data/0", &storage),
        ("archive/data/1", &storage[..8]),
    ]));
}

/// A zip file, or the format of PyTorch before 1.6.
pub fn checkpoint(data: &[u8]) {
    if data.starts_with(b"PK") || data.starts_with(b"\x80\x02\x8a\x0a") {
        open(data);
    }
}

pub fn safetensors(data: &[u8]) {
    if data.get(8) == Some(&b'{') {
        open(data);
    }
}

fn zip_file(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let described = inspect(file.path(), &mut |_| {});
    match (Checkpoint::open(file.path()), described) {
        (Ok(checkpoint), Ok(described)) => {
            assert_eq!(checkpoint.tensors().count(), described.tensors.len());
            assert_eq!(checkpoint.files().map(|(_, len)| len).sum::<u64>(), bytes.len() as u64);
            read(&checkpoint, file.path());
        }
        // Weights that are hashed only when they are described.
        (_, Err(error)) => assert!(!error.to_string().is_empty()),
        (Err(error), Ok(_)) => panic!("described, but can't be opened: {error}"),
    }
}

fn read(checkpoint: &Checkpoint, path: &Path) {
    for (name, tensor) in checkpoint.tensors() {
        assert!(name.len() <= 512 && !name.contains(char::is_control));
        if tensor.elements() > MOST_NUMBERS {
            continue;
        }
        match checkpoint.read_f32(name) {
            Ok(numbers) => {
                assert_eq!(numbers.len(), tensor.elements());
                assert_eq!(tensor.bytes(), (numbers.len() * tensor.dtype.size()) as u64);
            }
            Err(error) => assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}"),
        }
    }
    assert!(checkpoint.read_f32("no such tensor").is_err());
}
