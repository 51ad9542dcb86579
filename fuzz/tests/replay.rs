//! All files that the fuzzer kept, and all that ever broke something, through the targets.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bonafide_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Runs every target on each of its files. A panic names the file.
fn replay(kind: &str, least: usize) {
    for &(name, target) in TARGETS {
        let folder = folder(kind).join(name);
        let files = if least > 0 || folder.exists() {
            names(&folder)
        } else {
            BTreeSet::new()
        };
        assert!(files.len() >= least, "{} is empty", folder.display());
        for file in files {
            let path = folder.join(file);
            let data = fs::read(&path).unwrap();
            let result = std::panic::catch_unwind(|| target(&data));
            assert!(result.is_ok(), "{name} fails on {}", path.display());
        }
    }
}

#[test]
fn the_corpus_passes() {
    replay("corpus", 1);
}

#[test]
fn what_once_failed_passes() {
    replay("regressions", 0);
}

#[test]
fn every_target_has_its_program_and_nothing_else_is_kept() {
    let known =
        |suffix: &str| -> BTreeSet<String> { TARGETS.iter().map(|(name, _)| format!("{name}{suffix}")).collect() };
    assert_eq!(names(&folder("fuzz_targets")), known(".rs"));
    assert_eq!(names(&folder("corpus")), known(""));
    assert!(names(&folder("regressions")).is_subset(&known("")));
}
