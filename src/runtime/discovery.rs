//! Finding ONNX Runtime's library on the machine.

use std::error::Error;
use std::ffi::{CStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The oldest API that `ort` is built for here (its feature `api-17`), which is the minor version of ONNX Runtime.
const MINIMUM_MINOR: u32 = ort::MINOR_VERSION;

/// The library's name as the system's loader knows it.
fn library_name() -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}onnxruntime{DLL_SUFFIX}")
}

/// A library that was opened and is an ONNX Runtime new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

/// The first library that will do, or every one tried and why it won't.
///
/// In order: the path given and no other, or else `ORT_DYLIB_PATH`, next to the executable, what
/// `scripts/onnxruntime.sh` fetched, and what the system's loader finds.
pub(super) fn find(explicit: Option<&Path>) -> Result<Library, Vec<(PathBuf, String)>> {
    let candidates = match explicit {
        Some(path) => vec![path.to_owned()],
        None => {
            let executable = std::env::current_exe().ok();
            candidates(std::env::var_os("ORT_DYLIB_PATH"), executable.as_deref())
        }
    };
    let mut tried = Vec::new();
    for path in candidates {
        match open(&path) {
            Ok(version) => return Ok(Library { path, version }),
            Err(reason) => tried.push((path, reason)),
        }
    }
    Err(tried)
}

/// Where to look when no path is given.
fn candidates(ort_dylib_path: Option<OsString>, executable: Option<&Path>) -> Vec<PathBuf> {
    let name = library_name();
    let mut candidates = Vec::new();
    if let Some(path) = ort_dylib_path.filter(|path| !path.is_empty()) {
        candidates.push(path.into());
    }
    if let Some(folder) = executable.and_then(Path::parent) {
        candidates.push(folder.join(&name));
        // Cargo puts executables into target/PROFILE and one folder below; the script puts the library into
        // target/onnxruntime.
        let fetched = folder
            .ancestors()
            .take(3)
            .map(|folder| folder.join("onnxruntime").join(&name))
            .filter(|path| path.is_file());
        candidates.extend(fetched);
    }
    candidates.push(name.into());
    candidates
}

/// Opens a library and asks for its version. The error is a sentence.
fn open(path: &Path) -> Result<String, String> {
    // A bare name is for the system's loader to find; anything else must be a file. Opening a pipe would hang.
    let is_bare_name = path.file_name() == Some(path.as_os_str());
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => return Err("it is not a file".to_owned()),
        Err(error) if !is_bare_name => return Err(error.to_string()),
        Ok(metadata) => check_whole(path, metadata.len())?,
        Err(_) => {}
    }
    probe(path)
}

/// Checks that an ELF file of `len` bytes has all that the loader will map. Of one that is cut short, glibc's maps what
/// isn't there, and the process dies of touching it.
fn check_whole(path: &Path, len: u64) -> Result<(), String> {
    /// The size of a program header, and the kind that is mapped.
    const PROGRAM_HEADER: usize = 56;
    const LOAD: u64 = 1;

    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut header = Vec::new();
    file.by_ref()
        .take(64)
        .read_to_end(&mut header)
        .map_err(|error| error.to_string())?;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    // 64 bits, little-endian. What is something else, the loader refuses, or it is of a platform that is rare.
    if header.len() < 64 || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(());
    }
    let (start, count) = (number(&header[32..40]), number(&header[56..58]));
    let mut table = Vec::new();
    file.seek(SeekFrom::Start(start))
        .and_then(|_| file.take(count * PROGRAM_HEADER as u64).read_to_end(&mut table))
        .map_err(|error| error.to_string())?;
    let segments = table
        .chunks_exact(PROGRAM_HEADER)
        .filter(|segment| number(&segment[..4]) == LOAD);
    let ends = segments.map(|segment| number(&segment[8..16]).saturating_add(number(&segment[32..40])));
    match ends.max() {
        Some(end) if end > len => Err(format!("it is cut short: it has {len} bytes, expected at least {end}")),
        _ if (table.len() as u64) < count * PROGRAM_HEADER as u64 => {
            Err("it is cut short within its headers".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether the version is one that can be used.
fn check_version(version: &str) -> Result<(), String> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(1)), Some(Ok(minor))) if minor >= MINIMUM_MINOR => Ok(()),
        _ => Err(format!(
            "it has version {version}; expected 1.{MINIMUM_MINOR} or a later 1.x"
        )),
    }
}

/// Loads a library, checks that it is an ONNX Runtime that can be used, and returns its version.
#[allow(
    unsafe_code,
    reason = "asking a shared library what it is takes calls into foreign code"
)]
fn probe(path: &Path) -> Result<String, String> {
    // SAFETY: opening a library runs its initialisers. The library is one that the caller, the environment or the
    // system names as ONNX Runtime, whose initialisers are meant to be run.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| match error.source() {
        // What the loader said is worth more than that it failed.
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    })?;
    // SAFETY: `OrtGetApiBase` has had this signature in every version of ONNX Runtime.
    let api_base = unsafe { library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase") }
        .map_err(|_| "it is not ONNX Runtime: it has no OrtGetApiBase".to_owned())?;
    // SAFETY: the function takes nothing and returns a pointer to a static table, or null.
    let base = unsafe { api_base().as_ref() }.ok_or("its OrtGetApiBase returned nothing")?;
    // SAFETY: the table is as its version declares it, and its first two entries never change.
    let version = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return Err("it has no version".to_owned());
    }
    // SAFETY: a static string that ends in NUL, by ONNX Runtime's documentation.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    check_version(&version)?;
    // SAFETY: as above; the function is asked for an API that it may not have, and then returns null.
    let api = unsafe { (base.GetApi)(MINIMUM_MINOR) };
    if api.is_null() {
        return Err(format!("its version {version} lacks the API 1.{MINIMUM_MINOR}"));
    }
    // ONNX Runtime doesn't support being unloaded and loaded again, and `ort` opens it next.
    std::mem::forget(library);
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_environment_executable_fetched_loader() {
        let folder = tempfile::tempdir().expect("folder");
        let examples = folder.path().join("target/release/examples");
        let fetched = folder.path().join("target/onnxruntime").join(library_name());
        std::fs::create_dir_all(&examples).expect("folder");
        std::fs::create_dir_all(fetched.parent().expect("parent")).expect("folder");
        std::fs::write(&fetched, "").expect("file");

        let found = candidates(Some("/opt/libonnxruntime.so".into()), Some(&examples.join("score")));
        let expected = [
            PathBuf::from("/opt/libonnxruntime.so"),
            examples.join(library_name()),
            fetched,
            library_name().into(),
        ];
        assert_eq!(found, expected);
        assert_eq!(candidates(Some(OsString::new()), None), [PathBuf::from(library_name())]);
    }

    #[test]
    fn what_is_not_a_library_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().expect("folder");
        let text = folder.path().join("libonnxruntime.so");
        std::fs::write(&text, "not a library").expect("file");
        let missing = folder.path().join("missing.so");
        for path in [folder.path(), &text, &missing] {
            let tried = find(Some(path)).expect_err("not a library");
            assert_eq!(tried.len(), 1);
            assert_eq!(tried[0].0, path);
            assert!(!tried[0].1.is_empty());
        }
    }
}
