//! Files that appear complete or not at all.

use std::io::Write as _;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Tensors to write, or as read: name, shape and numbers.
pub(crate) type Tensors = std::collections::BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The entry of a safetensors file's metadata that holds what is not a tensor, as JSON.
const NOTES: &str = "bonafide";

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::write(path))
}

/// Writes a file under another name in the same folder, and moves it into place once it is on the disk.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let failed = || Error::write(path);
    let mut file = NamedTempFile::new_in(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist(path).map_err(|error| failed()(error.error))?;
    Ok(())
}

/// Writes JSON, indented.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::write(path)(error.into()))?;
    text.push(b'\n');
    write(path, &text)
}

/// Writes a safetensors file, with JSON in its metadata if given. The same tensors give the same bytes.
pub(crate) fn write_tensors(path: &Path, tensors: &Tensors, notes: Option<&serde_json::Value>) -> Result<()> {
    let bytes: Vec<(&String, &Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, (shape, numbers))| (name, shape, numbers.iter().flat_map(|x| x.to_le_bytes()).collect()))
        .collect();
    let invalid = |error: safetensors::SafeTensorError| Error::write(path)(std::io::Error::other(error));
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), bytes)?)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(invalid)?;
    let notes = notes.map(|notes| [(NOTES.to_owned(), notes.to_string())].into_iter().collect());
    let file = safetensors::serialize(views, notes).map_err(invalid)?;
    write(path, &file)
}

/// Reads a file that [`write_tensors`] wrote.
pub(crate) fn read_tensors(path: &Path) -> Result<(Tensors, serde_json::Value)> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    let damaged = |fault: String| Error::Format {
        path: path.to_owned(),
        fault: format!("{fault}; delete it to begin anew"),
    };
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let notes = header.metadata().as_ref().and_then(|notes| notes.get(NOTES));
    let notes = notes.ok_or_else(|| damaged(format!("it has no notes under `{NOTES}`")))?;
    let notes = serde_json::from_str(notes).map_err(|error| damaged(error.to_string()))?;
    let file = safetensors::SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(damaged(format!(
                "tensor `{name}` is of type {:?}, expected F32",
                view.dtype()
            )));
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let numbers = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        tensors.insert(name, (view.shape().to_vec(), numbers));
    }
    Ok((tensors, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let tensors = Tensors::from([
            ("b".to_owned(), (vec![2, 1], vec![1.5, f32::MIN_POSITIVE])),
            ("a".to_owned(), (vec![1], vec![-0.0])),
        ]);
        let notes = serde_json::json!({"epoch": 3});
        write_tensors(&path, &tensors, Some(&notes)).unwrap();
        assert_eq!(read_tensors(&path).unwrap(), (tensors, notes));

        std::fs::write(&path, b"nonsense").unwrap();
        let message = read_tensors(&path).unwrap_err().to_string();
        assert!(message.contains("delete it to begin anew"), "{message}");
    }
}
