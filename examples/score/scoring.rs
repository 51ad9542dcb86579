//! Files to scores.

use std::io;
use std::path::PathBuf;

use bonafide::{Detector, Score};

use crate::inputs::Found;
use crate::progress;

/// What became of a file.
pub(crate) struct Outcome {
    pub(crate) path: PathBuf,
    /// Its score, or why there is none.
    pub(crate) score: Result<Score, String>,
}

/// Scores files on all sessions, and gives each to `take`, in their order, as soon as it is done.
pub(crate) fn score(
    detector: &Detector,
    found: Vec<Found>,
    mut take: impl FnMut(Outcome) -> io::Result<()>,
) -> io::Result<()> {
    let bar = progress::bar(found.len(), "scoring");
    let files: Vec<PathBuf> = found
        .iter()
        .filter(|found| found.fault.is_none())
        .map(|found| found.path.clone())
        .collect();
    let mut scores = detector.score_files(files);
    for Found { path, fault } in found {
        let score = match fault {
            Some(fault) => Err(fault),
            None => match scores.next() {
                Some((_, score)) => score.map_err(|error| error.to_string()),
                None => break,
            },
        };
        // A row and the bar would otherwise be written over each other.
        bar.suspend(|| take(Outcome { path, score }))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
