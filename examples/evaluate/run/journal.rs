//! The scores of a run, on disk as they come.
//!
//! A trial is scored once its line is complete in each of three files: `windows.csv`, `scores_probability.txt` and, last,
//! `scores.txt`. What a kill leaves behind is a line cut short, or a trial that isn't in every file; both are dropped
//! when the run is resumed, and the trial is scored again. Nothing that is complete is ever scored twice.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::clip::{Clip, Window};
use crate::datasets::Trial;
use crate::failure::{Failure, Result};
use crate::scores::official_row;

const SCORES: &str = "scores.txt";
const PROBABILITIES: &str = "scores_probability.txt";
const WINDOWS: &str = "windows.csv";
/// `windows` is how many rows the utterance has.
const WINDOWS_HEADER: &str = "utterance,window,windows,start_seconds,end_seconds,spoof_probability,llr\n";
/// A crash of the whole machine loses no more than this.
const SYNC: Duration = Duration::from_secs(5);

pub(super) struct Journal<'a> {
    trials: &'a [Trial],
    /// One for each trial.
    clips: Vec<Option<Clip>>,
    /// In the order in which they are written.
    files: [(PathBuf, File); 3],
    synced: Instant,
}

impl<'a> Journal<'a> {
    /// Opens the journal in a folder, with what an earlier run left there.
    pub(super) fn open(folder: &Path, trials: &'a [Trial]) -> Result<Self> {
        let paths = [WINDOWS, PROBABILITIES, SCORES].map(|name| folder.join(name));
        let clips = read(&paths, trials)?;
        rewrite(&paths, trials, &clips)?;
        let [windows, probabilities, scores] = paths;
        let open = |path: PathBuf| match OpenOptions::new().append(true).open(&path) {
            Ok(file) => Ok((path, file)),
            Err(error) => Err(Failure::file("open", &path)(error)),
        };
        Ok(Self {
            trials,
            clips,
            files: [open(windows)?, open(probabilities)?, open(scores)?],
            synced: Instant::now(),
        })
    }

    pub(super) fn has(&self, trial: usize) -> bool {
        self.clips[trial].is_some()
    }

    /// The scores, one for each trial; none for those that could not be scored.
    pub(super) fn clips(&self) -> &[Option<Clip>] {
        &self.clips
    }

    pub(super) fn append(&mut self, trial: usize, clip: Clip) -> Result<()> {
        let lines = lines(&self.trials[trial], &clip);
        for ((path, file), lines) in self.files.iter_mut().zip(lines) {
            file.write_all(lines.as_bytes()).map_err(Failure::file("write", path))?;
        }
        self.clips[trial] = Some(clip);
        if self.synced.elapsed() >= SYNC {
            for (path, file) in &self.files {
                file.sync_data().map_err(Failure::file("write", path))?;
            }
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Puts the lines into the list's order, which that of their coming is not.
    pub(super) fn finish(&self) -> Result<()> {
        rewrite(
            &self.files.each_ref().map(|(path, _)| path.clone()),
            self.trials,
            &self.clips,
        )
    }
}

/// A trial's lines in each of the files. Numbers are written so that reading them gives the same ones.
fn lines(trial: &Trial, clip: &Clip) -> [String; 3] {
    let count = clip.windows.len();
    let name = quoted(&trial.utterance);
    let windows = clip.windows.iter().enumerate().map(|(index, window)| {
        let Window {
            start_seconds,
            end_seconds,
            spoof_probability,
            llr,
        } = window;
        format!("{name},{index},{count},{start_seconds},{end_seconds},{spoof_probability},{llr}\n")
    });
    let official = |score: &dyn Display| format!("{} {} {} {score}\n", trial.utterance, trial.attack, trial.label);
    [
        windows.collect(),
        official(&clip.bonafide_probability),
        official(&clip.llr),
    ]
}

/// A field of CSV, in quotes where it needs them.
pub(super) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Replaces the files, each at once, by the lines of the clips in the list's order.
fn rewrite(paths: &[PathBuf; 3], trials: &[Trial], clips: &[Option<Clip>]) -> Result<()> {
    let mut texts = [WINDOWS_HEADER.to_owned(), String::new(), String::new()];
    for (trial, clip) in trials.iter().zip(clips) {
        if let Some(clip) = clip {
            texts
                .iter_mut()
                .zip(lines(trial, clip))
                .for_each(|(text, lines)| text.push_str(&lines));
        }
    }
    paths
        .iter()
        .zip(texts)
        .try_for_each(|(path, text)| replace(path, text.as_bytes()))
}

/// Writes a file so that there is never a part of it: under another name, to disk, and then renamed.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = File::create(&part)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        // It is of no use, and in the way on a full disk.
        let _ = fs::remove_file(&part);
        Failure::file("write", path)(error)
    })
}

/// The clips that are complete in all three files.
fn read(paths: &[PathBuf; 3], trials: &[Trial]) -> Result<Vec<Option<Clip>>> {
    let [windows, probabilities, scores] = paths;
    let places: HashMap<&str, usize> = (0..)
        .zip(trials)
        .map(|(place, trial)| (trial.utterance.as_str(), place))
        .collect();
    let mut windows = read_windows(&complete(windows)?, &places);
    let probabilities = read_scores(&complete(probabilities)?, &places, trials);
    let scores = read_scores(&complete(scores)?, &places, trials);
    let clip = |place| {
        Some(Clip {
            llr: *scores.get(&place)?,
            bonafide_probability: *probabilities.get(&place)?,
            windows: windows.remove(&place)?,
        })
    };
    Ok((0..trials.len()).map(clip).collect())
}

/// The complete lines of a file; none if there is no file.
fn complete(path: &Path) -> Result<String> {
    let mut bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        bytes => bytes.map_err(Failure::file("read", path))?,
    };
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    bytes.truncate(end);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The scores by trial. Lines that are no trial's are dropped.
fn read_scores<T: FromStr>(text: &str, places: &HashMap<&str, usize>, trials: &[Trial]) -> HashMap<usize, T> {
    let score = |line: &str| {
        let row = official_row(line).ok()?;
        let place = *places.get(row.utterance.as_str())?;
        let trial = &trials[place];
        let same = row.label == trial.label && row.values == [trial.attack.as_str()];
        let score = line.split_whitespace().next_back()?.parse().ok()?;
        same.then_some((place, score))
    };
    text.lines().filter_map(score).collect()
}

/// The windows by trial, where none lacks.
fn read_windows(text: &str, places: &HashMap<&str, usize>) -> HashMap<usize, Vec<Window>> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let mut windows: HashMap<usize, (usize, Vec<Window>)> = HashMap::new();
    for record in reader.records().flatten() {
        let Some((place, index, count, window)) = read_window(&record, places) else {
            continue;
        };
        let (expected, so_far) = windows.entry(place).or_default();
        if index == 0 {
            (*expected, *so_far) = (count, Vec::new()); // of a later try, whose earlier one was cut short
        }
        if index == so_far.len() {
            so_far.push(window);
        }
    }
    let whole = windows
        .into_iter()
        .filter(|(_, (expected, windows))| windows.len() == *expected);
    whole.map(|(place, (_, windows))| (place, windows)).collect()
}

/// The trial, the window's place in it, how many there are, and the window.
fn read_window(record: &csv::StringRecord, places: &HashMap<&str, usize>) -> Option<(usize, usize, usize, Window)> {
    let field = |index: usize| record.get(index).filter(|_| record.len() == 7);
    let window = Window {
        start_seconds: field(3)?.parse().ok()?,
        end_seconds: field(4)?.parse().ok()?,
        spoof_probability: field(5)?.parse().ok()?,
        llr: field(6)?.parse().ok()?,
    };
    Some((
        *places.get(field(0)?)?,
        field(1)?.parse().ok()?,
        field(2)?.parse().ok()?,
        window,
    ))
}
