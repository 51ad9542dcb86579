//! Folders, all the way down.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::pattern::Pattern;
use super::{Found, real};

/// What is called like audio. The last are of formats that can't be decoded here: a recording that is passed over in
/// silence could be the one that matters, so it is better that they are errors.
const AUDIO: [&str; 16] = [
    "wav", "wave", "flac", "mp3", "ogg", "oga", "m4a", "m4b", "mp4", "aac", //
    "opus", "wma", "aif", "aiff", "amr", "caf",
];

/// What an argument leads to.
#[derive(Default)]
pub(crate) struct Walk {
    /// Sorted by path.
    pub(crate) found: Vec<Found>,
    /// Files that are not audio.
    pub(crate) skipped: Vec<PathBuf>,
    /// Where the folders really are that have been entered: through links the same folder could be met again and again.
    entered: HashSet<PathBuf>,
}

impl Walk {
    /// A file that is named is taken, whatever it is called.
    pub(crate) fn file(path: &Path) -> Self {
        let mut walk = Self::default();
        walk.take(path, None);
        walk
    }

    pub(crate) fn folder(path: &Path) -> Self {
        let mut walk = Self::default();
        walk.enter(path, usize::MAX, |_| true);
        walk.sorted()
    }

    /// The files that match, and those in folders that match.
    pub(crate) fn pattern(pattern: &Pattern) -> Self {
        let mut walk = Self::default();
        let base = if pattern.base.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &pattern.base
        };
        // Of "*.wav" the paths are to be as the shell would give them, without a dot in front.
        let shown = |path: &Path| path.strip_prefix(".").unwrap_or(path).to_owned();
        let mut folders = Vec::new();
        walk.enter(base, pattern.depth, |entry| {
            let matches = pattern.matches(&shown(entry.path()));
            if matches && entry.file_type().is_dir() {
                folders.push(entry.path().to_owned());
            }
            matches
        });
        // A walk of its own: these folders have been entered already, by the one that looked for matches.
        walk.entered.clear();
        for folder in folders {
            walk.enter(&folder, usize::MAX, |_| true);
        }
        walk.found.iter_mut().for_each(|found| found.path = shown(&found.path));
        walk.sorted()
    }

    /// Sorts what is in a folder down to a depth, of the entries that are `wanted`. Folders are entered in any case.
    fn enter(&mut self, folder: &Path, depth: usize, mut wanted: impl FnMut(&DirEntry) -> bool) {
        let mut entered = std::mem::take(&mut self.entered);
        let entries = WalkDir::new(folder)
            .follow_links(true)
            .max_depth(depth)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| !entry.file_type().is_dir() || entered.insert(real(entry.path())));
        for entry in entries {
            match entry {
                Ok(entry) if !wanted(&entry) => {}
                Ok(entry) if entry.file_type().is_dir() => {}
                // Reading a pipe or a device that happens to be there may take for ever.
                Ok(entry) if entry.file_type().is_file() && is_audio(entry.path()) => self.take(entry.path(), None),
                Ok(entry) => self.skipped.push(entry.into_path()),
                Err(error) => self.fault(folder, &error),
            }
        }
        self.entered = entered;
    }

    fn take(&mut self, path: &Path, fault: Option<String>) {
        let path = path.to_owned();
        self.found.push(Found { path, fault });
    }

    /// A folder that can't be read may have audio in it, and a link that leads nowhere may have led to some.
    fn fault(&mut self, folder: &Path, error: &walkdir::Error) {
        // A link to a folder that it is in: what is there is found without it.
        if error.loop_ancestor().is_some() {
            return;
        }
        let path = error.path().unwrap_or(folder);
        let dangling = error
            .io_error()
            .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
        if dangling && !is_audio(path) {
            self.skipped.push(path.to_owned());
            return;
        }
        let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
        self.take(path, Some(format!("cannot read {}: {reason}", path.display())));
    }

    fn sorted(mut self) -> Self {
        self.found.sort();
        self
    }
}

fn is_audio(path: &Path) -> bool {
    // What macOS leaves beside a file on a disk of another system has its name, and no audio in it.
    let leftover = path
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"));
    let extension = path.extension().unwrap_or_default();
    !leftover && AUDIO.iter().any(|audio| extension.eq_ignore_ascii_case(audio))
}
