//! The output of the frozen part of a network for every window, kept on disk.
//!
//! A cache is a file of `f32` in the machine's order (little-endian), one row per window, and a JSON file beside it that
//! says what of: the frozen weights, the clips, the augmentation. It is used as long as that is still so.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{Error, Result, files};

/// Rows on disk.
pub(crate) struct Cache {
    path: PathBuf,
    file: Mutex<File>,
    shape: Vec<usize>,
}

impl Cache {
    /// Opens the cache at `path` (without its ending) if it is of `key`, and else makes it: `row(window)` is asked for
    /// each of `windows` windows, in their order, and gives as many numbers as `shape` has.
    ///
    /// A run that is interrupted while a cache is made makes it again.
    pub(crate) fn open(
        path: &Path,
        key: &Value,
        windows: usize,
        shape: &[usize],
        row: impl FnMut(usize) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        let (data, about) = (path.with_extension("f32"), path.with_extension("json"));
        let width: usize = shape.iter().product();
        let key = json!({"of": key, "windows": windows, "shape": shape});
        let bytes = (windows * width * size_of::<f32>()) as u64;
        let is_whole = std::fs::metadata(&data).is_ok_and(|metadata| metadata.len() == bytes);
        let known: Option<Value> = std::fs::read(&about)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok());
        if !is_whole || known.as_ref() != Some(&key) {
            // First, lest an interruption leave new rows beside it.
            match std::fs::remove_file(&about) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::write(&about)(error)),
                _ => {}
            }
            make(&data, windows, width, row)?;
            files::write_json(&about, &key)?;
        }
        let file = File::open(&data).map_err(Error::read(&data))?;
        Ok(Self {
            path: data,
            file: Mutex::new(file),
            shape: shape.to_vec(),
        })
    }

    /// The shape of a window's row.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The rows of some windows, one after the other.
    pub(crate) fn read(&self, windows: &[usize]) -> Result<Vec<f32>> {
        let width: usize = self.shape.iter().product();
        let mut numbers = Vec::with_capacity(windows.len() * width);
        let mut bytes = vec![0; width * size_of::<f32>()];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for &window in windows {
            let mut read = || {
                file.seek(SeekFrom::Start((window * bytes.len()) as u64))?;
                file.read_exact(&mut bytes)
            };
            read().map_err(Error::read(&self.path))?;
            let (of_numbers, _) = bytes.as_chunks::<4>();
            numbers.extend(of_numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        }
        Ok(numbers)
    }
}

fn make(path: &Path, windows: usize, width: usize, mut row: impl FnMut(usize) -> Result<Vec<f32>>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    files::create_folder(folder)?;
    let file = NamedTempFile::new_in(folder).map_err(Error::write(path))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    for window in 0..windows {
        let numbers = row(window)?;
        if numbers.len() != width {
            return Err(Error::Runtime {
                runtime: "the runtime",
                reason: format!("it gave {} numbers for a window, expected {width}", numbers.len()),
            });
        }
        let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        out.write_all(&bytes).map_err(Error::write(path))?;
    }
    let file = out
        .into_inner()
        .map_err(|error| Error::write(path)(error.into_error()))?;
    file.as_file().sync_all().map_err(Error::write(path))?;
    file.persist(path).map_err(|error| Error::write(path)(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_made_once_and_read_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/train-0");
        let row = |window: usize| Ok(vec![window as f32, 0.5]);
        let cache = Cache::open(&path, &json!("a"), 5, &[2], row).unwrap();
        assert_eq!(cache.read(&[4, 0]).unwrap(), [4.0, 0.5, 0.0, 0.5]);

        let never = |_: usize| -> Result<Vec<f32>> { panic!("made twice") };
        let cache = Cache::open(&path, &json!("a"), 5, &[2], never).unwrap();
        assert_eq!(cache.read(&[3]).unwrap(), [3.0, 0.5]);

        let other = |_: usize| Ok(vec![-1.0, -2.0]);
        let cache = Cache::open(&path, &json!("b"), 5, &[2], other).unwrap();
        assert_eq!(cache.read(&[3]).unwrap(), [-1.0, -2.0]);

        // The machine stops between the rows and what says of what they are.
        let stops = |_: usize| Err(Error::Stopped(0));
        assert!(Cache::open(&path, &json!("a"), 5, &[2], stops).is_err());
        std::fs::write(path.with_extension("f32"), vec![0; 5 * 2 * size_of::<f32>()]).unwrap();
        let cache = Cache::open(&path, &json!("b"), 5, &[2], other).unwrap();
        assert_eq!(cache.read(&[3]).unwrap(), [-1.0, -2.0]);

        let wrong = |_: usize| Ok(vec![1.0]);
        let Err(error) = Cache::open(&path, &json!("c"), 5, &[2], wrong) else {
            panic!("made")
        };
        assert!(
            error.to_string().contains("1 numbers for a window, expected 2"),
            "{error}"
        );
    }
}
