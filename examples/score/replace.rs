//! Writing a file as a whole.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::failure::{Failure, Result};
use crate::text::printable;

/// The file as it is being written.
pub(crate) type Part = BufWriter<NamedTempFile>;

/// Checks that a file may be written, by its name: never over a recording or a device.
pub(crate) fn check(path: &Path, extensions: &[&str]) -> Result<()> {
    let extension = path.extension().unwrap_or_default();
    if !extensions.iter().any(|known| extension.eq_ignore_ascii_case(known)) {
        let expected = extensions.join(" or .");
        return Err(Failure::Usage(format!(
            "cannot write {}: its name must end in .{expected}",
            printable(path)
        )));
    }
    if path.exists() && !path.is_file() {
        return Err(Failure::Usage(format!(
            "cannot write {}: it is no file",
            printable(path)
        )));
    }
    if !folder_of(path).is_dir() {
        return Err(Failure::Usage(format!(
            "cannot write {}: there is no such folder",
            printable(path)
        )));
    }
    Ok(())
}

/// Writes a file so that there is never a part of it: under another name in the same folder, to disk, and then renamed.
/// What is written before a failure is removed.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut Part) -> std::io::Result<()>) -> Result<()> {
    let attempt = || {
        let mut builder = tempfile::Builder::new();
        // Like any other new file: the user's mask decides who may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut part = BufWriter::new(builder.tempfile_in(folder_of(path))?);
        write(&mut part)?;
        part.flush()?;
        let part = part.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        part.as_file().sync_all()?;
        part.persist(path)?;
        Ok(())
    };
    attempt().map_err(Failure::writing(path))
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().unwrap_or(Path::new(""));
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}
