//! What a header claims is not believed: memory is bounded by the file, however large the numbers in it.
//!
//! Every allocation of this program is counted, so it is a single test.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use bonafide_export::checkpoint::Checkpoint;
use bonafide_export::{Error, Options, Result, export, inspect};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// For what is made of a file of a few kilobytes.
const LIMIT: usize = 1 << 20;
const TERABYTE: u64 = 1 << 40;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures")).join(name)
}

/// Does some work within a limit of memory.
#[track_caller]
fn within<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = work();
    let peak = MEMORY.peak_usage() - before;
    assert!(peak <= limit, "{peak} bytes");
    done
}

/// Reads a checkpoint and all of its tensors.
#[track_caller]
fn read(name: &str, bytes: &[u8]) -> Result<()> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    within(LIMIT + 4 * bytes.len(), || {
        let checkpoint = Checkpoint::open(&path)?;
        checkpoint
            .tensors()
            .try_for_each(|(name, _)| checkpoint.read_f32(name).map(drop))
    })
}

/// A zip file of one entry, which is called as a checkpoint's and claims `size` bytes, of which there are none.
fn zip(size: u64) -> Vec<u8> {
    let name = b"archive/data.pkl";
    let mut extra = [1, 0, 16, 0].to_vec();
    extra.extend(size.to_le_bytes());
    extra.extend(size.to_le_bytes());
    // Version, flags, method, time, date, checksum; sizes that refer to the extra field.
    let mut header = [45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4].to_vec();
    header.extend([0xff; 8]);
    header.extend((name.len() as u16).to_le_bytes());
    header.extend((extra.len() as u16).to_le_bytes());
    let entry = [b"PK\x03\x04", &header[..], name, &extra].concat();
    let directory = [b"PK\x01\x02\x2d\0", &header[..], &[0; 14], name, &extra].concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    end.extend((directory.len() as u32).to_le_bytes());
    end.extend((entry.len() as u32).to_le_bytes());
    end.extend([0, 0]);
    [entry, directory, end].concat()
}

/// Puts the largest numbers into every place of a file in turn, wherever its sizes and counts may be.
fn overstated(file: &[u8], places: impl Iterator<Item = usize>) -> impl Iterator<Item = Vec<u8>> {
    places.flat_map(move |at| {
        [
            [0xff; 8],
            [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 1, 0, 0],
        ]
        .map(|number| {
            let mut changed = file.to_vec();
            let end = file.len().min(at + 8);
            changed[at..end].copy_from_slice(&number[..end - at]);
            changed
        })
    })
}

#[test]
fn no_number_in_a_file_is_believed() {
    // That the counting counts.
    let counted = MEMORY.current_usage();
    let made = vec![1_u8; LIMIT];
    assert!(MEMORY.current_usage() - counted >= made.len());
    drop(made);

    let error = read("zip.pt", &zip(TERABYTE)).unwrap_err();
    assert!(matches!(&error, Error::Archive { .. }), "{error}");
    assert!(
        error.to_string().contains("1099511627776 bytes does not fit"),
        "{error}"
    );

    for len in [TERABYTE, 1 << 22, u64::MAX] {
        let header = [
            &len.to_le_bytes()[..],
            br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        ]
        .concat();
        let error = read("w.safetensors", &header).unwrap_err();
        assert!(matches!(error, Error::Archive { .. }), "{error}");
    }

    // A text, bytes, a long, a memo and a frame of a pickle, each of which claims the most that it can.
    let head = &std::fs::read(fixture("sources/legacy.pt")).unwrap()[..15];
    for instruction in [
        b"X\xff\xff\xff\xff",
        b"T\xff\xff\xff\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"r\xff\xff\xff\xff",
    ] {
        read("text.pt", &[head, b"\x80\x04N", instruction, b"N."].concat()).unwrap_err();
    }
    for instruction in [&b"\x8d"[..], b"\x8e", b"\x95", b"\x96"] {
        read(
            "long.pt",
            &[head, b"\x80\x04N", instruction, &[0xff; 8], b"N."].concat(),
        )
        .unwrap_err();
    }

    for name in ["sources/legacy.pt", "sources/plain.safetensors"] {
        let file = std::fs::read(fixture(name)).unwrap();
        let name = name.strip_prefix("sources/").unwrap();
        for changed in overstated(&file, (0..file.len()).step_by(2)) {
            let _ = read(name, &changed);
        }
    }
    // The directory of a zip file, which is at its end.
    let file = std::fs::read(fixture("tiny/tiny_f16.pt")).unwrap();
    for changed in overstated(&file, (file.len() - 1_500..file.len()).step_by(3)) {
        let _ = read("tiny.pt", &changed);
    }

    // A graph, and the same with every number around its weights overstated.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for claim in [&[7 << 3 | 2][..], &[14 << 3 | 2], &[7 << 3 | 2, 6, 5 << 3 | 2]] {
        std::fs::write(&path, [claim, &[0x80, 0x80, 0x80, 0x80, 0x08]].concat()).unwrap();
        let error = within(LIMIT, || inspect(&path, &mut |_| {})).unwrap_err();
        assert!(matches!(error, Error::Onnx { .. }), "{error}");
    }
    export(fixture("tiny/tiny.pt"), &path, &Options::default(), &mut |_| {}).unwrap();
    let model = std::fs::read(&path).unwrap();
    for changed in overstated(&model, (0..4_000).step_by(17)) {
        // Not written over: some file systems then wait for the disk.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &changed).unwrap();
        let _ = within(4 * LIMIT, || inspect(&path, &mut |_| {}));
    }
}
