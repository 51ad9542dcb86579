//! What is to be scored: files, folders and patterns.

mod pattern;
mod walk;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::text::printable;
use pattern::Pattern;
use walk::Walk;

/// A file, or why it, or what would be in it, can't be had.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) fault: Option<String>,
}

pub(crate) struct Inputs {
    /// In the order of the arguments, and of each in that of the paths.
    pub(crate) found: Vec<Found>,
    /// Files that are not audio.
    pub(crate) skipped: usize,
}

impl Inputs {
    pub(crate) fn find(arguments: &[PathBuf]) -> Result<Self> {
        let mut inputs = Self {
            found: Vec::new(),
            skipped: 0,
        };
        // Each file once, and each file that isn't audio too, by where they really are.
        let (mut seen, mut passed) = (HashSet::new(), HashSet::new());
        let mut empty = Vec::new();
        for argument in arguments {
            let walked = walk(argument)?;
            if walked.found.is_empty() {
                empty.push(nothing(argument, walked.skipped.len()));
            }
            passed.extend(walked.skipped.iter().map(|path| real(path)));
            let unseen = walked.found.into_iter().filter(|found| seen.insert(real(&found.path)));
            inputs.found.extend(unseen);
        }
        if inputs.found.is_empty() {
            return Err(Failure::Usage(empty.join("; ")));
        }
        for warning in empty {
            eprintln!("warning: {warning}");
        }
        inputs.skipped = passed.difference(&seen).count();
        Ok(inputs)
    }
}

/// What an argument stands for. A file may be called like a pattern, so what there is goes first; what is neither is a
/// file that isn't there, and scoring it says so.
fn walk(argument: &Path) -> Result<Walk> {
    if argument.is_dir() {
        return Ok(Walk::folder(argument));
    }
    let pattern = if argument.symlink_metadata().is_ok() {
        None
    } else {
        Pattern::parse(argument)?
    };
    Ok(pattern.map_or_else(|| Walk::file(argument), |pattern| Walk::pattern(&pattern)))
}

fn nothing(argument: &Path, skipped: usize) -> String {
    let what = if argument.is_dir() {
        "there is no audio in"
    } else {
        "no audio matches"
    };
    let others = match skipped {
        0 => String::new(),
        1 => ", only another file".to_owned(),
        many => format!(", only {many} other files"),
    };
    format!("{what} {}{others}", printable(argument))
}

/// Where a file really is, whatever way leads there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
