//! Gaps that can be seen in score files: runs that are not finished, and shards that are not there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::run::Settings;

const HINT: &str = "; or accept that with --allow-missing";

/// Looks at the `run.json` beside each score file that a run wrote.
pub(crate) fn check(files: &[PathBuf]) -> Result<()> {
    // The shards of each run that was split, by what they must have in common.
    let mut shards: BTreeMap<String, (usize, BTreeSet<usize>)> = BTreeMap::new();
    for file in files {
        let folder = file.parent().unwrap_or(Path::new(""));
        // A run.json that is no run's says nothing.
        let Ok(Some(settings)) = Settings::of(folder) else {
            continue;
        };
        finished(file, folder)?;
        if let Some((part, parts)) = settings.shard {
            let (_, there) = shards.entry(whole(&settings)).or_insert((parts, BTreeSet::new()));
            there.insert(part);
        }
    }
    if shards.len() > 1 {
        return Err(Failure::Failed(format!(
            "these are shards of {} runs that differ in list, model or settings{HINT}",
            shards.len()
        )));
    }
    for (parts, there) in shards.values() {
        let missing: Vec<String> = (1..=*parts)
            .filter(|part| !there.contains(part))
            .map(|part| part.to_string())
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(Failure::Failed(format!(
                "of {parts} shards, these are missing: {missing}{HINT}"
            )));
        }
    }
    Ok(())
}

/// What the shards of one run have in common.
fn whole(settings: &Settings) -> String {
    let parts = settings.shard.map(|(_, parts)| parts);
    let whole = Settings {
        shard: parts.map(|parts| (0, parts)),
        ..settings.clone()
    };
    format!("{whole:?}")
}

/// A run that is finished has its figures, and all the scores that these are of.
fn finished(file: &Path, folder: &Path) -> Result<()> {
    let metrics = fs::read(folder.join("metrics.json")).unwrap_or_default();
    let metrics: serde_json::Value = serde_json::from_slice(&metrics).unwrap_or_default();
    let Some(expected) = metrics["trials"]["scored"].as_u64() else {
        let folder = folder.display();
        return Err(Failure::Failed(format!(
            "the run in {folder} is not finished: go on with --resume{HINT}"
        )));
    };
    let text = fs::read_to_string(file).map_err(Failure::file("read", file))?;
    let header = u64::from(file.extension().is_some_and(|extension| extension == "csv"));
    let lines = text.lines().filter(|line| !line.trim().is_empty()).count() as u64;
    if lines < expected + header {
        return Err(Failure::Failed(format!(
            "{} lacks scores: the run had {expected}, found {}: go on with --resume{HINT}",
            file.display(),
            lines.saturating_sub(header)
        )));
    }
    Ok(())
}
